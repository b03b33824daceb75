//! Name, version and release of one RPM package.
//!
//! Invariant of [`Names`]: every part is what RPM allows, so it can stand in spec files, file names and scripts as it is.

use dalec_spec::target_spec::TargetSpec;

use crate::error::PlanError;

/// The names that a package's files are called by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Names {
    package: String,
    epoch: Option<String>,
    version: String,
    release: String,
}

impl Names {
    /// Checks and returns the names of `spec`.
    ///
    /// # Errors
    /// [`PlanError::MissingFields`] or [`PlanError::Invalid`] for what RPM does not allow.
    pub fn new(spec: &TargetSpec) -> Result<Self, PlanError> {
        let fields = [
            ("name", &*spec.name),
            ("version", &spec.version),
            ("revision", &spec.revision),
            ("description", &spec.description),
            ("license", &spec.license),
        ];
        PlanError::require("an RPM package", &fields)?;
        check_package(&spec.name).map_err(|error| error.at(spec.places.name))?;
        let (epoch, version) = match spec.version.split_once(':') {
            Some((epoch, version)) => (Some(epoch), version),
            None => (None, spec.version.as_str()),
        };
        let is_number = |text: &str| text.parse::<u32>().is_ok() && !text.starts_with('+');
        let version_char = |char: char| char.is_ascii_alphanumeric() || "._+~^".contains(char);
        if !epoch.is_none_or(is_number) || version.is_empty() || !version.chars().all(version_char) {
            return Err(PlanError::invalid_name(
                format!("{:?} cannot be the version of an RPM package", spec.version),
                "letters, digits, `.`, `_`, `+`, `~` and `^`; `1.0~rc1` comes before `1.0`",
            )
            .at(spec.places.version));
        }
        if !spec.revision.chars().all(version_char) {
            return Err(PlanError::invalid_name(
                format!("{:?} cannot be the revision of an RPM package", spec.revision),
                "letters, digits, `.`, `_`, `+`, `~` and `^`, for example `1`",
            )
            .at(spec.places.revision));
        }
        Ok(Self {
            package: spec.name.clone(),
            epoch: epoch.map(str::to_owned),
            version: version.to_owned(),
            release: spec.revision.clone(),
        })
    }

    /// Returns the package name.
    pub fn package(&self) -> &str {
        &self.package
    }

    /// Returns the epoch, where the version starts with one.
    pub fn epoch(&self) -> Option<&str> {
        self.epoch.as_deref()
    }

    /// Returns the version without epoch.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Returns the release without the distribution's tag.
    pub fn release(&self) -> &str {
        &self.release
    }

    /// Returns words for people, for example `hello 1.2.3`.
    pub fn title(&self) -> String {
        format!("{} {}", self.package, self.version)
    }
}

/// Checks the name of a package.
///
/// # Errors
/// [`PlanError::Invalid`] for what RPM does not allow.
pub(super) fn check_package(name: &str) -> Result<(), PlanError> {
    let name_char = |char: char| char.is_ascii_alphanumeric() || "-._+".contains(char);
    let starts = name.starts_with(|char: char| char.is_ascii_alphanumeric() || char == '_');
    if starts && name.chars().all(name_char) {
        return Ok(());
    }
    Err(PlanError::invalid_name(
        format!("{name:?} cannot be the name of an RPM package"),
        "letters, digits, `-`, `.`, `_` and `+`; the first a letter, a digit or `_`",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(name: &str, version: &str, revision: &str) -> Result<Names, String> {
        let spec = TargetSpec {
            name: name.into(),
            version: version.into(),
            revision: revision.into(),
            ..crate::fixture::spec()
        };
        Names::new(&spec).map_err(|error| error.to_string())
    }

    /// RPM-001: everything that is missing is named at once.
    #[test]
    fn what_is_missing() {
        let spec = TargetSpec { license: String::new(), revision: " ".into(), ..crate::fixture::spec() };
        let error = Names::new(&spec).expect_err("two fields");
        assert_eq!(error.to_string(), "`revision` and `license` are required to build an RPM package");
        let spec = TargetSpec { description: String::new(), ..crate::fixture::spec() };
        let error = Names::new(&spec).expect_err("one field");
        assert_eq!(error.to_string(), "`description` is required to build an RPM package");
    }

    #[test]
    fn an_epoch_is_split_off() {
        let names = names("Foo_x", "2:1.0~rc1", "3.git^1").expect("valid");
        assert_eq!((names.epoch(), names.version(), names.release()), (Some("2"), "1.0~rc1", "3.git^1"));
    }

    #[test]
    fn what_rpm_forbids_is_refused() {
        for (name, version, revision) in [
            ("../foo", "1", "1"),
            ("-foo", "1", "1"),
            ("foo\nbar", "1", "1"),
            ("foo%{x}", "1", "1"),
            ("foo", "1-rc1", "1"),
            ("foo", "1 0", "1"),
            ("foo", "%(id)", "1"),
            ("foo", "x:1", "1"),
            ("foo", "1:", "1"),
            ("foo", "1", "1-1"),
            ("foo", "1", "%(id)"),
        ] {
            assert!(names(name, version, revision).is_err(), "{name:?} {version:?} {revision:?}");
        }
    }
}
