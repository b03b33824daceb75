//! Builds inside a real BuildKit, of which everything is in its cache: by our frontend image, and by upstream's.

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
use dalec_e2e::specs::hello;
use serde_json::{Map, Value, json};
use tempfile::TempDir;

use crate::image;
use crate::process::run;
use crate::scenarios::summary;

/// What is built; the example has one test.
const TARGET: &str = "bookworm/deb";

/// The context that brings what packages are built in, by the same name for us and for upstream.
const WORKER: &str = "dalec-bookworm-worker";

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

    /// Returns the build of `project` on `daemon` by the image `frontend`.
    fn build(self, daemon: &Buildkit, project: &Project, frontend: &Layout) -> Command {
        let (folder, worker) = (project.path(""), bases::worker("bookworm"));
        let invocation = match self {
            Self::Buildctl => {
                let build = by_buildctl(daemon, &folder, frontend);
                let build = build.args(buildctl_context(WORKER, "worker", &worker));
                let build = build.args(["--opt", "filename=spec.yml", "--opt", &format!("target={TARGET}")]);
                build.args(["--local=context=.", "--local=dockerfile=.", "--output=type=local,dest=out"])
            }
            Self::Buildx => {
                let build = by_buildx(daemon, &folder, frontend);
                let build = build.args(["--build-context", &format!("{WORKER}={}", worker.context())]);
                build.args(["-f", "spec.yml", "--target", TARGET, "--output", "out", "."])
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
    seconds: [Vec<f64>; Client::ALL.len()],
}

impl Frontend {
    fn new(name: &'static str, image: Layout) -> Self {
        Self { name, image, project: hello(), seconds: Default::default() }
    }

    /// Builds once with each client; the times count if `is_timed`.
    fn build(&mut self, daemon: &Buildkit, is_timed: bool) -> Result<(), String> {
        for (client, seconds) in Client::ALL.into_iter().zip(&mut self.seconds) {
            let cost = run(&mut client.build(daemon, &self.project, &self.image), false)?;
            // There is one, or this panics.
            self.project.output(".deb");
            if is_timed {
                seconds.push(cost.seconds);
            }
        }
        Ok(())
    }
}

/// Measures `runs` times five builds with each client by our image and, if its checkout `upstream` is given, by upstream's.
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
    // The first build fills the cache, the second one finds out what of it can be used.
    for _ in 0..2 {
        for frontend in &mut frontends {
            eprintln!("filling the cache: {}", frontend.name);
            frontend.build(&daemon.buildkit, false)?;
        }
    }
    for number in 0..runs * BUILDS {
        eprintln!("builds in BuildKit, {} of {}", number + 1, runs * BUILDS);
        for frontend in &mut frontends {
            frontend.build(&daemon.buildkit, true)?;
        }
    }
    let mut report = Map::new();
    for (at, client) in Client::ALL.into_iter().enumerate() {
        let mut times: Map<String, Value> = frontends
            .iter()
            .map(|frontend| (frontend.name.to_owned(), summary(&frontend.seconds[at])))
            .collect();
        let median = |name: &str| times.get(name).and_then(|times| times["median"].as_f64());
        let ratio = median("ours").zip(median("upstream")).map(|(ours, theirs)| ours / theirs);
        times.insert("ratio".into(), json!(ratio));
        report.insert(client.name().into(), times.into());
    }
    let sizes: Result<Map<String, Value>, String> = frontends
        .iter()
        .map(|frontend| Ok((frontend.name.to_owned(), image::size(&frontend.image)?)))
        .collect();
    let upstream = match upstream {
        Some(checkout) => json!(checkout),
        None => json!("not measured: --upstream DIR names a checkout of it"),
    };
    Ok(json!({ "upstream": upstream, "all_cached": report, "frontend_image": sizes? }))
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
