//! Images as OCI layouts, written without any of our own image code.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// This machine's, as images name it.
pub const ARCHITECTURE: &str = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };

/// An image in a folder.
#[derive(Debug, Clone)]
pub struct Layout {
    folder: PathBuf,
    digest: String,
}

/// A layer of an image, as an uncompressed tar archive.
#[derive(Debug, Clone)]
pub struct Layer {
    path: PathBuf,
    hash: String,
    size: u64,
}

impl Layer {
    /// Returns the archive at `path` as a layer.
    ///
    /// # Panics
    /// When it cannot be read.
    pub fn read(path: &Path) -> Self {
        let (hash, size) = hash(path);
        Self { path: path.to_path_buf(), hash, size }
    }

    /// Packs the tree at `root`, or what `files` lists of it, as the archive `path`.
    ///
    /// # Panics
    /// When tar cannot pack it.
    pub fn pack(root: &Path, files: Option<&Path>, path: &Path) -> Self {
        let mut tar = Command::new("tar");
        tar.args([
            "--create",
            "--sort=name",
            "--numeric-owner",
            "--format=posix",
            "--xattrs",
            "--xattrs-include=*",
        ]);
        // What one run would write differently from the next.
        tar.arg("--pax-option=delete=atime,delete=ctime,exthdr.name=%d/PaxHeaders/%f");
        tar.arg("--file").arg(path).arg("--directory").arg(root);
        match files {
            Some(files) => tar.args(["--no-recursion", "--verbatim-files-from", "--files-from"]).arg(files),
            None => tar.arg("."),
        };
        assert!(tar.status().expect("tar starts").success(), "the layer cannot be packed");
        Self::read(path)
    }
}

impl Layout {
    /// Writes an image into the new folder `folder`: `layers`, which are linked there, with `config` as what
    /// processes of it start with (`Entrypoint`, `Env`, `Labels` and so on).
    ///
    /// # Panics
    /// When something cannot be written.
    pub fn write(folder: &Path, layers: &[&Layer], config: Value) -> Self {
        Self::write_for(&json!({ "architecture": ARCHITECTURE, "os": "linux" }), folder, layers, config)
    }

    /// As [`Layout::write`], for `platform` as OCI documents write it.
    ///
    /// # Panics
    /// When something cannot be written.
    pub fn write_for(platform: &Value, folder: &Path, layers: &[&Layer], config: Value) -> Self {
        let blobs = folder.join("blobs/sha256");
        std::fs::create_dir_all(&blobs).expect("folders can be made");
        for layer in layers {
            std::fs::hard_link(&layer.path, blobs.join(&layer.hash)).expect("the layer can be linked");
        }
        let media_type = "application/vnd.oci.image.layer.v1.tar";
        let layers: Vec<Value> =
            layers.iter().map(|layer| descriptor(media_type, &layer.hash, layer.size)).collect();
        let hashes: Vec<&Value> = layers.iter().map(|layer| &layer["digest"]).collect();
        let add = |media_type: &str, value: Value| {
            let bytes = value.to_string().into_bytes();
            let hash = hex::encode(Sha256::digest(&bytes));
            std::fs::write(blobs.join(&hash), &bytes).expect("blobs can be written");
            descriptor(media_type, &hash, bytes.len() as u64)
        };
        let mut described = platform.clone();
        described["config"] = config;
        described["rootfs"] = json!({ "type": "layers", "diff_ids": hashes });
        let config = add("application/vnd.oci.image.config.v1+json", described);
        let media_type = "application/vnd.oci.image.manifest.v1+json";
        let mut manifest = add(
            media_type,
            json!({ "schemaVersion": 2, "mediaType": media_type, "config": config, "layers": layers }),
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

    /// Returns its layers, lowest first.
    ///
    /// # Panics
    /// When they cannot be read.
    pub fn layers(&self) -> Vec<Layer> {
        let blob = |digest: &str| self.folder.join("blobs").join(digest.replace(':', "/"));
        let manifest = std::fs::read(blob(&self.digest)).expect("the manifest is there");
        let manifest: Value = serde_json::from_slice(&manifest).expect("a manifest is JSON");
        let layers = manifest["layers"].as_array().expect("it has layers").iter();
        layers.map(|layer| Layer::read(&blob(layer["digest"].as_str().expect("a digest")))).collect()
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
