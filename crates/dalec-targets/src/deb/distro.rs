//! The Debian family's distributions. One distribution is one entry of [`DISTROS`]; nothing else names one.

use dalec_llb::{CacheSharing, Mount};

use crate::family::Trust;
use crate::repositories::Places;
use crate::request::ImageQuestion;

/// What is to know about one distribution.
#[derive(Debug, PartialEq, Eq)]
pub struct DebDistro {
    /// Target key, which is the suite too, for example `bookworm`.
    pub key: &'static str,
    /// Words for people.
    pub title: &'static str,
    /// Image that workers and containers start from.
    pub image: &'static str,
    /// Part of every package version that tells releases apart, for example `debian12`.
    pub version_id: &'static str,
    /// Directory of systemd units: below `/usr` where a release forbids files in aliased directories.
    pub unit_dir: &'static str,
    /// Packages of the worker, without what they merely recommend.
    pub worker_packages: &'static [&'static str],
    /// Packages that containers get besides the built ones.
    pub base_packages: &'static [&'static str],
    /// Packages that the worker gets besides to make system extensions; none where it makes none.
    pub extension_packages: &'static [&'static str],
    /// Suites of the same archive that build dependencies and what containers get may come from, too.
    pub other_suites: &'static [&'static str],
}

/// Where apt looks for repositories.
pub(crate) const REPOSITORIES: Places = Places {
    config: "/etc/apt/sources.list.d",
    extensions: &[".list", ".sources"],
    keys: "/usr/share/keyrings",
};

/// Tools of every worker. Packaging itself needs few of them: specs count on the others.
const WORKER: &[&str] = &[
    "aptitude",
    "build-essential",
    "ca-certificates",
    "debhelper",
    "devscripts",
    "dh-apparmor",
    "dh-exec",
    "dh-make",
    "dpkg-dev",
    "equivs",
    "fakeroot",
    "git",
];

/// Older releases have no tools that make what newer systems mount.
const EXTENSION: &[&str] = &["erofs-utils"];

/// Without them bullseye has no compiler for today's Go.
const BACKPORTS: &[&str] = &["bullseye-backports"];

/// What every container has.
const BASE: &[&str] = &["ca-certificates"];

/// Every distribution that packages are built for: Debian's, then Ubuntu's, newest first.
pub const DISTROS: &[DebDistro] = &[
    DebDistro {
        key: "trixie",
        title: "Debian 13 (trixie)",
        image: "docker.io/library/debian:trixie",
        version_id: "debian13",
        unit_dir: "/usr/lib/systemd/system",
        worker_packages: WORKER,
        base_packages: BASE,
        extension_packages: EXTENSION,
        other_suites: &[],
    },
    DebDistro {
        key: "bookworm",
        title: "Debian 12 (bookworm)",
        image: "docker.io/library/debian:bookworm",
        version_id: "debian12",
        unit_dir: "/lib/systemd/system",
        worker_packages: WORKER,
        base_packages: BASE,
        extension_packages: &[],
        other_suites: &[],
    },
    DebDistro {
        key: "bullseye",
        title: "Debian 11 (bullseye)",
        image: "docker.io/library/debian:bullseye",
        version_id: "debian11",
        unit_dir: "/lib/systemd/system",
        worker_packages: WORKER,
        base_packages: BASE,
        extension_packages: &[],
        other_suites: BACKPORTS,
    },
    DebDistro {
        key: "resolute",
        title: "Ubuntu 26.04 (resolute)",
        image: "docker.io/library/ubuntu:resolute",
        version_id: "ubuntu26.04",
        unit_dir: "/usr/lib/systemd/system",
        worker_packages: WORKER,
        base_packages: BASE,
        extension_packages: EXTENSION,
        other_suites: &[],
    },
    DebDistro {
        key: "noble",
        title: "Ubuntu 24.04 (noble)",
        image: "docker.io/library/ubuntu:noble",
        version_id: "ubuntu24.04",
        unit_dir: "/usr/lib/systemd/system",
        worker_packages: WORKER,
        base_packages: BASE,
        extension_packages: EXTENSION,
        other_suites: &[],
    },
    DebDistro {
        key: "jammy",
        title: "Ubuntu 22.04 (jammy)",
        image: "docker.io/library/ubuntu:jammy",
        version_id: "ubuntu22.04",
        unit_dir: "/lib/systemd/system",
        worker_packages: WORKER,
        base_packages: BASE,
        extension_packages: &[],
        other_suites: &[],
    },
    DebDistro {
        key: "focal",
        title: "Ubuntu 20.04 (focal)",
        image: "docker.io/library/ubuntu:focal",
        version_id: "ubuntu20.04",
        unit_dir: "/lib/systemd/system",
        worker_packages: WORKER,
        base_packages: BASE,
        extension_packages: &[],
        other_suites: &[],
    },
    DebDistro {
        key: "bionic",
        title: "Ubuntu 18.04 (bionic)",
        image: "docker.io/library/ubuntu:bionic",
        version_id: "ubuntu18.04",
        unit_dir: "/lib/systemd/system",
        worker_packages: WORKER,
        base_packages: BASE,
        extension_packages: &[],
        other_suites: &[],
    },
];

/// Returns the distribution of a target key.
pub fn find(key: &str) -> Option<&'static DebDistro> {
    DISTROS.iter().find(|distro| distro.key == key)
}

impl DebDistro {
    /// Returns the named context that replaces the worker.
    pub fn worker_context(&self) -> String {
        format!("dalec-{}-worker", self.key)
    }

    /// Returns the question for the worker's root file system.
    pub fn worker_question(&self) -> ImageQuestion {
        question(self.image, self.worker_packages)
    }

    /// Returns the question for the root file system that the testing container starts from.
    pub fn base_question(&self) -> ImageQuestion {
        question(self.image, self.base_packages)
    }

    /// Returns the caches that runs of apt share: package lists and downloaded packages.
    ///
    /// apt takes what it finds there as verified, so whoever is root beside them decides what the next run
    /// installs. Runs with a spec's programs therefore share nothing with those that workers come from.
    pub fn apt_caches(&self, trust: Trust) -> [Mount; 2] {
        let suffix = match trust {
            Trust::Distribution => "",
            Trust::Spec => "-untrusted",
        };
        let id = |name| format!("{}dalec-{name}{suffix}", self.key);
        [
            Mount::cache("/var/cache/apt", id("var-cache-apt"), CacheSharing::Locked),
            Mount::cache("/var/lib/apt", id("var-lib-apt"), CacheSharing::Locked),
        ]
    }
}

fn question(image: &str, packages: &[&str]) -> ImageQuestion {
    ImageQuestion {
        reference: image.to_owned(),
        packages: packages.iter().map(|name| (*name).to_owned()).collect(),
        of_result: false,
    }
}
