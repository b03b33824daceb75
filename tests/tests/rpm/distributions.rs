//! One spec for every distribution of the family.

mod root {
    use dalec_e2e::engine::Engine;
    use dalec_e2e::rpm_world::DISTRIBUTIONS;
    use dalec_e2e::run::Project;
    use dalec_e2e::specs::script;

    use crate::specs::{build, package};

    /// TGT-003, TGT-004, RPM-009: packages and containers, each with its own name of the distribution.
    #[test]
    fn each_builds_packages_and_containers() {
        let tests = "tests:\n  - name: runs\n    steps:\n      - command: everywhere\n        stdout:\n          equals: \"I am everywhere\\n\"\n";
        let spec = script("everywhere", &format!("dependencies:\n  runtime:\n    bash: {{}}\n{tests}"));
        for distribution in DISTRIBUTIONS {
            let project = Project::new(&spec);
            let (target, dist) = (distribution.target, distribution.dist());
            build(Engine::Embedded, &project, &format!("{target}/rpm")).succeeds();
            assert_eq!(package(&project).tag("RELEASE"), format!("1{dist}"));
            assert_eq!(
                project.outputs(),
                [
                    format!("RPMS/noarch/everywhere-1.0.0-1{dist}.noarch.rpm"),
                    format!("SRPMS/everywhere-1.0.0-1{dist}.src.rpm"),
                ]
            );
            let container = Project::new(&spec);
            build(Engine::Embedded, &container, &format!("{target}/container")).succeeds();
            assert!(container.path("out/usr/bin/everywhere").exists());
            let release = std::fs::read_to_string(container.path("out/usr/lib/os-release")).unwrap();
            assert!(release.contains(distribution.id()), "{target}: {release}");
        }
    }
}
