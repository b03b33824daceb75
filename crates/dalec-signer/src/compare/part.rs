//! A file as parts that no signer may change.

use std::fs::File;
use std::io::{self, Read};

use super::Change;
use crate::parts::{Parts, Range};

/// A part of a file that is no signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part {
    /// What people call it, after "its".
    name: String,
    content: Content,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Content {
    Range(Range),
    Bytes(Vec<u8>),
}

impl Part {
    /// A part that is a range of the file.
    pub(crate) fn range(name: impl Into<String>, range: Range) -> Self {
        Self { name: name.into(), content: Content::Range(range) }
    }

    /// A part whose bytes were put together.
    pub(crate) fn bytes(name: impl Into<String>, bytes: Vec<u8>) -> Self {
        Self { name: name.into(), content: Content::Bytes(bytes) }
    }

    fn size(&self) -> u64 {
        match &self.content {
            Content::Range(range) => range.size,
            Content::Bytes(bytes) => bytes.len() as u64,
        }
    }

    fn read<'a>(&'a self, file: &'a File) -> Box<dyn Read + 'a> {
        match &self.content {
            Content::Range(range) => Box::new(Parts::new(file, [*range])),
            Content::Bytes(bytes) => Box::new(bytes.as_slice()),
        }
    }
}

/// Returns how the parts `after` of one file differ from the parts `before` of the other.
///
/// # Errors
/// When a file cannot be read.
pub(crate) fn differences(before: (&File, &[Part]), after: (&File, &[Part])) -> io::Result<Vec<Change>> {
    let names = |parts: &[Part]| parts.iter().map(|part| part.name.clone()).collect::<Vec<_>>();
    let (mut missing, mut added) = (names(before.1), names(after.1));
    if missing != added {
        let old = missing.clone();
        missing.retain(|name| !added.contains(name));
        added.retain(|name| !old.contains(name));
        let missing = missing.into_iter().map(|name| Change::PartMissing { name });
        let changes: Vec<Change> =
            missing.chain(added.into_iter().map(|name| Change::PartAdded { name })).collect();
        return Ok(if changes.is_empty() { vec![Change::Order] } else { changes });
    }
    let mut changes = Vec::new();
    for (old, new) in before.1.iter().zip(after.1) {
        let is_same = old.size() == new.size() && is_same(&mut old.read(before.0), &mut new.read(after.0))?;
        if !is_same {
            changes.push(Change::Part { name: old.name.clone() });
        }
    }
    Ok(changes)
}

/// Returns whether two streams of one length give the same bytes.
fn is_same(one: &mut dyn Read, other: &mut dyn Read) -> io::Result<bool> {
    const CHUNK: u64 = 1 << 18;
    let (mut first, mut second) = (Vec::new(), Vec::new());
    loop {
        first.clear();
        second.clear();
        one.take(CHUNK).read_to_end(&mut first)?;
        other.take(CHUNK).read_to_end(&mut second)?;
        match first == second {
            true if first.is_empty() => return Ok(true),
            true => {}
            false => return Ok(false),
        }
    }
}
