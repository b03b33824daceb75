//! What we sign, judged by the verifiers that distributions have: `debsig-verify`, `rpmkeys`, `gpgv`, `dscverify`.
//!
//! `cargo xtask prepare` installs them. A verifier that is missing fails the tests.

mod compare;
mod control;
mod deb;
mod detached;
mod gnupg;
mod hostile;
mod keys;
mod rpm;
mod together;
mod world;
