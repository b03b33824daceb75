//! The real binary in the real sandbox, from a spec to packages that are installed and run.
//!
//! The modules share one store, kept between runs; see `dalec_e2e::binary`.

mod backports;
mod bad_input;
mod basics;
mod cache;
mod caches;
mod cancel;
mod containers;
mod crates;
mod cross;
mod debug;
mod elsewhere;
mod first_package;
mod lifecycle;
mod modules;
mod node;
mod private_modules;
mod proxies;
mod python;
mod rebuild;
mod repositories;
mod routes;
mod signed;
mod sources;
mod suites;
mod sysext;
mod tidy;

use dalec_e2e::specs;
