//! The RPM family's distributions. One distribution is one entry of [`DISTROS`]; nothing else names one.

use dalec_llb::{CacheSharing, Mount, Platform};

use crate::family::Trust;
use crate::repositories::Places;
use crate::request::ImageQuestion;

/// What is to know about one distribution.
#[derive(Debug, PartialEq, Eq)]
pub struct RpmDistro {
    /// Target key, for example `azlinux3`.
    pub key: &'static str,
    /// Words for people.
    pub title: &'static str,
    /// Image that workers start from.
    pub image: &'static str,
    /// Release that repositories are asked for (`--releasever`).
    pub release: &'static str,
    /// Program that installs packages.
    pub manager: Manager,
    /// Directories in which package managers keep what they download.
    pub caches: &'static [&'static str],
    /// Packages of the worker.
    pub worker_packages: &'static [&'static str],
    /// Packages that containers get besides the built ones.
    pub base_packages: &'static [&'static str],
    /// Packages that containers get besides, where they can be had.
    pub base_recommends: &'static [&'static str],
    /// Packages that the worker gets besides to make system extensions; none where it makes none.
    pub extension_packages: &'static [&'static str],
    /// Left out of lists: its makers no longer care for it, but specs still name it.
    pub retired: bool,
}

/// A program that installs packages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manager {
    /// Version 4 or 5; they take the same options as far as we use them.
    Dnf,
    /// It cannot do everything, so a worker gets dnf, too, and uses that.
    Tdnf,
}

impl Manager {
    /// Returns the name of the program.
    pub fn program(self) -> &'static str {
        match self {
            Self::Dnf => "dnf",
            Self::Tdnf => "tdnf",
        }
    }
}

/// Where dnf and tdnf look for repositories.
pub(crate) const REPOSITORIES: Places =
    Places { config: "/etc/yum.repos.d", extensions: &[".repo"], keys: "/etc/pki/rpm-gpg" };

/// Tools of the workers of Azure Linux before version 4 and of its predecessor.
const AZURE_WORKER: &[&str] =
    &["build-essential", "ca-certificates", "dnf", "mariner-rpm-macros", "rpm-build"];
const AZURE_BASE: &[&str] = &["distroless-packages-minimal"];
const AZURE_RECOMMENDS: &[&str] = &["prebuilt-ca-certificates"];
const AZURE_EXTENSION: &[&str] = &["cpio", "dnf-utils", "erofs-utils"];
const ALMA_WORKER: &[&str] = &["binutils", "ca-certificates", "rpm-build"];
const ALMA_BASE: &[&str] = &["almalinux-release", "tzdata"];
const ROCKY_BASE: &[&str] = &["rocky-release", "tzdata"];
const TDNF_CACHES: &[&str] = &["/var/cache/tdnf", "/var/cache/dnf"];
const DNF_CACHES: &[&str] = &["/var/cache/dnf"];

/// Every distribution that packages are built for, by key.
pub const DISTROS: &[RpmDistro] = &[
    RpmDistro {
        key: "almalinux8",
        title: "AlmaLinux 8",
        image: "docker.io/library/almalinux:8",
        release: "8",
        manager: Manager::Dnf,
        caches: DNF_CACHES,
        worker_packages: ALMA_WORKER,
        base_packages: ALMA_BASE,
        base_recommends: &[],
        extension_packages: &[],
        retired: false,
    },
    RpmDistro {
        key: "almalinux9",
        title: "AlmaLinux 9",
        image: "docker.io/library/almalinux:9",
        release: "9",
        manager: Manager::Dnf,
        caches: DNF_CACHES,
        worker_packages: ALMA_WORKER,
        base_packages: ALMA_BASE,
        base_recommends: &[],
        extension_packages: &[],
        retired: false,
    },
    RpmDistro {
        key: "azlinux3",
        title: "Azure Linux 3",
        image: "mcr.microsoft.com/azurelinux/base/core:3.0",
        release: "3.0",
        manager: Manager::Tdnf,
        caches: TDNF_CACHES,
        worker_packages: AZURE_WORKER,
        base_packages: AZURE_BASE,
        base_recommends: AZURE_RECOMMENDS,
        extension_packages: AZURE_EXTENSION,
        retired: false,
    },
    RpmDistro {
        key: "azlinux4",
        title: "Azure Linux 4",
        image: "mcr.microsoft.com/azurelinux-beta/base/core:4.0",
        release: "4.0",
        manager: Manager::Dnf,
        caches: &["/var/cache/libdnf5"],
        // There is no package that stands for the usual build tools, so they are named.
        worker_packages: &[
            "autoconf",
            "automake",
            "azurelinux-rpm-config",
            "binutils",
            "bison",
            "ca-certificates",
            "diffutils",
            "dnf5",
            "file",
            "gawk",
            "gcc",
            "glibc-devel",
            "gzip",
            "kernel-headers",
            "libtool",
            "make",
            "patch",
            "pkgconf",
            "rpm-build",
            "systemd-rpm-macros",
            "tar",
        ],
        base_packages: &["azurelinux-release", "tzdata"],
        base_recommends: &[],
        extension_packages: AZURE_EXTENSION,
        retired: false,
    },
    RpmDistro {
        key: "mariner2",
        title: "CBL-Mariner 2",
        image: "mcr.microsoft.com/cbl-mariner/base/core:2.0",
        release: "2.0",
        manager: Manager::Tdnf,
        caches: TDNF_CACHES,
        worker_packages: AZURE_WORKER,
        base_packages: AZURE_BASE,
        base_recommends: AZURE_RECOMMENDS,
        extension_packages: &[],
        retired: true,
    },
    RpmDistro {
        key: "rockylinux8",
        title: "Rocky Linux 8",
        image: "docker.io/library/rockylinux:8",
        release: "8",
        manager: Manager::Dnf,
        caches: DNF_CACHES,
        worker_packages: &["ca-certificates", "rpm-build"],
        base_packages: ROCKY_BASE,
        base_recommends: &[],
        extension_packages: &[],
        retired: false,
    },
    RpmDistro {
        key: "rockylinux9",
        title: "Rocky Linux 9",
        image: "docker.io/library/rockylinux:9",
        release: "9",
        manager: Manager::Dnf,
        caches: DNF_CACHES,
        worker_packages: &["ca-certificates", "rpm-build", "systemd-rpm-macros"],
        base_packages: ROCKY_BASE,
        base_recommends: &[],
        extension_packages: &[],
        retired: false,
    },
];

/// Returns the distribution of a target key.
pub fn find(key: &str) -> Option<&'static RpmDistro> {
    DISTROS.iter().find(|distro| distro.key == key)
}

impl RpmDistro {
    /// Returns the named context that replaces the worker.
    pub fn worker_context(&self) -> String {
        format!("dalec-{}-worker", self.key)
    }

    /// Returns the question for the worker's root file system.
    pub fn worker_question(&self) -> ImageQuestion {
        ImageQuestion {
            reference: self.image.to_owned(),
            packages: self.worker_packages.iter().map(|name| (*name).to_owned()).collect(),
            of_result: false,
        }
    }

    /// Returns the caches that installations into `root` share: package lists and downloaded packages.
    ///
    /// What lies there is taken as verified, so whoever is root beside them decides what the next installation gets.
    /// Installations with a spec's programs therefore share nothing with those that workers come from.
    pub fn package_caches(&self, root: &str, platform: &Platform, trust: Trust) -> Vec<Mount> {
        let manager = self.manager.program();
        let suffix = match trust {
            Trust::Distribution => "",
            Trust::Spec => "-untrusted",
        };
        let mount = |directory: &&str| {
            let own = match self.caches {
                [_] => String::new(),
                _ => format!("-{}", directory.rsplit('/').next().unwrap_or_default()),
            };
            let id = format!("{}-{manager}-cache-{platform}{own}{suffix}", self.key);
            Mount::cache(format!("{}{directory}", root.trim_end_matches('/')), id, CacheSharing::Locked)
        };
        self.caches.iter().map(mount).collect()
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    /// TGT-003, TGT-004: they are all there, with what upstream takes for them.
    #[test]
    fn configurations() {
        let mut table = String::new();
        for distro in DISTROS {
            let RpmDistro { key, image, release, worker_packages, base_packages, base_recommends, .. } =
                distro;
            table += &format!("{key}: {image} {release}, {}\n", distro.worker_context());
            table += &format!("  worker: {}\n", worker_packages.join(" "));
            table += &format!("  base: {} ({})\n", base_packages.join(" "), base_recommends.join(" "));
            table += &format!("  {}: {}\n", distro.manager.program(), distro.caches.join(" "));
        }
        expect![[r#"
            almalinux8: docker.io/library/almalinux:8 8, dalec-almalinux8-worker
              worker: binutils ca-certificates rpm-build
              base: almalinux-release tzdata ()
              dnf: /var/cache/dnf
            almalinux9: docker.io/library/almalinux:9 9, dalec-almalinux9-worker
              worker: binutils ca-certificates rpm-build
              base: almalinux-release tzdata ()
              dnf: /var/cache/dnf
            azlinux3: mcr.microsoft.com/azurelinux/base/core:3.0 3.0, dalec-azlinux3-worker
              worker: build-essential ca-certificates dnf mariner-rpm-macros rpm-build
              base: distroless-packages-minimal (prebuilt-ca-certificates)
              tdnf: /var/cache/tdnf /var/cache/dnf
            azlinux4: mcr.microsoft.com/azurelinux-beta/base/core:4.0 4.0, dalec-azlinux4-worker
              worker: autoconf automake azurelinux-rpm-config binutils bison ca-certificates diffutils dnf5 file gawk gcc glibc-devel gzip kernel-headers libtool make patch pkgconf rpm-build systemd-rpm-macros tar
              base: azurelinux-release tzdata ()
              dnf: /var/cache/libdnf5
            mariner2: mcr.microsoft.com/cbl-mariner/base/core:2.0 2.0, dalec-mariner2-worker
              worker: build-essential ca-certificates dnf mariner-rpm-macros rpm-build
              base: distroless-packages-minimal (prebuilt-ca-certificates)
              tdnf: /var/cache/tdnf /var/cache/dnf
            rockylinux8: docker.io/library/rockylinux:8 8, dalec-rockylinux8-worker
              worker: ca-certificates rpm-build
              base: rocky-release tzdata ()
              dnf: /var/cache/dnf
            rockylinux9: docker.io/library/rockylinux:9 9, dalec-rockylinux9-worker
              worker: ca-certificates rpm-build systemd-rpm-macros
              base: rocky-release tzdata ()
              dnf: /var/cache/dnf
        "#]].assert_eq(&table);
        assert!(DISTROS.iter().all(|distro| find(distro.key) == Some(distro)));
    }
}
