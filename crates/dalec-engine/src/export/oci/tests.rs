//! Images written, and read back with the reader that builds use.

use super::*;
use crate::sources::http::{HttpClient, HttpSettings};
use crate::sources::image::{ImageStore, LocalImage, Location, PulledImage, RegistrySettings, ResolveMode};
use crate::sources::transfer::Transfer;
use crate::unpack::{UnpackOptions, unpack_layer};

const CONFIG: &[u8] = br#"{"config":{"Env":["A=b"],"Cmd":["/bin/tool"]}}"#;

struct World {
    dir: tempfile::TempDir,
    blobs: BlobDir,
    none: BTreeMap<String, String>,
    cancel: Cancel,
}

impl World {
    /// Makes two trees: a root file system and what changed on top of it.
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let blobs = BlobDir::new(&dir.path().join("blobs")).unwrap();
        for (path, content) in [("base/etc/conf", "old"), ("base/bin/tool", "1"), ("top/etc/conf", "new")] {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        let hidden = dir.path().join("top/bin");
        let kind = rustix::fs::FileType::CharacterDevice;
        rustix::fs::mknodat(rustix::fs::CWD, hidden, kind, rustix::fs::Mode::empty(), 0).unwrap();
        Self { dir, blobs, none: BTreeMap::new(), cancel: Cancel::new() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn options<'a>(&'a self, names: &'a [Reference]) -> OciOptions<'a> {
        OciOptions {
            flavor: Flavor::Oci,
            compression: Compression::Gzip,
            level: None,
            times: Times::Fixed(5),
            created: Some(0),
            names,
            index_annotations: &self.none,
            cancel: &self.cancel,
        }
    }

    fn prepare(&self, platforms: &[&str], options: &OciOptions<'_>) -> Result<PreparedImages, OciError> {
        let (base, top) = (self.path("base"), self.path("top"));
        let images: Vec<OciImage<'_>> = platforms
            .iter()
            .map(|platform| OciImage {
                platform: platform.parse().unwrap(),
                config: CONFIG,
                layers: vec![LayerSource::Tree(&base), LayerSource::Tree(&top)],
                annotations: BTreeMap::new(),
            })
            .collect();
        PreparedImages::new(&images, &self.blobs, options)
    }

    /// Reads an image back with an empty store, and unpacks its layers.
    fn read_back(&self, path: &Path, name: Option<&str>, platform: &str) -> (PulledImage, String) {
        let dir = tempfile::tempdir().unwrap();
        let blobs = BlobDir::new(&dir.path().join("blobs")).unwrap();
        let client = HttpClient::new(HttpSettings::default());
        let store =
            ImageStore::new(&dir.path().join("images"), blobs, client, RegistrySettings::default()).unwrap();
        let image = LocalImage { path: path.to_path_buf(), name: name.map(str::to_owned), digest: None };
        let location = Location::Local(image);
        let transfer = Transfer::silent(&self.cancel);
        let resolved =
            store.resolve(&location, &platform.parse().unwrap(), ResolveMode::Default, &transfer).unwrap();
        let pulled = store.pull(&location, &resolved, &transfer).unwrap();
        let mut tree = String::new();
        for (number, layer) in pulled.layers.iter().enumerate() {
            let into = dir.path().join(format!("layer{number}"));
            std::fs::create_dir(&into).unwrap();
            let single_id = !rustix::process::geteuid().is_root();
            let windows = platform.starts_with("windows");
            let options =
                UnpackOptions { user_xattr: true, single_id, windows, ..UnpackOptions::new(&self.cancel) };
            unpack_layer(&layer.path, Some(&layer.diff_id), &into, &options).unwrap();
            for path in ["bin", "bin/tool", "etc/conf"] {
                use std::os::unix::fs::FileTypeExt;
                let what = match into.join(path).symlink_metadata() {
                    Ok(metadata) if metadata.file_type().is_char_device() => "hidden".to_owned(),
                    Ok(metadata) if metadata.is_dir() => "directory".to_owned(),
                    Ok(_) => std::fs::read_to_string(into.join(path)).unwrap(),
                    Err(_) => "-".to_owned(),
                };
                tree += &format!("{number} {path} {what}\n");
            }
        }
        (pulled, tree)
    }
}

fn names(names: &[&str]) -> Vec<Reference> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

#[test]
fn what_is_written_reads_back_the_same_in_every_form() {
    let world = World::new();
    let names = names(&["example.com/tool:1", "tool"]);
    let expected =
        "0 bin directory\n0 bin/tool 1\n0 etc/conf old\n1 bin hidden\n1 bin/tool -\n1 etc/conf new\n";
    for flavor in [Flavor::Oci, Flavor::Docker] {
        for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
            let options = OciOptions { flavor, compression, ..world.options(&names) };
            let prepared = world.prepare(&["linux/amd64"], &options).unwrap();
            let archive = world.path("image.tar");
            prepared.write_archive(std::fs::File::create(&archive).unwrap(), &world.cancel).unwrap();
            let layout = world.path(&format!("layout-{flavor:?}-{compression:?}"));
            prepared.write_layout(&layout, &world.cancel).unwrap();
            for path in [&archive, &layout] {
                for name in ["1", "latest", "example.com/tool:1", "docker.io/library/tool"] {
                    let (image, tree) = world.read_back(path, Some(name), "linux/amd64");
                    assert_eq!(tree, expected);
                    assert_eq!(image.manifest_digest, *prepared.digest());
                    let config: serde_json::Value = serde_json::from_slice(&image.config).unwrap();
                    assert_eq!(config["config"]["Env"][0], "A=b");
                    assert_eq!(config["created"], "1970-01-01T00:00:00Z");
                    assert_eq!(config["history"].as_array().unwrap().len(), 2);
                }
            }
        }
    }
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let names = names(&["tool:1"]);
    let bytes = |flavor| {
        let world = World::new();
        let options = OciOptions { flavor, ..world.options(&names) };
        world.prepare(&["linux/amd64"], &options).unwrap().write_archive(Vec::new(), &world.cancel).unwrap()
    };
    for flavor in [Flavor::Oci, Flavor::Docker] {
        assert!(bytes(flavor) == bytes(flavor));
    }
}

#[test]
fn several_platforms_become_an_index() {
    let world = World::new();
    let options = world.options(&[]);
    let prepared = world.prepare(&["linux/amd64", "linux/arm64"], &options).unwrap();
    let layout = world.path("layout");
    prepared.write_layout(&layout, &world.cancel).unwrap();
    for (platform, architecture) in [("linux/amd64", "amd64"), ("linux/arm64", "arm64")] {
        let (image, _) = world.read_back(&layout, None, platform);
        let config: serde_json::Value = serde_json::from_slice(&image.config).unwrap();
        assert_eq!(config["architecture"], architecture);
    }
    let docker = OciOptions { flavor: Flavor::Docker, ..options };
    let error = world.prepare(&["linux/amd64", "linux/arm64"], &docker).unwrap_err();
    assert_eq!(error.to_string(), "an archive for docker load holds one platform, not 2");
}

#[test]
fn a_layout_keeps_its_other_images() {
    let world = World::new();
    let layout = world.path("layout");
    let write = |name: &str, created: i64| {
        let names = names(&[name]);
        let options = OciOptions { created: Some(created), ..world.options(&names) };
        world.prepare(&["linux/amd64"], &options).unwrap().write_layout(&layout, &world.cancel).unwrap();
    };
    write("tool:1", 1);
    write("tool:2", 2);
    write("tool:1", 3);
    let created = |tag| {
        let (image, _) = world.read_back(&layout, Some(tag), "linux/amd64");
        let config: serde_json::Value = serde_json::from_slice(&image.config).unwrap();
        config["created"].as_str().unwrap().to_owned()
    };
    assert_eq!(
        (created("1").as_str(), created("2").as_str()),
        ("1970-01-01T00:00:03Z", "1970-01-01T00:00:02Z")
    );
    let index: Index = serde_json::from_slice(&std::fs::read(layout.join("index.json")).unwrap()).unwrap();
    assert_eq!(index.manifests.len(), 2);
}

#[test]
fn layers_of_windows_hold_their_files_apart() {
    let world = World::new();
    let options = OciOptions { compression: Compression::None, ..world.options(&[]) };
    let archive = world.path("image.tar");
    let prepared = world.prepare(&["windows/amd64"], &options).unwrap();
    prepared.write_archive(std::fs::File::create(&archive).unwrap(), &world.cancel).unwrap();
    let (image, tree) = world.read_back(&archive, None, "windows/amd64");
    assert_eq!(
        tree,
        "0 bin directory\n0 bin/tool 1\n0 etc/conf old\n1 bin hidden\n1 bin/tool -\n1 etc/conf new\n"
    );
    let mut reader =
        crate::tarball::Reader::new(std::fs::File::open(world.blobs.path(&image.layers[1].digest)).unwrap());
    let mut names = Vec::new();
    while let Some(entry) = reader.next_entry().unwrap() {
        names.push(format!("{} @{}", String::from_utf8_lossy(&entry.path), entry.mtime));
    }
    assert_eq!(names, ["Hives/ @5", "Files/ @5", "Files/.wh.bin @5", "Files/etc/ @5", "Files/etc/conf @5"]);
}

#[test]
fn layers_of_a_base_are_taken_over_as_they_are() {
    let world = World::new();
    let options = world.options(&[]);
    let first = world.prepare(&["linux/amd64"], &options).unwrap();
    let archive = world.path("image.tar");
    first.write_archive(std::fs::File::create(&archive).unwrap(), &world.cancel).unwrap();
    let (base, _) = world.read_back(&archive, None, "linux/amd64");
    let image = OciImage {
        platform: "linux/amd64".parse().unwrap(),
        config: &base.config,
        layers: base.layers.iter().map(LayerSource::Blob).collect(),
        annotations: BTreeMap::new(),
    };
    let again = PreparedImages::new(&[image], &world.blobs, &options).unwrap();
    assert_eq!(again.digest(), first.digest());
}

#[test]
fn an_occupied_directory_and_bad_input_are_refused() {
    let world = World::new();
    let options = world.options(&[]);
    let prepared = world.prepare(&["linux/amd64"], &options).unwrap();
    let error = prepared.write_layout(&world.path("base"), &world.cancel).unwrap_err();
    assert!(matches!(error, OciError::Occupied { .. }));
    let bad = OciImage {
        platform: "linux/amd64".parse().unwrap(),
        config: b"[]",
        layers: Vec::new(),
        annotations: BTreeMap::new(),
    };
    let error = PreparedImages::new(&[bad], &world.blobs, &options).unwrap_err();
    assert_eq!(error.to_string(), "the image configuration for linux/amd64 is not usable");
    assert!(matches!(PreparedImages::new(&[], &world.blobs, &options), Err(OciError::Empty)));
    world.cancel.cancel();
    assert!(matches!(prepared.write_archive(Vec::new(), &world.cancel), Err(OciError::Cancelled)));
}
