//! One header of an RPM package: an index of tags and the store that their values lie in.
//!
//! Follows rpm's own description of the format (version 4) and its checks: no size is believed before it is held against
//! the file, and values neither overlap nor run backwards, so reading takes linear time.

use std::fs::File;
use std::os::unix::fs::FileExt;

use crate::error::{Broken, ReadError};

/// What a header begins with.
const MAGIC: [u8; 8] = [0x8e, 0xad, 0xe8, 0x01, 0, 0, 0, 0];
/// Magic, number of entries, length of the store.
const INTRO: usize = 16;
/// An entry of the index: tag, kind, offset, count.
const ENTRY: usize = 16;
/// The kind of a value that is bytes.
pub(super) const BIN: u32 = 7;
/// The kind of a value that is one text.
pub(super) const STRING: u32 = 6;
/// The kind of a value that is several texts.
pub(super) const STRINGS: u32 = 8;
/// The kind of a value that is numbers of four bytes.
pub(super) const INT32: u32 = 4;

/// How large a header may be.
pub(super) struct Limits {
    pub(super) entries: u32,
    pub(super) store: u32,
}

/// A header as it stands in the file.
pub(super) struct Header {
    bytes: Vec<u8>,
    entries: u32,
}

/// A value with its tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry<'a> {
    pub(super) tag: u32,
    pub(super) kind: u32,
    pub(super) count: u32,
    pub(super) data: &'a [u8],
}

impl Header {
    /// Reads the header called `what` at byte `at` of `file`.
    ///
    /// # Errors
    /// [`ReadError`] when it cannot be read or makes no sense.
    pub(super) fn read(file: &File, at: u64, what: &str, limits: &Limits) -> Result<Self, ReadError> {
        let length = file.metadata()?.len();
        let cut_off = || ReadError::broken(format!("its {what} is cut off"));
        if length.saturating_sub(at) < INTRO as u64 {
            return Err(cut_off());
        }
        let mut intro = [0; INTRO];
        file.read_exact_at(&mut intro, at)?;
        if intro[..8] != MAGIC {
            return Err(ReadError::broken(format!("its {what} is missing")));
        }
        let (entries, store) = (number(&intro, 8), number(&intro, 12));
        if entries == 0 || entries > limits.entries || store > limits.store {
            return Err(ReadError::broken(format!("its {what} claims an impossible size")));
        }
        let size = INTRO as u64 + u64::from(entries) * ENTRY as u64 + u64::from(store);
        if size > length - at {
            return Err(cut_off());
        }
        let mut bytes = vec![0; usize::try_from(size).map_err(|_| cut_off())?];
        file.read_exact_at(&mut bytes, at)?;
        let header = Self { bytes, entries };
        header.check().map_err(|reason| Broken(format!("its {what} is damaged: {reason}")))?;
        Ok(header)
    }

    /// Returns the header as it stands in the file, which is what signatures are made over.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns the entries in order.
    pub(super) fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        let store = self.store();
        (0..self.entries as usize).filter_map(move |place| {
            let (tag, kind, offset, count) = self.index(place);
            let end = offset.checked_add(length(store, kind, offset, count)?)?;
            Some(Entry { tag, kind, count, data: store.get(offset..end)? })
        })
    }

    /// Returns the entry of `tag`, if it is there and of that kind.
    pub(super) fn find(&self, tag: u32, kind: u32) -> Option<Entry<'_>> {
        self.entries().find(|entry| entry.tag == tag && entry.kind == kind)
    }

    /// Returns the first text of `tag`.
    pub(super) fn text(&self, tag: u32) -> Option<&[u8]> {
        let entry =
            self.entries().find(|entry| entry.tag == tag && matches!(entry.kind, STRING | STRINGS))?;
        entry.data.split(|byte| *byte == 0).next()
    }

    /// Returns whether the region that starts the index is `tag`'s and covers everything.
    pub(super) fn is_whole(&self, tag: u32) -> bool {
        let store = self.store();
        let (found, kind, offset, count) = self.index(0);
        let is_region = (found, kind, count) == (tag, BIN, ENTRY as u32) && offset + ENTRY == store.len();
        let covered = self.entries.checked_mul(ENTRY as u32).and_then(|length| i32::try_from(length).ok());
        is_region
            && covered.is_some_and(|covered| store[offset..] == index_entry(tag, BIN, -covered, ENTRY as u32))
    }

    fn store(&self) -> &[u8] {
        &self.bytes[INTRO + self.entries as usize * ENTRY..]
    }

    fn index(&self, place: usize) -> (u32, u32, usize, u32) {
        let at = INTRO + place * ENTRY;
        let field = |offset| number(&self.bytes, at + offset);
        (field(0), field(4), field(8) as usize, field(12))
    }

    fn check(&self) -> Result<(), &'static str> {
        let store = self.store();
        let mut free = 0;
        for place in 0..self.entries as usize {
            let (_, kind, offset, count) = self.index(place);
            let is_region = place == 0 && (kind, count) == (BIN, ENTRY as u32);
            let length =
                length(store, kind, offset, count).ok_or("a value is of no known kind, or cut off")?;
            if is_region {
                continue;
            }
            if offset < free {
                return Err("values overlap");
            }
            if offset % alignment(kind) != 0 {
                return Err("a number is not aligned");
            }
            free = offset + length;
        }
        let mut tags: Vec<u32> = (0..self.entries as usize).map(|place| self.index(place).0).collect();
        tags.sort_unstable();
        // Which of the two counts would be up to the reader.
        match tags.windows(2).any(|pair| pair[0] == pair[1]) {
            true => Err("a tag is there twice"),
            false => Ok(()),
        }
    }
}

/// Writes a header with a region `region` around `entries`, which are sorted by tag here.
pub(super) fn encode(region: u32, mut entries: Vec<(u32, u32, u32, Vec<u8>)>) -> Vec<u8> {
    entries.sort_by_key(|(tag, ..)| *tag);
    let mut index = Vec::new();
    let mut store = Vec::new();
    for (tag, kind, count, data) in &entries {
        store.resize(store.len().next_multiple_of(alignment(*kind)), 0);
        index.extend(index_entry(*tag, *kind, int(store.len()), *count));
        store.extend(data);
    }
    let number = entries.len() + 1;
    let trailer = index_entry(region, BIN, -int(number * ENTRY), ENTRY as u32);
    let first = index_entry(region, BIN, int(store.len()), ENTRY as u32);
    store.extend(trailer);
    let mut header = MAGIC.to_vec();
    header.extend(int(number).to_be_bytes());
    header.extend(int(store.len()).to_be_bytes());
    header.extend(first);
    header.extend(index);
    header.extend(store);
    header
}

/// Headers are far smaller than what the format can say.
fn int(length: usize) -> i32 {
    i32::try_from(length).unwrap_or(i32::MAX)
}

fn index_entry(tag: u32, kind: u32, offset: i32, count: u32) -> [u8; ENTRY] {
    let mut entry = [0; ENTRY];
    entry[..4].copy_from_slice(&tag.to_be_bytes());
    entry[4..8].copy_from_slice(&kind.to_be_bytes());
    entry[8..12].copy_from_slice(&offset.to_be_bytes());
    entry[12..].copy_from_slice(&count.to_be_bytes());
    entry
}

/// Returns how long the value at `offset` is; none when it is of no known kind or does not fit.
fn length(store: &[u8], kind: u32, offset: usize, count: u32) -> Option<usize> {
    let rest = store.get(offset..)?;
    let count = count as usize;
    if count == 0 {
        return None;
    }
    let length = match kind {
        0 => 0,
        1 | 2 | 7 => count,
        3 => count.checked_mul(2)?,
        4 => count.checked_mul(4)?,
        5 => count.checked_mul(8)?,
        6 if count != 1 => return None,
        6 | 8 | 9 => {
            let mut ends = rest.iter().enumerate().filter(|(_, byte)| **byte == 0);
            ends.nth(count - 1)?.0 + 1
        }
        _ => return None,
    };
    (length <= rest.len()).then_some(length)
}

fn alignment(kind: u32) -> usize {
    match kind {
        3 => 2,
        4 => 4,
        5 => 8,
        _ => 1,
    }
}

fn number(bytes: &[u8], at: usize) -> u32 {
    let mut number = [0; 4];
    number.copy_from_slice(&bytes[at..at + 4]);
    u32::from_be_bytes(number)
}
