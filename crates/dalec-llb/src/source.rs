//! Source ops: images, local directories and files by URL.

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

impl State {
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
