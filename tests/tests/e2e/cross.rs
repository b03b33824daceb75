//! Packages for another processor on a machine that does not run its programs.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use dalec_e2e::binary::dalec;
use dalec_e2e::deb::Deb;
use dalec_e2e::emulator::{emulator, run_arm64, run_arm64_in};
use dalec_e2e::run::{Invocation, Project};
use dalec_e2e::specs::{head, script};
use serde_json::Value;

/// Built as on a machine without an emulator, whether it has one or not.
const FOR_ARM: [&str; 4] = ["--platform", "linux/arm64", "--build-arg", "DALEC_DISABLE_EMULATION=1"];

const BOTH: [&str; 4] = ["--platform", "linux/amd64,linux/arm64", "--build-arg", "DALEC_DISABLE_EMULATION=1"];

/// A program that is built by `command` with `dependencies` and says hello.
fn program(dependencies: &str, command: &str, more: &str) -> Project {
    let head = head("hello", "A greeting");
    Project::new(&format!(
        "\
{head}sources:
  hello.c:
    inline:
      file:
        contents: |
          #include <stdio.h>
          int main(void) {{ puts(\"hello from C\"); return 0; }}
  hello.go:
    inline:
      file:
        contents: |
          package main
          import \"os\"
          func main() {{ os.Stdout.WriteString(\"hello from Go\\n\") }}
dependencies:
  build: {{{dependencies}}}
build:
  steps:
    - command: {command}
artifacts:
  binaries:
    hello: {{}}
{more}"
    ))
}

fn for_arm(project: &Project) -> Invocation {
    project.build("bookworm/deb").args(FOR_ARM)
}

/// Returns what the ELF header of `content` says of its processor: 183 is arm64's.
fn processor(content: &[u8]) -> u16 {
    assert!(content.starts_with(b"\x7fELF"));
    u16::from_le_bytes([content[18], content[19]])
}

/// TGT-010: the worker stays the machine's, Go hears what it builds for, and tests that cannot run are said to be left out.
#[test]
fn a_go_program() {
    let test =
        "tests:\n  - name: it greets\n    steps:\n      - command: hello\n        stdout: {contains: [Go]}\n";
    let command = "GOCACHE=$PWD/cache go build -o hello hello.go";
    let project = program("golang-go: {}", command, test);
    for_arm(&project)
        .succeeds()
        .says(&["the spec's tests are not run: nothing here runs programs for linux/arm64"]);
    assert!(project.outputs().contains(&"hello_1.0.0-debian12u1_arm64.changes".to_owned()));
    let deb = Deb::read(&project.path("out/hello_1.0.0-debian12u1_arm64.deb"));
    assert_eq!((deb.field("Architecture"), deb.field("Depends")), ("arm64", ""));
    let content = &deb.files["/usr/bin/hello"].content;
    assert_eq!(processor(content), 183);
    let unpacked = project.path("hello");
    fs::write(&unpacked, content).unwrap();
    fs::set_permissions(&unpacked, fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(run_arm64(&unpacked), "hello from Go\n");
}

/// The compiler is the one for the result, and packages depend on libraries by their ordinary names.
#[test]
fn a_c_program() {
    let project = program("", "$CC -O2 -g -o hello hello.c", "");
    for_arm(&project).succeeds();
    let deb = Deb::read(&project.path("out/hello_1.0.0-debian12u1_arm64.deb"));
    let native = program("", "cc -O2 -g -o hello hello.c", "");
    native.build("bookworm/deb").succeeds();
    let native = Deb::read(&native.output(".deb"));
    assert_eq!(deb.field("Depends"), native.field("Depends"));
    assert!(deb.field("Depends").starts_with("libc6 (>= 2."), "{}", deb.field("Depends"));
    assert_eq!(processor(&deb.files["/usr/bin/hello"].content), 183);
    let symbols = Deb::read(&project.path("out/hello-dbgsym_1.0.0-debian12u1_arm64.deb"));
    assert_eq!(symbols.field("Architecture"), "arm64");
}

/// Cargo is told what it builds for, and what links that.
#[test]
fn a_rust_program() {
    let project = Project::new(&(head("greeter", "A greeting") + RUST));
    for_arm(&project).succeeds();
    let deb = Deb::read(&project.path("out/greeter_1.0.0-debian12u1_arm64.deb"));
    assert!(deb.field("Depends").contains("libc6 (>= 2."), "{}", deb.field("Depends"));
    assert_eq!(processor(&deb.files["/usr/bin/greeter"].content), 183);
}

/// The spec, but for its head.
const RUST: &str = r#"sources:
  Cargo.toml:
    inline:
      file:
        contents: |
          [package]
          name = "greeter"
          version = "1.0.0"
          [[bin]]
          name = "greeter"
          path = "main.rs"
  main.rs:
    inline:
      file:
        contents: |
          fn main() { println!("hello from Rust"); }
dependencies:
  build: {cargo-web: {}, rustc-web: {}, "libstd-rust-web-dev:arm64": {arch: [arm64]}}
build:
  steps:
    - command: |
        cargo build --release && cp "target/${CARGO_BUILD_TARGET:+$CARGO_BUILD_TARGET/}release/greeter" greeter
artifacts:
  binaries:
    greeter: {}
"#;

#[test]
fn a_compiler_that_does_not_heed_it_is_found_out() {
    let project = program("", "gcc -o hello hello.c", "");
    let ran = for_arm(&project).fails(1);
    ran.says(&["/usr/bin/hello is a program for the machine that builds, but the package is for arm64"]);
    ran.says(&["spec.yml:2"]);
    assert_eq!(project.outputs(), Vec::<String>::new());
}

/// A program that takes a library, with the certificates that most containers have.
fn with_library() -> Project {
    let dependencies = "zlib1g-dev: {arch: [amd64]}, \"zlib1g-dev:arm64\": {arch: [arm64]}";
    let command = "$(printenv CC || echo cc) -O2 -o hello hello.c -Wl,--no-as-needed -lz";
    let more = "image: {entrypoint: /usr/bin/hello, env: [GREETING=1]}\n";
    let project = program(dependencies, command, more);
    let spec = fs::read_to_string(project.path("spec.yml")).unwrap();
    project.write(
        "spec.yml",
        spec.replace("dependencies:\n", "dependencies:\n  runtime: {ca-certificates: {}}\n"),
    );
    project
}

/// TGT-010, TGT-015: the machine's programs put a container for another processor together; what is in it is the same as in
/// its own, but for what runs.
#[test]
fn a_container() {
    let project = with_library();
    project.build("bookworm/container").args(FOR_ARM).succeeds();
    let root = project.path("out");
    assert_eq!(run_arm64_in(&root, "/usr/bin/hello"), "hello from C\n");
    let status = fs::read_to_string(root.join("var/lib/dpkg/status")).unwrap();
    for package in ["hello", "libc6", "zlib1g", "ca-certificates", "base-files"] {
        assert!(status.contains(&format!("Package: {package}\n")), "{status}");
    }
    assert!(!status.contains("Architecture: amd64"), "{status}");
    for gone in ["usr/bin/dpkg", "usr/bin/perl", "etc/apt", "var/lib/dpkg/arch", "usr/share/doc", "run/dalec"]
    {
        assert!(!root.join(gone).exists(), "{gone}");
    }
    let certificate = fs::read_link(root.join("etc/ssl/certs/ISRG_Root_X1.pem")).unwrap();
    assert!(certificate.starts_with("/usr/share/ca-certificates"), "{certificate:?}");
    let native = with_library();
    native.build("bookworm/container").succeeds();
    let read = |root: &Path, path: &str| fs::read(root.join(path)).unwrap();
    for same in [
        "etc/ssl/certs/ca-certificates.crt",
        "etc/ca-certificates.conf",
        "etc/group",
        "etc/passwd",
        "etc/shadow",
        "etc/gshadow",
        "etc/os-release",
    ] {
        assert!(read(&root, same) == read(&native.path("out"), same), "{same}");
    }
}

/// A script that only knows its own root file system would do to the machine's what it is to do to the container's.
#[test]
fn a_script_for_the_processor_is_named() {
    let project = program("", "$CC -o hello hello.c", "");
    let spec = fs::read_to_string(project.path("spec.yml")).unwrap();
    project.write("spec.yml", spec.replace("artifacts:\n", "artifacts:\n  users: [{name: greeter}]\n"));
    project
        .build("bookworm/container")
        .args(FOR_ARM)
        .fails(1)
        .says(&["the postinst script of hello has to run on arm64, and nothing here runs programs for it"]);
    project.build("bookworm/deb").args(FOR_ARM).succeeds();
}

/// TGT-024: what an extension is made of is unpacked, not run.
#[test]
fn an_extension() {
    let project = program("", "$CC -o hello hello.c", "");
    let spec = fs::read_to_string(project.path("spec.yml")).unwrap();
    project.write("spec.yml", spec.replace("dependencies:\n", "dependencies:\n  sysext: {zlib1g: {}}\n"));
    project.build("trixie/testing/sysext").args(FOR_ARM).succeeds();
    assert_eq!(project.outputs(), ["hello-v1.0.0-1-trixie-arm64.raw"]);
    let into = project.path("unpacked");
    let mut fsck = Command::new("fsck.erofs");
    let done =
        fsck.arg(format!("--extract={}", into.display())).arg(project.output(".raw")).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    assert_eq!(processor(&fs::read(into.join("usr/bin/hello")).unwrap()), 183);
    assert!(into.join("usr/lib/aarch64-linux-gnu/libz.so.1").exists());
}

/// What has no processor is the same for all, and two platforms are built side by side.
#[test]
fn a_script_for_both() {
    let project = Project::new(&script("both", ""));
    project.build("bookworm/deb").args(BOTH).succeeds();
    let read =
        |folder: &str| fs::read(project.path("out").join(folder).join("both_1.0.0-debian12u1_all.deb"));
    assert_eq!(read("linux_amd64").unwrap(), read("linux_arm64").unwrap());
}

/// What is not for a platform runs nothing of it.
#[test]
fn the_spec_and_its_sources_are_the_same_for_all() {
    let project = Project::new(&script("plain", ""));
    for target in ["debug/resolve", "debug/sources"] {
        project.build(target).args(["--platform", "linux/riscv64"]).succeeds();
    }
}

/// Told before anything is built, or even looked up.
#[test]
fn what_has_to_run_is_refused() {
    let base = "image: {bases: [{rootfs: {image: {ref: debian:bookworm}}}]}\n";
    for (target, more) in
        [("bookworm/testing/container", ""), ("bookworm/worker", ""), ("bookworm/container", base)]
    {
        let project = Project::new(&script("refused", more));
        let ran = project.build(target).args(FOR_ARM).args(["--build-arg", "DALEC_SKIP_TESTS=1"]).fails(3);
        ran.says(&[&format!("{target} cannot be built for linux/arm64 here"), "binfmt_misc"]);
        assert!(!ran.stderr.contains("find docker.io"), "{}", ran.stderr);
    }
    let project = program("", "true", "");
    project.build("bookworm/deb").args(["--platform", "linux/loong64"]).fails(2);
    let ran = project.build("bookworm/deb").args(["--platform", "windows/amd64"]).fails(2);
    ran.says(&["are for Linux, not for windows/amd64"]);
}

/// With root's tools: an image for two processors as people hand it on.
mod root {
    use super::*;

    fn skopeo(arguments: &[&str]) -> String {
        let done = Command::new("skopeo").args(arguments).output().expect("skopeo starts");
        assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).expect("text")
    }

    /// Starts a program, `$2` and what follows, where the kernel has the emulator `$1`, and no list of emulators is to be seen.
    const WITH_EMULATOR: &str = r#"
list=/proc/sys/fs/binfmt_misc
mount -t binfmt_misc none "$list" || exit 9
head='\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00'
mask='\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff'
printf '%s' ":arm64:M::$head:$mask:$1:F" >"$list/register"
mount -t tmpfs none "$list"
shift
exec "$@"
"#;

    /// TGT-010: found by running a program; nothing else on this machine has the emulator.
    #[test]
    fn an_emulator_is_used_where_its_list_is_not_to_be_seen() {
        let project = Project::new(&script("emulated", ""));
        let build = || {
            let alone = ["--user", "--map-root-user", "--mount", "--pid", "--fork", "--mount-proc"];
            let start = Invocation::other(Path::new("unshare"), &project.path("")).args(alone);
            let start = start.args(["sh", "-c", WITH_EMULATOR, "with-emulator"]).arg(emulator()).arg(dalec());
            let start = start.args(["build", "-f", "spec.yml", "--target", "bookworm/testing/container"]);
            let nowhere = ["dalec-bookworm-worker", "debian:bookworm"]
                .map(|name| format!("--build-context={name}=docker-image://127.0.0.1:9/nothing"));
            let start = start.args(["--state-dir", "state", "-o", "out", "--platform", "linux/arm64"]);
            start.args(nowhere).arg(".")
        };
        let refused = "cannot be built for linux/arm64 here";
        let ran = build().run();
        if ran.code == Some(9) {
            // This kernel has one list of emulators for all, which is nobody's to change.
            return;
        }
        assert!(!ran.stderr.contains(refused), "{}", ran.stderr);
        ran.says(&["127.0.0.1:9"]);
        build().args(["--build-arg", "DALEC_DISABLE_EMULATION=1"]).fails(3).says(&[refused]);
    }

    /// TGT-010, FE-011: an index has an image with programs for each of its processors.
    #[test]
    fn an_image_for_two_processors() {
        let project = with_library();
        let archive = project.path("both.tar");
        let output = format!("type=oci,dest={}", archive.display());
        project.build("bookworm/container").args(BOTH).args(["-o", &output]).succeeds();
        let source = format!("oci-archive:{}", archive.display());
        let index = skopeo(&["inspect", "--raw", &source]);
        assert!(index.contains("amd64") && index.contains("arm64"), "{index}");
        for (architecture, number) in [("amd64", 62), ("arm64", 183)] {
            let choose = ["--override-arch", architecture];
            let config = skopeo(&[&choose[..], &["inspect", "--config", &source]].concat());
            let config: Value = serde_json::from_str(&config).unwrap();
            assert_eq!(config["architecture"], architecture);
            assert_eq!(config["config"]["Entrypoint"][0], "/usr/bin/hello");
            let folder = project.path(architecture);
            skopeo(&[&choose[..], &["copy", &source, &format!("dir:{}", folder.display())]].concat());
            let manifest: Value =
                serde_json::from_slice(&fs::read(folder.join("manifest.json")).unwrap()).unwrap();
            let digest = manifest["layers"][0]["digest"].as_str().unwrap();
            let root = project.path(&format!("{architecture}-root"));
            fs::create_dir(&root).unwrap();
            let layer = folder.join(digest.strip_prefix("sha256:").unwrap());
            let tar = Command::new("tar").arg("-xf").arg(layer).arg("-C").arg(&root).status().unwrap();
            assert!(tar.success());
            assert_eq!(processor(&fs::read(root.join("usr/bin/hello")).unwrap()), number);
        }
        assert_eq!(run_arm64_in(&project.path("arm64-root"), "/usr/bin/hello"), "hello from C\n");
    }
}
