//! Commands that read a spec and build nothing.

use expect_test::expect;

use super::{HELLO, Place};

#[test]
fn a_good_spec_has_nothing_to_complain_about() {
    let run = Place::with("dalec.yml", HELLO).run(&["lint"]);
    assert_eq!(
        (run.code, run.stdout.as_str(), run.stderr.as_str()),
        (Some(0), "", "nothing to say about 1 file\n")
    );
}

#[test]
fn findings_name_file_line_and_column() {
    let place = Place::with("a.yml", HELLO);
    place.write("b.yml", "nmae: hello\nversion: [1\n");
    place.write("c.yml", &HELLO.replace("license: MIT", "licence: MIT"));
    let run = place.run(&["lint", "a.yml", "b.yml", "c.yml"]);
    assert_eq!(run.code, Some(2));
    expect![[r#"
        error[yaml-syntax]: `[` is never closed
         --> b.yml:2:10
          |
        2 | version: [1
          |          ^
          |
          = help: add `]`

        error[unknown-key]: unknown key `licence` in a spec
         --> c.yml:6:1
          |
        6 | licence: MIT
          | ^^^^^^^
          |
          = help: did you mean `license`?
    "#]]
    .assert_eq(&run.stdout);
    expect![[r#"
        2 errors and 0 warnings in 3 files
    "#]]
    .assert_eq(&run.stderr);
}

#[test]
fn warnings_alone_are_no_failure() {
    let run = Place::with("dalec.yml", &HELLO.replace("VERSION: 1.0.0", "VERSION: 1.0.0\n  UNUSED: 1"))
        .run(&["lint"]);
    assert_eq!(run.code, Some(0), "{}{}", run.stdout, run.stderr);
    assert!(run.stdout.starts_with("warning[unused-arg]"), "{}", run.stdout);
}

#[test]
fn programs_get_findings_as_a_list() {
    let place = Place::with("dalec.yml", &HELLO.replace("license: MIT", "licence: MIT"));
    let run = place.run(&["lint", "--format", "json"]);
    assert_eq!((run.code, run.stderr.as_str()), (Some(2), ""));
    let findings: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(findings[0]["code"], "unknown-key");
    assert_eq!(findings[0]["file"], "dalec.yml");
    assert_eq!(findings[0]["range"]["start"]["line"], 6);
    let run = Place::with("dalec.yml", HELLO).run(&["lint", "--format", "json"]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(0), "[]\n"));
}

#[test]
fn a_spec_may_come_through_standard_input() {
    let run = Place::new().run_with(&["lint", "-"], &[], "name: [");
    assert_eq!(run.code, Some(2));
    assert!(run.stdout.contains("<stdin>:1:"), "{}", run.stdout);
}

#[test]
fn a_file_that_is_not_there_is_said_so() {
    let run = Place::new().run(&["lint", "absent.yml"]);
    assert_eq!(run.code, Some(2));
    expect![[r#"
        error: there is no spec absent.yml
    "#]]
    .assert_eq(&run.stderr);
}

#[test]
fn a_spec_is_resolved_for_a_target() {
    let place = Place::with("dalec.yml", HELLO);
    let run = place.run(&["resolve", "--target", "trixie/deb", "--build-arg", "VERSION=2.0.0"]);
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    expect![[r#"
        name: hello
        description: Says hello
        website: "https://example.org/hello"
        version: "2.0.0"
        revision: "1"
        license: MIT
        packager: "Hello Maintainers <hello@example.org>"
        args:
          VERSION: "2.0.0"
        sources:
          src:
            inline:
              file:
                contents: |
                  #!/bin/sh
                  echo hello
                permissions: 0644
        dependencies:
          runtime:
            bash: {}
        artifacts:
          binaries:
            src: {}
        tests:
          - name: it greets
            steps:
              - command: src
                stdout:
                  equals: |
                    hello
    "#]]
    .assert_eq(&run.stdout);
    let again = place.run_with(&["resolve", "-f", "-", "--target", "trixie"], &[], &run.stdout);
    assert_eq!(again.stdout, run.stdout, "what is printed is a spec again");
}

#[test]
fn findings_in_a_usable_spec_are_told_unless_a_comment_allows_them() {
    let spec = |comment: &str| {
        let build =
            format!("build:\n  steps: [command: make]\n  env: {{T: \"${{DALEC_TARGET}}\"}} {comment}\n");
        Place::with("dalec.yml", &format!("{HELLO}\n{build}")).run(&["resolve"])
    };
    let run = spec("");
    assert_eq!(run.code, Some(0));
    assert!(run.stderr.starts_with("warning[unresolved-arg]"), "{}", run.stderr);
    let run = spec("# dalec: allow unresolved-arg");
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
}

/// WIN-003: what is built for by default is what is resolved for by default.
#[test]
fn a_spec_is_resolved_for_windows_where_that_is_built_for() {
    let place = Place::new();
    let spec = "args:\n  TARGETPLATFORM:\nname: a\nbuild:\n  steps: [{command: make}]\n  env:\n    FOR: ${TARGETPLATFORM}\n";
    place.write("spec.yml", spec);
    let platform = |target: &str, flags: &[&str]| {
        let run = place.run(&[&["resolve", "-f", "spec.yml", "--target", target], flags].concat());
        let value = run.stdout.lines().find_map(|line| line.trim().strip_prefix("FOR: "));
        value.map(|value| value.trim_matches('"').to_owned())
    };
    let machine = platform("bookworm", &[]).expect("it is resolved");
    assert!(machine.starts_with("linux/"), "{machine}");
    for target in ["windowscross", "windowscross/zip"] {
        assert_eq!(platform(target, &[]), Some(machine.replace("linux", "windows")));
        assert_eq!(platform(target, &["--platform", "windows/arm64"]).as_deref(), Some("windows/arm64"));
    }
    assert_eq!(platform("windowscross/worker", &[]), Some(machine));
}

#[test]
fn a_resolved_spec_comes_as_json_too() {
    let run = Place::with("dalec.yml", HELLO).run(&["resolve", "--format", "json"]);
    let spec: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!((spec["name"].as_str(), spec["version"].as_str()), (Some("hello"), Some("1.0.0")));
    assert_eq!(spec["dependencies"], serde_json::Value::Null, "no target, no overrides");
}

#[test]
fn resolving_for_what_does_not_exist_is_refused() {
    let run = Place::with("dalec.yml", HELLO).run(&["resolve", "--target", "bokworm"]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""));
    expect![[r#"
        error: there is no target `bokworm`
         |
         = help: did you mean `bookworm`? `dalec targets` lists all of them
    "#]]
    .assert_eq(&run.stderr);
}

#[test]
fn errors_of_a_spec_end_resolving() {
    let place = Place::with("dalec.yml", &HELLO.replace("${VERSION}", "${VERSOIN}"));
    let run = place.run(&["resolve"]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""));
    expect![[r#"
        error[undeclared-arg]: the argument `VERSOIN` is not declared under `args`
         --> dalec.yml:2:12
          |
        2 | version: ${VERSOIN}
          |            ^^^^^^^
          |
          = help: did you mean `VERSION`?

        error: dalec.yml has an error
    "#]]
    .assert_eq(&run.stderr);
}

/// The list that upstream's `frontend.targets` subrequest gives.
#[test]
fn targets_are_listed() {
    let place = Place::with("dalec.yml", HELLO);
    let run = place.run(&["targets"]);
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    expect![[r#"
        almalinux8/container (default)    container with the package, from AlmaLinux 8
        almalinux8/container/depsonly     container with what the package needs at run time, from AlmaLinux 8
        almalinux8/rpm                    RPM packages, source and binary, for AlmaLinux 8
        almalinux8/rpm/debug/buildroot    what rpmbuild starts from
        almalinux8/rpm/debug/sources      the sources as rpmbuild gets them
        almalinux8/rpm/debug/spec         the generated RPM spec file
        almalinux8/worker                 the image that packages for AlmaLinux 8 are built in
        almalinux9/container (default)    container with the package, from AlmaLinux 9
        almalinux9/container/depsonly     container with what the package needs at run time, from AlmaLinux 9
        almalinux9/rpm                    RPM packages, source and binary, for AlmaLinux 9
        almalinux9/rpm/debug/buildroot    what rpmbuild starts from
        almalinux9/rpm/debug/sources      the sources as rpmbuild gets them
        almalinux9/rpm/debug/spec         the generated RPM spec file
        almalinux9/worker                 the image that packages for AlmaLinux 9 are built in
        azlinux3/container (default)      container with the package, from Azure Linux 3
        azlinux3/container/depsonly       container with what the package needs at run time, from Azure Linux 3
        azlinux3/rpm                      RPM packages, source and binary, for Azure Linux 3
        azlinux3/rpm/debug/buildroot      what rpmbuild starts from
        azlinux3/rpm/debug/sources        the sources as rpmbuild gets them
        azlinux3/rpm/debug/spec           the generated RPM spec file
        azlinux3/testing/sysext           system extension with the package, from Azure Linux 3
        azlinux3/worker                   the image that packages for Azure Linux 3 are built in
        azlinux4/container (default)      container with the package, from Azure Linux 4
        azlinux4/container/depsonly       container with what the package needs at run time, from Azure Linux 4
        azlinux4/rpm                      RPM packages, source and binary, for Azure Linux 4
        azlinux4/rpm/debug/buildroot      what rpmbuild starts from
        azlinux4/rpm/debug/sources        the sources as rpmbuild gets them
        azlinux4/rpm/debug/spec           the generated RPM spec file
        azlinux4/testing/sysext           system extension with the package, from Azure Linux 4
        azlinux4/worker                   the image that packages for Azure Linux 4 are built in
        bionic/container                  minimal container with the package, from Ubuntu 18.04 (bionic)
        bionic/deb (default)              Debian packages for Ubuntu 18.04 (bionic)
        bionic/dsc                        Debian source package for Ubuntu 18.04 (bionic)
        bionic/testing/container          Ubuntu 18.04 (bionic) container with the package, for tests
        bionic/worker                     the image that packages for Ubuntu 18.04 (bionic) are built in
        bookworm/container                minimal container with the package, from Debian 12 (bookworm)
        bookworm/deb (default)            Debian packages for Debian 12 (bookworm)
        bookworm/dsc                      Debian source package for Debian 12 (bookworm)
        bookworm/testing/container        Debian 12 (bookworm) container with the package, for tests
        bookworm/worker                   the image that packages for Debian 12 (bookworm) are built in
        bullseye/container                minimal container with the package, from Debian 11 (bullseye)
        bullseye/deb (default)            Debian packages for Debian 11 (bullseye)
        bullseye/dsc                      Debian source package for Debian 11 (bullseye)
        bullseye/testing/container        Debian 11 (bullseye) container with the package, for tests
        bullseye/worker                   the image that packages for Debian 11 (bullseye) are built in
        debug/cargohome                   the Rust crates that the sources ask for
        debug/gomods                      the Go modules that the sources ask for
        debug/patched-sources             the sources with patches and edits applied
        debug/pip                         the Python packages that the sources ask for
        debug/resolve                     the spec with its arguments expanded and defaults filled in
        debug/sources                     the sources as they are fetched
        flatcar/testing/sysext (default)  system extension with the package for Flatcar Container Linux, from Ubuntu 24.04 (noble)
        flatcar/worker                    the image that packages for Flatcar Container Linux are built in
        focal/container                   minimal container with the package, from Ubuntu 20.04 (focal)
        focal/deb (default)               Debian packages for Ubuntu 20.04 (focal)
        focal/dsc                         Debian source package for Ubuntu 20.04 (focal)
        focal/testing/container           Ubuntu 20.04 (focal) container with the package, for tests
        focal/worker                      the image that packages for Ubuntu 20.04 (focal) are built in
        jammy/container                   minimal container with the package, from Ubuntu 22.04 (jammy)
        jammy/deb (default)               Debian packages for Ubuntu 22.04 (jammy)
        jammy/dsc                         Debian source package for Ubuntu 22.04 (jammy)
        jammy/testing/container           Ubuntu 22.04 (jammy) container with the package, for tests
        jammy/worker                      the image that packages for Ubuntu 22.04 (jammy) are built in
        noble/container                   minimal container with the package, from Ubuntu 24.04 (noble)
        noble/deb (default)               Debian packages for Ubuntu 24.04 (noble)
        noble/dsc                         Debian source package for Ubuntu 24.04 (noble)
        noble/testing/container           Ubuntu 24.04 (noble) container with the package, for tests
        noble/testing/sysext              system extension with the package, from Ubuntu 24.04 (noble)
        noble/worker                      the image that packages for Ubuntu 24.04 (noble) are built in
        resolute/container                minimal container with the package, from Ubuntu 26.04 (resolute)
        resolute/deb (default)            Debian packages for Ubuntu 26.04 (resolute)
        resolute/dsc                      Debian source package for Ubuntu 26.04 (resolute)
        resolute/testing/container        Ubuntu 26.04 (resolute) container with the package, for tests
        resolute/testing/sysext           system extension with the package, from Ubuntu 26.04 (resolute)
        resolute/worker                   the image that packages for Ubuntu 26.04 (resolute) are built in
        rockylinux8/container (default)   container with the package, from Rocky Linux 8
        rockylinux8/container/depsonly    container with what the package needs at run time, from Rocky Linux 8
        rockylinux8/rpm                   RPM packages, source and binary, for Rocky Linux 8
        rockylinux8/rpm/debug/buildroot   what rpmbuild starts from
        rockylinux8/rpm/debug/sources     the sources as rpmbuild gets them
        rockylinux8/rpm/debug/spec        the generated RPM spec file
        rockylinux8/worker                the image that packages for Rocky Linux 8 are built in
        rockylinux9/container (default)   container with the package, from Rocky Linux 9
        rockylinux9/container/depsonly    container with what the package needs at run time, from Rocky Linux 9
        rockylinux9/rpm                   RPM packages, source and binary, for Rocky Linux 9
        rockylinux9/rpm/debug/buildroot   what rpmbuild starts from
        rockylinux9/rpm/debug/sources     the sources as rpmbuild gets them
        rockylinux9/rpm/debug/spec        the generated RPM spec file
        rockylinux9/worker                the image that packages for Rocky Linux 9 are built in
        trixie/container                  minimal container with the package, from Debian 13 (trixie)
        trixie/deb (default)              Debian packages for Debian 13 (trixie)
        trixie/dsc                        Debian source package for Debian 13 (trixie)
        trixie/testing/container          Debian 13 (trixie) container with the package, for tests
        trixie/testing/sysext             system extension with the package, from Debian 13 (trixie)
        trixie/worker                     the image that packages for Debian 13 (trixie) are built in
        windowscross/container (default)  container with the programs, from one or several images of Windows
        windowscross/worker               the image that programs for Windows are built in
        windowscross/zip                  zip file with the programs for Windows
    "#]]
    .assert_eq(&run.stdout);
    let run = place.run(&["targets", "-f", "dalec.yml", "--format", "json"]);
    let list: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    let trixie =
        list["targets"].as_array().unwrap().iter().find(|target| target["name"] == "trixie/deb").unwrap();
    assert_eq!(trixie["specDefined"], true);
    assert!(trixie["description"].as_str().is_some_and(|text| !text.is_empty()));
}
