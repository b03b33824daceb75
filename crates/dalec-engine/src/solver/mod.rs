//! Solving: which ops have to run, in what order, and what they made.
//!
//! A vertex is first *peeked* at: if its key can be told and the store has its result, that is all, and
//! nothing above it is made. That path reads the database and looks at local directories; it starts no
//! thread and mounts nothing. Only what is missing is *evaluated*: inputs at the same time, each on a thread
//! of its own while it lasts, then the op. Vertices are shared between all solves of an engine, so what two
//! solves need is done once; only what a signer's own secrets went into is kept apart (see [`Asker`]).

mod asker;
mod cells;
mod failure;
pub mod graph;
mod keys;
mod name;
mod needs;
mod progress;
mod solve;

pub use asker::Asker;
pub use cells::{Cells, Slots, locked};
pub use failure::Failure;
pub use graph::{Edge, Graph};
pub use needs::Needs;
pub use progress::VertexProgress;
pub use solve::{Made, Outcome, RESULT, Solve};
