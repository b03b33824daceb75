//! Packages built by hand, so that they can be as wrong as a test wants them.

use std::io::Write;

use sha2::{Digest, Sha256};

/// A package under construction; compressed as its tests need it.
#[derive(Clone)]
pub struct Deb {
    pub name: String,
    pub version: String,
    /// Lines of `control` beyond the usual.
    fields: String,
    control: Tar,
    data: Tar,
    compression: &'static str,
}

/// A tar archive in the making, of raw headers.
#[derive(Clone, Default)]
pub struct Tar {
    bytes: Vec<u8>,
}

/// One raw entry.
pub struct Entry<'a> {
    pub name: &'a [u8],
    pub kind: u8,
    pub mode: u32,
    pub link: &'a [u8],
    /// What the header says, which need not be true.
    pub size: Option<u64>,
    pub content: &'a [u8],
    pub mtime: u64,
}

impl Default for Entry<'_> {
    fn default() -> Self {
        Self { name: b"", kind: b'0', mode: 0o644, link: b"", size: None, content: b"", mtime: 1_600_000_000 }
    }
}

impl Tar {
    pub fn entry(&mut self, entry: Entry<'_>) {
        let mut header = tar::Header::new_gnu();
        let old = header.as_old_mut();
        old.name[..entry.name.len()].copy_from_slice(entry.name);
        old.linkname[..entry.link.len()].copy_from_slice(entry.link);
        header.set_entry_type(tar::EntryType::new(entry.kind));
        header.set_mode(entry.mode);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(entry.mtime);
        header.set_size(entry.size.unwrap_or(entry.content.len() as u64));
        header.set_cksum();
        self.bytes.extend_from_slice(header.as_bytes());
        self.bytes.extend_from_slice(entry.content);
        self.bytes.resize(self.bytes.len().next_multiple_of(512), 0);
    }

    fn finish(&self) -> Vec<u8> {
        let mut bytes = self.bytes.clone();
        bytes.resize(bytes.len() + 1024, 0);
        bytes
    }
}

impl Deb {
    pub fn new(name: &str, version: &str) -> Self {
        let mut deb = Self {
            name: name.to_owned(),
            version: version.to_owned(),
            fields: String::new(),
            control: Tar::default(),
            data: Tar::default(),
            compression: "xz",
        };
        deb.data.entry(Entry { name: b"./", kind: b'5', mode: 0o755, ..Entry::default() });
        deb
    }

    /// Adds lines to `control`, such as `Depends: libc6\n`.
    pub fn field(mut self, lines: &str) -> Self {
        self.fields.push_str(lines);
        self
    }

    /// Adds a file beside `control`.
    pub fn script(mut self, name: &str, content: &str) -> Self {
        let name = format!("./{name}");
        self.control.entry(Entry {
            name: name.as_bytes(),
            mode: 0o755,
            content: content.as_bytes(),
            ..Entry::default()
        });
        self
    }

    pub fn directory(self, name: &str, mode: u32) -> Self {
        self.raw(Entry { name: name.as_bytes(), kind: b'5', mode, ..Entry::default() })
    }

    pub fn file(self, name: &str, mode: u32, content: &str) -> Self {
        let content = content.as_bytes();
        self.raw(Entry { name: name.as_bytes(), mode, content, ..Entry::default() })
    }

    pub fn symlink(self, name: &str, target: &str) -> Self {
        let link = target.as_bytes();
        self.raw(Entry { name: name.as_bytes(), kind: b'2', mode: 0o777, link, ..Entry::default() })
    }

    pub fn hard_link(self, name: &str, target: &str) -> Self {
        let link = target.as_bytes();
        self.raw(Entry { name: name.as_bytes(), kind: b'1', link, ..Entry::default() })
    }

    pub fn raw(mut self, entry: Entry<'_>) -> Self {
        self.data.entry(entry);
        self
    }

    /// Chooses among `xz`, `zst` and `gz`.
    pub fn compressed(mut self, compression: &'static str) -> Self {
        self.compression = compression;
        self
    }

    /// Returns the paragraph of `control`.
    pub fn paragraph(&self) -> String {
        format!(
            "Package: {}\nVersion: {}\nArchitecture: amd64\nMaintainer: Nobody <n@example.org>\n\
             {}Description: a package\n that a test made\n",
            self.name, self.version, self.fields
        )
    }

    /// Returns the whole file.
    pub fn build(&self) -> Vec<u8> {
        let mut control = Tar::default();
        let paragraph = self.paragraph();
        control.entry(Entry { name: b"./", kind: b'5', mode: 0o755, ..Entry::default() });
        control.entry(Entry { name: b"./control", content: paragraph.as_bytes(), ..Entry::default() });
        control.bytes.extend_from_slice(&self.control.bytes);
        let mut archive = ar::Builder::new(Vec::new());
        for (name, content) in [
            ("debian-binary".to_owned(), b"2.0\n".to_vec()),
            (format!("control.tar.{}", self.compression), self.compress(&control.finish())),
            (format!("data.tar.{}", self.compression), self.compress(&self.data.finish())),
        ] {
            let header = ar::Header::new(name.into_bytes(), content.len() as u64);
            archive.append(&header, content.as_slice()).unwrap();
        }
        archive.into_inner().unwrap()
    }

    fn compress(&self, bytes: &[u8]) -> Vec<u8> {
        match self.compression {
            "xz" => xz(bytes),
            "zst" => zstd::encode_all(bytes, 1).unwrap(),
            "gz" => {
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                encoder.write_all(bytes).unwrap();
                encoder.finish().unwrap()
            }
            other => panic!("no such compression: {other}"),
        }
    }
}

pub fn xz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 0);
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}
