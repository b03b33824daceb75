//! The embedded engine: runs BuildKit build graphs in this process, with no daemon.
//!
//! [`Engine`] owns a store (a state directory), solves `pb::Definition`s and exports results; a
//! [`Session`] is its face towards a frontend, the [`dalec_gateway::Gateway`] trait. This room knows no
//! YAML and no package format, and not how a definition came to be.

mod cachekey;
mod cancel;
pub mod engine;
mod error;
pub mod export;
mod held;
mod host;
pub mod mount;
pub mod oci;
mod ops;
mod root_source;
pub mod sandbox;
mod secrets;
mod session;
mod shared;
mod snapshot;
mod solver;
pub mod sources;
pub mod store;
pub mod tarball;
pub mod unpack;
pub mod userns;

pub use cancel::Cancel;
pub use engine::{Engine, EngineOptions, Stats};
pub use export::image::{BuiltImage, ImageOptions};
pub use export::{Export, ExportSummary};
pub use root_source::{ResolvedRoot, RootCommand, RootError, RootRequest, RootSource};
pub use secrets::{NoSecrets, SecretError, SecretScope, Secrets};
pub use session::Session;

/// The time of last change of everything that has none of its own: 1980-01-02 00:00:00 UTC, the first day that
/// archive formats with local time can hold everywhere. Seconds since 1970.
pub const CONSTANT_MTIME: i64 = 315_619_200;
