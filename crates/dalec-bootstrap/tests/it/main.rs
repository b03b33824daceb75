//! The room as its callers see it: a small signed repository on loopback becomes a root.
//!
//! Everything is made here: keys, packages, lists, and the server. No privileges are needed.

mod assemble;
mod configure;
mod hostile;
mod resolve;
mod support;
