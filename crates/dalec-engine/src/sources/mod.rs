//! Where files come from that no op makes: directories of the client, downloads, images.

pub mod http;
pub mod image;
pub mod local;
pub mod transfer;
