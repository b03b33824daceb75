//! What runs again and what does not.

mod root {
    use dalec_e2e::engine::Engine;
    use dalec_e2e::progress::{Vertices, vertices};
    use dalec_e2e::run::Project;
    use dalec_e2e::specs::hello;

    use crate::specs::build;

    fn again(project: &Project) -> Vertices {
        let build = build(Engine::Embedded, project, "azlinux3/rpm");
        vertices(&build.args(["--progress", "json"]).succeeds())
    }

    #[test]
    fn nothing_changed_runs_nothing() {
        let project = hello();
        build(Engine::Embedded, &project, "azlinux3/rpm").succeeds();
        assert_eq!(again(&project).processes(), Vec::<&String>::new());
    }

    /// Neither the build dependencies nor the container's base are installed again.
    #[test]
    fn a_changed_line_runs_only_what_reads_it() {
        let project = hello();
        build(Engine::Embedded, &project, "azlinux3/rpm").succeeds();
        let source = std::fs::read_to_string(project.path("hello.c")).unwrap();
        let unique = format!("    puts(\"Hello, world!\"); /* {} */", project.path("").display());
        project.write("hello.c", source.replace("    puts(\"Hello, world!\");", &unique));
        let again = again(&project);
        let ran = again.processes();
        assert!(ran.iter().any(|name| name.contains("Build package hello-dalec")), "{ran:?}");
        for name in &ran {
            let base =
                ["dependencies", "base of the container", "worker"].iter().any(|word| name.contains(word));
            assert!(!base, "{name:?} does not read the source, but ran again: {ran:?}");
        }
    }
}
