//! Source and binary packages, as rpm sees them.

use dalec_e2e::engine::Engine;
use dalec_e2e::on_both_engines;
use dalec_e2e::rpm::Rpm;
use dalec_e2e::run::Project;
use dalec_e2e::specs::example;

use crate::specs::{build, package};

on_both_engines!(root: a_c_program_becomes_a_package, what_cannot_be_installed_is_said);

/// RPM-002, RPM-009, RPM-011, DEP-005: a constraint on a build dependency holds, and its compiler is installed by dnf.
pub fn a_c_program_becomes_a_package(engine: Engine) {
    let spec = example("hello.yml");
    let spec = format!(
        "{spec}\ndependencies:\n  build:\n    gcc:\n      version: [\">= 12\"]\n    zlib-devel: {{}}\n"
    );
    let project = Project::new(&spec.replace("cc -O2", "test -e /usr/include/zlib.h && gcc -O2"));
    project.write("hello.c", example("hello/hello.c"));
    build(engine, &project, "azlinux3/rpm").succeeds();
    let expected =
        ["RPMS/x86_64/hello-dalec-1.0.0-1.azl3.x86_64.rpm", "SRPMS/hello-dalec-1.0.0-1.azl3.src.rpm"];
    assert_eq!(project.outputs(), expected);
    let rpm = package(&project);
    for (tag, value) in [
        ("NAME", "hello-dalec"),
        ("VERSION", "1.0.0"),
        ("RELEASE", "1.azl3"),
        ("ARCH", "x86_64"),
        ("LICENSE", "MIT"),
        ("SUMMARY", "Greets the reader"),
        ("URL", "https://example.org/hello-dalec"),
        ("PACKAGER", "Hello Maintainers <hello@example.org>"),
        ("SOURCERPM", "hello-dalec-1.0.0-1.azl3.src.rpm"),
    ] {
        assert_eq!(rpm.tag(tag), value, "{tag}");
    }
    assert!(rpm.list("--changelog").join("\n").contains("First release"));
    assert!(rpm.list("--requires").iter().any(|line| line.starts_with("libc.so.6")));
    let files = rpm.files();
    assert_eq!(files["/usr/bin/hello"].mode, "-rwxr-xr-x");
    assert_eq!(files["/usr/bin/hello"].owner, "root:root");
    let source = Rpm::at(&project.path("out").join(expected[1]));
    let build_requires = source.list("--requires");
    assert!(build_requires.iter().any(|line| line == "gcc >= 12"), "{build_requires:?}");
    assert!(source.list("-l").contains(&"src.tar.gz".to_owned()), "{:?}", source.list("-l"));
}

/// DEP-005
pub fn what_cannot_be_installed_is_said(engine: Engine) {
    let spec =
        format!("{}\ndependencies:\n  build:\n    gcc:\n      version: [\">= 99\"]\n", example("hello.yml"));
    let project = Project::new(&spec);
    project.write("hello.c", example("hello/hello.c"));
    let ran = build(engine, &project, "azlinux3/rpm").fails(1);
    ran.says(&["gcc >= 99"]);
    assert_eq!(project.outputs(), Vec::<String>::new());
}
