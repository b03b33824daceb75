//! The routes below `debug/`.

use dalec_spec::target_spec::TargetSpec;

use super::plan;
use crate::deb::distro::{self, DebDistro};
use crate::error::PlanError;
use crate::family::{self, Recipe, Uses};
use crate::generators::{KINDS, Kind};
use crate::request::{ImageQuestion, Plan, Request};
use crate::routes::Route;
use crate::worker::WorkerQuestion;

/// Target key of everything here; no spec has a section for it.
pub(super) const KEY: &str = "debug";

/// Name of the suite that the tools are from. Programs for it are new enough for sources of today.
const SUITE: &str = "trixie";

/// What is made of the spec.
#[derive(Debug, Clone, Copy)]
pub(super) enum Product {
    Resolved,
    Sources,
    PatchedSources,
    Downloads(&'static Kind),
}

/// Returns the routes.
pub(crate) fn all() -> Vec<Route> {
    let route = |name: &str, product: Product, description: String| Route {
        name: format!("{KEY}/{name}"),
        description,
        hidden: false,
        default: false,
        target: KEY,
        recipe: Box::new(product),
    };
    let downloads = KINDS.iter().map(|kind| {
        let description = format!("{} that the sources ask for", kind.title);
        route(kind.route, Product::Downloads(kind), description)
    });
    let mut routes = vec![
        route(
            "resolve",
            Product::Resolved,
            "the spec with its arguments expanded and defaults filled in".into(),
        ),
        route("sources", Product::Sources, "the sources as they are fetched".into()),
        route(
            "patched-sources",
            Product::PatchedSources,
            "the sources with patches and edits applied".into(),
        ),
    ];
    routes.extend(downloads);
    routes
}

impl Product {
    /// Returns the named context that replaces the worker, and the packages that the worker has otherwise.
    fn tools(&self) -> Option<(&'static str, &'static [&'static str])> {
        match self {
            Self::Resolved | Self::Sources => None,
            Self::PatchedSources => Some((
                "patched-sources-worker",
                &["ca-certificates", "git", "golang-go", "openssh-client", "patch"],
            )),
            Self::Downloads(kind) => Some((kind.worker, kind.tools)),
        }
    }
}

/// Returns what the tools are from.
fn tools_of() -> &'static DebDistro {
    distro::find(SUITE).expect("the suite is one of Debian's")
}

impl Recipe for Product {
    fn uses(&self) -> Uses {
        match self {
            Self::Resolved => Uses::NOTHING,
            Self::Sources | Self::PatchedSources | Self::Downloads(_) => Uses::SOURCES,
        }
    }

    fn worker(&self) -> Option<WorkerQuestion> {
        let (context, packages) = self.tools()?;
        let packages = packages.iter().map(|name| (*name).to_owned()).collect();
        let image = ImageQuestion { reference: tools_of().image.to_owned(), packages, of_result: false };
        Some(WorkerQuestion { context: context.to_owned(), image })
    }

    fn base(&self, _: &TargetSpec, _: bool) -> Result<Option<ImageQuestion>, PlanError> {
        Ok(None)
    }

    /// What is downloaded is the same for all platforms.
    fn is_cross(&self) -> bool {
        self.tools().is_some()
    }

    fn runs(&self, _: &TargetSpec) -> Option<&'static str> {
        None
    }

    fn plan(&self, request: &Request<'_>) -> Result<Plan, PlanError> {
        let worker = || match self.worker() {
            Some(question) => crate::deb::worker::plan_as(request, tools_of(), &question).map(Some),
            None => Ok(None),
        };
        let worker = worker()?;
        let plan = match (self, worker) {
            (Self::PatchedSources, Some(worker)) => {
                family::files(request, plan::patched_sources(request, &worker)?)
            }
            (Self::Downloads(kind), Some(worker)) => {
                let downloads = plan::downloads(request, &worker, kind)?;
                let none = format!("no source of the spec asks for {}", kind.title);
                let warnings = if downloads.is_none() { vec![none] } else { Vec::new() };
                Plan { warnings, ..family::files(request, downloads.unwrap_or_default()) }
            }
            (Self::Sources, _) => family::files(request, plan::sources(request)?),
            _ => family::files(request, plan::resolved(request.spec)),
        };
        Ok(plan)
    }
}
