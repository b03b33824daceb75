//! Windows programs: where in a PE file a signature goes, and what it covers.
//!
//! Only the headers are read, by the layout that Microsoft's "PE Format" gives. Sizes and positions are held against the
//! file before anything else is done with them. What lies in other places for different readers is refused: headers and
//! sections that overlap, a certificate table that is not the end of the file.

#[cfg(test)]
mod sample;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;

use sha2::{Digest, Sha256};

use crate::error::ReadError;
use crate::parts::{Parts, Range};

/// Where the position of the PE header is.
const POINTER: u64 = 0x3c;
/// The signature of a PE file and the header that all object files have.
const FILE_HEADER: u64 = 4 + 20;
/// The entry of the certificate table among the data directories.
const SECURITY: u64 = 4;
const SECTION_HEADER: u64 = 40;
/// No loader takes more.
const MOST_SECTIONS: u16 = 96;
/// What a certificate table and its entries are aligned to.
pub(crate) const ALIGNMENT: u64 = 8;

/// Where things are in a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Image {
    /// The checksum of the file: four bytes that no signature covers.
    pub(crate) checksum: u64,
    /// Position and size of the certificate table: eight bytes that no signature covers.
    pub(crate) directory: u64,
    /// The certificate table, at the end of the file; none when the program is not signed.
    pub(crate) table: Option<Range>,
    /// Everything before the certificate table.
    pub(crate) content: Range,
    headers: u64,
    sections: Vec<Section>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Section {
    name: String,
    data: Range,
}

impl Image {
    /// Reads the headers.
    ///
    /// # Errors
    /// [`ReadError`] when the file cannot be read, is no Windows program, or contradicts itself.
    pub(crate) fn read(file: &File) -> Result<Self, ReadError> {
        let length = file.metadata()?.len();
        let bytes = Bytes { file, length };
        if length < 0x40 || &bytes.array::<2>(0)? != b"MZ" {
            return Err(ReadError::broken("it is not a Windows program"));
        }
        let header = u64::from(bytes.u32(POINTER)?);
        if header < 0x40 || !header.is_multiple_of(4) {
            return Err(ReadError::broken("its PE header is not where one can be"));
        }
        if length < header + FILE_HEADER || &bytes.array::<4>(header)? != b"PE\0\0" {
            return Err(ReadError::broken("it is not a Windows program"));
        }
        let optional = header + FILE_HEADER;
        let optional_size = u64::from(bytes.u16(header + 20)?);
        let directories = optional
            + match bytes.u16(optional)? {
                0x10b => 96,
                0x20b => 112,
                _ => return Err(ReadError::broken("it is of an unknown kind of PE files")),
            };
        let directory = directories + SECURITY * 8;
        let known = u64::from(bytes.u32(directories - 4)?);
        if known <= SECURITY || optional + optional_size < directory + 8 {
            return Err(ReadError::broken("its headers have no place for a signature"));
        }
        let headers = u64::from(bytes.u32(optional + 60)?);
        let table = bytes.table(directory)?;
        let content = Range { at: 0, size: table.map_or(length, |table| table.at) };
        let sections = optional + optional_size;
        let count = bytes.u16(header + 6)?;
        if count > MOST_SECTIONS {
            return Err(ReadError::broken(format!("it has more than {MOST_SECTIONS} sections")));
        }
        if headers < sections + u64::from(count) * SECTION_HEADER || headers > content.size {
            return Err(ReadError::broken("its headers are cut off"));
        }
        let sections = bytes.sections(sections, count, headers, content.size)?;
        Ok(Self { checksum: optional + 64, directory, table, content, headers, sections })
    }

    /// Returns what a signature covers, without the zeros that fill the content up to its alignment.
    pub(crate) fn covered(&self) -> [Range; 3] {
        let between = |at: u64, end: u64| Range { at, size: end - at };
        [
            between(0, self.checksum),
            between(self.checksum + 4, self.directory),
            between(self.directory + 8, self.content.size),
        ]
    }

    /// Returns the zeros that stand between the content and a certificate table.
    pub(crate) fn padding(&self) -> &'static [u8] {
        let missing = self.content.size.next_multiple_of(ALIGNMENT) - self.content.size;
        &[0; ALIGNMENT as usize][..usize::try_from(missing).unwrap_or_default()]
    }

    /// Returns the digest that a signature of the program in `file` holds.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(crate) fn digest<D: Digest>(&self, file: &File) -> io::Result<Vec<u8>> {
        let mut digest = D::new();
        each_piece(Parts::new(file, self.covered()), |bytes| digest.update(bytes))?;
        digest.update(self.padding());
        Ok(digest.finalize().to_vec())
    }
}

/// What of a program no signature may change: everything but checksum and certificate table.
///
/// The same for a program before and after it was signed, also where signing had to fill up its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    headers: [u8; 32],
    sections: Vec<(String, [u8; 32])>,
    all: [u8; 32],
}

impl Identity {
    /// Finds it out.
    ///
    /// # Errors
    /// [`ReadError`] when the file cannot be read or is no Windows program.
    pub(crate) fn of(file: &File) -> Result<Self, ReadError> {
        let image = Image::read(file)?;
        let digest = |ranges: &[Range]| -> io::Result<[u8; 32]> {
            let mut digest = Sha256::new();
            each_piece(Parts::new(file, ranges.iter().copied()), |bytes| digest.update(bytes))?;
            Ok(digest.finalize().into())
        };
        let [first, second, rest] = image.covered();
        let rest = Range { at: rest.at, size: image.headers.saturating_sub(rest.at) };
        let sections =
            image.sections.iter().map(|section| Ok((section.name.clone(), digest(&[section.data])?)));
        let mut all = [0; 32];
        all.copy_from_slice(&image.digest::<Sha256>(file)?);
        let headers = digest(&[first, second, rest])?;
        Ok(Self { headers, sections: sections.collect::<io::Result<_>>()?, all })
    }

    /// Returns the digest over all of it, which is what SHA-256 signatures of the program hold.
    pub(crate) fn digest(&self) -> &[u8; 32] {
        &self.all
    }

    /// Returns the name of what differs in `other`; nothing when it is the same program.
    pub(crate) fn difference(&self, other: &Self) -> Option<String> {
        if self.all == other.all {
            return None;
        }
        let names = |of: &Self| of.sections.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
        if self.headers != other.headers || names(self) != names(other) {
            return Some("header".to_owned());
        }
        let mut both = self.sections.iter().zip(&other.sections);
        match both.find(|(before, after)| before != after) {
            Some(((name, _), _)) => Some(format!("section {name:?}")),
            None => Some("data behind the sections".to_owned()),
        }
    }
}

/// The checksum of a PE file, fed piece by piece: the sum of its 16-bit words with the carries added, and its size.
#[derive(Default)]
pub(crate) struct Checksum {
    sum: u64,
    size: u64,
}

impl Checksum {
    /// Adds what comes next.
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        let begun = usize::from(!self.size.is_multiple_of(2)).min(bytes.len());
        let (high, words) = bytes.split_at(begun);
        self.sum += high.first().map_or(0, |high| u64::from(*high) << 8);
        for word in words.chunks(2) {
            self.sum += u64::from(word[0]) | word.get(1).map_or(0, |high| u64::from(*high) << 8);
        }
        self.size += bytes.len() as u64;
    }

    /// Returns the checksum of what was added.
    pub(crate) fn finish(mut self) -> u32 {
        while self.sum > 0xffff {
            self.sum = (self.sum & 0xffff) + (self.sum >> 16);
        }
        // No such file is larger than 32 bits can say.
        u32::try_from(self.sum + self.size).unwrap_or(u32::MAX)
    }
}

impl Write for Checksum {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Reads everything from `data`, piece by piece.
fn each_piece(mut data: impl Read, mut sink: impl FnMut(&[u8])) -> io::Result<()> {
    let mut buffer = vec![0; 1 << 18];
    loop {
        match data.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(read) => sink(&buffer[..read]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// The bytes of a file, by position.
struct Bytes<'a> {
    file: &'a File,
    length: u64,
}

impl Bytes<'_> {
    fn array<const SIZE: usize>(&self, at: u64) -> Result<[u8; SIZE], ReadError> {
        if at + SIZE as u64 > self.length {
            return Err(ReadError::broken("its headers are cut off"));
        }
        let mut bytes = [0; SIZE];
        self.file.read_exact_at(&mut bytes, at)?;
        Ok(bytes)
    }

    fn u16(&self, at: u64) -> Result<u16, ReadError> {
        Ok(u16::from_le_bytes(self.array(at)?))
    }

    fn u32(&self, at: u64) -> Result<u32, ReadError> {
        Ok(u32::from_le_bytes(self.array(at)?))
    }

    /// Returns the certificate table that the entry at `directory` tells of.
    fn table(&self, directory: u64) -> Result<Option<Range>, ReadError> {
        let table = Range { at: self.u32(directory)?.into(), size: self.u32(directory + 4)?.into() };
        if table == (Range { at: 0, size: 0 }) {
            return Ok(None);
        }
        if table.at < directory + 8 || table.size == 0 || !table.at.is_multiple_of(ALIGNMENT) {
            return Err(ReadError::broken("its certificate table is not where one can be"));
        }
        match (table.at + table.size).cmp(&self.length) {
            std::cmp::Ordering::Equal => Ok(Some(table)),
            std::cmp::Ordering::Less => Err(ReadError::broken("there is data behind its certificate table")),
            std::cmp::Ordering::Greater => Err(ReadError::broken("its certificate table is cut off")),
        }
    }

    /// Returns the `count` sections whose headers begin at `at`, in the order of the file.
    fn sections(&self, at: u64, count: u16, headers: u64, end: u64) -> Result<Vec<Section>, ReadError> {
        let mut sections = Vec::new();
        for number in 0..u64::from(count) {
            let at = at + number * SECTION_HEADER;
            let name: [u8; 8] = self.array(at)?;
            let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
            let name = String::from_utf8_lossy(name).into_owned();
            let data = Range { at: self.u32(at + 20)?.into(), size: self.u32(at + 16)?.into() };
            // Without a place in the file, it is memory that begins as zeros.
            if data.size > 0 && data.at > 0 {
                sections.push(Section { name, data });
            }
        }
        sections.sort_by_key(|section| section.data.at);
        let mut known = headers;
        for Section { name, data } in &sections {
            if data.at < known {
                return Err(ReadError::broken(format!("its section {name:?} overlaps what is before it")));
            }
            known = data.at + data.size;
            if known > end {
                return Err(ReadError::broken(format!("its section {name:?} is cut off")));
            }
        }
        Ok(sections)
    }
}
