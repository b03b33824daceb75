//! A gateway that builds nothing. It hands out files, says that every image is there, and keeps what it was asked.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex};

use bollard_buildkit_proto::pb;
use dalec_frontend::{FrontendError, UNMATCHED_REPORT};
use dalec_gateway::{
    BuildOptions, FileRange, FileStat, FrontendRequest, FrontendResult, Gateway, GatewayError, Reference,
    ResolveImage, ResolvedImage, SolveRequest, Warning,
};
use dalec_llb::{ImageRef, Platform, State, describe};

/// A spec with a test.
pub const SPEC: &str = "\
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

/// What another frontend answers.
pub type Answer = fn(&FrontendRequest) -> Result<FrontendResult, GatewayError>;

pub struct Recorder {
    pub options: BuildOptions,
    /// Files by path; they are in every file system.
    pub files: BTreeMap<String, Vec<u8>>,
    pub inputs: BTreeMap<String, pb::Definition>,
    /// What other frontends answer.
    pub answers: Answer,
    /// Configurations of images by reference; others have none.
    pub configs: BTreeMap<String, String>,
    /// Images that are nowhere to be had.
    pub missing: Vec<&'static str>,
    /// Images that are to be had for Linux alone.
    pub of_linux: Vec<&'static str>,
    /// What graphs may not use.
    pub lacks: Vec<&'static str>,
    /// Images that were asked for.
    pub asked: Mutex<Vec<String>>,
    /// Graphs that were solved, in order; calls of frontends are among them as `frontend IMAGE`.
    pub solved: Mutex<Vec<String>>,
    /// Calls of other frontends.
    pub called: Mutex<Vec<FrontendRequest>>,
    pub warned: Mutex<Vec<String>>,
    /// Graphs of what was solved.
    pub definitions: Mutex<BTreeMap<Reference, pb::Definition>>,
    /// What stands in the graph of a report of unmatched patterns that is there only after another one.
    pub late: Option<&'static str>,
    /// How many such reports were read.
    pub reports: (Mutex<usize>, Condvar),
}

impl Recorder {
    /// Returns a gateway for a request with `options` and the spec [`SPEC`].
    pub fn new(options: &[(&str, &str)]) -> Self {
        let options = options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let filename = [("filename".to_owned(), "spec.yml".to_owned())];
        Self {
            options: BuildOptions {
                options: filename.into_iter().chain(options).collect(),
                platforms: vec!["linux/amd64".into(), "linux/arm64".into()],
                ..BuildOptions::default()
            },
            files: BTreeMap::from([("spec.yml".to_owned(), SPEC.into())]),
            inputs: BTreeMap::new(),
            answers: one_image,
            configs: BTreeMap::new(),
            missing: Vec::new(),
            of_linux: Vec::new(),
            lacks: Vec::new(),
            asked: Mutex::default(),
            solved: Mutex::default(),
            called: Mutex::default(),
            warned: Mutex::default(),
            definitions: Mutex::default(),
            late: None,
            reports: Default::default(),
        }
    }

    /// Adds the file `path`.
    pub fn file(mut self, path: &str, content: impl Into<Vec<u8>>) -> Self {
        self.files.insert(path.to_owned(), content.into());
        self
    }

    /// Uses another spec: [`SPEC`] with `more` behind it.
    pub fn spec_with(self, more: &str) -> Self {
        self.file("spec.yml", format!("{SPEC}{more}"))
    }

    /// Returns how many of the solved graphs contain `text`.
    pub fn graphs_with(&self, text: &str) -> usize {
        self.solved.lock().unwrap().iter().filter(|graph| graph.contains(text)).count()
    }

    /// Returns the number of the first solved graph that contains `text`.
    #[track_caller]
    pub fn first_with(&self, text: &str) -> usize {
        let solved = self.solved.lock().unwrap();
        solved
            .iter()
            .position(|graph| graph.contains(text))
            .unwrap_or_else(|| panic!("no {text} in {solved:?}"))
    }

    pub fn warnings(&self) -> Vec<String> {
        self.warned.lock().unwrap().clone()
    }

    /// Waits, if `reference` is the report that is there late, until another one was read.
    fn wait_for_report(&self, reference: &Reference) {
        let graph = describe(&self.definitions.lock().unwrap()[reference]);
        let (read, changed) = &self.reports;
        let mut read = read.lock().unwrap();
        while *read == 0 && self.late.is_some_and(|late| graph.contains(late)) {
            read = changed.wait(read).unwrap();
        }
        *read += 1;
        changed.notify_all();
    }

    pub fn calls(&self) -> Vec<FrontendRequest> {
        self.called.lock().unwrap().clone()
    }
}

/// Answers with a file system that no graph here has.
pub fn one_image(_: &FrontendRequest) -> Result<FrontendResult, GatewayError> {
    let refs = vec![("linux/amd64".to_owned(), Some(Reference("answer".into())))];
    Ok(FrontendResult { refs, ..FrontendResult::default() })
}

/// Returns the graph of an image.
pub fn image(reference: &str) -> pb::Definition {
    let image = ImageRef { reference: reference.into(), ..ImageRef::default() };
    State::image(image).marshal(&Platform::linux("amd64"))
}

/// Returns everything that an error says.
pub fn words(error: &FrontendError) -> String {
    let more = match error {
        FrontendError::Spec { diagnostics, .. } => {
            diagnostics.iter().map(|diagnostic| diagnostic.message.clone()).collect::<Vec<_>>().join("\n")
        }
        FrontendError::Plan { hint, .. } => hint.clone().unwrap_or_default(),
        _ => String::new(),
    };
    format!("{error}\n{more}")
}

impl Gateway for Recorder {
    fn build_options(&self) -> &BuildOptions {
        &self.options
    }

    fn inputs(&self) -> Result<BTreeMap<String, pb::Definition>, GatewayError> {
        Ok(self.inputs.clone())
    }

    fn solve(&self, request: SolveRequest) -> Result<Option<Reference>, GatewayError> {
        let mut solved = self.solved.lock().unwrap();
        solved.push(describe(&request.definition));
        let reference = Reference(solved.len().to_string());
        self.definitions.lock().unwrap().insert(reference.clone(), request.definition);
        Ok(Some(reference))
    }

    fn solve_frontend(&self, request: FrontendRequest) -> Result<FrontendResult, GatewayError> {
        self.solved
            .lock()
            .unwrap()
            .push(format!("frontend {}", request.options.get("source").unwrap_or(&request.frontend)));
        let answer = (self.answers)(&request);
        self.called.lock().unwrap().push(request);
        answer
    }

    fn definition(&self, reference: &Reference) -> Result<pb::Definition, GatewayError> {
        let known = self.definitions.lock().unwrap().get(reference).cloned();
        Ok(known.unwrap_or_else(|| image("example.org/answer:1")))
    }

    fn supports(&self, id: &str) -> bool {
        !self.lacks.contains(&id)
    }

    fn read_file(
        &self,
        reference: &Reference,
        path: &str,
        range: Option<FileRange>,
    ) -> Result<Vec<u8>, GatewayError> {
        if path == UNMATCHED_REPORT {
            self.wait_for_report(reference);
        }
        let file = self.files.get(path).ok_or_else(|| GatewayError::NotFound { path: path.to_owned() })?;
        let length = range.map_or(u64::MAX, |range| range.length);
        Ok(file.iter().take(usize::try_from(length).unwrap_or(usize::MAX)).copied().collect())
    }

    fn read_dir(&self, _: &Reference, path: &str) -> Result<Vec<FileStat>, GatewayError> {
        Err(GatewayError::NotFound { path: path.to_owned() })
    }

    fn stat_file(&self, _: &Reference, path: &str) -> Result<FileStat, GatewayError> {
        Err(GatewayError::NotFound { path: path.to_owned() })
    }

    fn resolve_image(&self, image: &ResolveImage) -> Result<ResolvedImage, GatewayError> {
        let reference = image.reference.clone();
        self.asked.lock().unwrap().push(reference.clone());
        let is_for_others = !image.platform.is_empty() && !image.platform.starts_with("linux/");
        if self.missing.contains(&reference.as_str())
            || is_for_others && self.of_linux.contains(&reference.as_str())
        {
            return Err(GatewayError::Image { reference, hint: "check the network".into(), source: None });
        }
        Ok(ResolvedImage {
            reference: format!("{}@sha256:1", image.reference),
            digest: "sha256:1".into(),
            config: self.configs.get(&image.reference).cloned().unwrap_or_default().into_bytes(),
            ..ResolvedImage::default()
        })
    }

    fn frontend_image(&self) -> Result<pb::Definition, GatewayError> {
        Ok(image("example.org/dalec:1"))
    }

    fn warn(&self, warning: Warning) {
        self.warned.lock().unwrap().push(warning.short);
    }
}
