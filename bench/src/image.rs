//! How large an image is.

use std::fs::File;
use std::io;
use std::path::PathBuf;

use dalec_e2e::layout::Layout;
use serde_json::{Value, json};

/// Compression of our images, for a layer that is not compressed.
const LEVEL: i32 = 19;

/// Returns the bytes of the layers of `image`: as every builder fetches them, and as they are unpacked.
///
/// # Errors
/// When the layout cannot be read.
pub fn size(image: &Layout) -> Result<Value, String> {
    let blob = |digest: &Value| -> PathBuf {
        image.folder().join("blobs").join(digest.as_str().unwrap_or_default().replace(':', "/"))
    };
    let manifest = std::fs::read(blob(&json!(image.digest()))).map_err(|error| error.to_string())?;
    let manifest: Value = serde_json::from_slice(&manifest).map_err(|error| error.to_string())?;
    let (mut compressed, mut uncompressed) = (0, 0);
    for layer in manifest["layers"].as_array().into_iter().flatten() {
        let (fetched, unpacked) =
            layer_size(layer, blob(&layer["digest"])).map_err(|error| error.to_string())?;
        compressed += fetched;
        uncompressed += unpacked;
    }
    Ok(json!({ "compressed": compressed, "uncompressed": uncompressed }))
}

fn layer_size(layer: &Value, path: PathBuf) -> io::Result<(u64, u64)> {
    let (file, size) = (File::open(&path)?, path.metadata()?.len());
    if layer["mediaType"].as_str().is_some_and(|kind| kind.ends_with("+zstd")) {
        let unpacked = io::copy(&mut zstd::Decoder::new(file)?, &mut io::sink())?;
        return Ok((size, unpacked));
    }
    let packed = zstd::encode_all(file, LEVEL)?;
    Ok((packed.len() as u64, size))
}
