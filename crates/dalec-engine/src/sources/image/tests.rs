//! Images against registries on loopback and files made for the purpose.

use std::time::Duration;

use super::*;
use crate::Cancel;
use crate::oci::{Manifest, media_type};
use crate::sources::http::HttpSettings;
use crate::sources::http::test_server::{Answer, Received, TestServer};
use crate::tarball::{Entry, Kind, Writer};

/// Blobs of images made for a test, by digest, and what names stand for.
#[derive(Clone, Default)]
struct Depot {
    blobs: BTreeMap<String, (String, Vec<u8>)>,
    names: BTreeMap<String, Descriptor>,
}

impl Depot {
    fn add(&mut self, media_type: &str, bytes: impl Into<Vec<u8>>) -> Descriptor {
        let bytes = bytes.into();
        let digest = Digest::sha256_of(&bytes);
        let size = bytes.len() as u64;
        self.blobs.insert(digest.to_string(), (media_type.to_owned(), bytes));
        Descriptor {
            media_type: media_type.to_owned(),
            digest,
            size,
            annotations: BTreeMap::new(),
            platform: None,
        }
    }

    /// Adds an image for linux/`architecture` with two layers.
    fn image(&mut self, architecture: &str) -> Descriptor {
        let layers = [format!("{architecture} one"), format!("{architecture} two")];
        let diff_ids: Vec<Digest> = layers.iter().map(|layer| Digest::sha256_of(layer.as_bytes())).collect();
        let config = serde_json::json!({
            "architecture": architecture, "os": "linux", "config": {"Env": ["A=b"]},
            "rootfs": {"type": "layers", "diff_ids": diff_ids},
        });
        let config = self.add(media_type::OCI_CONFIG, config.to_string());
        let layers = layers.map(|layer| self.add(media_type::OCI_LAYER, layer)).to_vec();
        self.manifest(config, layers)
    }

    fn manifest(&mut self, config: Descriptor, layers: Vec<Descriptor>) -> Descriptor {
        let manifest = Manifest {
            schema_version: 2,
            media_type: media_type::OCI_MANIFEST.into(),
            config,
            layers,
            annotations: BTreeMap::new(),
        };
        self.add(media_type::OCI_MANIFEST, serde_json::to_vec(&manifest).unwrap())
    }

    /// Adds an index of images for linux on these architectures, and an attestation as builders add it.
    fn index(&mut self, architectures: &[&str]) -> Descriptor {
        let mut manifests: Vec<serde_json::Value> = Vec::new();
        for architecture in architectures {
            let image = self.image(architecture);
            let mut entry = serde_json::to_value(image).unwrap();
            entry["platform"] = serde_json::json!({"os": "linux", "architecture": architecture});
            manifests.push(entry.clone());
            entry["platform"] = serde_json::json!({"os": "unknown", "architecture": "unknown"});
            manifests.push(entry);
        }
        let index = serde_json::json!({"schemaVersion": 2, "mediaType": media_type::OCI_INDEX, "manifests": manifests});
        self.add(media_type::OCI_INDEX, index.to_string())
    }

    fn name(&mut self, name: &str, descriptor: &Descriptor) {
        self.names.insert(name.to_owned(), descriptor.clone());
    }

    /// Answers as a registry that lets everyone in.
    fn answer(&self, request: &Received) -> Answer {
        let Some((kind, wanted)) =
            request.target.strip_prefix("/v2/library/tool/").and_then(|rest| rest.split_once('/'))
        else {
            return Answer::new(404, "");
        };
        let digest = match self.names.get(wanted) {
            Some(descriptor) if kind == "manifests" => descriptor.digest.to_string(),
            _ => wanted.to_owned(),
        };
        match self.blobs.get(&digest) {
            Some((media_type, bytes)) => {
                let body = if request.method == "HEAD" { Vec::new() } else { bytes.clone() };
                Answer::ok(body)
                    .with("Content-Type", media_type.clone())
                    .with("Docker-Content-Digest", digest)
            }
            None => Answer::new(404, r#"{"errors":[{"code":"MANIFEST_UNKNOWN"}]}"#),
        }
    }

    fn write_layout(&self, directory: &Path) {
        std::fs::create_dir_all(directory.join("blobs/sha256")).unwrap();
        for (path, bytes) in self.layout_files() {
            std::fs::write(directory.join(path), bytes).unwrap();
        }
    }

    fn layout_files(&self) -> Vec<(String, Vec<u8>)> {
        let manifests: Vec<serde_json::Value> = self
            .names
            .iter()
            .map(|(name, descriptor)| {
                let mut entry = serde_json::to_value(descriptor).unwrap();
                entry["annotations"] = serde_json::json!({"org.opencontainers.image.ref.name": name});
                entry
            })
            .collect();
        let index = serde_json::json!({"schemaVersion": 2, "manifests": manifests});
        let mut files = vec![
            ("oci-layout".to_owned(), br#"{"imageLayoutVersion":"1.0.0"}"#.to_vec()),
            ("index.json".to_owned(), index.to_string().into_bytes()),
        ];
        let blobs = self.blobs.iter();
        files.extend(
            blobs.map(|(digest, (_, bytes))| (format!("blobs/{}", digest.replace(':', "/")), bytes.clone())),
        );
        files
    }
}

struct World {
    dir: tempfile::TempDir,
    store: ImageStore,
    cancel: Cancel,
}

impl World {
    fn new() -> Self {
        Self::with(|_| Err("no login".to_owned()))
    }

    fn with(lookup: impl Fn(&str) -> Result<Credential, String> + Send + Sync + 'static) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let blobs = BlobDir::new(&dir.path().join("blobs")).unwrap();
        let client = HttpClient::new(HttpSettings {
            retry_delay: Duration::from_millis(1),
            ..HttpSettings::default()
        });
        let settings = RegistrySettings { credentials: Arc::new(lookup), ..RegistrySettings::default() };
        let store = ImageStore::new(&dir.path().join("images"), blobs, client, settings).unwrap();
        Self { dir, store, cancel: Cancel::new() }
    }

    fn resolve(&self, location: &Location, mode: ResolveMode) -> Result<ResolvedImage, ImageError> {
        self.resolve_for("linux/amd64", location, mode)
    }

    fn resolve_for(
        &self,
        platform: &str,
        location: &Location,
        mode: ResolveMode,
    ) -> Result<ResolvedImage, ImageError> {
        self.store.resolve(location, &platform.parse().unwrap(), mode, &Transfer::silent(&self.cancel))
    }

    fn pull(&self, location: &Location) -> Result<PulledImage, ImageError> {
        let image = self.resolve(location, ResolveMode::Default)?;
        self.store.pull(location, &image, &Transfer::silent(&self.cancel))
    }
}

fn at(server: &TestServer, rest: &str) -> Location {
    Location::parse(&format!("docker-image://{}/library/tool{rest}", server.host())).unwrap()
}

fn local(path: &Path, rest: &str) -> Location {
    Location::parse(&format!("oci-layout://{}{rest}", path.display())).unwrap()
}

fn contents(image: &PulledImage) -> Vec<String> {
    image.layers.iter().map(|layer| std::fs::read_to_string(&layer.path).unwrap()).collect()
}

fn words(error: &ImageError) -> String {
    let mut text = error.to_string();
    let mut next = std::error::Error::source(error);
    while let Some(cause) = next {
        text += &format!(": {cause}");
        next = cause.source();
    }
    match error.hint() {
        Some(hint) => format!("{text}\nhint: {hint}"),
        None => text,
    }
}

fn two_platforms() -> (Depot, Descriptor) {
    let mut depot = Depot::default();
    let index = depot.index(&["amd64", "arm64"]);
    depot.name("1", &index);
    (depot, index)
}

#[test]
fn an_image_is_pulled_with_a_token_and_through_a_busy_moment() {
    let (depot, index) = two_platforms();
    let busy = std::sync::atomic::AtomicBool::new(true);
    let server = TestServer::start(move |request| {
        if request.target.starts_with("/token?") {
            return Answer::ok(r#"{"token":"t0ken","expires_in":300}"#);
        }
        if request.header("authorization") != "Bearer t0ken" {
            let realm = format!("http://{}/token", request.header("host"));
            let challenge =
                format!("Bearer realm=\"{realm}\",service=\"test\",scope=\"repository:library/tool:pull\"");
            return Answer::new(401, "{}").with("WWW-Authenticate", challenge);
        }
        if busy.swap(false, std::sync::atomic::Ordering::SeqCst) {
            return Answer::new(429, "").with("Retry-After", "0");
        }
        depot.answer(request)
    });
    let world = World::new();
    let location = at(&server, ":1");
    let image = world.resolve(&location, ResolveMode::Default).unwrap();
    assert_eq!(image.digest, index.digest);
    assert_eq!(image.origin, format!("registry {}", server.host()));
    expect_test::expect![[r#"
        GET /v2/library/tool/manifests/1
        GET /token?service=test&scope=repository%3Alibrary%2Ftool%3Apull
        GET /v2/library/tool/manifests/1
        GET /v2/library/tool/manifests/1
        GET /v2/library/tool/manifests/sha256:…
        GET /v2/library/tool/blobs/sha256:…
    "#]]
    .assert_eq(&shortened(&server.lines()));
    let pulled = world.store.pull(&location, &image, &Transfer::silent(&world.cancel)).unwrap();
    assert_eq!(contents(&pulled), ["amd64 one", "amd64 two"]);
    assert_eq!(pulled.layers[0].diff_id, Digest::sha256_of(b"amd64 one"));
    // One token serves everything; what is here is not fetched again.
    let before = server.lines().len();
    world.store.pull(&location, &image, &Transfer::silent(&world.cancel)).unwrap();
    assert_eq!((before, server.lines().len()), (8, 8));
}

fn shortened(lines: &[String]) -> String {
    lines
        .iter()
        .map(|line| match line.split_once("sha256:") {
            Some((start, _)) => format!("{start}sha256:…\n"),
            None => format!("{line}\n"),
        })
        .collect()
}

#[test]
fn stored_logins_are_used() {
    let (depot, _) = two_platforms();
    let server = TestServer::start(move |request| {
        let authorization = request.header("authorization");
        match (request.method.as_str(), request.target.split('?').next().unwrap()) {
            // base64 of "me:secret".
            ("GET", "/token") if authorization == "Basic bWU6c2VjcmV0" => {
                Answer::ok(r#"{"access_token":"a"}"#)
            }
            ("POST", "/token")
                if request.body.contains("refresh_token=id%2B1&")
                    || request.body.ends_with("refresh_token=id%2B1") =>
            {
                Answer::ok(r#"{"access_token":"a"}"#)
            }
            (_, "/token") => Answer::new(401, ""),
            _ if authorization == "Bearer a" => depot.answer(request),
            _ => {
                let challenge =
                    format!("Bearer realm=\"http://{}/token\",service=\"s\"", request.header("host"));
                Answer::new(401, "").with("WWW-Authenticate", challenge)
            }
        }
    });
    let location = at(&server, ":1");
    let password = World::with(|_| Ok(Credential::Password { user: "me".into(), password: "secret".into() }));
    assert!(password.pull(&location).is_ok());
    let token = World::with(|_| Ok(Credential::IdentityToken("id+1".into())));
    assert!(token.pull(&location).is_ok());
    let wrong = World::with(|_| Ok(Credential::Password { user: "me".into(), password: "wrong".into() }));
    let host = server.host();
    assert_eq!(
        words(&wrong.pull(&location).unwrap_err()),
        format!(
            "{host} refuses access to {host}/library/tool:1\n\
             hint: the stored login was not accepted; check the name, or log in to {host}"
        )
    );
}

#[test]
fn a_registry_with_plain_passwords_works_too() {
    let (depot, _) = two_platforms();
    let server = TestServer::start(move |request| match request.header("authorization") {
        "Basic bWU6c2VjcmV0" => depot.answer(request),
        _ => Answer::new(401, "").with("WWW-Authenticate", "Basic realm=\"x\""),
    });
    let location = at(&server, ":1");
    let world = World::with(|_| Ok(Credential::Password { user: "me".into(), password: "secret".into() }));
    assert!(world.pull(&location).is_ok());
    let error = World::new().pull(&location).unwrap_err();
    assert!(matches!(error, ImageError::Denied { credentials, .. } if credentials == "no login"));
}

#[test]
fn credentials_are_not_sent_to_a_token_server_without_encryption() {
    let server = TestServer::start(|_| {
        Answer::new(401, "").with("WWW-Authenticate", "Bearer realm=\"http://example.com/token\"")
    });
    let world = World::with(|_| Ok(Credential::Password { user: "me".into(), password: "secret".into() }));
    let error = world.pull(&at(&server, ":1")).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "{} asks for a login that makes no sense: its token server \"http://example.com/token\" is not \
             reached over https",
            server.host()
        )
    );
}

#[test]
fn blobs_may_lie_elsewhere_and_the_token_stays_at_home() {
    let (depot, _) = two_platforms();
    let elsewhere = depot.clone();
    let storage = TestServer::start(move |request| match request.header("authorization") {
        "" => elsewhere.answer(request),
        _ => Answer::new(400, "credentials leaked"),
    });
    let base = storage.url("");
    let server = TestServer::start(move |request| {
        if request.header("authorization").is_empty() {
            return Answer::new(401, "").with("WWW-Authenticate", "Basic realm=x");
        }
        match request.target.contains("/blobs/") {
            true => Answer::new(307, "").with("Location", format!("{base}{}", request.target)),
            false => depot.answer(request),
        }
    });
    let world = World::with(|_| Ok(Credential::Password { user: "me".into(), password: "secret".into() }));
    assert_eq!(contents(&world.pull(&at(&server, ":1")).unwrap()), ["amd64 one", "amd64 two"]);
}

/// Returns a server whose answers tell everybody to trade a login with the second one, and what that one was asked.
fn stranger() -> (TestServer, TestServer) {
    let tokens = TestServer::start(|_| Answer::ok(r#"{"token":"t0ken"}"#));
    let challenge = format!("Bearer realm=\"{}\",service=\"s\"", tokens.url("/token"));
    (TestServer::start(move |_| Answer::new(401, "").with("WWW-Authenticate", challenge.clone())), tokens)
}

#[test]
fn where_a_registry_leads_to_gets_no_login() {
    let (stranger, tokens) = stranger();
    let there = stranger.url("/blob");
    let (depot, _) = two_platforms();
    let server = TestServer::start(move |request| match request.target.contains("/blobs/") {
        true => Answer::new(307, "").with("Location", there.clone()),
        false => depot.answer(request),
    });
    for credential in [
        Credential::Password { user: "me".into(), password: "secret".into() },
        Credential::IdentityToken("identity".into()),
    ] {
        let world = World::with(move |_| Ok(credential.clone()));
        let error = world.pull(&at(&server, ":1")).unwrap_err();
        let host = server.host();
        assert_eq!(
            words(&error),
            format!(
                "{host} refuses access to {host}/library/tool:1\n\
                 hint: it leads to 127.0.0.1, which asks for a login and gets none; check the name, or log in to {host}"
            )
        );
    }
    assert_eq!(tokens.lines(), Vec::<String>::new());
}

#[test]
fn where_uploads_go_gets_no_login() {
    let (stranger, tokens) = stranger();
    let there = stranger.url("/upload");
    let server = TestServer::start(move |request| match request.method.as_str() {
        "POST" => Answer::new(202, "").with("Location", there.clone()),
        _ => Answer::new(404, ""),
    });
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("blob");
    std::fs::write(&file, "blob").unwrap();
    let lookup = |_: &str| Ok(Credential::Password { user: "me".into(), password: "secret".into() });
    let settings = RegistrySettings { credentials: Arc::new(lookup), ..RegistrySettings::default() };
    let name = format!("{}/library/tool:1", server.host()).parse().unwrap();
    let client = HttpClient::new(HttpSettings::default());
    let cancel = Cancel::new();
    let error = Upload::new(&name, client, &settings, &cancel)
        .blob(&Digest::sha256_of(b"blob"), &file, 4)
        .unwrap_err();
    assert!(matches!(error, ImageError::Denied { .. }), "{error}");
    assert_eq!(
        (stranger.lines(), tokens.lines()),
        (
            vec![format!("PUT /upload?digest={}", Digest::sha256_of(b"blob").as_str().replace(':', "%3A"))],
            vec![]
        )
    );
}

#[test]
fn the_platform_is_chosen_from_the_index() {
    let (depot, _) = two_platforms();
    let server = TestServer::start(move |request| depot.answer(request));
    let world = World::new();
    let location = at(&server, ":1");
    let image = world.resolve_for("linux/aarch64", &location, ResolveMode::Default).unwrap();
    assert_eq!(image.platform.to_string(), "linux/arm64");
    let error = world.resolve_for("linux/s390x", &location, ResolveMode::Default).unwrap_err();
    assert_eq!(
        words(&error),
        format!(
            "{}/library/tool:1 has no image for linux/s390x\nhint: it has images for linux/amd64, linux/arm64",
            server.host()
        )
    );
}

#[test]
fn a_tag_is_asked_for_again_but_a_digest_is_not() {
    let (depot, index) = two_platforms();
    let server = TestServer::start(move |request| depot.answer(request));
    let world = World::new();
    let tag = at(&server, ":1");
    let first = world.resolve(&tag, ResolveMode::Default).unwrap();
    let count = server.lines().len();
    assert_eq!(world.resolve(&tag, ResolveMode::Local).unwrap(), first);
    let pinned = at(&server, &format!(":1@{}", index.digest));
    assert_eq!(world.resolve(&pinned, ResolveMode::Pull).unwrap(), first);
    assert_eq!(server.lines().len(), count);
    assert_eq!(world.resolve(&tag, ResolveMode::Default).unwrap(), first);
    assert_eq!(server.lines()[count..], ["HEAD /v2/library/tool/manifests/1"]);
}

#[test]
fn a_registry_that_went_away_leaves_what_is_known() {
    let (depot, _) = two_platforms();
    let server = TestServer::start(move |request| depot.answer(request));
    let world = World::new();
    let location = at(&server, ":1");
    let first = world.resolve(&location, ResolveMode::Default).unwrap();
    let host = server.host();
    drop(server);
    let again = world.resolve(&location, ResolveMode::Default).unwrap();
    assert_eq!(again.manifest_digest, first.manifest_digest);
    assert_eq!(again.origin, format!("registry {host}, as it was when the registry was last reached"));
    let error = world.resolve(&location, ResolveMode::Pull).unwrap_err();
    assert!(error.is_unreachable());
    assert_eq!(
        words(&error),
        format!(
            "cannot reach 127.0.0.1 for http://{host}/v2/library/tool/manifests/1: tcp connect error: Connection \
             refused (os error 111)\nhint: check the URL, the network and the proxy settings (HTTP_PROXY, \
             HTTPS_PROXY, NO_PROXY)"
        )
    );
}

#[test]
fn mirrors_are_asked_first() {
    let (depot, _) = two_platforms();
    let empty = TestServer::start(|_| Answer::new(404, ""));
    let mirror = TestServer::start(move |request| depot.answer(request));
    let mut world = World::new();
    let mirrors = vec![empty.url(""), mirror.url("/")];
    world.store.settings.mirrors.insert("registry.invalid".into(), mirrors);
    let location = Location::parse("docker-image://registry.invalid/library/tool:1").unwrap();
    assert_eq!(contents(&world.pull(&location).unwrap()), ["amd64 one", "amd64 two"]);
    assert_eq!(empty.lines().len(), mirror.lines().len());
}

#[test]
fn a_manifest_that_is_not_the_pinned_one_is_refused() {
    let (mut depot, index) = two_platforms();
    depot.blobs.insert(index.digest.to_string(), (media_type::OCI_INDEX.into(), b"{ }".to_vec()));
    let server = TestServer::start(move |request| depot.answer(request));
    let error = World::new().pull(&at(&server, &format!("@{}", index.digest))).unwrap_err();
    let actual = Digest::sha256_of(b"{ }");
    assert_eq!(error.to_string(), format!("expected content with digest {}, got {actual}", index.digest));
}

#[test]
fn a_tampered_or_oversized_layer_is_refused_and_not_kept() {
    for tampered in ["amd64 TWO", "amd64 two and more"] {
        let (mut depot, _) = two_platforms();
        let layer = Digest::sha256_of(b"amd64 two");
        depot.blobs.get_mut(layer.as_str()).unwrap().1 = tampered.into();
        let server = TestServer::start(move |request| depot.answer(request));
        let world = World::new();
        let error = world.pull(&at(&server, ":1")).unwrap_err();
        let text = words(&error);
        assert!(
            text.contains("expected content with digest") || text.contains("is larger than 9 bytes"),
            "{text}"
        );
        assert!(!world.store.blobs.contains(&layer));
    }
}

#[test]
fn an_image_that_would_fill_the_disk_is_refused_before_it_is_fetched() {
    for sizes in [[u64::MAX, 1], [(64 << 30) - 1, 2], [0, (64 << 30) + 1]] {
        let mut depot = Depot::default();
        let mut layers =
            vec![depot.add(media_type::OCI_LAYER, "one"), depot.add(media_type::OCI_LAYER, "two")];
        let diff_ids: Vec<Digest> = layers.iter().map(|layer| layer.digest.clone()).collect();
        layers.iter_mut().zip(sizes).for_each(|(layer, size)| layer.size = size);
        let config = serde_json::json!({"os": "linux", "rootfs": {"type": "layers", "diff_ids": diff_ids}});
        let config = depot.add(media_type::OCI_CONFIG, config.to_string());
        let manifest = depot.manifest(config, layers);
        depot.name("1", &manifest);
        let server = TestServer::start(move |request| depot.answer(request));
        let error = World::new().resolve(&at(&server, ":1"), ResolveMode::Default).unwrap_err();
        let words = words(&error);
        assert!(words.contains("its layers have more than 68719476736 bytes"), "{words}");
    }
}

#[test]
fn what_was_damaged_here_is_fetched_anew() {
    let (depot, index) = two_platforms();
    let answers = depot.clone();
    let server = TestServer::start(move |request| answers.answer(request));
    let world = World::new();
    let first = world.resolve(&at(&server, ":1"), ResolveMode::Default).unwrap();
    let manifest: Manifest = serde_json::from_slice(&depot.blobs[first.manifest_digest.as_str()].1).unwrap();
    for digest in [&index.digest, &first.manifest_digest, &manifest.config.digest] {
        let path = world.store.blobs.path(digest);
        for damaged in ["", "{}"] {
            std::fs::remove_file(&path).unwrap();
            std::fs::write(&path, damaged).unwrap();
            assert_eq!(world.resolve(&at(&server, ":1"), ResolveMode::Default).unwrap(), first);
            assert_eq!(std::fs::read(&path).unwrap(), depot.blobs[digest.as_str()].1);
        }
    }
}

#[test]
fn a_manifest_has_no_blob_removed_that_is_good() {
    let mut depot = Depot::default();
    let large = "x".repeat(usize::try_from(provider::MAX_DOCUMENT).unwrap() + 1);
    let mut config = depot.add(media_type::OCI_CONFIG, large.clone());
    config.size = 1;
    let world = World::new();
    world.store.blobs.add_as(&config.digest, large.as_bytes()).unwrap();
    let manifest = depot.manifest(config.clone(), Vec::new());
    depot.name("1", &manifest);
    let server = TestServer::start(move |request| depot.answer(request));
    assert!(world.resolve(&at(&server, ":1"), ResolveMode::Default).is_err());
    assert!(world.store.blobs.contains(&config.digest));
}

#[test]
fn what_is_no_image_is_said_so() {
    let mut depot = Depot::default();
    let layer = depot.add(media_type::OCI_LAYER, "layer");
    let chart = depot.add("application/vnd.cncf.helm.config.v1+json", "{}");
    let chart = depot.manifest(chart, vec![layer.clone()]);
    depot.name("chart", &chart);
    let old = depot.add(media_type::DOCKER_SCHEMA_1, r#"{"schemaVersion":1,"name":"x"}"#);
    depot.name("old", &old);
    let config = depot.add(media_type::OCI_CONFIG, r#"{"rootfs":{"type":"layers","diff_ids":null}}"#);
    let short = depot.manifest(config.clone(), vec![layer.clone()]);
    depot.name("short", &short);
    let mut odd = layer;
    odd.media_type = "application/vnd.oci.image.layer.v1.tar+encrypted".into();
    let diff = format!(r#"{{"rootfs":{{"type":"layers","diff_ids":["{}"]}}}}"#, odd.digest);
    let config = depot.add(media_type::OCI_CONFIG, diff);
    let odd = depot.manifest(config, vec![odd]);
    depot.name("odd", &odd);
    let server = TestServer::start(move |request| depot.answer(request));
    let world = World::new();
    let refused = |tag: &str| {
        let error = world.pull(&at(&server, tag)).unwrap_err();
        words(&error)
            .replace(&server.host(), "HOST")
            .split("sha256:")
            .map(|part| {
                let digest = part.len() >= 64 && part.as_bytes()[..64].iter().all(u8::is_ascii_hexdigit);
                if digest { part[64..].to_owned() } else { part.to_owned() }
            })
            .collect::<Vec<_>>()
            .join("DIGEST")
    };
    expect_test::expect![[r#"
        cannot use the manifest DIGEST of HOST/library/tool:chart: it is of the kind "application/vnd.cncf.helm.config.v1+json", not an image
        cannot use the manifest DIGEST of HOST/library/tool:old: it has schema version 1, but only 2 is supported
        HOST/library/tool:short is not what it says: the manifest has 1 layers, the configuration 0
        HOST/library/tool:odd has a layer of the kind "application/vnd.oci.image.layer.v1.tar+encrypted", which is not supported
        there is no image HOST/library/tool:none in the registry HOST
    "#]]
    .assert_eq(&[":chart", ":old", ":short", ":odd", ":none"].map(|tag| refused(tag) + "\n").concat());
}

#[test]
fn a_cancelled_build_stops_pulling() {
    let (depot, _) = two_platforms();
    let server = TestServer::start(move |request| depot.answer(request));
    let world = World::new();
    world.cancel.cancel();
    assert!(world.pull(&at(&server, ":1")).unwrap_err().is_cancelled());
}

#[test]
fn a_layout_directory_is_read_by_tag_digest_or_alone() {
    let (mut depot, index) = two_platforms();
    let world = World::new();
    let one = world.dir.path().join("one");
    depot.write_layout(&one);
    for rest in ["", ":1", &format!("@{}", index.digest), &format!(":1@{}", index.digest)] {
        let image = world.pull(&local(&one, rest)).unwrap();
        assert_eq!(contents(&image), ["amd64 one", "amd64 two"], "{rest}");
    }
    let other = depot.image("riscv64");
    depot.name("example.com/x:2", &other);
    let two = world.dir.path().join("two");
    depot.write_layout(&two);
    assert_eq!(contents(&world.pull(&local(&two, ":2")).unwrap()), ["riscv64 one", "riscv64 two"]);
    let error = world.pull(&local(&two, "")).unwrap_err();
    assert_eq!(
        words(&error),
        format!(
            "there is no image to choose by itself in {}\nhint: it has 1, example.com/x:2",
            two.display()
        )
    );
    assert!(world.pull(&local(&two, ":3")).is_err());
}

#[test]
fn an_archive_of_a_layout_is_read_like_the_directory() {
    let (depot, _) = two_platforms();
    let world = World::new();
    let path = world.dir.path().join("image.tar");
    std::fs::write(&path, archive(&depot.layout_files())).unwrap();
    assert_eq!(contents(&world.pull(&local(&path, ":1")).unwrap()), ["amd64 one", "amd64 two"]);
    // Once the layers are here, the archive is not read for them again.
    let image = world.resolve(&local(&path, ""), ResolveMode::Default).unwrap();
    std::fs::remove_file(&path).unwrap();
    assert!(world.store.pull(&local(&path, ""), &image, &Transfer::silent(&world.cancel)).is_ok());
}

fn archive(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new());
    for (path, bytes) in files {
        let entry = Entry::file(format!("./{path}"), 0o644, 0, bytes.len() as u64);
        writer.append(&entry, &mut &bytes[..]).unwrap();
    }
    writer.finish().unwrap()
}

#[test]
fn an_archive_of_docker_save_is_read() {
    let layers: Vec<Vec<u8>> = vec![b"first".to_vec(), b"second".to_vec()];
    let diff_ids: Vec<Digest> = layers.iter().map(|layer| Digest::sha256_of(layer)).collect();
    let config = serde_json::json!({
        "architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": [
            diff_ids[0], diff_ids[1], diff_ids[0]]},
    });
    let manifest = serde_json::json!([{
        "Config": "c.json", "RepoTags": ["tool:1"], "Layers": ["a/layer.tar", "b/layer.tar", "c/layer.tar"],
    }]);
    let mut writer = Writer::new(Vec::new());
    for (path, bytes) in [
        ("c.json", config.to_string().into_bytes()),
        ("a/layer.tar", layers[0].clone()),
        ("b/layer.tar", layers[1].clone()),
        ("manifest.json", manifest.to_string().into_bytes()),
    ] {
        writer.append(&Entry::file(path, 0o644, 0, bytes.len() as u64), &mut &bytes[..]).unwrap();
    }
    let link = Kind::Symlink(b"../a/layer.tar".to_vec());
    writer.append(&Entry::new("c/layer.tar", link, 0o777, 0), &mut std::io::empty()).unwrap();
    let world = World::new();
    let path = world.dir.path().join("saved.tar");
    std::fs::write(&path, writer.finish().unwrap()).unwrap();
    for rest in ["", ":1"] {
        let image = world.pull(&local(&path, rest)).unwrap();
        assert_eq!(contents(&image), ["first", "second", "first"]);
        assert_eq!(image.layers[0].media_type, media_type::DOCKER_LAYER);
    }
}

#[test]
fn files_that_are_no_images_are_said_so() {
    let world = World::new();
    let path = world.dir.path().join("x");
    let refused = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        words(&world.pull(&local(&path, "")).unwrap_err()).replace(&path.display().to_string(), "PATH")
    };
    assert_eq!(refused(b""), "PATH is not what it says: it has neither index.json nor manifest.json");
    assert_eq!(
        refused(&[b'x'; 1024]),
        "cannot read the image archive PATH: the archive is damaged at byte 0: its checksum is wrong"
    );
    let evil = archive(&[(
        "index.json".into(),
        br#"{"schemaVersion":2,"manifests":[{"mediaType":"x","digest":"sha256:../../etc/passwd","size":1}]}"#
            .to_vec(),
    )]);
    assert!(
        refused(&evil).starts_with("cannot use the index.json of PATH: it is not a valid image document")
    );
    let loops = {
        let mut writer = Writer::new(Vec::new());
        let link = Kind::Symlink(b"index.json".to_vec());
        writer.append(&Entry::new("index.json", link, 0o777, 0), &mut std::io::empty()).unwrap();
        writer.finish().unwrap()
    };
    assert_eq!(refused(&loops), "PATH is not what it says: it has neither index.json nor manifest.json");
    std::fs::remove_file(&path).unwrap();
    assert_eq!(
        words(&world.pull(&local(&path, "")).unwrap_err()).replace(&path.display().to_string(), "PATH"),
        "cannot use PATH: No such file or directory (os error 2)"
    );
}
