//! Archives that are unpacked where they are copied.

use std::fs::File;
use std::io::{Read, Seek};

use crate::error::{Error, IoContext, Result};
use crate::ops::OpContext;
use crate::store::WorkDir;
use crate::unpack::{UnpackError, UnpackOptions, is_archive, unpack};

/// How archives that are compressed with bzip2 begin.
const BZIP2: &[u8] = b"BZh";

/// Unpacks `file` into a directory, if it is an archive.
///
/// # Errors
/// When it cannot be read or is damaged, or the store cannot be written.
pub fn archive(context: &OpContext<'_>, mut file: File) -> Result<Option<WorkDir>> {
    let mut start = Vec::new();
    let read = (&mut file).take(BZIP2.len() as u64).read_to_end(&mut start);
    read.and_then(|_| file.rewind()).at("read", "an archive")?;
    if start == BZIP2 {
        return Err(Error::Op {
            message: "cannot unpack an archive that is compressed with bzip2".into(),
            hint: "compress it with gzip, xz or zstd".into(),
            source: None,
        });
    }
    if !is_archive(&mut file).at("read", "an archive")? {
        return Ok(None);
    }
    let core = context.core;
    let work = core.store().work_dir()?;
    let options = UnpackOptions {
        marks: false,
        single_id: core.options.mode.has_single_id(),
        ..UnpackOptions::new(context.cancel)
    };
    unpack(file, None, work.path(), &options).map_err(|error| match error {
        UnpackError::Cancelled => Error::Cancelled,
        error => Error::Op {
            message: "cannot unpack an archive".into(),
            hint: String::new(),
            source: Some(Box::new(error)),
        },
    })?;
    Ok(Some(work))
}
