//! RPM packages: from a spec to source and binary packages, and containers with them.

pub mod architecture;
mod container;
pub mod distro;
mod escape;
mod install;
mod meta;
mod names;
mod package;
mod places;
mod relation;
pub(crate) mod routes;
mod spec_file;
mod sysext;
mod worker;

#[cfg(test)]
mod tests;
