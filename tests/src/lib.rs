//! What the end-to-end tests share: the real binary, scratch folders, package readers, loopback servers, and other
//! people's tools such as BuildKit.
//!
//! Nothing here knows how the product works inside; it is used as a user would use it. Only the images
//! that others come from are made with a room of ours, because no registry has to be there to give them.

pub mod bases;
pub mod basics;
pub mod binary;
pub mod buildkit;
pub mod caches;
pub mod cancelled;
pub mod crates;
pub mod deb;
pub mod emulator;
pub mod engine;
pub mod extensions;
pub mod http;
pub mod layout;
pub mod modules;
pub mod node;
pub mod openpgp;
pub mod podman;
pub mod private_modules;
pub mod probe;
pub mod progress;
pub mod python;
pub mod registry;
pub mod repositories;
pub mod rpm;
pub mod rpm_world;
pub mod run;
pub mod running;
pub mod signers;
pub mod specs;
pub mod tls;
pub mod tools;
pub mod traces;
pub mod upstream;
pub mod windows;
