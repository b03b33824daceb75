//! Package repositories of the spec, for the length of one installation.
//!
//! Configuration, keys and data are mounted while packages are installed; nothing of them stays. They may be anywhere
//! in the file system and say anything to the package manager, so such an installation shares no cache with those
//! that know the distribution's repositories alone.

use dalec_llb::{Mount, ProgressGroup};
use dalec_spec::target_spec::{Repository, RepositoryUse, Source, TargetSpec};

use crate::error::PlanError;
use crate::family::Trust;
use crate::paths::base;
use crate::request::Request;
use crate::sources::Planner;

/// Where a package manager looks for repositories and their keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Places {
    /// Directory of configuration files.
    pub config: &'static str,
    /// Extensions of such files; a name with another one gets the first.
    pub extensions: &'static [&'static str],
    /// Directory of keys.
    pub keys: &'static str,
}

/// The repositories that one installation knows besides the distribution's.
#[derive(Debug, Clone, Default)]
pub(crate) struct Repositories {
    /// What is mounted.
    pub mounts: Vec<Mount>,
    /// Where the keys are.
    pub keys: Vec<String>,
}

impl Repositories {
    /// Returns whether there are none.
    pub fn is_empty(&self) -> bool {
        self.mounts.is_empty()
    }

    /// Returns whose word counts in an installation that would trust `trust` without them.
    pub fn trust(&self, trust: Trust) -> Trust {
        if self.is_empty() { trust } else { Trust::Spec }
    }
}

/// Returns the repositories of the spec for `phase`.
///
/// # Errors
/// As [`Planner::plan`]; [`PlanError::Invalid`] for a name that is no file's.
pub(crate) fn plan(
    request: &Request<'_>,
    places: &Places,
    phase: RepositoryUse,
) -> Result<Repositories, PlanError> {
    let planner = Planner {
        answers: request.answers,
        source_map: &request.source_map,
        group: ProgressGroup::new("Prepare package repositories"),
    };
    let mut repositories = Repositories::default();
    for repository in &request.spec.dependencies.extra_repos {
        if !repository.envs.contains(&phase) {
            continue;
        }
        for (name, source) in &repository.config {
            let has_extension = places.extensions.iter().any(|extension| name.ends_with(extension));
            let extension = if has_extension { "" } else { places.extensions[0] };
            let dest = format!("{}/{}{extension}", places.config, file_name(name, repository)?);
            repositories.mounts.push(file(&planner, name, source, dest)?);
        }
        for (name, source) in &repository.keys {
            let dest = format!("{}/{}", places.keys, file_name(name, repository)?);
            repositories.mounts.push(file(&planner, name, source, dest.clone())?);
            repositories.keys.push(dest);
        }
        for (index, data) in repository.data.iter().enumerate() {
            let tree = planner.plan(&format!("data{index}"), &data.source)?;
            repositories.mounts.push(tree.mount(&data.dest));
        }
    }
    Ok(repositories)
}

/// Returns the sources that repositories are made of.
pub(crate) fn sources(spec: &TargetSpec) -> impl Iterator<Item = &Source> {
    spec.dependencies.extra_repos.iter().flat_map(|repository| {
        let files = repository.config.values().chain(repository.keys.values());
        files.chain(repository.data.iter().map(|data| &data.source))
    })
}

/// Plans one file: the source itself, or the one that the `path` of a directory names.
fn file(planner: &Planner<'_>, name: &str, source: &Source, dest: String) -> Result<Mount, PlanError> {
    let tree = planner.plan(name, source)?;
    if !tree.is_dir {
        return Ok(tree.mount(dest));
    }
    if source.path.trim_matches('/').is_empty() {
        return Err(PlanError::Invalid {
            message: format!("{name:?} must be one file, but its source is a directory"),
            spans: vec![source.span],
            hint: Some("name the file with `path`".into()),
        });
    }
    let path = format!("{}/{}", tree.path.trim_end_matches('/'), base(&source.path));
    Ok(Mount::bind(dest, &tree.state).selector(path).readonly())
}

fn file_name<'a>(name: &'a str, repository: &Repository) -> Result<&'a str, PlanError> {
    let bad = |char: char| char == '/' || char.is_control() || char.is_whitespace();
    if matches!(name, "" | "." | "..") || name.starts_with('-') || name.contains(bad) {
        let message = format!("{name:?} cannot be the name of a file of a package repository");
        return Err(PlanError::invalid(message, [repository.span]));
    }
    Ok(name)
}
