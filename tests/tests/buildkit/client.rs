//! `dalec build --engine buildkit`: our frontend in the client, the graph on a real daemon.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use dalec_e2e::bases;
use dalec_e2e::buildkit::Buildkit;
use dalec_e2e::engine::{Engine, base_contexts};
use dalec_e2e::layout::ARCHITECTURE;
use dalec_e2e::openpgp::Key;
use dalec_e2e::registry::{PASSWORD, Registry, USER};
use dalec_e2e::run::{Invocation, Project};
use dalec_e2e::signers::go_signer;
use dalec_e2e::specs::{hello, script};
use rustix::process::Signal;
use serde_json::Value;

fn build(project: &Project, target: &str) -> Invocation {
    Engine::Against.build(project, target)
}

/// As [`build`], on another daemon.
fn build_on(daemon: &str, project: &Project, target: &str) -> Invocation {
    let build = project.build(target).args(["--engine", "buildkit", "--buildkit-host", daemon]);
    build.args(base_contexts())
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).expect("the file is there")).expect("it is JSON")
}

#[test]
fn packages_are_those_of_the_embedded_engine_byte_for_byte() {
    let (here, there) = (hello(), hello());
    Engine::Embedded.build(&here, "bookworm/deb").succeeds();
    let metadata = there.path("metadata.json");
    build(&there, "bookworm/deb").arg("--metadata-file").arg(&metadata).succeeds();
    assert_eq!(here.outputs(), there.outputs());
    let debs = here.outputs().into_iter().filter(|name| name.ends_with(".deb"));
    for name in debs {
        let read = |project: &Project| fs::read(project.path("out").join(&name)).unwrap();
        assert!(read(&here) == read(&there), "{name} differs");
    }
    let record = json(&metadata);
    assert_eq!(record["engine"]["mode"], "buildkit");
    assert_eq!(record["builds"][0]["platforms"][0], format!("linux/{ARCHITECTURE}"));
    assert_eq!(record["builds"][0]["outputs"][0]["files"].as_array().unwrap().len(), there.outputs().len());
}

#[test]
fn a_changed_file_is_noticed_and_nothing_else_runs() {
    let project = hello();
    build(&project, "bookworm/deb").succeeds();
    let again = build(&project, "bookworm/deb").succeeds();
    again.says(&["nothing has changed", "as they were"]);
    // As long as before, and later by less than the clock of some file systems shows.
    let text = fs::read_to_string(project.path("hello.c")).unwrap();
    assert!(text.contains("Hello, world"));
    project.write("hello.c", text.replace("Hello, world", "Hallo, Welt!"));
    build(&project, "bookworm/deb").args(["--build-arg", "DALEC_SKIP_TESTS=1"]).succeeds();
    let unpacked = project.path("unpacked");
    let deb = project.output(".deb");
    let status = Command::new("dpkg-deb").arg("-x").arg(&deb).arg(&unpacked).status().unwrap();
    assert!(status.success());
    let program = fs::read(unpacked.join("usr/bin/hello")).unwrap();
    assert!(program.windows(11).any(|bytes| bytes == b"Hallo, Welt"));
}

/// As with the embedded engine; see `results_are_no_sources` there.
#[test]
fn results_and_keys_are_told_from_sources() {
    let spec = script("results-there", "build:\n  steps:\n    - command: test ! -e src/out\n");
    let project = Project::new(&spec.replace("sources:\n", "sources:\n  src:\n    context: {}\n"));
    project.write("test.key", "-----BEGIN PGP PRIVATE KEY BLOCK-----\n");
    let ran = build(&project, "bookworm/dsc").succeeds();
    assert_eq!(ran.stderr.matches("test.key is a private OpenPGP key").count(), 1, "{}", ran.stderr);
    build(&project, "bookworm/dsc")
        .succeeds()
        .says(&["nothing has changed", "out is left out of the sources"]);
}

#[test]
fn contexts_are_directories_archives_and_images() {
    let spec = script(
        "contexts",
        "build:\n  steps:\n    - command: test -e dir/a/b && test ! -e dir/c && test -e tar/d\n",
    );
    let sources = "sources:\n  dir:\n    context:\n      name: dir\n    excludes: [c]\n  tar:\n    context:\n      name: tar\n";
    let project = Project::new(&spec.replace("sources:\n", sources));
    project.write("dir/a/b", "text");
    project.write("dir/c", "left out");
    project.write("files/d", "text");
    let tar = Command::new("tar")
        .current_dir(project.path(""))
        .args(["-czf", "files.tgz", "-C", "files", "d"])
        .status();
    assert!(tar.unwrap().success());
    let build = build(&project, "bookworm/deb");
    build.args(["--build-context", "dir=dir", "--build-context", "tar=files.tgz"]).succeeds();
    assert!(project.output(".deb").exists());
}

#[test]
fn results_go_to_several_places_at_once() {
    let project = Project::new(&script("places", ""));
    let registry = Registry::open();
    let name = registry.reference("places:1");
    let build = build(&project, "bookworm/container").args([
        "-o",
        "type=oci,dest=image.tar",
        "-o",
        "type=tar,dest=files.tar",
    ]);
    build.args(["--push", "-t", &name, "--metadata-file", "metadata.json"]).succeeds();
    assert!(project.path("out/usr/bin/places").exists());
    let list = |name: &str| {
        let output = Command::new("tar").arg("-tf").arg(project.path(name)).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(list("files.tar").contains("usr/bin/places"));
    assert!(list("image.tar").contains("index.json"));
    let digest = json(&project.path("metadata.json"))["containerimage.digest"].as_str().unwrap().to_owned();
    let inspected = Command::new("skopeo")
        .args(["inspect", "--tls-verify=false", "--format", "{{.Digest}}"])
        .arg(format!("docker://{name}"))
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&inspected.stdout).trim(), digest);
}

/// What our image builds for several platforms, too; BuildKit has the steps then.
#[test]
fn several_platforms_are_built_at_once() {
    let project = Project::new(&script("many", ""));
    let registry = Registry::open();
    let name = registry.reference("many:1");
    let both = |target: &str| build(&project, target).args(["--platform", "linux/amd64,linux/386"]);
    both("bookworm/dsc").succeeds();
    let outputs = project.outputs();
    for folder in ["linux_amd64/", "linux_386/"] {
        assert!(outputs.iter().any(|name| name.starts_with(folder) && name.ends_with(".dsc")), "{outputs:?}");
    }
    let container = both("bookworm/container").args(["-o", "type=oci,dest=image.tar"]);
    let container = container.args(["-o", "type=tar,dest=files.tar", "--push", "-t", &name]);
    container.args(["--metadata-file", "metadata.json"]).succeeds();
    let raw = Command::new("skopeo")
        .args(["inspect", "--raw", "--tls-verify=false"])
        .arg(format!("docker://{name}"))
        .output()
        .unwrap();
    let index: Value = serde_json::from_slice(&raw.stdout).expect("an index is JSON");
    let platforms = index["manifests"].as_array().expect("it is an index").iter();
    let platforms: Vec<&Value> = platforms.map(|entry| &entry["platform"]["architecture"]).collect();
    assert_eq!(platforms, ["amd64", "386"]);
    let listed = Command::new("tar").arg("-tf").arg(project.path("files.tar")).output().unwrap();
    assert!(String::from_utf8_lossy(&listed.stdout).contains("linux_386/usr/bin/many"));
    let metadata = json(&project.path("metadata.json"));
    assert_eq!(metadata["containerimage.descriptor"]["mediaType"], index["mediaType"]);
    // Archives for docker hold one image.
    let docker = ["-o", "type=docker,dest=docker.tar"];
    both("bookworm/container").args(docker).fails(1).says(&["docker exporter does not currently support"]);
    build(&project, "bookworm/container").args(docker).succeeds();
    let listed = Command::new("tar").arg("-tf").arg(project.path("docker.tar")).output().unwrap();
    assert!(String::from_utf8_lossy(&listed.stdout).contains("manifest.json"));
}

#[test]
fn the_clients_login_opens_a_registry() {
    let project = Project::new(&script("opened", ""));
    let registry = Registry::with_password();
    let name = registry.reference("opened:1");
    let push = || build(&project, "bookworm/container").args(["--push", "-t", &name]);
    let mut refused = push();
    refused.command.env("DOCKER_CONFIG", project.path("nobody")).env("HOME", project.path("nobody"));
    refused.fails(1);
    // `USER:PASSWORD` in base64, as `docker login` keeps it.
    assert_eq!((USER, PASSWORD), ("tester", "open sesame"));
    let host = name.split('/').next().unwrap();
    let config = format!(r#"{{"auths":{{"{host}":{{"auth":"dGVzdGVyOm9wZW4gc2VzYW1l"}}}}}}"#);
    project.write("docker/config.json", config);
    let mut accepted = push();
    accepted.command.env("DOCKER_CONFIG", project.path("docker"));
    accepted.succeeds();
}

#[test]
fn a_cache_moves_results_from_one_daemon_to_another() {
    let (first, second) = (Buildkit::start(&[]), Buildkit::start(&[]));
    let registry = Registry::open();
    let mark = format!("build:\n  steps:\n    - command: date +%N > unique\n# {}\n", std::process::id());
    let spec = script("moved", &mark).replace("artifacts:\n", "artifacts:\n  docs:\n    unique: {}\n");
    let (here, there, third) = (Project::new(&spec), Project::new(&spec), Project::new(&spec));
    let reference = registry.reference("cache");
    build_on(&first.address(), &here, "bookworm/deb")
        .args(["--cache-to", "type=local,dest=cache,mode=max"])
        .args(["--cache-to", &format!("type=registry,ref={reference},mode=max")])
        .succeeds();
    let folder = here.path("cache").display().to_string();
    build_on(&second.address(), &there, "bookworm/deb")
        .args(["--cache-from", &format!("type=local,src={folder}")])
        .succeeds();
    let deb = |project: &Project| fs::read(project.output(".deb")).unwrap();
    assert!(deb(&here) == deb(&there), "it was built again");
    drop(second);
    let fresh = Buildkit::start(&[]);
    build_on(&fresh.address(), &third, "bookworm/deb").args(["--cache-from", &reference]).succeeds();
    assert!(deb(&here) == deb(&third), "it was built again");
    // A cache that is not there is said and left out.
    let said = build_on(&fresh.address(), &third, "bookworm/deb")
        .args(["--cache-from", "type=local,src=nowhere"])
        .succeeds();
    said.says(&["is left out"]);
}

#[test]
fn a_failed_step_shows_its_lines_of_the_spec() {
    let project = Project::new(&script(
        "fails",
        "build:\n  steps:\n    - command: |\n        echo the last words\n        false\n",
    ));
    let ran = build(&project, "bookworm/deb").fails(1);
    ran.says(&[
        "the end of the log of",
        "the last words",
        "build step 1 failed with exit code 1",
        "--> spec.yml:",
    ]);
    assert_eq!(project.outputs(), Vec::<String>::new());
}

#[test]
fn ctrl_c_ends_the_build_over_there() {
    let mark = format!("dalec-client-mark-{}", std::process::id());
    let steps = format!(
        "build:\n  steps:\n    - command: |\n        echo the step has started\n        exec sh -c 'while :; do sleep 1; done' {mark}\n"
    );
    let project = Project::new(&script("stopped", &steps));
    let mut build = build(&project, "bookworm/deb").start();
    build.says("the step has started");
    build.signal(Signal::INT);
    let ran = build.end();
    assert_eq!(ran.code, Some(130), "{}", ran.stderr);
    assert_eq!(project.outputs(), Vec::<String>::new());
    let asked = Instant::now();
    while runs(&mark) {
        assert!(asked.elapsed() < Duration::from_secs(60), "the step runs on");
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn runs(mark: &str) -> bool {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    processes
        .map(|entry| fs::read(entry.path().join("cmdline")).unwrap_or_default())
        .any(|command| String::from_utf8_lossy(&command).contains(mark))
}

#[test]
fn a_daemon_that_cannot_be_used_is_explained() {
    let project = Project::new(&script("nobody", ""));
    let on = |address: &str, more: &[&str]| {
        let build = project.build("bookworm/deb").args(["--engine", "buildkit", "--buildkit-host", address]);
        build.args(more).run()
    };
    let nobody = on("unix:///no/such/socket", &[]);
    assert_eq!(nobody.code, Some(3));
    nobody.says(&["nothing answers at unix:///no/such/socket", "--buildkit-host"]);
    let wrong = on("somewhere", &[]);
    assert_eq!(wrong.code, Some(2));
    wrong.says(&["somewhere is no address of a buildkitd"]);
    let tag = on(&Buildkit::shared().address(), &["-t", "name"]);
    assert_eq!(tag.code, Some(2));
    tag.says(&["--tag names an image, and no output is one"]);
}

#[test]
fn flags_that_only_mean_something_here_are_refused() {
    let project = Project::new(&script("flags", ""));
    let on_nobody = || {
        let address = ["--engine", "buildkit", "--buildkit-host", "unix:///no/such/socket"];
        project.build("bookworm/deb").args(address)
    };
    for (flag, value) in [("--state-dir", "state"), ("--apt-mirror", "http://127.0.0.1:1/debian")] {
        let refused = on_nobody().args([flag, value]).run();
        assert_eq!(refused.code, Some(2), "{}", refused.stderr);
        refused.says(&[&format!("{flag} means nothing to a buildkitd")]);
    }
    // The variables may be set for other builds.
    let mut unreachable = on_nobody();
    unreachable.command.env("DALEC_APT_MIRROR", "http://127.0.0.1:1/debian");
    assert_eq!(unreachable.run().code, Some(3));
}

/// Makes an authority, and with it certificates for a server on 127.0.0.1 and for a client.
fn certificates(project: &Project) {
    let certtool = |args: &[&str], template: &str| {
        project.write("template", template);
        let made = Command::new("certtool")
            .current_dir(project.path(""))
            .args(args)
            .args(["--template", "template"])
            .output();
        let made = made.expect("certtool starts");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    };
    let common = "expiration_days = 2\n";
    for name in ["ca", "server", "client", "other"] {
        let key = format!("{name}.key");
        // Not ECDSA: every other such key of GnuTLS has a byte too many for some.
        certtool(&["--generate-privkey", "--key-type", "ed25519", "--no-text", "--outfile", &key], common);
    }
    for name in ["ca", "other"] {
        let (key, cert) = (format!("{name}.key"), format!("{name}.pem"));
        let template = format!("cn = {name}\nca\ncert_signing_key\n{common}");
        certtool(
            &["--generate-self-signed", "--no-text", "--load-privkey", &key, "--outfile", &cert],
            &template,
        );
    }
    for (name, usage) in
        [("server", "tls_www_server\nip_address = 127.0.0.1\n"), ("client", "tls_www_client\n")]
    {
        let (key, cert) = (format!("{name}.key"), format!("{name}.pem"));
        let args = [
            "--generate-certificate",
            "--no-text",
            "--load-ca-certificate",
            "ca.pem",
            "--load-ca-privkey",
            "ca.key",
        ];
        let template = format!("cn = {name}\nsigning_key\n{usage}{common}");
        certtool(&[&args[..], &["--load-privkey", &key, "--outfile", &cert]].concat(), &template);
    }
}

#[test]
fn both_sides_of_tls_must_know_each_other() {
    let project = Project::new(&script("trusted", ""));
    certificates(&project);
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let address = format!("tcp://127.0.0.1:{port}");
    let file = |name: &str| project.path(name).display().to_string();
    let daemon = Buildkit::start(&[
        "--addr",
        &address,
        "--tlscacert",
        &file("ca.pem"),
        "--tlscert",
        &file("server.pem"),
        "--tlskey",
        &file("server.key"),
    ]);
    let on = |more: &[&str]| build_on(&address, &project, "bookworm/dsc").args(more).run();
    let trusted = on(&["--tls-ca", "ca.pem", "--tls-cert", "client.pem", "--tls-key", "client.key"]);
    assert_eq!(trusted.code, Some(0), "{}", trusted.stderr);
    let client = ["--tls-cert", "client.pem", "--tls-key", "client.key"];
    let with = |more: &[&'static str]| [&client[..], more].concat();
    let tls = format!("TLS with {address} failed");
    let not_let_in = format!("the buildkitd at {address} demands a client certificate that it trusts");
    for (more, words) in [
        (with(&["--tls-ca", "other.pem"]), &[tls.as_str(), "UnknownIssuer", "--tls-ca"][..]),
        (with(&["--tls-ca", "ca.pem", "--tls-server-name", "else.example"]), &[&tls, "--tls-server-name"]),
        (vec!["--tls-ca", "ca.pem"], &[&not_let_in, "--tls-cert", "--tls-key"]),
        (vec!["--tls-ca", "ca.pem", "--tls-cert", "client.pem"], &["its other half"]),
        (vec![], &["TLS is spoken at", "--tls-ca", "--tls-cert", "--tls-dir"]),
    ] {
        let refused = on(&more);
        assert_eq!(refused.code, Some(3), "{more:?}: {}", refused.stderr);
        refused.says(words);
        assert!(refused.stderr.matches("= cause: ").count() <= 1, "{more:?}: {}", refused.stderr);
    }
    drop(daemon);
}

/// SIGN-009, and that a secret with `scope=signer` is out of reach for every step of the build.
#[test]
fn a_signers_secret_reaches_the_signer_alone() {
    let key = Key::generate("signer@example.org");
    let signer = "package_config:\n  signer:\n    image: test/signer\n    cmdline: sign\n    args:\n      SIGNER_SECRETS: signing-key\n";
    let project = Project::new(&script("scoped", signer));
    let secret = format!("id=signing-key,src={},scope=signer", key.private().display());
    let context = format!("test/signer={}", go_signer().context());
    build(&project, "bookworm/deb").args(["--secret", &secret, "--build-context", &context]).succeeds();
    key.verifies_deb(&project.output(".deb")).unwrap();
    // The one secret that steps of ours ask for, although they could do without.
    let certificates = format!("id=dalec.ca-bundle,src={},scope=signer", key.private().display());
    let container = Project::new(&script("scoped-step", &format!("# {}\n", std::process::id())));
    let refused =
        build(&container, "bookworm/container").args(["--secret", &certificates, "--no-cache"]).fails(1);
    refused.says(&["dalec.ca-bundle", "it is for signers only"]);
}

#[test]
fn a_base_in_an_archive_is_a_context_too() {
    let project = Project::new(&script("archived", ""));
    let base = bases::worker("bookworm");
    let packed = Command::new("tar")
        .arg("-cf")
        .arg(project.path("base.tar"))
        .arg("-C")
        .arg(base.folder())
        // Other clients that read the layout at the same time have a folder of their own in it.
        .args(["oci-layout", "index.json", "blobs"])
        .status();
    assert!(packed.unwrap().success());
    let address = Buildkit::shared().address();
    let build = project.build("bookworm/deb").args(["--engine", "buildkit", "--buildkit-host", &address]);
    build.args(["--build-context", "debian:bookworm=base.tar"]).succeeds();
    assert!(project.output(".deb").exists());
}
