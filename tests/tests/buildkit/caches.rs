//! `docker buildx build` with our image: results that are taken from elsewhere, and such that are not taken at all.

use std::fs;

use dalec_e2e::buildkit::Buildkit;
use dalec_e2e::engine::{Engine, base_contexts, frontend};
use dalec_e2e::registry::Registry;
use dalec_e2e::run::{Invocation, Project};
use dalec_e2e::specs::script;

/// A project whose package is another one each time that it is built.
fn unique(name: &str) -> Project {
    let steps = format!("build:\n  steps:\n    - command: date +%N > unique\n# {}\n", std::process::id());
    Project::new(&script(name, &steps).replace("artifacts:\n", "artifacts:\n  docs:\n    unique: {}\n"))
}

/// Returns a build by our image on `daemon`.
fn build_on(daemon: &Buildkit, project: &Project, target: &str) -> Invocation {
    let name = "dalec.example/frontend";
    let build = daemon.buildx(&project.path("")).arg("--build-arg").arg(format!("BUILDKIT_SYNTAX={name}"));
    let build = build.arg("--build-context").arg(format!("{name}={}", frontend().context()));
    build.args(base_contexts()).args(["-f", "spec.yml", "--target", target, "."])
}

/// Returns what is unique in the only package of `project`.
fn made(project: &Project) -> Vec<u8> {
    fs::read(project.output(".deb")).expect("the package can be read")
}

#[test]
fn results_come_from_a_registry_a_folder_or_an_image() {
    let (registry, daemon) = (Registry::open(), Buildkit::start(&[]));
    let project = unique("carried");
    let [cache, image] = ["cache:1", "image:1"].map(|name| registry.reference(name));
    let build = || build_on(&daemon, &project, "bookworm/deb");
    build().args(["--output", "out", "--cache-to", "type=local,dest=cache,mode=max"]).succeeds();
    let expected = made(&project);
    build()
        .args(["--output", "out", "--cache-to", &format!("type=registry,ref={cache},mode=max")])
        .succeeds();
    let inside = format!("type=image,name={image},push=true");
    build().args(["--output", &inside, "--cache-to", "type=inline"]).succeeds();
    for from in [
        format!("type=registry,ref={cache}"),
        "type=local,src=cache".to_owned(),
        format!("type=registry,ref={image}"),
    ] {
        fs::remove_dir_all(project.path("out")).unwrap();
        daemon.buildctl(&project.path("")).args(["prune", "--all"]).succeeds();
        build().args(["--output", "out", "--cache-from", &from]).succeeds();
        assert!(made(&project) == expected, "it was built again, with {from}");
    }
}

/// The names of phases, and of the base image; without a name everything is built again.
#[test]
fn phases_are_built_again_by_name() {
    let project = unique("again");
    let build = |more: &[&str]| {
        let target = "bookworm/deb";
        let ran = Engine::Inside.build(&project, target).args(more).succeeds();
        (made(&project), ran.stderr)
    };
    let (first, _) = build(&[]);
    assert!(build(&["--no-cache-filter", "dalec.tests,dalec.container"]).0 == first);
    let (second, log) = build(&["--no-cache-filter", "dalec.pkg"]);
    assert!(second != first, "the package was not built again:\n{log}");
    let (third, log) = build(&["--no-cache"]);
    assert!(third != second, "the package was not built again:\n{log}");
}
