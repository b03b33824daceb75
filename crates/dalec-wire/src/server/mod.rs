//! The engine's side of the protocol: serves a frontend that runs as a process of its own.
//!
//! [`serve`] answers on a pair of pipes until the frontend has returned its result or is gone. What is behind
//! the answers is a [`Host`]: a [`Gateway`](dalec_gateway::Gateway) that can also run processes in containers. Whatever comes
//! through the pipes is the word of a stranger: messages are bounded, and a reference counts only if this very
//! frontend was given it.

mod answers;
mod capabilities;
mod connection;
mod container;
mod host;
mod process;
mod service;

pub use connection::{Outcome, Serving, serve};
pub use host::{
    Container, ContainerRequest, Exit, Host, ProcessControl, ProcessRequest, StartedProcess, Streams,
};
