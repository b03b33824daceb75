//! What several of the tests build, and how.

use dalec_e2e::engine::Engine;
use dalec_e2e::rpm::Rpm;
use dalec_e2e::rpm_world;
use dalec_e2e::run::{Invocation, Project};

/// The image that probes start from: the distribution's own, with dnf.
const BASE: &str = "mcr.microsoft.com/azurelinux/base/core:3.0";

/// Returns `more` of a spec whose containers start from that image.
pub fn on_base(more: &str) -> String {
    format!("{more}image:\n  base: {BASE}\n")
}

/// Returns the build of `route` with the images of its target.
pub fn build(engine: Engine, project: &Project, route: &str) -> Invocation {
    let (target, _) = route.split_once('/').unwrap_or((route, ""));
    engine.build(project, route).args(rpm_world::contexts(target))
}

/// Returns the only binary package of a project.
pub fn package(project: &Project) -> Rpm {
    let names = project.outputs();
    let packages: Vec<&String> = names.iter().filter(|name| name.starts_with("RPMS/")).collect();
    let [name] = packages[..] else { panic!("one package was expected in {names:?}") };
    Rpm::at(&project.path("out").join(name))
}
