//! Owners by number or by name.

use bollard_buildkit_proto::pb;
use pb::file_action::Action;
use pb::user_opt::User;

use crate::error::{Error, Result};
use crate::shared::Core;
use crate::snapshot::resolve::{Last, resolve};
use crate::snapshot::{Snapshot, Tree};

/// Larger files of users are not read.
const MAX_BYTES: u64 = 16 << 20;

/// An owner to give, where it differs from the usual one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Owner {
    /// User id.
    pub uid: Option<u32>,
    /// Group id.
    pub gid: Option<u32>,
}

/// Returns the names of owners that `action` has to look up.
pub fn named(action: &pb::FileAction) -> Vec<&pb::NamedUserOpt> {
    let owner = match &action.action {
        Some(Action::Copy(copy)) => copy.owner.as_ref(),
        Some(Action::Mkfile(mkfile)) => mkfile.owner.as_ref(),
        Some(Action::Mkdir(mkdir)) => mkdir.owner.as_ref(),
        Some(Action::Symlink(symlink)) => symlink.owner.as_ref(),
        Some(Action::Rm(_)) | None => None,
    };
    let options = owner.into_iter().flat_map(|owner| [&owner.user, &owner.group]);
    options
        .filter_map(|option| match option.as_ref()?.user.as_ref()? {
            User::ByName(name) => Some(name),
            User::ById(_) => None,
        })
        .collect()
}

/// Looks up an owner; `input` returns the file system with a number.
///
/// # Errors
/// When there is no user or group of that name.
pub fn look_up(core: &Core, owner: Option<&pb::ChownOpt>, input: &dyn Fn(i64) -> Snapshot) -> Result<Owner> {
    let Some(owner) = owner else { return Ok(Owner::default()) };
    // Who names only one of the two gets root for the other.
    let mut found = Owner { uid: Some(0), gid: Some(0) };
    match owner.user.as_ref().and_then(|user| user.user.as_ref()) {
        Some(User::ById(id)) => found.uid = Some(*id),
        Some(User::ByName(name)) => {
            let (uid, gid) = entry(core, &input(name.input), "/etc/passwd", &name.name)?;
            found = Owner { uid: Some(uid), gid: gid.or(Some(0)) };
        }
        None => {}
    }
    match owner.group.as_ref().and_then(|group| group.user.as_ref()) {
        Some(User::ById(id)) => found.gid = Some(*id),
        Some(User::ByName(name)) => {
            found.gid = Some(entry(core, &input(name.input), "/etc/group", &name.name)?.0);
        }
        None => {}
    }
    Ok(found)
}

/// Returns the third and fourth field of the line of `name`.
fn entry(core: &Core, snapshot: &Snapshot, file: &str, name: &str) -> Result<(u32, Option<u32>)> {
    if let Ok(id) = name.parse() {
        return Ok((id, Some(id)));
    }
    let tree = snapshot.tree(core.store());
    let text = match resolve(&tree, file.as_bytes(), Last::Follow)? {
        Some(found) if tree.meta(&found.node).size <= MAX_BYTES => {
            std::io::read_to_string(tree.open(&found.node)?).unwrap_or_default()
        }
        _ => String::new(),
    };
    text.lines()
        .map(|line| line.split(':').collect::<Vec<_>>())
        .find(|fields| fields.first() == Some(&name))
        .and_then(|fields| Some((fields.get(2)?.parse().ok()?, fields.get(3).and_then(|id| id.parse().ok()))))
        .ok_or_else(|| Error::op(format!("there is no {name:?} in {file}")))
}
