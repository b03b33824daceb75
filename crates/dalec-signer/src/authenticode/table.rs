//! The certificate table of a program: entries with a length, a revision and a kind, each aligned to eight bytes.

use std::fs::File;
use std::os::unix::fs::FileExt;

use der::{Decode, Header, Reader, SliceReader};

use crate::error::{Broken, ReadError};
use crate::parts::Range;
use crate::pe::ALIGNMENT;

const ENTRY: usize = 8;
/// The revision that there is, and the kind of a signed message.
const SIGNED_MESSAGE: [u8; 4] = [0, 2, 2, 0];
/// No certificate table is larger.
const LIMIT: u64 = 4 << 20;

/// Returns a table with the signed message `message`.
pub(super) fn encode(message: &[u8]) -> Vec<u8> {
    let size = (ENTRY + message.len()).next_multiple_of(ALIGNMENT as usize);
    let mut table = u32::try_from(size).unwrap_or(u32::MAX).to_le_bytes().to_vec();
    table.extend(SIGNED_MESSAGE);
    table.extend(message);
    table.resize(size, 0);
    table
}

/// Reads the table at `range`.
///
/// # Errors
/// [`ReadError`] when it cannot be read, or is too large.
pub(super) fn read(file: &File, range: Range) -> Result<Vec<u8>, ReadError> {
    if range.size > LIMIT {
        return Err(ReadError::broken("its certificate table is larger than any is"));
    }
    let mut table = vec![0; usize::try_from(range.size).unwrap_or_default()];
    file.read_exact_at(&mut table, range.at)?;
    Ok(table)
}

/// Returns the signed messages in `table`.
///
/// # Errors
/// [`Broken`] when there is anything else in it: no signature covers that.
pub(super) fn entries(mut table: &[u8]) -> Result<Vec<&[u8]>, Broken> {
    let damaged = || Broken("its certificate table is damaged".to_owned());
    let mut messages = Vec::new();
    while !table.is_empty() {
        let (head, _) = table.split_at_checked(ENTRY).ok_or_else(damaged)?;
        let (length, kind) = head.split_at(4);
        if kind != SIGNED_MESSAGE {
            return Err(Broken("its certificate table holds something that is no signature".to_owned()));
        }
        let length = usize::try_from(u32::from_le_bytes(length.try_into().map_err(|_| damaged())?));
        let length =
            length.ok().filter(|length| (ENTRY..=table.len()).contains(length)).ok_or_else(damaged)?;
        let entry = &table[ENTRY..length];
        let (message, rest) = entry.split_at_checked(size(entry).ok_or_else(damaged)?).ok_or_else(damaged)?;
        let next = length.next_multiple_of(ALIGNMENT as usize).min(table.len());
        if rest.iter().chain(&table[length..next]).any(|byte| *byte != 0) {
            return Err(Broken("there is data hidden behind its signature".to_owned()));
        }
        messages.push(message);
        table = &table[next..];
    }
    Ok(messages)
}

/// Returns the length of the encoded value that `bytes` begin with.
fn size(bytes: &[u8]) -> Option<usize> {
    let mut reader = SliceReader::new(bytes).ok()?;
    let header = Header::decode(&mut reader).ok()?;
    usize::try_from((reader.position() + header.length).ok()?).ok()
}
