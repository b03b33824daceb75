//! What goes wrong ends with one clear message, the right exit code, no half-written output, and the next build works.

use std::process::Command;

use dalec_e2e::binary::dalec;
use dalec_e2e::http::{Response, Server};
use dalec_e2e::run::{Invocation, Project, Who};

use crate::specs::{hello, script};

const TARGET: &str = "bookworm/deb";

/// Builds `spec`, expects `code` and `texts`, and no output.
#[track_caller]
fn refused(spec: &str, code: i32, texts: &[&str]) {
    let project = Project::new(spec);
    project.build(TARGET).fails(code).says(texts);
    assert_eq!(project.outputs(), Vec::<String>::new());
}

#[test]
fn broken_yaml() {
    refused("name: [a\nversion: 1\n", 2, &["spec.yml:", "error"]);
}

#[test]
fn unknown_key() {
    let spec = script("unknown", "licence: MIT\n");
    refused(&spec, 2, &["spec.yml:", "`licence`", "license"]);
}

#[test]
fn undeclared_argument() {
    let spec = script("undeclared", "").replace("version: 1.0.0", "version: ${VERSION}");
    refused(&spec, 2, &["spec.yml:2", "VERSION", "args"]);
    let project = Project::new(&script("undeclared", ""));
    project
        .build(TARGET)
        .args(["--build-arg", "NOPE=1"])
        .fails(2)
        .says(&["NOPE", "error: the command line has a build argument that spec.yml does not declare"]);
}

/// Which path of what is missing, in the words of the spec.
#[test]
fn a_part_of_a_context_that_is_not_there() {
    let spec = script("part", "").replace("sources:\n", "sources:\n  src:\n    context: {}\n    path: lib\n");
    refused(&spec, 1, &["`lib` of the context for source src", "spec.yml"]);
}

/// What the language has and no target builds yet is said when it is built, before anything is looked up.
#[test]
fn not_built_yet() {
    let mount = "{dest: /more, spec: {context: {}, generate: [{gomod: {}}]}}";
    let tests = format!("tests:\n  - name: mounts\n    mounts: [{mount}]\n    files: {{/more: }}\n");
    let spec = script("not-built-yet", &tests);
    refused(&spec, 2, &["this version of dalec cannot build generators", "spec.yml:", "gomod"]);
}

#[test]
fn missing_artifact() {
    let spec = script("missing-artifact", "    bin/not-built: {}\n");
    refused(&spec, 1, &["bin/not-built", "spec.yml:20"]);
}

/// ART-010
#[test]
fn an_owner_whom_nobody_creates() {
    let spec =
        script("owner-of-none", "").replace("    owner-of-none: {}", "    owner-of-none: {user: someone}");
    refused(&spec, 1, &["the user \"someone\", whom nothing creates", "spec.yml:19"]);
}

/// BLD-003
#[test]
fn failing_step() {
    let spec = script(
        "failing-step",
        "build:\n  steps:\n    - command: echo before\n    - command: |\n        echo it broke >&2\n        exit 7\n",
    );
    refused(&spec, 1, &["it broke", "spec.yml:24", "exit code 7"]);
}

/// TEST-007, TEST-015
#[test]
fn failing_test() {
    let tests = "tests:\n  - name: says hello\n    steps:\n      - command: failing-test\n        stdout:\n          \
                 equals: hello\n";
    refused(&script("failing-test", tests), 1, &["spec.yml:25", "hello", "I am failing-test"]);
}

fn http_source(name: &str, url: &str, digest: &str) -> String {
    let source = format!("  data:\n    http:\n      url: {url}\n      digest: {digest}\nartifacts:");
    script(name, "  docs:\n    data: {}\n").replace("artifacts:", &source)
}

/// SRC-003
#[test]
fn wrong_digest() {
    let server = Server::start(|_| Response::ok("content"));
    let wrong = format!("sha256:{}", "0".repeat(64));
    let right = "sha256:ed7002b439e9ac845f22357d822bac1444730fbdb6016d3ec9432297b9ec9f73";
    refused(
        &http_source("wrong-digest", &server.url("data"), &wrong),
        1,
        &["digest", &wrong, right, "spec.yml:"],
    );
}

/// SRC-019
#[test]
fn unreachable_url() {
    // Nothing listens on the port of a server that was stopped.
    let url = Server::start(|_| Response::not_found()).url("data");
    let digest = format!("sha256:{}", "1".repeat(64));
    refused(&http_source("unreachable", &url, &digest), 1, &[&url, "spec.yml:"]);
}

/// SRC-019: what cannot be fetched is shown where the spec asks for it, whatever kind of source it is.
#[test]
fn sources_that_cannot_be_fetched_have_their_places() {
    // Nothing listens on the port of a server that was stopped.
    let gone = Server::start(|_| Response::not_found()).url("");
    let address = gone.trim_start_matches("http://").trim_end_matches('/').to_owned();
    let git = format!("{{git: {{url: '{gone}code.git', commit: main}}}}");
    let image = format!("{{image: {{ref: '{address}/tools:1'}}, path: /tools}}");
    let failing =
        "{path: /out, image: {ref: 'debian:bookworm', cmd: {steps: [{command: echo no luck; exit 4}]}}}";
    let build =
        format!("{{build: {{source: {{inline: {{file: {{contents: '# syntax={address}/docker:1'}}}}}}}}}}");
    let missing = "{build: {source: {context: {}}, dockerfile_path: Containerfile}}";
    for (name, source, says) in [
        ("git", git.as_str(), &["code.git"][..]),
        ("image", &image, &["cannot find the image", "tools:1", "--build-context"]),
        ("command", failing, &["no luck", "exit code 4"]),
        ("context", "{context: {name: nowhere}}", &["nowhere", "--build-context"]),
        ("build", &build, &["docker:1"]),
        ("no-dockerfile", missing, &["\"Containerfile\""]),
    ] {
        let spec = script(name, "  docs:\n    more: {}\n");
        let spec = spec.replace("artifacts:", &format!("  more: {source}\nartifacts:"));
        let project = Project::new(&spec);
        let ran = project.build(TARGET).run();
        assert!(matches!(ran.code, Some(1 | 2)), "{name}: {}", ran.stderr);
        ran.says(says).says(&["spec.yml:17", source]);
        assert_eq!(project.outputs(), Vec::<String>::new());
    }
}

#[test]
fn a_url_that_is_not_there() {
    let server = Server::start(|_| Response::not_found());
    let digest = format!("sha256:{}", "2".repeat(64));
    refused(&http_source("not-there", &server.url("data"), &digest), 1, &["404", &server.url("data")]);
}

#[test]
fn unknown_target() {
    let project = hello();
    project.build("bokworm/deb").fails(2).says(&["bokworm/deb", "did you mean", "bookworm/deb"]);
}

/// SRC-004
#[test]
fn missing_context_directory() {
    let project = hello();
    let mut invocation = Invocation::new(Who::Me, &project.path(""));
    invocation.command.args(["build", "-f", "spec.yml", "--target", TARGET, "-o", "out", "./not-there"]);
    invocation.fails(2).says(&["not-there"]);
    let spec =
        script("context", "").replace("artifacts:", "  more:\n    context:\n      name: more\nartifacts:");
    refused(&spec, 2, &["more", "--build-context", "spec.yml:"]);
}

#[test]
fn missing_spec_file() {
    let project = hello();
    Invocation::new(Who::Me, &project.path(""))
        .args(["build", "-f", "absent.yml", "--target", TARGET, "-o", "out", "."])
        .fails(2)
        .says(&["absent.yml"]);
}

/// SRC-017
#[test]
fn a_patch_that_does_not_apply() {
    let spec = script(
        "bad-patch",
        "  docs:\n    text/notes.txt: {}\npatches:\n  text:\n    - source: fix.patch\n",
    )
    .replace(
        "artifacts:",
        "  text:\n    inline:\n      dir:\n        files:\n          notes.txt:\n            contents: other\n  \
         fix.patch:\n    inline:\n      file:\n        contents: |\n          --- a/notes.txt\n          \
         +++ b/notes.txt\n          @@ -1 +1 @@\n          -plain\n          +patched\nartifacts:",
    );
    refused(&spec, 1, &["fix.patch", "text", "spec.yml:"]);
}

/// DEP-005
#[test]
fn an_unsatisfiable_dependency() {
    let build = script("needs-build", "dependencies:\n  build:\n    make:\n      version: ['>= 99']\n");
    refused(&build, 1, &["make", ">= 99", "spec.yml:"]);
    let runtime = script("needs-runtime", "dependencies:\n  runtime:\n    no-such-package-anywhere: {}\n");
    refused(&runtime, 1, &["no-such-package-anywhere", "spec.yml:"]);
}

#[test]
fn an_unreachable_mirror() {
    let url = Server::start(|_| Response::not_found()).url("debian");
    let project = hello();
    let mut invocation = Invocation::new(Who::Me, &project.path(""));
    invocation.command.args([
        "build",
        "-f",
        "spec.yml",
        "--target",
        TARGET,
        "-o",
        "out",
        "--apt-mirror",
        &url,
    ]);
    invocation.command.arg("--state-dir").arg(project.path("state")).arg(".");
    invocation.fails(1).says(&[&url, "--apt-mirror"]);
    assert_eq!(project.outputs(), Vec::<String>::new());
}

/// Whoever changes the index of a mirror is found out by its signature.
#[test]
fn a_tampered_mirror() {
    let release = "Origin: Debian\nSuite: stable\nCodename: bookworm\nDate: Sat, 01 Nov 2025 00:00:00 UTC\n";
    let signed = format!(
        "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n{release}-----BEGIN PGP SIGNATURE-----\n\n\
         iHUEARYIAB0WIQQAAAAAAAAAAAAAAAAAAAAAAAAAAAUCZQAAAAAKCRAAAAAAAAAA\n=AAAA\n-----END PGP SIGNATURE-----\n"
    );
    let server = Server::start(move |path| match path.ends_with("/InRelease") {
        true => Response::ok(signed.clone()),
        false => Response::not_found(),
    });
    let project = hello();
    let mut invocation = Invocation::new(Who::Me, &project.path(""));
    let url = server.url("debian");
    invocation.command.args([
        "build",
        "-f",
        "spec.yml",
        "--target",
        TARGET,
        "-o",
        "out",
        "--apt-mirror",
        &url,
    ]);
    invocation.command.arg("--state-dir").arg(project.path("state")).arg(".");
    invocation.fails(1).says(&["InRelease", "sign"]);
    assert_eq!(project.outputs(), Vec::<String>::new());
}

/// A disk that is full is named, and the store works again when there is room.
///
/// The small disk is mounted in a namespace of its own, which an ordinary user may make too.
#[test]
fn a_full_disk() {
    let project = hello();
    std::fs::create_dir(project.path("state")).unwrap();
    let script = "\
        mount -t tmpfs -o size=40m tmpfs state
        \"$@\" --target bookworm/deb; echo first: $? >&2
        ls out >&2
        mount -o remount,size=4g state
        \"$@\" --target bookworm/dsc; echo second: $? >&2";
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "sh", "-c", script, "sh"]).arg(dalec());
    command.args(["build", "-f", "spec.yml", "-o", "out", "--state-dir", "state", "."]);
    let ran = command.current_dir(project.path("")).env("NO_COLOR", "1").output().unwrap();
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(said.contains("first: 3\n"), "{said}");
    assert!(said.to_lowercase().contains("no space left") && said.contains("--state-dir"), "{said}");
    assert!(said.contains("second: 0\n"), "{said}");
    assert!(project.outputs().iter().all(|name| !name.ends_with(".deb")), "{:?}", project.outputs());
}

/// Where user namespaces are switched off, whoever has no privileges is told what to do.
#[test]
fn no_user_namespaces() {
    let project = hello();
    // Inside a namespace whose limit is zero no further one can be made, and without capabilities nothing else works.
    let script = "echo 0 > /proc/sys/user/max_user_namespaces && \
                  exec setpriv --inh-caps=-all --bounding-set=-all \"$@\"";
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "sh", "-c", script, "sh"]).arg(dalec());
    command.args(["build", "-f", "spec.yml", "--target", TARGET, "-o", "out", "--state-dir", "state", "."]);
    let ran = command.current_dir(project.path("")).env("NO_COLOR", "1").output().unwrap();
    let said = String::from_utf8_lossy(&ran.stderr);
    assert_eq!(ran.status.code(), Some(3), "{said}");
    assert!(said.contains("user namespace") && said.contains("max_user_namespaces"), "{said}");
    assert_eq!(project.outputs(), Vec::<String>::new());
}

#[test]
fn a_second_dalec_on_the_same_store() {
    let (first, second) = (hello(), hello());
    let line = format!("/* {} */\n", first.path("").display());
    for project in [&first, &second] {
        let source = std::fs::read_to_string(project.path("hello.c")).unwrap();
        project.write("hello.c", format!("{source}{line}"));
    }
    std::thread::scope(|scope| {
        let running = [&first, &second].map(|project| scope.spawn(|| project.build(TARGET).run()));
        for run in running {
            let ran = run.join().unwrap();
            assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        }
    });
    assert_eq!(std::fs::read(first.output(".deb")).unwrap(), std::fs::read(second.output(".deb")).unwrap());
}
