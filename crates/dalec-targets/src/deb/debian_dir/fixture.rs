//! The spec that tests start from.

use dalec_spec::target_spec::{PackageConstraint, TargetSpec};

/// Returns a spec with nothing but what a package needs.
pub(crate) fn spec() -> TargetSpec {
    TargetSpec {
        target: "bookworm".into(),
        name: "hello".into(),
        description: "Says hello".into(),
        version: "1.0".into(),
        revision: "1".into(),
        license: "MIT".into(),
        packager: "Ann <ann@example.org>".into(),
        ..TargetSpec::default()
    }
}

/// Returns a constraint on versions and architectures.
pub(crate) fn constraint(version: &[&str], arch: &[&str]) -> PackageConstraint {
    let own = |list: &[&str]| list.iter().map(|item| (*item).to_owned()).collect();
    PackageConstraint { version: own(version), arch: own(arch), ..PackageConstraint::default() }
}
