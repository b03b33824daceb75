//! Lists of packages (`Packages`), held compactly: only the fields that resolving needs.
//!
//! A real list has 50 MB of text in 60 000 paragraphs; a fifth of it is kept, in one string,
//! and a paragraph's fields are looked up when somebody asks for them.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::ops::Range;
use std::path::Path;

use crate::compression::{Compression, decoder};
use crate::relation;
use crate::release::is_sha256;

/// Beyond this, a list is a decompression bomb and not a distribution.
const MAX_TEXT: u64 = 1 << 30;
const MAX_LINE: u64 = 1 << 20;

/// The fields that are kept.
const FIELDS: &[&str] = &[
    "Package",
    "Version",
    "Architecture",
    "Essential",
    "Priority",
    "Pre-Depends",
    "Depends",
    "Provides",
    "Conflicts",
    "Breaks",
    "Filename",
    "Size",
    "SHA256",
];

/// One list of packages.
#[derive(Debug, Default)]
pub(crate) struct Index {
    text: String,
    entries: Vec<Entry>,
}

/// Where one paragraph is, and the fields that everyone needs.
#[derive(Debug, Default, Clone)]
struct Entry {
    all: Range<u32>,
    name: Range<u32>,
    version: Range<u32>,
    provides: Range<u32>,
}

/// One package in a list.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stanza<'a> {
    text: &'a str,
    entry: &'a Entry,
}

impl Index {
    /// Reads a compressed list from a file.
    ///
    /// # Errors
    /// A clause that says what is wrong with it.
    pub(crate) fn read(path: &Path, compression: Compression) -> Result<Self, String> {
        let file = File::open(path).map_err(|source| source.to_string())?;
        let reader =
            decoder(compression, Box::new(BufReader::new(file))).map_err(|source| source.to_string())?;
        Self::parse(BufReader::with_capacity(1 << 18, reader.take(MAX_TEXT)))
    }

    /// Parses a list.
    ///
    /// # Errors
    /// A clause that says what is wrong with it.
    pub(crate) fn parse(mut reader: impl BufRead) -> Result<Self, String> {
        let mut index = Self::default();
        let mut entry = Entry::default();
        let mut line = Vec::new();
        let mut is_kept = false;
        loop {
            line.clear();
            let count = reader
                .by_ref()
                .take(MAX_LINE)
                .read_until(b'\n', &mut line)
                .map_err(|source| source.to_string())?;
            if count as u64 == MAX_LINE {
                return Err("a line is too long".to_owned());
            }
            if line.last() == Some(&b'\n') {
                line.pop();
            }
            if line.is_empty() {
                index.finish(&mut entry)?;
                if count == 0 {
                    return Ok(index);
                }
                continue;
            }
            let continues = matches!(line[0], b' ' | b'\t');
            if !continues {
                is_kept = is_field(&line);
            }
            if is_kept {
                let line = std::str::from_utf8(&line).map_err(|_| "a field is not UTF-8".to_owned())?;
                index.push(&mut entry, line, continues)?;
            }
        }
    }

    /// Returns all packages, in the order of the list.
    pub(crate) fn stanzas(&self) -> impl ExactSizeIterator<Item = Stanza<'_>> {
        self.entries.iter().map(|entry| Stanza { text: &self.text, entry })
    }

    /// Appends one line of the paragraph under way; a continuation goes to the line before.
    fn push(&mut self, entry: &mut Entry, line: &str, continues: bool) -> Result<(), String> {
        if continues {
            self.text.pop();
        }
        let start = self.text.len();
        self.text.push_str(line);
        self.text.push('\n');
        let end = u32::try_from(self.text.len()).map_err(|_| "it is too large".to_owned())?;
        let value = |name: &str| {
            let rest = &line[name.len()..];
            let trimmed = rest.trim();
            let skipped = name.len() + rest.len() - rest.trim_start().len();
            // The text's length was just seen to fit.
            let from = (start + skipped) as u32;
            from..from + trimmed.len() as u32
        };
        match line.split_once(':').map(|(name, _)| name) {
            _ if continues => {}
            Some("Package") => entry.name = value("Package:"),
            Some("Version") => entry.version = value("Version:"),
            Some("Provides") => entry.provides = value("Provides:"),
            _ => {}
        }
        entry.all.end = end;
        Ok(())
    }

    fn finish(&mut self, entry: &mut Entry) -> Result<(), String> {
        let next = Entry { all: entry.all.end..entry.all.end, ..Entry::default() };
        let entry = std::mem::replace(entry, next);
        if entry.all.is_empty() {
            return Ok(());
        }
        let stanza = Stanza { text: &self.text, entry: &entry };
        if !relation::is_package_name(stanza.name()) {
            return Err(format!("`{}` is not a package name", stanza.name()));
        }
        if stanza.version().is_empty() {
            return Err(format!("package {} has no version", stanza.name()));
        }
        self.entries.push(entry);
        Ok(())
    }
}

impl<'a> Stanza<'a> {
    pub(crate) fn name(&self) -> &'a str {
        self.slice(&self.entry.name)
    }

    pub(crate) fn version(&self) -> &'a str {
        self.slice(&self.entry.version)
    }

    /// Returns the field of virtual packages, empty if there are none.
    pub(crate) fn provides(&self) -> &'a str {
        self.slice(&self.entry.provides)
    }

    /// Returns the value of a field, if it is there and among those kept.
    pub(crate) fn get(&self, name: &str) -> Option<&'a str> {
        self.slice(&self.entry.all)
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':').map(str::trim))
    }

    /// Returns where the package is, its digest and its size in bytes.
    ///
    /// # Errors
    /// A clause that says what is wrong.
    pub(crate) fn download(&self) -> Result<(&'a str, &'a str, u64), String> {
        let missing = |field: &str| format!("package {} has no usable {field}", self.name());
        let path = self.get("Filename").filter(|path| is_safe_path(path));
        let sha256 = self.get("SHA256").filter(|digest| is_sha256(digest));
        let size = self.get("Size").and_then(|size| size.parse().ok());
        Ok((
            path.ok_or_else(|| missing("Filename"))?,
            sha256.ok_or_else(|| missing("SHA256"))?,
            size.ok_or_else(|| missing("Size"))?,
        ))
    }

    fn slice(&self, range: &Range<u32>) -> &'a str {
        &self.text[range.start as usize..range.end as usize]
    }
}

fn is_field(line: &[u8]) -> bool {
    // Most lines are not wanted, and most of those differ in the first letter.
    matches!(line[0], b'A'..=b'F' | b'P' | b'S' | b'V')
        && FIELDS.iter().any(|name| {
            line.len() > name.len() && line[name.len()] == b':' && &line[..name.len()] == name.as_bytes()
        })
}

/// Returns whether a path stays below the archive it is appended to.
fn is_safe_path(path: &str) -> bool {
    !path.is_empty()
        && path.split('/').all(|part| !matches!(part, "" | "." | ".."))
        && path.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'?' | b'#' | b'\\'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn parse(text: &str) -> Result<Index, String> {
        Index::parse(text.as_bytes())
    }

    #[test]
    fn paragraphs_keep_the_fields_that_matter() {
        let index = parse(&format!(
            "Package: hello\nVersion: 2.10-3\nDescription: says hello\n and more\nDepends: libc6,\n \
             libx\nProvides: greeter\nFilename: pool/h/hello.deb\nSize: 12\nSHA256: {DIGEST}\n\n\n\
             Version: 1\nPackage: other\nTag: x"
        ))
        .unwrap();
        let names: Vec<_> = index.stanzas().map(|stanza| (stanza.name(), stanza.version())).collect();
        assert_eq!(names, [("hello", "2.10-3"), ("other", "1")]);
        let hello = index.stanzas().next().unwrap();
        assert_eq!(hello.get("Depends"), Some("libc6, libx"));
        assert_eq!(hello.get("Description"), None);
        assert_eq!(hello.provides(), "greeter");
        assert_eq!(hello.download().unwrap(), ("pool/h/hello.deb", DIGEST, 12));
        let other = index.stanzas().nth(1).unwrap();
        assert_eq!(other.provides(), "");
        assert_eq!(other.download().unwrap_err(), "package other has no usable Filename");
    }

    #[test]
    fn hostile_fields_are_refused() {
        assert_eq!(parse("Package: ../x\nVersion: 1\n").unwrap_err(), "`../x` is not a package name");
        assert_eq!(parse("Package: xx\n").unwrap_err(), "package xx has no version");
        for path in ["../../x", "/etc/passwd", "pool//x", "pool/x?y", "pool/x y"] {
            assert!(!is_safe_path(path), "{path}");
        }
        assert!(is_safe_path("pool/main/g/gcc-12/gcc-12_12.2.0-14+deb12u1_amd64.deb"));
    }

    #[test]
    fn an_endless_line_is_refused() {
        let text = format!("Package: xx\nVersion: 1\nDepends: {}", "x".repeat(2 << 20));
        assert_eq!(parse(&text).unwrap_err(), "a line is too long");
    }
}
