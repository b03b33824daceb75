//! What a family of distributions (or a single odd target) tells the routes, and what all families have in common.
//!
//! A family lists its routes, each with a `Recipe`. Everything that is asked before a plan is made follows from what
//! a recipe says of itself; the plan is the recipe's own, put together from the functions here where it is made the
//! way of all families: packages that are only good when a container with them passes the spec's tests, and
//! containers with packages that are built or given.

use std::fmt::Debug;

use dalec_llb::State;
use dalec_spec::Platform;
use dalec_spec::target_spec::TargetSpec;

use crate::containers::{self, Container};
use crate::error::PlanError;
use crate::image_config::{self, ImageConfig};
use crate::request::{BaseQuestion, ImageQuestion, Plan, Request};
use crate::worker::{Worker, WorkerQuestion};
use crate::{caches, spec_tests, sysext, unsupported};

/// Cache key that makes source packages anew.
pub const SOURCE_CACHE_KEY: &str = "dalec.srcpkg";
/// Cache key that makes binary packages anew.
pub const BINARY_CACHE_KEY: &str = "dalec.pkg";
/// What takes programs of the platform that a root file system is for.
pub(crate) const SCRIPTS: &str = "the scripts of its packages have to run";

/// How one route is built.
pub(crate) trait Recipe: Debug + Send + Sync {
    /// Returns what of a spec it is made from.
    fn uses(&self) -> Uses;

    /// Returns how to ask for the root file system that it works in, if it needs one.
    fn worker(&self) -> Option<WorkerQuestion>;

    /// Returns what of a spec it is made from where nothing runs programs of the platform that the result is for.
    fn uses_untried(&self) -> Uses {
        Uses { container: false, tests: false, ..self.uses() }
    }

    /// Returns the image that the container for `spec` starts from, if it starts from one; with `foreign`, nothing runs its
    /// programs.
    ///
    /// # Errors
    /// [`PlanError::Invalid`] for a base that cannot be asked for; planning reports it.
    fn base(&self, spec: &TargetSpec, foreign: bool) -> Result<Option<ImageQuestion>, PlanError>;

    /// Checks that `spec` can be built, before anything is looked up for it.
    ///
    /// # Errors
    /// [`PlanError`] for what will not be possible, whatever the answers are.
    fn check(&self, _spec: &TargetSpec) -> Result<(), PlanError> {
        Ok(())
    }

    /// Returns the keys that a spec needs for it.
    fn needs(&self) -> &'static [&'static str] {
        &[]
    }

    /// Returns the platforms to build for, at least one, when the client asks for `asked`, which may be none, and the
    /// machine is a `build`.
    ///
    /// # Errors
    /// [`PlanError::Invalid`] for platforms that cannot be built for together.
    fn platforms(&self, asked: &[Platform], build: &Platform) -> Result<Vec<Platform>, PlanError> {
        Ok(if asked.is_empty() { vec![build.clone()] } else { asked.to_vec() })
    }

    /// Returns whether the steps of the build run on the platform of the machine, whatever the result is for.
    fn is_cross(&self) -> bool {
        false
    }

    /// Returns what of it, made for `spec`, runs programs of the platform that the result is for; none for what can be made
    /// without.
    fn runs(&self, _spec: &TargetSpec) -> Option<&'static str> {
        Some(SCRIPTS)
    }

    /// Returns whether the result is the worker as it is.
    fn is_worker(&self) -> bool {
        false
    }

    /// Returns the images each of which gets a result of its own, for the platform that it is for; none where the
    /// platforms that are built for say how many results there are.
    fn bases(&self, _spec: &TargetSpec) -> Vec<BaseQuestion> {
        Vec::new()
    }

    /// Returns the graph for `request`.
    ///
    /// # Errors
    /// [`PlanError`] for what the request lacks or what cannot be expressed in what is to be built.
    fn plan(&self, request: &Request<'_>) -> Result<Plan, PlanError>;
}

/// Which parts of a spec something is made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Uses {
    /// Sources, patches and build steps.
    pub sources: SourceUse,
    /// The image section, in a container with the packages.
    pub container: bool,
    /// The tests, run in that container.
    pub tests: bool,
}

/// When sources are needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SourceUse {
    /// Never.
    Unused,
    /// Always.
    Used,
    /// Unless a named context brings the packages.
    UnlessPrebuilt,
}

impl Uses {
    /// Nothing but the names of the target.
    pub const NOTHING: Self = Self { sources: SourceUse::Unused, container: false, tests: false };
    /// What is made of the sources alone.
    pub const SOURCES: Self = Self { sources: SourceUse::Used, container: false, tests: false };
    /// Packages that are tested.
    pub const PACKAGES: Self = Self { sources: SourceUse::Used, container: true, tests: true };
    /// A container that is tested.
    pub const CONTAINER: Self = Self { sources: SourceUse::UnlessPrebuilt, container: true, tests: true };
}

/// Whose programs run as root while packages are installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// The distribution's alone, verified by signatures.
    Distribution,
    /// What a spec builds or names too: maintainer scripts, files already in the root, a base image.
    Spec,
}

/// What was built.
pub struct Built {
    /// Binary packages, those with debug symbols too.
    pub packages: State,
    /// Every file of the source and binary packages.
    pub everything: State,
    /// What a signer gets; none when the packages are signed.
    pub to_sign: Option<State>,
}

/// Returns the plan of a worker.
pub(crate) fn worker(request: &Request<'_>, worker: Worker) -> Plan {
    let config = ImageConfig { config: worker.config.config, ..platform_only(request) };
    Plan { result: worker.root, config: Some(config), ..Plan::default() }
}

/// Returns the plan of files that nothing is done with.
pub(crate) fn files(request: &Request<'_>, result: State) -> Plan {
    Plan { result, config: Some(platform_only(request)), ..Plan::default() }
}

/// Returns the plan of packages: they are only good when `container`, which has them, can be made and passes the
/// spec's tests.
///
/// # Errors
/// As [`spec_tests::plan`].
pub(crate) fn packages(
    request: &Request<'_>,
    built: Built,
    container: impl FnOnce(&State) -> Result<Container, PlanError>,
) -> Result<Plan, PlanError> {
    Ok(Plan {
        requires: tried(request, || container(&built.packages))?,
        result: built.everything,
        to_sign: built.to_sign,
        config: Some(platform_only(request)),
        warnings: warnings(request),
        ..Plan::default()
    })
}

/// Returns what must be built to know that packages are good: a container with them, and the spec's tests. Nothing where
/// the container's programs do not run.
fn tried(
    request: &Request<'_>,
    container: impl FnOnce() -> Result<Container, PlanError>,
) -> Result<Vec<State>, PlanError> {
    if request.options.foreign.is_some() {
        return Ok(Vec::new());
    }
    let container = container()?;
    let mut requires = spec_tests::plan(request, &container)?;
    requires.push(container.root);
    Ok(requires)
}

/// Returns the plan of a container for the target `key`, which `assemble` makes from what `build` builds or from the
/// packages that a named context brings.
///
/// # Errors
/// Those of `build` and `assemble`; as [`spec_tests::plan`] and [`image_config::for_container`].
pub(crate) fn container(
    request: &Request<'_>,
    key: &str,
    build: impl FnOnce() -> Result<Built, PlanError>,
    assemble: impl FnOnce(&State) -> Result<Container, PlanError>,
) -> Result<Plan, PlanError> {
    let Packages { packages, to_sign, warnings } = built_or_given(request, key, build)?;
    let container = assemble(&packages)?;
    let requires = spec_tests::plan(request, &container)?;
    Ok(Plan { requires, to_sign, warnings, ..untested_container(request, container)? })
}

/// Returns the plan of a system extension for the target `key`, which `make` makes from what `build` builds or from the
/// packages that a named context brings. It is only good when `assemble` can make a container of them that passes the
/// spec's tests.
///
/// # Errors
/// Those of `build`, `assemble` and `make`; as [`spec_tests::plan`].
pub(crate) fn extension(
    request: &Request<'_>,
    key: &str,
    build: impl FnOnce() -> Result<Built, PlanError>,
    assemble: impl FnOnce(&State) -> Result<Container, PlanError>,
    make: impl FnOnce(&State) -> Result<State, PlanError>,
) -> Result<Plan, PlanError> {
    let Packages { packages, to_sign, mut warnings } = built_or_given(request, key, build)?;
    warnings.extend(sysext::warnings(request.spec));
    let requires = tried(request, || assemble(&packages))?;
    let config = Some(platform_only(request));
    Ok(Plan { result: make(&packages)?, requires, to_sign, config, warnings, ..Plan::default() })
}

/// Packages, wherever they are from.
struct Packages {
    packages: State,
    to_sign: Option<State>,
    warnings: Vec<String>,
}

/// Returns what `build` builds, or the packages that a named context brings for the target `key`.
fn built_or_given(
    request: &Request<'_>,
    key: &str,
    build: impl FnOnce() -> Result<Built, PlanError>,
) -> Result<Packages, PlanError> {
    let mut warnings = warnings(request);
    if let Some(prebuilt) = containers::prebuilt(request.answers, key) {
        warnings.push(prebuilt.warning);
        return Ok(Packages { packages: prebuilt.packages, to_sign: None, warnings });
    }
    unsupported::check_sources(request.spec)?;
    let built = build()?;
    Ok(Packages { packages: built.packages, to_sign: built.to_sign, warnings })
}

/// Returns the plan of a container in which no tests run.
///
/// # Errors
/// As [`image_config::for_container`].
pub(crate) fn untested_container(request: &Request<'_>, container: Container) -> Result<Plan, PlanError> {
    let config =
        image_config::for_container(container.base.as_ref(), &request.platform, &request.spec.image)?;
    let base_config = container.base;
    Ok(Plan { result: container.root, config: Some(config), base_config, ..Plan::default() })
}

pub(crate) fn warnings(request: &Request<'_>) -> Vec<String> {
    let mut warnings: Vec<String> = spec_tests::skip_warning(request).into_iter().collect();
    warnings.extend(unsupported::warnings(request.spec));
    warnings.extend(caches::warnings(request));
    warnings
}

/// Results that are no images still say which platform they are for.
fn platform_only(request: &Request<'_>) -> ImageConfig {
    let platform = request.platform.clone();
    ImageConfig {
        os: platform.os,
        architecture: platform.architecture,
        variant: platform.variant,
        ..ImageConfig::default()
    }
}
