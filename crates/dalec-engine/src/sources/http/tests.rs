//! Downloads against a server on loopback; what a person sees when one fails.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::test_server::{Answer, TestServer};
use super::*;
use crate::Cancel;
use crate::oci::BlobDir;

struct World {
    _dir: tempfile::TempDir,
    cache: HttpCache,
    client: HttpClient,
    cancel: Cancel,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let blobs = BlobDir::new(&dir.path().join("blobs")).unwrap();
        let cache = HttpCache::new(&dir.path().join("http"), blobs).unwrap();
        let client = HttpClient::new(HttpSettings {
            retry_delay: Duration::from_millis(1),
            ..HttpSettings::default()
        });
        Self { _dir: dir, cache, client, cancel: Cancel::new() }
    }

    fn fetch(&self, request: &HttpRequest) -> Result<FetchedFile, HttpError> {
        fetch(request, &self.client, &self.cache, &Transfer::silent(&self.cancel))
    }
}

fn request(url: String) -> HttpRequest {
    HttpRequest { url, ..HttpRequest::default() }
}

fn with_checksum(url: String, checksum: impl ToString) -> HttpRequest {
    HttpRequest { url, checksum: Some(checksum.to_string()), ..HttpRequest::default() }
}

/// The error with its causes, as a person sees it; the port of the test server is replaced.
fn words(error: &HttpError, server: &TestServer) -> String {
    let mut text = error.to_string();
    let mut next = std::error::Error::source(error);
    while let Some(cause) = next {
        text += &format!(": {cause}");
        next = cause.source();
    }
    if let Some(hint) = error.hint() {
        text += &format!("\nhint: {hint}");
    }
    text.replace(&server.host(), "HOST")
}

#[test]
fn a_file_with_a_known_digest_costs_no_network_the_second_time() {
    let server = TestServer::start(|_| Answer::ok("content"));
    let world = World::new();
    let digest = Digest::sha256_of(b"content");
    let request = with_checksum(server.url("/dir/file%2b1.txt?x"), &digest);
    let first = world.fetch(&request).unwrap();
    assert_eq!((first.filename.as_str(), first.size, first.from_cache), ("file+1.txt", 7, false));
    assert_eq!(std::fs::read(&first.path).unwrap(), b"content");
    let later = World { client: HttpClient::new(HttpSettings::default()), ..world };
    let second = later.fetch(&request).unwrap();
    assert!(second.from_cache && second.digest == digest && second.path == first.path);
    assert!(!later.client.was_used());
    // The content counts, not where it came from.
    let elsewhere = with_checksum("https://nowhere.invalid/other".into(), &digest);
    assert_eq!(later.fetch(&elsewhere).unwrap().filename, "other");
    assert_eq!(server.lines().len(), 1);
}

#[test]
fn a_sha512_checksum_is_accepted() {
    let server = TestServer::start(|_| Answer::ok("content"));
    let world = World::new();
    let like: Digest = format!("sha512:{}", "0".repeat(128)).parse().unwrap();
    let digest = like.like(b"content");
    let request = with_checksum(server.url("/f"), &digest);
    assert_eq!(world.fetch(&request).unwrap().digest, digest);
    assert!(world.fetch(&request).unwrap().from_cache);
}

#[test]
fn without_a_digest_the_server_is_asked_whether_the_file_changed() {
    let version = std::sync::Arc::new(AtomicUsize::new(1));
    let current = version.clone();
    let server = TestServer::start(move |request| {
        let etag = format!("\"v{}\"", current.load(Ordering::SeqCst));
        if request.header("if-none-match") == etag {
            return Answer::new(304, "");
        }
        let body = format!("content {etag}");
        Answer::ok(body).with("ETag", etag).with("Content-Disposition", "attachment; filename=n.txt")
    });
    let world = World::new();
    let request = request(server.url("/f"));
    let first = world.fetch(&request).unwrap();
    assert_eq!(first.filename, "n.txt");
    let second = world.fetch(&request).unwrap();
    assert_eq!(second, FetchedFile { from_cache: true, ..first.clone() });
    version.store(2, Ordering::SeqCst);
    let third = world.fetch(&request).unwrap();
    assert!(!third.from_cache && third.digest != first.digest);
}

#[test]
fn last_modified_works_as_well() {
    let date = "Wed, 02 Jan 1980 00:00:00 GMT";
    let server = TestServer::start(move |request| match request.header("if-modified-since") {
        since if since == date => Answer::new(304, ""),
        _ => Answer::ok("content").with("Last-Modified", date),
    });
    let world = World::new();
    world.fetch(&request(server.url("/f"))).unwrap();
    assert!(world.fetch(&request(server.url("/f"))).unwrap().from_cache);
}

#[test]
fn what_may_pass_is_tried_again() {
    let count = AtomicUsize::new(0);
    let server = TestServer::start(move |_| match count.fetch_add(1, Ordering::SeqCst) {
        0 => Answer::new(503, "busy"),
        1 => Answer::new(429, "slow down").with("Retry-After", "0"),
        2 => Answer { cut: Some(3), ..Answer::ok("content") },
        _ => Answer::ok("content"),
    });
    let world = World::new();
    let file = world.fetch(&request(server.url("/f"))).unwrap();
    assert_eq!((file.size, server.lines().len()), (7, 4));
}

#[test]
fn what_will_not_pass_is_not() {
    let server = TestServer::start(|_| Answer::new(404, "no such file"));
    let world = World::new();
    let error = world.fetch(&request(server.url("/f"))).unwrap_err();
    expect_test::expect![[r#"
        http://HOST/f: the server answered 404 Not Found
        hint: check the URL; the file may have moved"#]]
    .assert_eq(&words(&error, &server));
    assert_eq!(server.lines().len(), 1);
}

#[test]
fn a_server_that_stays_busy_is_an_error_in_the_end() {
    let server = TestServer::start(|_| Answer::new(500, ""));
    let world = World::new();
    let error = world.fetch(&request(server.url("/f"))).unwrap_err();
    assert!(matches!(error, HttpError::Status { status, .. } if status.as_u16() == 500));
    assert_eq!(server.lines().len(), 4);
}

/// SRC-003.
#[test]
fn a_wrong_digest_names_both_and_keeps_nothing() {
    let server = TestServer::start(|_| Answer::ok("tampered"));
    let world = World::new();
    let digest = Digest::sha256_of(b"content");
    let error = world.fetch(&with_checksum(server.url("/f"), &digest)).unwrap_err();
    let (bad, good) = (Digest::sha256_of(b"tampered"), digest.clone());
    assert_eq!(
        words(&error, &server),
        format!(
            "http://HOST/f has digest {bad}, expected {good}\n\
             hint: if the file changed on purpose, set the digest to {bad}; if not, do not trust it"
        )
    );
    assert!(!world.cache.blobs().contains(&bad) && !world.cache.blobs().contains(&good));
    assert_eq!(server.lines().len(), 1);
}

#[test]
fn nobody_listening_is_an_error_that_names_the_host() {
    let server = TestServer::start(|_| Answer::ok(""));
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let world = World::new();
    let error = world.fetch(&request(format!("http://u:p@{closed}/f"))).unwrap_err();
    expect_test::expect![[r#"
        cannot reach 127.0.0.1 for http://CLOSED/f: tcp connect error: Connection refused (os error 111)
        hint: check the URL, the network and the proxy settings (HTTP_PROXY, HTTPS_PROXY, NO_PROXY)"#]]
    .assert_eq(&words(&error, &server).replace(&closed.to_string(), "CLOSED"));
}

#[test]
fn requests_that_make_no_sense_are_refused_before_any_network() {
    let world = World::new();
    let refused = |request: &HttpRequest| world.fetch(request).unwrap_err().to_string();
    assert_eq!(
        refused(&request("ftp://h/f".into())),
        "cannot fetch \"ftp://h/f\": \"ftp\" is not supported, only http and https are"
    );
    assert_eq!(refused(&request("h/f".into())), "cannot fetch \"h/f\": relative URL without a base");
    assert_eq!(refused(&with_checksum("http://h/f".into(), "md5:x")), "the checksum makes no sense");
    for name in ["", "..", "a/b", "/etc/passwd", "a\0b"] {
        let named = HttpRequest { filename: Some(name.into()), ..request("http://h/f".into()) };
        assert_eq!(refused(&named), format!("{name:?} cannot be the name of a file"));
    }
    let header = ("X-A".to_owned(), "a\r\nb".to_owned());
    assert_eq!(
        refused(&HttpRequest { headers: vec![header], ..request("http://h/f".into()) }),
        "cannot fetch \"http://h/f\": the value of the header \"X-A\" holds characters that are not allowed"
    );
    assert!(!world.client.was_used());
}

#[test]
fn redirects_are_followed_but_credentials_stay_behind() {
    let target = TestServer::start(|_| Answer::ok("content"));
    let location = target.url("/real");
    let server = TestServer::start(move |request| match request.target.as_str() {
        "/f" => Answer::new(302, "").with("Location", "/g"),
        _ => Answer::new(307, "").with("Location", location.clone()),
    });
    let world = World::new();
    let headers = vec![("Authorization".into(), "Bearer t".into()), ("X-Token".into(), "t".into())];
    let file = world.fetch(&HttpRequest { headers, ..request(server.url("/f")) }).unwrap();
    assert_eq!(file.filename, "f");
    assert!(server.requests().iter().all(|request| request.header("authorization") == "Bearer t"));
    let last = &target.requests()[0];
    assert_eq!((last.header("authorization"), last.header("x-token")), ("", ""));
}

#[test]
fn endless_and_odd_redirects_are_errors() {
    let server = TestServer::start(|request| match request.target.as_str() {
        "/loop" => Answer::new(302, "").with("Location", "/loop"),
        "/file" => Answer::new(302, "").with("Location", "file:///etc/passwd"),
        _ => Answer::new(302, ""),
    });
    let world = World::new();
    let refused = |path: &str| words(&world.fetch(&request(server.url(path))).unwrap_err(), &server);
    assert_eq!(refused("/loop"), "http://HOST/loop: the server redirects more than 10 times");
    assert_eq!(
        refused("/file"),
        "http://HOST/file: the server redirects to \"file:///etc/passwd\", which is not http or https"
    );
    assert_eq!(refused("/none"), "http://HOST/none: the server redirects, but does not say where to");
}

#[test]
fn a_file_over_the_limit_is_refused() {
    let server = TestServer::start(|_| Answer::ok("content"));
    let world = World::new();
    let small = HttpRequest { max_bytes: Some(6), ..request(server.url("/f")) };
    let error = world.fetch(&small).unwrap_err();
    assert_eq!(words(&error, &server), "http://HOST/f is larger than 6 bytes");
    let enough = HttpRequest { max_bytes: Some(7), ..small };
    assert_eq!(world.fetch(&enough).unwrap().size, 7);
}

#[test]
fn a_cancelled_build_does_not_wait_for_a_silent_server() {
    let server = TestServer::start(|_| Answer { cut: Some(1), hang: true, ..Answer::ok("content") });
    let world = World::new();
    let cancel = world.cancel.clone();
    let progress = |step: crate::sources::transfer::Step<'_>| {
        if step.current == 1 {
            cancel.cancel();
        }
    };
    let transfer = Transfer { cancel: &world.cancel, progress: &progress };
    let error = fetch(&request(server.url("/f")), &world.client, &world.cache, &transfer).unwrap_err();
    assert!(matches!(error, HttpError::Cancelled));
}

#[test]
fn progress_counts_bytes_and_ends() {
    let server = TestServer::start(|_| Answer::ok(vec![0; 100_000]));
    let world = World::new();
    let steps = std::sync::Mutex::new(Vec::new());
    let progress = |step: crate::sources::transfer::Step<'_>| {
        steps.lock().unwrap().push((step.current, step.total, step.completed));
    };
    let transfer = Transfer { cancel: &world.cancel, progress: &progress };
    fetch(&request(server.url("/f")), &world.client, &world.cache, &transfer).unwrap();
    let steps = steps.into_inner().unwrap();
    assert_eq!(steps.first(), Some(&(0, 100_000, false)));
    assert_eq!(steps.last(), Some(&(100_000, 100_000, true)));
}

#[test]
fn a_bundle_that_is_none_is_said_so() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ca.pem");
    std::fs::write(&path, "hello").unwrap();
    let client = HttpClient::new(HttpSettings { ca_bundle: Some(path.clone()), ..HttpSettings::default() });
    let world = World { client, ..World::new() };
    let error = world.fetch(&request("http://127.0.0.1:1/".into())).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("cannot set up secure connections: {} holds no certificates in PEM format", path.display())
    );
}
