//! What other builders make of the same spec or the same sources: the same package.

mod buildkit {
    use std::fs;

    use dalec_e2e::buildkit::Buildkit;
    use dalec_e2e::engine::Engine;
    use dalec_e2e::rpm::Rpm;
    use dalec_e2e::rpm_world;
    use dalec_e2e::run::Project;
    use dalec_e2e::specs::hello;

    use crate::specs::{build, package};

    /// Two engines, the same bytes.
    #[test]
    fn the_packages_are_the_same_on_both_engines() {
        for make in [hello, || Project::new(include_str!("../../specs/all-artifacts.yml"))] {
            let (here, there) = (make(), make());
            build(Engine::Embedded, &here, "azlinux3/rpm").succeeds();
            build(Engine::Inside, &there, "azlinux3/rpm").succeeds();
            assert_eq!(here.outputs(), there.outputs());
            for name in here.outputs() {
                let read = |project: &Project| fs::read(project.path("out").join(&name)).unwrap();
                assert!(read(&here) == read(&there), "{name} differs");
            }
        }
    }

    /// RPM-011: rpmbuild of the distribution, without us, makes the same package of the source package.
    #[test]
    fn the_source_package_can_be_built_again() {
        let project = hello();
        build(Engine::Embedded, &project, "azlinux3/rpm").succeeds();
        let first = package(&project);
        let again = Project::new("");
        again.write("hello.src.rpm", fs::read(project.output(".src.rpm")).unwrap());
        again.write(
            "Dockerfile",
            "FROM worker\nCOPY hello.src.rpm /\nRUN --network=none rpmbuild --rebuild --define '_rpmdir /out/RPMS' /hello.src.rpm\n\
             FROM scratch\nCOPY --from=0 /out /\n",
        );
        let context = format!("--build-context=worker={}", rpm_world::worker("azlinux3").context());
        let buildx = Buildkit::shared().buildx(&again.path(""));
        buildx.args([context.as_str(), "--output", "out", "."]).succeeds();
        let second = package(&again);
        // Another build directory makes another build id.
        let files = |rpm: &Rpm| {
            let mut files = rpm.files();
            files.retain(|path, _| !path.contains("/.build-id"));
            files
        };
        assert_eq!(files(&first), files(&second));
        assert_eq!(first.list("--requires"), second.list("--requires"));
    }
}
