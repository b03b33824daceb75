//! Signed packages, by our own signer and by other people's, judged by rpm and by a dnf that insists on signatures.

use std::fs;
use std::path::Path;
use std::process::Command;

use dalec_e2e::engine::Engine;
use dalec_e2e::on_both_engines;
use dalec_e2e::openpgp::Key;
use dalec_e2e::probe::Probe;
use dalec_e2e::rpm::verify;
use dalec_e2e::rpm_world::words;
use dalec_e2e::run::{Invocation, Project};
use dalec_e2e::signers::{go_signer, plain_signer};
use dalec_e2e::specs::{example, hello};
use serde_json::{Value, json};

use crate::specs::{build, on_base};

on_both_engines!(
    root: a_key_of_the_client_signs_everything,
    a_signer_of_others_signs_everything,
    a_signer_is_given_both_trees,
    a_signer_that_changes_the_payload_is_caught,
    the_container_has_the_signed_package,
    dnf_that_insists_on_signatures_takes_it,
);

/// What the specs call their signer.
const SIGNER: &str = "dalec.example/signer";

fn with_signer(project: &Project, more: &str) {
    let spec = example("hello.yml");
    project.write("spec.yml", format!("{spec}\npackage_config:\n  signer:\n    image: {SIGNER}\n{more}"));
}

/// Returns the packages of a project.
fn packages(project: &Project) -> Vec<std::path::PathBuf> {
    let names = project.outputs().into_iter().filter(|name| name.ends_with(".rpm"));
    names.map(|name| project.path("out").join(name)).collect()
}

fn signed_by(project: &Project, key: &Path, other: &Path) {
    let packages = packages(project);
    assert_eq!(packages.len(), 2, "{packages:?}");
    for package in packages {
        verify(&package, key).unwrap_or_else(|said| panic!("{}: {said}", package.display()));
        assert!(verify(&package, other).is_err(), "it was somebody else");
    }
}

/// Adds our own signer with a key of the client's.
fn with_key(build: Invocation, key: &Key) -> Invocation {
    build.arg("--sign-key").arg(key.private())
}

/// The flags of our client, here and against a daemon; buildx has no `--sign-key`.
fn ours(engine: Engine) -> Engine {
    match engine {
        Engine::Embedded => Engine::Embedded,
        Engine::Inside | Engine::Against => Engine::Against,
    }
}

/// SIGN-011
fn a_key_of_the_client_signs_everything(engine: Engine) {
    let (key, other) = (Key::generate("rpm@example.org"), Key::generate("other@example.org"));
    let project = hello();
    with_key(build(ours(engine), &project, "azlinux3/rpm"), &key).succeeds().says(&["signed 2 files"]);
    signed_by(&project, &key.public_text(), &other.public_text());
}

/// SIGN-001, SIGN-011: rpmsign in an image of its own.
fn a_signer_of_others_signs_everything(engine: Engine) {
    let (key, other) = (Key::generate("rpm@example.org"), Key::generate("other@example.org"));
    let project = hello();
    with_signer(&project, &format!("    args:\n      SIGNER_KEY: {}\n", key.fingerprint()));
    let secret = format!("id=signing-key,src={}", key.private().display());
    let signer = format!("--build-context={SIGNER}={}", plain_signer().context());
    build(engine, &project, "azlinux3/rpm").arg(signer).args(["--secret", &secret]).succeeds();
    signed_by(&project, &key.public_text(), &other.public_text());
}

/// SIGN-007, SIGN-011: the signer sees both trees, what it adds is laid over them, and what it leaves out is missing.
fn a_signer_is_given_both_trees(engine: Engine) {
    let project = hello();
    with_signer(&project, "    cmdline: echo\n");
    let signer = format!("--build-context={SIGNER}={}", go_signer().context());
    let build = build(engine, &project, "azlinux3/rpm").arg(signer);
    build.arg("--build-arg=DALEC_SIGNING_UNVERIFIED=1").succeeds();
    let manifest: Value =
        serde_json::from_slice(&fs::read(project.path("out/manifest.json")).unwrap()).unwrap();
    let files = ["RPMS/x86_64/hello-dalec-1.0.0-1.azl3.x86_64.rpm", "SRPMS/hello-dalec-1.0.0-1.azl3.src.rpm"];
    assert_eq!(manifest["files"], json!(files));
    assert_eq!(manifest["options"]["dalec.target"], "azlinux3");
    assert_eq!(project.outputs(), [&files[..], &["manifest.json"]].concat());
}

fn a_signer_that_changes_the_payload_is_caught(engine: Engine) {
    let project = hello();
    with_signer(&project, "    cmdline: payload\n");
    let signer = format!("--build-context={SIGNER}={}", go_signer().context());
    let ran = build(engine, &project, "azlinux3/rpm").arg(signer).fails(1);
    ran.says(&["it changed more than signatures", "hello-dalec-1.0.0-1.azl3"]);
    assert_eq!(project.outputs(), Vec::<String>::new());
}

/// SIGN-014: what is installed has its signature in the database.
fn the_container_has_the_signed_package(engine: Engine) {
    let key = Key::generate("rpm@example.org");
    let project = hello();
    let signature = |build: Invocation| {
        build.succeeds();
        let mut rpm = Command::new("rpm");
        rpm.arg("--dbpath").arg(project.path("out/var/lib/rpm")).args(["--query", "--qf"]);
        let rpm = rpm.args(["%{DSAHEADER:pgpsig}", "hello-dalec"]).output().expect("rpm starts");
        assert!(rpm.status.success(), "{}", String::from_utf8_lossy(&rpm.stderr));
        String::from_utf8(rpm.stdout).unwrap()
    };
    assert_eq!(signature(build(ours(engine), &project, "azlinux3/container")), "(none)");
    let signed = signature(with_key(build(ours(engine), &project, "azlinux3/container"), &key));
    let id = key.fingerprint()[24..].to_lowercase();
    assert!(signed.ends_with(&format!("Key ID {id}")), "{signed}");
}

/// Installed, run, upgraded and removed by a dnf that refuses what is not signed by the key that it was given.
fn dnf_that_insists_on_signatures_takes_it(engine: Engine) {
    let key = Key::generate("rpm@example.org");
    let built = |version: &str, key: Option<&Key>| {
        let project = hello();
        let spec = example("hello.yml").replace("version: 1.0.0", &format!("version: {version}"));
        project.write("spec.yml", spec);
        let build = build(ours(engine), &project, "azlinux3/rpm");
        match key {
            Some(key) => with_key(build, key).succeeds(),
            None => build.succeeds(),
        };
        fs::read(packages(&project).remove(0)).unwrap()
    };
    let repository =
        "[ours]\nname=ours\nbaseurl=file:///repository\ngpgcheck=1\ngpgkey=file:///given/key.asc\n";
    let life = |first: Vec<u8>| {
        let probe = Probe::new(&on_base("dependencies:\n  runtime:\n    createrepo-c: {}\n"));
        let probe =
            probe.given("key.asc", fs::read(key.public_text()).unwrap()).given("ours.repo", repository);
        let probe = probe.given("1.0.0.rpm", first).given("1.1.0.rpm", built("1.1.0", Some(&key)));
        probe
            .run(
                "sh -c 'mkdir /repository && cp /given/1.0.0.rpm /repository && createrepo_c -q /repository'",
            )
            .run("cp /given/ours.repo /etc/yum.repos.d")
            .run("dnf -y install hello-dalec")
            .says("hello", "Hello, world!")
            .run("sh -c 'cp /given/1.1.0.rpm /repository && rm -r /repository/repodata && createrepo_c -q /repository'")
            .run("dnf -y --refresh upgrade hello-dalec")
            .says("rpm -q hello-dalec", "hello-dalec-1.1.0")
            .says("hello", "Hello, world!")
            .run("dnf -y remove hello-dalec")
            .run("test ! -e /usr/bin/hello")
            .run("dnf check")
            .project("probe-signatures")
    };
    build(engine, &life(built("1.0.0", Some(&key))), "azlinux3/rpm").succeeds();
    let unsigned = life(built("1.0.0", None));
    build(engine, &unsigned, "azlinux3/rpm")
        .fails(1)
        .says(&[words("1.0.0.rpm is not signed", "The package is not signed")]);
}
