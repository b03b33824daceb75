//! Programs that are signed on their way into a zip file or a container.

use std::fs;
use std::path::PathBuf;

use dalec_e2e::engine::Engine;
use dalec_e2e::on_both_engines;
use dalec_e2e::run::{Invocation, Project};
use dalec_e2e::signers::go_signer;
use dalec_e2e::windows::{certificate, is_signed, names_in, unpacked};
use tempfile::TempDir;

use crate::greet::{BASES, build, file, greet_with};

on_both_engines!(
    root: osslsigncode_accepts_the_zip,
    osslsigncode_accepts_the_container,
    what_a_signer_returns_is_packaged
);

/// The signer inside of our program.
const OURS: &str = "dalec-signer";
/// What the specs call somebody else's signer.
const SIGNER: &str = "dalec.example/signer";

/// Returns the project, signed by our signer, with a key of its own: its files are `code.key` and `code.pem`.
fn signed(more: &str) -> Project {
    let signer = format!("package_config:\n  signer:\n    image: {OURS}\n    cmdline: authenticode\n{more}");
    let project = greet_with(&signer);
    certificate(&project.path(""));
    project.write("signing/certificates.pem", fs::read(project.path("code.pem")).unwrap());
    // What is signed with another key has another fingerprint, and is not taken for this.
    let fingerprints = fingerprint(&project);
    project.write("signing/fingerprints", fingerprints);
    project
}

fn fingerprint(project: &Project) -> String {
    let mut command = std::process::Command::new("openssl");
    command.args(["x509", "-noout", "-fingerprint", "-sha256", "-in"]).arg(project.path("code.pem"));
    let said = String::from_utf8(command.output().expect("openssl starts").stdout).unwrap();
    let hex = said.trim().rsplit('=').next().expect("a fingerprint").replace(':', "");
    format!("{}\n", hex.to_lowercase())
}

/// Returns the build of `target` with the key at hand.
fn build_signed(engine: Engine, project: &Project, target: &str) -> Invocation {
    build(engine, project, target).args([
        format!("--build-context=dalec-signing={}", project.path("signing").display()),
        format!("--secret=id=dalec-code-signing-key,src={}", project.path("code.key").display()),
    ])
}

/// Expects that `program` is signed with the key of `project`, and no other.
fn check(project: &Project, program: PathBuf) {
    assert!(is_signed(&program, &project.path("code.pem")), "{}", program.display());
    let stranger = TempDir::new().unwrap();
    certificate(stranger.path());
    assert!(!is_signed(&program, &stranger.path().join("code.pem")));
}

/// SIGN-001
fn osslsigncode_accepts_the_zip(engine: Engine) {
    let project = signed("");
    build_signed(engine, &project, "windowscross/zip").succeeds();
    let zip = project.output(".zip");
    assert_eq!(names_in(&zip), ["greet.exe", "greeting.dll"]);
    for name in names_in(&zip) {
        check(&project, unpacked(&zip).join(name));
    }
    let unsigned = greet_with("");
    build(engine, &unsigned, "windowscross/zip").succeeds();
    let program = unpacked(&unsigned.output(".zip")).join("greet.exe");
    assert!(!is_signed(&program, &project.path("code.pem")));
}

/// SIGN-014
fn osslsigncode_accepts_the_container(engine: Engine) {
    let bases = format!("image:\n  bases:\n    - rootfs: {{image: {{ref: \"{}\"}}}}\n", BASES[1]);
    let project = signed(&bases);
    build_signed(engine, &project, "windowscross/container").succeeds();
    for name in ["greet.exe", "greeting.dll"] {
        check(&project, project.path("out/Windows/System32").join(name));
    }
}

/// SIGN-013: what the signer returns is all there is, once it was compared with what was built.
fn what_a_signer_returns_is_packaged(engine: Engine) {
    let in_mode = |mode: &str| {
        let more = format!("package_config:\n  signer:\n    image: {SIGNER}\n    cmdline: {mode}\n");
        file(
            "{tool.exe: {}, 'lib/*': {}}",
            &format!("{more}build:\n  steps:\n    - command: mkdir lib; echo b >lib/b.dll\n"),
        )
    };
    let build = |project: &Project| {
        let signer = format!("--build-context={SIGNER}={}", go_signer().context());
        build(engine, project, "windowscross/zip").arg(signer)
    };
    let project = in_mode("drop");
    let ran = build(&project).fails(1);
    ran.says(&["it changed more than signatures"]);
    assert_eq!(project.outputs(), Vec::<String>::new());
    build(&project).arg("--build-arg=DALEC_SIGNING_UNVERIFIED=1").succeeds();
    assert_eq!(names_in(&project.output(".zip")).len(), 1, "a file that the signer dropped is packaged");
    // Nor may the zip file lack what the signer returned.
    let project = in_mode("break");
    let ran = build(&project).arg("--build-arg=DALEC_SIGNING_UNVERIFIED=1").fails(1);
    ran.says(&["the name of a file for the zip file has a line break in it"]);
    assert_eq!(project.outputs(), Vec::<String>::new());
}
