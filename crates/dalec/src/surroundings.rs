//! What the engine needs of this machine: a place to keep things, rights to mount, certificates.

use std::collections::BTreeMap;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;

use dalec_engine::userns::{self, Entered, Mode};
use dalec_spec::Platform;
use serde_json::{Value, json};

use crate::emulator;
use crate::errors::CommandError;

/// Where programs look for the certificates that the host trusts.
const CA_BUNDLES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// Moves this process to where it may mount; must come before the first thread.
///
/// # Errors
/// [`CommandError::Environment`] when the machine allows no way.
pub fn enter() -> Result<Entered, CommandError> {
    userns::enter(userns::Options::default()).map_err(|error| CommandError::Environment {
        help: error.hint().map(str::to_owned),
        message: error.to_string(),
        source: std::error::Error::source(&error).map(|source| source.to_string().into()),
    })
}

/// Returns the platforms whose programs run here, this machine's own first: those that its processor takes, and those of
/// `asked` that the kernel has an emulator for.
pub fn runnable(host: &Platform, asked: &[Platform]) -> Vec<Platform> {
    // The two that run each other's programs without help; whether a given processor does, the build will see.
    let related = [("amd64", "386"), ("arm64", "arm")];
    let related = related.into_iter().filter(|(own, _)| *own == host.arch);
    let mut platforms = vec![host.clone()];
    platforms.extend(related.map(|(_, other)| Platform::new(&host.os, other)));
    for asked in asked.iter().filter(|asked| asked.os == host.os) {
        let platform = Platform::new(&host.os, &asked.arch);
        if !platforms.contains(&platform) && emulator::runs(&platform.arch) {
            platforms.push(platform);
        }
    }
    platforms
}

/// Returns how the engine runs, as a record.
pub fn mode_record(entered: &Entered) -> Value {
    let mut record = match entered.mode {
        Mode::Privileged => json!({ "mode": "root" }),
        Mode::Inherited { ids } => json!({ "mode": "user-namespace", "ids": ids }),
        Mode::Subordinate { ids } => json!({ "mode": "rootless", "ids": ids }),
        Mode::SingleId => json!({ "mode": "rootless", "ids": 1 }),
    };
    if let Some(remark) = &entered.remark {
        record["remark"] = json!(remark);
    }
    record
}

/// Returns the variables that say where proxies are, each in both spellings: programs agree on none.
pub fn proxies() -> BTreeMap<String, String> {
    let names = ["HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "ALL_PROXY", "NO_PROXY"];
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let found = names.into_iter().filter_map(|name| {
        let other = name.to_ascii_lowercase();
        let value = set(&other).or_else(|| set(name))?;
        Some([(name.to_owned(), value.clone()), (other, value)])
    });
    found.flatten().collect()
}

/// Returns the Debian mirror for base images: `given`, or that of `DALEC_APT_MIRROR`.
pub fn apt_mirror(given: Option<String>) -> Option<String> {
    given.or_else(|| std::env::var("DALEC_APT_MIRROR").ok()).filter(|mirror| !mirror.is_empty())
}

/// Makes the directory where results are kept and returns it: `given`, that of `DALEC_STATE_DIR`, or `dalec` in the user's
/// cache directory.
///
/// # Errors
/// [`CommandError::Environment`] when there is no place for it or it cannot be made.
pub fn state_dir(given: Option<PathBuf>) -> Result<PathBuf, CommandError> {
    let variable = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let named = || std::env::var_os("DALEC_STATE_DIR").filter(|path| !path.is_empty()).map(PathBuf::from);
    let path = given
        .or_else(named)
        .or_else(|| Some(variable("XDG_CACHE_HOME")?.join("dalec")))
        .or_else(|| Some(variable("HOME")?.join(".cache/dalec")))
        .ok_or_else(|| CommandError::Environment {
            message: "there is no home directory to keep results in".into(),
            help: Some("name a directory with --state-dir or DALEC_STATE_DIR".into()),
            source: None,
        })?;
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&path);
    made.map_err(|source| CommandError::Environment {
        message: format!("cannot make the state directory {}", path.display()),
        help: Some("name another one with --state-dir or DALEC_STATE_DIR".into()),
        source: Some(source.into()),
    })?;
    std::path::absolute(&path).map_err(|source| CommandError::unwritable(path, source))
}

/// Returns the file with the certificates that downloads trust beside the common ones: `given`, or the host's.
///
/// # Errors
/// [`CommandError::Usage`] when the given one is not there.
pub fn ca_bundle(given: Option<PathBuf>) -> Result<Option<PathBuf>, CommandError> {
    match given {
        Some(path) => match std::fs::File::open(&path) {
            Ok(_) => Ok(Some(path)),
            Err(source) => Err(CommandError::unreadable("CA bundle", &path, source)),
        },
        None => {
            let own = std::env::var_os("SSL_CERT_FILE").map(PathBuf::from);
            Ok(own.into_iter().chain(CA_BUNDLES.map(PathBuf::from)).find(|path| path.is_file()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_runs_its_own_programs() {
        let platform = |arch| Platform::new("linux", arch);
        let asked = [platform("386"), platform("no-such"), Platform::new("windows", "amd64")];
        assert_eq!(runnable(&platform("amd64"), &asked), [platform("amd64"), platform("386")]);
        assert_eq!(runnable(&platform("no-such"), &[]), [platform("no-such")]);
    }

    #[test]
    fn the_state_directory_is_for_its_owner_alone() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = state_dir(Some(folder.path().join("a/b"))).unwrap();
        assert_eq!(path, folder.path().join("a/b"));
        assert_eq!(std::fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(state_dir(Some("/proc/nowhere".into())).unwrap_err().exit().code(), 3);
    }
}
