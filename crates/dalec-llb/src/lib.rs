//! The build graph as an immutable value, and its wire form, BuildKit's `pb.Definition`.
//!
//! A [`State`] is one file system that some vertex will produce. Building a graph runs nothing: every step
//! returns a new state, and [`State::marshal`] turns it into bytes that are the same for the same graph.
//! This room knows no YAML, no distribution and not how an op is run.
//!
//! Wire facts follow `solver/pb/ops.proto` and `client/llb` of moby/buildkit.

mod describe;
mod exec;
mod file;
mod foreign;
mod location;
mod marshal;
mod platform;
mod source;
mod state;

pub use bollard_buildkit_proto::pb;
pub use describe::describe;
pub use exec::{CacheSharing, Exec, Executed, Mount, Network, Secret, Socket};
pub use file::{Copy, File, Owner};
pub use foreign::ForeignError;
pub use location::{Location, Position, Range, SourceMap};
pub use marshal::digest_of;
pub use platform::Platform;
pub use source::{Git, GitLogin, Http, ImageRef, Local, ResolveMode};
pub use state::{ProgressGroup, State};
