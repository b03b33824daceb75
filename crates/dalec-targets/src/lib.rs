//! `TargetSpec` to build graph: sources, patches, packages, programs for Windows, containers and the spec's tests.
//!
//! Planning is a plain function from values to a graph; nothing is run, read or asked here. This room
//! knows no terminal, no transport and not how an engine stores things.

mod build_script;
mod caches;
mod capabilities;
pub mod containers;
mod cross;
mod date;
pub mod deb;
mod debug;
pub mod error;
pub mod family;
#[cfg(test)]
mod fixture;
mod generators;
mod golang;
pub mod image_config;
pub mod image_reference;
pub mod locate;
pub mod marker;
mod patches;
mod paths;
mod proxies;
mod quote;
mod repositories;
pub mod request;
pub mod routes;
pub mod rpm;
pub mod signing;
pub mod sources;
pub mod spec_tests;
pub mod sysext;
pub mod unmatched;
pub mod unsupported;
mod windows;
pub mod worker;
