//! What an image is called.

use dalec_spec::target_spec::TargetSpec;

use super::{Defaults, Settings};
use crate::error::PlanError;

/// The names of one image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Names<'a> {
    /// The spec's own, after which files in the image are called.
    pub name: &'a str,
    /// The image's, without `.raw`.
    pub image: String,
    /// systemd's name of the processor.
    pub architecture: &'static str,
}

impl<'a> Names<'a> {
    /// Returns the names of the image of `spec` for `target` and `architecture` (Go's name).
    ///
    /// # Errors
    /// As [`super::plan`].
    pub fn new(
        spec: &'a TargetSpec,
        target: &str,
        architecture: &str,
        settings: &Settings,
        defaults: &Defaults,
    ) -> Result<Self, PlanError> {
        let fields = [("name", &*spec.name), ("version", &spec.version)];
        PlanError::require("a system extension", &fields)?;
        let revision = if spec.revision.is_empty() { "1" } else { &spec.revision };
        // It stands in lines for systemd-tmpfiles and systemd, too.
        let is_bad = |char: char| !char.is_ascii_alphanumeric() && !"+._~-".contains(char);
        if spec.name.contains(is_bad) || spec.name.starts_with(['-', '.']) {
            return Err(PlanError::invalid_name(
                format!("{:?} cannot be the name of a system extension", spec.name),
                "letters, digits and `+._~-`, and neither a dash nor a dot at the start",
            )
            .at(spec.places.name));
        }
        let architecture = of_systemd(architecture)?;
        let given = settings.image_name.strip_suffix(".raw").unwrap_or(&settings.image_name);
        let image = match (settings.image_name.as_str(), defaults.plain_name) {
            ("", true) => spec.name.clone(),
            ("", false) => format!("{}-v{}-{revision}-{target}-{architecture}", spec.name, spec.version),
            _ => given.to_owned(),
        };
        let is_bad = |char: char| char == '/' || !char.is_ascii_graphic();
        if image.is_empty()
            || image.contains(is_bad)
            || image.starts_with(['-', '.'])
            || image.len() > LONGEST
        {
            return Err(PlanError::invalid_name(
                format!("a system extension cannot be called {image:?}"),
                "a name without spaces and slashes, and neither a dash nor a dot at the start; the build argument \
                 `DALEC_SYSEXT_IMAGE_NAME` gives one",
            ));
        }
        Ok(Self { name: &spec.name, image, architecture })
    }
}

/// Bytes of a name, so that the name of the release file after it is not too long for a file system.
const LONGEST: usize = 200;

/// Returns systemd's name of an architecture by its name in Go.
fn of_systemd(architecture: &str) -> Result<&'static str, PlanError> {
    Ok(match architecture {
        "386" => "x86",
        "amd64" => "x86-64",
        "arm" => "arm",
        "arm64" => "arm64",
        "loong64" => "loongarch64",
        "mips64" => "mips64",
        "mips64le" => "mips64-le",
        "mipsle" => "mips-le",
        "ppc64" => "ppc64",
        "ppc64le" => "ppc64-le",
        "riscv64" => "riscv64",
        "s390x" => "s390x",
        "sparc64" => "sparc64",
        other => {
            return Err(PlanError::invalid_name(
                format!("there are no system extensions for {other}"),
                "build for another platform",
            ));
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::spec;
    use crate::sysext::ANYWHERE;
    use crate::sysext::host::HOSTS;

    fn image(spec: &TargetSpec, image_name: &str, defaults: &Defaults) -> Result<String, PlanError> {
        let settings = Settings { image_name: image_name.into(), ..Settings::default() };
        Names::new(spec, "trixie", "amd64", &settings, defaults).map(|names| names.image)
    }

    /// TGT-024, TGT-025: with version and target where nothing else is said.
    #[test]
    fn images() {
        let flatcar = &HOSTS[0].defaults;
        let mut without = spec();
        without.revision.clear();
        for (spec, given, defaults, expected) in [
            (spec(), "", &ANYWHERE, "hello-v1.0-1-trixie-x86-64"),
            (without, "", &ANYWHERE, "hello-v1.0-1-trixie-x86-64"),
            (spec(), "", flatcar, "hello"),
            (spec(), "mine", flatcar, "mine"),
            (spec(), "mine.raw", &ANYWHERE, "mine"),
            (spec(), "mine.raw.raw", &ANYWHERE, "mine.raw"),
        ] {
            assert_eq!(image(&spec, given, defaults).expect("valid"), expected);
        }
    }

    #[test]
    fn no_name_leads_elsewhere() {
        for given in [".raw", "..", "../x", "a/b", "-x", "a b", "a\nb", &"a".repeat(300)] {
            assert!(image(&spec(), given, &ANYWHERE).is_err(), "{given:?}");
        }
        for bad in ["", "../x", "-x", "a b", "%n", "a\nb"] {
            let mut spec = spec();
            spec.name = bad.into();
            assert!(image(&spec, "", &ANYWHERE).is_err(), "{bad:?}");
        }
    }

    /// TGT-024
    #[test]
    fn processors_have_systemds_names() {
        for (go, expected) in
            [("amd64", "x86-64"), ("386", "x86"), ("ppc64le", "ppc64-le"), ("arm64", "arm64")]
        {
            assert_eq!(of_systemd(go).expect("known"), expected);
        }
        assert!(of_systemd("mips").is_err());
    }
}
