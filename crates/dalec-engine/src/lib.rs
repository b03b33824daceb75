//! The embedded engine: runs BuildKit build graphs in this process, with no daemon.
//!
//! [`Engine`] owns a store (a state directory), solves `pb::Definition`s and exports results; a
//! [`Session`] is its face towards a frontend, the [`dalec_gateway::Gateway`] trait. This room knows no
//! YAML and no package format, and not how a definition came to be.

mod cancel;
pub mod engine;
pub mod export;
pub mod oci;
mod root_source;
mod secrets;
pub mod store;
pub mod tarball;

pub use cancel::Cancel;
pub use engine::{Engine, EngineOptions, Session, Stats};
pub use export::{Export, ExportSummary};
pub use root_source::{ResolvedRoot, RootCommand, RootError, RootRequest, RootSource};
pub use secrets::{NoSecrets, SecretError, Secrets};
