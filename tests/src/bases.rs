//! Debian's images for BuildKit, which cannot put them together itself: made by our bootstrap, kept as OCI layouts.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::time::SystemTime;

use dalec_bootstrap::{
    AptSources, Cache, Cause, Http, HttpOptions, Keyring, Recipe, Request, RootCommand, Silent, Trust,
    UnpackOptions, configure, debian_architecture, fetch_and_unpack, resolve,
};
use rustix::fs::{FlockOperation, flock};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::binary::kept;
use crate::layout::{ARCHITECTURE, Layer, Layout};

/// Mounts what maintainer scripts need and changes the root; `$0` is the root.
const ENTER: &str = r#"mount --rbind /dev "$0/dev"
mount -t proc proc "$0/proc"
exec /usr/sbin/chroot "$0" "$@""#;

/// Returns the image that a suite's containers start from, with what every container of ours has.
///
/// # Panics
/// When it cannot be made; needs root.
pub fn base(suite: &str) -> Layout {
    let distro = dalec_targets::deb::distro::find(suite).expect("the suite is known");
    image(suite, "base", distro.base_packages, None)
}

/// Returns the image that packages of a suite are built in.
///
/// # Panics
/// When it cannot be made; needs root.
pub fn worker(suite: &str) -> Layout {
    let distro = dalec_targets::deb::distro::find(suite).expect("the suite is known");
    image(suite, "worker", distro.worker_packages, None)
}

/// Returns an image that programs for Windows are built in: a compiler for C, and what `windowscross/zip` needs besides.
///
/// # Panics
/// When it cannot be made; needs root.
pub fn cross_worker() -> Layout {
    image("bookworm", "windowscross", &["gcc-mingw-w64-x86-64-win32", "patch", "zip"], None)
}

/// Returns the same without the compiler and with npm, which is some hundred packages: BuildKit takes minutes to install them.
///
/// # Panics
/// When it cannot be made; needs root.
pub fn cross_worker_with_npm() -> Layout {
    image("bookworm", "windowscross-npm", &["npm", "patch", "zip"], None)
}

/// Returns an image of a suite with `packages`, in which `program` is `/NAME` and what is started.
///
/// # Panics
/// When it cannot be made; needs root.
pub fn with_program(suite: &str, name: &str, packages: &[&str], program: &Path) -> Layout {
    image(suite, name, packages, Some((name, program)))
}

fn image(suite: &str, purpose: &str, packages: &[&str], program: Option<(&str, &Path)>) -> Layout {
    let content = program.map(|(_, program)| std::fs::read(program).expect("the program can be read"));
    let ingredients = content.unwrap_or_default();
    let folder = keep(&format!("{suite}-{purpose}"), suite, packages, &ingredients, |root| {
        let mut config = root.config.clone();
        if let Some((name, program)) = program {
            std::fs::copy(program, root.path.join(name)).expect("the program can be copied");
            config["Entrypoint"] = json!([format!("/{name}")]);
            config["Cmd"] = Value::Null;
            config["Labels"] = crate::signers::labels();
        }
        let layer = Layer::pack(&root.path, None, &root.scratch.join("layer.tar"));
        Layout::write(&root.result, &[&layer], config);
    });
    Layout::open(&folder)
}

/// A root file system of Debian's that something is made of.
pub(crate) struct Root {
    /// Its folder, which is removed afterwards.
    pub path: PathBuf,
    /// A folder for what is needed in between, removed afterwards as well.
    pub scratch: PathBuf,
    /// The folder to write, which is kept.
    pub result: PathBuf,
    /// What processes in it start with, as images say it.
    pub config: Value,
}

/// Returns the folder that `make` writes from a root of `suite` with `packages`, kept under `name` and all that went into
/// it: the packages, and `ingredients`.
///
/// # Panics
/// When the root cannot be put together; needs root.
pub(crate) fn keep(
    name: &str,
    suite: &str,
    packages: &[&str],
    ingredients: &[u8],
    make: impl FnOnce(&Root),
) -> PathBuf {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _lock = ONE_AT_A_TIME.lock();
    let images = kept().join("images");
    std::fs::create_dir_all(&images).expect("folders can be made");
    let lock = File::create(images.join("lock")).expect("the lock can be made");
    flock(&lock, FlockOperation::LockExclusive).expect("the lock can be taken");
    // Downloads are shared with the store that the embedded engine keeps.
    let cache = Cache::open(&kept().join("state/bootstrap")).expect("the cache can be opened");
    let http = Http::new(&HttpOptions::default()).expect("downloads can be made");
    let sources = match std::env::var("DALEC_APT_MIRROR") {
        Ok(mirror) => AptSources::from_mirror(&mirror),
        Err(_) => AptSources::from_host(Path::new("/etc/apt")),
    };
    let sources = sources.expect("the host's apt names a mirror");
    let mut keyring = Keyring::debian();
    keyring.add_host(Path::new("/")).expect("the host's keys can be read");
    let request = Request {
        suite: suite.to_owned(),
        architecture: debian_architecture(ARCHITECTURE, None).expect("Debian has it").to_owned(),
        packages: packages.iter().map(|name| (*name).to_owned()).collect(),
    };
    let trust = Trust { keyring: &keyring, now: SystemTime::now() };
    let recipe =
        resolve(&request, &sources, trust, &http, &cache, &Silent).expect("the mirror has Debian").recipe;
    let mut key = Sha256::new_with_prefix(recipe.digest());
    key.update(ingredients);
    let folder = images.join(format!("{name}-{}", &hex::encode(key.finalize())[..16]));
    if !folder.exists() {
        let half = images.join("half");
        remove(&half);
        let root = put_together(&recipe, &http, &cache, &half);
        make(&root);
        std::fs::rename(&root.result, &folder).expect("the folder can be moved");
        remove(&half);
    }
    folder
}

fn put_together(recipe: &Recipe, http: &Http, cache: &Cache, half: &Path) -> Root {
    let path = half.join("root");
    std::fs::create_dir_all(&path).expect("folders can be made");
    let options = UnpackOptions::default();
    let unpacked =
        fetch_and_unpack(recipe, http, cache, &path, options, &Silent).expect("packages can be unpacked");
    let mut run = |command: &RootCommand| inside(&path, &command.args, &command.env);
    configure(recipe, &path, unpacked, options, &mut run).expect("packages can be configured");
    let config: Value = serde_json::from_slice(&recipe.image_config()).expect("a configuration is JSON");
    Root { scratch: half.to_path_buf(), result: half.join("result"), config: config["config"].clone(), path }
}

/// Runs a command inside of a root, without a network.
pub(crate) fn inside(root: &Path, args: &[String], env: &[(String, String)]) -> Result<(), Cause> {
    let output = Command::new("unshare")
        .args(["--mount", "--ipc", "--net", "--pid", "--fork", "--kill-child", "/bin/sh", "-ec", ENTER])
        .arg(root)
        .args(args)
        .env_clear()
        .envs(env.iter().map(|(name, value)| (name, value)))
        .output()?;
    match output.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned().into()),
    }
}

fn remove(folder: &PathBuf) {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => panic!("{}: {error}", folder.display()),
        _ => {}
    }
}
