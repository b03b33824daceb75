//! Images in tar archives: OCI archives, and what `docker save` writes.
//!
//! An archive is indexed once, without reading its layers, and then read like a directory. An archive of an
//! older `docker save` has no OCI documents; an index and a manifest are made up for it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::ImageError;
use super::local::{Files, OpenFile, file_error};
use super::provider::MAX_DOCUMENT;
use crate::oci::{Descriptor, Digest, ImageConfig, Index, Manifest, media_type};
use crate::tarball::{Kind, ReadError, Reader};

/// Most members an archive of images may have.
const MAX_MEMBERS: usize = 100_000;
/// Longest chain of links between members.
const MAX_LINKS: usize = 8;

/// A tar archive, open for reading members in any order.
pub struct Archive {
    path: PathBuf,
    file: File,
    members: BTreeMap<String, Member>,
    /// Documents that are not in the archive, by their path.
    made_up: BTreeMap<String, Vec<u8>>,
}

#[derive(Debug, Clone)]
enum Member {
    Data {
        offset: u64,
        size: u64,
    },
    /// Another name of the member with this path.
    Link(String),
}

/// One image of an older `docker save`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SavedImage {
    config: String,
    repo_tags: Option<Vec<String>>,
    layers: Vec<String>,
}

impl Archive {
    /// Opens the archive at `path`.
    ///
    /// # Errors
    /// When it cannot be read, or is no archive of images.
    pub fn open(path: &Path) -> Result<Self, ImageError> {
        let file = File::open(path).map_err(|source| file_error(path, source))?;
        let members = index(&file, path)?;
        let mut archive = Self { path: path.to_path_buf(), file, members, made_up: BTreeMap::new() };
        if archive.find("index.json").is_none() {
            archive.make_up_documents()?;
        }
        Ok(archive)
    }

    /// Returns where the member `path` is, links followed.
    fn find(&self, path: &str) -> Option<(u64, u64)> {
        let mut path = path;
        for _ in 0..MAX_LINKS {
            match self.members.get(path)? {
                Member::Data { offset, size } => return Some((*offset, *size)),
                Member::Link(target) => path = target,
            }
        }
        None
    }

    fn reader(&self, offset: u64, size: u64) -> MemberReader<'_> {
        MemberReader { file: &self.file, offset, left: size }
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, ImageError> {
        let bad = |reason: String| self.inconsistent(reason);
        let (offset, size) = self.find(path).ok_or_else(|| bad(format!("{path} is missing from it")))?;
        if size > MAX_DOCUMENT {
            return Err(bad(format!("{path} is larger than 4 MiB")));
        }
        let mut bytes = Vec::new();
        let read = self.reader(offset, size).read_to_end(&mut bytes);
        read.map_err(|source| file_error(&self.path, source))?;
        Ok(bytes)
    }

    /// Describes the images of an older `docker save` in OCI's words.
    fn make_up_documents(&mut self) -> Result<(), ImageError> {
        if self.find("manifest.json").is_none() {
            return Err(self.inconsistent("it has neither index.json nor manifest.json".to_owned()));
        }
        let images: Vec<SavedImage> = self.parse("manifest.json", &self.read("manifest.json")?)?;
        let mut manifests = Vec::new();
        for image in &images {
            let bytes = json(&self.manifest(image)?);
            let descriptor = describe(media_type::DOCKER_MANIFEST, &bytes);
            self.made_up.insert(blob_path(&descriptor.digest), bytes);
            let tags = image.repo_tags.iter().flatten();
            let named = tags.map(|tag| {
                let annotations = BTreeMap::from([("io.containerd.image.name".to_owned(), tag.clone())]);
                Descriptor { annotations, ..descriptor.clone() }
            });
            let before = manifests.len();
            manifests.extend(named);
            if manifests.len() == before {
                manifests.push(descriptor);
            }
        }
        let index = Index {
            schema_version: 2,
            media_type: media_type::OCI_INDEX.to_owned(),
            manifests,
            annotations: BTreeMap::new(),
        };
        self.made_up.insert("index.json".to_owned(), json(&index));
        Ok(())
    }

    /// Makes up the manifest of a saved image and gives its files the names of blobs.
    fn manifest(&mut self, image: &SavedImage) -> Result<Manifest, ImageError> {
        let config_bytes = self.read(&normalized(&image.config))?;
        let config: ImageConfig = self.parse(&image.config, &config_bytes)?;
        if config.rootfs.diff_ids.len() != image.layers.len() {
            let (layers, ids) = (image.layers.len(), config.rootfs.diff_ids.len());
            let reason = format!("manifest.json has {layers} layers, {} has {ids}", image.config);
            return Err(self.inconsistent(reason));
        }
        let mut layers = Vec::new();
        for (path, diff_id) in image.layers.iter().zip(&config.rootfs.diff_ids) {
            layers.push(self.saved_layer(&normalized(path), diff_id)?);
        }
        let config = describe(media_type::DOCKER_CONFIG, &config_bytes);
        self.made_up.insert(blob_path(&config.digest), config_bytes);
        Ok(Manifest {
            schema_version: 2,
            media_type: media_type::DOCKER_MANIFEST.to_owned(),
            config,
            layers,
            annotations: BTreeMap::new(),
        })
    }

    fn saved_layer(&mut self, path: &str, diff_id: &Digest) -> Result<Descriptor, ImageError> {
        let (offset, size) = self
            .find(path)
            .ok_or_else(|| self.inconsistent(format!("the layer {path} is missing from it")))?;
        let io = |source| file_error(&self.path, source);
        let mut start = [0; 2];
        let mut reader = self.reader(offset, size);
        let compressed =
            size > 2 && reader.read_exact(&mut start).map(|()| start == [0x1f, 0x8b]).map_err(io)?;
        let (kind, digest) = if compressed {
            let mut hasher = crate::oci::Hasher::sha256();
            let mut reader = self.reader(offset, size);
            let mut buffer = vec![0; 1 << 18];
            loop {
                match reader.read(&mut buffer).map_err(io)? {
                    0 => break,
                    count => hasher.update(&buffer[..count]),
                }
            }
            (media_type::DOCKER_LAYER_GZIP, hasher.finish())
        } else {
            (media_type::DOCKER_LAYER, diff_id.clone())
        };
        self.members.insert(blob_path(&digest), Member::Data { offset, size });
        Ok(Descriptor {
            media_type: kind.to_owned(),
            digest,
            size,
            annotations: BTreeMap::new(),
            platform: None,
        })
    }

    fn parse<T: for<'de> Deserialize<'de>>(&self, what: &str, bytes: &[u8]) -> Result<T, ImageError> {
        serde_json::from_slice(bytes).map_err(|error| ImageError::Document {
            what: format!("{what} in {}", self.path.display()),
            source: error.into(),
        })
    }

    fn inconsistent(&self, reason: String) -> ImageError {
        ImageError::Inconsistent { what: self.path.display().to_string(), reason }
    }
}

impl Files for Archive {
    fn open(&self, path: &str) -> Result<Option<OpenFile<'_>>, ImageError> {
        if let Some(bytes) = self.made_up.get(path) {
            return Ok(Some((Box::new(&bytes[..]), bytes.len() as u64)));
        }
        let Some((offset, size)) = self.find(path) else {
            return Ok(None);
        };
        Ok(Some((Box::new(self.reader(offset, size)), size)))
    }
}

/// Reads a member without moving the file's own position, so that several threads can.
struct MemberReader<'a> {
    file: &'a File,
    offset: u64,
    left: u64,
}

impl Read for MemberReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let wanted = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        if wanted == 0 {
            return Ok(0);
        }
        let count = self.file.read_at(&mut buffer[..wanted], self.offset)?;
        if count == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        self.offset += count as u64;
        self.left -= count as u64;
        Ok(count)
    }
}

/// Notes where every member is; of two with the same name the later counts.
fn index(file: &File, path: &Path) -> Result<BTreeMap<String, Member>, ImageError> {
    let bad = |source| ImageError::Archive { path: path.to_path_buf(), source };
    let mut input = BufReader::new(file);
    input.seek(SeekFrom::Start(0)).map_err(|source| file_error(path, source))?;
    let mut reader = Reader::new(input);
    let mut members = BTreeMap::new();
    while let Some(entry) = reader.next_entry().map_err(bad)? {
        let Ok(name) = String::from_utf8(entry.path) else { continue };
        let name = normalized(&name);
        let member = match entry.kind {
            Kind::File => Member::Data { offset: reader.offset(), size: entry.size },
            Kind::Hardlink(target) => Member::Link(normalized(&String::from_utf8_lossy(&target))),
            Kind::Symlink(target) => {
                let directory = name.rsplit_once('/').map_or("", |(directory, _)| directory);
                Member::Link(normalized(&format!("{directory}/{}", String::from_utf8_lossy(&target))))
            }
            _ => continue,
        };
        members.insert(name, member);
        if members.len() > MAX_MEMBERS {
            let what = "it has too many members for an archive of images";
            return Err(bad(ReadError::Damaged { offset: reader.offset(), what }));
        }
        reader.seek_past_content().map_err(bad)?;
    }
    Ok(members)
}

/// Returns `path` without empty parts, `.` and `..`; it is only a name here, never a place on disk.
fn normalized(path: &str) -> String {
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

fn describe(media_type: &str, bytes: &[u8]) -> Descriptor {
    Descriptor {
        media_type: media_type.to_owned(),
        digest: Digest::sha256_of(bytes),
        size: bytes.len() as u64,
        annotations: BTreeMap::new(),
        platform: None,
    }
}

fn json(value: &impl serde::Serialize) -> Vec<u8> {
    // Structs of strings and numbers can always be written.
    serde_json::to_vec(value).expect("plain data becomes JSON")
}

fn blob_path(digest: &Digest) -> String {
    format!("blobs/{}/{}", digest.algorithm(), digest.hex())
}
