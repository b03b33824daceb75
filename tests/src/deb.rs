//! Reads Debian packages without any tool of the host.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

/// One entry of a package's file tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Permission bits.
    pub mode: u32,
    /// Numeric owner and group.
    pub owner: (u64, u64),
    /// Target of a link.
    pub link: Option<String>,
    /// Modification time in seconds.
    pub mtime: u64,
    /// Content of a file.
    pub content: Vec<u8>,
}

/// A binary package.
#[derive(Debug)]
pub struct Deb {
    /// Fields of the control file.
    pub fields: BTreeMap<String, String>,
    /// Files of the control archive, by name.
    pub control: BTreeMap<String, Entry>,
    /// Installed files, by absolute path; directories end in `/`.
    pub files: BTreeMap<String, Entry>,
}

impl Deb {
    /// Reads the package at `path`.
    ///
    /// # Panics
    /// When it is no Debian package.
    pub fn read(path: &Path) -> Self {
        let mut archive = ar::Archive::new(std::fs::File::open(path).expect("the package is there"));
        let (mut control, mut files) = (BTreeMap::new(), BTreeMap::new());
        while let Some(member) = archive.next_entry() {
            let mut member = member.expect("members can be read");
            let name = String::from_utf8_lossy(member.header().identifier()).into_owned();
            let mut packed = Vec::new();
            member.read_to_end(&mut packed).expect("members can be read");
            if name.starts_with("control.tar") {
                control = tree(&name, &packed);
            } else if name.starts_with("data.tar") {
                files = tree(&name, &packed);
            }
        }
        let text = String::from_utf8_lossy(&control["/control"].content).into_owned();
        Self { fields: fields(&text), control, files }
    }

    /// Returns a field of the control file; empty when it is missing.
    pub fn field(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", String::as_str)
    }
}

fn fields(text: &str) -> BTreeMap<String, String> {
    let mut fields: BTreeMap<String, String> = BTreeMap::new();
    let mut last = String::new();
    for line in text.lines() {
        match line.split_once(':') {
            Some((name, value)) if !line.starts_with([' ', '\t']) => {
                name.clone_into(&mut last);
                fields.insert(last.clone(), value.trim().to_owned());
            }
            _ => {
                let value = fields.entry(last.clone()).or_default();
                value.push('\n');
                value.push_str(line.trim());
            }
        }
    }
    fields
}

fn tree(name: &str, packed: &[u8]) -> BTreeMap<String, Entry> {
    let unpacked: Box<dyn Read + '_> = match name.rsplit_once('.').map(|(_, suffix)| suffix) {
        Some("xz") => Box::new(liblzma::read::XzDecoder::new(packed)),
        Some("gz") => Box::new(flate2::read::GzDecoder::new(packed)),
        Some("zst") => Box::new(zstd::Decoder::new(packed).expect("zstd data")),
        _ => Box::new(packed),
    };
    let mut archive = tar::Archive::new(unpacked);
    let mut found = BTreeMap::new();
    for entry in archive.entries().expect("a tar archive") {
        let mut entry = entry.expect("a tar entry");
        let path = entry.path().expect("a path").display().to_string();
        let path = format!("/{}", path.trim_start_matches("./"));
        let header = entry.header();
        let mut read = Entry {
            mode: header.mode().expect("a mode"),
            owner: (header.uid().expect("an owner"), header.gid().expect("a group")),
            link: entry.link_name().expect("a link").map(|link| link.display().to_string()),
            mtime: header.mtime().expect("a time"),
            content: Vec::new(),
        };
        entry.read_to_end(&mut read.content).expect("content");
        found.insert(path, read);
    }
    found
}
