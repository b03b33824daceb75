//! Installing packages into a root file system with its own apt.
//!
//! Nothing here decides what to install. Package lists and downloads stay in caches, not in the result.

use std::collections::BTreeMap;

use dalec_llb::{Exec, Location, Mount, ProgressGroup, State};
use dalec_spec::target_spec::PackageConstraint;

use crate::deb::distro::DebDistro;
use crate::deb::relation;
use crate::family::Trust;
use crate::image_config::PATH;
use crate::marker::Marks;
use crate::proxies;
use crate::repositories::Repositories;
use crate::worker::ca_bundle;

const SCRIPT: &str = concat!(
    include_str!("../proxies.sh"),
    "\n",
    include_str!("scripts/direct.sh"),
    "\n",
    include_str!("scripts/download.sh"),
    "\n",
    include_str!("scripts/beside.sh"),
    "\n",
    include_str!("scripts/suites.sh"),
    "\n",
    include_str!("scripts/install.sh")
);

/// Where the packages to install are mounted.
const PACKAGES: &str = "/run/dalec/packages";
/// Where packages go that are not installed.
const DOWNLOADS: &str = "/run/dalec/downloads";
/// Where a root file system is whose programs do not run.
const BESIDE: &str = "/run/dalec/root";
/// What every root file system starts with.
const SKELETON: &str = "base-files";

/// How packages are installed.
#[derive(Debug, Clone)]
pub struct InstallOptions<'a> {
    /// Distribution of the root file system.
    pub distro: &'a DebDistro,
    /// Whose programs run as root in it, now or before.
    pub trust: Trust,
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
    /// Accounts to name when packages cannot be set up and these are not there.
    pub accounts: Vec<Account>,
    /// Leave proxies to the package manager's own ways.
    pub without_proxies: bool,
    /// Another architecture (Debian's name) that packages are installed of, those whose names say so.
    pub of_other: Option<&'a str>,
    /// The architecture (Debian's name) of everything that is installed or downloaded, where that is not the machine's.
    pub architecture: Option<&'a str>,
    /// Whether packages may come from the other suites of the distribution's archive that specs count on.
    pub other_suites: bool,
    /// Repositories besides the distribution's.
    pub(crate) repositories: Repositories,
}

/// A dependency that can be named when it turns out not to be installable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// In the form of a Debian relation field, for example `libfoo-dev (>= 1.2)`.
    pub relation: String,
    /// What a line about it starts with; see [`crate::marker`].
    pub mark: String,
}

/// A user or group to whom files of the packages go, and whom the packages do not create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The database that knows it: `passwd` or `group`.
    pub database: &'static str,
    /// Its name.
    pub name: String,
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

/// Returns `root` after the installation of a package called `package`, made on the spot, that depends on all that
/// is wanted: version constraints bind that way. Nothing wanted changes nothing.
pub fn install_wanted(
    root: &State,
    package: &str,
    architecture: &str,
    options: &InstallOptions<'_>,
) -> State {
    if options.wanted.is_empty() {
        return root.clone();
    }
    let relations: Vec<&str> = options.wanted.iter().map(|wanted| wanted.relation.as_str()).collect();
    // Its version says nothing: a new version of the spec finds the same dependencies installed.
    let flags = ["--meta", package, "1", architecture, &relations.join(", ")];
    run(root, &flags, &[], options, Vec::new())
}

/// Returns a directory with the packages that are wanted, without what they need; `root`, which has apt, stays as it is.
pub fn download(root: &State, options: &InstallOptions<'_>) -> State {
    if options.wanted.is_empty() {
        return State::scratch();
    }
    let exec = exec(&["--download", DOWNLOADS], &[], options).mount(Mount::output(DOWNLOADS));
    root.run(exec).output(DOWNLOADS)
}

/// Returns a root file system for another architecture than the machine's, put together by the programs of `worker`: with
/// every `.deb` file at the top of `debs`, what they depend on, and no more. Its maintainer scripts run in `worker`.
pub fn install_beside(worker: &State, debs: &State, options: &InstallOptions<'_>) -> State {
    let flags = ["--into", BESIDE, "--directory", PACKAGES];
    let exec = exec(&flags, &[SKELETON.to_owned()], options);
    let exec = exec.mount(Mount::bind(PACKAGES, debs).readonly()).mount(Mount::output(BESIDE));
    worker.run(exec).output(BESIDE)
}

fn run(
    root: &State,
    what: &[&str],
    names: &[String],
    options: &InstallOptions<'_>,
    mounts: Vec<Mount>,
) -> State {
    root.run(exec(what, names, options).mounts(mounts)).root()
}

fn exec(what: &[&str], names: &[String], options: &InstallOptions<'_>) -> Exec {
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
    flag(!options.repositories.is_empty(), "--new-lists");
    if let Some(architecture) = options.of_other {
        args.extend(["--of-other", architecture].map(str::to_owned));
    }
    if let Some(architecture) = options.architecture {
        args.extend(["--for", architecture].map(str::to_owned));
    }
    for suite in options.distro.other_suites.iter().filter(|_| options.other_suites) {
        args.extend(["--suite", suite].map(str::to_owned));
    }
    for wanted in &options.wanted {
        args.extend(["--wanted", &wanted.mark, &wanted.relation].map(str::to_owned));
    }
    for account in &options.accounts {
        args.extend(["--account", &account.mark, account.database, &account.name].map(str::to_owned));
    }
    args.push("--".to_owned());
    args.extend(names.iter().cloned());
    Exec::new(args)
        .env("PATH", PATH)
        .envs(proxies::environment(options.without_proxies))
        .name(&options.name)
        .group(&options.group)
        .at(options.locations.clone())
        .ignore_cache(options.ignore_cache)
        .mounts(options.distro.apt_caches(options.repositories.trust(options.trust)))
        .mount(ca_bundle())
        .mounts(options.repositories.mounts.clone())
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::fs::PermissionsExt;
    use std::process::{Command, Stdio};

    const DIRECT: &str = include_str!("scripts/direct.sh");

    /// Stands in for dpkg, which the host need not have: it compares versions as texts.
    const DPKG: &str = r#"#!/bin/sh
exec awk -v a="$2" -v o="$3" -v b="$4" 'BEGIN { exit !(o == "=" ? a == b : o == ">=" ? a >= b : o == "<<" ? a < b : 0) }'
"#;

    const INSTALLED: &str = "\
has\tlibc6\t2.36\t\tbreaks-it (<< 1)
has\tdebhelper\t13.1\tdebhelper-compat (= 13), dh-sequence\t
has\tperl\t5.36\t\t
";

    /// Returns whether new packages go in without apt.
    fn goes_in(new: &str) -> bool {
        let directory = tempfile::tempdir().expect("a directory");
        let dpkg = directory.path().join("dpkg");
        std::fs::write(&dpkg, DPKG).expect("a stand-in");
        std::fs::set_permissions(&dpkg, std::fs::Permissions::from_mode(0o755)).expect("a program");
        let path = format!("{}:{}", directory.path().display(), std::env::var("PATH").unwrap_or_default());
        let mut child = Command::new("sh")
            .args(["-c", &format!("{DIRECT}\ncan_go_in")])
            .env("PATH", path)
            .stdin(Stdio::piped())
            .spawn()
            .expect("there is a shell");
        child
            .stdin
            .take()
            .expect("a pipe")
            .write_all(format!("{INSTALLED}{new}").as_bytes())
            .expect("it reads");
        child.wait().expect("the shell ends").success()
    }

    #[test]
    fn only_what_needs_nothing_goes_in_without_apt() {
        for (depends, expected) in [
            ("", true),
            ("libc6", true),
            ("libc6 (>= 2.30), perl:any", true),
            ("libc6 (>= 2.40)", false),
            ("missing | perl", true),
            ("missing", false),
            ("dh-sequence", true),
            ("dh-sequence (= 1)", false),
            ("debhelper-compat (= 13)", true),
            ("debhelper-compat (= 14)", false),
            ("debhelper (= 13.1)", true),
            ("perl [amd64]", false),
            ("libc6:amd64", false),
        ] {
            let new = format!("new\thello\t1.0\t\t, \t\t{depends}\n");
            assert_eq!(goes_in(&new), expected, "{depends}");
        }
    }

    #[test]
    fn what_stands_in_the_way_is_left_to_apt() {
        for (new, expected) in [
            ("", false),
            ("new\tperl\t6\t\t, \t\t\n", false),
            ("new\tbreaks-it\t2\t\t, \t\t\n", false),
            ("new\thello\t1\t\t, perl (<< 5)\t\t\n", false),
            ("new\thello\t1\t\tother, \tmissing\t\n", false),
            ("new\thello\t1\t\t, \tlibc6 (>= 2.36)\t\tmissing\n", false),
            ("new\thello\t1\t\t, \t\tlibhello (= 1)\nnew\tlibhello\t1\t\t, \t\tlibc6\n", true),
            ("new\thello\t1\t\t, \tlibhello\t\nnew\tlibhello\t1\t\t, \t\t\n", false),
        ] {
            assert_eq!(goes_in(new), expected, "{new}");
        }
    }

    /// Returns what is said of a dependency on `foo` when apt answers `answer` to the question about it.
    fn explained(answer: &str) -> String {
        let directory = tempfile::tempdir().expect("a directory");
        let apt = directory.path().join("apt-get");
        std::fs::write(&apt, format!("#!/bin/sh\necho '{answer}' >&2\nexit 100\n")).expect("a stand-in");
        std::fs::set_permissions(&apt, std::fs::Permissions::from_mode(0o755)).expect("a program");
        std::fs::write(directory.path().join("wanted"), "here: \tfoo (>= 2)\n").expect("a list");
        let start = super::SCRIPT.find("explain() {").expect("the function");
        let end = start + super::SCRIPT[start..].find("\n}\n").expect("its end") + 3;
        let script =
            format!("tab=$(printf '\\t') work=$1 wanted=$1/wanted\n{}explain", &super::SCRIPT[start..end]);
        let path = format!("{}:{}", directory.path().display(), std::env::var("PATH").unwrap_or_default());
        let mut command = Command::new("sh");
        command.args(["-c", &script, "explain"]).arg(directory.path()).env("PATH", path);
        String::from_utf8(command.output().expect("a shell").stderr).expect("text")
    }

    #[test]
    fn a_dependency_is_only_named_by_an_apt_that_can_be_asked() {
        for (apt, why) in [
            ("foo (>= 2) but 1 is to be installed", ": the package repositories have 1"),
            ("foo (>= 2) but it is not installable", ": no package repository has it"),
            (
                "foo but it is not going to be installed",
                ": something that it needs itself cannot be installed",
            ),
            ("foo but it is a virtual package", ": it is only a name that other packages provide"),
            ("foo but 1 is installed", ": 1 is installed"),
            ("foo", ""),
        ] {
            assert_eq!(
                explained(&format!(" satisfy:command-line : Depends: {apt}")),
                format!("here: dependency \"foo (>= 2)\" cannot be installed{why}\n")
            );
        }
        assert_eq!(explained("E: Invalid operation satisfy"), "");
    }

    /// Returns whether a maintainer script can run beside the root file system that it is for.
    fn runs_beside(script: &str) -> bool {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("postinst");
        std::fs::write(&path, script).expect("a script");
        let asked =
            format!("{}\neval \"$check\"\ncommands \"$1\" || true", include_str!("scripts/beside.sh"));
        let done = Command::new("sh").args(["-c", &asked, "commands"]).arg(path).output().expect("a shell");
        assert!(done.stderr.is_empty(), "{}", String::from_utf8_lossy(&done.stderr));
        done.stdout.is_empty()
    }

    /// TGT-010
    #[test]
    fn scripts_that_only_know_their_own_root_are_told_apart() {
        let units = "\
#!/bin/sh
set -e
# Automatically added
if [ \"$1\" = \"configure\" ] || [ \"$1\" = \"abort-upgrade\" ] || [ \"$1\" = \"abort-remove\" ] ; then
\tdeb-systemd-helper unmask 'a.service' >/dev/null || true
\tif deb-systemd-helper --quiet was-enabled 'a.service'; then
\t\tdeb-systemd-helper enable 'a.service' >/dev/null || true
\telse
\t\tdeb-systemd-helper update-state 'a.service' >/dev/null || true
\tfi
\tif [ -d /run/systemd/system ]; then
\t\tsystemctl --system daemon-reload >/dev/null || true
\t\t_dh_action=start
\t\tdeb-systemd-invoke $_dh_action 'a.service' >/dev/null || true
\tfi
fi
exit 0
";
        assert!(runs_beside(units));
        assert!(runs_beside(
            "set -e\nupdate-alternatives --install /usr/bin/awk awk \\\n  /usr/bin/mawk 5\n"
        ));
        assert!(runs_beside("case \"$1\" in\n  configure|upgrade)\n  ;;\nesac\n"));
        for script in [
            "useradd -- ann\n",
            "[ -e /etc/x ] || touch /etc/x\n",
            "if [ -e /etc/x ]; then chown ann /etc/x; fi\n",
            "update-alternatives --list awk; rm /etc/x\n",
            "systemctl $(touch /etc/x)\n",
            "systemctl daemon-reload || touch /etc/x\n",
            "if [ \"$1\" = configure ] && touch /etc/x; then\nfi\n",
        ] {
            assert!(!runs_beside(script), "{script}");
        }
    }

    #[test]
    fn the_script_is_one() {
        assert!(Command::new("sh").args(["-n", "-c", super::SCRIPT]).status().expect("a shell").success());
    }
}
