//! What files are called.

use dalec_spec::target_spec::TargetSpec;

use crate::error::PlanError;

/// Returns the name of the zip file, for example `hello_1.2.3-4_amd64.zip`; `architecture` is the programs'.
///
/// # Errors
/// [`PlanError::MissingFields`] for parts that the spec lacks, [`PlanError::Invalid`] for one that no file name can have.
pub(super) fn zip(spec: &TargetSpec, architecture: &str) -> Result<String, PlanError> {
    let fields = [("name", &*spec.name), ("version", &spec.version), ("revision", &spec.revision)];
    PlanError::require("a zip file", &fields)?;
    let places = [spec.places.name, spec.places.version, spec.places.revision];
    for ((field, value), place) in fields.into_iter().zip(places) {
        // The first four are what Windows forbids besides: a file is to keep its name wherever it is copied.
        let is_bad = |char: char| "<>|?*\"\\/:".contains(char) || char.is_control();
        if value.contains(is_bad) || value.starts_with('-') {
            return Err(PlanError::invalid_name(
                format!("{field} {value:?} cannot be a part of the name of a zip file"),
                "leave out quotes, slashes, colons and `<>|?*`, and a dash at the start",
            )
            .at(place));
        }
    }
    Ok(format!("{}_{}-{}_{architecture}.zip", spec.name, spec.version, spec.revision))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::spec;

    /// WIN-001
    #[test]
    fn the_architecture_is_the_programs() {
        assert_eq!(zip(&spec(), "arm64").expect("valid"), "hello_1.0-1_arm64.zip");
    }

    #[test]
    fn no_name_leads_elsewhere() {
        for (name, version, revision) in [
            ("", "1", "1"),
            ("a", "", "1"),
            ("a", "1", ""),
            ("../a", "1", "1"),
            ("-T", "1", "1"),
            ("a", "1:0", "1"),
            ("a", "1\n", "1"),
        ] {
            let spec = TargetSpec {
                name: name.into(),
                version: version.into(),
                revision: revision.into(),
                ..TargetSpec::default()
            };
            assert!(zip(&spec, "amd64").is_err(), "{name:?} {version:?} {revision:?}");
        }
    }
}
