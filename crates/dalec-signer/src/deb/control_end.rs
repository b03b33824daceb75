//! Whether a control archive ends where its member ends.
//!
//! dpkg passes over whatever follows the archive in its member, and a signature covers the members as one run of bytes. So
//! somebody could move the start of the data archive to a place within it, such as a package that it holds. Only who
//! checks needs to know; nothing is decompressed where a secret key is.

use std::io::{self, BufRead, BufReader, Read};

use liblzma::bufread::XzDecoder;
use liblzma::stream::Stream;

/// Control archives are far smaller, even those with a great many checksums.
const MOST_BYTES: u64 = 1 << 30;
/// Memory that xz gets: `xz -9` needs a quarter of it, and a few bytes can ask for gigabytes.
const XZ_MEMORY: u64 = 256 << 20;
const BLOCK: usize = 512;

/// Returns whether the archive in `member`, compressed as the end of its name says, ends with it.
///
/// # Errors
/// When it cannot be read.
pub(super) fn is_at_end(kind: &[u8], member: impl Read) -> io::Result<bool> {
    let mut member = BufReader::new(member);
    let is_whole = match kind {
        b"" => tar(&mut member)?,
        b".gz" => drains(flate2::bufread::GzDecoder::new(&mut member)),
        b".xz" => match Stream::new_stream_decoder(XZ_MEMORY, 0) {
            Ok(stream) => drains(XzDecoder::new_stream(&mut member, stream)),
            Err(_) => false,
        },
        b".zst" => match zstd::Decoder::with_buffer(&mut member) {
            Ok(decoder) => drains(decoder.single_frame()),
            Err(_) => false,
        },
        // dpkg takes no others for a control archive.
        _ => false,
    };
    Ok(is_whole && member.fill_buf()?.is_empty())
}

/// Returns whether there is an end to what `archive` gives, and it is no nonsense.
fn drains(archive: impl Read) -> bool {
    let read = io::copy(&mut archive.take(MOST_BYTES), &mut io::sink());
    read.is_ok_and(|read| read < MOST_BYTES)
}

/// Reads an archive up to its end, and the zeros that fill its last record.
fn tar(member: &mut impl Read) -> io::Result<bool> {
    let mut is_over = false;
    loop {
        let mut block = Vec::with_capacity(BLOCK);
        member.by_ref().take(BLOCK as u64).read_to_end(&mut block)?;
        if block.is_empty() {
            return Ok(is_over);
        }
        if block.iter().all(|byte| *byte == 0) {
            is_over = true;
            continue;
        }
        let Some(size) = size(&block).filter(|_| !is_over) else { return Ok(false) };
        let padded = size.next_multiple_of(BLOCK as u64);
        if io::copy(&mut member.by_ref().take(padded), &mut io::sink())? != padded {
            return Ok(false);
        }
    }
}

/// Returns the size that a header says its content has, in octal digits: eleven of them cannot overflow.
fn size(header: &[u8]) -> Option<u64> {
    let digits = std::str::from_utf8(header.get(124..135)?).ok()?;
    u64::from_str_radix(digits.trim_matches([' ', '\0']), 8).ok()
}
