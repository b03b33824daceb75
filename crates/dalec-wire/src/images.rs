//! Questions about images, and what else of a graph's words the client of the protocol has to know.

use std::collections::BTreeMap;

use bollard_buildkit_proto::moby::buildkit::v1::frontend as api;
use bollard_buildkit_proto::pb;
use prost::Message;
use sha2::{Digest, Sha256};

use dalec_gateway::{ResolveImage, ResolvedImage};

const IMAGE: &str = "docker-image://";
const LAYOUT: &str = "oci-layout://";
const LOCAL: &str = "local://";

/// `ResolverType` of an OCI layout that the client serves, and of a registry.
const LAYOUT_RESOLVER: i32 = 1;
const REGISTRY_RESOLVER: i32 = 0;

/// An image in an OCI layout that a session serves: `oci-layout://STORE@DIGEST`.
///
/// The op's reference only names it, in logs and in what is said of a build's materials, but has to be a full one; the
/// store, whose name clients make up anew for each build, is said beside it.
struct Layout<'a> {
    store: &'a str,
    digest: &'a str,
    name: &'a str,
}

impl<'a> Layout<'a> {
    fn of(image: &'a ResolveImage) -> Option<Self> {
        let (store, digest) = image.reference.strip_prefix(LAYOUT)?.split_once('@')?;
        Some(Self { store, digest, name: &image.name })
    }

    fn reference(&self) -> String {
        match self.name {
            "" => format!("docker.io/library/{}@{}", self.store, self.digest),
            name => format!("{name}@{}", self.digest),
        }
    }

    fn attrs(&self, session: &str) -> BTreeMap<String, String> {
        [("oci.session", session), ("oci.store", self.store)]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into()
    }
}

/// Returns the question for engines that resolve every kind of source.
pub fn source_request(image: &ResolveImage, session: &str) -> api::ResolveSourceMetaRequest {
    let source = match Layout::of(image) {
        Some(layout) => pb::SourceOp {
            identifier: format!("{LAYOUT}{}", layout.reference()),
            attrs: layout.attrs(session),
        },
        None => pb::SourceOp { identifier: format!("{IMAGE}{}", image.reference), ..Default::default() },
    };
    api::ResolveSourceMetaRequest {
        source: Some(source),
        platform: platform(&image.platform),
        log_name: log_name(image),
        resolve_mode: image.mode.clone(),
        image: Some(api::ResolveSourceImageRequest::default()),
        ..Default::default()
    }
}

/// Returns the question for engines that resolve images alone.
pub fn config_request(image: &ResolveImage, session: &str) -> api::ResolveImageConfigRequest {
    let mut request = api::ResolveImageConfigRequest {
        r#ref: image.reference.clone(),
        platform: platform(&image.platform),
        resolve_mode: image.mode.clone(),
        log_name: log_name(image),
        resolver_type: REGISTRY_RESOLVER,
        ..Default::default()
    };
    if let Some(layout) = Layout::of(image) {
        request.r#ref = layout.reference();
        request.resolver_type = LAYOUT_RESOLVER;
        session.clone_into(&mut request.session_id);
        layout.store.clone_into(&mut request.store_id);
    }
    request
}

/// Returns what was found, which a source policy may have turned into another image.
///
/// # Errors
/// In words, when the policy turned it into something that is no image.
pub fn of_source(answer: api::ResolveSourceMetaResponse) -> Result<ResolvedImage, String> {
    let source = answer.source.unwrap_or_default();
    let Some(found) = answer.image else {
        return Err(format!("a source policy puts {} in its place, which is no image", source.identifier));
    };
    let reference = source.identifier.strip_prefix(IMAGE).unwrap_or(&source.identifier).to_owned();
    // Nothing but where a layout is served; how an image is resolved is the asker's to say.
    let attrs = source.attrs.into_iter().filter(|(name, _)| name.starts_with("oci.")).collect();
    Ok(resolved(reference, attrs, found.digest, found.config))
}

/// Returns what was found for `image`.
pub fn of_config(
    image: &ResolveImage,
    session: &str,
    answer: api::ResolveImageConfigResponse,
) -> ResolvedImage {
    let (reference, attrs) = match Layout::of(image) {
        Some(layout) => (format!("{LAYOUT}{}", layout.reference()), layout.attrs(session)),
        None if answer.r#ref.is_empty() => (image.reference.clone(), BTreeMap::new()),
        None => (answer.r#ref, BTreeMap::new()),
    };
    resolved(reference, attrs, answer.digest, answer.config)
}

fn resolved(
    reference: String,
    attrs: BTreeMap<String, String>,
    digest: String,
    config: Vec<u8>,
) -> ResolvedImage {
    let pinned = match digest.is_empty() || reference.contains('@') {
        true => reference,
        false => format!("{reference}@{digest}"),
    };
    ResolvedImage { reference: pinned, attrs, digest, config, has_packages: false, origin: "BuildKit".into() }
}

fn log_name(image: &ResolveImage) -> String {
    let name = if image.name.is_empty() { &image.reference } else { &image.name };
    match image.platform.as_str() {
        "" => format!("load metadata for {name}"),
        platform => format!("load metadata for {name} ({platform})"),
    }
}

/// Returns the platform that `os/architecture[/variant]` names.
fn platform(text: &str) -> Option<pb::Platform> {
    let mut parts = text.split('/');
    let os = parts.next().filter(|os| !os.is_empty())?.to_owned();
    let architecture = parts.next()?.to_owned();
    let variant = parts.next().unwrap_or_default().to_owned();
    Some(pb::Platform { os, architecture, variant, ..Default::default() })
}

/// Returns `platform` as `os/architecture[/variant]`.
pub fn platform_text(platform: &pb::Platform) -> String {
    let mut text = format!("{}/{}", platform.os, platform.architecture);
    if !platform.variant.is_empty() {
        text.push('/');
        text.push_str(&platform.variant);
    }
    text
}

/// Returns the vertices of a graph that are directories of the client, by digest, each as a graph of its own.
pub fn client_directories(definition: &pb::Definition) -> BTreeMap<String, pb::Definition> {
    let is_directory = |bytes: &&Vec<u8>| {
        let op = pb::Op::decode(bytes.as_slice()).ok().and_then(|op| op.op);
        matches!(op, Some(pb::op::Op::Source(source)) if source.identifier.starts_with(LOCAL))
    };
    let alone = |bytes: &Vec<u8>| {
        let digest = digest(bytes);
        let input = pb::Input { digest: digest.clone(), index: 0 };
        let terminal = pb::Op { inputs: vec![input], ..pb::Op::default() }.encode_to_vec();
        let metadata = definition.metadata.get(&digest).cloned().map(|metadata| (digest.clone(), metadata));
        let graph = pb::Definition {
            def: vec![bytes.clone(), terminal],
            metadata: metadata.into_iter().collect(),
            source: None,
        };
        (digest, graph)
    };
    definition.def.iter().filter(is_directory).map(alone).collect()
}

fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}

/// Returns the digest of the vertex that a graph's result comes from.
pub fn terminal_input(definition: &pb::Definition) -> Option<String> {
    let terminal = pb::Op::decode(definition.def.last()?.as_slice()).ok()?;
    Some(terminal.inputs.into_iter().next()?.digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(reference: &str) -> ResolveImage {
        ResolveImage {
            reference: reference.into(),
            platform: "linux/arm64/v8".into(),
            ..ResolveImage::default()
        }
    }

    #[test]
    fn images_and_layouts_are_asked_for() {
        let asked = source_request(&image("docker.io/library/debian:12"), "s1");
        assert_eq!(asked.source.unwrap().identifier, "docker-image://docker.io/library/debian:12");
        assert_eq!(platform_text(&asked.platform.unwrap()), "linux/arm64/v8");

        let source = source_request(&image("oci-layout://abc@sha256:12"), "s1").source.unwrap();
        assert_eq!(source.identifier, "oci-layout://docker.io/library/abc@sha256:12");
        assert_eq!((source.attrs["oci.session"].as_str(), source.attrs["oci.store"].as_str()), ("s1", "abc"));

        let named = ResolveImage {
            name: "docker.io/library/debian:12".into(),
            ..image("oci-layout://abc@sha256:12")
        };
        let source = source_request(&named, "s1").source.unwrap();
        assert_eq!(source.identifier, "oci-layout://docker.io/library/debian:12@sha256:12");
        assert_eq!(source.attrs["oci.store"], "abc");

        let asked = config_request(&image("oci-layout://abc@sha256:12"), "s1");
        assert_eq!((asked.resolver_type, asked.store_id.as_str()), (1, "abc"));
    }

    /// A policy of the client's can only put images in the place of images.
    #[test]
    fn what_is_no_image_is_named() {
        let source = pb::SourceOp { identifier: "https://example.org/a".into(), ..Default::default() };
        let answer = api::ResolveSourceMetaResponse { source: Some(source), ..Default::default() };
        assert!(of_source(answer).unwrap_err().contains("https://example.org/a"));
    }

    #[test]
    fn directories_of_the_client_are_graphs_of_their_own() {
        let source = |identifier: &str| {
            let source = pb::SourceOp { identifier: identifier.into(), ..pb::SourceOp::default() };
            pb::Op { op: Some(pb::op::Op::Source(source)), ..pb::Op::default() }.encode_to_vec()
        };
        let (local, image) = (source("local://context"), source("docker-image://debian"));
        let metadata = pb::OpMetadata { ignore_cache: true, ..pb::OpMetadata::default() };
        let definition = pb::Definition {
            def: vec![image, local.clone(), pb::Op::default().encode_to_vec()],
            metadata: [(digest(&local), metadata)].into(),
            source: None,
        };
        let found = client_directories(&definition);
        let graph = &found[&digest(&local)];
        assert_eq!((found.len(), &graph.def[0], &graph.metadata), (1, &local, &definition.metadata));
        assert_eq!(terminal_input(graph), Some(digest(&local)));
    }

    #[test]
    fn what_is_found_is_pinned() {
        let answer = api::ResolveImageConfigResponse {
            digest: "sha256:12".into(),
            config: b"{}".to_vec(),
            r#ref: String::new(),
        };
        let found = of_config(&image("docker.io/library/debian:12"), "s1", answer.clone());
        assert_eq!(found.reference, "docker.io/library/debian:12@sha256:12");
        let found = of_config(&image("oci-layout://abc@sha256:12"), "s1", answer);
        assert_eq!(found.reference, "oci-layout://docker.io/library/abc@sha256:12");
        assert_eq!((found.attrs["oci.session"].as_str(), found.attrs["oci.store"].as_str()), ("s1", "abc"));
    }
}
