//! What of a spec an extension cannot hold.
//!
//! Files have to be where systemd lays extensions: `/usr` and `/opt`. What belongs into `/etc` is brought along and copied
//! there, but for `/etc/systemd`, which systemd has read before.

use std::collections::BTreeMap;

use dalec_spec::span::Span;
use dalec_spec::target_spec::{Artifact, Artifacts, Directories, DirectoryConfig, TargetSpec};

use crate::error::PlanError;
use crate::paths::join;

/// A file of the spec's package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Installed {
    /// Absolute path, free of `.` and `..`; its last part may be a pattern.
    pub path: String,
    /// The entry in the spec.
    pub span: Span,
}

/// Checks that an extension can hold the package of `spec`, which installs `files` besides links and directories, and
/// that the names of what else goes into it are names.
///
/// # Errors
/// [`PlanError::Invalid`] with everything that it cannot.
pub(crate) fn check(spec: &TargetSpec, files: impl IntoIterator<Item = Installed>) -> Result<(), PlanError> {
    if let Some((name, constraint)) = spec.dependencies.sysext.iter().find(|(name, _)| name.starts_with('-'))
    {
        return Err(PlanError::invalid(format!("{name:?} names no package"), [constraint.span]));
    }
    let links = spec.artifacts.links.iter();
    let links = links.map(|link| Installed { path: join("/", &link.dest), span: link.span });
    let directories = spec.artifacts.directories.config.iter();
    let directories = directories
        .map(|(path, directory)| Installed { path: join("/etc", path), span: directory.span })
        .filter(|directory| directory.path != "/etc");
    let all = files.into_iter().chain(links).chain(directories);
    let bad: Vec<Installed> = all.filter(|file| !is_held(&file.path)).collect();
    let Some(first) = bad.first() else { return Ok(()) };
    let more = match bad.len() {
        1 => String::new(),
        several => format!(", nor {} more", several - 1),
    };
    Err(PlanError::Invalid {
        message: format!("a system extension cannot hold {}{more}", first.path),
        spans: bad.iter().map(|file| file.span).collect(),
        hint: Some(
            "it takes what is below /usr and /opt, and below /etc but for /etc/systemd; `artifacts` of the target \
             can differ from the spec's"
                .into(),
        ),
    })
}

fn is_held(path: &str) -> bool {
    let mut parts = path.split('/').filter(|part| !part.is_empty());
    match (parts.next(), parts.next()) {
        (Some("etc"), Some("systemd")) => false,
        (Some("usr" | "opt" | "etc" | "bin" | "sbin" | "lib" | "lib64"), Some(_)) => true,
        _ => false,
    }
}

/// Returns what people may miss in an image: it only has files, which all belong to root.
pub(crate) fn warnings(spec: &TargetSpec) -> Option<String> {
    let lost = lost(&spec.artifacts);
    let lost = (!lost.is_empty()).then(|| lost.join(", "))?;
    Some(format!(
        "a system extension has only files, which belong to root, and is not installed; left out: {lost}"
    ))
}

fn lost(artifacts: &Artifacts) -> Vec<&'static str> {
    let Directories { config, state } = &artifacts.directories;
    let kinds = [
        &artifacts.binaries,
        &artifacts.manpages,
        &artifacts.data_dirs,
        &artifacts.libexec,
        &artifacts.opt,
        &artifacts.config_files,
        &artifacts.docs,
        &artifacts.licenses,
        &artifacts.libs,
        &artifacts.headers,
    ];
    let files = || kinds.into_iter().flat_map(BTreeMap::values);
    let is_owned =
        |user: &str, group: &str| [user, group].iter().any(|name| !matches!(*name, "" | "root" | "0"));
    let owned = files().any(|Artifact { user, group, .. }| is_owned(user, group))
        || config.values().any(|DirectoryConfig { user, group, .. }| is_owned(user, group))
        || artifacts.links.iter().any(|link| is_owned(&link.user, &link.group));
    let capable = files().any(|file| !file.capabilities.is_empty());
    [
        ("users", !artifacts.users.is_empty()),
        ("groups", !artifacts.groups.is_empty()),
        ("owners of files", owned),
        ("linux_capabilities", capable),
        ("createDirectories.state", !state.is_empty()),
    ]
    .into_iter()
    .filter_map(|(name, is_there)| is_there.then_some(name))
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{artifacts, owned, spec};

    #[test]
    fn places() {
        for (path, expected) in [
            ("/usr/bin/a", true),
            ("/opt/a", true),
            ("/etc/a", true),
            ("/etc/systemd-a", true),
            ("/lib64/a", true),
            ("/etc/systemd/a", false),
            ("/etc/systemd", false),
            ("/var/lib/a", false),
            ("/srv/a", false),
            ("/usr", false),
            ("/usrs/a", false),
            ("/a", false),
        ] {
            assert_eq!(is_held(path), expected, "{path}");
        }
    }

    #[test]
    fn all_of_them_are_pointed_at() {
        let at = |path: &str, start| Installed { path: path.into(), span: Span::new(start, start + 1) };
        let error =
            check(&spec(), [at("/usr/a", 1), at("/srv/b", 2), at("/c", 3)]).expect_err("two that do not fit");
        assert_eq!(error.to_string(), "a system extension cannot hold /srv/b, nor 1 more");
        assert_eq!(error.spans(), [Span::new(2, 3), Span::new(3, 4)]);
    }

    #[test]
    fn what_is_lost_is_said() {
        let mut spec = spec();
        assert_eq!(warnings(&spec), None);
        spec.artifacts.users = vec!["ann".into()];
        spec.artifacts.binaries = artifacts([("a", owned("ann", "", Some("cap_chown")))]);
        let warning = warnings(&spec).expect("a warning");
        assert!(warning.ends_with("left out: users, owners of files, linux_capabilities"), "{warning}");
    }
}
