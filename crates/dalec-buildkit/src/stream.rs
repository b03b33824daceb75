//! Byte streams to a daemon, whatever carries them.

use tokio::io::{AsyncRead, AsyncWrite};

/// Bytes both ways.
pub trait ByteStream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> ByteStream for T {}

/// Bytes both ways over anything.
pub type BoxStream = Box<dyn ByteStream>;
