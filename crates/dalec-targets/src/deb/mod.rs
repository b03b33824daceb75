//! Debian packages: from a spec to source and binary packages.

pub mod distro;
pub mod install;
mod relation;
