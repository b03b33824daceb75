//! Builds inside a real BuildKit on workers that are ready: by our frontend image, and by upstream's.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use dalec_e2e::bases;
use dalec_e2e::binary::{workspace, xtask};
use dalec_e2e::buildkit::Buildkit;
use dalec_e2e::engine::{buildctl_context, by_buildctl, by_buildx};
use dalec_e2e::layout::Layout;
use dalec_e2e::registry::Registry;
use dalec_e2e::run::Project;
use dalec_e2e::signers::frontend_image;
use serde_json::{Map, Value, json};
use tempfile::TempDir;

use crate::image;
use crate::kinds::{Kind, change, project};
use crate::process::run;
use crate::scenarios::summary;

/// How many builds by each frontend and client make a run.
const BUILDS: usize = 5;

/// A client of BuildKit.
#[derive(Debug, Clone, Copy)]
enum Client {
    Buildctl,
    Buildx,
}

impl Client {
    const ALL: [Self; 2] = [Self::Buildctl, Self::Buildx];

    fn name(self) -> &'static str {
        match self {
            Self::Buildctl => "buildctl",
            Self::Buildx => "buildx",
        }
    }

    /// Returns the build of `project` as `kind` on `daemon` by the image `frontend`.
    fn build(self, daemon: &Buildkit, project: &Project, kind: &Kind, frontend: &Layout) -> Command {
        let folder = project.path("");
        let invocation = match self {
            Self::Buildctl => {
                let build = by_buildctl(daemon, &folder, frontend);
                let contexts = kind.contexts.iter().enumerate();
                let build = contexts.fold(build, |build, (at, (name, image))| {
                    build.args(buildctl_context(name, &format!("image{at}"), image))
                });
                let target = format!("target={}", kind.target);
                let build = build.args(["--opt", "filename=spec.yml", "--opt", &target]);
                build.args(["--local=context=.", "--local=dockerfile=.", "--output=type=local,dest=out"])
            }
            Self::Buildx => {
                let build = by_buildx(daemon, &folder, frontend).args(kind.flags());
                build.args(["-f", "spec.yml", "--target", kind.target, "--output", "out", "."])
            }
        };
        invocation.command
    }
}

/// A daemon that finds Debian's image in a registry on loopback: upstream takes it from nowhere else.
struct Daemon {
    buildkit: Buildkit,
    /// Answers for as long as the daemon runs.
    _registry: Registry,
    _folder: TempDir,
}

impl Daemon {
    fn start() -> Result<Self, String> {
        let registry = Registry::open();
        registry.push(&bases::base("bookworm"), "library/debian:bookworm");
        let host = registry.reference("");
        let host = host.trim_end_matches('/');
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let config = folder.path().join("buildkitd.toml");
        let mirror = format!("[registry.\"docker.io\"]\nmirrors = [\"{host}\"]\n");
        std::fs::write(&config, format!("{mirror}[registry.\"{host}\"]\nhttp = true\n"))
            .map_err(|error| format!("{}: {error}", config.display()))?;
        let buildkit = Buildkit::start(&["--config", &config.display().to_string()]);
        Ok(Self { buildkit, _registry: registry, _folder: folder })
    }
}

/// Somebody's frontend, and what its builds took.
struct Frontend {
    name: &'static str,
    image: Layout,
    project: Project,
    /// Seconds by kind of package, client and what is timed.
    seconds: BTreeMap<(&'static str, &'static str, &'static str), Vec<f64>>,
}

impl Frontend {
    fn new(name: &'static str, image: Layout) -> Self {
        Self { name, image, project: project(), seconds: BTreeMap::new() }
    }

    /// Builds `kind` with each client, which takes what `timed` names if it is to be kept.
    fn build(&mut self, daemon: &Buildkit, kind: &Kind, timed: Option<&'static str>) -> Result<(), String> {
        for client in Client::ALL {
            self.build_by(client, daemon, kind, timed)?;
        }
        Ok(())
    }

    fn build_by(
        &mut self,
        client: Client,
        daemon: &Buildkit,
        kind: &Kind,
        timed: Option<&'static str>,
    ) -> Result<(), String> {
        let cost = run(&mut client.build(daemon, &self.project, kind, &self.image), false)?;
        if let Some(timed) = timed {
            self.seconds.entry((kind.target, client.name(), timed)).or_default().push(cost.seconds);
        }
        Ok(())
    }
}

/// Measures `runs` times five builds of each kind of package with each client by our image and, if its checkout
/// `upstream` is given, by upstream's: with nothing changed, and after one line of the program changed.
///
/// # Errors
/// When an image cannot be made or a build fails, with what was said.
pub fn measure(runs: usize, upstream: Option<&Path>) -> Result<Value, String> {
    let daemon = Daemon::start()?;
    let folder = daemon.buildkit.folder();
    let mut frontends = vec![Frontend::new("ours", ours(folder)?)];
    if let Some(checkout) = upstream {
        frontends.push(Frontend::new("upstream", theirs(checkout, folder)?));
    }
    let mut changes = 0;
    for kind in Kind::all() {
        // The first build fills the cache, the second one finds out what of it can be used.
        for _ in 0..2 {
            for frontend in &mut frontends {
                eprintln!("filling the cache: {}, {}", kind.target, frontend.name);
                frontend.build(&daemon.buildkit, &kind, None)?;
            }
        }
        for number in 0..runs * BUILDS {
            eprintln!("{} in BuildKit, {} of {}", kind.target, number + 1, runs * BUILDS);
            for frontend in &mut frontends {
                frontend.build(&daemon.buildkit, &kind, Some("nothing_changed"))?;
            }
        }
        for number in 0..runs * BUILDS {
            eprintln!("{} in BuildKit, changed, {} of {}", kind.target, number + 1, runs * BUILDS);
            for client in Client::ALL {
                for frontend in &mut frontends {
                    changes += 1;
                    change(&frontend.project, changes);
                    frontend.build_by(client, &daemon.buildkit, &kind, Some("line_changed"))?;
                }
            }
        }
    }
    let sizes: Result<Map<String, Value>, String> = frontends
        .iter()
        .map(|frontend| Ok((frontend.name.to_owned(), image::size(&frontend.image)?)))
        .collect();
    let upstream = match upstream {
        Some(checkout) => json!(checkout),
        None => json!("not measured: --upstream DIR names a checkout of it"),
    };
    Ok(json!({ "upstream": upstream, "builds": compare(&frontends), "frontend_image": sizes? }))
}

/// Returns what the builds of each kind took, by client and by what was timed, and our median as a part of upstream's.
fn compare(frontends: &[Frontend]) -> Value {
    let mut report = json!({});
    for (kind, client, timed) in frontends.iter().flat_map(|frontend| frontend.seconds.keys()) {
        let seconds = |frontend: &Frontend| summary(&frontend.seconds[&(*kind, *client, *timed)]);
        let times: Map<String, Value> =
            frontends.iter().map(|frontend| (frontend.name.to_owned(), seconds(frontend))).collect();
        let median = |name: &str| times.get(name).and_then(|times| times["median"].as_f64());
        let ratio = median("ours").zip(median("upstream")).map(|(ours, theirs)| ours / theirs);
        let place = &mut report[*kind][*client][*timed];
        *place = times.into();
        place["ratio"] = json!(ratio);
    }
    report
}

/// Makes our frontend image as it is published, in `folder`.
fn ours(folder: &Path) -> Result<Layout, String> {
    let folder = folder.join("ours");
    eprintln!("building our frontend image");
    let mut image = Command::new(xtask());
    run(image.args(["image", "--oci"]).arg(&folder).current_dir(workspace()), false)?;
    Ok(Layout::open(&folder))
}

/// Makes an image of upstream's frontend from a checkout, in `folder`.
fn theirs(checkout: &Path, folder: &Path) -> Result<Layout, String> {
    let program = folder.join("upstream-frontend");
    eprintln!("building upstream's frontend");
    let mut go = Command::new("go");
    go.args(["build", "-trimpath", "-o"]).arg(&program).arg("./cmd/frontend");
    run(go.current_dir(checkout).env("CGO_ENABLED", "0"), false)?;
    Ok(frontend_image(&program, "frontend", &program.with_extension("image")))
}
