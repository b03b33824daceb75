//! Which systems an image says it is for: what the client asks for, and what a target wants without that.

use std::collections::BTreeMap;

use crate::error::PlanError;

/// What the client says of a system extension; empty where it says nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Settings {
    /// `ID` of the systems that take it (`DALEC_SYSEXT_OS_ID`).
    pub os_id: String,
    /// `VERSION_ID` of the systems that take it (`DALEC_SYSEXT_OS_VERSION_ID`).
    pub os_version_id: String,
    /// `SYSEXT_LEVEL` of the systems that take it (`DALEC_SYSEXT_SYSEXT_LEVEL`).
    pub level: String,
    /// Name of the image, with or without `.raw` (`DALEC_SYSEXT_IMAGE_NAME`).
    pub image_name: String,
}

/// What a target wants where the client says nothing.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Defaults {
    /// `ID` of the systems that take its images.
    pub os_id: &'static str,
    /// `SYSEXT_LEVEL` of those; empty for none.
    pub level: &'static str,
    /// Images are called as the spec, without version and target.
    pub plain_name: bool,
}

/// For any system that has the right processor.
pub(crate) const ANYWHERE: Defaults = Defaults { os_id: "_any", level: "", plain_name: false };

impl Settings {
    /// Returns what the build arguments `arguments` say.
    pub fn from_build_args(arguments: &BTreeMap<String, String>) -> Self {
        let value = |name: &str| arguments.get(&format!("DALEC_SYSEXT_{name}")).cloned().unwrap_or_default();
        Self {
            os_id: value("OS_ID"),
            os_version_id: value("OS_VERSION_ID"),
            level: value("SYSEXT_LEVEL"),
            image_name: value("IMAGE_NAME"),
        }
    }

    /// Returns these with what `defaults` says of systems where they say nothing.
    ///
    /// Whoever names a version means that one, so no level is added to it.
    pub(super) fn over(&self, defaults: &Defaults) -> Self {
        let mut settings = self.clone();
        if settings.os_id.is_empty() {
            settings.os_id = defaults.os_id.to_owned();
        }
        if settings.level.is_empty() && settings.os_version_id.is_empty() {
            settings.level = defaults.level.to_owned();
        }
        settings
    }

    /// Returns the text of the release file for `architecture`, in systemd's words.
    ///
    /// # Errors
    /// [`PlanError::Invalid`] for a value that such a file cannot hold.
    pub(super) fn release(&self, architecture: &str) -> Result<String, PlanError> {
        let Self { os_id, os_version_id, level, image_name: _ } = self;
        for (argument, value) in [
            ("DALEC_SYSEXT_OS_ID", os_id),
            ("DALEC_SYSEXT_OS_VERSION_ID", os_version_id),
            ("DALEC_SYSEXT_SYSEXT_LEVEL", level),
        ] {
            if !value.chars().all(|char| char.is_ascii_alphanumeric() || "._+~^-".contains(char)) {
                return Err(PlanError::invalid_name(
                    format!("the build argument `{argument}` cannot be {value:?}"),
                    "letters, digits and `._+~^-`, as in the `os-release` file of the system",
                ));
            }
        }
        let line = |key: &str, value: &str| match value {
            "" => String::new(),
            value => format!("{key}={value}\n"),
        };
        Ok([
            line("ID", os_id),
            line("ARCHITECTURE", architecture),
            line("EXTENSION_RELOAD_MANAGER", "1"),
            line("VERSION_ID", os_version_id),
            line("SYSEXT_LEVEL", level),
        ]
        .concat())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sysext::host::HOSTS;

    fn release(arguments: &[(&str, &str)], defaults: &Defaults) -> Result<String, PlanError> {
        let own = |(name, value): &(&str, &str)| (format!("DALEC_SYSEXT_{name}"), (*value).to_owned());
        Settings::from_build_args(&arguments.iter().map(own).collect()).over(defaults).release("x86-64")
    }

    /// TGT-025: what is asked for goes before what the target wants; nothing asked for is as good as not asked.
    #[test]
    fn release_files() {
        let flatcar = &HOSTS[0].defaults;
        for (arguments, defaults, expected) in [
            (&[][..], &ANYWHERE, "ID=_any"),
            (&[("OS_ID", ""), ("SYSEXT_LEVEL", "")], &ANYWHERE, "ID=_any"),
            (&[("OS_ID", "debian"), ("OS_VERSION_ID", "13")], &ANYWHERE, "ID=debian VERSION_ID=13"),
            (&[("SYSEXT_LEVEL", "2")], &ANYWHERE, "ID=_any SYSEXT_LEVEL=2"),
            (&[], flatcar, "ID=flatcar SYSEXT_LEVEL=1.0"),
            (&[("OS_VERSION_ID", "4593.0.0")], flatcar, "ID=flatcar VERSION_ID=4593.0.0"),
            (
                &[("OS_VERSION_ID", "4593.0.0"), ("SYSEXT_LEVEL", "2.0")],
                flatcar,
                "ID=flatcar VERSION_ID=4593.0.0 SYSEXT_LEVEL=2.0",
            ),
        ] {
            let release = release(arguments, defaults).expect("valid");
            assert!(release.contains("ARCHITECTURE=x86-64\nEXTENSION_RELOAD_MANAGER=1\n"), "{release}");
            let lines = release.lines().filter(|line| !line.starts_with("ARCH") && !line.starts_with("EXT"));
            assert_eq!(lines.collect::<Vec<_>>().join(" "), expected);
        }
    }

    #[test]
    fn no_value_becomes_another_line() {
        for value in ["a\nVERSION_ID=1", "a b", "\"a\"", "$(a)", "ä"] {
            for name in ["OS_ID", "OS_VERSION_ID", "SYSEXT_LEVEL"] {
                assert!(release(&[(name, value)], &ANYWHERE).is_err(), "{name} {value:?}");
            }
        }
    }
}
