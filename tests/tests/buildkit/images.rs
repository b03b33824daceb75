//! Images of the embedded engine in other people's hands: they run, they are those that BuildKit makes, and registries
//! take them.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use dalec_e2e::engine::{Engine, base_contexts};
use dalec_e2e::layout::ARCHITECTURE;
use dalec_e2e::podman::Podman;
use dalec_e2e::registry::{PASSWORD, Registry, USER};
use dalec_e2e::run::{Invocation, Project, Who};
use dalec_e2e::specs::script;
use serde_json::{Value, json};

/// What the containers of these tests have, beside a script that needs a shell.
const IMAGE: &str = "\
dependencies:
  runtime:
    dash: {}
image:
  entrypoint: /usr/bin/greeter
  cmd: one \"two words\"
  env: [GREETING=hello]
  labels:
    org.example.kind: greeter
  volumes:
    /data: {}
  working_dir: /srv
  stop_signal: SIGINT
  user: \"65534\"
  post:
    symlinks:
      /usr/bin/greeter:
        path: /bin/also
";

/// A test that leaves something behind.
const TESTS: &str = "\
tests:
  - name: leaves a file
    steps:
      - command: /bin/sh -c 'echo left >/left-behind'
";

/// A script that tells what it was started with.
fn greeter() -> Project {
    let spec = script("greeter", &format!("{IMAGE}{TESTS}"));
    let uid = "while read -r key uid rest; do [ \"$key\" != Uid: ] || break; done </proc/self/status";
    let greet = format!("{uid}; echo \"$GREETING from $uid in $PWD: $*\"");
    Project::new(&spec.replace("echo I am greeter", &greet))
}

/// Builds on the same base images as BuildKit does in these tests.
fn build(project: &Project, target: &str) -> Invocation {
    project.build(target).args(base_contexts())
}

fn json_of(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).expect("it is JSON")
}

fn skopeo() -> Invocation {
    Invocation::other(Path::new("skopeo"), Path::new("/"))
}

/// TGT-020: a real runtime starts it as the spec says.
#[test]
fn an_archive_is_loaded_and_run_by_podman() {
    let project = greeter();
    build(&project, "bookworm/container")
        .args(["-o", "type=docker,dest=image.tar", "-t", "example.org/greeter:1"])
        .succeeds();
    let podman = Podman::new();
    podman.command().args(["load", "--quiet", "--input"]).arg(project.path("image.tar")).succeeds();
    let ran = podman.run("example.org/greeter:1").succeeds();
    assert_eq!(ran.stdout, "hello from 65534 in /srv: one two words\n");
    let ran = podman.run("example.org/greeter:1").arg("other").succeeds();
    assert_eq!(ran.stdout, "hello from 65534 in /srv: other\n");
    let inspected = podman.command().args(["image", "inspect", "example.org/greeter:1"]).succeeds();
    let config = &json_of(inspected.stdout.as_bytes())[0]["Config"];
    assert_eq!(config["Labels"]["org.example.kind"], "greeter");
    assert_eq!((&config["Volumes"], &config["StopSignal"]), (&json!({ "/data": {} }), &json!("SIGINT")));
}

/// A file of an image: what is compared of it.
type Files = BTreeMap<PathBuf, String>;

/// Reads an OCI archive without any code of ours: the configuration, the digests of the layers, and the files.
fn read(archive: &Path) -> (Value, Vec<String>, Files) {
    let mut blobs: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    let mut members = tar::Archive::new(fs::File::open(archive).expect("the archive is there"));
    for member in members.entries().expect("it is an archive") {
        let mut member = member.expect("members can be read");
        let name = member.path().expect("members have names").display().to_string();
        member.read_to_end(blobs.entry(name).or_default()).expect("members can be read");
    }
    let blob = |descriptor: &Value| {
        let digest = descriptor["digest"].as_str().expect("a descriptor has a digest");
        &blobs[&format!("blobs/{}", digest.replace(':', "/"))]
    };
    let manifest = json_of(blob(&json_of(&blobs["index.json"])["manifests"][0]));
    let layers = manifest["layers"].as_array().expect("a manifest has layers");
    let mut files = Files::new();
    for layer in layers {
        apply(blob(layer), &mut files);
    }
    let digests = layers.iter().map(|layer| layer["digest"].as_str().expect("it has one").to_owned());
    (json_of(blob(&manifest["config"])), digests.collect(), files)
}

/// Puts a layer on top of `files`.
fn apply(layer: &[u8], files: &mut Files) {
    let mut plain = Vec::new();
    let layer = match layer.starts_with(&[0x1f, 0x8b]) {
        true => {
            flate2::read::GzDecoder::new(layer).read_to_end(&mut plain).expect("it is compressed");
            plain.as_slice()
        }
        false => layer,
    };
    let mut hidden = |path: &Path| files.retain(|file, _| !file.starts_with(path));
    let mut added = Files::new();
    for member in tar::Archive::new(layer).entries().expect("a layer is an archive") {
        let member = member.expect("members can be read");
        let path = member.path().expect("members have names").into_owned();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        match name.strip_prefix(".wh.") {
            Some(gone) => hidden(&path.with_file_name(gone)),
            None => {
                let header = member.header();
                let link =
                    member.link_name().expect("links have targets").map(|link| link.display().to_string());
                let (mode, owner) =
                    (header.mode().unwrap() & 0o7777, (header.uid().unwrap(), header.gid().unwrap()));
                if !header.entry_type().is_dir() {
                    hidden(&path);
                }
                added.insert(path, format!("{:?} {mode:o} {owner:?} {link:?}", header.entry_type()));
            }
        }
    }
    files.extend(added);
}

/// Returns a configuration without what says how it was built.
fn settings(mut config: Value) -> Value {
    for key in ["rootfs", "history", "moby.buildkit.buildinfo.v1"] {
        config.as_object_mut().expect("a configuration is an object").remove(key);
    }
    config
}

fn same_as_buildkit(target: &str) -> (Vec<String>, Vec<String>) {
    let (here, there) = (greeter(), greeter());
    let output = ["-o", "type=oci,dest=image.tar"];
    build(&here, target).args(output).succeeds();
    Engine::Against.build(&there, target).args(output).succeeds();
    let (ours, theirs) = (read(&here.path("image.tar")), read(&there.path("image.tar")));
    assert_eq!(settings(ours.0), settings(theirs.0));
    // BuildKit leaves the places of mounts behind.
    let is_place =
        |path: &Path| ["run", "run/dalec", "run/secrets"].iter().any(|place| path == Path::new(place));
    let differs = |(path, what): (&PathBuf, &String)| {
        let other = theirs.2.get(path);
        (other != Some(what)).then(|| format!("{}: {what}, BuildKit has {other:?}", path.display()))
    };
    let mut different: Vec<String> = ours.2.iter().filter_map(differs).collect();
    different.extend(
        theirs
            .2
            .keys()
            .filter(|path| !ours.2.contains_key(*path) && !is_place(path))
            .map(|path| path.display().to_string()),
    );
    assert!(different.is_empty(), "{different:#?}");
    // TEST-002
    assert!(!ours.2.contains_key(Path::new("left-behind")));
    (ours.1, theirs.1)
}

/// TGT-015, TGT-020
#[test]
fn a_minimal_container_is_that_of_buildkit() {
    let (ours, theirs) = same_as_buildkit("bookworm/container");
    assert_eq!((ours.len(), theirs.len()), (1, 1), "one layer, and nothing of the way there");
}

/// TGT-014, TGT-020: what is built on a base keeps its layers.
#[test]
fn a_container_on_a_base_is_that_of_buildkit() {
    let (ours, theirs) = same_as_buildkit("bookworm/testing/container");
    assert_eq!(ours[0], theirs[0]);
}

/// The same spec gives the same image: a second time, and under another name.
#[test]
fn the_same_container_is_the_same_bytes() {
    let (one, other) = (greeter(), greeter());
    let output =
        ["-o", "type=oci,dest=image.tar", "-t", "greeter:1", "--build-arg", "SOURCE_DATE_EPOCH=1700000000"];
    build(&one, "bookworm/container").args(output).succeeds();
    build(&other, "bookworm/container").args(output).args(["--no-cache=dalec.container"]).succeeds();
    let read_all = |project: &Project| fs::read(project.path("image.tar")).unwrap();
    assert!(read_all(&one) == read_all(&other));
    let (config, ..) = read(&one.path("image.tar"));
    assert_eq!(config["created"], "2023-11-14T22:13:20Z");
}

/// A registry with a password takes what its user pushes, and gives it back.
#[test]
fn an_image_is_pushed_and_pulled() {
    let registry = Registry::with_password();
    let name = registry.reference("team/greeter:1");
    let project = greeter();
    let login = |password: &str| {
        let auth = STANDARD.encode(format!("{USER}:{password}"));
        let domain = name.split('/').next().unwrap();
        project.write("docker/config.json", json!({ "auths": { domain: { "auth": auth } } }).to_string());
    };
    let push = || {
        let mut build = build(&project, "bookworm/container");
        build.command.env("DOCKER_CONFIG", project.path("docker"));
        build.args(["--push", "-t", &name, "--metadata-file", "metadata.json"])
    };
    login("wrong");
    let refused = push().fails(1);
    refused.says(&[&format!("error: cannot push {name}"), "help: "]);
    assert!(!refused.stderr.contains("wrong"), "{}", refused.stderr);
    login(PASSWORD);
    push().succeeds().says(&[&format!("image {name}: sha256:")]);
    let said = json_of(&fs::read(project.path("metadata.json")).unwrap());
    assert_eq!(said["image.name"], name.as_str());
    let inspect =
        skopeo().args(["inspect", "--tls-verify=false", "--creds"]).arg(format!("{USER}:{PASSWORD}"));
    let inspected = json_of(inspect.arg(format!("docker://{name}")).succeeds().stdout.as_bytes());
    assert_eq!(inspected["Digest"], said["containerimage.digest"]);
    assert_eq!(said["containerimage.descriptor"]["digest"], inspected["Digest"]);
    assert_eq!(inspected["Labels"]["org.example.kind"], "greeter");
    let sources = "sources:\n  image:\n    context:\n      name: image\n";
    let steps = "build:\n  steps:\n    - command: test -x image/usr/bin/greeter\n";
    let on_top = Project::new(&script("on-top", steps).replace("sources:\n", sources));
    let mut build = build(&on_top, "bookworm/deb");
    build.command.env("DOCKER_CONFIG", project.path("docker"));
    build.arg("--build-context").arg(format!("image=docker-image://{name}")).succeeds();
}

/// Pushes a container with either engine, as a user whose password is `password`.
fn push(engine: Engine, name: &str, password: &str) -> (Project, Invocation) {
    let project = Project::new(&script("pushed", ""));
    let auth = STANDARD.encode(format!("{USER}:{password}"));
    let domain = name.split('/').next().unwrap();
    project.write("docker/config.json", json!({ "auths": { domain: { "auth": auth } } }).to_string());
    let mut build = match engine {
        Engine::Embedded => build(&project, "bookworm/container"),
        _ => engine.build(&project, "bookworm/container"),
    };
    build.command.env("DOCKER_CONFIG", project.path("docker"));
    (project, build.args(["--push", "-t", name]))
}

/// A registry that takes the layers and then refuses the image, and one that does not know the user: what failed is named, with
/// what the registry says and what to do, and never the password.
fn a_refused_push_is_explained(engine: Engine) {
    let registry = Registry::with_password();
    let name = registry.reference("team/pushed:1");
    let (_project, refused) = push(engine, &name, "the wrong one");
    let refused = refused.fails(1);
    refused.says(&[&name, "401"]);
    assert!(!refused.stderr.contains("the wrong one"), "{}", refused.stderr);

    // Where its manifests would be is no place for any.
    let repository = registry.store().join("data/docker/registry/v2/repositories/team/pushed");
    fs::create_dir_all(&repository).unwrap();
    fs::write(repository.join("_manifests"), "").unwrap();
    let (_project, halfway) = push(engine, &name, PASSWORD);
    halfway.fails(1).says(&[&name, "500"]);
    assert!(repository.join("_layers").exists(), "layers were taken before");
}

#[test]
fn a_refused_push_is_explained_here() {
    a_refused_push_is_explained(Engine::Embedded);
}

#[test]
fn a_refused_push_is_explained_there() {
    a_refused_push_is_explained(Engine::Against);
}

/// SRC-019: a base image that is nowhere is shown where the spec names it, with all names under which it can be given.
#[test]
fn a_missing_base_image_can_be_given() {
    // Nothing listens on the port of a registry that was stopped.
    let name = Registry::open().reference("team/base:1");
    let bases = format!("image:\n  bases:\n    - rootfs: {{image: {{ref: '{name}'}}}}\n");
    for engine in [Engine::Embedded, Engine::Against, Engine::Inside] {
        let project = Project::new(&script("on-a-base", &bases));
        let ran = engine.build(&project, "bookworm/container").run();
        assert!(matches!(ran.code, Some(1 | 3)), "{engine:?}: {}", ran.stderr);
        let given = format!("--build-context {name}=oci-layout://DIRECTORY");
        ran.says(&[&name, &given, "spec.yml:22"]);
    }
}

/// A platform whose programs run here beside this machine's own: as clients write it, its name in an index, and Debian's.
const OTHER: [&str; 3] = if cfg!(target_arch = "aarch64") {
    ["linux/arm/v7", "arm", "armhf"]
} else {
    ["linux/386", "386", "i386"]
};

/// TGT-010, TGT-020: a package for all processors in containers for two: one index, of which each machine takes its own.
#[test]
fn containers_for_several_platforms_are_one_index() {
    let image = "image:\n  entrypoint: /usr/bin/both\n  labels: {org.example.kind: both}\n";
    let spec = script("both", image).replace("echo I am both", "dpkg --print-architecture");
    let project = Project::new(&spec);
    project.build("bookworm/deb").succeeds();
    let registry = Registry::open();
    let name = registry.reference("team/both:1");
    let host = format!("linux/{}", ARCHITECTURE);
    let platforms = format!("{host},{}", OTHER[0]);
    let build = project.build("bookworm/testing/container").args(["--platform", &platforms]);
    build.args(["--build-context", "pkg=out", "--push", "-t", &name]).succeeds();

    let reference = format!("docker://{name}");
    let inspect = || skopeo().args(["inspect", "--tls-verify=false"]);
    let index = json_of(inspect().args(["--raw", &reference]).succeeds().stdout.as_bytes());
    let found = index["manifests"].as_array().expect("it is an index").iter();
    let mut found: Vec<&str> =
        found.map(|manifest| manifest["platform"]["architecture"].as_str().unwrap()).collect();
    found.sort();
    let mut expected = vec![ARCHITECTURE, OTHER[1]];
    expected.sort();
    assert_eq!(found, expected);
    let other = inspect().args(["--override-arch", OTHER[1], &reference]).succeeds();
    let other = json_of(other.stdout.as_bytes());
    assert_eq!(
        (&other["Architecture"], &other["Labels"]["org.example.kind"]),
        (&json!(OTHER[1]), &json!("both"))
    );
    for (platform, debian) in [(host.as_str(), ARCHITECTURE), (OTHER[0], OTHER[2])] {
        let podman = Podman::new();
        podman
            .command()
            .args(["pull", "--quiet", "--tls-verify=false", "--platform", platform, &name])
            .succeeds();
        assert_eq!(podman.run(&name).succeeds().stdout, format!("{debian}\n"));
    }
}

/// Layouts hold several images, whoever wrote them, and come from an ordinary user, too.
#[test]
fn a_layout_is_a_folder_that_others_read() {
    let project = Project::new(&script("small", ""));
    let build = project.build_as(Who::Ordinary, "bookworm/container");
    let build = build.args(["-o", "type=oci,dest=layout,tar=false,compression=zstd", "-t", "small:1"]);
    build.succeeds().says(&["images: every file in them belongs to root"]);
    let build = project.build_as(Who::Ordinary, "bookworm/container");
    let build =
        build.args(["-o", "type=oci,dest=layout,tar=false,annotation.org.example.a=b", "-t", "small:2"]);
    build.succeeds();
    let raw = |tag: &str| {
        let layout = format!("oci:{}:{tag}", project.path("layout").display());
        json_of(skopeo().args(["inspect", "--raw"]).arg(layout).succeeds().stdout.as_bytes())
    };
    assert_eq!(raw("1")["layers"][0]["mediaType"], "application/vnd.oci.image.layer.v1.tar+zstd");
    assert_eq!(raw("2")["layers"][0]["mediaType"], "application/vnd.oci.image.layer.v1.tar+gzip");
    assert_eq!(raw("2")["annotations"]["org.example.a"], "b");
}

/// An archive goes to whoever reads standard output.
#[test]
fn an_archive_is_passed_on() {
    let project = Project::new(&script("passed", ""));
    let mut build = project.build("bookworm/container").args(["-o", "type=oci,dest=-"]);
    let output = build.command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    project.write("image.tar", &output.stdout);
    let (config, layers, files) = read(&project.path("image.tar"));
    assert_eq!((config["os"].as_str(), layers.len()), (Some("linux"), 1));
    assert!(files.contains_key(Path::new("usr/bin/passed")));
}
