//! The bytes of a layer on their way to the unpacker: decompressed, counted and hashed.

use std::io::{self, BufRead, BufReader, Read};

use liblzma::bufread::XzDecoder;
use liblzma::stream::{CONCATENATED, Stream};

use crate::Cancel;
use crate::oci::{Digest, Hasher};

const GZIP: &[u8] = &[0x1f, 0x8b];
const XZ: &[u8] = &[0xfd, b'7', b'z', b'X', b'Z', 0];
/// Memory that xz gets: `xz -9` needs a quarter of it, and a few bytes can ask for gigabytes.
const XZ_MEMORY: u64 = 256 << 20;
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
        let stream = Stream::new_stream_decoder(XZ_MEMORY, CONCATENATED)?;
        return Ok(Box::new(XzDecoder::new_stream(input, stream)));
    }
    if start.starts_with(ZSTD) {
        return Ok(Box::new(zstd::stream::read::Decoder::with_buffer(input)?));
    }
    Ok(Box::new(input))
}

/// Hashes and counts what is read, and ends with an error beyond a limit, or when nobody wants it any more.
pub struct Hashing<'a, R> {
    input: R,
    hasher: Hasher,
    bytes: u64,
    limit: u64,
    cancel: &'a Cancel,
}

impl<'a, R: Read> Hashing<'a, R> {
    /// Returns a reader of at most `limit` bytes of `input`.
    pub fn new(input: R, hasher: Hasher, limit: u64, cancel: &'a Cancel) -> Self {
        Self { input, hasher, bytes: 0, limit, cancel }
    }

    /// Returns the digest and the number of the bytes that were read.
    pub fn finish(self) -> (Digest, u64) {
        (self.hasher.finish(), self.bytes)
    }
}

impl<R: Read> Read for Hashing<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.cancel.is_cancelled() {
            return Err(io::Error::other("the build was cancelled"));
        }
        let count = self.input.read(buffer)?;
        self.hasher.update(&buffer[..count]);
        self.bytes += count as u64;
        if self.bytes > self.limit {
            return Err(io::Error::other(format!("it is larger than {} bytes", self.limit)));
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn read(packed: &[u8]) -> io::Result<String> {
        let mut text = String::new();
        decompressed(packed)?.read_to_string(&mut text)?;
        Ok(text)
    }

    #[test]
    fn xz_gets_no_more_memory_than_it_needs() {
        let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 9);
        encoder.write_all(b"text").unwrap();
        let mut packed = encoder.finish().unwrap();
        assert_eq!(read(&packed.repeat(2)).unwrap(), "texttext");
        // The first block begins behind the 12 bytes of the header, and ends its own header with a checksum.
        let end = 12 + usize::from(packed[12]) * 4;
        let dictionary = packed[12..end].windows(2).position(|pair| pair == [0x21, 1]).unwrap() + 14;
        packed[dictionary] = 40;
        let mut crc = flate2::Crc::new();
        crc.update(&packed[12..end]);
        packed[end..end + 4].copy_from_slice(&crc.sum().to_le_bytes());
        let error = read(&packed).unwrap_err();
        assert!(error.to_string().contains("memory"), "{error}");
    }
}
