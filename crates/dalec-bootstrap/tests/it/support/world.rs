//! One test's mirror, key, cache and root, with the room's functions bound to them.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use dalec_bootstrap::{
    AptSources, BootstrapError, Cache, Http, HttpOptions, Keyring, Recipe, Request, Resolved, Silent, Trust,
    UnpackOptions, Unpacked, fetch, fetch_and_unpack, resolve, unpack,
};
use tempfile::TempDir;

use super::deb::Deb;
use super::keys::Key;
use super::mirror::Mirror;

pub struct World {
    pub mirror: Mirror,
    pub key: Key,
    pub sources: AptSources,
    pub keyring: Keyring,
    pub now: SystemTime,
    pub http: Http,
    directory: TempDir,
}

/// As files belong to whoever runs the tests.
pub const OPTIONS: UnpackOptions = UnpackOptions { map_ids: false, threads: 3 };

impl World {
    /// Makes a world whose mirror is empty.
    pub fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mirror = Mirror::start();
        let key = Key::generate("archive");
        let mut keyring = Keyring::default();
        let path = directory.path().join("keys.asc");
        std::fs::write(&path, key.public()).unwrap();
        keyring.add_file(&path).unwrap();
        Self {
            sources: AptSources::from_mirror(&mirror.url("debian")).unwrap(),
            mirror,
            key,
            keyring,
            now: SystemTime::now(),
            http: Http::new(&HttpOptions { retry_delay: Duration::ZERO, ..HttpOptions::default() }).unwrap(),
            directory,
        }
    }

    /// Makes a world whose mirror has a bookworm of these packages.
    pub fn with(debs: &[Deb]) -> Self {
        let world = Self::new();
        world.mirror.publish_bookworm(debs, &world.key);
        world
    }

    pub fn cache(&self) -> Cache {
        Cache::open(&self.directory.path().join("cache")).unwrap()
    }

    pub fn cached_file(&self, sha256: &str) -> PathBuf {
        self.directory.path().join("cache/by-sha256").join(sha256)
    }

    /// Returns a new and empty root.
    pub fn root(&self) -> PathBuf {
        tempfile::tempdir_in(self.directory.path()).unwrap().keep()
    }

    /// Returns a directory outside all roots.
    pub fn outside(&self) -> PathBuf {
        let path = self.directory.path().join("outside");
        std::fs::create_dir_all(&path).unwrap();
        path
    }

    pub fn resolve_suite(&self, suite: &str, packages: &[&str]) -> Result<Resolved, BootstrapError> {
        let request = Request {
            suite: suite.to_owned(),
            architecture: "amd64".to_owned(),
            packages: packages.iter().map(|package| (*package).to_owned()).collect(),
        };
        let trust = Trust { keyring: &self.keyring, now: self.now };
        resolve(&request, &self.sources, trust, &self.http, &self.cache(), &Silent)
    }

    #[track_caller]
    pub fn recipe(&self, packages: &[&str]) -> Recipe {
        self.resolve_suite("bookworm", packages).unwrap().recipe
    }

    pub fn fetch(&self, recipe: &Recipe) -> Result<(), BootstrapError> {
        fetch(recipe, &self.http, &self.cache(), &Silent)
    }

    pub fn unpack(&self, recipe: &Recipe, root: &Path) -> Result<Unpacked, BootstrapError> {
        unpack(recipe, &self.cache(), root, OPTIONS, &Silent)
    }

    /// Resolves everything, fetches it and unpacks it into a new root.
    pub fn assemble(&self, packages: &[&str]) -> Result<(Recipe, PathBuf, Unpacked), BootstrapError> {
        let recipe = self.recipe(packages);
        let root = self.root();
        let unpacked = fetch_and_unpack(&recipe, &self.http, &self.cache(), &root, OPTIONS, &Silent)?;
        Ok((recipe, root, unpacked))
    }

    /// Renders an error with its hint, as a person would see it.
    pub fn render(&self, error: &BootstrapError) -> String {
        let mut text = format!("{error}\n");
        if let Some(hint) = error.hint() {
            text.push_str(&format!("hint: {hint}\n"));
        }
        self.mirror.redact(&text)
    }
}

/// Lists a tree: mode, path, link target or content, and the time; one line for each.
pub fn list(root: &Path, below: &str) -> String {
    let mut lines = Vec::new();
    walk(root, &root.join(below), &mut lines);
    lines.sort();
    lines.concat()
}

fn walk(root: &Path, path: &Path, lines: &mut Vec<String>) {
    let metadata = path.symlink_metadata().unwrap();
    let shown = path.strip_prefix(root).unwrap().display().to_string();
    let mode = metadata.mode() & 0o7777;
    if metadata.is_symlink() {
        let target = std::fs::read_link(path).unwrap();
        lines.push(format!("{shown} -> {}\n", target.display()));
    } else if metadata.is_dir() {
        lines.push(format!("{shown}/ {mode:o}\n"));
        for entry in std::fs::read_dir(path).unwrap() {
            walk(root, &entry.unwrap().path(), lines);
        }
    } else {
        let content = String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned();
        lines.push(format!("{shown} {mode:o} {} {content:?}\n", metadata.mtime()));
    }
}
