//! What both kinds of container install, and how they ask for it.

use std::collections::BTreeMap;

use dalec_llb::{Copy, File, ProgressGroup, State};
use dalec_spec::target_spec::PackageConstraint;

use super::{CACHE_KEY, keeps_docs};
use crate::deb::architecture::architecture;
use crate::deb::distro::DebDistro;
use crate::deb::install::{InstallOptions, install_names, install_packages, wanted};
use crate::marker::Marks;
use crate::request::Request;
use crate::spec_tests;

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
        install_names(root, names, &InstallOptions { dist_upgrade: true, ..options })
    }

    /// Installs the built packages, the `.deb` files at the top of `packages`.
    pub fn install(&self, root: &State, packages: &State, recommends: bool) -> State {
        let spec = self.request.spec;
        let options = self.options("Install the packages", "Install packages");
        let options = self.naming(&spec.dependencies.runtime, options);
        install_packages(root, packages, &InstallOptions { recommends, ..options })
    }

    /// Installs what the tests need, if tests will run.
    pub fn install_test_dependencies(&self, root: &State) -> State {
        let options = self.options("Install test dependencies", "Install test dependencies");
        let options = self.naming(&self.request.spec.dependencies.test, options);
        let ignore_cache = self.request.options.ignores_cache(spec_tests::CACHE_KEY);
        install_names(root, &self.test_dependencies(), &InstallOptions { ignore_cache, ..options })
    }

    /// Returns the names of the packages that the tests need; none if no tests will run.
    pub fn test_dependencies(&self) -> Vec<String> {
        let spec = self.request.spec;
        if self.request.options.skip_tests || spec.tests.is_empty() {
            return Vec::new();
        }
        spec.dependencies.test.keys().cloned().collect()
    }

    fn options(&self, name: &str, group: &str) -> InstallOptions<'_> {
        InstallOptions {
            distro: self.distro,
            name: name.to_owned(),
            group: ProgressGroup::new(group),
            locations: Vec::new(),
            dist_upgrade: false,
            recommends: false,
            keep_docs: keeps_docs(self.request.spec),
            ignore_cache: self.request.options.ignores_cache(CACHE_KEY),
            wanted: Vec::new(),
        }
    }

    /// Has a failing installation say which entry of `list` cannot be had.
    fn naming<'b>(
        &self,
        list: &BTreeMap<String, PackageConstraint>,
        options: InstallOptions<'b>,
    ) -> InstallOptions<'b> {
        let mut marks = Marks::default();
        let wanted = wanted(list, architecture(&self.request.platform), &mut marks);
        let locations = marks.location(&self.request.source_map).into_iter().collect();
        InstallOptions { wanted, locations, ..options }
    }
}

/// Returns the packages that belong into a container, out of everything that a build yields: not the debug
/// symbols. What else changes there, the source package for example, does not touch the container then.
pub(super) fn installable(packages: &State) -> State {
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
