//! One request from start to end: which spec, which route, which platforms, what to ask, what to solve.
//!
//! The frontend speaks to the [`Gateway`](dalec_gateway::Gateway) trait alone. It does not know which engine
//! is behind it, nor the terminal in front of it.

mod answers;
mod build;
mod contexts;
mod error;
mod images;
mod options;
mod platforms;
mod routes;
mod spec_file;

pub use build::build;
pub use dalec_targets::routes::TARGET_KEYS;
pub use error::FrontendError;
pub use routes::{Target, check_target, targets};
