//! Writes members of a tar archive; nothing but its arguments goes into the bytes.

use std::io::{self, Read, Write};

use super::pax::push_record;
use super::windows::{self, FILES, HIVES};
use super::{Entry, Kind};

const BLOCK: usize = 512;
/// Largest number that fits an eight-byte octal field with its terminator.
const MAX_SMALL: u64 = 0o777_7777;
/// Largest number that fits a twelve-byte octal field with its terminator.
const MAX_LARGE: u64 = 0o777_7777_7777;

/// Writes a tar archive. Members come out in the order of the calls; sorting is the caller's.
#[derive(Debug)]
pub struct Writer<W: Write> {
    out: W,
    windows: bool,
}

impl<W: Write> Writer<W> {
    /// Starts an archive.
    pub fn new(out: W) -> Self {
        Self { out, windows: false }
    }

    /// Starts a layer of Windows: what Windows asks about files is said of every member that follows, and there are the
    /// two directories that every such layer has. The files of the image go below [`FILES`]; `mtime` is the time of the
    /// directories.
    ///
    /// # Errors
    /// When writing fails.
    pub fn layer_of_windows(out: W, mtime: i64) -> io::Result<Self> {
        let mut writer = Self { out, windows: true };
        for name in [HIVES, FILES] {
            writer.append(&Entry::new(name, Kind::Directory, 0o755, mtime), &mut io::empty())?;
        }
        Ok(writer)
    }

    /// Appends `entry` with exactly `entry.size` bytes of `data`.
    ///
    /// # Errors
    /// When writing or reading fails, or `data` ends early.
    pub fn append(&mut self, entry: &Entry, data: &mut dyn Read) -> io::Result<()> {
        let records = pax_records(entry, self.windows);
        if !records.is_empty() {
            let size = records.len() as u64;
            let pax = Entry::file("PaxHeaders/0", 0o644, 0, size);
            self.out.write_all(&header(&pax, b'x'))?;
            self.out.write_all(&records)?;
            self.pad(size)?;
        }
        self.out.write_all(&header(entry, type_flag(&entry.kind)))?;
        let copied = io::copy(&mut data.take(entry.size), &mut self.out)?;
        if copied != entry.size {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the file became shorter while it was read",
            ));
        }
        self.pad(entry.size)
    }

    /// Ends the archive and returns what it was written to; does not flush it.
    ///
    /// # Errors
    /// When writing fails.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.write_all(&[0; 2 * BLOCK])?;
        Ok(self.out)
    }

    fn pad(&mut self, size: u64) -> io::Result<()> {
        let over = (size % BLOCK as u64) as usize;
        if over == 0 {
            return Ok(());
        }
        self.out.write_all(&[0; BLOCK][over..])
    }
}

fn type_flag(kind: &Kind) -> u8 {
    match kind {
        Kind::File => b'0',
        Kind::Hardlink(_) => b'1',
        Kind::Symlink(_) => b'2',
        Kind::Char(..) => b'3',
        Kind::Block(..) => b'4',
        Kind::Directory => b'5',
        Kind::Fifo => b'6',
    }
}

fn link_text(kind: &Kind) -> &[u8] {
    match kind {
        Kind::Symlink(text) | Kind::Hardlink(text) => text,
        _ => b"",
    }
}

/// Returns the records for everything about `entry` that the plain header cannot say, sorted by key.
fn pax_records(entry: &Entry, windows: bool) -> Vec<u8> {
    let mut records: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    let number = |value: u64| value.to_string().into_bytes();
    let plain = |text: &[u8]| text.len() <= 100 && text.is_ascii();
    if entry.gid > MAX_SMALL {
        records.push((b"gid".to_vec(), number(entry.gid)));
    }
    if !plain(link_text(&entry.kind)) {
        records.push((b"linkpath".to_vec(), link_text(&entry.kind).to_vec()));
    }
    if !fits_mtime(entry.mtime) {
        records.push((b"mtime".to_vec(), entry.mtime.to_string().into_bytes()));
    }
    if !plain(&entry.path) {
        records.push((b"path".to_vec(), entry.path.clone()));
    }
    if entry.size > MAX_LARGE {
        records.push((b"size".to_vec(), number(entry.size)));
    }
    if entry.uid > MAX_SMALL {
        records.push((b"uid".to_vec(), number(entry.uid)));
    }
    for (name, value) in &entry.xattrs {
        records.push(([b"SCHILY.xattr.", &name[..]].concat(), value.clone()));
    }
    if windows {
        records.extend(windows::records(entry));
    }
    records.sort();
    let mut out = Vec::new();
    for (key, value) in &records {
        push_record(&mut out, key, value);
    }
    out
}

fn fits_mtime(mtime: i64) -> bool {
    u64::try_from(mtime).is_ok_and(|mtime| mtime <= MAX_LARGE)
}

fn header(entry: &Entry, flag: u8) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    let or_zero = |value: u64, max: u64| if value > max { 0 } else { value };
    put_text(&mut block[0..100], &entry.path);
    put_octal(&mut block[100..108], u64::from(entry.mode & 0o7777));
    put_octal(&mut block[108..116], or_zero(entry.uid, MAX_SMALL));
    put_octal(&mut block[116..124], or_zero(entry.gid, MAX_SMALL));
    put_octal(&mut block[124..136], or_zero(entry.size, MAX_LARGE));
    let mtime = if fits_mtime(entry.mtime) { entry.mtime.unsigned_abs() } else { 0 };
    put_octal(&mut block[136..148], mtime);
    block[156] = flag;
    put_text(&mut block[157..257], link_text(&entry.kind));
    block[257..265].copy_from_slice(b"ustar\x0000");
    if let Kind::Char(major, minor) | Kind::Block(major, minor) = entry.kind {
        put_octal(&mut block[329..337], u64::from(major));
        put_octal(&mut block[337..345], u64::from(minor));
    }
    // The checksum is taken with its own field full of spaces.
    block[148..156].fill(b' ');
    let sum: u64 = block.iter().map(|&byte| u64::from(byte)).sum();
    put_octal(&mut block[148..155], sum);
    block
}

/// Writes as much of `text` as fits; what does not fit, or is not ASCII, stands in a PAX record.
fn put_text(field: &mut [u8], text: &[u8]) {
    let length = text.len().min(field.len());
    field[..length].copy_from_slice(&text[..length]);
}

/// Writes `value` with leading zeros and a NUL at the end of the field.
fn put_octal(field: &mut [u8], value: u64) {
    let digits = field.len() - 1;
    let text = format!("{value:0digits$o}");
    field[..digits].copy_from_slice(&text.as_bytes()[text.len() - digits..]);
    field[digits] = 0;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archive(entries: &[(Entry, &[u8])]) -> Vec<u8> {
        let mut writer = Writer::new(Vec::new());
        for (entry, data) in entries {
            writer.append(entry, &mut &data[..]).unwrap();
        }
        writer.finish().unwrap()
    }

    /// Path, owner, time, size and PAX records of a member.
    type Member = (String, u64, u64, u64, Vec<(String, Vec<u8>)>);

    /// What another implementation makes of our bytes.
    fn read_back(bytes: &[u8]) -> Vec<Member> {
        let mut archive = tar::Archive::new(bytes);
        archive
            .entries()
            .unwrap()
            .map(|entry| {
                let mut entry = entry.unwrap();
                let pax = entry.pax_extensions().unwrap().map_or_else(Vec::new, |pax| {
                    pax.map(|record| {
                        let record = record.unwrap();
                        (record.key().unwrap().into(), record.value_bytes().to_vec())
                    })
                    .collect()
                });
                let header = entry.header().clone();
                (
                    String::from_utf8(entry.path_bytes().into_owned()).unwrap(),
                    header.uid().unwrap(),
                    header.mtime().unwrap(),
                    entry.size(),
                    pax,
                )
            })
            .collect()
    }

    #[test]
    fn small_members_need_no_pax_record() {
        let bytes = archive(&[
            (Entry::new("d", Kind::Directory, 0o755, 7), b""),
            (Entry::file("d/f", 0o644, 7, 3), b"abc"),
        ]);
        assert_eq!(bytes.len(), 512 + 512 + 512 + 1024);
        let members = read_back(&bytes);
        assert_eq!(members[1], ("d/f".into(), 0, 7, 3, vec![]));
    }

    #[test]
    fn what_does_not_fit_stands_in_pax_records() {
        let long = format!("{}/f", "ä".repeat(120));
        let mut entry = Entry::file(long.as_bytes(), 0o644, -5, 1);
        entry.uid = 5_000_000;
        entry.xattrs.insert(b"security.capability".to_vec(), vec![0, 1, 2]);
        let bytes = archive(&[(entry, b"x")]);
        let members = read_back(&bytes);
        assert_eq!(members[0].0, long);
        let keys: Vec<&str> = members[0].4.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(keys, ["SCHILY.xattr.security.capability", "mtime", "path", "uid"]);
        assert_eq!(members[0].4[0].1, [0, 1, 2]);
    }

    #[test]
    fn a_file_that_shrinks_is_an_error() {
        let mut writer = Writer::new(Vec::new());
        let error = writer.append(&Entry::file("f", 0o644, 0, 4), &mut &b"abc"[..]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }
}
