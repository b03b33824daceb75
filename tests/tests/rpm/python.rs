//! Python packages in RPM packages, downloaded for builds that have no network.

mod root {
    use std::fs;

    use dalec_e2e::engine::Engine;
    use dalec_e2e::python::{index, project};

    use crate::specs::build;

    /// SRC-028, SRC-029, SRC-032: they are one of the sources, and installed before the build steps.
    #[test]
    fn packages_are_there_for_the_build() {
        let server = index();
        let project = project(&server.url("simple"));
        let spec = fs::read_to_string(project.path("spec.yml")).unwrap();
        // The images have it, but not as an RPM package.
        project.write("spec.yml", spec.replace("  build: [python3-pip]", "  build: {}"));
        build(Engine::Embedded, &project, "azlinux3/rpm").succeeds();
        project.output("-1.azl3.x86_64.rpm");
        build(Engine::Embedded, &project, "azlinux3/rpm/debug/sources").succeeds();
        assert!(
            project.outputs().contains(&"SOURCES/__pipdeps.tar.gz".to_owned()),
            "{:?}",
            project.outputs()
        );
    }
}
