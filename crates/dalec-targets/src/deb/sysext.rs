//! System extensions of Debian packages.

use dalec_llb::{ProgressGroup, State};
use dalec_spec::target_spec::{RepositoryUse, TargetSpec};

use crate::containers::install::installable;
use crate::containers::testing;
use crate::deb::architecture::architecture;
use crate::deb::distro::{DebDistro, REPOSITORIES};
use crate::deb::install::{InstallOptions, download, install_names, wanted};
use crate::deb::layout::{Placed, placed};
use crate::deb::package::Package;
use crate::deb::relation;
use crate::deb::worker::options;
use crate::error::PlanError;
use crate::family;
use crate::marker::Marks;
use crate::paths::join;
use crate::repositories;
use crate::request::{Plan, Request};
use crate::sysext::{self, Defaults, Ingredients, Installed};
use crate::worker::Worker;

/// Checks that an extension can hold what the package of `spec` does, and that dependencies are such.
///
/// # Errors
/// [`PlanError::Invalid`] for what it cannot.
pub(super) fn check(spec: &TargetSpec, distro: &DebDistro) -> Result<(), PlanError> {
    relation::check(&spec.dependencies.sysext)?;
    let files = placed(&spec.artifacts, &spec.name, distro).into_iter();
    // The files of a pattern are below their directory, whatever they are called.
    let path =
        |placed: &Placed<'_>| if placed.name.is_empty() { join(&placed.dir, "*") } else { placed.path() };
    sysext::check(spec, files.map(|placed| Installed { path: path(&placed), span: placed.span }))
}

/// Returns the plan of the extension for `target`, with packages of `distro`.
///
/// # Errors
/// As [`Package::new`], [`testing::plan`], [`sysext::plan`] and [`repositories::plan`].
pub(super) fn plan(
    request: &Request<'_>,
    distro: &DebDistro,
    worker: Worker,
    target: &str,
    defaults: &Defaults,
) -> Result<Plan, PlanError> {
    let root = worker.root.clone();
    let build = || Package::new(request, distro, worker)?.build();
    let assemble = |packages: &_| testing::plan(request, distro, packages);
    family::extension(request, target, build, assemble, |packages| {
        let group = ProgressGroup::new(format!("{target}: system extension"));
        let tools: Vec<String> = distro.extension_packages.iter().map(|name| (*name).to_owned()).collect();
        let options = options(request, distro, "Install tools for system extensions".into(), group);
        let ingredients = Ingredients {
            target,
            defaults,
            root: &install_names(&root, &tools, &options),
            packages: &installable(packages),
            dependencies: &dependencies(request, &root, options)?,
        };
        sysext::plan(request, &ingredients)
    })
}

/// Returns the packages in `dependencies.sysext`.
fn dependencies(
    request: &Request<'_>,
    root: &State,
    options: InstallOptions<'_>,
) -> Result<State, PlanError> {
    let mut marks = Marks::default();
    let wanted = wanted(&request.spec.dependencies.sysext, architecture(&request.platform), &mut marks);
    let options = InstallOptions {
        name: "Download packages for the system extension".into(),
        locations: marks.location(&request.source_map).into_iter().collect(),
        repositories: repositories::plan(request, &REPOSITORIES, RepositoryUse::Install)?,
        other_suites: true,
        architecture: request.options.foreign.as_ref().map(architecture),
        wanted,
        ..options
    };
    Ok(download(root, &options))
}
