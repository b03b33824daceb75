//! Files of git repositories, fetched with the host's `git`.
//!
//! Why a program and not a library: submodules, conversions by `.gitattributes` and every kind of server then work as
//! they do under BuildKit, which runs git, too. It gets none of the host's settings and runs nothing of anybody's choosing,
//! see `setup`. Where files go in a build is not decided here.

mod checkout;
mod error;
mod git_dir;
mod listing;
mod program;
mod remote;
mod repository;
mod request;
mod resolve;
mod setup;
mod submodules;

pub use checkout::Checkout;
pub use program::check;
pub use request::{Request, is_hash, secret_ids};
pub use resolve::{Resolved, ask};
pub use setup::Setup;
