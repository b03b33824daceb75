//! System extensions of RPM packages.

use dalec_llb::State;
use dalec_spec::target_spec::{RepositoryUse, TargetSpec};

use crate::error::PlanError;
use crate::family;
use crate::marker::Marks;
use crate::repositories;
use crate::request::{Plan, Request};
use crate::rpm::architecture::architecture;
use crate::rpm::container::{self, installable};
use crate::rpm::distro::{REPOSITORIES, RpmDistro};
use crate::rpm::install::{InstallOptions, What, download, into_worker};
use crate::rpm::package::Package;
use crate::rpm::places::{self, Content, Place};
use crate::rpm::relation::{tags, wanted};
use crate::rpm::worker::options;
use crate::sysext::{self, ANYWHERE, Ingredients, Installed};
use crate::worker::Worker;

/// Checks that an extension can hold what the package of `spec` does, and that dependencies are such.
///
/// # Errors
/// [`PlanError::Invalid`] for what it cannot.
pub(super) fn check(spec: &TargetSpec) -> Result<(), PlanError> {
    let list = &spec.dependencies.sysext;
    // There is no one package that stands for such a condition.
    if let Some((name, constraint)) = list.iter().find(|(name, _)| name.starts_with('(')) {
        let message = format!("{name:?} names no package that a system extension could have");
        return Err(PlanError::invalid(message, [constraint.span]));
    }
    tags("Requires", list)?;
    let files = places::all(spec, &spec.name)?.into_iter();
    let files = files.filter(|place| matches!(place.content, Content::Files { .. }));
    sysext::check(spec, files.map(|place| Installed { path: full_path(&place), span: place.span }))
}

/// Returns the path of `place`; what RPM knows by a macro is below `/usr`, but for configuration.
fn full_path(place: &Place<'_>) -> String {
    let root = match place.root.as_str() {
        "%{_sysconfdir}" => "/etc",
        root if root.starts_with('%') => "/usr",
        root => root,
    };
    format!("{root}{}", place.path)
}

/// Returns the plan of the extension for `distro`.
///
/// # Errors
/// As [`Package::new`], [`container::plan`], [`sysext::plan`] and [`repositories::plan`].
pub(super) fn plan(request: &Request<'_>, distro: &RpmDistro, worker: &Worker) -> Result<Plan, PlanError> {
    let build = || Package::new(request, distro)?.build(worker);
    let assemble = |packages: &_| {
        container::plan(request, distro, &worker.root, &container::Content::Packages(packages))
    };
    family::extension(request, distro.key, build, assemble, |packages| {
        let tools: Vec<String> = distro.extension_packages.iter().map(|name| (*name).to_owned()).collect();
        let options = options(request, distro, "Install tools for system extensions", "system extension");
        let root = into_worker(&worker.root, &What::Names(&tools), &options);
        let ingredients = Ingredients {
            target: distro.key,
            defaults: &ANYWHERE,
            root: &root,
            packages: &installable(packages),
            dependencies: &dependencies(request, &root, options)?,
        };
        sysext::plan(request, &ingredients)
    })
}

/// Returns the packages in `dependencies.sysext`.
fn dependencies<'a>(
    request: &'a Request<'_>,
    root: &State,
    options: InstallOptions<'a>,
) -> Result<State, PlanError> {
    let mut marks = Marks::default();
    let list = &request.spec.dependencies.sysext;
    let options = InstallOptions {
        name: "Download packages for the system extension".into(),
        wanted: wanted(list, architecture(&request.platform), &mut marks)?,
        locations: marks.location(&request.source_map).into_iter().collect(),
        repositories: repositories::plan(request, &REPOSITORIES, RepositoryUse::Install)?,
        platform: &request.platform,
        is_foreign: request.options.foreign.is_some(),
        ..options
    };
    Ok(download(root, &options))
}
