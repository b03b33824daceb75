//! System extensions of RPM packages.

use dalec_e2e::engine::Engine;
use dalec_e2e::extensions::{ARCHITECTURE, Extension, KIT};
use dalec_e2e::on_both_engines;
use dalec_e2e::run::Project;
use dalec_e2e::specs::script;

use crate::repositories::Repository;
use crate::specs::build;

const ROUTE: &str = "azlinux3/testing/sysext";

on_both_engines!(
    root: packages_and_dependencies_become_an_image,
    dependencies_come_from_the_specs_repositories,
    a_failing_test_keeps_the_image,
);

/// TGT-024 to TGT-026: the same bytes whenever it is made.
fn packages_and_dependencies_become_an_image(engine: Engine) {
    let project = Project::new(KIT);
    build(engine, &project, ROUTE).succeeds();
    let image = format!("kit-v1.0.0-1-azlinux3-{ARCHITECTURE}");
    assert_eq!(project.outputs(), [format!("{image}.raw")]);
    Extension::read(&project.output(".raw")).is_kit(&image, "ID=_any\n");
    let again = Project::new(KIT);
    build(engine, &again, ROUTE).arg("--no-cache").succeeds();
    let read = |project: &Project| std::fs::read(project.output(".raw")).unwrap();
    assert!(read(&project) == read(&again), "made again it differs");
}

/// TGT-026, DEP-009: all constraints on a name hold for one package, the newest, and somebody has signed it.
fn dependencies_come_from_the_specs_repositories(engine: Engine) {
    let repository = Repository::of(&["1.0.0", "1.9.0", "1.10.0", "2.0.0"]);
    let project = |version: &str, checked: &str| {
        let entry = repository.entry("key.asc", "[install]").replace("repo_gpgcheck=1", checked);
        let sysext = format!("  sysext:\n    extra-tool:\n      version: [{version}]\n");
        repository
            .with(&script("extended", &format!("dependencies:\n  extra_repos:\n    - {entry}\n{sysext}")))
    };
    for (version, expected) in [("", "2.0.0"), ("\">= 1.1\", \"< 2\"", "1.10.0"), ("\"1.9.0\"", "1.9.0")] {
        let project = project(version, "repo_gpgcheck=1");
        build(engine, &project, ROUTE).succeeds();
        let extension = Extension::read(&project.output(".raw"));
        let text = extension.text("usr/bin/extra-tool");
        assert!(text.ends_with(&format!("echo I am extra-tool {expected}\n")), "{text}");
    }
    let ran = build(engine, &project("\"> 3\"", "repo_gpgcheck=1"), ROUTE).fails(1);
    ran.says(&["dependency \"extra-tool > 3\" cannot be downloaded: nothing provides it", "spec.yml:"]);
    let other = dalec_e2e::openpgp::Key::generate("other@example.org");
    let project = project("", "repo_gpgcheck=0");
    project.write("key.asc", std::fs::read(other.public_text()).unwrap());
    build(engine, &project, ROUTE).fails(1).says(&["no key that is known has signed extra-tool-2.0.0"]);
    assert_eq!(project.outputs(), Vec::<String>::new());
}

/// TEST-001
fn a_failing_test_keeps_the_image(engine: Engine) {
    let project = Project::new(&KIT.replace("equals: \"I am kit", "equals: \"I am not"));
    build(engine, &project, ROUTE).fails(1).says(&["I am kit", "spec.yml:"]);
    assert_eq!(project.outputs(), Vec::<String>::new());
}
