//! Ops at work: from file systems that are there to the ones that an op makes of them.
//!
//! Whether an op has to run at all is decided in [`crate::solver`]; nothing here knows keys or graphs.

mod active;
pub mod copy;
mod destination;
pub mod exec;
pub mod file;
mod logs;
mod mounts;
pub mod owner;
mod secret;
mod ssh;
pub mod stack;

use bollard_buildkit_proto::pb;
use dalec_gateway::Purpose;

use crate::Cancel;
use crate::error::{Error, Result};
use crate::shared::Core;
use crate::snapshot::Snapshot;
use crate::solver::VertexProgress;

pub use active::{Active, shorten};
pub use exec::run_sandbox;
pub use logs::{Tail, follow};
pub use mounts::{Mounts, wait_for_lock};
pub use secret::{check_secrets, names_signing_secret, secret_value};
pub use ssh::no_agent;

/// What an op works with.
pub struct OpContext<'a> {
    /// The engine.
    pub core: &'a Core,
    /// Tells what happens.
    pub progress: &'a VertexProgress,
    /// Says when to stop.
    pub cancel: &'a Cancel,
    /// Where the op should run; none for the preferred platform.
    pub platform: Option<&'a pb::Platform>,
    /// What the op works for.
    pub purpose: Purpose,
}

impl OpContext<'_> {
    /// Goes on unless someone said stop.
    ///
    /// # Errors
    /// [`Error::Cancelled`] when someone did.
    pub fn check(&self) -> Result<()> {
        if self.cancel.is_cancelled() { Err(Error::Cancelled) } else { Ok(()) }
    }
}

/// Returns the input numbered `index`; the empty file system for -1.
pub fn input(inputs: &[Snapshot], index: i64) -> Snapshot {
    usize::try_from(index).ok().and_then(|index| inputs.get(index)).cloned().unwrap_or_default()
}
