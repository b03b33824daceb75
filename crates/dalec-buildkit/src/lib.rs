//! The client of a `buildkitd`: runs our frontend in this process against an engine somewhere else.

mod address;
mod cache;
mod client;
mod connection;
mod diagnosis;
mod docker;
mod error;
#[cfg(test)]
mod fake;
mod layout;
mod policy;
mod remote;
mod session;
mod status;
mod stream;
mod tls;

pub use address::{Address, BadAddress};
pub use cache::{CacheError, LocalCache, publish_cache, read_cache, write_cache};
pub use client::{Build, BuildError, Built, Client, Entry, FrontendFailure, Shared};
pub use error::ConnectError;
pub use layout::{LayoutError, open_layout};
pub use policy::SourcePolicy;
pub use session::{
    Credentials, Digest, Login, Received, SecretError, Secrets, Services, Store, Target, WriteFailure,
};
pub use status::Steps;
pub use tls::TlsFiles;
