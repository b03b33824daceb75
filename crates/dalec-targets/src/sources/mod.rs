//! Sources as file systems.
//!
//! Every source ends up as the file `/NAME` or the directory `/NAME/` of a build root. A [`Tree`] says which
//! part of which state that is, so that a source can be mounted without being copied first. Patches are not
//! applied here.

pub mod built;
mod context;
mod git;
mod http;
mod inline;

use std::sync::Arc;

use dalec_llb::{Copy, File, Mount, ProgressGroup, SourceMap, State};
use dalec_spec::target_spec::{BuildSource, Source, SourceKind};

use crate::error::PlanError;
use crate::locate::locate;
use crate::request::Answers;
use crate::unsupported;

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
        let mount = Mount::bind(dest, &self.state).readonly();
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
}

impl Planner<'_> {
    /// Plans `source` under the name it has in the build root.
    ///
    /// # Errors
    /// [`PlanError::MissingContext`] for a context that the client did not give, [`PlanError::Invalid`] for a
    /// `path` that leaves the source, [`PlanError::Unsupported`] for a kind of source that cannot be built yet.
    pub fn plan(&self, name: &str, source: &Source) -> Result<Tree, PlanError> {
        let path = inside(&source.path).ok_or_else(|| {
            let places = [source.selectors.path, source.span];
            PlanError::invalid(format!("path {:?} leaves the source", source.path), places)
        })?;
        match &source.kind {
            SourceKind::Inline(inline) => Ok(inline::plan(self, name, source, inline, &path)),
            SourceKind::Http(http) => Ok(http::plan(self, name, source, http)),
            SourceKind::Context(context) => context::plan(self, name, source, &context.name, &path),
            SourceKind::Build(build) => built::plan(self, name, source, build, &path),
            SourceKind::Git(git) => Ok(git::plan(self, name, source, git, &path)),
            SourceKind::Image(_) => Err(PlanError::Unsupported { features: unsupported::of_source(source) }),
        }
    }

    /// Returns a copy of the `path` part of `state` that includes and excludes are applied to.
    ///
    /// A file at `path` keeps its base name inside the directory `/NAME/`.
    fn filtered(&self, name: &str, source: &Source, state: &State, path: &str) -> Tree {
        let copy = Copy {
            contents_only: true,
            make_parents: true,
            follow_symlinks: true,
            include: source.includes.clone(),
            exclude: source.excludes.clone(),
            ..Copy::default()
        };
        let from = format!("/{path}");
        // What can be wrong here is that nothing is at the path.
        let place = [source.selectors.path, source.span].into_iter().find(|span| span.end > span.start);
        let file = File::new(format!("Filter source {name}"))
            .copy(state, &from, &format!("/{name}/"), copy)
            .at(locate(self.source_map, place))
            .group(&self.group);
        Tree { state: State::scratch().file(file), path: format!("/{name}"), is_dir: true }
    }
}

/// Returns the contexts that `sources` take from, in order of name, once each.
pub fn contexts<'a>(sources: impl IntoIterator<Item = &'a Source>) -> Vec<String> {
    let names = sources.into_iter().filter_map(|source| match &innermost(source).kind {
        SourceKind::Context(context) => Some(context::key(&context.name)),
        _ => None,
    });
    let names: std::collections::BTreeSet<String> = names.map(str::to_owned).collect();
    names.into_iter().collect()
}

/// Returns the Dockerfiles that `sources` take from, in order, once each.
pub fn builds<'a>(sources: impl IntoIterator<Item = &'a Source>) -> Vec<&'a BuildSource> {
    let mut builds: Vec<&BuildSource> = Vec::new();
    for source in sources {
        if let SourceKind::Build(build) = &source.kind
            && !builds.contains(&build)
        {
            builds.push(build);
        }
    }
    builds
}

/// Returns what a Dockerfile of `source` is in, or `source` itself.
fn innermost(source: &Source) -> &Source {
    match &source.kind {
        SourceKind::Build(build) => innermost(&build.source),
        _ => source,
    }
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
