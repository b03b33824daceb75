//! Installing packages with a worker's dnf, into the worker itself or into a root file system beside it.
//!
//! Nothing here decides what to install. Package lists and downloads stay in caches, not in the result.

use dalec_llb::{Exec, Location, Mount, Platform, ProgressGroup, State};

use crate::family::Trust;
use crate::image_config::PATH;
use crate::proxies;
use crate::repositories::Repositories;
use crate::rpm::architecture::architecture;
use crate::rpm::distro::RpmDistro;
use crate::rpm::meta::Meta;
use crate::rpm::relation::Wanted;
use crate::worker::ca_bundle;

const SCRIPT: &str = concat!(
    include_str!("../proxies.sh"),
    "\n",
    include_str!("scripts/download.sh"),
    "\n",
    include_str!("scripts/install.sh"),
    "\n",
    include_str!("scripts/clean.sh")
);

/// Where the packages to install are mounted.
const PACKAGES: &str = "/run/dalec/packages";
/// Where the spec file of a package without files is mounted.
const META: &str = "/run/dalec/meta.spec";
/// Where packages go that are not installed.
const DOWNLOADS: &str = "/run/dalec/downloads";
/// Where another root file system is mounted.
const ROOT: &str = "/run/dalec/root";
/// Where that root file system is as it was.
const BEFORE: &str = "/run/dalec/before";

/// What is installed.
#[derive(Debug, Clone)]
pub(super) enum What<'a> {
    /// Packages by name; no names change nothing.
    Names(&'a [String]),
    /// Every package in a directory, but for sources and debug symbols.
    Packages(&'a State),
    /// A package without files, made on the spot, for what it depends on.
    Meta(&'a Meta),
}

/// How packages are installed.
#[derive(Debug, Clone)]
pub(super) struct InstallOptions<'a> {
    /// Distribution of the worker and the root file system.
    pub distro: &'a RpmDistro,
    /// Platform of what is installed.
    pub platform: &'a Platform,
    /// Whether nothing here runs programs for it, those of the worker aside, which is for the machine.
    pub is_foreign: bool,
    /// Goes on where scripts of packages cannot run.
    pub is_lenient: bool,
    /// Whose programs run as root in it, now or before.
    pub trust: Trust,
    /// Words to show while it runs.
    pub name: String,
    /// Phase it belongs to.
    pub group: ProgressGroup,
    /// What in the spec asked for it; with `wanted`, the location of its marks alone.
    pub locations: Vec<Location>,
    /// Install documentation too.
    pub keep_docs: bool,
    /// Run even when the result is known.
    pub ignore_cache: bool,
    /// Dependencies to name when they turn out not to be installable.
    pub wanted: Vec<Wanted>,
    /// Leave proxies to the package manager's own ways.
    pub without_proxies: bool,
    /// Repositories besides the distribution's.
    pub repositories: Repositories,
}

impl InstallOptions<'_> {
    /// Returns the caches of an installation into `root`.
    fn caches(&self, root: &str) -> Vec<Mount> {
        self.distro.package_caches(root, self.platform, self.repositories.trust(self.trust))
    }
}

/// Returns `root` after an installation into itself.
pub(super) fn into_worker(root: &State, what: &What<'_>, options: &InstallOptions<'_>) -> State {
    if matches!(what, What::Names([])) {
        return root.clone();
    }
    root.run(exec(what, &[], options).mounts(options.caches(""))).root()
}

/// Returns `root` after an installation into it by the package manager of `worker`, and without its traces.
pub(super) fn into_root(
    worker: &State,
    root: &State,
    what: &What<'_>,
    options: &InstallOptions<'_>,
) -> State {
    let exec = exec(what, &["--root", ROOT], options)
        .mount(Mount::bind(BEFORE, root).readonly())
        .mount(Mount::bind(ROOT, root))
        .mounts(options.caches(ROOT));
    worker.run(exec).output(ROOT)
}

/// Returns a directory with the packages that are wanted, without what they need; `worker` stays as it is.
pub(super) fn download(worker: &State, options: &InstallOptions<'_>) -> State {
    if options.wanted.is_empty() {
        return State::scratch();
    }
    let flags = ["--download", DOWNLOADS, architecture(options.platform)];
    let exec = exec(&What::Names(&[]), &flags, options).mounts(options.caches(""));
    worker.run(exec.mount(Mount::output(DOWNLOADS))).output(DOWNLOADS)
}

fn exec(what: &What<'_>, flags: &[&str], options: &InstallOptions<'_>) -> Exec {
    let distro = options.distro;
    let head = ["/bin/sh", "-c", SCRIPT, "install", "--manager", distro.manager.program()];
    let mut args: Vec<String> =
        head.into_iter().chain(["--release", distro.release]).map(str::to_owned).collect();
    args.extend(flags.iter().map(|flag| (*flag).to_owned()));
    if options.is_foreign {
        args.extend(["--force-architecture", architecture(options.platform)].map(str::to_owned));
    }
    if options.is_lenient {
        args.push("--lenient".to_owned());
    }
    if options.keep_docs {
        args.push("--keep-docs".to_owned());
    }
    for wanted in &options.wanted {
        args.extend(["--wanted", &wanted.mark, &wanted.relation].map(str::to_owned));
    }
    for key in &options.repositories.keys {
        args.extend(["--key", key].map(str::to_owned));
    }
    if !options.repositories.is_empty() {
        args.push("--refresh".to_owned());
    }
    let mut mounts = vec![ca_bundle()];
    mounts.extend(options.repositories.mounts.iter().cloned());
    match what {
        What::Names(_) => {}
        What::Packages(packages) => {
            args.extend(["--directory", PACKAGES].map(str::to_owned));
            mounts.push(Mount::bind(PACKAGES, packages).readonly());
        }
        What::Meta(meta) => {
            args.extend(["--meta", META].map(str::to_owned));
            mounts.push(Mount::bind(META, &meta.state()).selector("/meta.spec").readonly());
        }
    }
    args.push("--".to_owned());
    if let What::Names(names) = what {
        args.extend(names.iter().cloned());
    }
    Exec::new(args)
        .env("PATH", PATH)
        .env("HOME", "/root")
        .envs(proxies::environment(options.without_proxies))
        .name(&options.name)
        .group(&options.group)
        .at(options.locations.clone())
        .ignore_cache(options.ignore_cache)
        .mounts(mounts)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_script_is_one() {
        let checked = std::process::Command::new("sh").args(["-n", "-c", super::SCRIPT]).status();
        assert!(checked.expect("a shell").success());
    }
}
