//! Installing packages into a root file system with its own apt.
//!
//! Nothing here decides what to install. Package lists and downloads stay in caches, not in the result.

use std::collections::BTreeMap;

use dalec_llb::{Exec, Location, Mount, ProgressGroup, Secret, State};
use dalec_spec::target_spec::PackageConstraint;

use crate::deb::distro::DebDistro;
use crate::deb::names::Names;
use crate::deb::relation;
use crate::marker::Marks;

const SCRIPT: &str = include_str!("scripts/install.sh");

/// Where the packages to install are mounted.
const PACKAGES: &str = "/run/dalec/packages";

/// Search path of every process that is run in a Debian root.
pub const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// How packages are installed.
#[derive(Debug, Clone)]
pub struct InstallOptions<'a> {
    /// Distribution of the root file system.
    pub distro: &'a DebDistro,
    /// Words to show while it runs.
    pub name: String,
    /// Phase it belongs to.
    pub group: ProgressGroup,
    /// What in the spec asked for it; with `wanted`, the location of its marks alone.
    pub locations: Vec<Location>,
    /// Upgrade what is installed first.
    pub dist_upgrade: bool,
    /// Install what the packages recommend too.
    pub recommends: bool,
    /// Keep documentation even where the image leaves it out.
    pub keep_docs: bool,
    /// Run even when the result is known.
    pub ignore_cache: bool,
    /// Dependencies to name when they turn out not to be installable.
    pub wanted: Vec<Wanted>,
}

/// A dependency that can be named when it turns out not to be installable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// In the form of a Debian relation field, for example `libfoo-dev (>= 1.2)`.
    pub relation: String,
    /// What a line about it starts with; see [`crate::marker`].
    pub mark: String,
}

/// Returns the dependencies of `list` that hold on `architecture` (Debian's name), with their places in `marks`.
pub fn wanted(
    list: &BTreeMap<String, PackageConstraint>,
    architecture: &str,
    marks: &mut Marks,
) -> Vec<Wanted> {
    let relations = relation::on_architecture(list, architecture).into_iter();
    relations.map(|(relation, span)| Wanted { relation, mark: marks.mark(span) }).collect()
}

/// Returns `root` after the installation of every `.deb` file at the top of `debs`, but for debug symbols.
pub fn install_packages(root: &State, debs: &State, options: &InstallOptions<'_>) -> State {
    let mount = Mount::bind(PACKAGES, debs).readonly();
    run(root, &["--directory", PACKAGES], &[], options, vec![mount])
}

/// Returns `root` after the installation of packages by name; no names change nothing.
pub fn install_names(root: &State, names: &[String], options: &InstallOptions<'_>) -> State {
    if names.is_empty() {
        return root.clone();
    }
    run(root, &[], names, options, Vec::new())
}

/// Returns `root` after the installation of a package `NAME-build-deps` that depends on all that is wanted.
pub(super) fn install_build_dependencies(
    root: &State,
    names: &Names,
    architecture: &str,
    options: &InstallOptions<'_>,
) -> State {
    let relations: Vec<&str> = options.wanted.iter().map(|wanted| wanted.relation.as_str()).collect();
    let package = format!("{}-build-deps", names.package());
    let flags = ["--meta", &package, &names.version(), architecture, &relations.join(", ")];
    run(root, &flags, &[], options, Vec::new())
}

fn run(
    root: &State,
    what: &[&str],
    names: &[String],
    options: &InstallOptions<'_>,
    mounts: Vec<Mount>,
) -> State {
    let mut args: Vec<String> = ["/bin/sh", "-c", SCRIPT, "install"].map(str::to_owned).into();
    args.extend(what.iter().map(|arg| (*arg).to_owned()));
    let mut flag = |set: bool, name: &str| {
        if set {
            args.push(name.to_owned());
        }
    };
    flag(options.dist_upgrade, "--upgrade");
    flag(options.recommends, "--recommends");
    flag(options.keep_docs, "--keep-docs");
    for wanted in &options.wanted {
        args.extend(["--wanted", &wanted.mark, &wanted.relation].map(str::to_owned));
    }
    args.push("--".to_owned());
    args.extend(names.iter().cloned());
    let exec = Exec::new(args)
        .env("PATH", PATH)
        .name(&options.name)
        .group(&options.group)
        .at(options.locations.clone())
        .ignore_cache(options.ignore_cache)
        .mounts(options.distro.apt_caches())
        .mount(ca_bundle())
        .mounts(mounts);
    root.run(exec).root()
}

/// The certificates that the host trusts besides the usual ones; a client need not give them.
fn ca_bundle() -> Mount {
    let secret = Secret { id: "dalec.ca-bundle".into(), optional: true, mode: 0o444 };
    Mount::secret("/run/secrets/dalec.ca-bundle", secret)
}
