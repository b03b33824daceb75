//! Values of flags, taken apart: build arguments, contexts, secrets, keys, destinations.

pub mod build_args;
pub mod contexts;
mod fields;
pub mod keys;
pub mod outputs;
pub mod secrets;
