//! Reads `.deb` files: an `ar` archive of two compressed `tar` archives.
//!
//! Follows deb(5) and what `dpkg-deb` accepts: members in order, tar in the v7, ustar or GNU form.
//! What a package says is checked here for form (names that climb, devices, absurd sizes);
//! where it is written, and whether that is safe, is decided elsewhere.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use tar::EntryType;

use crate::compression::{Compression, decoder};

const MAX_CONTROL: u64 = 64 << 20;
/// No package is larger; a stream that goes on beyond is a decompression bomb.
const MAX_DATA: u64 = 64 << 30;
/// More than any kernel takes as a path.
const MAX_NAME: u64 = 64 << 10;
const BUFFER: usize = 128 << 10;

/// A path in a package: relative, without `.` and `..`, empty for the root directory itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct MemberPath(Vec<u8>);

impl MemberPath {
    /// Normalises a name in an archive, such as `./usr/bin/` or `/usr/bin`.
    ///
    /// # Errors
    /// If it climbs or has bytes that the package database cannot hold.
    pub(crate) fn new(name: &[u8]) -> Result<Self, String> {
        let shown = || String::from_utf8_lossy(name).into_owned();
        let mut parts = Vec::new();
        for part in name.split(|byte| *byte == b'/') {
            match part {
                b"" | b"." => {}
                b".." => return Err(format!("the name `{}` leads out of the package", shown())),
                _ if part.iter().any(|byte| matches!(byte, b'\n' | 0)) => {
                    return Err(format!("the name `{}` has a line break in it", shown().escape_debug()));
                }
                _ => parts.push(part),
            }
        }
        Ok(Self(parts.join(&b'/')))
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Splits into the directory and the last part; `None` for the root directory.
    pub(crate) fn split(&self) -> Option<(&[u8], &[u8])> {
        split(&self.0)
    }
}

/// Splits a normalised path into the directory and the last part; `None` for the empty path.
pub(crate) fn split(path: &[u8]) -> Option<(&[u8], &[u8])> {
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(at) => Some((&path[..at], &path[at + 1..])),
        None if path.is_empty() => None,
        None => Some((b"", path)),
    }
}

impl std::fmt::Display for MemberPath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "/{}", String::from_utf8_lossy(&self.0))
    }
}

/// A file in a package.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub(crate) path: MemberPath,
    pub(crate) kind: Kind,
    /// Permission bits with set-id and sticky bits.
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// Seconds since 1970.
    pub(crate) mtime: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    Directory,
    File,
    /// With the target as it is written.
    Symlink(Vec<u8>),
    HardLink(MemberPath),
}

/// A file that describes the package, such as `postinst`.
#[derive(Debug)]
pub(crate) struct ControlFile {
    /// Letters, digits, `-` and `_`: a safe file name.
    pub(crate) name: String,
    pub(crate) mode: u32,
    pub(crate) mtime: u64,
    pub(crate) content: Vec<u8>,
}

/// What a reader does with the parts of a package; an error of its own ends the reading.
pub(crate) trait Visitor {
    type Error: From<DebError>;

    /// Takes the files that describe the package; called once, first.
    fn control(&mut self, files: Vec<ControlFile>) -> Result<(), Self::Error>;

    /// Takes one file with its content, in the order of the archive.
    fn member(&mut self, member: Member, content: &mut dyn Read) -> Result<(), Self::Error>;
}

/// What is wrong with a package, as a clause.
#[derive(Debug)]
pub(crate) struct DebError(pub(crate) String);

impl From<io::Error> for DebError {
    fn from(error: io::Error) -> Self {
        Self(error.to_string())
    }
}

/// Shows the package at `path` to `visitor`.
pub(crate) fn read<V: Visitor>(path: &Path, visitor: &mut V) -> Result<(), V::Error> {
    let file = File::open(path).map_err(DebError::from)?;
    let mut archive = ar::Archive::new(BufReader::with_capacity(BUFFER, file));
    let mut expected = ["debian-binary", "control.tar", "data.tar"].into_iter().peekable();
    while let Some(entry) = archive.next_entry() {
        let mut entry = entry.map_err(DebError::from)?;
        let name = String::from_utf8_lossy(entry.header().identifier()).trim_end_matches('/').to_owned();
        // deb(5): names that start so are for others, and may come anywhere before the data.
        if name.starts_with('_') {
            continue;
        }
        match expected.next() {
            Some("debian-binary") if name == "debian-binary" => check_format(&mut entry)?,
            Some("control.tar") if name.starts_with("control.tar") => {
                let files = read_control(decode(&name, entry, MAX_CONTROL)?)?;
                visitor.control(files)?;
            }
            Some("data.tar") if name.starts_with("data.tar") => {
                return read_data(decode(&name, entry, MAX_DATA)?, visitor);
            }
            _ => return Err(DebError(format!("it has an unexpected member `{name}`")).into()),
        }
    }
    let missing = expected.peek().unwrap_or(&"data.tar");
    Err(DebError(format!("it has no member `{missing}`")).into())
}

fn check_format(entry: &mut impl Read) -> Result<(), DebError> {
    let mut text = Vec::new();
    entry.take(16).read_to_end(&mut text)?;
    if text.starts_with(b"2.") {
        return Ok(());
    }
    Err(DebError("it is not of format 2".to_owned()))
}

fn decode<'a>(
    name: &str,
    reader: impl Read + 'a,
    limit: u64,
) -> Result<Limited<Box<dyn Read + 'a>>, DebError> {
    let compression = Compression::of_name(name)
        .ok_or_else(|| DebError(format!("the compression of `{name}` is unknown")))?;
    let reader = Box::new(BufReader::with_capacity(BUFFER, reader));
    Ok(Limited { reader: decoder(compression, reader)?, left: limit })
}

/// Fails where `Take` would pretend that the stream ended.
struct Limited<R> {
    reader: R,
    left: u64,
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        match self.left.checked_sub(count as u64) {
            Some(left) => self.left = left,
            None => return Err(io::Error::other("it is larger than any package may be")),
        }
        Ok(count)
    }
}

fn read_control(reader: impl Read) -> Result<Vec<ControlFile>, DebError> {
    let mut files = Vec::new();
    walk(reader, |member, content| {
        let (directory, name) = match (&member.kind, member.path.split()) {
            (Kind::Directory, None) => return Ok(()),
            (Kind::File, Some(parts)) => parts,
            _ => return Err(DebError(format!("its control archive has {}", member.path))),
        };
        let is_safe = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if !directory.is_empty() || !name.iter().all(is_safe) {
            return Err(DebError(format!("its control archive has {}", member.path)));
        }
        let mut bytes = Vec::new();
        content.read_to_end(&mut bytes)?;
        files.push(ControlFile {
            name: String::from_utf8_lossy(name).into_owned(),
            mode: member.mode,
            mtime: member.mtime,
            content: bytes,
        });
        Ok(())
    })?;
    Ok(files)
}

fn read_data<V: Visitor>(reader: impl Read, visitor: &mut V) -> Result<(), V::Error> {
    walk(reader, |member, content| visitor.member(member, content))
}

/// Calls `take` for each file of a tar archive.
fn walk<E: From<DebError>>(
    reader: impl Read,
    mut take: impl FnMut(Member, &mut dyn Read) -> Result<(), E>,
) -> Result<(), E> {
    let mut archive = tar::Archive::new(reader);
    // Raw: the crate would read long names of any length into memory.
    let entries = archive.entries().map_err(DebError::from)?.raw(true);
    let mut long_name = None;
    let mut long_target = None;
    for entry in entries {
        let mut entry = entry.map_err(DebError::from)?;
        match entry.header().entry_type() {
            EntryType::GNULongName => long_name = Some(read_name(&mut entry)?),
            EntryType::GNULongLink => long_target = Some(read_name(&mut entry)?),
            _ => {
                let member = member(&entry, long_name.take(), long_target.take())?;
                take(member, &mut entry)?;
            }
        }
    }
    Ok(())
}

fn read_name(entry: &mut impl Read) -> Result<Vec<u8>, DebError> {
    let mut name = Vec::new();
    entry.take(MAX_NAME + 1).read_to_end(&mut name)?;
    if name.len() as u64 > MAX_NAME {
        return Err(DebError("it has a name longer than any path".to_owned()));
    }
    let end = name.iter().position(|byte| *byte == 0).unwrap_or(name.len());
    name.truncate(end);
    Ok(name)
}

fn member<R: Read>(
    entry: &tar::Entry<'_, R>,
    long_name: Option<Vec<u8>>,
    long_target: Option<Vec<u8>>,
) -> Result<Member, DebError> {
    let header = entry.header();
    let name = long_name.map_or_else(|| entry.path_bytes(), Cow::Owned);
    let path = MemberPath::new(&name).map_err(DebError)?;
    let target = || -> Result<Vec<u8>, DebError> {
        let target = long_target.or_else(|| entry.link_name_bytes().map(Cow::into_owned));
        target
            .filter(|target| !target.is_empty() && !target.contains(&0))
            .ok_or_else(|| DebError(format!("the link {path} leads nowhere")))
    };
    let kind = match header.entry_type() {
        // The oldest form tells directories by a trailing slash only.
        EntryType::Regular if name.ends_with(b"/") => Kind::Directory,
        EntryType::Regular | EntryType::Continuous => Kind::File,
        EntryType::Directory => Kind::Directory,
        EntryType::Symlink => Kind::Symlink(target()?),
        EntryType::Link => Kind::HardLink(MemberPath::new(&target()?).map_err(DebError)?),
        other => {
            let letter = char::from(other.as_byte());
            return Err(DebError(format!("{path} is of an unsupported kind `{letter}`")));
        }
    };
    if path.as_bytes().is_empty() && kind != Kind::Directory {
        return Err(DebError("a file has no name".to_owned()));
    }
    let number = |value: u64| {
        u32::try_from(value).map_err(|_| DebError(format!("the owner of {path} is out of range")))
    };
    Ok(Member {
        mode: header.mode()? & 0o7777,
        uid: number(header.uid()?)?,
        gid: number(header.gid()?)?,
        mtime: header.mtime()?,
        kind,
        path,
    })
}
