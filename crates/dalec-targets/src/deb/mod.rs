//! Debian packages: from a spec to source and binary packages.

pub mod architecture;
mod date;
mod debian_dir;
pub mod distro;
pub mod install;
mod layout;
mod names;
pub mod package;
mod quote;
pub(crate) mod relation;
pub mod worker;
