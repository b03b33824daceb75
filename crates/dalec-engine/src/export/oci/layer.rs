//! Layers as blobs: made from a directory, or taken over as they are.

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::Path;

use super::{Flavor, OciError, OciOptions, descriptor};
use crate::CONSTANT_MTIME;
use crate::oci::{BlobDir, BlobError, BlobWriter, Compression, Descriptor, Digest, Hasher, media_type};
use crate::sources::image::Layer;
use crate::tarball::{FILES, TreeError, TreeOptions, Writer, write_tree};
use crate::unpack::decompressed;

/// A middle way between size and speed; changing it changes the digests of everything written.
const GZIP_LEVEL: u32 = 6;
const ZSTD_LEVEL: i32 = 3;
/// The most effort that there is.
const GZIP_BEST: u32 = 9;
const ZSTD_BEST: u32 = 22;
/// The mark of "no operating system in particular" in a gzip header.
const GZIP_UNKNOWN_OS: u8 = 255;

/// Makes a layer from what is below `root`, in the form that images for `os` have.
///
/// # Errors
/// When the directory cannot be read or the blob cannot be written.
pub fn from_tree(
    root: &Path,
    os: &str,
    blobs: &BlobDir,
    options: &OciOptions<'_>,
) -> Result<Layer, OciError> {
    let windows = os == "windows";
    let tree_options = TreeOptions {
        prefix: if windows { FILES } else { "" },
        times: options.times,
        owner: None,
        whiteouts: true,
        xattrs: true,
        cancel: options.cancel,
    };
    let write_error = |source| OciError::File { path: root.to_path_buf(), source };
    let compressor = Compressor::new(blobs, options)?;
    let hashing = Hashing { out: compressor, hasher: Hasher::sha256() };
    let buffered = BufWriter::with_capacity(1 << 18, hashing);
    let mut writer = match windows {
        true => Writer::layer_of_windows(buffered, options.times.of(CONSTANT_MTIME)).map_err(write_error)?,
        false => Writer::new(buffered),
    };
    write_tree(&mut writer, root, &tree_options).map_err(|error| match error {
        TreeError::Cancelled => OciError::Cancelled,
        other => OciError::Layer(other),
    })?;
    let buffered = writer.finish().map_err(write_error)?;
    let hashing = buffered.into_inner().map_err(|error| write_error(error.into_error()))?;
    hashing.out.layer(hashing.hasher.finish(), blobs, options)
}

/// Makes the same layer in the compression that `options` say; one that has it already stays as it is.
///
/// # Errors
/// When the blob cannot be read, is not what it says, or cannot be written.
pub fn recompressed(layer: &Layer, blobs: &BlobDir, options: &OciOptions<'_>) -> Result<Layer, OciError> {
    if compression_of(layer)? == options.compression {
        return Ok(layer.clone());
    }
    let unreadable = |source| OciError::File { path: layer.path.clone(), source };
    let mut input = decompressed(File::open(&layer.path).map_err(unreadable)?).map_err(unreadable)?;
    let mut out = Hashing { out: Compressor::new(blobs, options)?, hasher: Hasher::sha256() };
    let mut buffer = vec![0; 1 << 18];
    loop {
        if options.cancel.is_cancelled() {
            return Err(OciError::Cancelled);
        }
        match input.read(&mut buffer).map_err(unreadable)? {
            0 => break,
            count => out.write_all(&buffer[..count]).map_err(unreadable)?,
        }
    }
    let diff_id = out.hasher.finish();
    if diff_id != layer.diff_id {
        let (expected, actual) = (layer.diff_id.clone(), diff_id);
        return Err(BlobError::Mismatch { expected, actual }.into());
    }
    out.out.layer(diff_id, blobs, options)
}

/// Describes a layer in the words of `flavor`; returns that and its digest before compression.
///
/// # Errors
/// When it is of a kind that images cannot have.
pub fn describe(layer: &Layer, flavor: Flavor) -> Result<(Descriptor, Digest), OciError> {
    let layer_type = layer_type(compression_of(layer)?, flavor);
    Ok((descriptor(layer_type, layer.digest.clone(), layer.size), layer.diff_id.clone()))
}

fn compression_of(layer: &Layer) -> Result<Compression, OciError> {
    Compression::of_layer(&layer.media_type)
        .ok_or_else(|| OciError::LayerType { media_type: layer.media_type.clone() })
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
    fn new(blobs: &'a BlobDir, options: &OciOptions<'_>) -> Result<Self, OciError> {
        let blob = blobs.writer(Hasher::sha256())?;
        Ok(match options.compression {
            Compression::None => Self::None(blob),
            Compression::Gzip => {
                let header = flate2::GzBuilder::new().mtime(0).operating_system(GZIP_UNKNOWN_OS);
                let level = options.level.unwrap_or(GZIP_LEVEL).min(GZIP_BEST);
                Self::Gzip(header.write(blob, flate2::Compression::new(level)))
            }
            Compression::Zstd => {
                let level = options.level.map_or(ZSTD_LEVEL, |level| level.clamp(1, ZSTD_BEST) as i32);
                let encoder = zstd::stream::write::Encoder::new(blob, level);
                Self::Zstd(encoder.map_err(OciError::Write)?)
            }
        })
    }

    /// Ends the blob and returns the layer that it is.
    fn layer(self, diff_id: Digest, blobs: &BlobDir, options: &OciOptions<'_>) -> Result<Layer, OciError> {
        let blob = match self {
            Self::None(blob) => Ok(blob),
            Self::Gzip(encoder) => encoder.finish(),
            Self::Zstd(encoder) => encoder.finish(),
        };
        let blob = blob.map_err(OciError::Write)?;
        let size = blob.written();
        let digest = blob.finish(None)?;
        let media_type = layer_type(options.compression, options.flavor).to_owned();
        Ok(Layer { path: blobs.path(&digest), digest, diff_id, media_type, size })
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
