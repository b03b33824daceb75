//! Other people's tools that Debian does not have in the right version: BuildKit's daemon, its clients, and what tests
//! write in Go themselves.
//!
//! Found on the host, or built from `tests/go` with the host's Go and kept, so that the next clean checkout finds them.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use rustix::fs::{FlockOperation, flock};
use sha2::{Digest, Sha256};

use crate::binary::{kept, workspace};

/// The least Go that fetches a newer one when a module asks for it.
const GO: (u32, u32) = (1, 21);

/// A program of a Go module that `tests/go/go.mod` pins.
struct Tool {
    name: &'static str,
    module: &'static str,
    package: &'static str,
    /// Where the program has its version as text.
    version: &'static str,
    /// What makes it say its version.
    ask: &'static str,
}

const TOOLS: [Tool; 3] = [
    Tool {
        name: "buildkitd",
        module: "github.com/moby/buildkit",
        package: "github.com/moby/buildkit/cmd/buildkitd",
        version: "github.com/moby/buildkit/version.Version",
        ask: "--version",
    },
    Tool {
        name: "buildctl",
        module: "github.com/moby/buildkit",
        package: "github.com/moby/buildkit/cmd/buildctl",
        version: "github.com/moby/buildkit/version.Version",
        ask: "--version",
    },
    Tool {
        name: "buildx",
        module: "github.com/docker/buildx",
        package: "github.com/docker/buildx/cmd/buildx",
        version: "github.com/docker/buildx/version.Version",
        ask: "version",
    },
];

/// Where the three tools are.
#[derive(Debug, Clone)]
pub struct Tools {
    /// BuildKit's daemon.
    pub buildkitd: PathBuf,
    /// BuildKit's own client.
    pub buildctl: PathBuf,
    /// What `docker buildx` runs.
    pub buildx: PathBuf,
}

/// Returns the tools, found or built on first use.
///
/// # Panics
/// When they cannot be had.
pub fn tools() -> &'static Tools {
    static TOOLS: OnceLock<Tools> = OnceLock::new();
    TOOLS.get_or_init(|| find_or_build().unwrap_or_else(|message| panic!("{message}")))
}

/// Finds the tools on the host or builds those that are missing, which takes minutes once.
///
/// # Errors
/// In words, when Go is missing or something does not build.
pub fn find_or_build() -> Result<Tools, String> {
    let manifest = read(&module().join("go.mod"))?;
    let mut found = Vec::new();
    let mut missing = Vec::new();
    for tool in &TOOLS {
        let version = pinned(&manifest, tool.module)?;
        match on_host(tool, version) {
            Some(path) => found.push((tool.name, path)),
            None => missing.push((tool, version)),
        }
    }
    if !missing.is_empty() {
        let flags: Vec<String> =
            missing.iter().map(|(tool, version)| format!("-X {}={version}", tool.version)).collect();
        let packages: Vec<&str> = missing.iter().map(|(tool, _)| tool.package).collect();
        let folder = build("tools", &[], &packages, &flags.join(" "))?;
        found.extend(missing.iter().map(|(tool, _)| (tool.name, folder.join(tool.name))));
    }
    let path = |name: &str| {
        let path = found.iter().find(|(found, _)| *found == name).map(|(_, path)| path.clone());
        path.ok_or_else(|| format!("{name} was not built"))
    };
    Ok(Tools { buildkitd: path("buildkitd")?, buildctl: path("buildctl")?, buildx: path("buildx")? })
}

/// Returns a static program of our own from the folder `name` of `tests/go`, built once per state of its sources.
///
/// # Panics
/// When it does not build.
pub fn go_program(name: &str) -> PathBuf {
    let sources = files_below(&module().join(name));
    let package = format!("./{name}");
    let folder = build(name, &sources, &[&package], "-s -w").unwrap_or_else(|message| panic!("{message}"));
    folder.join(name)
}

/// Returns the static program of somebody else's Go `package`, of a module that `tests/go` pins.
///
/// # Panics
/// When it does not build.
pub fn go_package(package: &str) -> PathBuf {
    let name = package.rsplit('/').next().unwrap_or(package);
    let folder = build(name, &[], &[package], "-s -w").unwrap_or_else(|message| panic!("{message}"));
    folder.join(name)
}

/// Builds `packages` into a kept folder and returns it. Its name follows from the pinned modules and `sources`.
fn build(kind: &str, sources: &[PathBuf], packages: &[&str], flags: &str) -> Result<PathBuf, String> {
    let module = module();
    let mut key = Sha256::new();
    for path in [module.join("go.mod"), module.join("go.sum")].iter().chain(sources) {
        key.update(std::fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?);
    }
    for word in packages.iter().chain([&flags]) {
        key.update(word);
    }
    let root = kept().join("tools");
    let folder = root.join(format!("{kind}-{}", &hex::encode(key.finalize())[..16]));
    if folder.exists() {
        return Ok(folder);
    }
    std::fs::create_dir_all(&root).map_err(|error| format!("cannot create {}: {error}", root.display()))?;
    let lock = File::create(root.join("lock"))
        .map_err(|error| format!("cannot lock {}: {error}", root.display()))?;
    flock(&lock, FlockOperation::LockExclusive)
        .map_err(|error| format!("cannot lock {}: {error}", root.display()))?;
    if folder.exists() {
        return Ok(folder);
    }
    let half = root.join(format!("{kind}.half"));
    let mut go = Command::new(go()?);
    go.arg("build").args(["-trimpath", "-buildvcs=false", "-mod=readonly", "-ldflags", flags, "-o"]);
    go.arg(half.join("")).args(packages).current_dir(&module);
    // A newer Go than the host's is a module too, and is fetched like the others.
    go.env("CGO_ENABLED", "0").env("GOTOOLCHAIN", "auto").env_remove("GOFLAGS");
    std::fs::create_dir_all(&half).map_err(|error| format!("cannot create {}: {error}", half.display()))?;
    eprintln!("building {} (kept for the next time)", packages.join(", "));
    let built = go.output().map_err(|error| format!("cannot start go: {error}"))?;
    if !built.status.success() {
        return Err(format!("{go:?} failed:\n{}", String::from_utf8_lossy(&built.stderr)));
    }
    std::fs::rename(&half, &folder).map_err(|error| format!("cannot rename {}: {error}", half.display()))?;
    Ok(folder)
}

fn module() -> PathBuf {
    workspace().join("tests/go")
}

/// Returns the version that the manifest pins `module` to, such as `v1.2.3`.
fn pinned<'a>(manifest: &'a str, module: &str) -> Result<&'a str, String> {
    let mut lines = manifest.lines().map(|line| line.trim().trim_start_matches("require "));
    let version = lines.find_map(|line| line.strip_prefix(module)?.strip_prefix(' '));
    let version = version.and_then(|rest| rest.split_whitespace().next());
    version.ok_or_else(|| format!("tests/go/go.mod does not pin {module}"))
}

/// Returns the host's own `tool` if it is of this very version.
fn on_host(tool: &Tool, version: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places: Vec<PathBuf> =
        std::env::split_paths(&path).map(|folder| folder.join(tool.name)).collect();
    let plugins = ["/usr/libexec/docker/cli-plugins", "/usr/lib/docker/cli-plugins"];
    places.extend(plugins.map(|folder| Path::new(folder).join(format!("docker-{}", tool.name))));
    places.into_iter().filter(|path| path.exists()).find(|path| {
        let said = Command::new(path).arg(tool.ask).output();
        said.is_ok_and(|said| {
            String::from_utf8_lossy(&said.stdout).split_whitespace().any(|word| word == version)
        })
    })
}

/// Returns a Go that is new enough.
pub fn go() -> Result<PathBuf, String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/local/go/bin".into(), "/usr/lib/go/bin".into()]);
    let mut old = String::new();
    for go in folders.map(|folder| folder.join("go")).filter(|go| go.exists()) {
        let said = Command::new(&go).arg("version").env("GOTOOLCHAIN", "local").output();
        let said = said.map(|said| String::from_utf8_lossy(&said.stdout).into_owned()).unwrap_or_default();
        if go_version(&said).is_some_and(|version| version >= GO) {
            return Ok(go);
        }
        old = format!("; {} is {}", go.display(), said.trim());
    }
    Err(format!(
        "the tests need Go {}.{} or newer for BuildKit and buildx{old}; install your distribution's, or the Go project's \
         archive into /usr/local/go",
        GO.0, GO.1
    ))
}

/// Reads `go version go1.26.8 linux/amd64`.
fn go_version(said: &str) -> Option<(u32, u32)> {
    let version = said.split_whitespace().find_map(|word| word.strip_prefix("go1."))?;
    let digits: String = version.chars().take_while(char::is_ascii_digit).collect();
    Some((1, digits.parse().ok()?))
}

/// Returns the files below `folder`, sorted.
fn files_below(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut found = Vec::new();
    for path in entries.map(|entry| entry.expect("the folder can be read").path()) {
        match path.is_dir() {
            true => found.extend(files_below(&path)),
            false => found.push(path),
        }
    }
    found.sort();
    found
}

fn read(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::{go_version, pinned};

    #[test]
    fn versions_are_read() {
        let manifest =
            "module m\n\nrequire (\n\texample.org/a/b v0.1.0\n\texample.org/a v1.2.3 // indirect\n)\n";
        assert_eq!(pinned(manifest, "example.org/a").as_deref(), Ok("v1.2.3"));
        assert!(pinned(manifest, "example.org/b").is_err());
        assert_eq!(go_version("go version go1.19.8 linux/amd64"), Some((1, 19)));
        assert_eq!(go_version("go version go1.26rc1 linux/amd64"), Some((1, 26)));
        assert_eq!(go_version("sh: go: not found"), None);
    }
}
