//! Turns an unpacked root into an installed one: which commands are to be run inside, in order.
//!
//! Nothing is run here: the caller has a sandbox for that. As the packages were unpacked without
//! their `preinst` scripts, these come first; then dpkg configures all packages, those of the
//! minimal set before the others. At last whatever would differ from one run to the next is
//! removed.

use std::path::Path;

use crate::assemble::Unpacked;
use crate::error::{BootstrapError, Cause};
use crate::recipe::{Package, Recipe};
use crate::tidy;
use crate::tree::{Attributes, Tree};
use crate::unpack::UnpackOptions;

/// Days in `/etc/shadow` and the like are taken from here: the same date as for build sources.
const EPOCH: &str = "315619200";

/// What packages ask, where the default is not for builds.
///
/// An index of all manual pages takes seconds to make, now and after each later installation,
/// and nobody searches them in a build.
const ANSWERS: &[(&str, &str)] = &[("man-db", "man-db man-db/auto-update boolean false")];

/// The package whose `preinst` makes `/etc/passwd`.
const USERS: &str = "base-passwd";

/// Programs that scripts find before the real ones while packages are configured.
///
/// `ischroot` looks for another root above this one, and in a sandbox there is none to be seen;
/// without its yes, `libc6` asks an init that is not there to start anew, and waits for it.
const STAND_INS: &[(&str, &str)] = &[("ischroot", "#!/bin/sh\nexit 0\n")];
const STAND_IN_DIRECTORY: &str = "run/bootstrap";

/// A command to be run with the root as its `/`, as the superuser, in `/`, without input.
///
/// It needs `/proc` and a `/dev` with the usual `null`, `zero`, `urandom` and `fd`; no network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RootCommand {
    /// What it is for, such as `configure the packages`.
    pub purpose: &'static str,
    /// The program, with its path inside the root, and its arguments.
    pub args: Vec<String>,
    /// The whole environment.
    pub env: Vec<(String, String)>,
}

/// Configures all packages of an unpacked root; `run` runs one command inside it.
///
/// # Errors
/// [`BootstrapError::Command`] with what `run` reported, which ends everything, and
/// [`BootstrapError::Io`] if the root cannot be tidied up.
pub fn configure(
    recipe: &Recipe,
    root: &Path,
    unpacked: Unpacked,
    options: UnpackOptions,
    run: &mut dyn FnMut(&RootCommand) -> Result<(), Cause>,
) -> Result<(), BootstrapError> {
    let tree = Tree::open(root, options.map_ids).map_err(BootstrapError::io("open", root))?;
    put_stand_ins(&tree)?;
    for command in commands(recipe, &tree) {
        run(&command)
            .map_err(|source| BootstrapError::Command { what: command.purpose.to_owned(), source })?;
    }
    tidy::tidy(&tree, STAND_IN_DIRECTORY, unpacked.newest)
}

fn put_stand_ins(tree: &Tree) -> Result<(), BootstrapError> {
    for (name, content) in STAND_INS {
        let path = format!("{STAND_IN_DIRECTORY}/{name}").into_bytes();
        let attributes = Attributes { mode: 0o755, ..Attributes::file() };
        tree.put(&path, attributes, content.as_bytes())
            .map_err(BootstrapError::io("write", tree.host_path(&path)))?;
    }
    Ok(())
}

fn commands(recipe: &Recipe, tree: &Tree) -> Vec<RootCommand> {
    let mut commands = Vec::new();
    let script = preparation_script(recipe, tree);
    if !script.is_empty() {
        commands.push(command("prepare the packages", ["/bin/sh", "-ec", &script]));
    }
    let dpkg = ["/usr/bin/dpkg", "--force-confold", "--force-unsafe-io", "--no-triggers", "--configure"];
    let names = recipe.packages.iter().map(|package| package.name.as_str());
    commands.push(command("configure the packages", dpkg.into_iter().chain(names)));
    commands.push(command(
        "process the triggers",
        ["/usr/bin/dpkg", "--force-unsafe-io", "--triggers-only", "--pending"],
    ));
    commands
}

fn command<'a>(purpose: &'static str, args: impl IntoIterator<Item = &'a str>) -> RootCommand {
    let env = [
        ("PATH", "/run/bootstrap:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
        ("HOME", "/root"),
        ("LC_ALL", "C.UTF-8"),
        ("DEBIAN_FRONTEND", "noninteractive"),
        ("DEBCONF_NONINTERACTIVE_SEEN", "true"),
        ("DEBCONF_NOWARNINGS", "yes"),
        ("SOURCE_DATE_EPOCH", EPOCH),
        ("PYTHONHASHSEED", "0"),
    ];
    RootCommand {
        purpose,
        args: args.into_iter().map(str::to_owned).collect(),
        env: env.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
    }
}

/// Returns a shell script that runs every `preinst`, in the order of installation.
///
/// They see the files of their package already, which none of them minds on a first installation:
/// what they do then is make `/etc/passwd`, register diversions and remember that they were here.
/// After them come answers to questions that packages would ask.
fn preparation_script(recipe: &Recipe, tree: &Tree) -> String {
    let Ok(info) = tree.directory(b"var/lib/dpkg/info") else { return String::new() };
    let dpkg = recipe.packages.iter().find(|package| package.name == "dpkg");
    let version = dpkg.map_or("", |package| package.version.as_str());
    let mut script = String::new();
    // The others may ask who they are, so users come before everything else.
    let (users, others): (Vec<&Package>, Vec<&Package>) =
        recipe.packages.iter().partition(|package| package.name == USERS);
    for package in users.into_iter().chain(others) {
        let Package { name, architecture, .. } = package;
        let qualified = format!("{name}:{architecture}");
        let stem =
            [name, &qualified].into_iter().find(|stem| info.exists(format!("{stem}.preinst").as_bytes()));
        let Some(stem) = stem else { continue };
        script.push_str(&format!(
            "DPKG_MAINTSCRIPT_PACKAGE={name} DPKG_MAINTSCRIPT_ARCH={architecture} \
             DPKG_MAINTSCRIPT_NAME=preinst DPKG_MAINTSCRIPT_PACKAGE_REFCOUNT=1 \
             DPKG_RUNNING_VERSION={version} DPKG_ADMINDIR=/var/lib/dpkg DPKG_ROOT= \
             /var/lib/dpkg/info/{stem}.preinst install \
             || {{ echo \"preinst of {name} failed\" >&2; exit 1; }}\n"
        ));
    }
    for (package, answer) in ANSWERS {
        if recipe.packages.iter().any(|present| present.name == *package) {
            script.push_str(&format!("echo '{answer}' | debconf-set-selections\n"));
        }
    }
    script
}
