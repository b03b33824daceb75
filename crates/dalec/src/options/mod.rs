//! Values of flags, taken apart: build arguments, contexts, secrets, destinations.

pub mod build_args;
pub mod contexts;
mod fields;
pub mod outputs;
pub mod secrets;
