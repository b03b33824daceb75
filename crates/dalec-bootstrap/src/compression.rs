//! The compressions of Debian's lists and packages, behind one reader.
//!
//! Limits on the output are the caller's business; the memory a decoder may take is limited here.

use std::io::{self, BufRead, Read};

use liblzma::stream::{CONCATENATED, Stream};

/// Enough for the largest dictionary that `dpkg-deb` can be told to use, and not for a bomb.
const XZ_MEMORY: u64 = 256 << 20;
/// The largest window, as a power of two; what the decoder's default would allow as well.
const ZSTD_WINDOW_LOG: u32 = 27;

/// How a stream is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compression {
    None,
    Gzip,
    Xz,
    Zstd,
}

impl Compression {
    /// Tells the compression from the end of a file name, such as `Packages.xz` or `data.tar`.
    pub(crate) fn of_name(name: &str) -> Option<Self> {
        match name.rsplit_once('.')?.1 {
            "tar" => Some(Self::None),
            "gz" => Some(Self::Gzip),
            "xz" => Some(Self::Xz),
            "zst" => Some(Self::Zstd),
            _ => None,
        }
    }
}

/// Returns a reader of the uncompressed stream.
///
/// # Errors
/// If the decoder cannot be set up.
pub(crate) fn decoder<'a>(
    compression: Compression,
    reader: Box<dyn BufRead + 'a>,
) -> io::Result<Box<dyn Read + 'a>> {
    Ok(match compression {
        Compression::None => Box::new(reader),
        Compression::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(reader)),
        Compression::Xz => {
            let stream = Stream::new_stream_decoder(XZ_MEMORY, CONCATENATED)?;
            Box::new(liblzma::bufread::XzDecoder::new_stream(reader, stream))
        }
        Compression::Zstd => {
            let mut decoder = zstd::Decoder::with_buffer(reader)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG)?;
            Box::new(decoder)
        }
    })
}
