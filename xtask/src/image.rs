//! Builds our images: a static executable, and what an engine has to know to start it.
//!
//! The executable is compiled with a profile of its own that makes it small; the image is put together by the exporter
//! of our own engine. The same executable gives the same bytes.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use dalec_engine::Cancel;
use dalec_engine::export::oci::{Flavor, LayerSource, Naming, OciImage, OciOptions, PreparedImages};
use dalec_engine::oci::{BlobDir, Compression, Digest, Platform, Reference, media_type};
use dalec_engine::sources::http::{HttpClient, HttpSettings};
use dalec_engine::sources::image::{Layer, RegistrySettings};
use dalec_engine::tarball::{Entry, Times, Writer};

use crate::root;

/// Best compression that still takes seconds; every builder pulls the result.
const BEST: i32 = 19;

/// Compression of an executable that was given: such an image is for trying out.
const FAST: i32 = 1;

/// Time of everything in the image, in seconds since 1970.
const MTIME: i64 = dalec_engine::CONSTANT_MTIME;

/// What the engine may do for the frontend, in BuildKit's words.
const CAPABILITIES: &str = "moby.buildkit.frontend.inputs,moby.buildkit.frontend.subrequests,\
                            moby.buildkit.frontend.contexts,moby.buildkit.frontend.gitquerystring";

/// Which image to build, and where it goes.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// The directory of an OCI layout.
    oci: Option<PathBuf>,
    /// A reference in a registry.
    push: Option<String>,
    /// The signers' image instead of the frontend's.
    signer: bool,
    /// `linux/ARCHITECTURE`; empty for this machine's.
    platforms: Vec<String>,
    /// These executables instead of those that are compiled, one for each platform; empty to compile.
    binaries: Vec<PathBuf>,
}

impl Request {
    /// Reads the arguments behind `cargo xtask image`.
    ///
    /// # Errors
    /// When they make no sense, in words.
    pub fn parse(arguments: &[&str]) -> Result<Self, String> {
        let mut request = Self::default();
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().copied().ok_or_else(|| format!("{argument} needs a value"));
            match *argument {
                "--oci" => request.oci = Some(value()?.into()),
                "--push" => request.push = Some(value()?.to_owned()),
                "--signer" => request.signer = true,
                "--platform" => request.platforms.extend(value()?.split(',').map(str::to_owned)),
                "--binary" => request.binaries.push(value()?.into()),
                other => return Err(format!("`{other}` is no flag of `image`")),
            }
        }
        if request.oci.is_none() && request.push.is_none() {
            return Err("say where the image goes: --oci DIR or --push REFERENCE".into());
        }
        if !request.binaries.is_empty() && request.binaries.len() != request.platforms.len().max(1) {
            return Err("give --binary once for each platform, in the same order".into());
        }
        Ok(request)
    }

    /// Name of the executable in the image; it decides what the executable is.
    fn entrypoint(&self) -> &'static str {
        if self.signer { "signer" } else { "frontend" }
    }
}

/// Builds the image and writes it where it goes.
///
/// # Errors
/// When something cannot be compiled or written, in words.
pub fn run(request: &Request) -> Result<(), String> {
    let platforms: Vec<Platform> = match request.platforms.as_slice() {
        [] => vec![Platform::host()],
        some => some.iter().map(|text| platform(text)).collect::<Result<_, _>>()?,
    };
    let scratch = tempfile::tempdir().map_err(|error| format!("cannot make a directory: {error}"))?;
    let blobs = BlobDir::new(scratch.path()).map_err(words)?;
    let mut layers = Vec::new();
    for (at, platform) in platforms.iter().enumerate() {
        let (binary, level) = match request.binaries.get(at) {
            Some(binary) => (binary.clone(), FAST),
            None => (compile(platform)?, BEST),
        };
        layers.push(layer(&binary, request.entrypoint(), level, &blobs)?);
    }
    let config = config(request.entrypoint());
    let images: Vec<OciImage<'_>> = platforms
        .iter()
        .zip(&layers)
        .map(|(platform, layer)| OciImage {
            platform: platform.clone(),
            config: config.as_bytes(),
            layers: vec![LayerSource::Blob(layer)],
            annotations: Default::default(),
        })
        .collect();
    let names: Vec<Reference> = request
        .push
        .iter()
        .map(|name| name.parse().map_err(|error| format!("{name}: {}", words(error))))
        .collect::<Result<_, String>>()?;
    let cancel = Cancel::new();
    let options = OciOptions {
        flavor: Flavor::Oci,
        compression: Compression::Zstd,
        level: None,
        times: Times::Fixed(MTIME),
        created: None,
        names: &names,
        index_annotations: &BTreeMap::new(),
        cancel: &cancel,
    };
    let prepared = PreparedImages::new(&images, &blobs, &options).map_err(words)?;
    for (platform, layer) in platforms.iter().zip(&layers) {
        println!("{platform}: {:.1} MB", layer.size as f64 / 1e6);
    }
    if let Some(directory) = &request.oci {
        prepared.write_layout(directory, &cancel).map_err(words)?;
        println!("{}@{}", directory.display(), prepared.digest());
    }
    if let Some(reference) = names.first() {
        let client = HttpClient::new(HttpSettings::default());
        prepared.push(&client, &RegistrySettings::default(), Naming::Tag, &cancel).map_err(|error| {
            let hint = error.hint().map(|hint| format!("\n{hint}")).unwrap_or_default();
            words(error) + &hint
        })?;
        println!("{reference}@{}", prepared.digest());
    }
    Ok(())
}

fn platform(text: &str) -> Result<Platform, String> {
    let platform: Platform = text.trim().parse().map_err(words)?;
    target(&platform).map(|_| platform)
}

/// Returns what the compiler calls a platform.
fn target(platform: &Platform) -> Result<&'static str, String> {
    match platform.to_string().as_str() {
        "linux/amd64" => Ok("x86_64-unknown-linux-gnu"),
        "linux/arm64" => Ok("aarch64-unknown-linux-gnu"),
        other => Err(format!("there is no image for {other}, only for linux/amd64 and linux/arm64")),
    }
}

/// Compiles the executable for `platform` and returns where it is.
fn compile(platform: &Platform) -> Result<PathBuf, String> {
    let target = target(platform)?;
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--profile", "image", "--package", "dalec", "--bin", "dalec-image"]);
    cargo.args(["--features", "image", "--target", target]);
    if *platform != Platform::host() {
        let compiler = format!("{}-gcc", target.replace("-unknown", ""));
        let variable = target.replace('-', "_");
        cargo.env(format!("CC_{variable}"), &compiler);
        cargo.env(format!("CARGO_TARGET_{}_LINKER", variable.to_uppercase()), &compiler);
    }
    let status =
        cargo.current_dir(root()?).status().map_err(|error| format!("cannot start cargo: {error}"))?;
    if !status.success() {
        let help = format!(
            "for another platform than this machine's, `rustup target add {target}` and a C cross compiler are needed"
        );
        return Err(format!("the executable for {platform} cannot be compiled; {help}"));
    }
    let folder = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from);
    Ok(root()?.join(folder).join(target).join("image/dalec-image"))
}

/// Packs `binary` as the only file of a layer, owned by root.
fn layer(binary: &Path, name: &str, level: i32, blobs: &BlobDir) -> Result<Layer, String> {
    let at = |error: std::io::Error| format!("{}: {error}", binary.display());
    let mut file = File::open(binary).map_err(at)?;
    let size = file.metadata().map_err(at)?.len();
    let mut archive = Writer::new(Vec::new());
    archive.append(&Entry::file(name, 0o755, MTIME, size), &mut file).map_err(at)?;
    let archive = archive.finish().map_err(at)?;
    let compressed = zstd::encode_all(archive.as_slice(), level).map_err(at)?;
    let digest = blobs.add(&compressed).map_err(words)?;
    Ok(Layer {
        path: blobs.path(&digest),
        digest,
        diff_id: Digest::sha256_of(&archive),
        media_type: media_type::OCI_LAYER_ZSTD.into(),
        size: compressed.len() as u64,
    })
}

/// Returns the image's configuration.
fn config(entrypoint: &str) -> String {
    serde_json::json!({ "config": {
        "Entrypoint": [format!("/{entrypoint}")],
        "WorkingDir": "/",
        "Labels": {
            "moby.buildkit.frontend.network.none": "true",
            "moby.buildkit.frontend.caps": CAPABILITIES,
        },
    }})
    .to_string()
}

/// Returns an error with everything below it.
fn words(error: impl std::error::Error) -> String {
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        words = format!("{words}: {cause}");
        source = cause.source();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_read() {
        let request = Request::parse(&["--oci", "out", "--signer", "--platform", "linux/amd64,linux/arm64"]);
        let request = request.unwrap();
        assert_eq!(request.platforms, ["linux/amd64", "linux/arm64"]);
        assert_eq!((request.oci, request.signer), (Some("out".into()), true));
        assert!(Request::parse(&[]).unwrap_err().contains("--push"));
        assert!(Request::parse(&["--oci"]).unwrap_err().contains("value"));
        let binary = ["--oci", "out", "--binary", "a", "--platform", "linux/amd64,linux/arm64"];
        assert!(Request::parse(&binary).unwrap_err().contains("each platform"));
        assert!(Request::parse(&["--to", "x"]).unwrap_err().contains("`--to`"));
    }

    #[test]
    fn only_some_platforms_have_images() {
        assert_eq!(platform("linux/arm64/v8").unwrap().architecture, "arm64");
        assert!(platform("windows/amd64").unwrap_err().contains("linux/arm64"));
    }
}
