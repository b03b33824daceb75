//! Values of flags, taken apart: build arguments, contexts, secrets, signing, ssh agents, keys, destinations, caches, engines.

pub mod build_args;
pub mod caches;
pub mod contexts;
mod fields;
pub mod held;
pub mod keys;
mod layouts;
pub mod outputs;
pub mod remote;
pub mod secrets;
pub mod signing;
pub mod ssh;
