//! The worker of a Debian distribution: its image with the tools that packages are built with.

use dalec_llb::{ProgressGroup, State};
use dalec_spec::target_spec::RepositoryUse;

use crate::deb::architecture::architecture;
use crate::deb::distro::{DebDistro, REPOSITORIES};
use crate::deb::install::{InstallOptions, install_names, install_wanted, wanted};
use crate::error::PlanError;
use crate::family::Trust;
use crate::marker::Marks;
use crate::repositories::{self, Repositories};
use crate::request::Request;
use crate::worker::{Worker, WorkerQuestion};

/// Returns how to ask for the worker of `distro`.
pub fn question(distro: &DebDistro) -> WorkerQuestion {
    WorkerQuestion { context: distro.worker_context(), image: distro.worker_question() }
}

/// Returns the worker of `distro`.
///
/// # Errors
/// As [`Worker::new`].
pub fn plan(request: &Request<'_>, distro: &DebDistro) -> Result<Worker, PlanError> {
    Worker::new(request, &question(distro), |root, packages, ignore_cache| {
        let group = ProgressGroup::new(format!("{}: worker", distro.key));
        let options = InstallOptions { ignore_cache, ..options(distro, "Install build tools".into(), group) };
        install_names(root, packages, &options)
    })
}

/// Returns the root of `worker` with the spec's build dependencies; without any it stays as it is.
///
/// Version constraints bind because apt installs a package, called after `package`, that depends on all of them.
///
/// # Errors
/// As `repositories::plan`.
pub fn with_build_dependencies(
    worker: &Worker,
    request: &Request<'_>,
    distro: &DebDistro,
    package: &str,
) -> Result<State, PlanError> {
    let mut marks = Marks::default();
    let architecture = architecture(request.build_platform());
    let wanted = wanted(&request.spec.dependencies.build, architecture, &mut marks);
    if wanted.is_empty() {
        return Ok(worker.root.clone());
    }
    let group = ProgressGroup::new(format!("{}: build", distro.key));
    let options = InstallOptions {
        recommends: true,
        repositories: repositories::plan(request, &REPOSITORIES, RepositoryUse::Build)?,
        locations: marks.location(&request.source_map).into_iter().collect(),
        wanted,
        ..options(distro, "Install build dependencies".into(), group)
    };
    let package = format!("{package}-build-deps");
    Ok(install_wanted(&worker.root, &package, architecture, &options))
}

/// Returns options for a worker, in which the distribution's own programs run alone.
pub(super) fn options(distro: &DebDistro, name: String, group: ProgressGroup) -> InstallOptions<'_> {
    InstallOptions {
        distro,
        trust: Trust::Distribution,
        name,
        group,
        locations: Vec::new(),
        dist_upgrade: false,
        recommends: false,
        keep_docs: false,
        ignore_cache: false,
        wanted: Vec::new(),
        repositories: Repositories::default(),
    }
}
