//! The cache of the Rust compiler: sccache, a program that stands in front of it.
//!
//! No distribution has the same one everywhere, so it is downloaded; who cannot or does not want to do that gives a
//! directory with the program as a named context.

use dalec_llb::{Copy, Exec, File, Http, Mount, Network, Platform, State};

use super::Planner;
use crate::request::Request;

/// The named context that brings `sccache` instead of a download.
pub(super) const CONTEXT: &str = "dalec-sccache";

const VERSION: &str = "v0.10.0";
const DIR: &str = "/tmp/dalec/sccache-cache";
const PROGRAM_DIR: &str = "/tmp/internal/dalec/sccache";

const EXTRACT: &str = r#"# Takes the program out of the archive of a release, in which it is below one directory.
set -eu
cd /work/out
tar -xzf /work/in/sccache.tar.gz --no-same-owner --strip-components=1 --wildcards '*/sccache'
chmod 755 sccache
"#;

/// A release for one platform.
struct Release {
    /// The platform in the words of the Rust compiler.
    triple: &'static str,
    /// Digest of the archive.
    sha256: &'static str,
}

/// Returns whether builds of `request` can have the program.
pub(super) fn is_there(request: &Request<'_>) -> bool {
    request.answers.contexts.contains_key(CONTEXT) || release(request.build_platform()).is_some()
}

/// Adds the cache, unless there is no program for this platform.
pub(super) fn add(planner: &mut Planner<'_>, scope: &str) {
    let Some(program) = program(planner) else { return };
    planner.shared(DIR, "dalec-rustsccache", scope);
    let caches = &mut planner.caches;
    caches.mounts.push(Mount::bind(PROGRAM_DIR, &program).readonly());
    caches.env.extend([
        ("RUSTC_WRAPPER", "/tmp/internal/dalec/sccache/sccache"),
        ("SCCACHE_DIR", DIR),
        // Its server would listen on a port else, which builds with a network share.
        ("SCCACHE_SERVER_UDS", "/tmp/dalec/sccache.socket"),
    ]);
}

/// Returns a file system that holds the program as `/sccache`.
fn program(planner: &Planner<'_>) -> Option<State> {
    let (request, group) = (planner.request, planner.place.group);
    if let Some(context) = request.answers.contexts.get(CONTEXT) {
        let file = File::new(format!("Take sccache from the build context {CONTEXT}")).group(group);
        let copy = Copy { follow_symlinks: true, ..Copy::default() };
        return Some(State::scratch().file(file.copy(context, "/sccache", "/sccache", copy)));
    }
    let Release { triple, sha256 } = release(request.build_platform())?;
    let archive = State::http(Http {
        url: format!(
            "https://github.com/mozilla/sccache/releases/download/{VERSION}/sccache-{VERSION}-{triple}.tar.gz"
        ),
        checksum: Some(format!("sha256:{sha256}")),
        filename: "sccache.tar.gz".into(),
        permissions: None,
        label: format!("Download sccache {VERSION}"),
        locations: Vec::new(),
        group: Some(group.clone()),
    });
    let exec = Exec::shell(EXTRACT)
        .envs(planner.place.worker.env.clone())
        .name(format!("Extract sccache {VERSION}"))
        .group(group)
        .network(Network::None)
        .mount(Mount::bind("/work/in", &archive).readonly())
        .mount(Mount::output("/work/out"));
    Some(planner.place.worker.root.run(exec).output("/work/out"))
}

fn release(platform: &Platform) -> Option<Release> {
    let (triple, sha256) = match (platform.architecture.as_str(), platform.variant.as_str()) {
        ("amd64", _) => {
            ("x86_64-unknown-linux-musl", "1fbb35e135660d04a2d5e42b59c7874d39b3deb17de56330b25b713ec59f849b")
        }
        ("arm64", _) => {
            ("aarch64-unknown-linux-musl", "d6a1ce4acd02b937cd61bc675a8be029a60f7bc167594c33d75732bbc0a07400")
        }
        ("arm", "v7") => (
            "armv7-unknown-linux-musleabi",
            "ab7af4e5c78aa71f38145e7bed41dd944d99ce5a00339424d927f8bbd8b61b78",
        ),
        _ => return None,
    };
    Some(Release { triple, sha256 })
}
