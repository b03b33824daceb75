//! What the end-to-end tests share: the real binary, scratch folders, package readers and loopback servers.
//!
//! Nothing here knows how the product works inside; it is used as a user would use it.

pub mod binary;
pub mod deb;
pub mod http;
pub mod run;
pub mod upstream;
