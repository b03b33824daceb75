//! Requests as a gateway sees them: what is asked, what is solved, what is refused.
//!
//! The gateway here builds nothing. It hands out the spec, says that every image is there, and keeps the graphs.

use std::collections::BTreeMap;
use std::sync::Mutex;

use bollard_buildkit_proto::pb;
use dalec_frontend::{FrontendError, build, check_target, targets};
use dalec_gateway::{
    BuildOptions, FileRange, FileStat, FrontendRequest, FrontendResult, Gateway, GatewayError, Reference,
    ResolveImage, ResolvedImage, SolveRequest, Warning,
};
use dalec_llb::describe;

const SPEC: &str = "\
name: tool
version: ${VERSION}
revision: 1
description: A tool
license: MIT
packager: T <t@example.org>
args:
  VERSION: 1.0.0
sources:
  tool:
    inline:
      file:
        contents: '#!/bin/sh'
artifacts:
  binaries:
    tool: {}
tests:
  - name: runs
    steps:
      - command: tool
";

struct Recorder {
    options: BuildOptions,
    spec: &'static str,
    asked: Mutex<Vec<String>>,
    solved: Mutex<Vec<String>>,
    warned: Mutex<Vec<String>>,
}

impl Recorder {
    fn new(options: &[(&str, &str)]) -> Self {
        let options = options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Self {
            options: BuildOptions {
                options: options.chain([("filename".to_owned(), "spec.yml".to_owned())]).collect(),
                platforms: vec!["linux/amd64".into()],
                ..BuildOptions::default()
            },
            spec: SPEC,
            asked: Mutex::default(),
            solved: Mutex::default(),
            warned: Mutex::default(),
        }
    }

    fn graphs_with(&self, text: &str) -> usize {
        self.solved.lock().unwrap().iter().filter(|graph| graph.contains(text)).count()
    }
}

impl Gateway for Recorder {
    fn build_options(&self) -> &BuildOptions {
        &self.options
    }

    fn inputs(&self) -> Result<BTreeMap<String, pb::Definition>, GatewayError> {
        Ok(BTreeMap::new())
    }

    fn solve(&self, request: SolveRequest) -> Result<Option<Reference>, GatewayError> {
        let mut solved = self.solved.lock().unwrap();
        solved.push(describe(&request.definition));
        Ok(Some(Reference(solved.len().to_string())))
    }

    fn solve_frontend(&self, request: FrontendRequest) -> Result<FrontendResult, GatewayError> {
        Err(GatewayError::Request { message: format!("no frontend {}", request.frontend) })
    }

    fn definition(&self, _: &Reference) -> Result<pb::Definition, GatewayError> {
        Ok(pb::Definition::default())
    }

    fn supports(&self, _: &str) -> bool {
        true
    }

    fn read_file(&self, _: &Reference, path: &str, _: Option<FileRange>) -> Result<Vec<u8>, GatewayError> {
        match path {
            "spec.yml" if !self.spec.is_empty() => Ok(self.spec.as_bytes().to_vec()),
            _ => Err(GatewayError::NotFound { path: path.to_owned() }),
        }
    }

    fn read_dir(&self, _: &Reference, path: &str) -> Result<Vec<FileStat>, GatewayError> {
        Err(GatewayError::NotFound { path: path.to_owned() })
    }

    fn stat_file(&self, _: &Reference, path: &str) -> Result<FileStat, GatewayError> {
        Err(GatewayError::NotFound { path: path.to_owned() })
    }

    fn resolve_image(&self, image: &ResolveImage) -> Result<ResolvedImage, GatewayError> {
        self.asked.lock().unwrap().push(image.reference.clone());
        Ok(ResolvedImage { reference: format!("{}@sha256:1", image.reference), ..ResolvedImage::default() })
    }

    fn frontend_image(&self) -> Result<pb::Definition, GatewayError> {
        Ok(pb::Definition::default())
    }

    fn warn(&self, warning: Warning) {
        self.warned.lock().unwrap().push(warning.short);
    }
}

#[test]
fn a_package_is_built_and_its_tests_are_required() {
    let gateway = Recorder::new(&[("target", "bookworm/deb")]);
    let result = build(&gateway).unwrap();
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
    build(&gateway).unwrap();
    assert_eq!(gateway.graphs_with("test-runner"), 0);
    assert!(gateway.warned.lock().unwrap()[0].contains("DALEC_SKIP_TESTS"));
    let gateway = Recorder::new(&[("target", "bookworm/deb"), ("build-arg:DALEC_SKIP_TESTS", "maybe")]);
    assert!(matches!(build(&gateway), Err(FrontendError::Option { .. })));
}

/// Findings in a usable spec are warnings of the build, unless a comment in the spec allows them.
#[test]
fn allowed_findings_are_not_told() {
    for (comment, told) in
        [("", 1), ("# dalec: allow unresolved-arg", 0), ("# dalec: allow-file unused-arg", 1)]
    {
        let build_steps = "build:\n  steps: [command: make]\n  env:\n    T: ${DALEC_TARGET}";
        let spec = format!("{SPEC}{build_steps} {comment}\n").leak();
        let gateway = Recorder { spec, ..Recorder::new(&[("target", "bookworm/dsc")]) };
        build(&gateway).unwrap();
        let warned = gateway.warned.into_inner().unwrap();
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
    build(&gateway).unwrap();
    assert_eq!(*gateway.asked.lock().unwrap(), ["example.org/worker:1"]);
    let base = ("context:debian:bookworm", "docker-image://example.org/base:1");
    let gateway = Recorder::new(&[("target", "bookworm/dsc"), base]);
    build(&gateway).unwrap();
    assert_eq!(*gateway.asked.lock().unwrap(), ["example.org/base:1"]);
    assert_eq!(gateway.graphs_with("docker-image://example.org/base:1@sha256:1"), 1);
}

#[test]
fn arguments_reach_the_spec() {
    let gateway = Recorder::new(&[("target", "bookworm/dsc"), ("build-arg:VERSION", "2.5")]);
    build(&gateway).unwrap();
    assert_eq!(gateway.graphs_with("2.5"), 1);
    let gateway = Recorder::new(&[("target", "bookworm/dsc"), ("build-arg:NOPE", "1")]);
    let Err(FrontendError::Spec { diagnostics, .. }) = build(&gateway) else { panic!("refused") };
    assert!(diagnostics.iter().any(|diagnostic| diagnostic.message.contains("NOPE")), "{diagnostics:?}");
}

#[test]
fn several_platforms_have_a_result_each() {
    let gateway = Recorder::new(&[("target", "bookworm/dsc"), ("platform", "linux/amd64,linux/arm64")]);
    let result = build(&gateway).unwrap();
    let platforms: Vec<&str> = result.refs.iter().map(|(platform, _)| platform.as_str()).collect();
    assert_eq!(platforms, ["linux/amd64", "linux/arm64"]);
}

#[test]
fn a_missing_spec_is_named() {
    let gateway = Recorder { spec: "", ..Recorder::new(&[("target", "bookworm/deb")]) };
    let error = build(&gateway).unwrap_err();
    assert!(
        matches!(&error, FrontendError::SpecFile { filename, .. } if filename == "spec.yml"),
        "{error:?}"
    );
}

/// FE-005: no target and an unknown one list what there is.
#[test]
fn unknown_targets_list_the_known_ones() {
    for target in ["", "bookwurm/deb", "bookworm/typo"] {
        let Err(FrontendError::UnknownTarget { routes, .. }) = check_target(target) else {
            panic!("{target}")
        };
        assert!(routes.contains(&"bookworm/deb".to_owned()));
        assert!(!routes.contains(&"bookworm".to_owned()), "hidden routes are not listed");
    }
    assert!(check_target("bookworm").is_ok());
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
