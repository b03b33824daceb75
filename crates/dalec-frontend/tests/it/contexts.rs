//! Where the spec and the contexts of a request are.

use base64::prelude::{BASE64_STANDARD, Engine};
use dalec_frontend::{FrontendError, answer};

use crate::gateway::{Recorder, SPEC, image};

const CONTEXT: &str = "sources:\n  tool: {context: {}}\n  other: {context: {name: other}}\n";

/// A request for a source package of two contexts.
fn recorder(options: &[(&str, &str)]) -> Recorder {
    let options: Vec<_> = [("target", "bookworm/dsc")].into_iter().chain(options.iter().copied()).collect();
    let gateway = Recorder::new(&options);
    let spec = String::from_utf8(gateway.files["spec.yml"].clone()).unwrap();
    let start = spec.find("sources:").unwrap();
    let end = spec.find("artifacts:").unwrap();
    let spec = format!("{}{CONTEXT}{}", &spec[..start], &spec[end..]);
    gateway.file("spec.yml", spec)
}

fn other() -> (&'static str, &'static str) {
    ("context:other", "local:other")
}

/// FE-003: the spec lies in a directory of the client's, whose name and file may be others.
#[test]
fn the_spec_is_in_a_directory() {
    let gateway = recorder(&[other()]);
    answer(&gateway).unwrap();
    assert_eq!(gateway.first_with("source local://dockerfile"), 0);
    assert!(gateway.graphs_with("source local://context") > 0);

    let named = [other(), ("dockerfilekey", "specs"), ("filename", "a/b.yml")];
    let mut gateway = recorder(&named);
    let spec = gateway.files.remove("spec.yml").unwrap();
    // The input of the usual name is not meant then.
    gateway.inputs = [("dockerfile".to_owned(), image("unused"))].into();
    let gateway = gateway.file("a/b.yml", spec);
    answer(&gateway).unwrap();
    assert_eq!(gateway.first_with("source local://specs"), 0);
}

/// FE-003: inputs stand in for directories.
#[test]
fn inputs_are_contexts() {
    let mut gateway = recorder(&[("context:other", "input:other"), ("contextsubdir", "sub")]);
    let graphs =
        ["dockerfile", "context", "other"].map(|name| (name.to_owned(), image(&format!("input-{name}"))));
    gateway.inputs = graphs.into();
    answer(&gateway).unwrap();
    assert_eq!(gateway.first_with("source docker-image://input-dockerfile"), 0);
    assert!(gateway.graphs_with("source docker-image://input-context") > 0);
    assert!(
        gateway.graphs_with("copy #") > 0
            && gateway.graphs_with("/sub -> /") + gateway.graphs_with("sub -> /") > 0
    );
    assert!(gateway.graphs_with("source docker-image://input-other") > 0);
    assert_eq!(gateway.graphs_with("local://"), 0);
    let gateway = recorder(&[("context:other", "input:nothing")]);
    assert!(matches!(answer(&gateway), Err(FrontendError::Option { .. })));
}

/// An input brings the configuration of the image that it is.
#[test]
fn inputs_have_image_configurations() {
    let config =
        BASE64_STANDARD.encode(r#"{"architecture":"amd64","os":"linux","config":{"Labels":{"a":"b"}}}"#);
    let metadata = format!(r#"{{"containerimage.config":"{config}"}}"#);
    let options = [
        ("target", "bookworm/testing/container"),
        ("context:debian:bookworm", "input:base"),
        ("input-metadata:base", metadata.as_str()),
    ];
    let mut gateway = Recorder::new(&options);
    gateway.inputs = [("base".to_owned(), image("base"))].into();
    let result = answer(&gateway).unwrap();
    let config = String::from_utf8(result.metadata["containerimage.config"].clone()).unwrap();
    assert!(config.contains(r#""Labels":{"a":"b"}"#), "{config}");
}

/// FE-003: a main context elsewhere holds the spec, too.
#[test]
fn the_main_context_is_elsewhere() {
    let git = ("context", "https://example.org/a/b.git#v1:packaging");
    let gateway = recorder(&[other(), git]);
    answer(&gateway).unwrap();
    assert_eq!(gateway.first_with("source git://example.org/a/b.git#v1:packaging"), 0);

    let key = [other(), ("contextkey", "main"), ("main", "https://example.org/a.tar.gz")];
    let gateway = recorder(&key).file("context", &b"\x1f\x8b\x08\0\0"[..]);
    answer(&gateway).unwrap();
    let unpacked = gateway.first_with("name [internal] unpack the build context");
    assert_eq!(unpacked, 1, "looked at first");
    assert_eq!(gateway.graphs_with("local://dockerfile"), 0);

    // What is no archive is the spec itself.
    let mut gateway = recorder(&[other(), ("context", "https://example.org/spec.yml")]);
    let spec = gateway.files.remove("spec.yml").unwrap();
    let gateway = gateway.file("context", spec);
    answer(&gateway).unwrap();
    assert!(gateway.graphs_with("https://example.org/spec.yml") > 0);
}

/// FE-003: a client that has the spec itself says so, wherever the main context is.
#[test]
fn the_spec_is_at_the_clients() {
    for context in
        ["https://example.org/a/b.git", "https://example.org/a.tar.gz", "https://example.org/other.yml"]
    {
        let gateway = recorder(&[other(), ("dockerfilekey", "dockerfile"), ("context", context)]);
        let gateway = gateway.file("context", "what is no archive, is one file");
        answer(&gateway).unwrap();
        gateway.first_with("source local://dockerfile");
        assert_eq!(gateway.graphs_with("source local://context"), 0);
    }
}

/// FE-003: what addresses of repositories say behind a question mark, and beside them.
#[test]
fn a_repository_may_be_wanted_as_it_is() {
    let keep = ("build-arg:BUILDKIT_CONTEXT_KEEP_GIT_DIR", "1");
    let gateway = recorder(&[other(), ("context", "https://example.org/b.git?submodules=0&ref=v1"), keep]);
    answer(&gateway).unwrap();
    assert_eq!(gateway.first_with("source git://example.org/b.git#v1"), 0);
    assert!(gateway.graphs_with("git.keepgitdir") > 0 && gateway.graphs_with("git.skipsubmodules") > 0);
}

/// Directories of other sessions, as clients that build for several nodes have them.
#[test]
fn directories_have_their_own_sessions() {
    let gateway = recorder(&[other(), ("local-sessionid:other", "second")]);
    answer(&gateway).unwrap();
    assert!(gateway.graphs_with("source local://other") > 0);
}

/// TGT-029: workers of the debug routes may be inputs, called as upstream's.
#[test]
fn workers_may_be_inputs() {
    let generator = "    generate: [{gomod: {}}]\n";
    let spec = SPEC.replace("artifacts:\n", &format!("  src:\n    context: {{}}\n{generator}artifacts:\n"));
    for (route, input) in
        [("debug/gomods", "gomod-worker"), ("debug/patched-sources", "context:patched-sources-worker")]
    {
        let mut gateway = Recorder::new(&[("target", route)]).file("spec.yml", spec.clone());
        gateway.inputs = [(input.to_owned(), image("mine"))].into();
        answer(&gateway).unwrap();
        let asked = gateway.asked.lock().unwrap().clone();
        assert!(asked.is_empty(), "{route} asked for {asked:?}");
    }
}
