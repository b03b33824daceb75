//! The worker of a Debian distribution: its image with the tools that packages are built with.

use dalec_llb::{ProgressGroup, State};
use dalec_spec::span::Span;
use dalec_spec::target_spec::RepositoryUse;

use crate::cross::Processor;
use crate::deb::architecture::architecture;
use crate::deb::distro::{DebDistro, REPOSITORIES};
use crate::deb::install::{InstallOptions, Wanted, install_names, install_wanted, wanted};
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
    plan_as(request, distro, &question(distro))
}

/// Returns a worker of another kind, which `question` asks for, from an image of `distro`.
///
/// # Errors
/// As [`Worker::new`].
pub(crate) fn plan_as(
    request: &Request<'_>,
    distro: &DebDistro,
    question: &WorkerQuestion,
) -> Result<Worker, PlanError> {
    Worker::new(request, question, |root, packages, ignore_cache| {
        let group = ProgressGroup::new(format!("{}: worker", distro.key));
        let options =
            InstallOptions { ignore_cache, ..options(request, distro, "Install build tools".into(), group) };
        install_names(root, packages, &options)
    })
}

/// Returns the root of `worker` with the spec's build dependencies; without any it stays as it is.
///
/// Version constraints bind because apt installs a package, called after `package`, that depends on all of them. For
/// another processor than the machine's they are the machine's own programs, with compilers for that processor, and
/// packages of that processor where the spec names them so: `libfoo-dev:arm64`.
///
/// # Errors
/// As `repositories::plan` and `Processor::of`.
pub fn with_build_dependencies(
    worker: &Worker,
    request: &Request<'_>,
    distro: &DebDistro,
    package: &str,
) -> Result<State, PlanError> {
    let mut marks = Marks::default();
    let own = architecture(request.build_platform());
    let spec = request.spec;
    let foreign = Processor::of(request)?.map(|processor| (processor, architecture(&request.platform)));
    let result_is_for = foreign.map_or(own, |(_, foreign)| foreign);
    let mut wanted = wanted(&spec.dependencies.build, result_is_for, &mut marks);
    let mut of_other = None;
    if let Some((processor, foreign)) = foreign {
        wanted.extend(tools(processor, foreign, !spec.build.steps.is_empty()));
        of_other = wanted.iter().any(|wanted| is_of(wanted, foreign)).then_some(foreign);
    }
    if wanted.is_empty() {
        return Ok(worker.root.clone());
    }
    let group = ProgressGroup::new(format!("{}: build", distro.key));
    let options = InstallOptions {
        recommends: true,
        repositories: repositories::plan(request, &REPOSITORIES, RepositoryUse::Build)?,
        other_suites: true,
        locations: marks.location(&request.source_map).into_iter().collect(),
        wanted,
        of_other,
        ..options(request, distro, "Install build dependencies".into(), group)
    };
    let package = format!("{package}-build-deps");
    Ok(install_wanted(&worker.root, &package, own, &options))
}

/// Returns what packages for `processor` are made with: tools that read its programs and, where `compiles`, compilers.
fn tools(processor: Processor, architecture: &str, compiles: bool) -> Vec<Wanted> {
    let gnu = processor.gnu.replace('_', "-");
    let mut names = vec![format!("binutils-{gnu}")];
    if compiles {
        names.extend([format!("gcc-{gnu}"), format!("g++-{gnu}"), format!("libc6-dev-{architecture}-cross")]);
    }
    let mark = Marks::default().mark(Span::default());
    names.into_iter().map(|relation| Wanted { relation, mark: mark.clone() }).collect()
}

/// Returns whether what is wanted is a package of `architecture`, by its name.
fn is_of(wanted: &Wanted, architecture: &str) -> bool {
    let name = wanted.relation.split(' ').next().unwrap_or_default();
    name.rsplit_once(':').is_some_and(|(_, of)| of == architecture)
}

/// Returns options for a worker, in which the distribution's own programs run alone.
pub(super) fn options<'a>(
    request: &Request<'_>,
    distro: &'a DebDistro,
    name: String,
    group: ProgressGroup,
) -> InstallOptions<'a> {
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
        accounts: Vec::new(),
        without_proxies: request.options.without_proxies,
        of_other: None,
        architecture: None,
        other_suites: false,
        repositories: Repositories::default(),
    }
}
