//! The bytes of a layer on their way to the unpacker: decompressed, counted and hashed.

use std::io::{self, BufRead, BufReader, Read};

use crate::oci::{Digest, Hasher};

const GZIP: &[u8] = &[0x1f, 0x8b];
const XZ: &[u8] = &[0xfd, b'7', b'z', b'X', b'Z', 0];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];

/// Decompresses `input`. What it is shows in its first bytes: media types are wrong too often, and the digest
/// of the result is checked anyway.
///
/// # Errors
/// When the input cannot be read.
pub fn decompressed<'a>(input: impl Read + 'a) -> io::Result<Box<dyn Read + 'a>> {
    let mut input = BufReader::with_capacity(1 << 18, input);
    let start = input.fill_buf()?;
    if start.starts_with(GZIP) {
        return Ok(Box::new(flate2::bufread::MultiGzDecoder::new(input)));
    }
    if start.starts_with(XZ) {
        return Ok(Box::new(liblzma::bufread::XzDecoder::new_multi_decoder(input)));
    }
    if start.starts_with(ZSTD) {
        return Ok(Box::new(zstd::stream::read::Decoder::with_buffer(input)?));
    }
    Ok(Box::new(input))
}

/// Hashes and counts what is read, and ends with an error beyond a limit.
pub struct Hashing<R> {
    input: R,
    hasher: Hasher,
    bytes: u64,
    limit: u64,
}

impl<R: Read> Hashing<R> {
    /// Returns a reader of at most `limit` bytes of `input`.
    pub fn new(input: R, hasher: Hasher, limit: u64) -> Self {
        Self { input, hasher, bytes: 0, limit }
    }

    /// Returns the digest and the number of the bytes that were read.
    pub fn finish(self) -> (Digest, u64) {
        (self.hasher.finish(), self.bytes)
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(buffer)?;
        self.hasher.update(&buffer[..count]);
        self.bytes += count as u64;
        if self.bytes > self.limit {
            return Err(io::Error::other(format!("it is larger than {} bytes", self.limit)));
        }
        Ok(count)
    }
}
