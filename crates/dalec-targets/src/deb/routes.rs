//! The routes of Debian distributions.

use dalec_spec::target_spec::TargetSpec;

use crate::containers::{minimal, testing};
use crate::deb::distro::{DISTROS, DebDistro, find};
use crate::deb::package::Package;
use crate::deb::{sysext, worker};
use crate::error::PlanError;
use crate::family::{self, Recipe, Uses};
use crate::request::{ImageQuestion, Plan, Request};
use crate::routes::Route;
use crate::sysext::host::{HOSTS, Host};
use crate::sysext::{ANYWHERE, Defaults};
use crate::worker::WorkerQuestion;

/// One product of one distribution.
#[derive(Debug)]
struct DebRecipe {
    distro: &'static DebDistro,
    product: Product,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Product {
    Packages,
    SourcePackage,
    MinimalContainer,
    TestingContainer,
    SystemExtension { target: &'static str, defaults: &'static Defaults },
    Worker,
}

/// Returns the routes of every distribution, and of the systems that have extensions made of its packages.
pub(crate) fn all() -> Vec<Route> {
    DISTROS.iter().flat_map(of_distro).chain(HOSTS.iter().flat_map(of_host)).collect()
}

fn of_distro(distro: &'static DebDistro) -> Vec<Route> {
    let title = distro.title;
    let route = |suffix: &str, product: Product, description: String| Route {
        name: format!("{}{suffix}", distro.key),
        description,
        hidden: suffix.is_empty(),
        default: suffix == "/deb",
        target: distro.key,
        recipe: Box::new(DebRecipe { distro, product }),
    };
    let packages = format!("Debian packages for {title}");
    let mut routes = vec![
        route("", Product::Packages, packages.clone()),
        route("/deb", Product::Packages, packages),
        route("/dsc", Product::SourcePackage, format!("Debian source package for {title}")),
        route(
            "/container",
            Product::MinimalContainer,
            format!("minimal container with the package, from {title}"),
        ),
        route(
            "/testing/container",
            Product::TestingContainer,
            format!("{title} container with the package, for tests"),
        ),
        route("/worker", Product::Worker, format!("the image that packages for {title} are built in")),
    ];
    if !distro.extension_packages.is_empty() {
        let product = Product::SystemExtension { target: distro.key, defaults: &ANYWHERE };
        routes.push(route(
            "/testing/sysext",
            product,
            format!("system extension with the package, from {title}"),
        ));
    }
    routes
}

fn of_host(host: &'static Host) -> Vec<Route> {
    let Host { key, title, defaults, .. } = host;
    let Some(distro) = find(host.distro) else { return Vec::new() };
    let route = |suffix: &str, product: Product, description: String| Route {
        name: format!("{key}{suffix}"),
        description,
        hidden: false,
        default: suffix == "/testing/sysext",
        target: key,
        recipe: Box::new(DebRecipe { distro, product }),
    };
    vec![
        route(
            "/testing/sysext",
            Product::SystemExtension { target: key, defaults },
            format!("system extension with the package for {title}, from {}", distro.title),
        ),
        route("/worker", Product::Worker, format!("the image that packages for {title} are built in")),
    ]
}

impl Recipe for DebRecipe {
    fn uses(&self) -> Uses {
        match self.product {
            Product::Worker => Uses::NOTHING,
            Product::SourcePackage => Uses::SOURCES,
            Product::Packages => Uses::PACKAGES,
            Product::MinimalContainer | Product::TestingContainer | Product::SystemExtension { .. } => {
                Uses::CONTAINER
            }
        }
    }

    fn needs(&self) -> &'static [&'static str] {
        &["name", "version", "revision", "packager"]
    }

    fn worker(&self) -> Option<WorkerQuestion> {
        Some(worker::question(self.distro))
    }

    fn uses_untried(&self) -> Uses {
        let container = self.product == Product::MinimalContainer;
        Uses { container, tests: false, ..self.uses() }
    }

    fn base(&self, spec: &TargetSpec, foreign: bool) -> Result<Option<ImageQuestion>, PlanError> {
        match self.product {
            _ if foreign => Ok(None),
            Product::Packages | Product::TestingContainer | Product::SystemExtension { .. } => {
                testing::image(spec, self.distro).map(Some)
            }
            Product::MinimalContainer => minimal::image(spec, self.distro).map(Some),
            Product::SourcePackage | Product::Worker => Ok(None),
        }
    }

    fn check(&self, spec: &TargetSpec) -> Result<(), PlanError> {
        match self.product {
            Product::SystemExtension { .. } => sysext::check(spec, self.distro),
            _ => Ok(()),
        }
    }

    fn runs(&self, spec: &TargetSpec) -> Option<&'static str> {
        match self.product {
            Product::MinimalContainer if !spec.image.bases.is_empty() => {
                Some("the base image's own apt has to run")
            }
            Product::TestingContainer => Some("its own apt has to run"),
            Product::Worker => Some(family::SCRIPTS),
            Product::Packages
            | Product::SourcePackage
            | Product::MinimalContainer
            | Product::SystemExtension { .. } => None,
        }
    }

    fn is_worker(&self) -> bool {
        self.product == Product::Worker
    }

    fn plan(&self, request: &Request<'_>) -> Result<Plan, PlanError> {
        let distro = self.distro;
        let worker = worker::plan(request, distro)?;
        let root = worker.root.clone();
        match self.product {
            Product::Worker => Ok(family::worker(request, worker)),
            Product::SourcePackage => {
                Ok(family::files(request, Package::new(request, distro, worker)?.source()?))
            }
            Product::Packages => {
                let built = Package::new(request, distro, worker)?.build()?;
                family::packages(request, built, |packages| testing::plan(request, distro, packages))
            }
            Product::MinimalContainer => {
                let build = || Package::new(request, distro, worker)?.build();
                let assemble = |packages: &_| minimal::plan(request, distro, &root, packages);
                family::container(request, distro.key, build, assemble)
            }
            Product::TestingContainer => {
                let build = || Package::new(request, distro, worker)?.build();
                family::container(request, distro.key, build, |packages| {
                    testing::plan(request, distro, packages)
                })
            }
            Product::SystemExtension { target, defaults } => {
                sysext::plan(request, distro, worker, target, defaults)
            }
        }
    }
}
