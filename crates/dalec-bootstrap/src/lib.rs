//! Puts a Debian root file system together from the distribution's own signed repository.
//!
//! A request (suite, architecture, extra packages) is [resolved](resolve()) to a [`Recipe`]:
//! the exact packages, their digests and the repositories they are from, believed only because
//! Debian's keys signed for them. The recipe's packages are [fetched](fetch()) into a
//! [`Cache`], [unpacked](unpack()) into an empty directory and [configured](configure()).
//! No `debootstrap`, `apt`, `dpkg`, `tar` or `gpg` is needed on the host.
//!
//! One recipe makes one tree, byte for byte and with its times, so the recipe's digest can name
//! the result.
//!
//! This room runs nothing: commands that belong inside the root are handed to the caller, who has
//! a sandbox. It knows nothing of build graphs, specs or engines.

mod apt_config;
mod assemble;
mod cache;
mod claims;
mod compression;
mod configure;
mod deb;
mod dpkg_database;
mod error;
mod fetch;
mod http;
mod index;
mod keyring;
mod mirror;
mod platform;
mod progress;
mod recipe;
mod relation;
mod release;
mod resolve;
mod resolver;
mod settings;
mod tidy;
mod tree;
mod universe;
mod unpack;

pub use assemble::{Unpacked, fetch_and_unpack, unpack};
pub use cache::Cache;
pub use configure::{RootCommand, configure};
pub use error::{BootstrapError, Cause};
pub use fetch::fetch;
pub use http::{Http, HttpOptions};
pub use keyring::Keyring;
pub use mirror::AptSources;
pub use platform::debian_architecture;
pub use progress::{Event, Progress, Silent};
pub use recipe::{Package, Recipe, Repository};
pub use resolve::{Origin, Request, Resolved, Trust, resolve};
pub use unpack::UnpackOptions;
