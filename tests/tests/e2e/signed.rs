//! The README's signed package: three commands, and nothing but this program.

use std::fs;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use dalec_e2e::run::{Invocation, Project, Who, kept_state};

use crate::specs::{example, hello, script};

/// Runs `dalec` with `arguments` in the folder of `project`.
fn dalec(who: Who, project: &Project, arguments: &[&str]) -> Invocation {
    Invocation::new(who, &project.path("")).args(arguments)
}

fn new_key(who: Who, project: &Project) {
    dalec(who, project, &["key", "new", "Hello Packages <packages@example.org>"]).succeeds();
}

/// As root and as an ordinary user.
#[test]
fn three_commands_make_a_signed_package() {
    for who in [Who::Me, Who::Ordinary] {
        let project = hello();
        new_key(who, &project);
        let ran = project.build_as(who, "bookworm/deb").args(["--sign-key", "key.asc"]).succeeds();
        ran.says(&["signed 2 files with dalec-signer: key "]);
        assert!(!ran.stderr.contains("dalec-signer:latest"), "no image is looked for: {}", ran.stderr);
        let package = project.output(".deb");
        let verified = dalec(who, &project, &["verify", "--keyring", "public.asc"]).arg(&package).succeeds();
        assert!(verified.stdout.contains("Hello Packages <packages@example.org>"), "{}", verified.stdout);
        // What lists the packages lists them as they are now.
        let size = fs::metadata(&package).unwrap().len();
        let name = package.file_name().unwrap().to_str().unwrap();
        let changes = fs::read_to_string(project.output("_amd64.changes")).unwrap();
        assert!(changes.contains(&format!(" {size} ")) && changes.contains(name), "{changes}");
    }
}

/// The time of the signatures is all that differs between two builds, and it can be set.
#[test]
fn a_signed_package_is_the_same_every_time() {
    let project = hello();
    new_key(Who::Me, &project);
    // Keys sign nothing from before they were made, and files of a build are no younger than this.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs().to_string();
    let build = || {
        let mut build = project.build("bookworm/deb").args(["--sign-key", "key.asc", "--no-cache=dalec.pkg"]);
        build.command.env("SOURCE_DATE_EPOCH", &now);
        build.succeeds();
        fs::read(project.output(".deb")).unwrap()
    };
    assert!(build() == build(), "two builds differ");
}

#[test]
fn a_key_that_cannot_sign_is_said_before_anything_is_written() {
    let project = hello();
    let key = ["key", "new", "A <a@example.org>", "--passphrase-file", "passphrase"];
    project.write("passphrase", "sesame");
    dalec(Who::Me, &project, &key).succeeds();
    let build = || project.build("bookworm/deb").args(["--sign-key", "key.asc"]);
    let ran = build().fails(2);
    ran.says(&["cannot sign with the key key.asc", "--sign-passphrase-file"]);
    assert!(!ran.stderr.contains("#1 "), "something was built: {}", ran.stderr);
    assert_eq!(project.outputs(), Vec::<String>::new());
    build().args(["--sign-passphrase-file", "passphrase"]).succeeds().says(&["signed 2 files"]);
    let missing = project.build("bookworm/deb").args(["--sign-key", "none.asc"]).fails(2);
    missing.says(&["there is no key none.asc"]);
    let public = project.build("bookworm/deb").args(["--sign-key", "public.asc"]).fails(2);
    public.says(&["it is a public key"]);
}

/// The README has the key beside the sources: it is no source.
#[test]
fn a_key_among_the_sources_is_left_out() {
    let spec = example("hello.yml").replace("    includes:\n      - hello.c\n", "");
    let spec = spec.replace("command: cc", "command: test ! -e src/key.asc && test ! -e src/link && cc");
    assert!(spec.contains("test ! -e src/key.asc"), "{spec}");
    let project = Project::new(&spec);
    project.write("hello.c", example("hello/hello.c"));
    new_key(Who::Me, &project);
    fs::hard_link(project.path("key.asc"), project.path("link")).unwrap();
    let ran = project.build("bookworm/deb").args(["--sign-key", "key.asc"]).succeeds();
    ran.says(&["key.asc is left out of the sources"]);
    let list = Command::new("tar").arg("-tf").arg(project.output(".orig.tar.gz")).output().unwrap();
    let list = String::from_utf8(list.stdout).unwrap();
    assert!(list.contains("hello.c") && !list.contains("key.asc") && !list.contains("link"), "{list}");
    let seed = fs::read_to_string(project.path("key.asc")).unwrap();
    let secret = seed.lines().nth(3).unwrap();
    let found = Command::new("grep").args(["-rlF", secret]).arg(kept_state(Who::Me)).output().unwrap();
    assert_eq!(String::from_utf8(found.stdout).unwrap(), "");
}

/// A source package holds all sources: who gets it could sign with the key.
#[test]
fn a_private_key_that_is_read_as_a_source_is_warned_of() {
    let spec = script("keys", "build:\n  steps:\n    - command: test -e src/sub/key.asc\n");
    let project = Project::new(&spec.replace("sources:\n", "sources:\n  src:\n    context: {}\n"));
    let owner = "Me <me@example.org>";
    project.write("sub/empty", "");
    let key = ["key", "new", owner, "-o", "sub/key.asc", "--public", "sub/public.asc"];
    dalec(Who::Me, &project, &key).succeeds();
    let warning = "sub/key.asc is a private OpenPGP key";
    let ran = project.build("bookworm/dsc").succeeds();
    assert_eq!(ran.stderr.matches(warning).count(), 1, "{}", ran.stderr);
    ran.says(&["leave it out with `excludes`"]);
    let text = fs::read_to_string(project.path("spec.yml")).unwrap();
    project.write(
        "spec.yml",
        text.replace("    context: {}\n", "    context: {}\n    excludes: [sub/key.asc]\n"),
    );
    let ran = project.build("bookworm/dsc").succeeds();
    assert!(!ran.stderr.contains("private OpenPGP key"), "{}", ran.stderr);
}

/// An engine knows a step by what went into it, and secrets are no part of that: another key must sign anew all the same.
#[test]
fn a_new_key_signs_what_an_old_one_signed() {
    let project = hello();
    let mut packages = Vec::new();
    for name in ["old", "new"] {
        let (secret, public) = (format!("{name}.asc"), format!("{name}.public.asc"));
        let owner = format!("{name} <{name}@example.org>");
        dalec(Who::Me, &project, &["key", "new", &owner, "-o", &secret, "--public", &public]).succeeds();
        project.build("bookworm/deb").args(["--sign-key", &secret]).succeeds();
        let verified =
            dalec(Who::Me, &project, &["verify", "--keyring", &public]).arg(project.output(".deb"));
        assert!(verified.succeeds().stdout.contains(&owner));
        packages.push(fs::read(project.output(".deb")).unwrap());
    }
    assert!(packages[0] != packages[1]);
    // Nothing is signed again for a key that has signed this before.
    let ran = project.build("bookworm/deb").args(["--sign-key", "old.asc"]).succeeds();
    assert!(fs::read(project.output(".deb")).unwrap() == packages[0], "{}", ran.stderr);
}
