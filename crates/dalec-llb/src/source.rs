//! Source ops: images, local directories, git repositories and files by URL.

use std::collections::BTreeMap;

use bollard_buildkit_proto::pb;

use crate::location::Location;
use crate::platform::Platform;
use crate::state::{Body, Metadata, ProgressGroup, State, Vertex};

/// Where an image may come from, as `image.resolvemode` says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ResolveMode {
    /// The engine's own habit.
    #[default]
    Default,
    /// Always ask the registry.
    Pull,
    /// Prefer what is in the local store.
    Local,
}

/// An image to take the file system of.
#[derive(Debug, Clone, Default)]
pub struct ImageRef {
    /// Full reference with domain, for example `docker.io/library/debian:bookworm`, or an `oci-layout://…` URL.
    pub reference: String,
    /// Attributes that whoever found the image wants to see again.
    pub attrs: BTreeMap<String, String>,
    /// Where it may come from.
    pub resolve_mode: ResolveMode,
    /// Platform of the image; none takes the graph's.
    pub platform: Option<Platform>,
    /// Name to show; empty for the reference.
    pub name: String,
    /// What in the spec asked for it.
    pub locations: Vec<Location>,
}

/// A directory that the client serves.
#[derive(Debug, Clone, Default)]
pub struct Local {
    /// Name of the directory, for example `context`.
    pub name: String,
    /// Patterns to take; empty takes everything.
    pub include: Vec<String>,
    /// Patterns to leave out.
    pub exclude: Vec<String>,
    /// Paths whose symbolic links are followed, and their targets taken too.
    pub follow: Vec<String>,
    /// Hint that lets several builds share one transfer.
    pub shared_key: String,
    /// Session that serves it; empty for the solving one.
    pub session: String,
    /// Words to show.
    pub label: String,
    /// What in the spec asked for it.
    pub locations: Vec<Location>,
}

/// One file by URL.
#[derive(Debug, Clone, Default)]
pub struct Http {
    /// The URL.
    pub url: String,
    /// Digest the content must have.
    pub checksum: Option<String>,
    /// Name of the file in the resulting file system.
    pub filename: String,
    /// Permission bits.
    pub permissions: Option<u32>,
    /// Words to show.
    pub label: String,
    /// What in the spec asked for it.
    pub locations: Vec<Location>,
    /// Phase it belongs to.
    pub group: Option<ProgressGroup>,
}

/// Files of a git repository.
#[derive(Debug, Clone, Default)]
pub struct Git {
    /// URL, or `user@host:path`; without a scheme https is meant. Fragment and query count for nothing.
    pub remote: String,
    /// Branch, tag or commit; empty for the default branch.
    pub reference: String,
    /// Directory to take; empty for all.
    pub subdir: String,
    /// Commit that the reference must stand for.
    pub checksum: Option<String>,
    /// Keep the directory `.git`.
    pub keep_git_dir: bool,
    /// Leave submodules out.
    pub skip_submodules: bool,
    /// Files have the time of their commit instead of that of the checkout.
    pub commit_times: bool,
    /// Ask for the commit of `checksum` instead of comparing what the reference stands for with it.
    pub fetch_by_commit: bool,
    /// How to log in.
    pub login: GitLogin,
    /// Words to show.
    pub label: String,
    /// What in the spec asked for it.
    pub locations: Vec<Location>,
    /// Phase it belongs to.
    pub group: Option<ProgressGroup>,
}

/// Names of secrets and of an ssh agent of the client to log in to a git server with; empty for the common ones.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GitLogin {
    /// Secret that holds a token, `GIT_AUTH_TOKEN` when empty.
    pub token: String,
    /// Secret that holds an `Authorization` header, `GIT_AUTH_HEADER` when empty.
    pub header: String,
    /// Id of the ssh agent; when empty, `default` for addresses that need one.
    pub ssh: String,
}

impl State {
    /// Returns files of a git repository. Its secrets are used where the client has them.
    pub fn git(git: Git) -> State {
        let (remote, is_ssh, place) = git_address(&git.remote);
        let or = |given: String, default: &str| if given.is_empty() { default.to_owned() } else { given };
        let mut attrs = BTreeMap::from([
            ("git.authtokensecret".to_owned(), or(git.login.token, "GIT_AUTH_TOKEN")),
            ("git.authheadersecret".to_owned(), or(git.login.header, "GIT_AUTH_HEADER")),
            ("git.fullurl".to_owned(), remote),
        ]);
        if is_ssh || !git.login.ssh.is_empty() {
            attrs.insert("git.mountsshsock".into(), or(git.login.ssh, "default"));
        }
        for (wanted, name, value) in [
            (git.keep_git_dir, "git.keepgitdir", "true"),
            (git.skip_submodules, "git.skipsubmodules", "true"),
            (git.commit_times, "git.mtime", "commit"),
            (git.fetch_by_commit, "git.fetchbycommit", "true"),
        ] {
            if wanted {
                attrs.insert(name.into(), value.into());
            }
        }
        attrs.extend(git.checksum.map(|checksum| ("git.checksum".to_owned(), checksum)));
        let mut identifier = format!("git://{place}");
        if !(git.reference.is_empty() && git.subdir.is_empty()) {
            identifier.push_str(&format!("#{}", git.reference));
        }
        if !git.subdir.is_empty() {
            identifier.push_str(&format!(":{}", git.subdir));
        }
        source(identifier, attrs, None, &git.label, git.locations, git.group)
    }

    /// Returns the file system of an image.
    pub fn image(image: ImageRef) -> State {
        let mut attrs = image.attrs;
        match image.resolve_mode {
            ResolveMode::Default => {}
            ResolveMode::Pull => drop(attrs.insert("image.resolvemode".to_owned(), "pull".to_owned())),
            ResolveMode::Local => drop(attrs.insert("image.resolvemode".to_owned(), "local".to_owned())),
        }
        let identifier = match image.reference.starts_with("oci-layout://") {
            true => image.reference,
            false => format!("docker-image://{}", image.reference),
        };
        source(identifier, attrs, image.platform, &image.name, image.locations, None)
    }

    /// Returns a directory that the client serves.
    pub fn local(local: Local) -> State {
        let mut attrs = BTreeMap::new();
        let mut list = |key: &str, values: &[String]| {
            if !values.is_empty() {
                attrs.insert(key.to_owned(), serde_json::Value::from(values).to_string());
            }
        };
        list("local.includepattern", &local.include);
        list("local.excludepatterns", &local.exclude);
        list("local.followpaths", &local.follow);
        if !local.shared_key.is_empty() {
            attrs.insert("local.sharedkeyhint".into(), local.shared_key);
        }
        if !local.session.is_empty() {
            attrs.insert("local.sessionid".into(), local.session);
        }
        source(format!("local://{}", local.name), attrs, None, &local.label, local.locations, None)
    }

    /// Returns a file system that holds one downloaded file.
    pub fn http(http: Http) -> State {
        let mut attrs = BTreeMap::new();
        if let Some(checksum) = http.checksum {
            attrs.insert("http.checksum".into(), checksum);
        }
        if !http.filename.is_empty() {
            attrs.insert("http.filename".into(), http.filename);
        }
        if let Some(permissions) = http.permissions {
            attrs.insert("http.perm".into(), format!("0{permissions:o}"));
        }
        source(http.url, attrs, None, &http.label, http.locations, http.group)
    }
}

/// Returns the address of a repository for git, whether it is reached by ssh, and `HOST/PATH`, which is the same however
/// the repository is reached and whoever asks for it.
fn git_address(remote: &str) -> (String, bool, String) {
    let remote = remote.split(['#', '?']).next().unwrap_or_default();
    let is_scp = |remote: &str| {
        let host = remote.split_once('@').map(|(_, host)| host.split('/').next().unwrap_or_default());
        host.is_some_and(|host| host.contains(':'))
    };
    let (remote, is_ssh, place) = match remote.split_once("://") {
        Some((scheme, place)) => {
            let scheme = scheme.strip_prefix("git+").unwrap_or(scheme);
            (format!("{scheme}://{place}"), scheme == "ssh", place.to_owned())
        }
        None if is_scp(remote) => (remote.to_owned(), true, remote.replacen(':', "/", 1)),
        None => (format!("https://{remote}"), false, remote.to_owned()),
    };
    let mut parts = place.split('/');
    let host = parts.next().unwrap_or_default();
    let host = host.rfind('@').map_or(host, |at| &host[at + 1..]);
    let path = parts.filter(|part| !part.is_empty());
    let place = [host].into_iter().chain(path).collect::<Vec<_>>().join("/");
    (remote, is_ssh, place)
}

fn source(
    identifier: String,
    attrs: BTreeMap<String, String>,
    platform: Option<Platform>,
    name: &str,
    locations: Vec<Location>,
    group: Option<ProgressGroup>,
) -> State {
    State::first_output(Vertex {
        op: Body::Op(Box::new(pb::op::Op::Source(pb::SourceOp { identifier, attrs }))),
        inputs: Vec::new(),
        platform,
        metadata: Metadata { locations, group, ..Metadata::named(name) },
    })
}
