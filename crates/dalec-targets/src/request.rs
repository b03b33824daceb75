//! What a plan is made from and what it yields.
//!
//! Planning asks nothing: the frontend first collects [`Questions`], has them answered by its gateway, and
//! hands the [`Answers`] over. So a plan is a plain function of values.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use dalec_llb::{Copy, File, Platform, SourceMap, State};
use dalec_spec::span::Span;
use dalec_spec::target_spec::{BuildSource, TargetSpec};

use crate::image_config::ImageConfig;
use crate::sysext::Settings;

/// What must be known before a plan can be made.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Questions {
    /// Images whose file system and configuration are needed.
    pub images: Vec<ImageQuestion>,
    /// Named contexts to look up; a missing one is no error here.
    pub contexts: Vec<String>,
    /// Those of them that are for the platform that the result is for.
    pub contexts_of_result: BTreeSet<String>,
    /// Images that nobody needs if the client gives one of the named contexts beside them.
    pub unless: BTreeMap<ImageQuestion, Vec<String>>,
    /// What in the spec asks for an image; nothing for those of the target.
    pub places: BTreeMap<ImageQuestion, Span>,
}

/// An image that a plan starts from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ImageQuestion {
    /// Full reference with domain, for example `docker.io/library/debian:bookworm`.
    pub reference: String,
    /// Packages that will be installed right away: an engine that assembles the image itself may put them in.
    pub packages: Vec<String>,
    /// Whether it is for the platform that the result is for, and not for the one that the steps of the build run on.
    pub of_result: bool,
}

/// An image of which results are made for the platform that it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseQuestion {
    /// The image.
    pub image: ImageQuestion,
    /// The operating system that it has to be for.
    pub os: &'static str,
    /// What in the spec asked for it; empty for the target's own.
    pub span: Span,
}

/// The answers to [`Questions`].
#[derive(Debug, Clone, Default)]
pub struct Answers {
    /// Images by question.
    pub images: BTreeMap<ImageQuestion, ImageAnswer>,
    /// The named contexts that exist, by name. The main context is called `context`.
    pub contexts: BTreeMap<String, State>,
    /// Configurations of those contexts that are images, by name.
    pub configs: BTreeMap<String, ImageConfig>,
    /// Patterns of files that every source that is a directory leaves out.
    pub excludes: Vec<String>,
    /// What Dockerfiles yield; [`crate::routes::builds`] says which are needed.
    pub builds: Vec<(BuildSource, State)>,
    /// The image that this result starts from, one of those that [`crate::routes::bases`] names.
    pub base: Option<ImageAnswer>,
    /// Platform that the steps of the build run on, where that is not the one that the result is for.
    pub build_platform: Option<Platform>,
    /// What became of [`Plan::to_sign`], once it was signed.
    pub signed: Option<State>,
}

/// An image as it was found.
#[derive(Debug, Clone, Default)]
pub struct ImageAnswer {
    /// Its file system.
    pub state: State,
    /// Its configuration.
    pub config: ImageConfig,
    /// Whether the packages of the question are in it already.
    pub has_packages: bool,
}

/// One build: a resolved spec, a route's choice of output is made by the function that is called with it.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// The spec for this target and platform.
    pub spec: &'a TargetSpec,
    /// The text the spec's spans point into.
    pub source_map: Arc<SourceMap>,
    /// Platform the result is for.
    pub platform: Platform,
    /// What the gateway said.
    pub answers: &'a Answers,
    /// A file system that holds this program as the executable `/frontend`, statically linked; it runs the spec's tests.
    pub frontend: State,
    /// Settings of this build.
    pub options: Options,
}

impl Request<'_> {
    /// Returns the platform that the steps of the build run on.
    pub fn build_platform(&self) -> &Platform {
        self.answers.build_platform.as_ref().unwrap_or(&self.platform)
    }
}

/// Settings of one build, from the client's options and build arguments.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Options {
    /// `DALEC_SKIP_TESTS`.
    pub skip_tests: bool,
    /// Trees are combined by copying, for engines that cannot merge them (`DALEC_DISABLE_DIFF_MERGE`).
    pub without_merge: bool,
    /// Where Go modules come from, in the words of `GOPROXY` (`DALEC_GOMOD_PROXY`); empty for Go's own habit.
    pub gomod_proxy: String,
    /// Links are made by scripts, for engines whose file ops make none (`DALEC_DISABLE_SYMLINK`).
    pub without_symlinks: bool,
    /// What is asked of system extensions (`DALEC_SYSEXT_*`).
    pub sysext: Settings,
    /// Package managers are told nothing of proxies but what the environment says (`DALEC_DISABLE_PROXY_CONFIG`).
    pub without_proxies: bool,
    /// The platform that the result is for, where nothing runs its programs: what is built for it is built on the machine's
    /// own, and not tried.
    pub foreign: Option<Platform>,
    /// Cache keys to ignore (`no-cache`); `Some` of an empty list ignores all.
    pub no_cache: Option<Vec<String>>,
}

impl Options {
    /// Returns whether ops that consult the cache key `key` must run again.
    pub fn ignores_cache(&self, key: &str) -> bool {
        match &self.no_cache {
            None => false,
            Some(keys) => keys.is_empty() || keys.iter().any(|known| known.eq_ignore_ascii_case(key)),
        }
    }

    /// Returns whether the spec's tests are run.
    pub fn runs_tests(&self) -> bool {
        !self.skip_tests && self.foreign.is_none()
    }

    /// Lays `states` over each other, later ones on top.
    pub fn lay(&self, states: &[State], name: &str) -> State {
        if !self.without_merge {
            return State::merge(states, name);
        }
        let copy = || Copy { contents_only: true, ..Copy::default() };
        let given = states.iter().filter(|state| !state.is_scratch());
        State::scratch().file(given.fold(File::new(name), |file, state| file.copy(state, "/", "/", copy())))
    }
}

/// A graph that is ready to be solved.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// What the build yields.
    pub result: State,
    /// States that must be built as well, and must not fail: the spec's tests.
    pub requires: Vec<State>,
    /// The packages in the result, for a signer; none when nothing in it is signed, or what is signed is in it.
    pub to_sign: Option<State>,
    /// Configuration of the result when it is an image.
    pub config: Option<ImageConfig>,
    /// Configuration of the image that the result was made from, when it is one.
    pub base_config: Option<ImageConfig>,
    /// Warnings for the client, in order.
    pub warnings: Vec<String>,
}
