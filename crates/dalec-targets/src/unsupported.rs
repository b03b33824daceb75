//! What the language has and no target can build yet.
//!
//! It is said when such a target is built, so that specs can use the whole language before that. What would change
//! the result is an error.

use dalec_spec::span::Span;
use dalec_spec::target_spec::{Source, SourceMount, TargetSpec};

use crate::error::PlanError;
use crate::{containers, repositories, sources};

/// Something that cannot be built yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feature {
    /// What it is, for example `generators`.
    pub name: &'static str,
    /// Where the spec asks for it.
    pub span: Span,
}

/// Returns warnings about what is left out of a build.
pub(crate) fn warnings(spec: &TargetSpec) -> Option<String> {
    let mounts = spec.build.steps.iter().any(|step| !step.mounts.is_empty());
    mounts.then(|| "`mounts` of build steps have no effect".to_owned())
}

/// Checks that the sources of `spec` can be built.
///
/// # Errors
/// [`PlanError::Unsupported`] with everything that cannot.
pub(crate) fn check_sources(spec: &TargetSpec) -> Result<(), PlanError> {
    let sources = spec.sources.values().flat_map(of_kind);
    refuse(sources.chain(repositories::sources(spec).flat_map(of_source)).collect())
}

/// Checks that `spec` can be installed into a container, and tested there if `tests` says that it is.
///
/// # Errors
/// [`PlanError::Unsupported`] with everything that cannot.
pub(crate) fn check_container(spec: &TargetSpec, tests: bool) -> Result<(), PlanError> {
    let mounts = spec.tests.iter().filter(|_| tests).flat_map(|test| &test.mounts);
    let mut features: Vec<Feature> =
        mounts.flat_map(|mount: &SourceMount| of_source(&mount.source)).collect();
    features.extend(containers::base::changed(spec).flat_map(of_source));
    features.extend(repositories::sources(spec).flat_map(of_source));
    refuse(features)
}

/// Returns what of `source`, which no package has as its own, cannot be built.
pub(crate) fn of_source(source: &Source) -> Vec<Feature> {
    let generators =
        source.generate.iter().map(|generator| Feature { name: "generators", span: generator.span });
    of_kind(source).into_iter().chain(generators).collect()
}

fn of_kind(source: &Source) -> Vec<Feature> {
    sources::parts(source).into_iter().flat_map(of_source).collect()
}

fn refuse(features: Vec<Feature>) -> Result<(), PlanError> {
    if features.is_empty() { Ok(()) } else { Err(PlanError::Unsupported { features }) }
}

#[cfg(test)]
mod tests {
    use dalec_spec::{ResolveOptions, SourceText, load};

    use super::*;

    fn spec(text: &str) -> TargetSpec {
        let raw = load(&SourceText::new("spec.yml", text)).raw.expect("a mapping");
        raw.resolve(&ResolveOptions::default()).0.expect("a valid spec")
    }

    fn names(result: Result<(), PlanError>) -> Vec<&'static str> {
        match result {
            Err(PlanError::Unsupported { features }) => features.iter().map(|feature| feature.name).collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn everything_that_cannot_be_built_is_named() {
        let spec = spec(
            "\
sources:
  a: {context: {}, generate: [{gomod: {auth: {example.org: {token: T}}}, nodemod: {}}]}
  b: {build: {source: {context: {}, generate: [{gomod: {}}]}}}
dependencies: {extra_repos: [{config: {a.list: {context: {}, path: /a, generate: [{gomod: {}}]}}}]}
",
        );
        assert_eq!(names(check_sources(&spec)), ["generators", "generators"]);
    }

    #[test]
    fn mounts_of_tests_matter_where_tests_run() {
        let inner = "{context: {}, generate: [{gomod: {}}]}";
        let image = format!(
            "{{image: {{ref: a, cmd: {{steps: [{{command: x, mounts: [{{dest: /c, spec: {inner}}}]}}]}}}}, path: /a}}"
        );
        let test = format!("{{name: a, files: {{/a: }}, mounts: [{{dest: /b, spec: {image}}}]}}");
        let spec = spec(&format!("tests: [{test}]\n"));
        assert_eq!(names(check_container(&spec, true)), ["generators"]);
        assert_eq!(check_container(&spec, false), Ok(()));
    }
}
