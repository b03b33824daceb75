//! Images as OCI layouts, written without any of our own image code.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// This machine's, as images name it.
pub const ARCHITECTURE: &str = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };

/// An image of one layer in a folder.
#[derive(Debug, Clone)]
pub struct Layout {
    folder: PathBuf,
    digest: String,
}

impl Layout {
    /// Writes an image into the new folder `folder`: the tar archive `layer`, which is moved there, with `config` as what
    /// processes of it start with (`Entrypoint`, `Env`, `Labels` and so on).
    ///
    /// # Panics
    /// When something cannot be written.
    pub fn write(folder: &Path, layer: &Path, config: Value) -> Self {
        Self::write_for(&json!({ "architecture": ARCHITECTURE, "os": "linux" }), folder, layer, config)
    }

    /// As [`Layout::write`], for `platform` as OCI documents write it.
    ///
    /// # Panics
    /// When something cannot be written.
    pub fn write_for(platform: &Value, folder: &Path, layer: &Path, config: Value) -> Self {
        let blobs = folder.join("blobs/sha256");
        std::fs::create_dir_all(&blobs).expect("folders can be made");
        let (hash, size) = hash(layer);
        std::fs::rename(layer, blobs.join(&hash)).expect("the layer can be moved");
        let layer = descriptor("application/vnd.oci.image.layer.v1.tar", &hash, size);
        let add = |media_type: &str, value: Value| {
            let bytes = value.to_string().into_bytes();
            let hash = hex::encode(Sha256::digest(&bytes));
            std::fs::write(blobs.join(&hash), &bytes).expect("blobs can be written");
            descriptor(media_type, &hash, bytes.len() as u64)
        };
        let mut described = platform.clone();
        described["config"] = config;
        described["rootfs"] = json!({ "type": "layers", "diff_ids": [layer["digest"]] });
        let config = add("application/vnd.oci.image.config.v1+json", described);
        let media_type = "application/vnd.oci.image.manifest.v1+json";
        let mut manifest = add(
            media_type,
            json!({ "schemaVersion": 2, "mediaType": media_type, "config": config, "layers": [layer] }),
        );
        manifest["annotations"] = json!({ "org.opencontainers.image.ref.name": "latest" });
        manifest["platform"] = platform.clone();
        let index = json!({ "schemaVersion": 2, "manifests": [manifest] });
        std::fs::write(folder.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#)
            .expect("it can be written");
        std::fs::write(folder.join("index.json"), index.to_string()).expect("it can be written");
        Self::open(folder)
    }

    /// Returns the image in `folder`, the only one of its index or the first.
    ///
    /// # Panics
    /// When there is none.
    pub fn open(folder: &Path) -> Self {
        let index = std::fs::read(folder.join("index.json")).expect("the folder holds a layout");
        let index: Value = serde_json::from_slice(&index).expect("an index is JSON");
        let digest = index["manifests"][0]["digest"].as_str().expect("the index names an image").to_owned();
        Self { folder: folder.to_path_buf(), digest }
    }

    /// Returns its folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns `sha256:HEX` of its manifest.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Returns the value of `--build-context NAME=`, for buildx and for us.
    pub fn context(&self) -> String {
        format!("oci-layout://{}@{}", self.folder.display(), self.digest)
    }
}

fn descriptor(media_type: &str, hash: &str, size: u64) -> Value {
    json!({ "mediaType": media_type, "digest": format!("sha256:{hash}"), "size": size })
}

/// Returns the SHA-256 of a file in hexadecimal, and its size.
fn hash(path: &Path) -> (String, u64) {
    let mut file = File::open(path).expect("the layer is there");
    let (mut hasher, mut buffer, mut size) = (Sha256::new(), vec![0; 1 << 20], 0);
    loop {
        match file.read(&mut buffer).expect("the layer can be read") {
            0 => return (hex::encode(hasher.finalize()), size),
            read => {
                hasher.update(&buffer[..read]);
                size += read as u64;
            }
        }
    }
}
