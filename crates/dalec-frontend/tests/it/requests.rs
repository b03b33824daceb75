//! Builds: routes, arguments, platforms, and what is told beside the results.

use dalec_frontend::{FrontendError, answer, check_target, targets};

use crate::gateway::{Recorder, SPEC, words};

#[test]
fn a_package_is_built_and_its_tests_are_required() {
    let gateway = Recorder::new(&[("target", "bookworm/deb")]);
    let result = answer(&gateway).unwrap();
    assert_eq!(result.refs.len(), 1);
    assert_eq!(result.refs[0].0, "linux/amd64");
    assert!(
        gateway.solved.lock().unwrap()[0].contains("source local://dockerfile"),
        "the spec is read first"
    );
    assert!(gateway.graphs_with("test-runner") > 0);
    assert!(gateway.graphs_with("dpkg-buildpackage") > gateway.graphs_with("test-runner"));
}

/// `DALEC_SKIP_TESTS` leaves the tests out and says so; text that is no boolean is refused.
#[test]
fn tests_can_be_left_out() {
    let gateway = Recorder::new(&[("target", "bookworm/deb"), ("build-arg:DALEC_SKIP_TESTS", "1")]);
    answer(&gateway).unwrap();
    assert_eq!(gateway.graphs_with("test-runner"), 0);
    assert!(gateway.warned.lock().unwrap()[0].contains("DALEC_SKIP_TESTS"));
    let gateway = Recorder::new(&[("target", "bookworm/deb"), ("build-arg:DALEC_SKIP_TESTS", "maybe")]);
    assert!(matches!(answer(&gateway), Err(FrontendError::Option { .. })));
}

/// Findings in a usable spec are warnings of the build, unless a comment in the spec allows them.
#[test]
fn allowed_findings_are_not_told() {
    for (comment, told) in
        [("", 1), ("# dalec: allow unresolved-arg", 0), ("# dalec: allow-file unused-arg", 1)]
    {
        let build_steps = "build:\n  steps: [command: make]\n  env:\n    T: ${DALEC_TARGET}";
        let spec = format!("{SPEC}{build_steps} {comment}\n");
        let gateway = Recorder::new(&[("target", "bookworm/dsc")]).file("spec.yml", spec);
        answer(&gateway).unwrap();
        let warned = gateway.warnings();
        assert_eq!(
            warned.iter().filter(|short| short.contains("DALEC_TARGET")).count(),
            told,
            "{comment}: {warned:?}"
        );
    }
}

/// TGT-008, TGT-009: a context replaces the worker or the base image, and then nobody asks for the image.
#[test]
fn named_contexts_replace_images() {
    let worker = ("context:dalec-bookworm-worker", "docker-image://example.org/worker:1");
    let gateway = Recorder::new(&[("target", "bookworm/dsc"), worker]);
    answer(&gateway).unwrap();
    assert_eq!(*gateway.asked.lock().unwrap(), ["example.org/worker:1"]);
    let base = ("context:debian:bookworm", "docker-image://example.org/base:1");
    let gateway = Recorder::new(&[("target", "bookworm/dsc"), base]);
    answer(&gateway).unwrap();
    assert_eq!(*gateway.asked.lock().unwrap(), ["example.org/base:1"]);
    assert_eq!(gateway.graphs_with("docker-image://example.org/base:1@sha256:1"), 1);
}

#[test]
fn arguments_reach_the_spec() {
    let gateway = Recorder::new(&[("target", "bookworm/dsc"), ("build-arg:VERSION", "2.5")]);
    answer(&gateway).unwrap();
    assert_eq!(gateway.graphs_with("2.5"), 1);
    let gateway = Recorder::new(&[("target", "bookworm/dsc"), ("build-arg:NOPE", "1")]);
    let Err(FrontendError::Spec { diagnostics, .. }) = answer(&gateway) else { panic!("refused") };
    assert!(diagnostics.iter().any(|diagnostic| diagnostic.message.contains("NOPE")), "{diagnostics:?}");
}

#[test]
fn several_platforms_have_a_result_each() {
    let gateway = Recorder::new(&[("target", "bookworm/dsc"), ("platform", "linux/amd64,linux/arm64")]);
    let result = answer(&gateway).unwrap();
    let platforms: Vec<&str> = result.refs.iter().map(|(platform, _)| platform.as_str()).collect();
    assert_eq!(platforms, ["linux/amd64", "linux/arm64"]);
}

fn metadata(options: &[(&str, &str)]) -> std::collections::BTreeMap<String, String> {
    let result = answer(&Recorder::new(options)).unwrap();
    let text = |value: Vec<u8>| String::from_utf8(value).unwrap();
    result.metadata.into_iter().map(|(key, value)| (key, text(value))).collect()
}

/// FE-011, FE-012: what exporters are told, for one platform and for several.
#[test]
fn results_are_described() {
    let epoch = ("build-arg:SOURCE_DATE_EPOCH", "1700000000");
    let one = metadata(&[("target", "bookworm/deb"), epoch]);
    assert_eq!(
        one["containerimage.config"],
        r#"{"architecture":"amd64","os":"linux","config":{},"created":"2023-11-14T22:13:20Z"}"#
    );
    assert_eq!(
        one["refs.platforms"],
        r#"{"Platforms":[{"ID":"linux/amd64","Platform":{"architecture":"amd64","os":"linux"}}]}"#
    );
    let named = metadata(&[("target", "bookworm/deb"), ("multi-platform", "true")]);
    assert!(named.contains_key("containerimage.config/linux/amd64"), "as clients of several nodes want it");
    let several =
        metadata(&[("target", "bookworm/testing/container"), ("platform", "linux/amd64,linux/arm64")]);
    for key in ["containerimage.config", "containerimage.base.config"] {
        assert!(!several.contains_key(key));
        assert!(several[&format!("{key}/linux/arm64")].contains("\"architecture\""), "{several:?}");
    }
    let first = &several["containerimage.config/linux/amd64"];
    assert!(first.contains("\"created\":\"1980-01-02T00:00:00Z\""), "not now: {first}");
}

/// FE-013: graphs without merges, where the engine has none or the client wants none.
#[test]
fn nothing_is_merged_where_that_is_not_possible() {
    let disabled = Recorder::new(&[("target", "bookworm/deb"), ("build-arg:DALEC_DISABLE_DIFF_MERGE", "1")]);
    let mut lacking = Recorder::new(&[("target", "bookworm/deb")]);
    lacking.lacks = vec!["mergeop"];
    for gateway in [disabled, lacking] {
        answer(&gateway).unwrap();
        assert_eq!(gateway.graphs_with(" merge "), 0);
        assert!(gateway.graphs_with("name Collect the packages") > 0);
    }
    // Only the exact text `1` counts, as upstream has it.
    let gateway =
        Recorder::new(&[("target", "bookworm/deb"), ("build-arg:DALEC_DISABLE_DIFF_MERGE", "true")]);
    answer(&gateway).unwrap();
    assert!(gateway.graphs_with(" merge ") > 0);
}

/// FE-004: the route with the longest name that the target is below, and words about it.
#[test]
fn a_longer_target_falls_back() {
    for (target, built) in [("bookworm/dsc/x/y", "bookworm/dsc"), ("trixie/typo", "trixie")] {
        let gateway = Recorder::new(&[("target", target)]);
        answer(&gateway).unwrap();
        assert_eq!(gateway.warnings(), [format!("there is no target {target}; {built} is built instead")]);
    }
    let gateway = Recorder::new(&[("target", "bookworm/dsc")]);
    answer(&gateway).unwrap();
    assert!(gateway.warnings().is_empty());
}

/// FE-006: the target key is an argument, and a caller can fix it.
#[test]
fn the_target_key_is_known_to_the_spec() {
    let declared = SPEC
        .replace("VERSION: 1.0.0", "DALEC_TARGET: none")
        .replace("version: ${VERSION}", "version: 1+${DALEC_TARGET}");
    for (options, expected) in [
        (vec![("target", "trixie/dsc")], "1+trixie"),
        (vec![("target", "trixie/dsc"), ("build-arg:DALEC_TARGET", "mine")], "1+trixie"),
        (vec![("target", "trixie/dsc"), ("dalec.target", "theirs")], "1+theirs"),
    ] {
        let gateway = Recorder::new(&options).file("spec.yml", declared.clone());
        assert_eq!(resolved_version(&gateway), expected, "{options:?}");
    }
}

/// Returns the version that the resolved spec has.
fn resolved_version(gateway: &Recorder) -> String {
    let options = [("requestid".to_owned(), "frontend.dalec.resolve".to_owned())];
    let mut asking = Recorder::new(&[]);
    asking.files.clone_from(&gateway.files);
    asking.options.options = gateway.options.options.clone().into_iter().chain(options).collect();
    let list = answer(&asking).unwrap().metadata.remove("result.json").unwrap();
    let list: serde_json::Value = serde_json::from_slice(&list).unwrap();
    list[0]["version"].as_str().unwrap().to_owned()
}

#[test]
fn a_missing_spec_is_named() {
    let mut gateway = Recorder::new(&[("target", "bookworm/deb")]);
    gateway.files.clear();
    let error = answer(&gateway).unwrap_err();
    assert!(
        matches!(&error, FrontendError::SpecFile { filename, .. } if filename == "spec.yml"),
        "{error:?}"
    );
}

/// FE-005: no target and an unknown one list what there is.
#[test]
fn unknown_targets_list_the_known_ones() {
    for target in ["", "bookwurm/deb", "bookworm/typo"] {
        let Err(FrontendError::UnknownTarget { routes, .. }) = check_target(target, None) else {
            panic!("{target}")
        };
        assert!(routes.contains(&"bookworm/deb".to_owned()));
        assert!(!routes.contains(&"bookworm".to_owned()), "hidden routes are not listed");
    }
    assert!(check_target("bookworm", None).is_ok());
    let error = answer(&Recorder::new(&[("target", "bookwurm/deb")])).unwrap_err();
    let message = words(&error);
    for words in ["error handling requested build target", "no such handler for target", "bookworm/deb"] {
        assert!(message.contains(words), "{message}");
    }
}

/// FE-008: targets that the spec mentions are marked.
#[test]
fn targets_know_what_the_spec_defines() {
    let source = dalec_spec::SourceText::new("spec.yml", "targets:\n  trixie:\n    tests: []\n");
    let raw = dalec_spec::load(&source).raw.unwrap();
    let marked = targets(Some(&raw)).into_iter().filter(|target| target.spec_defined);
    let marked: Vec<String> = marked.map(|target| target.name).collect();
    assert!(!marked.is_empty() && marked.iter().all(|name| name.starts_with("trixie/")), "{marked:?}");
}

/// TGT-012: a phase that there is not is said so, and what it may have been.
#[test]
fn a_misspelt_phase_is_told() {
    let warned = |keys: &str| {
        let gateway = Recorder::new(&[("target", "bookworm/deb"), ("no-cache", keys)]);
        answer(&gateway).unwrap();
        gateway.warnings()
    };
    let none = Vec::<String>::new();
    assert_eq!(warned(""), none);
    assert_eq!(warned("dalec.pkg, Dalec.Tests,dalec-bookworm-worker"), none);
    assert_eq!(
        warned("dalec.pkgs,tests"),
        ["dalec.pkgs", "tests"].map(|key| { format!("nothing is called `{key}` that could be built again") })
    );
}
