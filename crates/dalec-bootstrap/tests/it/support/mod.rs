//! What the tests share: keys, packages, a mirror, and a place to work in.

pub mod deb;
pub mod keys;
pub mod mirror;
pub mod world;
