//! Debian packages: from a spec to source and binary packages.

pub mod architecture;
pub(crate) mod debian_dir;
pub mod distro;
pub mod install;
pub(crate) mod layout;
mod names;
pub mod package;
pub(crate) mod relation;
pub(crate) mod routes;
mod sysext;
pub mod worker;
