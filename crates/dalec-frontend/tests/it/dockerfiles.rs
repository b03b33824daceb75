//! Sources that are results of Dockerfiles.

use dalec_frontend::{FrontendError, answer};
use dalec_llb::describe;

use crate::gateway::{Recorder, SPEC, words};

/// A request for a source package of the result of a Dockerfile.
fn recorder(dockerfile: &str, options: &[(&str, &str)], source: &str) -> Recorder {
    let options: Vec<_> = [("target", "bookworm/dsc")].into_iter().chain(options.iter().copied()).collect();
    let start = SPEC.find("sources:").unwrap();
    let end = SPEC.find("artifacts:").unwrap();
    let sources = format!("sources:\n  tool: {source}\n");
    let gateway =
        Recorder::new(&options).file("spec.yml", format!("{}{sources}{}", &SPEC[..start], &SPEC[end..]));
    match dockerfile {
        "" => gateway,
        dockerfile => gateway.file("docker/File", dockerfile),
    }
}

const BUILD: &str = "{path: usr, build: {source: {context: {name: code}}, dockerfile_path: docker/File, target: last, args: {A: own}}}";

/// SRC-010, SRC-011: the frontend that the Dockerfile names gets its context, the options of the request and its arguments.
#[test]
fn the_frontend_of_the_dockerfile_builds_it() {
    let options = [("context:code", "local:code"), ("build-arg:VERSION", "2"), ("no-cache", "dalec.pkg")];
    let gateway = recorder("# syntax=example.org/docker:1\nFROM x\n", &options, BUILD);
    answer(&gateway).unwrap();
    let call = &gateway.calls()[0];
    assert_eq!(call.frontend, "gateway.v0");
    for (name, value) in [
        ("source", "example.org/docker:1"),
        ("target", "last"),
        ("build-arg:A", "own"),
        ("build-arg:VERSION", "2"),
        ("no-cache", "dalec.pkg"),
        ("context:code", "local:code"),
    ] {
        assert_eq!(call.options[name], value, "{name}");
    }
    assert!(!call.options.contains_key("filename"));
    assert!(describe(&call.inputs["context"]).contains("source local://code"));
    assert!(describe(&call.inputs["dockerfile"]).contains("mkfile 600 /Dockerfile"));
    let taken = "copy #0:/usr -> /tool/";
    assert!(
        gateway.graphs_with("docker-image://example.org/answer:1") > 0 && gateway.graphs_with(taken) <= 1
    );
}

/// The context of the Dockerfile is the source's, wherever the main context is; nothing but the result is asked for.
#[test]
fn the_frontend_of_the_dockerfile_does_not_see_the_main_context() {
    let options = [
        ("context:code", "local:code"),
        ("place", "https://example.org/code.git"),
        ("contextkey", "place"),
        ("contextsubdir", "part"),
        ("requestid", "dalec.target"),
    ];
    for option in [options[1], ("context", "https://example.org/code.git")] {
        let options = options.into_iter().filter(|(name, _)| option.0 == "place" || *name != "contextkey");
        let options: Vec<_> = options.chain([option]).collect();
        let gateway = recorder("# syntax=example.org/docker:1\nFROM x\n", &options, BUILD);
        answer(&gateway).unwrap();
        let call = &gateway.calls()[0];
        for name in ["context", "contextkey", "contextsubdir", "requestid"] {
            assert!(!call.options.contains_key(name), "{name}");
        }
        assert!(describe(&call.inputs["context"]).contains("source local://code"));
    }
}

/// SRC-010, SRC-012: without a frontend of its own it is BuildKit's; a file is the Dockerfile itself.
#[test]
fn a_dockerfile_without_a_frontend() {
    let inline =
        "{build: {source: {inline: {file: {contents: FROM scratch}}}, dockerfile_path: docker/File}}";
    // Who reads the spec is not who reads the Dockerfile, which would call us again without end.
    let gateway = recorder("FROM scratch\n", &[("build-arg:BUILDKIT_SYNTAX", "example.org/dalec")], inline);
    answer(&gateway).unwrap();
    let call = &gateway.calls()[0];
    assert_eq!(call.frontend, "dockerfile.v0");
    for name in ["source", "target", "build-arg:BUILDKIT_SYNTAX"] {
        assert!(!call.options.contains_key(name), "{name}");
    }
    let context = describe(&call.inputs["context"]);
    assert!(context.contains("-> docker/File"), "{context}");
}

/// What package managers and builds of other specs keep is out of reach, whatever the spec says.
#[test]
fn the_caches_of_a_dockerfile_are_its_own() {
    let source = BUILD.replace("A: own", "BUILDKIT_CACHE_MOUNT_NS: dalec-bookworm");
    let gateway =
        recorder("# syntax=example.org/docker:1\nFROM x\n", &[("context:code", "local:code")], &source);
    answer(&gateway).unwrap();
    let namespace = &gateway.calls()[0].options["build-arg:BUILDKIT_CACHE_MOUNT_NS"];
    assert_eq!(namespace, "dalec-dockerfile-tool");
}

/// Stages of Dockerfiles are built again by their names.
#[test]
fn names_of_stages_are_no_misspelt_phases() {
    let options = [("context:code", "local:code"), ("no-cache", "last,dalec.pkgs")];
    let gateway = recorder("# syntax=example.org/docker:1\nFROM x AS last\n", &options, BUILD);
    answer(&gateway).unwrap();
    assert_eq!(gateway.warnings(), ["nothing is called `dalec.pkgs` that could be built again"]);
}

#[test]
fn a_missing_dockerfile_is_named() {
    let gateway = recorder("", &[("context:code", "local:code")], BUILD);
    let error = answer(&gateway).unwrap_err();
    assert!(words(&error).contains("\"docker/File\""), "{error}");
    assert!(matches!(&error, FrontendError::Plan { spans, .. } if spans.len() == 1), "with its place");
}

#[test]
fn packages_that_are_given_need_no_sources() {
    let options =
        [("target", "bookworm/container"), ("context:pkg", "local:pkg"), ("context:code", "local:code")];
    let gateway = recorder("# syntax=example.org/docker:1\n", &options, BUILD);
    answer(&gateway).unwrap();
    assert!(gateway.calls().is_empty());
}
