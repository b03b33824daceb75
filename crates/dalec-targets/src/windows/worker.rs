//! The root file system that programs are cross-compiled in: Ubuntu with MinGW.

use crate::deb::distro::DebDistro;

/// Target key of everything here.
pub(super) const KEY: &str = "windowscross";

/// What programs are built on. Only its worker exists: nothing is packaged for it.
pub(super) const DISTRO: DebDistro = DebDistro {
    key: KEY,
    title: "Windows",
    image: "docker.io/library/ubuntu:jammy",
    version_id: "ubuntu22.04",
    unit_dir: "/lib/systemd/system",
    worker_packages: &[
        "aptitude",
        "binutils-mingw-w64",
        "build-essential",
        "ca-certificates",
        "debhelper",
        "dpkg-dev",
        "g++-mingw-w64-x86-64",
        "gcc",
        "git",
        "make",
        "pkg-config",
        "zip",
    ],
    base_packages: &[],
    extension_packages: &[],
    other_suites: &[],
};
