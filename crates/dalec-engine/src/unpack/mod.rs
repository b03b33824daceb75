//! Image layers onto the disk: a tar archive becomes a directory that an overlay mount takes as a layer. Other archives
//! become directories, too, without the marks that only layers have.
//!
//! The archive is hostile until proven otherwise. Names are resolved by the kernel inside the directory
//! (`openat2` with `RESOLVE_IN_ROOT`), so no symbolic link leads out of it; what is already there is never
//! written through, only replaced. Marks that hide files of lower layers (`.wh.`) become what overlayfs
//! understands.
//!
//! Left out on purpose, and counted: device nodes (a build gets its own `/dev`, and a node for the host's
//! disk must never lie in the store), and extended attributes other than `user.*` and `security.capability`
//! (overlayfs would obey its own, the host's security modules theirs).

mod apply;
mod decode;
mod error;
mod root;
mod windows;

#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};

use crate::Cancel;
use crate::oci::Digest;
use crate::tarball::{ReadError, Reader};

pub use error::UnpackError;

use apply::Applier;
use decode::Hashing;
pub(crate) use decode::decompressed;

/// Largest archive, before compression, that is unpacked when the caller names no limit: 128 GiB.
pub const DEFAULT_MAX_BYTES: u64 = 128 << 30;
/// Most members that are unpacked when the caller names no limit.
pub const DEFAULT_MAX_ENTRIES: u64 = 5_000_000;

/// How to unpack a layer.
#[derive(Debug, Clone, Copy)]
pub struct UnpackOptions<'a> {
    /// Whether overlayfs is mounted with `userxattr`, as it is in a user namespace: opaque directories are
    /// marked with `user.overlay.opaque` instead of `trusted.overlay.opaque`.
    pub user_xattr: bool,
    /// Whether only one user id is mapped here: owners are not set, everything belongs to that id.
    pub single_id: bool,
    /// Whether this is a layer of Windows: only what is below `Files/` is unpacked, without that name.
    pub windows: bool,
    /// The layers below, the uppermost first. A directory that the archive fills but does not describe gets its
    /// mode and owner from there. Without them it belongs to root and has mode 755. When this is not empty
    /// the result depends on it.
    pub lowers: &'a [PathBuf],
    /// Whether names that begin with `.wh.` hide files of the layers below; otherwise they are names.
    pub marks: bool,
    /// Most bytes the archive may have before compression.
    pub max_bytes: u64,
    /// Most members it may have.
    pub max_entries: u64,
    /// Stops the unpacking.
    pub cancel: &'a Cancel,
}

impl<'a> UnpackOptions<'a> {
    /// Returns the options of a process that is root on the machine.
    pub fn new(cancel: &'a Cancel) -> Self {
        Self {
            user_xattr: false,
            single_id: false,
            windows: false,
            lowers: &[],
            marks: true,
            max_bytes: DEFAULT_MAX_BYTES,
            max_entries: DEFAULT_MAX_ENTRIES,
            cancel,
        }
    }
}

/// What was unpacked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unpacked {
    /// Digest of the archive before compression.
    pub diff_id: Digest,
    /// How many members it had.
    pub entries: u64,
    /// How many bytes it had before compression.
    pub bytes: u64,
    /// How many device nodes were left out.
    pub skipped_devices: u64,
    /// How many extended attributes were left out.
    pub skipped_xattrs: u64,
}

/// Returns whether `input` begins as an archive does, compressed or not.
///
/// # Errors
/// When it cannot be read.
pub fn is_archive(input: &mut File) -> std::io::Result<bool> {
    let is_archive = {
        let Ok(mut decompressed) = decompressed(&mut *input) else { return Ok(false) };
        matches!(Reader::new(&mut *decompressed).next_entry(), Ok(Some(_)))
    };
    input.rewind()?;
    Ok(is_archive)
}

/// Unpacks the layer in the file `blob`, plain or compressed with gzip, xz or zstd, into the directory `into`,
/// which must be there and empty.
///
/// After an error `into` holds a part of the layer and must be removed by the caller.
///
/// # Errors
/// When the blob cannot be read, is damaged or hostile, has another digest than `diff_id` before compression,
/// or `into` cannot be written.
pub fn unpack_layer(
    blob: &Path,
    diff_id: Option<&Digest>,
    into: &Path,
    options: &UnpackOptions<'_>,
) -> Result<Unpacked, UnpackError> {
    let file = File::open(blob).map_err(|source| UnpackError::Open { path: blob.to_path_buf(), source })?;
    unpack(file, diff_id, into, options)
}

/// As [`unpack_layer`], from any source.
///
/// # Errors
/// As [`unpack_layer`].
pub fn unpack(
    input: impl Read,
    diff_id: Option<&Digest>,
    into: &Path,
    options: &UnpackOptions<'_>,
) -> Result<Unpacked, UnpackError> {
    // Whatever was interrupted looks damaged.
    unpack_all(input, diff_id, into, options).map_err(|error| match options.cancel.is_cancelled() {
        true => UnpackError::Cancelled,
        false => error,
    })
}

fn unpack_all(
    input: impl Read,
    diff_id: Option<&Digest>,
    into: &Path,
    options: &UnpackOptions<'_>,
) -> Result<Unpacked, UnpackError> {
    let hasher = diff_id.map_or_else(crate::oci::Hasher::sha256, Digest::hasher);
    let mut decompressed = decompressed(input).map_err(read_error)?;
    let mut reader = Reader::new(Hashing::new(&mut *decompressed, hasher, options.max_bytes, options.cancel));
    let mut applier = Applier::new(into, options)?;
    let mut entries = 0;
    while let Some(entry) = reader.next_entry()? {
        entries += 1;
        if entries > options.max_entries {
            return Err(UnpackError::TooManyEntries { limit: options.max_entries });
        }
        let entry = if options.windows { windows::unwrapped(entry) } else { Some(entry) };
        if let Some(entry) = entry {
            applier.apply(&entry, &mut reader)?;
        }
    }
    let (skipped_devices, skipped_xattrs) = applier.finish()?;
    // The digest covers what follows the last member, too.
    let mut hashing = reader.into_inner();
    std::io::copy(&mut hashing, &mut std::io::sink()).map_err(read_error)?;
    let (actual, bytes) = hashing.finish();
    if let Some(expected) = diff_id
        && *expected != actual
    {
        return Err(UnpackError::DiffId { expected: expected.clone(), actual });
    }
    Ok(Unpacked { diff_id: actual, entries, bytes, skipped_devices, skipped_xattrs })
}

fn read_error(source: std::io::Error) -> UnpackError {
    UnpackError::Archive(ReadError::Io(source))
}
