//! One request from start to end: which spec, which route, which platforms, what to ask, what to solve.
//!
//! The frontend speaks to the [`Gateway`](dalec_gateway::Gateway) trait alone. It does not know which engine
//! is behind it, nor the terminal in front of it.

mod answers;
mod build;
mod contexts;
mod dockerfile;
mod error;
mod forward;
mod frontends;
mod images;
mod main_context;
mod metadata;
mod options;
mod own_signer;
mod platforms;
mod remote;
mod request;
mod results;
mod routes;
mod side_file;
mod signer_image;
mod signing;
mod source_filter;
mod spec;
mod subrequests;
mod unmatched;

pub use dalec_targets::routes::{TARGET_KEYS, known_targets};
pub use dalec_targets::signing::{COMPARE, REPORT};
pub use dalec_targets::unmatched::{UNMATCHED, UNMATCHED_REPORT};
pub use error::FrontendError;
pub use metadata::{SIGNING, is_about_signing};
pub use options::boolean;
pub use own_signer::OWN_SIGNER;
pub use remote::is_git;
pub use request::answer;
pub use routes::{Target, check_target, default_platform, targets};
pub use signing::{
    CONFIG_CONTEXT as SIGNING_CONFIG_CONTEXT, CONFIG_PATH as SIGNING_CONFIG_PATH, SIGN_KEY_CONTEXT,
};
