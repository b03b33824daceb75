//! What the other tests stand on: the daemon builds, takes our base images, and leaves nothing behind.

use dalec_e2e::bases;
use dalec_e2e::buildkit::Buildkit;
use dalec_e2e::registry::Registry;
use dalec_e2e::run::Project;
use std::path::Path;

const DOCKERFILE: &str = "\
FROM debian:bookworm
RUN --network=none dpkg-query -W -f '${Status}\\n' ca-certificates > /said && cat /etc/os-release >> /said
FROM scratch
COPY --from=0 /said /said
";

#[test]
fn debian_from_our_bootstrap_runs_in_buildkit() {
    let project = Project::new("");
    project.write("Dockerfile", DOCKERFILE);
    let base = bases::base("bookworm");
    let buildx = Buildkit::shared().buildx(&project.path(""));
    let context = format!("debian:bookworm={}", base.context());
    buildx.args(["--build-context", &context, "--output", "out", "."]).succeeds();
    let said = std::fs::read_to_string(project.output("said")).unwrap();
    assert!(said.contains("install ok installed") && said.contains("VERSION_CODENAME=bookworm"), "{said}");
}

#[test]
fn a_registry_with_a_password_lets_only_its_user_in() {
    let (open, closed) = (Registry::open(), Registry::with_password());
    let base = bases::base("bookworm");
    let project = Project::new("");
    for (registry, code) in [(open, 0), (closed, 1)] {
        let reference = registry.push(&base, "debian:bookworm");
        project.write("Dockerfile", DOCKERFILE.replace("debian:bookworm", &reference));
        let ran = Buildkit::shared().buildx(&project.path("")).args(["--output", "out", "."]).run();
        assert_eq!(ran.code, Some(code), "{}", ran.stderr);
    }
}

#[test]
fn a_stopped_daemon_leaves_nothing() {
    let daemon = Buildkit::start(&[]);
    let socket = daemon.address().trim_start_matches("unix://").to_owned();
    let folder = Path::new(&socket).parent().unwrap();
    assert!(daemon.store().exists());
    drop(daemon);
    assert!(!folder.exists());
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!mounts.contains(folder.to_str().unwrap()), "{mounts}");
}
