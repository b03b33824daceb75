//! The rules of the house: what a room must not know, and what every file must have.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use cargo_metadata::{Metadata, MetadataCommand};
use dalec_e2e::binary::cargo;

/// What each room must not depend on, directly or through others; see ARCHITECTURE.md.
const WALLS: &[(&str, &[&str])] = &[
    ("dalec-spec", &["dalec-*", "tokio", "reqwest", "rustix", "bollard-buildkit-proto", "clap"]),
    ("dalec-llb", &["dalec-*", "granit-parser", "serde-saphyr", "tokio", "reqwest", "rustix", "clap"]),
    ("dalec-gateway", &["dalec-*", "granit-parser", "tokio", "tonic", "reqwest", "clap"]),
    (
        "dalec-wire",
        &[
            "dalec-spec",
            "dalec-llb",
            "dalec-targets",
            "dalec-frontend",
            "dalec-engine",
            "dalec-buildkit",
            "granit-parser",
            "clap",
        ],
    ),
    (
        "dalec-targets",
        &[
            "dalec-engine",
            "dalec-gateway",
            "dalec-bootstrap",
            "dalec-frontend",
            "tokio",
            "reqwest",
            "rustix",
            "clap",
            "indicatif",
        ],
    ),
    (
        "dalec-frontend",
        &["dalec-engine", "dalec-bootstrap", "tokio", "reqwest", "rustix", "clap", "indicatif"],
    ),
    (
        "dalec-engine",
        &[
            "dalec-spec",
            "dalec-llb",
            "dalec-targets",
            "dalec-frontend",
            "dalec-bootstrap",
            "granit-parser",
            "pgp",
            "deb822-fast",
            "debversion",
            "resolvo",
            "clap",
            "indicatif",
        ],
    ),
    ("dalec-files", &["dalec-*", "tokio", "reqwest", "rustix", "bollard-buildkit-proto", "clap"]),
    ("dalec-output", &["dalec-*", "tokio", "reqwest", "bollard-buildkit-proto", "clap"]),
    ("dalec-ssh-agent", &["dalec-*", "tokio", "reqwest", "rustix", "bollard-buildkit-proto", "clap"]),
    ("dalec-openpgp", &["dalec-*", "granit-parser", "bollard-buildkit-proto", "tokio", "reqwest", "clap"]),
    (
        "dalec-buildkit",
        &[
            "dalec-spec",
            "dalec-llb",
            "dalec-targets",
            "dalec-frontend",
            "dalec-engine",
            "dalec-bootstrap",
            "granit-parser",
            "pgp",
            "clap",
        ],
    ),
    (
        "dalec-bootstrap",
        &[
            "dalec-engine",
            "dalec-llb",
            "dalec-spec",
            "dalec-gateway",
            "granit-parser",
            "bollard-buildkit-proto",
            "clap",
        ],
    ),
    (
        "dalec-signer",
        &[
            "dalec-engine",
            "dalec-llb",
            "dalec-spec",
            "dalec-gateway",
            "granit-parser",
            "bollard-buildkit-proto",
            "tokio",
            "reqwest",
            "clap",
            "indicatif",
        ],
    ),
    (
        "dalec-signer-frontend",
        &[
            "dalec-signer",
            "dalec-openpgp",
            "dalec-engine",
            "dalec-spec",
            "dalec-frontend",
            "dalec-targets",
            "clap",
        ],
    ),
    (
        "dalec-testrunner",
        &["dalec-engine", "dalec-llb", "dalec-targets", "dalec-frontend", "tokio", "reqwest", "clap"],
    ),
];

#[test]
fn rooms_do_not_know_what_they_must_not() {
    let mut broken = Vec::new();
    for (room, forbidden) in WALLS {
        let known = dependencies(room);
        for name in &known {
            let matches = |pattern: &&&str| match pattern.strip_suffix('*') {
                Some(prefix) => name.starts_with(prefix),
                None => name == **pattern,
            };
            if forbidden.iter().any(|pattern| matches(&pattern)) {
                broken.push(format!("{room} must not know {name}"));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn every_room_is_on_the_map() {
    let map = std::fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let metadata = metadata();
    let rooms = metadata.workspace_packages();
    let absent = rooms
        .iter()
        .map(|room| room.name.to_string())
        .filter(|name| !map.contains(name.as_str()) && name != "dalec-e2e" && name != "dalec-bench");
    assert_eq!(absent.collect::<Vec<_>>(), Vec::<String>::new());
}

/// The first command of the README says only `cargo run`.
#[test]
fn one_program_is_what_is_run() {
    let metadata = metadata();
    let members = metadata.workspace_default_packages();
    let programs =
        |package: &cargo_metadata::Package| package.targets.iter().filter(|target| target.is_bin()).count();
    let run: Vec<_> = members.iter().filter(|package| programs(package) > 0).collect();
    assert_eq!(run.len(), 1, "cargo would ask which one to run");
    assert_eq!(run[0].default_run.as_deref(), Some("dalec"));
}

#[test]
fn every_path_on_the_map_exists() {
    let mut text = std::fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    text.push_str(&std::fs::read_to_string(root().join("CONTRIBUTING.md")).unwrap());
    let mut missing = Vec::new();
    for quoted in text.split('`').skip(1).step_by(2) {
        let is_path =
            quoted.starts_with("crates/") || quoted.starts_with("tests/") || quoted.starts_with("docs/");
        if is_path && !root().join(quoted).exists() {
            missing.push(quoted.to_owned());
        }
    }
    assert!(missing.is_empty(), "not there: {}", missing.join(", "));
}

#[test]
fn every_source_file_says_what_it_is_for() {
    let silent = files(&root(), "rs").into_iter().filter(|file| {
        let text = std::fs::read_to_string(file).unwrap();
        !text.starts_with("//!")
    });
    let silent: Vec<String> = silent.map(|file| file.display().to_string()).collect();
    assert!(silent.is_empty(), "no `//!` at the top: {}", silent.join(", "));
}

#[test]
fn no_test_is_switched_off() {
    let mark = concat!("#[", "ignore");
    let marked =
        files(&root(), "rs").into_iter().filter(|file| std::fs::read_to_string(file).unwrap().contains(mark));
    assert_eq!(marked.collect::<Vec<_>>(), Vec::<PathBuf>::new());
}

/// Package mirrors are the host's business: no file may name the ones that this machine is set up with.
#[test]
fn no_mirror_of_this_machine_is_named() {
    let mut hosts = BTreeSet::new();
    let lists = ["/etc/apt/sources.list".into()].into_iter().chain(
        std::fs::read_dir("/etc/apt/sources.list.d").into_iter().flatten().flatten().map(|e| e.path()),
    );
    for list in lists {
        let text = std::fs::read_to_string::<PathBuf>(list).unwrap_or_default();
        let urls = text.split_whitespace().filter_map(|word| word.split_once("://"));
        hosts.extend(urls.filter_map(|(_, rest)| rest.split('/').next()).map(str::to_owned));
    }
    let mut named = Vec::new();
    for extension in ["rs", "yml", "md", "toml", "sh", "json"] {
        for file in files(&root(), extension) {
            let text = std::fs::read_to_string(&file).unwrap_or_default();
            named.extend(
                hosts.iter().filter(|host| text.contains(host.as_str())).map(|h| format!("{h}: {file:?}")),
            );
        }
    }
    assert!(named.is_empty(), "{}", named.join("\n"));
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace is above").to_owned()
}

fn metadata() -> Metadata {
    MetadataCommand::new().manifest_path(root().join("Cargo.toml")).exec().expect("cargo metadata runs")
}

/// Returns the names of everything that `package` is built with when it is built alone, development dependencies left
/// out: what other rooms want of a library is not this room's doing.
fn dependencies(package: &str) -> BTreeSet<String> {
    let mut tree = cargo();
    tree.args(["tree", "--offline", "--edges", "normal", "--prefix", "none", "--format", "{p}", "--package"]);
    let output = tree.arg(package).current_dir(root()).output().expect("cargo tree runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{package}: {said}");
    let lines = String::from_utf8(output.stdout).expect("names are text");
    let names = lines.lines().filter_map(|line| line.split(' ').next());
    names.filter(|name| *name != package).map(str::to_owned).collect()
}

fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        let name = entry.file_name();
        if path.is_dir() {
            if name != "target" && name != ".git" && name != "out" {
                found.extend(files(&path, extension));
            }
        } else if path.extension().is_some_and(|known| known == extension) {
            found.push(path);
        }
    }
    found.sort();
    found
}
