//! Images in files of this machine: what OCI layout directories and archives have in common, and the directory.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::archive::Archive;
use super::provider::{MAX_DOCUMENT, Part, Provider, Root};
use super::{ImageError, LocalImage};
use crate::oci::{BlobDir, Descriptor, Digest, Index, Reference, media_type};
use crate::sources::transfer::Transfer;

const REF_NAME: &str = "org.opencontainers.image.ref.name";
const CONTAINERD_NAME: &str = "io.containerd.image.name";

/// A file that was opened, and its size in bytes.
pub type OpenFile<'a> = (Box<dyn Read + 'a>, u64);

/// Files by their path in an OCI layout.
pub trait Files: Sync {
    /// Opens a file; `None` if there is no such file.
    ///
    /// # Errors
    /// When it cannot be read.
    fn open(&self, path: &str) -> Result<Option<OpenFile<'_>>, ImageError>;
}

/// An image in an OCI layout, or in something that can be read like one.
pub struct LocalProvider {
    image: LocalImage,
    files: Box<dyn Files>,
}

impl LocalProvider {
    /// Opens the directory or archive.
    ///
    /// # Errors
    /// When it is not there, or neither an OCI layout nor an archive of one.
    pub fn open(image: &LocalImage) -> Result<Self, ImageError> {
        let path = &image.path;
        let metadata = std::fs::metadata(path).map_err(|source| file_error(path, source))?;
        let files: Box<dyn Files> = if metadata.is_dir() {
            Box::new(Directory { root: path.clone() })
        } else {
            Box::new(Archive::open(path)?)
        };
        Ok(Self { image: image.clone(), files })
    }

    fn read_document(&self, path: &str) -> Result<Option<Vec<u8>>, ImageError> {
        let Some((reader, size)) = self.files.open(path)? else {
            return Ok(None);
        };
        if size > MAX_DOCUMENT {
            return Err(self.inconsistent(format!("{path} is larger than 4 MiB")));
        }
        let mut bytes = Vec::new();
        let read = reader.take(MAX_DOCUMENT).read_to_end(&mut bytes);
        read.map_err(|source| file_error(&self.image.path, source))?;
        Ok(Some(bytes))
    }

    fn index(&self) -> Result<(Vec<u8>, Index), ImageError> {
        let place = self.image.path.display();
        let bytes = self.read_document("index.json")?.ok_or_else(|| {
            self.inconsistent(
                "it has no index.json, so it is neither an OCI layout nor an image archive".into(),
            )
        })?;
        let index = serde_json::from_slice(&bytes).map_err(|error| ImageError::Document {
            what: format!("the index.json of {place}"),
            source: error.into(),
        })?;
        Ok((bytes, index))
    }

    fn root_by_digest(&self, digest: &Digest, media_type: &str) -> Result<Root, ImageError> {
        let bytes = self.read_document(&blob_path(digest))?.ok_or_else(|| self.missing(Vec::new()))?;
        let actual = digest.like(&bytes);
        if actual != *digest {
            return Err(crate::oci::BlobError::Mismatch { expected: digest.clone(), actual }.into());
        }
        Ok(Root { bytes, media_type: media_type.to_owned(), digest: digest.clone() })
    }

    fn missing(&self, names: Vec<String>) -> ImageError {
        let asked = match (&self.image.name, &self.image.digest) {
            (_, Some(digest)) => digest.to_string(),
            (Some(name), None) => format!("{name:?}"),
            (None, None) => "to choose by itself".to_owned(),
        };
        ImageError::Missing { reference: asked, place: self.image.path.display().to_string(), names }
    }

    fn inconsistent(&self, reason: String) -> ImageError {
        ImageError::Inconsistent { what: self.image.path.display().to_string(), reason }
    }
}

impl Provider for LocalProvider {
    fn root(&self, _transfer: &Transfer<'_>) -> Result<Root, ImageError> {
        let (bytes, index) = self.index()?;
        if let Some(digest) = &self.image.digest {
            let known = index.manifests.iter().find(|entry| entry.digest == *digest);
            return self.root_by_digest(digest, known.map_or("", |entry| entry.media_type.as_str()));
        }
        let wanted = self.image.name.as_deref();
        let named = |name: &str| index.manifests.iter().find(|entry| has_name(entry, name));
        if let Some(entry) = named(wanted.unwrap_or("latest")) {
            return self.root_by_digest(&entry.digest, &entry.media_type);
        }
        match (&index.manifests[..], wanted) {
            ([only], None) => self.root_by_digest(&only.digest, &only.media_type),
            (all, None) if !all.is_empty() && all.iter().all(|entry| entry.platform.is_some()) => {
                let digest = Digest::sha256_of(&bytes);
                Ok(Root { bytes, media_type: media_type::OCI_INDEX.to_owned(), digest })
            }
            (all, _) => Err(self.missing(all.iter().filter_map(shown_name).collect())),
        }
    }

    fn copy(
        &self,
        _part: Part,
        descriptor: &Descriptor,
        blobs: &BlobDir,
        transfer: &Transfer<'_>,
    ) -> Result<(), ImageError> {
        let path = blob_path(&descriptor.digest);
        let (mut reader, size) = self
            .files
            .open(&path)?
            .ok_or_else(|| self.inconsistent(format!("{} is missing from it", descriptor.digest)))?;
        if size != descriptor.size {
            let stated = descriptor.size;
            return Err(
                self.inconsistent(format!("{} has {size} bytes instead of {stated}", descriptor.digest))
            );
        }
        let mut writer = blobs.writer(descriptor.digest.hasher())?;
        copy_data(&mut reader, &mut writer, descriptor, transfer).map_err(|error| match error {
            CopyError::Cancelled => ImageError::Cancelled,
            CopyError::Io(source) => file_error(&self.image.path, source),
        })?;
        writer.finish(Some(&descriptor.digest))?;
        Ok(())
    }

    fn name(&self) -> String {
        super::Location::Local(self.image.clone()).to_string()
    }
}

enum CopyError {
    Cancelled,
    Io(std::io::Error),
}

fn copy_data(
    reader: &mut dyn Read,
    writer: &mut dyn std::io::Write,
    descriptor: &Descriptor,
    transfer: &Transfer<'_>,
) -> Result<(), CopyError> {
    let mut buffer = vec![0; 1 << 18];
    let mut done = 0;
    loop {
        if transfer.cancel.is_cancelled() {
            return Err(CopyError::Cancelled);
        }
        let count = reader.read(&mut buffer).map_err(CopyError::Io)?;
        if count == 0 {
            return Ok(());
        }
        writer.write_all(&buffer[..count]).map_err(CopyError::Io)?;
        done += count as u64;
        transfer.step(descriptor.digest.as_str(), done, descriptor.size);
    }
}

/// An OCI layout directory.
struct Directory {
    root: PathBuf,
}

impl Files for Directory {
    fn open(&self, path: &str) -> Result<Option<OpenFile<'_>>, ImageError> {
        let path = self.root.join(path);
        let open = || -> std::io::Result<(File, u64)> {
            let file = File::open(&path)?;
            let metadata = file.metadata()?;
            if !metadata.is_file() {
                return Err(std::io::Error::other("it is not a regular file"));
            }
            Ok((file, metadata.len()))
        };
        match open() {
            Ok((file, size)) => Ok(Some((Box::new(file), size))),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(file_error(&path, source)),
        }
    }
}

/// Returns whether `entry` is called `wanted`: by its tag, or by its name in any spelling.
fn has_name(entry: &Descriptor, wanted: &str) -> bool {
    let reference = |text: &str| text.parse::<Reference>().ok();
    [REF_NAME, CONTAINERD_NAME].iter().filter_map(|key| entry.annotations.get(*key)).any(|name| {
        let known = name.contains(['/', ':']).then(|| reference(name)).flatten();
        name == wanted
            || known.is_some_and(|known| known.tag() == Some(wanted) || Some(known) == reference(wanted))
    })
}

fn shown_name(entry: &Descriptor) -> Option<String> {
    entry.annotations.get(CONTAINERD_NAME).or_else(|| entry.annotations.get(REF_NAME)).cloned()
}

fn blob_path(digest: &Digest) -> String {
    format!("blobs/{}/{}", digest.algorithm(), digest.hex())
}

pub(super) fn file_error(path: &Path, source: std::io::Error) -> ImageError {
    ImageError::File { path: path.to_path_buf(), source }
}
