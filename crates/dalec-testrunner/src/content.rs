//! Checks of what a file holds. All but regular expressions read the file in pieces, whatever its size.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use dalec_spec::go_pattern;
use regex::bytes::Regex;

use crate::protocol::{Content, Value};
use crate::report::{Failure, Mismatch};

/// How much of a file a message shows, in bytes.
const PREVIEW: usize = 1024;
const PIECE: usize = 64 * 1024;

/// Succeeds when the content of `path` is as `check` says.
pub(crate) fn check(path: &Path, check: &Content) -> Result<(), Failure> {
    let (kind, value) = match check {
        Content::Empty => ("empty", None),
        Content::Equals(value) => ("equals", Some(value)),
        Content::Contains(value) => ("contains", Some(value)),
        Content::Matches(value) => ("matches", Some(value)),
        Content::StartsWith(value) => ("starts_with", Some(value)),
        Content::EndsWith(value) => ("ends_with", Some(value)),
    };
    let expected = value.map(text).transpose()?.unwrap_or_default();
    let mut file = open(path)?;
    let cannot_read = || Failure::io("read the file", path);
    let holds = match check {
        Content::Empty | Content::Equals(_) => equals(&mut file, &expected),
        Content::Contains(_) => contains(&mut file, &expected),
        Content::StartsWith(_) => starts_with(&mut file, &expected),
        Content::EndsWith(_) => ends_with(&mut file, &expected),
        Content::Matches(_) => {
            let pattern = pattern(&String::from_utf8_lossy(&expected))?;
            let mut content = Vec::new();
            let read = file.read_to_end(&mut content);
            read.map(|_| pattern.is_match(&content))
        }
    };
    if holds.map_err(cannot_read())? {
        return Ok(());
    }
    Err(Failure::Content(Mismatch {
        path: path.to_owned(),
        kind,
        expected,
        actual: preview(&mut file).map_err(cannot_read())?,
    }))
}

fn pattern(text: &str) -> Result<Regex, Failure> {
    go_pattern::compile(text)
        .map_err(|error| Failure::Pattern { pattern: text.to_owned(), reason: error.reason })
}

fn text(value: &Value) -> Result<Vec<u8>, Failure> {
    match value {
        Value::Text(text) => Ok(text.clone().into_bytes()),
        Value::File(path) => std::fs::read(path).map_err(Failure::io("read the expected text", path)),
    }
}

/// Opens `path` if it is a regular file; opening a pipe would wait for a writer, a device may never end.
fn open(path: &Path) -> Result<File, Failure> {
    let cannot = || Failure::io("read the file", path);
    let metadata = std::fs::metadata(path).map_err(cannot())?;
    if metadata.is_dir() {
        return Err(cannot()(io::ErrorKind::IsADirectory.into()));
    }
    if !metadata.is_file() {
        return Err(cannot()(io::Error::other("not a regular file")));
    }
    File::open(path).map_err(cannot())
}

fn equals(file: &mut File, expected: &[u8]) -> io::Result<bool> {
    let mut rest = expected;
    let mut piece = vec![0; PIECE];
    loop {
        let length = file.read(&mut piece)?;
        if length == 0 {
            return Ok(rest.is_empty());
        }
        match rest.strip_prefix(&piece[..length]) {
            Some(left) => rest = left,
            None => return Ok(false),
        }
    }
}

fn starts_with(file: &mut File, expected: &[u8]) -> io::Result<bool> {
    let mut start = Vec::new();
    file.take(expected.len() as u64).read_to_end(&mut start)?;
    Ok(start == expected)
}

fn ends_with(file: &mut File, expected: &[u8]) -> io::Result<bool> {
    // The end is kept while reading: a file of /proc has no length to seek from.
    let mut end = Vec::new();
    let mut piece = vec![0; PIECE];
    loop {
        let length = file.read(&mut piece)?;
        if length == 0 {
            return Ok(end.ends_with(expected));
        }
        end.extend_from_slice(&piece[..length]);
        end.drain(..end.len().saturating_sub(expected.len()));
    }
}

/// Finds `expected` with one look at each byte (Knuth, Morris and Pratt), so that nothing read must be kept.
fn contains(file: &mut File, expected: &[u8]) -> io::Result<bool> {
    if expected.is_empty() {
        return Ok(true);
    }
    let borders = borders(expected);
    let mut matched = 0;
    let mut piece = vec![0; PIECE];
    loop {
        let length = file.read(&mut piece)?;
        if length == 0 {
            return Ok(false);
        }
        for byte in &piece[..length] {
            while matched > 0 && expected[matched] != *byte {
                matched = borders[matched - 1];
            }
            matched += usize::from(expected[matched] == *byte);
            if matched == expected.len() {
                return Ok(true);
            }
        }
    }
}

/// Returns, for each prefix of `text`, the length of its longest proper prefix that is its suffix too.
fn borders(text: &[u8]) -> Vec<usize> {
    let mut borders = vec![0; text.len()];
    let mut length = 0;
    for index in 1..text.len() {
        while length > 0 && text[index] != text[length] {
            length = borders[length - 1];
        }
        length += usize::from(text[index] == text[length]);
        borders[index] = length;
    }
    borders
}

fn preview(file: &mut File) -> io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(0))?;
    let mut shown = Vec::new();
    let mut size = 0_u64;
    let mut binary = false;
    let mut piece = vec![0; PIECE];
    loop {
        let length = file.read(&mut piece)?;
        if length == 0 {
            break;
        }
        let read = &piece[..length];
        binary |= read.contains(&0);
        let room = PREVIEW - shown.len();
        shown.extend_from_slice(&read[..length.min(room)]);
        size += length as u64;
    }
    if binary {
        return Ok(b"<binary data>".to_vec());
    }
    if size > PREVIEW as u64 {
        shown.extend_from_slice(format!("... (truncated, {size} bytes in all)").as_bytes());
    }
    Ok(shown)
}
