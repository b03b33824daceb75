//! The lists of files in `.dsc`, `.changes` and `.buildinfo`: reading and correcting sizes and hashes.
//!
//! Nothing else of these texts is understood, and no other byte is changed.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::ops::Range;

use md5::Digest as _;
use sha2::Digest as _;

use crate::error::Broken;

/// The size and hashes of a file, the latter as lower-case hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Facts {
    size: u64,
    md5: String,
    sha1: String,
    sha256: String,
}

impl Facts {
    /// Reads everything from `data`.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) fn of(mut data: impl Read) -> io::Result<Self> {
        let (mut md5, mut sha1, mut sha256) = (md5::Md5::new(), sha1::Sha1::new(), sha2::Sha256::new());
        let mut size = 0;
        let mut buffer = vec![0; 1 << 18];
        loop {
            let read = match data.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let bytes = &buffer[..read];
            md5.update(bytes);
            sha1.update(bytes);
            sha256.update(bytes);
            size += read as u64;
        }
        Ok(Self {
            size,
            md5: hex::encode(md5.finalize()),
            sha1: hex::encode(sha1.finalize()),
            sha256: hex::encode(sha256.finalize()),
        })
    }

    fn hash(&self, hash: Hash) -> &str {
        match hash {
            Hash::Md5 => &self.md5,
            Hash::Sha1 => &self.sha1,
            Hash::Sha256 => &self.sha256,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hash {
    Md5,
    Sha1,
    Sha256,
}

/// The lists of one text.
pub(crate) struct Lists<'a> {
    text: &'a [u8],
    lines: Vec<Line>,
    /// Positions in `lines`, by name of the file.
    by_name: BTreeMap<&'a [u8], Vec<usize>>,
}

/// A line of a list, as positions in the text.
struct Line {
    hash: Hash,
    digest: Range<usize>,
    size: Range<usize>,
    name: Range<usize>,
}

impl<'a> Lists<'a> {
    /// Finds the lists in `text`.
    ///
    /// # Errors
    /// [`Broken`] when a list cannot be understood.
    pub(crate) fn read(text: &'a [u8]) -> Result<Self, Broken> {
        let mut lines = Vec::new();
        let mut current = None;
        let mut at = 0;
        for line in text.split(|byte| *byte == b'\n') {
            if line.starts_with(b" ") || line.starts_with(b"\t") {
                if let Some(hash) = current
                    && !line.trim_ascii().is_empty()
                {
                    lines.push(entry(text, at..at + line.len(), hash)?);
                }
            } else {
                let start = line.iter().position(|byte| *byte == b':').map_or(line.len(), |end| end + 1);
                current = field(line)?;
                if let Some(hash) = current
                    && !line[start..].trim_ascii().is_empty()
                {
                    lines.push(entry(text, at + start..at + line.len(), hash)?);
                }
            }
            at += line.len() + 1;
        }
        let mut by_name: BTreeMap<&[u8], Vec<usize>> = BTreeMap::new();
        for (place, line) in lines.iter().enumerate() {
            by_name.entry(&text[line.name.clone()]).or_default().push(place);
        }
        Ok(Self { text, lines, by_name })
    }

    /// Returns the names of all files that are listed, each once, sorted.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'a [u8]> {
        self.by_name.keys().copied()
    }

    /// Returns whether everything that is said about the file `name` is true of `facts`.
    pub(crate) fn agree(&self, name: &[u8], facts: &Facts) -> bool {
        let places = self.by_name.get(name).into_iter().flatten();
        places.map(|place| &self.lines[*place]).all(|line| {
            self.text[line.digest.clone()].eq_ignore_ascii_case(facts.hash(line.hash).as_bytes())
                && &self.text[line.size.clone()] == facts.size.to_string().as_bytes()
        })
    }

    /// Returns the text with what it says about each name brought up to date.
    pub(crate) fn updated(&self, changed: &[(&[u8], &Facts)]) -> Vec<u8> {
        let mut text = Vec::with_capacity(self.text.len());
        let mut at = 0;
        for line in &self.lines {
            let name = &self.text[line.name.clone()];
            let Some((_, facts)) = changed.iter().find(|(known, _)| *known == name) else { continue };
            text.extend(&self.text[at..line.digest.start]);
            text.extend(facts.hash(line.hash).as_bytes());
            text.extend(&self.text[line.digest.end..line.size.start]);
            text.extend(facts.size.to_string().as_bytes());
            at = line.size.end;
        }
        text.extend(&self.text[at..]);
        text
    }
}

/// Returns the hash that a field lists, if it is such a field.
fn field(line: &[u8]) -> Result<Option<Hash>, Broken> {
    let Some(end) = line.iter().position(|byte| *byte == b':') else { return Ok(None) };
    match line[..end].trim_ascii_end().to_ascii_lowercase().as_slice() {
        b"files" => Ok(Some(Hash::Md5)),
        b"checksums-md5" => Ok(Some(Hash::Md5)),
        b"checksums-sha1" => Ok(Some(Hash::Sha1)),
        b"checksums-sha256" => Ok(Some(Hash::Sha256)),
        other if other.starts_with(b"checksums-") => {
            Err(Broken(format!("its field {:?} is not known", String::from_utf8_lossy(&line[..end]))))
        }
        _ => Ok(None),
    }
}

/// Returns where things are in the line at `range`: digest first, then size, name last.
fn entry(text: &[u8], range: Range<usize>, hash: Hash) -> Result<Line, Broken> {
    let mut words = Vec::new();
    let mut at = range.start;
    while at < range.end {
        let start = (at..range.end).find(|at| !text[*at].is_ascii_whitespace()).unwrap_or(range.end);
        let end = (start..range.end).find(|at| text[*at].is_ascii_whitespace()).unwrap_or(range.end);
        if start < end {
            words.push(start..end);
        }
        at = end;
    }
    match words.as_slice() {
        [digest, size, .., name] if text[size.clone()].iter().all(u8::is_ascii_digit) => {
            Ok(Line { hash, digest: digest.clone(), size: size.clone(), name: name.clone() })
        }
        _ => {
            let line = String::from_utf8_lossy(&text[range]).trim().to_owned();
            Err(Broken(format!("its list of files has a line that is none: {line:?}")))
        }
    }
}
