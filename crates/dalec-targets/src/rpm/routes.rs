//! The routes of RPM distributions.

use dalec_spec::target_spec::TargetSpec;

use crate::error::PlanError;
use crate::family::{self, Recipe, Uses};
use crate::request::{ImageQuestion, Plan, Request};
use crate::routes::Route;
use crate::rpm::container::{self, Content};
use crate::rpm::distro::{DISTROS, RpmDistro};
use crate::rpm::meta::Meta;
use crate::rpm::names::check_package;
use crate::rpm::package::Package;
use crate::rpm::{sysext, worker};
use crate::worker::{Worker, WorkerQuestion};

/// One product of one distribution.
#[derive(Debug)]
struct RpmRecipe {
    distro: &'static RpmDistro,
    product: Product,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Product {
    Packages,
    Container,
    DependenciesContainer,
    SystemExtension,
    Worker,
    BuildRoot,
    Sources,
    SpecFile,
}

/// Returns the routes of every distribution.
pub(crate) fn all() -> Vec<Route> {
    DISTROS.iter().flat_map(of_distro).collect()
}

pub(super) fn of_distro(distro: &'static RpmDistro) -> Vec<Route> {
    let title = distro.title;
    let route = |suffix: &str, product: Product, description: String| Route {
        name: format!("{}{suffix}", distro.key),
        description,
        hidden: suffix.is_empty() || distro.retired,
        default: suffix == "/container" && !distro.retired,
        target: distro.key,
        recipe: Box::new(RpmRecipe { distro, product }),
    };
    let container = format!("container with the package, from {title}");
    let mut routes = vec![
        route("", Product::Container, container.clone()),
        route("/rpm", Product::Packages, format!("RPM packages, source and binary, for {title}")),
        route("/container", Product::Container, container),
        route(
            "/container/depsonly",
            Product::DependenciesContainer,
            format!("container with what the package needs at run time, from {title}"),
        ),
        route("/worker", Product::Worker, format!("the image that packages for {title} are built in")),
        route("/rpm/debug/buildroot", Product::BuildRoot, "what rpmbuild starts from".into()),
        route("/rpm/debug/sources", Product::Sources, "the sources as rpmbuild gets them".into()),
        route("/rpm/debug/spec", Product::SpecFile, "the generated RPM spec file".into()),
    ];
    if !distro.extension_packages.is_empty() {
        let description = format!("system extension with the package, from {title}");
        routes.push(route("/testing/sysext", Product::SystemExtension, description));
    }
    routes
}

impl Recipe for RpmRecipe {
    fn uses(&self) -> Uses {
        match self.product {
            Product::Packages => Uses::PACKAGES,
            Product::Container | Product::SystemExtension => Uses::CONTAINER,
            Product::DependenciesContainer => Uses { container: true, ..Uses::NOTHING },
            Product::BuildRoot | Product::Sources => Uses::SOURCES,
            Product::Worker | Product::SpecFile => Uses::NOTHING,
        }
    }

    fn needs(&self) -> &'static [&'static str] {
        &["name", "version", "revision", "description", "license"]
    }

    fn worker(&self) -> Option<WorkerQuestion> {
        (self.product != Product::SpecFile).then(|| worker::question(self.distro))
    }

    fn uses_untried(&self) -> Uses {
        let container = matches!(self.product, Product::Container | Product::DependenciesContainer);
        Uses { container, tests: false, ..self.uses() }
    }

    fn base(&self, spec: &TargetSpec, foreign: bool) -> Result<Option<ImageQuestion>, PlanError> {
        if foreign && self.product == Product::Worker {
            return Ok(Some(worker::foreign_base(self.distro)));
        }
        let uses = if foreign { self.uses_untried() } else { self.uses() };
        if uses.container { container::image(spec) } else { Ok(None) }
    }

    fn check(&self, spec: &TargetSpec) -> Result<(), PlanError> {
        match self.product {
            Product::SystemExtension => sysext::check(spec),
            _ => Ok(()),
        }
    }

    fn runs(&self, _: &TargetSpec) -> Option<&'static str> {
        None
    }

    fn is_worker(&self) -> bool {
        self.product == Product::Worker
    }

    fn plan(&self, request: &Request<'_>) -> Result<Plan, PlanError> {
        let distro = self.distro;
        let package = || Package::new(request, distro);
        let worker = || worker::plan(request, distro);
        let container =
            |worker: &Worker, content: &Content<'_>| container::plan(request, distro, &worker.root, content);
        match self.product {
            Product::SpecFile => Ok(family::files(request, package()?.spec_file())),
            Product::Worker if request.options.foreign.is_some() => {
                Ok(family::worker(request, worker::plan_foreign(request, distro, &worker()?)?))
            }
            Product::Worker => Ok(family::worker(request, worker()?)),
            Product::Sources => Ok(family::files(request, package()?.sources(&worker()?)?)),
            Product::BuildRoot => Ok(family::files(request, package()?.build_root(&worker()?)?)),
            Product::Packages => {
                let worker = worker()?;
                let built = package()?.build(&worker)?;
                family::packages(request, built, |packages| container(&worker, &Content::Packages(packages)))
            }
            Product::Container => {
                let worker = worker()?;
                family::container(
                    request,
                    distro.key,
                    || package()?.build(&worker),
                    |packages| container(&worker, &Content::Packages(packages)),
                )
            }
            Product::SystemExtension => sysext::plan(request, distro, &worker()?),
            Product::DependenciesContainer => {
                let meta = dependencies(request.spec)?;
                family::untested_container(request, container(&worker()?, &Content::Dependencies(&meta))?)
            }
        }
    }
}

/// Returns the package that requires what the spec's package needs at run time. The spec need say nothing else.
fn dependencies(spec: &TargetSpec) -> Result<Meta, PlanError> {
    let list = &spec.dependencies.runtime;
    if list.is_empty() {
        return Err(PlanError::Invalid {
            message: "there are no runtime dependencies to make a container of".into(),
            spans: Vec::new(),
            hint: Some("name them in `dependencies.runtime`".into()),
        });
    }
    let name = if spec.name.is_empty() { "dalec-user" } else { &spec.name };
    check_package(name).map_err(|error| error.at(spec.places.name))?;
    Meta::requiring(&format!("{name}-runtime-deps"), "what the package needs at run time", list)
}
