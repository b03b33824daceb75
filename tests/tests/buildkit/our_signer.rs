//! The signers' image: in BuildKit as other signers are, and as the signer of a spec on each engine.

use std::process::Command;
use std::sync::OnceLock;

use dalec_e2e::binary::dalec;
use dalec_e2e::buildkit::Buildkit;
use dalec_e2e::layout::Layout;
use dalec_e2e::openpgp::Key;
use dalec_e2e::run::Project;
use dalec_e2e::signers::frontend_image;

use super::signers::{call, packages};

/// Returns the image: our executable, under the name of that part.
fn signer() -> &'static Layout {
    static IMAGE: OnceLock<Layout> = OnceLock::new();
    IMAGE.get_or_init(|| frontend_image(dalec(), "signer", &Buildkit::shared().folder().join("signer")))
}

fn secret(id: &str, key: &Key) -> String {
    format!("id={id},src={}", key.private().display())
}

#[test]
fn packages_are_signed_with_a_key_that_is_a_secret() {
    let (project, key) = (packages(), Key::generate("signer@example.org"));
    let ran = call(&project, signer(), "", &["--secret", &secret("dalec-signing-key", &key)]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    for name in ["a_1_all.deb", "b_1_all.deb"] {
        key.verifies_deb(&project.path("out").join(name)).unwrap();
        assert!(ran.stderr.contains(&format!("signed {name}")), "{}", ran.stderr);
    }
    assert!(ran.stderr.contains(&format!("by {}", key.fingerprint())), "{}", ran.stderr);
}

/// A folder with a program for Windows, an rpm package and a Debian one, and beside it a key for programs with its
/// certificate as the named context of signers.
fn all_kinds() -> Project {
    let project = packages();
    let run = |program: &str, arguments: &[&str]| {
        let ran = Command::new(program).current_dir(project.path("")).args(arguments).output();
        let ran = ran.unwrap_or_else(|error| panic!("{program} does not start: {error}"));
        assert!(ran.status.success(), "{program}: {}", String::from_utf8_lossy(&ran.stderr));
    };
    project.write("x.s", ".globl start\n.text\nstart: xor %eax, %eax\n ret\n");
    run("as", &["--64", "x.s", "-o", "x.o"]);
    run("ld", &["-m", "i386pep", "-e", "start", "x.o", "-o", "in/x.exe"]);
    project.write(
        "x.spec",
        "Name: x\nVersion: 1\nRelease: 1\nSummary: x\nLicense: MIT\nBuildArch: noarch\n%description\nx\n%files\n",
    );
    let folder = |name: &str| format!("{name} {}", project.path("in/rpm").display());
    run("rpmbuild", &["-bb", "--define", &folder("_topdir"), "--define", &folder("_rpmdir"), "x.spec"]);
    let key = ["req", "-x509", "-newkey", "rsa:2048", "-noenc", "-days", "2", "-subj", "/CN=x"];
    let uses = ["extendedKeyUsage=codeSigning", "keyUsage=critical,digitalSignature"];
    std::fs::create_dir(project.path("signing")).unwrap();
    let files = ["-keyout", "code.key", "-out", "signing/certificates.pem"];
    run("openssl", &[&key[..], &files, &["-addext", uses[0], "-addext", uses[1]]].concat());
    project
}

/// Checks what came of [`all_kinds`] with the tools of those who install such things.
fn are_signed(project: &Project, key: &Key) {
    key.verifies_deb(&project.path("out/a_1_all.deb")).unwrap();
    key.verifies_rpm(&project.output(".rpm")).unwrap();
    let said = Command::new("osslsigncode")
        .args(["verify", "-CAfile"])
        .arg(project.path("signing/certificates.pem"))
        .arg("-in")
        .arg(project.output(".exe"))
        .output()
        .unwrap();
    let words = String::from_utf8_lossy(&said.stdout).into_owned();
    assert!(said.status.success() && words.contains("Signature verification: ok"), "{words}");
}

/// All kinds of artifacts in one call, which gives them under a name of its own, as a build does.
#[test]
fn every_kind_of_artifact_is_signed() {
    let (project, key) = (all_kinds(), Key::generate("signer@example.org"));
    let more = ["--secret", &secret("dalec-signing-key", &key)];
    let code = ["--secret", "id=dalec-code-signing-key,src=code.key"];
    let context = ["--opt", "context:dalec-signing=local:signing", "--local", "signing=signing"];
    let named = ["--opt", "contextkey=artifacts", "--local", "artifacts=in"];
    let ran = call(&project, signer(), "", &[&more[..], &code, &context, &named].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    are_signed(&project, &key);
}

/// The image is a frontend like any other: a folder is signed by who has no spec at all.
#[test]
fn a_client_calls_it_without_a_spec() {
    let (project, key) = (all_kinds(), Key::generate("signer@example.org"));
    project.write("sign", "# syntax=test/signer deb,rpm,authenticode\n");
    let build = Buildkit::shared().buildx(&project.path("")).args(["-f", "sign", "--output", "out"]);
    let build = build.args(["--build-context", &format!("test/signer={}", signer().context())]);
    let build = build.args(["--build-context", "dalec-signing=signing"]);
    let build = build.args(["--secret", &secret("dalec-signing-key", &key)]);
    build.args(["--secret", "id=dalec-code-signing-key,src=code.key", "in"]).succeeds();
    are_signed(&project, &key);
}

#[test]
fn settings_are_followed() {
    let (project, key) = (packages(), Key::generate("signer@example.org"));
    std::fs::write(project.path("in/notes.txt"), "hello\n").unwrap();
    let fingerprint = format!("build-arg:DALEC_SIGN_FINGERPRINT={}", key.fingerprint());
    let secret = secret("mine", &key);
    let more = ["--secret", &secret, "--opt", "build-arg:DALEC_SIGN_KEY_SECRET=mine", "--opt", &fingerprint];
    let time =
        ["--opt", "build-arg:SOURCE_DATE_EPOCH=4102444800", "--opt", "build-arg:DALEC_SIGN_DETACH=binary"];
    let ran = call(&project, signer(), "openpgp", &[&more[..], &time].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    // Packages have their signature inside, and were not asked for.
    assert_eq!(project.outputs(), ["a_1_all.deb", "b_1_all.deb", "notes.txt", "notes.txt.sig"]);
    let other = Key::generate("other@example.org");
    let fingerprint = format!("build-arg:DALEC_SIGN_FINGERPRINT={}", other.fingerprint());
    let more = ["--secret", &secret, "--opt", "build-arg:DALEC_SIGN_KEY_SECRET=mine", "--opt", &fingerprint];
    let ran = call(&project, signer(), "deb", &more);
    assert_eq!(ran.code, Some(1));
    let words =
        format!("the key {} may not sign here: DALEC_SIGN_FINGERPRINT names another one", key.fingerprint());
    assert!(ran.stderr.contains(&words), "{}", ran.stderr);
}

#[test]
fn what_cannot_be_signed_is_said() {
    let (project, key) = (packages(), Key::generate("signer@example.org"));
    let public = format!("id=dalec-signing-key,src={}", key.public().display());
    let private = secret("dalec-signing-key", &key);
    std::fs::write(project.path("in/tool.exe"), "MZ").unwrap();
    for (mode, more, words) in [
        ("deb", &[][..], "the client gives no secret `dalec-signing-key`"),
        (
            "deb",
            &["--secret", &public],
            "cannot sign with the secret `dalec-signing-key`: it is a public key",
        ),
        ("authenticode", &["--secret", &private], "the client gives no secret `dalec-code-signing-key`"),
        ("rpm", &["--secret", &private], "there is nothing that the signer signs in what was built"),
        ("rpms", &["--secret", &private], "the signer's cmdline has \"rpms\""),
    ] {
        let ran = call(&project, signer(), mode, more);
        assert_eq!(ran.code, Some(1), "{mode}: {}", ran.stderr);
        assert!(ran.stderr.contains(words), "{mode}: {}", ran.stderr);
    }
}
