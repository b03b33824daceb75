//! The files of an OCI layout, in an archive or in a directory.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use super::{CONTAINERD_NAME, Flavor, OciError, PreparedImages, REF_NAME, json};
use crate::Cancel;
use crate::oci::{Descriptor, Index, media_type};
use crate::sources::http::write_atomically;
use crate::tarball::{Entry, Kind, Writer};

const OCI_LAYOUT: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;

/// Writes everything as a tar archive, sorted by name.
pub fn write_archive<W: Write>(images: &PreparedImages, out: W, cancel: &Cancel) -> Result<W, OciError> {
    let mut writer = Writer::new(BufWriter::with_capacity(1 << 18, out));
    let directories = images.parts.keys().map(|digest| format!("blobs/{}/", digest.algorithm()));
    let mut directories: Vec<String> = directories.chain(["blobs/".to_owned()]).collect();
    directories.sort();
    directories.dedup();
    for path in directories {
        let entry = Entry::new(path, Kind::Directory, 0o755, 0);
        writer.append(&entry, &mut std::io::empty()).map_err(OciError::Write)?;
    }
    for (digest, size) in &images.parts {
        if cancel.is_cancelled() {
            return Err(OciError::Cancelled);
        }
        let path = images.blobs.path(digest);
        let mut file = File::open(&path).map_err(|source| OciError::File { path, source })?;
        let entry = Entry::file(format!("blobs/{}/{}", digest.algorithm(), digest.hex()), 0o444, 0, *size);
        writer.append(&entry, &mut file).map_err(OciError::Write)?;
    }
    let mut documents =
        BTreeMap::from([("index.json", json(&index(images.entries()))), ("oci-layout", OCI_LAYOUT.to_vec())]);
    if images.flavor == Flavor::Docker {
        documents.insert("manifest.json", docker_manifest(images));
    }
    for (path, bytes) in documents {
        let entry = Entry::file(path, 0o444, 0, bytes.len() as u64);
        writer.append(&entry, &mut &bytes[..]).map_err(OciError::Write)?;
    }
    let buffered = writer.finish().map_err(OciError::Write)?;
    buffered.into_inner().map_err(|error| OciError::Write(error.into_error()))
}

/// Adds everything to an OCI layout directory; `index.json` comes last, so the layout is whole at any time.
pub fn write_directory(images: &PreparedImages, directory: &Path, cancel: &Cancel) -> Result<(), OciError> {
    let known = known_entries(directory)?;
    for digest in images.parts.keys() {
        if cancel.is_cancelled() {
            return Err(OciError::Cancelled);
        }
        let folder = directory.join("blobs").join(digest.algorithm());
        std::fs::create_dir_all(&folder).map_err(at(&folder))?;
        copy_blob(&images.blobs.path(digest), &folder.join(digest.hex()))?;
    }
    let marker = directory.join("oci-layout");
    write_atomically(&marker, OCI_LAYOUT).map_err(at(&marker))?;
    let own = images.entries();
    let replaced = |old: &Descriptor| {
        own.iter().any(|new| {
            let unnamed =
                new.annotations.is_empty() && old.annotations.is_empty() && old.digest == new.digest;
            unnamed || same_name(old, new)
        })
    };
    let mut entries: Vec<Descriptor> = known.into_iter().filter(|old| !replaced(old)).collect();
    entries.extend(own.iter().cloned());
    let path = directory.join("index.json");
    write_atomically(&path, &json(&index(entries))).map_err(at(&path))
}

fn index(manifests: Vec<Descriptor>) -> Index {
    let media_type = media_type::OCI_INDEX.to_owned();
    Index { schema_version: 2, media_type, manifests, annotations: BTreeMap::new() }
}

/// Returns whether two entries have the same name; one that says only a tag has every name with that tag.
fn same_name(old: &Descriptor, new: &Descriptor) -> bool {
    let name = |entry: &Descriptor, key: &str| entry.annotations.get(key).cloned();
    match (name(old, CONTAINERD_NAME), name(new, CONTAINERD_NAME)) {
        (Some(old), Some(new)) => old == new,
        _ => name(old, REF_NAME).is_some() && name(old, REF_NAME) == name(new, REF_NAME),
    }
}

/// Returns the images that are in the layout already; a directory that is missing or empty has none.
fn known_entries(directory: &Path) -> Result<Vec<Descriptor>, OciError> {
    let path = directory.join("index.json");
    match std::fs::read(&path) {
        Ok(bytes) => {
            let index: Index = serde_json::from_slice(&bytes)
                .map_err(|error| OciError::File { path: path.clone(), source: error.into() })?;
            Ok(index.manifests)
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let mut entries = match std::fs::read_dir(directory) {
                Ok(entries) => entries,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
                Err(source) => return Err(at(directory)(source)),
            };
            // A layout that was cut off before its first index has blobs.
            let ours = entries.all(|entry| entry.is_ok_and(|entry| entry.file_name() == "blobs"));
            if ours { Ok(Vec::new()) } else { Err(OciError::Occupied { path: directory.to_path_buf() }) }
        }
        Err(source) => Err(at(&path)(source)),
    }
}

/// Copies a blob, unless it is there. It is not linked: the store's files must not change with the layout's.
fn copy_blob(from: &Path, to: &Path) -> Result<(), OciError> {
    if to.exists() {
        return Ok(());
    }
    let partial = to.with_extension(format!("partial-{}", std::process::id()));
    let copied = std::fs::copy(from, &partial).and_then(|_| std::fs::rename(&partial, to));
    copied.map_err(|source| {
        // Nothing more can be done about it; the first error is the one to report.
        let _ = std::fs::remove_file(&partial);
        OciError::File { path: to.to_path_buf(), source }
    })
}

/// Returns what `docker load` reads first.
fn docker_manifest(images: &PreparedImages) -> Vec<u8> {
    let path = |descriptor: &Descriptor| {
        format!("blobs/{}/{}", descriptor.digest.algorithm(), descriptor.digest.hex())
    };
    let entries: Vec<serde_json::Value> = images
        .single
        .iter()
        .map(|manifest| {
            let names: Vec<String> = images.names.iter().map(|name| name.familiar()).collect();
            let layers: Vec<String> = manifest.layers.iter().map(path).collect();
            serde_json::json!({"Config": path(&manifest.config), "RepoTags": names, "Layers": layers})
        })
        .collect();
    json(&entries)
}

fn at(path: &Path) -> impl Fn(std::io::Error) -> OciError + '_ {
    |source| OciError::File { path: path.to_path_buf(), source }
}
