//! The minimal container: the packages, what they depend on, and nothing else.
//!
//! Packages are installed by the apt of an ordinary base image, so that every maintainer script finds what it
//! may count on. Then what they do not need is purged: first from inside, by the packages' own scripts; then
//! from the worker, because the last to go are the shell and dpkg. What remains becomes one layer with its
//! package database (`/var/lib/dpkg`) kept, for scanners.
//!
//! A base image of the spec keeps everything that it brought; it must have an apt.

use dalec_llb::{Copy, Exec, File, Mount, Network, ProgressGroup, State};
use dalec_spec::target_spec::{BaseImage, TargetSpec};

use super::install::{Installer, installable};
use super::{CACHE_KEY, Container, base, keeps_docs, symlinks};
use crate::deb::distro::DebDistro;
use crate::error::PlanError;
use crate::image_config::PATH;
use crate::locate::locate;
use crate::request::{ImageAnswer, ImageQuestion, Request};

const KEEP: &str = include_str!("scripts/keep.sh");
const PURGE: &str = include_str!("scripts/purge.sh");
const CLEAN: &str = include_str!("scripts/clean.sh");
const CHECK_BASE: &str = include_str!("scripts/check-base.sh");

/// Where the worker sees the container.
const ROOT: &str = "/run/dalec/root";
/// Where scripts see the built packages.
const PACKAGES: &str = "/run/dalec/packages";
/// Where scripts see the base image of the spec.
const BASE: &str = "/run/dalec/base";

/// Maintainer scripts make users with it. It stays only where a package depends on it.
const FOR_SCRIPTS: &str = "passwd";

/// Returns the question for the image that the container starts from.
///
/// # Errors
/// [`PlanError::Invalid`] if the spec names several base images.
pub fn image(spec: &TargetSpec, distro: &DebDistro) -> Result<ImageQuestion, PlanError> {
    let packages = vec![FOR_SCRIPTS.to_owned()];
    Ok(match base::of_spec(spec)? {
        Some(written) => base::question(written, packages),
        None => ImageQuestion { reference: distro.image.to_owned(), packages, of_result: true },
    })
}

/// Returns the container with `packages`, a directory with `.deb` files at its top, and what they depend on.
///
/// Test dependencies come with what they depend on themselves: tests run in the container plus exactly that.
///
/// # Errors
/// As [`image`]; [`PlanError::MissingImage`] if that image was not looked up; [`PlanError::Invalid`] for a test
/// dependency that cannot be one.
pub fn plan(
    request: &Request<'_>,
    distro: &DebDistro,
    worker: &State,
    packages: &State,
) -> Result<Container, PlanError> {
    if request.options.foreign.is_some() {
        return plan_beside(request, distro, worker, packages);
    }
    let spec_base = base::of_spec(request.spec)?;
    let question = image(request.spec, distro)?;
    let answer = base::start(request, &question, spec_base)?;
    let installer = Installer { request, distro };
    let packages = installable(packages);
    let start = start(request, worker, spec_base, &answer);
    let prepared =
        if answer.has_packages { start } else { installer.prepare(&start, &[FOR_SCRIPTS.to_owned()]) };
    let installed = installer.install(&prepared, &packages, false)?;
    let linked = symlinks::plan(request, &installed);

    let shrink = Shrink { request, worker, packages: &packages, base: spec_base.map(|_| &answer.state) };
    let small = shrink.run(&linked, &[]);
    let extra = installer.test_dependencies();
    let test_root = if extra.is_empty() {
        small.clone()
    } else {
        shrink.run(&installer.install_test_dependencies(&linked)?, &extra)
    };
    let base = spec_base.map(|_| {
        let mut config = answer.config.clone();
        config.reset_layers();
        config
    });
    Ok(Container { root: squash(&small), base, test_root })
}

/// Returns the container for a platform whose programs do not run here: packages are installed by the programs of `worker`,
/// nothing besides them, and tests run in none.
fn plan_beside(
    request: &Request<'_>,
    distro: &DebDistro,
    worker: &State,
    packages: &State,
) -> Result<Container, PlanError> {
    let packages = installable(packages);
    let installed = Installer { request, distro }.install_beside(worker, &packages)?;
    let linked = symlinks::plan_from(request, worker, &installed);
    let shrink = Shrink { request, worker, packages: &packages, base: None };
    let root = squash(&shrink.clean(&linked, &[]));
    Ok(Container { test_root: root.clone(), root, base: None })
}

/// Returns the root file system to install into; a base image of the spec is checked for what that takes.
fn start(
    request: &Request<'_>,
    worker: &State,
    spec_base: Option<&BaseImage>,
    answer: &ImageAnswer,
) -> State {
    let Some(written) = spec_base else { return answer.state.clone() };
    let check = Exec::new(["/bin/sh", "-c", CHECK_BASE, "check-base", written.reference()])
        .env("PATH", PATH)
        .network(Network::None)
        .name(format!("Check the base image {}", written.reference()))
        .at(locate(&request.source_map, [written.rootfs.span]))
        .mount(Mount::bind(ROOT, &answer.state));
    worker.run(check).output(ROOT)
}

/// Takes away what is not needed.
struct Shrink<'a> {
    request: &'a Request<'a>,
    worker: &'a State,
    packages: &'a State,
    base: Option<&'a State>,
}

impl Shrink<'_> {
    /// Returns `root` with the built packages, the packages called `extra` and what they depend on.
    fn run(&self, root: &State, extra: &[String]) -> State {
        let purge = self.exec("Purge what is not needed", PURGE, "purge", &[], extra);
        self.clean(&root.run(purge).root(), extra)
    }

    /// Does what takes no programs of `root`.
    fn clean(&self, root: &State, extra: &[String]) -> State {
        let keep_docs = keeps_docs(self.request.spec).then_some("--keep-docs");
        let clean = self.exec("Remove the packaging tools", CLEAN, "clean", keep_docs.as_slice(), extra);
        self.worker.run(clean.mount(Mount::bind(ROOT, root))).output(ROOT)
    }

    fn exec(&self, name: &str, script: &str, command: &str, flags: &[&str], extra: &[String]) -> Exec {
        let mut args = vec!["/bin/sh".to_owned(), "-c".to_owned(), format!("{KEEP}\n{script}")];
        args.push(command.to_owned());
        args.extend(flags.iter().map(|flag| (*flag).to_owned()));
        args.extend(extra.iter().cloned());
        let base = self.base.map(|base| Mount::bind(BASE, base).readonly());
        Exec::new(args)
            .env("PATH", PATH)
            .network(Network::None)
            .name(name)
            .group(&group())
            .ignore_cache(self.request.options.ignores_cache(CACHE_KEY))
            .mount(Mount::bind(PACKAGES, self.packages).readonly())
            .mounts(base)
    }
}

/// Returns the content of `root` as one layer.
fn squash(root: &State) -> State {
    let copy = Copy { contents_only: true, ..Copy::default() };
    let file = File::new("Make one layer of the container").copy(root, "/", "/", copy).group(&group());
    State::scratch().file(file)
}

fn group() -> ProgressGroup {
    ProgressGroup::new("Shrink container")
}
