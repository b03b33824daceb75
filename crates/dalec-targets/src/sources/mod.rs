//! Sources as file systems.
//!
//! Every source ends up as the file `/NAME` or the directory `/NAME/` of a build root. A [`Tree`] says which
//! part of which state that is, so that a source can be mounted without being copied first. Patches are not
//! applied here.

pub mod built;
mod context;
mod git;
mod http;
mod image;
mod inline;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use dalec_llb::{Copy, File, Mount, ProgressGroup, SourceMap, State};
use dalec_spec::span::Span;
use dalec_spec::target_spec::{BuildSource, Inline, Source, SourceKind};

use crate::error::PlanError;
use crate::locate::locate;
use crate::request::{Answers, ImageQuestion};

/// One source, ready to be mounted.
#[derive(Debug, Clone)]
pub struct Tree {
    /// File system that holds the source.
    pub state: State,
    /// Path in `state` of the source itself.
    pub path: String,
    /// Whether the source is a directory.
    pub is_dir: bool,
}

impl Tree {
    /// Returns a read-only mount of the source at `dest`.
    pub fn mount(&self, dest: impl Into<String>) -> Mount {
        self.writable(dest).readonly()
    }

    /// Returns a mount of the source at `dest`. A process may write into a mounted directory, and what it writes is
    /// lost.
    pub fn scratch_mount(&self, dest: impl Into<String>) -> Mount {
        if self.is_dir { self.writable(dest) } else { self.mount(dest) }
    }

    /// Returns a mount of the source at `dest`; what is written there is an output.
    pub fn writable(&self, dest: impl Into<String>) -> Mount {
        let mount = Mount::bind(dest, &self.state);
        if self.path == "/" { mount } else { mount.selector(&self.path) }
    }
}

/// What sources are planned with.
#[derive(Debug, Clone)]
pub struct Planner<'a> {
    /// The contexts there are.
    pub answers: &'a Answers,
    /// The text that spans point into.
    pub source_map: &'a Arc<SourceMap>,
    /// Phase the ops belong to.
    pub group: ProgressGroup,
    /// Whether what is planned is for commands in an image or for a Dockerfile, which run where the build does.
    pub for_commands: bool,
}

impl Planner<'_> {
    /// Plans `source` under the name it has in the build root, without what every directory leaves out.
    ///
    /// # Errors
    /// [`PlanError::MissingContext`] for a context that the client did not give, [`PlanError::MissingImage`] for an
    /// image that was not looked up, [`PlanError::Invalid`] for a `path` that leaves the source.
    pub fn plan(&self, name: &str, source: &Source) -> Result<Tree, PlanError> {
        if self.answers.excludes.is_empty() || is_file(source) {
            return self.plan_all(name, source);
        }
        let mut source = source.clone();
        source.excludes.extend(self.answers.excludes.iter().cloned());
        self.plan_all(name, &source)
    }

    /// Plans `source` with all that it says itself.
    ///
    /// # Errors
    /// As [`Planner::plan`].
    pub fn plan_all(&self, name: &str, source: &Source) -> Result<Tree, PlanError> {
        let path = checked_path(source)?;
        match &source.kind {
            SourceKind::Inline(inline) => Ok(inline::plan(self, name, source, inline, &path)),
            SourceKind::Http(http) => Ok(http::plan(self, name, source, http)),
            SourceKind::Context(context) => context::plan(self, name, source, &context.name, &path),
            SourceKind::Build(build) => built::plan(self, name, source, build, &path),
            SourceKind::Git(git) => Ok(git::plan(self, name, source, git, &path)),
            SourceKind::Image(image) => {
                let (state, path) = image::plan(self, name, source, image, &path)?;
                Ok(self.part(name, source, &state, &path))
            }
        }
    }

    /// Plans the root file system that `source`, an image, stands for: what it takes, at the top.
    ///
    /// # Errors
    /// As [`Planner::plan`], and [`PlanError::Invalid`] for a source of another kind.
    pub fn plan_root(&self, source: &Source) -> Result<State, PlanError> {
        let SourceKind::Image(image) = &source.kind else {
            return Err(PlanError::invalid("a container starts from an image", [source.span]));
        };
        let (state, path) = image::plan(self, "rootfs", source, image, &checked_path(source)?)?;
        if path.is_empty() && source.includes.is_empty() && source.excludes.is_empty() {
            return Ok(state);
        }
        Ok(self.copied(source, &state, &path, "/", format!("Take a part of {}", image.reference)))
    }

    /// Returns what `source` takes of the `path` part of `state`; all of it is not copied.
    fn part(&self, name: &str, source: &Source, state: &State, path: &str) -> Tree {
        if path.is_empty() && source.includes.is_empty() && source.excludes.is_empty() {
            return Tree { state: state.clone(), path: "/".into(), is_dir: true };
        }
        self.filtered(name, source, state, path)
    }

    /// Returns a copy of the `path` part of `state` that includes and excludes are applied to.
    ///
    /// A file at `path` keeps its base name inside the directory `/NAME/`.
    fn filtered(&self, name: &str, source: &Source, state: &State, path: &str) -> Tree {
        let dest = format!("/{name}/");
        let label = match (path, &source.kind) {
            ("", _) => format!("Filter source {name}"),
            (path, SourceKind::Context(context)) => match context::key(&context.name) {
                context::MAIN => format!("Take `{path}` of the context for source {name}"),
                named => format!("Take `{path}` of the context `{named}` for source {name}"),
            },
            (path, _) => format!("Take `{path}` for source {name}"),
        };
        let state = self.copied(source, state, path, &dest, label);
        Tree { state, path: format!("/{name}"), is_dir: true }
    }

    /// Returns what `source` takes of the `path` part of `state`, in `dest`.
    fn copied(&self, source: &Source, state: &State, path: &str, dest: &str, label: String) -> State {
        let copy = Copy {
            contents_only: true,
            make_parents: true,
            follow_symlinks: true,
            include: source.includes.clone(),
            exclude: source.excludes.clone(),
            ..Copy::default()
        };
        // What can be wrong here is that nothing is at the path.
        let place = [source.selectors.path, source.span].into_iter().find(|span| span.end > span.start);
        let file = File::new(label)
            .copy(state, &format!("/{path}"), dest, copy)
            .at(locate(self.source_map, place))
            .group(&self.group);
        State::scratch().file(file)
    }
}

/// Returns the contexts that `sources` take from, in order of name, once each.
pub fn contexts<'a>(sources: impl IntoIterator<Item = &'a Source>) -> Vec<String> {
    let names = all(sources).into_iter().filter_map(|source| match &source.kind {
        SourceKind::Context(context) => Some(context::key(&context.name).to_owned()),
        _ => None,
    });
    let names: BTreeSet<String> = names.collect();
    names.into_iter().collect()
}

/// Returns the images that `sources` take from, each with the first source that does.
pub fn images<'a>(sources: impl IntoIterator<Item = &'a Source>) -> BTreeMap<ImageQuestion, Span> {
    let mut images = BTreeMap::new();
    for source in sources {
        add_images(source, false, &mut images);
    }
    images
}

fn add_images(source: &Source, for_commands: bool, images: &mut BTreeMap<ImageQuestion, Span>) {
    // Commands in an image and Dockerfiles have it, and run where the build does.
    for part in parts(source) {
        add_images(part, true, images);
    }
    if let SourceKind::Image(image) = &source.kind {
        images.entry(image::question(image, for_commands)).or_insert(source.span);
    }
}

/// A Dockerfile that another frontend builds.
#[derive(Debug, Clone, Copy)]
pub struct Dockerfile<'a> {
    /// What to build.
    pub build: &'a BuildSource,
    /// The first source that is made of it.
    pub span: Span,
}

/// Returns the Dockerfiles that `sources` take from, once each; what one needs comes before it.
pub fn builds<'a>(sources: impl IntoIterator<Item = &'a Source>) -> Vec<Dockerfile<'a>> {
    let mut builds: Vec<Dockerfile<'a>> = Vec::new();
    for source in all(sources) {
        if let SourceKind::Build(build) = &source.kind
            && !builds.iter().any(|known| known.build == build)
        {
            builds.push(Dockerfile { build, span: source.span });
        }
    }
    builds
}

/// Returns `sources` and all sources that they are made of; what one is made of comes before it.
fn all<'a>(sources: impl IntoIterator<Item = &'a Source>) -> Vec<&'a Source> {
    let mut found = Vec::new();
    for source in sources {
        found.extend(all(parts(source)));
        found.push(source);
    }
    found
}

/// Returns the sources that stand inside of `source`.
pub(crate) fn parts(source: &Source) -> Vec<&Source> {
    match &source.kind {
        SourceKind::Build(build) => vec![&*build.source],
        SourceKind::Image(image) => {
            let mounts = image.command.iter().flat_map(|command| {
                let steps = command.steps.iter().flat_map(|step| &step.mounts);
                command.mounts.iter().chain(steps)
            });
            mounts.map(|mount| &mount.source).collect()
        }
        SourceKind::Git(_) | SourceKind::Http(_) | SourceKind::Context(_) | SourceKind::Inline(_) => {
            Vec::new()
        }
    }
}

/// Returns whether `source` is one file, whatever is taken of it.
fn is_file(source: &Source) -> bool {
    matches!(source.kind, SourceKind::Http(_) | SourceKind::Inline(Inline::File(_)))
}

/// Returns the path that `source` takes, without leading slash; empty for all.
fn checked_path(source: &Source) -> Result<String, PlanError> {
    inside(&source.path).ok_or_else(|| {
        let places = [source.selectors.path, source.span];
        PlanError::invalid(format!("path {:?} leaves the source", source.path), places)
    })
}

/// Returns `path` without `.`, empty and leading components, or nothing if it climbs out with `..`.
fn inside(path: &str) -> Option<String> {
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests;
