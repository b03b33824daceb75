//! Secrets of ops: which ones an op names, and whether it is served them.

use std::borrow::Cow;

use bollard_buildkit_proto::pb;
use dalec_gateway::Purpose;
use pb::MountType;

use super::OpContext;
use crate::error::{Error, Result};
use crate::shared::Core;
use crate::{SecretScope, Secrets, sources};

/// Returns the value of the client's secret `id`; none when it is optional and was not given.
///
/// # Errors
/// When it was not given, cannot be read, or is not for this op.
pub fn secret_value(context: &OpContext<'_>, id: &str, optional: bool) -> Result<Option<Vec<u8>>> {
    let secrets = &*context.core.options.secrets;
    check(secrets, context.purpose, id)?;
    let value = secrets.secret(id).map_err(|error| Error::Op {
        message: error.to_string(),
        hint: String::new(),
        source: Some(Box::new(error)),
    })?;
    if value.is_none() && !optional {
        return Err(Error::Op {
            message: format!("the secret {id:?} was not given"),
            hint: format!("give it with --secret id={id},src=FILE or --secret id={id},env=VARIABLE"),
            source: None,
        });
    }
    Ok(value)
}

/// Goes on unless `op` names a secret that is not for what it works for.
///
/// To be asked before any known result of the op is looked up: a result may hold what the secret gave.
///
/// # Errors
/// When it does, also where it says that it could do without.
pub fn check_secrets(core: &Core, purpose: Purpose, op: &pb::op::Op) -> Result<()> {
    named(op).try_for_each(|id| check(&*core.options.secrets, purpose, &id))
}

/// Returns whether `op` names a secret that is for signers alone.
pub fn names_signing_secret(core: &Core, op: &pb::op::Op) -> bool {
    named(op).any(|id| core.options.secrets.scope(&id) == SecretScope::Signer)
}

fn check(secrets: &dyn Secrets, purpose: Purpose, id: &str) -> Result<()> {
    match (secrets.scope(id), purpose) {
        (SecretScope::Everyone, _) | (SecretScope::Signer, Purpose::Sign) => Ok(()),
        (SecretScope::Signer, Purpose::Build) => Err(Error::Op {
            message: format!("the secret {id:?} is for signers only, and this step is not a signer's"),
            hint: format!(
                "name another secret here; for everyone to have this one, leave scope=signer out of --secret id={id}"
            ),
            source: None,
        }),
    }
}

/// Returns the ids of the secrets that `op` names.
fn named(op: &pb::op::Op) -> impl Iterator<Item = Cow<'_, str>> {
    let (exec, source) = match op {
        pb::op::Op::Exec(exec) => (Some(exec), None),
        pb::op::Op::Source(source) => (None, Some(source)),
        _ => (None, None),
    };
    let mounts = exec.into_iter().flat_map(|exec| &exec.mounts);
    let mounts = mounts.filter(|mount| mount.mount_type() == MountType::Secret);
    let mounted = mounts.filter_map(|mount| Some(mount.secret_opt.as_ref()?.id.as_str()));
    let env = exec.into_iter().flat_map(|exec| &exec.secretenv).map(|secret| secret.id.as_str());
    let logins = source.into_iter().flat_map(sources::secret_ids).map(Cow::Owned);
    mounted.chain(env).map(Cow::Borrowed).chain(logins)
}
