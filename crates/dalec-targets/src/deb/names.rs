//! Package names, versions and file names of one Debian package.
//!
//! Invariant of [`Names`]: every part is what Debian policy (sections 5.6.1 and 5.6.12) allows, so it can stand in
//! file names, make files and control fields as it is.

use dalec_spec::target_spec::TargetSpec;

use crate::deb::distro::DebDistro;
use crate::error::PlanError;

/// The names that a package's files are called by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    package: String,
    version: String,
    revision: String,
    distro_id: &'static str,
}

impl Names {
    /// Checks and returns the names of `spec` for `distro`.
    ///
    /// # Errors
    /// [`PlanError::MissingFields`] or [`PlanError::Invalid`] for what Debian does not allow.
    pub fn new(spec: &TargetSpec, distro: &DebDistro) -> Result<Self, PlanError> {
        let fields = [("name", &*spec.name), ("version", &spec.version), ("revision", &spec.revision)];
        PlanError::require("a Debian package", &fields)?;
        let name_char =
            |char: char| char.is_ascii_lowercase() || char.is_ascii_digit() || "+-.".contains(char);
        let starts = spec.name.starts_with(|char: char| char.is_ascii_lowercase() || char.is_ascii_digit());
        if spec.name.len() < 2 || !starts || !spec.name.chars().all(name_char) {
            return Err(PlanError::invalid_name(
                format!("{:?} cannot be the name of a Debian package", spec.name),
                "at least two lower-case letters, digits, `+`, `-` and `.`; the first a letter or digit",
            )
            .at(spec.places.name));
        }
        let (epoch, upstream) = spec.version.split_once(':').unwrap_or(("0", &spec.version));
        let epoch_is_number = !epoch.is_empty() && epoch.chars().all(|char| char.is_ascii_digit());
        let version_char = |char: char| char.is_ascii_alphanumeric() || "+-.~".contains(char);
        let starts = upstream.starts_with(|char: char| char.is_ascii_digit());
        if !epoch_is_number || !starts || !upstream.chars().all(version_char) {
            return Err(PlanError::invalid_name(
                format!("{:?} cannot be the version of a Debian package", spec.version),
                "a digit, then letters, digits, `+`, `-`, `.` and `~`, for example `1.0~rc1`",
            )
            .at(spec.places.version));
        }
        let revision_char = |char: char| char.is_ascii_alphanumeric() || "+.~".contains(char);
        if !spec.revision.chars().all(revision_char) {
            return Err(PlanError::invalid_name(
                format!("{:?} cannot be the revision of a Debian package", spec.revision),
                "letters, digits, `+`, `.` and `~`, for example `1`",
            )
            .at(spec.places.revision));
        }
        Ok(Self {
            package: spec.name.clone(),
            version: spec.version.clone(),
            revision: spec.revision.clone(),
            distro_id: distro.version_id,
        })
    }

    /// Returns the package name.
    pub fn package(&self) -> &str {
        &self.package
    }

    /// Returns the full version, for example `1.2.3-debian12u4`.
    pub fn version(&self) -> String {
        format!("{}-{}u{}", self.version, self.distro_id, self.revision)
    }

    /// Returns the upstream version without epoch, as it stands in file names.
    pub fn upstream(&self) -> &str {
        self.version.split_once(':').map_or(&self.version, |(_, upstream)| upstream)
    }

    /// Returns the start of the source package's file names, for example `hello_1.2.3-debian12u4`.
    pub fn file_stem(&self) -> String {
        format!("{}_{}-{}u{}", self.package, self.upstream(), self.distro_id, self.revision)
    }

    /// Returns the name of the source archive.
    pub fn orig(&self) -> String {
        format!("{}_{}.orig.tar.gz", self.package, self.upstream())
    }

    /// Returns the name of the unpacked source directory.
    pub fn source_dir(&self) -> String {
        format!("{}-{}", self.package, self.upstream())
    }

    /// Returns the directory that the package is built in, which programs may record.
    pub fn work_dir(&self) -> String {
        format!("/work/{}_{}-{}", self.package, self.upstream(), self.revision)
    }

    /// Returns words for people, for example `hello 1.2.3`.
    pub fn title(&self) -> String {
        format!("{} {}", self.package, self.version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deb::distro::find;

    fn names(name: &str, version: &str, revision: &str) -> Result<Names, String> {
        let spec = TargetSpec {
            name: name.into(),
            version: version.into(),
            revision: revision.into(),
            ..TargetSpec::default()
        };
        Names::new(&spec, find("bookworm").expect("known")).map_err(|error| error.to_string())
    }

    /// DEB-004: the version tells the distribution.
    #[test]
    fn versions_and_files() {
        let names = names("foo", "1.2.3-rc1", "4").expect("valid");
        assert_eq!(names.version(), "1.2.3-rc1-debian12u4");
        assert_eq!(names.orig(), "foo_1.2.3-rc1.orig.tar.gz");
        assert_eq!(names.file_stem(), "foo_1.2.3-rc1-debian12u4");
        assert_eq!(names.source_dir(), "foo-1.2.3-rc1");
    }

    #[test]
    fn an_epoch_is_in_no_file_name() {
        let names = names("foo", "2:1.0", "1").expect("valid");
        assert_eq!(names.version(), "2:1.0-debian12u1");
        assert_eq!(names.file_stem(), "foo_1.0-debian12u1");
    }

    #[test]
    fn what_debian_forbids_is_refused() {
        for (name, version, revision) in [
            ("Foo", "1", "1"),
            ("f", "1", "1"),
            ("foo\nbar", "1", "1"),
            ("../foo", "1", "1"),
            ("foo", "v1", "1"),
            ("foo", "1_0", "1"),
            ("foo", "1 0", "1"),
            ("foo", "1/../0", "1"),
            ("foo", "x:1", "1"),
            ("foo", "1", "1-1"),
            ("foo", "1", "$(id)"),
            ("foo", "1", ""),
            ("", "1", "1"),
        ] {
            assert!(names(name, version, revision).is_err(), "{name:?} {version:?} {revision:?}");
        }
    }
}
