//! Reads members of a tar archive: ustar, PAX and GNU long names. Every extension is read into bounded memory.

use std::io::{self, Read, Seek, SeekFrom};

use thiserror::Error;

use super::pax;
use super::{Entry, Kind};

const BLOCK: usize = 512;
/// Longest list of PAX records or GNU long name that is read.
const MAX_EXTENSION: u64 = 1 << 20;
/// Most extensions before one member; a writer has a use for four.
const MAX_EXTENSIONS: usize = 64;

/// Why an archive cannot be read.
#[derive(Debug, Error)]
pub enum ReadError {
    /// The input failed or ended early.
    #[error("cannot read the archive")]
    Io(#[from] io::Error),
    /// A header is not one.
    #[error("the archive is damaged at byte {offset}: {what}")]
    Damaged {
        /// Where the member's header starts.
        offset: u64,
        /// What is wrong there.
        what: &'static str,
    },
    /// A member of a kind that is not supported.
    #[error("the archive holds {path} as a member of type {flag:?}, which is not supported")]
    Unsupported {
        /// Name of the member.
        path: String,
        /// Its type.
        flag: char,
    },
}

/// Reads an archive member by member; after [`Reader::next_entry`] the reader itself yields the member's content.
#[derive(Debug)]
pub struct Reader<R: Read> {
    input: R,
    /// Bytes of the current member not read yet, and of the padding behind it.
    left: u64,
    padding: u64,
    offset: u64,
}

/// What extension members said about the next one.
#[derive(Default)]
struct Extensions {
    long_name: Option<Vec<u8>>,
    long_link: Option<Vec<u8>>,
    records: Vec<(Vec<u8>, Vec<u8>)>,
}

impl<R: Read> Reader<R> {
    /// Starts reading.
    pub fn new(input: R) -> Self {
        Self { input, left: 0, padding: 0, offset: 0 }
    }

    /// Returns the next member, or `None` at the end of the archive. Content not read is skipped.
    ///
    /// # Errors
    /// When the input fails or is not a tar archive.
    pub fn next_entry(&mut self) -> Result<Option<Entry>, ReadError> {
        self.skip_content()?;
        let mut extensions = Extensions::default();
        for _ in 0..=MAX_EXTENSIONS {
            let start = self.offset;
            let Some(block) = self.header_block()? else {
                return Ok(None);
            };
            let damaged = |what| ReadError::Damaged { offset: start, what };
            let size = number(&block[124..136]).ok_or_else(|| damaged("its size is no number"))?;
            match block[156] {
                b'x' => {
                    let data = self.extension(size, start)?;
                    extensions.records = pax::records(&data)
                        .ok_or_else(|| damaged("its extended header is malformed"))?
                        .into_iter()
                        .map(|(key, value)| (key.to_vec(), value.to_vec()))
                        .collect();
                }
                b'g' => drop(self.extension(size, start)?),
                b'L' => extensions.long_name = Some(until_nul(&self.extension(size, start)?)),
                b'K' => extensions.long_link = Some(until_nul(&self.extension(size, start)?)),
                _ => {
                    let entry = entry(&block, size, extensions, start)?;
                    self.left = entry.size;
                    self.padding = padding(entry.size);
                    return Ok(Some(entry));
                }
            }
        }
        Err(ReadError::Damaged { offset: self.offset, what: "a member has too many extended headers" })
    }

    /// Returns where in the input the content of the current member starts, as long as none of it was read.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Returns the input, positioned behind the last member that was asked for.
    pub fn into_inner(self) -> R {
        self.input
    }

    fn skip_content(&mut self) -> Result<(), ReadError> {
        let rest = self.left.saturating_add(self.padding);
        let skipped = io::copy(&mut (&mut self.input).take(rest), &mut io::sink())?;
        self.offset += skipped;
        // Some writers leave out the padding behind the very last member.
        if skipped < self.left {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        (self.left, self.padding) = (0, 0);
        Ok(())
    }

    /// Reads a header; `None` at the end, which is a block of zeros or the end of the input.
    fn header_block(&mut self) -> Result<Option<[u8; BLOCK]>, ReadError> {
        let mut block = [0; BLOCK];
        let mut filled = 0;
        while filled < BLOCK {
            match self.input.read(&mut block[filled..]) {
                Ok(0) if filled == 0 => return Ok(None),
                Ok(0) => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        let start = self.offset;
        self.offset += BLOCK as u64;
        if block == [0; BLOCK] {
            return Ok(None);
        }
        if !checksum_holds(&block) {
            return Err(ReadError::Damaged { offset: start, what: "its checksum is wrong" });
        }
        Ok(Some(block))
    }

    fn extension(&mut self, size: u64, start: u64) -> Result<Vec<u8>, ReadError> {
        if size > MAX_EXTENSION {
            return Err(ReadError::Damaged { offset: start, what: "its extended header is too long" });
        }
        let mut data = vec![0; (size + padding(size)) as usize];
        self.input.read_exact(&mut data)?;
        self.offset += data.len() as u64;
        data.truncate(size as usize);
        Ok(data)
    }
}

impl<R: Read + Seek> Reader<R> {
    /// Jumps over what is left of the current member's content instead of reading it.
    ///
    /// # Errors
    /// When the input cannot seek. That it ends early is noticed by whoever reads the content.
    pub fn seek_past_content(&mut self) -> Result<(), ReadError> {
        let rest = self.left.saturating_add(self.padding);
        let end = self.offset.checked_add(rest).filter(|end| i64::try_from(*end).is_ok());
        let end = end.ok_or(ReadError::Damaged { offset: self.offset, what: "its size is impossible" })?;
        self.input.seek(SeekFrom::Start(end))?;
        self.offset = end;
        (self.left, self.padding) = (0, 0);
        Ok(())
    }
}

impl<R: Read> Read for Reader<R> {
    /// Reads content of the current member.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        if wanted == 0 {
            return Ok(0);
        }
        let count = self.input.read(&mut buffer[..wanted])?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.left -= count as u64;
        self.offset += count as u64;
        Ok(count)
    }
}

fn padding(size: u64) -> u64 {
    size.wrapping_neg() % BLOCK as u64
}

fn entry(block: &[u8; BLOCK], size: u64, extensions: Extensions, offset: u64) -> Result<Entry, ReadError> {
    let damaged = |what| ReadError::Damaged { offset, what };
    let field = |range: std::ops::Range<usize>, what| {
        number(&block[range]).ok_or(ReadError::Damaged { offset, what })
    };
    let mut link = until_nul(&block[157..257]);
    let mut entry = Entry {
        path: header_path(block),
        kind: Kind::File,
        mode: (field(100..108, "its mode is no number")? & 0o7777) as u32,
        uid: field(108..116, "its owner is no number")?,
        gid: field(116..124, "its group is no number")?,
        mtime: signed_number(&block[136..148]).ok_or_else(|| damaged("its time is no number"))?,
        size,
        xattrs: std::collections::BTreeMap::new(),
    };
    entry.path = extensions.long_name.unwrap_or(entry.path);
    link = extensions.long_link.unwrap_or(link);
    for (key, value) in extensions.records {
        apply_record(&mut entry, &mut link, &key, value)
            .map_err(|()| damaged("its extended header holds a value that makes no sense"))?;
    }
    if entry.path.contains(&0) || link.contains(&0) {
        return Err(damaged("its name holds a NUL byte"));
    }
    let device = || -> Result<(u32, u32), ReadError> {
        let part = |range| {
            field(range, "its device is no number")
                .and_then(|part| u32::try_from(part).map_err(|_| damaged("its device is too big")))
        };
        Ok((part(329..337)?, part(337..345)?))
    };
    entry.kind = match block[156] {
        b'0' | 0 | b'7' if entry.path.ends_with(b"/") => Kind::Directory,
        b'0' | 0 | b'7' => Kind::File,
        b'1' => Kind::Hardlink(link),
        b'2' => Kind::Symlink(link),
        b'3' => device().map(|(major, minor)| Kind::Char(major, minor))?,
        b'4' => device().map(|(major, minor)| Kind::Block(major, minor))?,
        b'5' => Kind::Directory,
        b'6' => Kind::Fifo,
        flag => {
            return Err(ReadError::Unsupported {
                path: String::from_utf8_lossy(&entry.path).into_owned(),
                flag: char::from(flag),
            });
        }
    };
    if entry.kind != Kind::File {
        entry.size = 0;
    }
    Ok(entry)
}

fn apply_record(entry: &mut Entry, link: &mut Vec<u8>, key: &[u8], value: Vec<u8>) -> Result<(), ()> {
    let decimal = |value: &[u8]| -> Result<u64, ()> {
        std::str::from_utf8(value).map_err(|_| ())?.parse().map_err(|_| ())
    };
    match key {
        b"path" => entry.path = value,
        b"linkpath" => *link = value,
        b"size" => entry.size = decimal(&value)?,
        b"uid" => entry.uid = decimal(&value)?,
        b"gid" => entry.gid = decimal(&value)?,
        b"mtime" => entry.mtime = pax_time(&value).ok_or(())?,
        _ if key.starts_with(b"GNU.sparse.") => return Err(()),
        _ => {
            if let Some(name) = key.strip_prefix(b"SCHILY.xattr.") {
                if name.is_empty() || name.contains(&0) {
                    return Err(());
                }
                entry.xattrs.insert(name.to_vec(), value);
            }
        }
    }
    Ok(())
}

/// Returns the whole seconds of a decimal number, rounded down.
fn pax_time(value: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(value).ok()?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let seconds: i64 = whole.parse().ok()?;
    let rounds_down = text.starts_with('-') && fraction.bytes().any(|digit| digit != b'0');
    seconds.checked_sub(i64::from(rounds_down))
}

fn header_path(block: &[u8; BLOCK]) -> Vec<u8> {
    let name = until_nul(&block[0..100]);
    let prefix = until_nul(&block[345..500]);
    if &block[257..263] == b"ustar\0" && !prefix.is_empty() {
        return [&prefix[..], b"/", &name].concat();
    }
    name
}

fn until_nul(field: &[u8]) -> Vec<u8> {
    let end = field.iter().position(|&byte| byte == 0).unwrap_or(field.len());
    field[..end].to_vec()
}

/// Reads a number that is octal text, or binary when the first bit says so; an empty field is 0.
fn number(field: &[u8]) -> Option<u64> {
    signed_number(field).and_then(|value| u64::try_from(value).ok())
}

fn signed_number(field: &[u8]) -> Option<i64> {
    if field[0] & 0x80 != 0 {
        // Two's complement over the whole field, the marker bit being a copy of the sign.
        let negative = field[0] & 0x40 != 0;
        let first = if negative { i128::from(field[0]) - 0x100 } else { i128::from(field[0] & 0x7f) };
        let value = field[1..]
            .iter()
            .try_fold(first, |sum, &byte| sum.checked_mul(256)?.checked_add(i128::from(byte)))?;
        return i64::try_from(value).ok();
    }
    let text = until_nul(field);
    let text = std::str::from_utf8(&text).ok()?.trim_matches(' ');
    if text.is_empty() {
        return Some(0);
    }
    if !text.bytes().all(|digit| matches!(digit, b'0'..=b'7')) {
        return None;
    }
    i64::from_str_radix(text, 8).ok()
}

fn checksum_holds(block: &[u8; BLOCK]) -> bool {
    let Some(stated) = signed_number(&block[148..156]) else {
        return false;
    };
    let counted =
        block.iter().enumerate().map(|(index, &byte)| if (148..156).contains(&index) { b' ' } else { byte });
    let unsigned: i64 = counted.clone().map(i64::from).sum();
    let signed: i64 = counted.map(|byte| i64::from(byte as i8)).sum();
    stated == unsigned || stated == signed
}

#[cfg(test)]
mod tests {
    use super::super::Writer;
    use super::*;

    fn read_all(bytes: &[u8]) -> Result<Vec<(Entry, Vec<u8>)>, ReadError> {
        let mut reader = Reader::new(bytes);
        let mut found = Vec::new();
        while let Some(entry) = reader.next_entry()? {
            let mut content = Vec::new();
            reader.read_to_end(&mut content)?;
            found.push((entry, content));
        }
        Ok(found)
    }

    fn written(entry: &Entry, content: &[u8]) -> Vec<u8> {
        let mut writer = Writer::new(Vec::new());
        writer.append(entry, &mut &content[..]).unwrap();
        writer.finish().unwrap()
    }

    #[test]
    fn what_the_writer_writes_comes_back() {
        let mut odd = Entry::new("x".repeat(300), Kind::Symlink("ü".repeat(90).into()), 0o777, -9);
        odd.uid = u64::from(u32::MAX);
        odd.gid = 2_097_152;
        odd.xattrs.insert(b"user.a".to_vec(), b"1\n2".to_vec());
        for (entry, content) in [
            (odd, &b""[..]),
            (Entry::file("f", 0o4755, 5, 513), &[7; 513]),
            (Entry::new("d", Kind::Directory, 0o1777, 5), b""),
            (Entry::new("h", Kind::Hardlink(b"f".to_vec()), 0o644, 5), b""),
            (Entry::new("c", Kind::Char(1, 3), 0o666, 5), b""),
            (Entry::new("b", Kind::Block(8, 0), 0o660, 5), b""),
            (Entry::new("p", Kind::Fifo, 0o600, 5), b""),
        ] {
            let found = read_all(&written(&entry, content)).unwrap();
            assert_eq!(found, [(entry, content.to_vec())]);
        }
    }

    #[test]
    fn gnu_long_names_and_binary_numbers_are_understood() {
        let mut builder = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_size(2);
        header.set_mode(0o644);
        header.set_uid(3_000_000_000);
        header.set_mtime(1 << 40);
        let long = format!("{}f", "d/".repeat(200));
        builder.append_data(&mut header, &long, &b"hi"[..]).unwrap();
        let found = read_all(&builder.into_inner().unwrap()).unwrap();
        let (entry, content) = &found[0];
        assert_eq!(entry.path, long.as_bytes());
        assert_eq!((entry.uid, entry.mtime), (3_000_000_000, 1 << 40));
        assert_eq!(content, b"hi");
    }

    #[test]
    fn a_huge_extension_is_refused_before_it_is_read() {
        let mut bytes = written(&Entry::file("f", 0o644, 0, 0), b"");
        bytes[124..135].copy_from_slice(b"77777777777");
        bytes[156] = b'L';
        fix_checksum(&mut bytes);
        let error = read_all(&bytes).unwrap_err();
        assert_eq!(error.to_string(), "the archive is damaged at byte 0: its extended header is too long");
    }

    #[test]
    fn extensions_without_end_are_refused() {
        for flag in *b"xgLK" {
            let mut extension = written(&Entry::file("f", 0o644, 0, 0), b"")[..512].to_vec();
            extension[156] = flag;
            fix_checksum(&mut extension);
            let behind = |count: usize| {
                let member = written(&Entry::file("f", 0o644, 0, 0), b"");
                read_all(&[extension.repeat(count), member].concat())
            };
            assert_eq!(behind(MAX_EXTENSIONS).unwrap().len(), 1);
            assert_eq!(
                behind(MAX_EXTENSIONS + 1).unwrap_err().to_string(),
                format!(
                    "the archive is damaged at byte {}: a member has too many extended headers",
                    (MAX_EXTENSIONS + 1) * 512
                )
            );
        }
    }

    #[test]
    fn sparse_members_truncation_and_noise_are_errors() {
        let mut sparse = written(&Entry::file("f", 0o644, 0, 0), b"");
        sparse[156] = b'S';
        fix_checksum(&mut sparse);
        assert_eq!(
            read_all(&sparse).unwrap_err().to_string(),
            "the archive holds f as a member of type 'S', which is not supported"
        );
        let whole = written(&Entry::file("f", 0o644, 0, 900), &[1; 900]);
        for length in [1, 511, 513, 1000, 1411] {
            assert!(read_all(&whole[..length]).is_err(), "{length}");
        }
        assert!(read_all(&[b'x'; 2048]).is_err());
        assert!(read_all(b"").unwrap().is_empty());
    }

    #[test]
    fn times_before_the_epoch_round_down() {
        assert_eq!(pax_time(b"-1.5"), Some(-2));
        assert_eq!(pax_time(b"1.9"), Some(1));
        assert_eq!(pax_time(b"-0.5"), Some(-1));
        assert_eq!(pax_time(b"x"), None);
    }

    fn fix_checksum(bytes: &mut [u8]) {
        bytes[148..156].fill(b' ');
        let sum: u32 = bytes[..512].iter().map(|&byte| u32::from(byte)).sum();
        bytes[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    }
}
