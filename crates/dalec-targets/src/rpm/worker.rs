//! The worker of an RPM distribution: its image with the tools that packages are built with.

use dalec_llb::{ProgressGroup, State};
use dalec_spec::span::Span;
use dalec_spec::target_spec::RepositoryUse;

use crate::error::PlanError;
use crate::family::Trust;
use crate::marker::Marks;
use crate::repositories::{self, Repositories};
use crate::request::{ImageQuestion, Request};
use crate::rpm::architecture::architecture;
use crate::rpm::distro::{REPOSITORIES, RpmDistro};
use crate::rpm::install::{InstallOptions, What, into_root, into_worker};
use crate::rpm::meta::Meta;
use crate::rpm::relation::{holding, wanted};
use crate::worker::{Worker, WorkerQuestion};

/// Returns how to ask for the worker of `distro`.
pub(super) fn question(distro: &RpmDistro) -> WorkerQuestion {
    WorkerQuestion { context: distro.worker_context(), image: distro.worker_question() }
}

/// Returns the worker of `distro`.
///
/// # Errors
/// As [`Worker::new`].
pub(super) fn plan(request: &Request<'_>, distro: &RpmDistro) -> Result<Worker, PlanError> {
    Worker::new(request, &question(distro), |root, packages, ignore_cache| {
        let options = options(request, distro, "Install build tools", "worker");
        into_worker(root, &What::Names(packages), &InstallOptions { ignore_cache, ..options })
    })
}

/// Returns the question for the image that a worker starts from whose programs do not run here.
pub(super) fn foreign_base(distro: &RpmDistro) -> ImageQuestion {
    ImageQuestion { packages: Vec::new(), of_result: true, ..distro.worker_question() }
}

/// Returns the worker of `distro` for a platform whose programs do not run here: the package manager of `worker`, which is
/// for the machine, puts it together. Packages whose scripts cannot run are there without what these would do.
///
/// # Errors
/// [`PlanError::MissingImage`] if the image that it starts from was not looked up.
pub(super) fn plan_foreign(
    request: &Request<'_>,
    distro: &RpmDistro,
    worker: &Worker,
) -> Result<Worker, PlanError> {
    let question = foreign_base(distro);
    let base = request.answers.images.get(&question).ok_or_else(|| PlanError::MissingImage {
        reference: question.reference.clone(),
        span: Span::default(),
    })?;
    let options = InstallOptions {
        platform: &request.platform,
        is_foreign: true,
        is_lenient: true,
        ignore_cache: request.options.ignores_cache(distro.image),
        ..options(request, distro, "Install build tools", "worker")
    };
    let packages = distro.worker_question().packages;
    let root = into_root(&worker.root, &base.state, &What::Names(&packages), &options);
    Ok(Worker { root, env: worker.env.clone(), config: base.config.clone() })
}

/// Returns the root of `worker` with the spec's build dependencies; without any it stays as it is.
///
/// Version constraints bind because a package that requires all of them is installed. What is wanted for some
/// architectures alone is what packages for another one than the machine's take; what is installed are the machine's own
/// programs all the same.
///
/// # Errors
/// [`PlanError::Invalid`] for what cannot be a dependency; as [`repositories::plan`].
pub(super) fn with_build_dependencies(
    worker: &Worker,
    request: &Request<'_>,
    distro: &RpmDistro,
    package: &str,
) -> Result<State, PlanError> {
    let mut marks = Marks::default();
    let result_is_for = architecture(&request.platform);
    let list = &holding(&request.spec.dependencies.build, result_is_for);
    let wanted = wanted(list, result_is_for, &mut marks)?;
    if wanted.is_empty() {
        return Ok(worker.root.clone());
    }
    let name = format!("{package}-dependencies");
    let meta = Meta::requiring(&name, &format!("what building {package} takes"), list)?;
    let options = InstallOptions {
        locations: marks.location(&request.source_map).into_iter().collect(),
        wanted,
        repositories: repositories::plan(request, &REPOSITORIES, RepositoryUse::Build)?,
        ..options(request, distro, "Install build dependencies", "build")
    };
    Ok(into_worker(&worker.root, &What::Meta(&meta), &options))
}

/// Returns options for a worker, in which the distribution's own programs run alone; `phase` is a word for people.
pub(super) fn options<'a>(
    request: &'a Request<'_>,
    distro: &'a RpmDistro,
    name: &str,
    phase: &str,
) -> InstallOptions<'a> {
    InstallOptions {
        distro,
        platform: request.build_platform(),
        is_foreign: false,
        is_lenient: false,
        trust: Trust::Distribution,
        name: name.to_owned(),
        group: ProgressGroup::new(format!("{}: {phase}", distro.key)),
        locations: Vec::new(),
        keep_docs: false,
        ignore_cache: false,
        wanted: Vec::new(),
        without_proxies: request.options.without_proxies,
        repositories: Repositories::default(),
    }
}
