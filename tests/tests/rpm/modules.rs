//! Go modules and Rust crates in RPM packages, downloaded for builds that have no network.

mod root {
    use std::fs;

    use dalec_e2e::crates::Registry;
    use dalec_e2e::engine::Engine;
    use dalec_e2e::modules::{edited_project, proxy};
    use dalec_e2e::rpm_world;

    use crate::specs::build;
    use crate::upstream::TOOLCHAINS;

    /// SRC-020, SRC-025, SRC-032, RPM-013: they are one of the sources, and so is the patch that edits make; without a go
    /// there is nothing.
    #[test]
    fn programs_are_built_from_downloaded_modules() {
        let server = proxy();
        let project = edited_project();
        let spec = fs::read_to_string(project.path("spec.yml")).unwrap();
        let dependencies = format!("  build: [golang]\n  extra_repos:{TOOLCHAINS}");
        project.write("spec.yml", spec.replace("  build: [golang-go]", &dependencies));
        let build = |route| {
            build(Engine::Embedded, &project, route)
                .arg(format!("--build-context=toolchains={}", rpm_world::toolchains().display()))
                .arg("--build-arg")
                .arg(format!("DALEC_GOMOD_PROXY={}", server.url("")))
        };
        build("azlinux3/rpm").succeeds();
        project.output("-1.azl3.x86_64.rpm");
        build("azlinux3/rpm/debug/sources").succeeds();
        for name in ["SOURCES/__gomods.tar.gz", "SOURCES/__gomod_patch_src"] {
            assert!(project.outputs().contains(&name.to_owned()), "{:?}", project.outputs());
        }
        let spec = fs::read_to_string(project.path("spec.yml")).unwrap();
        project.write("spec.yml", spec.replace("  build: [golang]", "  build: [make]"));
        build("azlinux3/rpm/debug/sources").fails(2).says(&["- gomod:", "add `golang`"]);
    }

    /// SRC-027, SRC-032, RPM-013: likewise for Rust.
    #[test]
    fn programs_are_built_from_downloaded_crates() {
        let registry = Registry::start();
        let project = registry.project();
        let spec = fs::read_to_string(project.path("spec.yml")).unwrap();
        let dependencies = format!("  build: [cargo]\n  extra_repos:{TOOLCHAINS}");
        project.write("spec.yml", spec.replace("  build: [cargo]", &dependencies));
        let build = |route| {
            build(Engine::Embedded, &project, route)
                .arg(format!("--build-context=toolchains={}", rpm_world::toolchains().display()))
        };
        build("azlinux3/rpm").succeeds();
        project.output("-1.azl3.x86_64.rpm");
        build("azlinux3/rpm/debug/sources").succeeds();
        assert!(
            project.outputs().contains(&"SOURCES/__cargohome.tar.gz".to_owned()),
            "{:?}",
            project.outputs()
        );
        let spec = fs::read_to_string(project.path("spec.yml")).unwrap();
        project.write("spec.yml", spec.replace("  build: [cargo]", "  build: [make]"));
        build("azlinux3/rpm/debug/sources").fails(2).says(&["- cargohome:", "add `rust`"]);
    }
}
