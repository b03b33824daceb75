//! Results of Dockerfiles. Another frontend builds them: before a plan is made, like everything that must be asked for.

use dalec_llb::{Copy, File, State};
use dalec_spec::target_spec::{BuildSource, Source};

use super::{Planner, Tree};
use crate::error::PlanError;
use crate::locate::locate;

/// Returns the file system that a Dockerfile is in and builds from: the nested source, at its top.
///
/// A source that is one file becomes the Dockerfile.
///
/// # Errors
/// As [`Planner::plan`].
pub fn context(planner: &Planner<'_>, build: &BuildSource) -> Result<State, PlanError> {
    let source = &build.source;
    let tree = planner.plan("context", source)?;
    if tree.path == "/" {
        return Ok(tree.state);
    }
    let dest = if tree.is_dir { "/" } else { &build.dockerfile_path };
    let copy = Copy { contents_only: tree.is_dir, make_parents: true, ..Copy::default() };
    let file = File::new("Prepare the context of a Dockerfile")
        .copy(&tree.state, &tree.path, dest, copy)
        .at(locate(planner.source_map, [source.span]))
        .group(&planner.group);
    Ok(State::scratch().file(file))
}

/// Plans a build source from what was built.
pub(super) fn plan(
    planner: &Planner<'_>,
    name: &str,
    source: &Source,
    build: &BuildSource,
    path: &str,
) -> Result<Tree, PlanError> {
    let built = planner.answers.builds.iter().find(|(known, _)| known == build);
    let (_, state) =
        built.ok_or_else(|| PlanError::invalid("the Dockerfile was not built", [source.span]))?;
    Ok(planner.part(name, source, state, path))
}
