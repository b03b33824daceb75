//! Layers as blobs: made from a directory, or taken over as they are.

use std::io::{self, BufWriter, Write};
use std::path::Path;

use super::{Flavor, OciError, OciOptions, descriptor};
use crate::oci::{BlobDir, BlobWriter, Compression, Descriptor, Digest, Hasher, media_type};
use crate::sources::image::Layer;
use crate::tarball::{TreeError, TreeOptions, Writer, write_tree};

/// A middle way between size and speed; changing it changes the digests of everything written.
const GZIP_LEVEL: u32 = 6;
const ZSTD_LEVEL: i32 = 3;
/// The mark of "no operating system in particular" in a gzip header.
const GZIP_UNKNOWN_OS: u8 = 255;

/// Makes a layer from what is below `root`; returns it and its digest before compression.
///
/// # Errors
/// When the directory cannot be read or the blob cannot be written.
pub fn from_tree(
    root: &Path,
    blobs: &BlobDir,
    options: &OciOptions<'_>,
) -> Result<(Descriptor, Digest), OciError> {
    let tree_options = TreeOptions {
        prefix: "",
        times: options.times,
        owner: None,
        whiteouts: true,
        xattrs: true,
        cancel: options.cancel,
    };
    let write_error = |source| OciError::File { path: root.to_path_buf(), source };
    let compressor = Compressor::new(blobs.writer(Hasher::sha256())?, options.compression);
    let hashing = Hashing { out: compressor.map_err(write_error)?, hasher: Hasher::sha256() };
    let mut writer = Writer::new(BufWriter::with_capacity(1 << 18, hashing));
    write_tree(&mut writer, root, &tree_options).map_err(|error| match error {
        TreeError::Cancelled => OciError::Cancelled,
        other => OciError::Layer(other),
    })?;
    let buffered = writer.finish().map_err(write_error)?;
    let hashing = buffered.into_inner().map_err(|error| write_error(error.into_error()))?;
    let diff_id = hashing.hasher.finish();
    let blob = hashing.out.finish().map_err(write_error)?;
    let size = blob.written();
    let digest = blob.finish(None)?;
    Ok((descriptor(layer_type(options.compression, options.flavor), digest, size), diff_id))
}

/// Describes a layer that is a blob already, in the words of `flavor`.
///
/// # Errors
/// When it is of a kind that images cannot have.
pub fn from_blob(layer: &Layer, flavor: Flavor) -> Result<(Descriptor, Digest), OciError> {
    let compression = Compression::of_layer(&layer.media_type)
        .ok_or_else(|| OciError::LayerType { media_type: layer.media_type.clone() })?;
    let descriptor = descriptor(layer_type(compression, flavor), layer.digest.clone(), layer.size);
    Ok((descriptor, layer.diff_id.clone()))
}

fn layer_type(compression: Compression, flavor: Flavor) -> &'static str {
    match (flavor, compression) {
        (Flavor::Oci, Compression::None) => media_type::OCI_LAYER,
        (Flavor::Oci, Compression::Gzip) => media_type::OCI_LAYER_GZIP,
        (Flavor::Docker, Compression::None) => media_type::DOCKER_LAYER,
        (Flavor::Docker, Compression::Gzip) => media_type::DOCKER_LAYER_GZIP,
        // Docker has no type of its own for it and takes OCI's.
        (_, Compression::Zstd) => media_type::OCI_LAYER_ZSTD,
    }
}

/// Hashes what passes through.
struct Hashing<W> {
    out: W,
    hasher: Hasher,
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let count = self.out.write(data)?;
        self.hasher.update(&data[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Compresses into a blob, with nothing but the data in the result.
enum Compressor<'a> {
    None(BlobWriter<'a>),
    Gzip(flate2::write::GzEncoder<BlobWriter<'a>>),
    Zstd(zstd::stream::write::Encoder<'static, BlobWriter<'a>>),
}

impl<'a> Compressor<'a> {
    fn new(blob: BlobWriter<'a>, compression: Compression) -> io::Result<Self> {
        Ok(match compression {
            Compression::None => Self::None(blob),
            Compression::Gzip => {
                let header = flate2::GzBuilder::new().mtime(0).operating_system(GZIP_UNKNOWN_OS);
                Self::Gzip(header.write(blob, flate2::Compression::new(GZIP_LEVEL)))
            }
            Compression::Zstd => Self::Zstd(zstd::stream::write::Encoder::new(blob, ZSTD_LEVEL)?),
        })
    }

    fn finish(self) -> io::Result<BlobWriter<'a>> {
        match self {
            Self::None(blob) => Ok(blob),
            Self::Gzip(encoder) => encoder.finish(),
            Self::Zstd(encoder) => encoder.finish(),
        }
    }
}

impl Write for Compressor<'_> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        match self {
            Self::None(blob) => blob.write(data),
            Self::Gzip(encoder) => encoder.write(data),
            Self::Zstd(encoder) => encoder.write(data),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::None(blob) => blob.flush(),
            Self::Gzip(encoder) => encoder.flush(),
            Self::Zstd(encoder) => encoder.flush(),
        }
    }
}
