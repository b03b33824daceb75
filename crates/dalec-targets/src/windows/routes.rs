//! The routes of Windows.

use dalec_spec::Platform;
use dalec_spec::target_spec::{Artifacts, Directories, Systemd, TargetSpec};

use super::worker::{DISTRO, KEY};
use super::{container, programs, zip};
use crate::deb::worker;
use crate::error::PlanError;
use crate::family::{self, Recipe, Uses};
use crate::request::{BaseQuestion, ImageQuestion, Plan, Request};
use crate::routes::Route;
use crate::worker::WorkerQuestion;

/// What is made of the programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Product {
    Zip,
    Container,
    Worker,
}

/// Returns the routes.
pub(crate) fn all() -> Vec<Route> {
    let route = |suffix: &str, product: Product, description: &str| Route {
        name: format!("{KEY}{suffix}"),
        description: description.to_owned(),
        hidden: suffix.is_empty(),
        default: suffix == "/container",
        target: KEY,
        recipe: Box::new(product),
    };
    let container = "container with the programs, from one or several images of Windows";
    vec![
        route("", Product::Container, container),
        route("/container", Product::Container, container),
        route("/zip", Product::Zip, "zip file with the programs for Windows"),
        route("/worker", Product::Worker, "the image that programs for Windows are built in"),
    ]
}

impl Recipe for Product {
    fn uses(&self) -> Uses {
        match self {
            Self::Zip => Uses::SOURCES,
            Self::Container => Uses { container: true, ..Uses::SOURCES },
            Self::Worker => Uses::NOTHING,
        }
    }

    fn needs(&self) -> &'static [&'static str] {
        &["name", "version", "revision"]
    }

    fn worker(&self) -> Option<WorkerQuestion> {
        Some(worker::question(&DISTRO))
    }

    fn base(&self, _: &TargetSpec, _: bool) -> Result<Option<ImageQuestion>, PlanError> {
        Ok(None)
    }

    fn check(&self, spec: &TargetSpec) -> Result<(), PlanError> {
        match self {
            Self::Container => container::check(spec),
            Self::Zip if spec.artifacts.binaries.is_empty() => Err(PlanError::Invalid {
                message: "a zip file for Windows has nothing but the programs in `artifacts.binaries`, and there are none".into(),
                spans: Vec::new(),
                hint: Some("name the programs, for example `artifacts: {binaries: {hello.exe: {}}}`".into()),
            }),
            Self::Zip | Self::Worker => Ok(()),
        }
    }

    /// Programs are for Windows unless the client says otherwise; a worker is what it runs on.
    fn platforms(&self, asked: &[Platform], build: &Platform) -> Result<Vec<Platform>, PlanError> {
        match (self, asked) {
            (Self::Worker, _) => Ok(vec![build.clone()]),
            (_, []) => Ok(vec![Platform { os: "windows".into(), ..build.clone() }]),
            (Self::Container, [_, _, ..]) => Err(PlanError::Invalid {
                message: "multi-platform output is not supported for containers of Windows".into(),
                spans: Vec::new(),
                hint: Some(
                    "ask for one platform; several `image.bases` give an image for each of theirs".into(),
                ),
            }),
            (_, asked) => Ok(asked.to_vec()),
        }
    }

    fn is_cross(&self) -> bool {
        true
    }

    fn bases(&self, spec: &TargetSpec) -> Vec<BaseQuestion> {
        match self {
            Self::Container => container::bases(spec),
            Self::Zip | Self::Worker => Vec::new(),
        }
    }

    fn plan(&self, request: &Request<'_>) -> Result<Plan, PlanError> {
        let worker = worker::plan(request, &DISTRO)?;
        if *self == Self::Worker {
            return Ok(family::worker(request, worker));
        }
        let programs = programs::plan(request, &worker)?;
        let plan = match self {
            Self::Container => container::plan(request, &programs.files)?,
            _ => family::files(request, zip::plan(request, &worker, &programs.files)?),
        };
        Ok(Plan { to_sign: programs.to_sign, warnings: warnings(request), ..plan })
    }
}

/// Returns what people may miss in the result.
fn warnings(request: &Request<'_>) -> Vec<String> {
    let mut warnings = family::warnings(request);
    let spec = request.spec;
    if !request.options.skip_tests && !spec.tests.is_empty() {
        warnings.push("the spec's tests are not run: nothing here runs programs for Windows".to_owned());
    }
    let left_out = left_out(&spec.artifacts);
    if !left_out.is_empty() {
        let left_out = left_out.join(", ");
        warnings.push(format!("only `binaries` of the artifacts are packaged for Windows, not {left_out}"));
    }
    warnings
}

/// Returns the kinds of artifacts that no product has.
fn left_out(artifacts: &Artifacts) -> Vec<&'static str> {
    let Artifacts {
        binaries: _,
        manpages,
        data_dirs,
        libexec,
        opt,
        config_files,
        docs,
        licenses,
        libs,
        headers,
        directories,
        links,
        systemd,
        users,
        groups,
        // Nothing strips programs here, nor looks for what they depend on.
        disable_strip: _,
        disable_auto_requires: _,
    } = artifacts;
    let kinds = [
        ("configFiles", config_files.is_empty()),
        ("createDirectories", *directories == Directories::default()),
        ("data_dirs", data_dirs.is_empty()),
        ("docs", docs.is_empty()),
        ("groups", groups.is_empty()),
        ("headers", headers.is_empty()),
        ("libexec", libexec.is_empty()),
        ("libs", libs.is_empty()),
        ("licenses", licenses.is_empty()),
        ("links", links.is_empty()),
        ("manpages", manpages.is_empty()),
        ("opt", opt.is_empty()),
        ("systemd", *systemd == Systemd::default()),
        ("users", users.is_empty()),
    ];
    kinds.into_iter().filter(|(_, is_empty)| !is_empty).map(|(name, _)| name).collect()
}
