//! What both kinds of container install, and how they ask for it.

use std::collections::BTreeMap;

use dalec_llb::{Copy, File, ProgressGroup, State};
use dalec_spec::target_spec::{Artifacts, Directories, PackageConstraint, RepositoryUse};

use super::{CACHE_KEY, keeps_docs};
use crate::deb::architecture::architecture;
use crate::deb::distro::{DebDistro, REPOSITORIES};
use crate::deb::install::{
    Account, InstallOptions, install_beside, install_names, install_packages, install_wanted, wanted,
};
use crate::deb::layout;
use crate::deb::relation;
use crate::error::PlanError;
use crate::family::Trust;
use crate::marker::Marks;
use crate::repositories::{self, Repositories};
use crate::request::Request;
use crate::spec_tests;

/// Name of the package that depends on what the tests need.
const TEST_DEPENDENCIES: &str = "dalec-test-deps";

/// Installs into the root file systems of one container.
#[derive(Debug, Clone, Copy)]
pub(super) struct Installer<'a> {
    pub request: &'a Request<'a>,
    pub distro: &'a DebDistro,
}

impl Installer<'_> {
    /// Upgrades `root` and installs `names`: what does not depend on the built packages.
    pub fn prepare(&self, root: &State, names: &[String]) -> State {
        let options = self.options("Upgrade the container's base", "Prepare container");
        // A base image of the spec is not the distribution's word.
        let stock = self.request.spec.image.bases.is_empty();
        let trust = if stock { Trust::Distribution } else { options.trust };
        install_names(
            root,
            names,
            &InstallOptions { dist_upgrade: true, trust, other_suites: false, ..options },
        )
    }

    /// Installs the built packages, the `.deb` files at the top of `packages`.
    ///
    /// # Errors
    /// As [`repositories::plan`].
    pub fn install(&self, root: &State, packages: &State, recommends: bool) -> Result<State, PlanError> {
        Ok(install_packages(root, packages, &InstallOptions { recommends, ..self.of_packages()? }))
    }

    /// Returns a root file system with the packages in it that the programs of `worker` make, for an architecture whose own
    /// do not run.
    ///
    /// # Errors
    /// As [`repositories::plan`].
    pub fn install_beside(&self, worker: &State, packages: &State) -> Result<State, PlanError> {
        let architecture = Some(architecture(&self.request.platform));
        Ok(install_beside(worker, packages, &InstallOptions { architecture, ..self.of_packages()? }))
    }

    /// Returns options for the built packages, whose installation says what of the spec it fails for.
    fn of_packages(&self) -> Result<InstallOptions<'_>, PlanError> {
        let spec = self.request.spec;
        let options = self.options("Install the packages", "Install packages");
        let mut marks = Marks::default();
        let accounts = accounts(&spec.artifacts, self.distro, &mut marks);
        let options = InstallOptions { accounts, ..options };
        let repositories = repositories::plan(self.request, &REPOSITORIES, RepositoryUse::Install)?;
        Ok(InstallOptions { repositories, ..self.naming(&spec.dependencies.runtime, marks, options) })
    }

    /// Installs what the tests need, if tests will run. Version constraints bind.
    ///
    /// # Errors
    /// [`PlanError::Invalid`] for what cannot be a dependency.
    pub fn install_test_dependencies(&self, root: &State) -> Result<State, PlanError> {
        if self.test_dependencies().is_empty() {
            return Ok(root.clone());
        }
        relation::check(&self.request.spec.dependencies.test)?;
        let options = self.options("Install test dependencies", "Install test dependencies");
        let options = self.naming(&self.request.spec.dependencies.test, Marks::default(), options);
        let ignore_cache = self.request.options.ignores_cache(spec_tests::CACHE_KEY);
        let repositories = repositories::plan(self.request, &REPOSITORIES, RepositoryUse::Test)?;
        let options = InstallOptions { ignore_cache, repositories, ..options };
        Ok(install_wanted(root, TEST_DEPENDENCIES, architecture(&self.request.platform), &options))
    }

    /// Returns the names of the packages that the tests need on this platform; none if no tests will run.
    pub fn test_dependencies(&self) -> Vec<String> {
        let spec = self.request.spec;
        if !self.request.options.runs_tests() || spec.tests.is_empty() {
            return Vec::new();
        }
        relation::names_on_architecture(&spec.dependencies.test, architecture(&self.request.platform))
    }

    /// Returns options for a root with the spec's packages in it.
    fn options(&self, name: &str, group: &str) -> InstallOptions<'_> {
        InstallOptions {
            distro: self.distro,
            trust: Trust::Spec,
            name: name.to_owned(),
            group: ProgressGroup::new(group),
            locations: Vec::new(),
            dist_upgrade: false,
            recommends: false,
            keep_docs: keeps_docs(self.request.spec),
            ignore_cache: self.request.options.ignores_cache(CACHE_KEY),
            wanted: Vec::new(),
            accounts: Vec::new(),
            without_proxies: self.request.options.without_proxies,
            of_other: None,
            architecture: None,
            other_suites: true,
            repositories: Repositories::default(),
        }
    }

    /// Has a failing installation say which entry of `list` cannot be had; `marks` are those that `options` have already.
    fn naming<'b>(
        &self,
        list: &BTreeMap<String, PackageConstraint>,
        mut marks: Marks,
        options: InstallOptions<'b>,
    ) -> InstallOptions<'b> {
        let wanted = wanted(list, architecture(&self.request.platform), &mut marks);
        let locations = marks.location(&self.request.source_map).into_iter().collect();
        InstallOptions { wanted, locations, ..options }
    }
}

/// Returns the users and groups by whose names files go to them and whom the package does not create, root aside.
fn accounts(artifacts: &Artifacts, distro: &DebDistro, marks: &mut Marks) -> Vec<Account> {
    let placed = layout::placed(artifacts, "", distro);
    let files = placed.iter().map(|placed| (placed.user, placed.group, placed.span));
    let Directories { config, state } = &artifacts.directories;
    let directories = config.values().chain(state.values());
    let directories = directories.map(|dir| (dir.user.as_str(), dir.group.as_str(), dir.span));
    let links = artifacts.links.iter().map(|link| (link.user.as_str(), link.group.as_str(), link.span));
    let mut accounts: Vec<Account> = Vec::new();
    for (user, group, span) in files.chain(directories).chain(links) {
        for (database, name) in [("passwd", user), ("group", group)] {
            // A new user comes with a group of that name.
            let mut created =
                artifacts.users.iter().chain(if database == "group" { &artifacts.groups[..] } else { &[] });
            // A number needs no account; neither does no name at all.
            let is_number = name.bytes().all(|byte| byte.is_ascii_digit());
            let is_known = is_number || name == "root" || created.any(|created| created == name);
            if !is_known
                && !accounts.iter().any(|known| (known.database, known.name.as_str()) == (database, name))
            {
                accounts.push(Account { database, name: name.to_owned(), mark: marks.mark(span) });
            }
        }
    }
    accounts
}

/// Returns the packages that belong into a container, out of everything that a build yields: not the debug
/// symbols. What else changes there, the source package for example, does not touch the container then.
pub(crate) fn installable(packages: &State) -> State {
    let copy = Copy {
        contents_only: true,
        include: vec!["*.deb".into()],
        exclude: vec!["*-dbgsym_*.deb".into()],
        ..Copy::default()
    };
    let group = ProgressGroup::new("Install packages");
    State::scratch()
        .file(File::new("Choose the packages to install").copy(packages, "/", "/", copy).group(&group))
}
