//! What happens during a build, as a stream of events; the shape follows BuildKit's `StatusResponse`.

use std::sync::Arc;
use std::time::SystemTime;

use crate::Warning;

/// Receives events; called from several threads, must not block for long.
pub trait ProgressSink: Send + Sync {
    /// Takes one event.
    fn event(&self, event: Event);
}

/// A shared sink.
pub type Progress = Arc<dyn ProgressSink>;

/// One thing that happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A vertex became known, started or ended.
    Vertex(VertexEvent),
    /// A part of a vertex's work moved on: a download, an unpacking.
    Status {
        /// Digest of the vertex.
        vertex: String,
        /// Identity of the part within the vertex.
        id: String,
        /// How far it is, in bytes or items.
        current: u64,
        /// How far it goes; 0 when not known.
        total: u64,
        /// When.
        at: SystemTime,
        /// Whether it is done.
        completed: bool,
    },
    /// A process of a vertex wrote something.
    Log {
        /// Digest of the vertex.
        vertex: String,
        /// Where it wrote to.
        stream: LogStream,
        /// What it wrote; any bytes, not necessarily whole lines.
        data: Vec<u8>,
        /// When.
        at: SystemTime,
    },
    /// Someone warned.
    Warning(Warning),
}

/// State of a vertex; later events for a digest replace earlier ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VertexEvent {
    /// Digest of the vertex.
    pub digest: String,
    /// Name to show.
    pub name: String,
    /// Phase it belongs to; empty for none.
    pub group: String,
    /// Digests of its inputs.
    pub inputs: Vec<String>,
    /// When it started; none while it waits.
    pub started: Option<SystemTime>,
    /// When it ended.
    pub completed: Option<SystemTime>,
    /// Whether its result was known already.
    pub cached: bool,
    /// Why it failed, when it failed.
    pub error: Option<String>,
}

/// Standard output or standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogStream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}
