//! The ways to build one spec: here, inside BuildKit, and against it; the flags are the same for all.

use std::path::Path;
use std::sync::OnceLock;

use crate::bases;
use crate::binary::dalec;
use crate::buildkit::Buildkit;
use crate::layout::Layout;
use crate::run::{Invocation, Project};
use crate::signers::frontend_image;

/// Name under which builds inside BuildKit know our image; no registry has it.
const FRONTEND: &str = "dalec.example/frontend";

/// Who runs the graph, and where our code runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// The embedded engine.
    Embedded,
    /// BuildKit, which starts our image as a frontend for `buildx`.
    Inside,
    /// BuildKit, with our frontend in the client.
    Against,
}

impl Engine {
    /// Returns the build of `target` in the folder of `project` into `out`; flags may follow.
    pub fn build(self, project: &Project, target: &str) -> Invocation {
        match self {
            Self::Embedded => project.build(target),
            Self::Against => {
                let address = Buildkit::shared().address();
                let build = project.build(target).args(["--engine", "buildkit", "--buildkit-host", &address]);
                build.args(base_contexts())
            }
            Self::Inside => {
                let build = inside(project).args(["-f", "spec.yml", "--target", target, "--output", "out"]);
                build.arg(".")
            }
        }
    }
}

/// Returns a build by our frontend image in the folder of `project`; flags and the main context follow.
pub fn inside(project: &Project) -> Invocation {
    by_buildx(Buildkit::shared(), &project.path(""), frontend()).args(base_contexts())
}

/// Returns a build on `daemon` by the image `frontend` in `folder`; contexts, flags and the main context follow.
pub fn by_buildx(daemon: &Buildkit, folder: &Path, frontend: &Layout) -> Invocation {
    let build = daemon.buildx(folder);
    let build = build.arg("--build-arg").arg(format!("BUILDKIT_SYNTAX={FRONTEND}"));
    build.arg("--build-context").arg(format!("{FRONTEND}={}", frontend.context()))
}

/// Returns a build on `daemon` by the image `frontend` in `folder`, by BuildKit's own client; flags follow.
pub fn by_buildctl(daemon: &Buildkit, folder: &Path, frontend: &Layout) -> Invocation {
    let build = daemon.buildctl(folder).args(["build", "--progress", "plain"]);
    let build = build.args(["--frontend", "gateway.v0", "--opt", &format!("source={FRONTEND}")]);
    build.args(buildctl_context(FRONTEND, "frontend", frontend))
}

/// Returns the flags by which BuildKit's own client gives the context `name`, an image that it calls `store`.
pub fn buildctl_context(name: &str, store: &str, layout: &Layout) -> [String; 4] {
    let context = format!("context:{name}=oci-layout://{store}@{}", layout.digest());
    let store = format!("{store}={}", layout.folder().display());
    ["--opt".into(), context, "--oci-layout".into(), store]
}

/// Returns our frontend image.
pub fn frontend() -> &'static Layout {
    static IMAGE: OnceLock<Layout> = OnceLock::new();
    IMAGE.get_or_init(|| frontend_image(dalec(), "frontend", &Buildkit::shared().folder().join("frontend")))
}

/// Returns the flags that give Debian's images to a BuildKit without a registry.
pub fn base_contexts() -> Vec<String> {
    let context = |name: &str, layout: &Layout| format!("--build-context={name}={}", layout.context());
    vec![
        context("docker.io/library/debian:bookworm", &bases::base("bookworm")),
        context("dalec-bookworm-worker", &bases::worker("bookworm")),
    ]
}

/// Makes a test of each function for each engine: embedded, and inside BuildKit. Those that need a BuildKit daemon have
/// `buildkit::` in their names; behind `root:` come those whose worlds only root can make, and the others of them have
/// `root::` in their names.
#[macro_export]
macro_rules! on_both_engines {
    ($($name:ident),+ $(,)?) => { $crate::on_both_engines!(in embedded $($name)+); };
    (root: $($name:ident),+ $(,)?) => { $crate::on_both_engines!(in root $($name)+); };
    (in $module:ident $($name:ident)+) => {
        mod $module {
            $(#[test] fn $name() { super::$name($crate::engine::Engine::Embedded); })+
        }
        mod buildkit {
            $(#[test] fn $name() { super::$name($crate::engine::Engine::Inside); })+
        }
    };
}
