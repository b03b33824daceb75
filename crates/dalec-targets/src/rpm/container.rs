//! Containers: packages are installed into an empty root file system, or into the base image of the spec, by the
//! package manager of the worker. There need be no shell and no package manager in it.
//!
//! An empty root starts with what the distribution's containers have (a package `dalec-base-TARGET`). That is an op of
//! its own, so that a changed package starts from there. The package database stays, for scanners.

use std::collections::BTreeMap;

use dalec_llb::{Copy, File, ProgressGroup, State};
use dalec_spec::target_spec::{PackageConstraint, RepositoryUse, TargetSpec};

use crate::containers::{CACHE_KEY, Container, base, symlinks};
use crate::error::PlanError;
use crate::family::Trust;
use crate::marker::Marks;
use crate::repositories::{self, Repositories};
use crate::request::{ImageQuestion, Request};
use crate::rpm::architecture::architecture;
use crate::rpm::distro::{REPOSITORIES, RpmDistro};
use crate::rpm::install::{InstallOptions, What, into_root};
use crate::rpm::meta::Meta;
use crate::rpm::relation::{Wanted, wanted};
use crate::spec_tests;

/// Name of the package that requires what the tests need.
const TEST_DEPENDENCIES: &str = "dalec-test-dependencies";

/// Returns the question for the image that the container starts from; none when it starts from nothing.
///
/// # Errors
/// [`PlanError::Invalid`] if the spec names several base images.
pub(super) fn image(spec: &TargetSpec) -> Result<Option<ImageQuestion>, PlanError> {
    let base = base::of_spec(spec)?;
    Ok(base.map(|base| base::question(base, Vec::new())))
}

/// What a container is for.
pub(super) enum Content<'a> {
    /// The packages in a directory, and what they need.
    Packages(&'a State),
    /// What a package requires that is made for it.
    Dependencies(&'a Meta),
}

/// Returns the container with `content`.
///
/// # Errors
/// As [`image`]; [`PlanError::MissingImage`] if that image was not looked up; [`PlanError::Invalid`] for what cannot be
/// a dependency.
pub(super) fn plan(
    request: &Request<'_>,
    distro: &RpmDistro,
    worker: &State,
    content: &Content<'_>,
) -> Result<Container, PlanError> {
    let spec = request.spec;
    let installer = Installer { request, distro, worker };
    let (start, base) = match (image(spec)?, base::of_spec(spec)?) {
        (Some(question), Some(written)) => {
            let answer = base::start(request, &question, Some(written))?;
            (answer.state, Some(answer.config))
        }
        _ => (installer.base()?, None),
    };
    let installed = installer.install(&start, content)?;
    let root = symlinks::plan_from(request, worker, &installed);
    let test_root = installer.install_test_dependencies(&root)?;
    Ok(Container { root, base, test_root })
}

/// Installs into the root file systems of one container.
struct Installer<'a> {
    request: &'a Request<'a>,
    distro: &'a RpmDistro,
    worker: &'a State,
}

impl Installer<'_> {
    /// Returns what an image of the distribution starts with.
    fn base(&self) -> Result<State, PlanError> {
        let options = InstallOptions {
            trust: Trust::Distribution,
            ..self.options("Install the base of the container", "Prepare container")
        };
        let what = Meta::base(self.distro)?;
        Ok(into_root(self.worker, &State::scratch(), &What::Meta(&what), &options))
    }

    fn install(&self, root: &State, content: &Content<'_>) -> Result<State, PlanError> {
        let options = self.options("Install the packages", "Install packages");
        let (wanted, marks) = self.wanted(&self.request.spec.dependencies.runtime)?;
        let locations = marks.location(&self.request.source_map).into_iter().collect();
        let repositories = repositories::plan(self.request, &REPOSITORIES, RepositoryUse::Install)?;
        let options = InstallOptions { wanted, locations, repositories, ..options };
        Ok(match content {
            Content::Packages(packages) => {
                into_root(self.worker, root, &What::Packages(&installable(packages)), &options)
            }
            Content::Dependencies(meta) => into_root(self.worker, root, &What::Meta(meta), &options),
        })
    }

    /// Installs what the tests need, if tests will run. Version constraints bind.
    fn install_test_dependencies(&self, root: &State) -> Result<State, PlanError> {
        let spec = self.request.spec;
        let (wanted, marks) = self.wanted(&spec.dependencies.test)?;
        if wanted.is_empty() || !self.request.options.runs_tests() || spec.tests.is_empty() {
            return Ok(root.clone());
        }
        let meta = Meta::requiring(TEST_DEPENDENCIES, "what the tests need", &spec.dependencies.test)?;
        let options = InstallOptions {
            wanted,
            locations: marks.location(&self.request.source_map).into_iter().collect(),
            ignore_cache: self.request.options.ignores_cache(spec_tests::CACHE_KEY),
            repositories: repositories::plan(self.request, &REPOSITORIES, RepositoryUse::Test)?,
            ..self.options("Install test dependencies", "Install test dependencies")
        };
        Ok(into_root(self.worker, root, &What::Meta(&meta), &options))
    }

    fn wanted(&self, list: &BTreeMap<String, PackageConstraint>) -> Result<(Vec<Wanted>, Marks), PlanError> {
        let mut marks = Marks::default();
        let wanted = wanted(list, architecture(&self.request.platform), &mut marks)?;
        Ok((wanted, marks))
    }

    /// Returns options for a root with the spec's packages in it.
    fn options(&self, name: &str, group: &str) -> InstallOptions<'_> {
        let artifacts = &self.request.spec.artifacts;
        InstallOptions {
            distro: self.distro,
            platform: &self.request.platform,
            is_foreign: self.request.options.foreign.is_some(),
            is_lenient: false,
            trust: Trust::Spec,
            name: name.to_owned(),
            group: ProgressGroup::new(group),
            locations: Vec::new(),
            keep_docs: !(artifacts.docs.is_empty() && artifacts.manpages.is_empty()),
            ignore_cache: self.request.options.ignores_cache(CACHE_KEY),
            wanted: Vec::new(),
            without_proxies: self.request.options.without_proxies,
            repositories: Repositories::default(),
        }
    }
}

/// Returns the packages that belong into a container, out of everything that a build yields: not the debug symbols.
/// What else changes there, the source package for example, does not touch the container then.
pub(super) fn installable(packages: &State) -> State {
    let copy = Copy {
        contents_only: true,
        include: vec!["**/*.rpm".into()],
        exclude: ["**/*.src.rpm", "**/*-debuginfo-*.rpm", "**/*-debugsource-*.rpm"].map(str::to_owned).into(),
        ..Copy::default()
    };
    let group = ProgressGroup::new("Install packages");
    State::scratch()
        .file(File::new("Choose the packages to install").copy(packages, "/", "/", copy).group(&group))
}
