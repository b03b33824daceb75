//! The signers of the tests are what they claim to be, by BuildKit's own judgement: its client calls them on a folder.

use std::process::Command;

use dalec_e2e::buildkit::Buildkit;
use dalec_e2e::engine::by_buildctl;
use dalec_e2e::layout::Layout;
use dalec_e2e::openpgp::Key;
use dalec_e2e::run::{Project, Ran};
use dalec_e2e::signers::{go_signer, plain_signer};
use serde_json::Value;

/// A folder with two packages of nearly nothing.
pub fn packages() -> Project {
    let project = Project::new("");
    for name in ["a", "b"] {
        let folder = project.path("").join(name);
        std::fs::create_dir_all(folder.join("DEBIAN")).unwrap();
        let control = format!(
            "Package: {name}\nVersion: 1\nArchitecture: all\nMaintainer: T <t@example.org>\nDescription: d\n"
        );
        std::fs::write(folder.join("DEBIAN/control"), control).unwrap();
        let to = project.path(&format!("in/{name}_1_all.deb"));
        std::fs::create_dir_all(project.path("in")).unwrap();
        let built = Command::new("dpkg-deb")
            .args(["--build", "--root-owner-group"])
            .arg(folder)
            .arg(to)
            .output()
            .unwrap();
        assert!(built.status.success());
    }
    project
}

/// Calls a signer on the packages, in `mode`; its answer goes to `out`.
pub fn call(project: &Project, signer: &Layout, mode: &str, more: &[&str]) -> Ran {
    let call =
        by_buildctl(Buildkit::shared(), &project.path(""), signer).args(["--opt", "dalec.target=bookworm"]);
    let call = call.args(["--local", "context=in", "--output", "type=local,dest=out"]);
    call.args(["--opt", &format!("cmdline={mode}")]).args(more).run()
}

#[test]
fn it_signs_with_a_key_that_is_a_secret() {
    let (project, key) = (packages(), Key::generate("signer@example.org"));
    let secret = format!("id=signing-key,src={}", key.private().display());
    let more = ["--opt", "build-arg:SIGNER_SECRETS=signing-key", "--secret", &secret];
    let ran = call(&project, go_signer(), "sign", &more);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    for name in ["a_1_all.deb", "b_1_all.deb"] {
        key.verifies_deb(&project.path("out").join(name)).unwrap();
        assert!(key.verifies_deb(&project.path("in").join(name)).is_err());
    }
}

#[test]
fn another_one_writes_signatures_beside_packages() {
    let (project, key) = (packages(), Key::generate("signer@example.org"));
    let secret = format!("id=signing-key,src={}", key.private().display());
    let ran = call(&project, plain_signer(), "", &["--secret", &secret]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    for name in ["a_1_all.deb", "b_1_all.deb"] {
        let path = project.path("out").join(name);
        key.verifies_beside(&path).unwrap();
        assert!(std::fs::read(&path).unwrap() == std::fs::read(project.path("in").join(name)).unwrap());
    }
}

#[test]
fn it_says_what_it_was_given() {
    let project = packages();
    project.write("secret", "canary");
    let more = ["--opt", "build-arg:SIGNER_SECRETS=password", "--secret", "id=password,src=secret"];
    let ran = call(&project, go_signer(), "echo", &more);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let manifest: Value =
        serde_json::from_slice(&std::fs::read(project.path("out/manifest.json")).unwrap()).unwrap();
    assert_eq!(manifest["options"]["dalec.target"], "bookworm");
    assert_eq!(manifest["files"], serde_json::json!(["a_1_all.deb", "b_1_all.deb"]));
    assert_eq!(manifest["secrets"]["password"].as_str().unwrap().len(), 64);
}

#[test]
fn misbehaviour_is_as_announced() {
    for (mode, outputs) in [
        ("none", &["a_1_all.deb", "b_1_all.deb"][..]),
        ("drop", &["b_1_all.deb"]),
        ("empty", &[]),
        ("add", &["a_1_all.deb", "b_1_all.deb", "extra_1.0_all.deb"]),
        ("payload", &["a_1_all.deb", "b_1_all.deb"]),
        ("link", &["a_1_all.deb", "b_1_all.deb"]),
    ] {
        let project = packages();
        let ran = call(&project, go_signer(), mode, &[]);
        assert_eq!(
            (ran.code, project.outputs()),
            (Some(0), outputs.iter().map(ToString::to_string).collect()),
            "{mode}: {}",
            ran.stderr
        );
    }
    // Not `garbage`: BuildKit waits for such a frontend until somebody interrupts it.
    let project = packages();
    for (mode, words) in [
        ("refuse", "the key is locked away"),
        ("crash", "exit code: 2"),
        ("leave", "no result for incomplete build"),
        ("chatter", "said all there is to say"),
        ("unknown", "no-such-frontend.v0"),
        ("escape", "no access allowed to dir"),
        ("no-such-mode", "there is no mode"),
    ] {
        let ran = call(&project, go_signer(), mode, &[]);
        assert_eq!(ran.code, Some(1), "{mode}: {}", ran.stderr);
        assert!(ran.stderr.contains(words), "{mode}: {}", ran.stderr);
    }
}
