//! Sources: what is asked for them, what one build leaves out of them, and where in the spec a failure points.

use dalec_frontend::{FrontendError, UNMATCHED_REPORT, answer};
use dalec_gateway::GatewayError;

use crate::gateway::{Recorder, SPEC, words};

const PATH: (&str, &str) = ("build-arg:DALEC_SOURCE_FILTER_CONFIG_PATH", "filter.yml");
const FILTER: &str = "global_excludes: ['**/*.test', docs]\n";
const IMAGE: &str = "{image: {ref: 'tools:1'}, path: /tools}";

/// A request for a source package of [`SPEC`] with another source `more`.
fn recorder(options: &[(&str, &str)], more: &str) -> Recorder {
    let options: Vec<_> = [("target", "bookworm/dsc")].into_iter().chain(options.iter().copied()).collect();
    let spec = SPEC.replace("artifacts:", &format!("  more: {more}\nartifacts:"));
    Recorder::new(&options).file("spec.yml", spec)
}

/// Returns the places in the spec that an error is about.
#[track_caller]
fn places(error: &FrontendError) -> Vec<String> {
    let FrontendError::At { source_text, spans, .. } = error else { panic!("{error:?}") };
    spans.iter().map(|span| source_text.text()[span.start..span.end].to_owned()).collect()
}

/// SRC-015, SRC-016: what one build leaves out of all directories, and of no file.
#[test]
fn a_file_says_what_is_left_out() {
    let given = ("context:dalec-source-options", "local:dalec-source-options");
    let other = ("build-arg:DALEC_SOURCE_FILTER_CONFIG_CONTEXT_NAME", "mine");
    for (options, context) in [
        (vec![PATH, given], "dalec-source-options"),
        (vec![PATH, other, ("context:mine", "local:mine")], "mine"),
    ] {
        let gateway = recorder(&options, "{context: {}, excludes: [own]}").file("filter.yml", FILTER);
        answer(&gateway).unwrap();
        let local = format!("source local://{context}");
        assert_eq!(gateway.graphs_with(&local), 1, "the file is asked for, and nothing else of its context");
        let left_out = r#"local.excludepatterns = ["own","**/*.test","docs"]"#;
        assert!(gateway.graphs_with(left_out) > 0);
        assert_eq!(gateway.graphs_with("name Filter source tool"), 0, "a file is taken as it is");
    }
    let unfiltered = recorder(&[given], "{context: {}}").file("filter.yml", FILTER);
    answer(&unfiltered).unwrap();
    assert_eq!(unfiltered.graphs_with("excludepatterns"), 0);
}

/// SRC-015: a filter that cannot be used is no filter that is left out.
#[test]
fn a_filter_that_cannot_be_used_is_an_error() {
    let given = ("context:dalec-source-options", "local:dalec-source-options");
    let outside = ("build-arg:DALEC_SOURCE_FILTER_CONFIG_PATH", "../filter.yml");
    for (options, content, expected) in [
        (vec![PATH], FILTER, "there is no build context \"dalec-source-options\""),
        (
            vec![PATH, given],
            "",
            "there is no file \"filter.yml\" in the build context \"dalec-source-options\"",
        ),
        (vec![outside, given], FILTER, "leaves the build context"),
        (vec![PATH, given], "excludes: [a]\n", "`excludes`"),
        (vec![PATH, given], "global_excludes: a\n", "list"),
    ] {
        let mut gateway = recorder(&options, "{context: {}}");
        if !content.is_empty() {
            gateway = gateway.file("filter.yml", content);
        }
        let error = answer(&gateway).unwrap_err();
        assert!(words(&error).contains(expected), "{}", words(&error));
        assert_eq!(gateway.graphs_with("dpkg-buildpackage"), 0, "nothing was built for nothing");
    }
}

/// SRC-006, SRC-019: images of sources are looked up, and one that is nowhere is shown where the spec names it.
#[test]
fn a_missing_image_of_a_source_has_its_place() {
    let gateway = recorder(&[], IMAGE);
    answer(&gateway).unwrap();
    assert!(gateway.asked.lock().unwrap().contains(&"docker.io/library/tools:1".to_owned()));

    let mut gateway = recorder(&[], IMAGE);
    gateway.missing = vec!["docker.io/library/tools:1", "docker.io/library/debian:bookworm"];
    let error = answer(&gateway).unwrap_err();
    assert_eq!(places(&error), ["image: {ref: 'tools:1'}"]);
    let FrontendError::At { error, .. } = error else { panic!("it has a place") };
    let GatewayError::Image { hint, .. } = *error else { panic!("{error}") };
    for text in [
        "--build-context docker.io/library/tools:1=",
        "dalec-bookworm-worker",
        "docker.io/library/debian:bookworm",
    ] {
        assert!(hint.contains(text), "{hint}");
    }
}

/// SRC-006: a named context takes the place of an image.
#[test]
fn an_image_of_a_source_can_be_given() {
    let mut gateway = recorder(&[("context:tools:1", "local:tools")], IMAGE);
    gateway.missing = vec!["docker.io/library/tools:1"];
    answer(&gateway).unwrap();
    assert!(gateway.graphs_with("source local://tools") > 0);
}

/// SRC-019: so is a base image.
#[test]
fn a_missing_base_image_has_its_place() {
    let spec = format!("{SPEC}image:\n  bases:\n    - rootfs: {{image: {{ref: 'base:1'}}}}\n");
    let mut gateway = Recorder::new(&[("target", "bookworm/container")]).file("spec.yml", spec);
    gateway.missing = vec!["docker.io/library/base:1"];
    assert_eq!(places(&answer(&gateway).unwrap_err()), ["image: {ref: 'base:1'}"]);
}

/// SRC-010, SRC-019: a Dockerfile that does not build is shown where the spec names it.
#[test]
fn a_dockerfile_that_fails_has_its_place() {
    let build = "{path: usr, build: {source: {context: {}}, dockerfile_path: docker/File}}";
    let mut gateway = recorder(&[], build).file("docker/File", "FROM scratch\n");
    gateway.answers = |_| Err(GatewayError::Request { message: "it does not build".into() });
    let error = answer(&gateway).unwrap_err();
    assert_eq!(error.to_string(), "it does not build");
    assert_eq!(places(&error), ["build: {source: {context: {}}, dockerfile_path: docker/File}"]);
}

/// Whichever is known first.
#[test]
fn unmatched_patterns_are_told_in_the_order_of_their_sources() {
    let sources = "{context: {}, includes: [a.c]}\n  other: {context: {}, includes: [b.c]}";
    let mut gateway =
        recorder(&[("context:context", "local:context")], sources).file(UNMATCHED_REPORT, "[0]");
    gateway.late = Some("source more match");
    answer(&gateway).unwrap();
    assert_eq!(
        gateway.warnings(),
        [
            "`a.c` matches nothing that is taken from source `more`",
            "`b.c` matches nothing that is taken from source `other`"
        ]
    );
}
