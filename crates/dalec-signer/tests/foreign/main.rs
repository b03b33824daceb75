//! What we sign, judged by the verifiers that distributions have: `debsig-verify`, `rpmkeys`, `gpgv`, `dscverify`,
//! `osslsigncode`.
//!
//! `cargo xtask prepare` installs them. A verifier that is missing fails the tests.

mod authority;
mod code_keys;
mod compare;
mod control;
mod deb;
mod detached;
mod gnupg;
mod held;
mod hostile;
mod keys;
#[path = "../../src/pe/sample.rs"]
mod program;
mod programs;
mod rpm;
mod timestamps;
mod together;
mod world;
