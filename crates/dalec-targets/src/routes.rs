//! The routes: what can be built, under which name, and the plan for each.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use dalec_llb::State;
use dalec_spec::target_spec::{BuildSource, TargetSpec};

use crate::containers::{self, Container, minimal, testing};
use crate::deb::distro::{DISTROS, DebDistro};
use crate::deb::package::Package;
use crate::deb::worker::Worker;
use crate::error::PlanError;
use crate::image_config::{self, ImageConfig};
use crate::request::{Answers, Options, Plan, Questions, Request};
use crate::{sources, spec_tests, unsupported};

/// One thing that can be built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Name, `TARGET` or `TARGET/WHAT`.
    pub name: String,
    /// One line about the result.
    pub description: String,
    /// Left out of lists.
    pub hidden: bool,
    /// Marked in lists as what people want most.
    pub default: bool,
    distro: &'static DebDistro,
    product: Product,
}

/// What a route yields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Product {
    Packages,
    SourcePackage,
    MinimalContainer,
    TestingContainer,
    Worker,
}

impl Route {
    /// Returns the target key, by which a spec's `targets` section names it.
    pub fn target(&self) -> &str {
        self.distro.key
    }
}

/// Returns the keys of all targets that the language has a meaning for, sorted; not all of them can be built yet.
///
/// They are upstream's (reference: its list of targets), so that a spec for the whole family has no unknown targets.
pub const TARGET_KEYS: &[&str] = &[
    "almalinux8",
    "almalinux9",
    "azlinux3",
    "azlinux4",
    "bionic",
    "bookworm",
    "bullseye",
    "flatcar",
    "focal",
    "jammy",
    "noble",
    "resolute",
    "rockylinux8",
    "rockylinux9",
    "trixie",
    "windowscross",
];

/// Returns every route, hidden ones too, sorted by name.
pub fn all() -> &'static [Route] {
    static ROUTES: OnceLock<Vec<Route>> = OnceLock::new();
    ROUTES.get_or_init(|| {
        let mut routes: Vec<Route> = DISTROS.iter().flat_map(of_distro).collect();
        routes.sort_by(|a, b| a.name.cmp(&b.name));
        routes
    })
}

/// Returns the route called `name`.
///
/// # Errors
/// [`PlanError::UnknownRoute`] with the routes that are listed.
pub fn find(name: &str) -> Result<&'static Route, PlanError> {
    all().iter().find(|route| route.name == name).ok_or_else(|| PlanError::UnknownRoute {
        route: name.to_owned(),
        known: all().iter().filter(|route| !route.hidden).map(|route| route.name.clone()).collect(),
    })
}

fn of_distro(distro: &'static DebDistro) -> Vec<Route> {
    let title = distro.title;
    let route = |suffix: &str, product: Product, description: String| Route {
        name: format!("{}{suffix}", distro.key),
        description,
        hidden: suffix.is_empty(),
        default: suffix == "/deb",
        distro,
        product,
    };
    let packages = format!("Debian packages for {title}");
    vec![
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
    ]
}

/// Checks that `spec` uses nothing that `route` cannot build yet, before anything is looked up for it.
///
/// # Errors
/// [`PlanError::Unsupported`] with everything that cannot be built.
pub fn check(route: &Route, spec: &TargetSpec, options: &Options) -> Result<(), PlanError> {
    match route.product {
        Product::Worker => Ok(()),
        Product::SourcePackage => unsupported::check_sources(spec),
        Product::Packages => unsupported::check_sources(spec)
            .and_then(|()| unsupported::check_container(spec, !options.skip_tests)),
        // Whether the packages are built or given is only known with the answers.
        Product::MinimalContainer | Product::TestingContainer => {
            unsupported::check_container(spec, !options.skip_tests)
        }
    }
}

/// Returns what must be known to plan `route` for `spec`.
pub fn questions(route: &Route, spec: &TargetSpec) -> Questions {
    let distro = route.distro;
    let worker = distro.worker_question();
    let mut questions = Questions {
        images: vec![worker.clone()],
        contexts: vec![distro.worker_context()],
        unless: BTreeMap::from([(worker, distro.worker_context())]),
    };
    if route.product != Product::Worker {
        questions.contexts.extend(sources::contexts(spec.sources.values()));
    }
    // A base that cannot be asked for is reported when planning.
    match route.product {
        Product::Packages | Product::TestingContainer => {
            questions.images.extend(testing::image(spec, distro));
            questions.contexts.extend(spec_tests::contexts(spec));
        }
        Product::MinimalContainer => {
            questions.images.extend(minimal::image(spec, distro));
            questions.contexts.extend(spec_tests::contexts(spec));
        }
        Product::SourcePackage | Product::Worker => {}
    }
    if matches!(route.product, Product::MinimalContainer | Product::TestingContainer) {
        questions.contexts.extend(containers::prebuilt_contexts(distro.key));
    }
    questions.images.sort();
    questions.images.dedup();
    questions.contexts.sort();
    questions.contexts.dedup();
    questions
}

/// Returns the Dockerfiles that other frontends must build before `route` is planned; `tests` says whether tests run.
pub fn builds<'a>(
    route: &Route,
    spec: &'a TargetSpec,
    tests: bool,
    answers: &Answers,
) -> Vec<&'a BuildSource> {
    let is_built = match route.product {
        Product::Packages | Product::SourcePackage => true,
        Product::MinimalContainer | Product::TestingContainer => {
            containers::prebuilt(answers, route.target()).is_none()
        }
        Product::Worker => false,
    };
    let sources = spec.sources.values().filter(|_| is_built);
    let has_tests = tests && !matches!(route.product, Product::SourcePackage | Product::Worker);
    sources::builds(sources.chain(spec_tests::mounted(spec).filter(|_| has_tests)))
}

/// Returns the graph of `route` for `request`.
///
/// # Errors
/// [`PlanError`] for what the request lacks or what cannot be expressed in what is to be built.
pub fn plan(route: &Route, request: &Request<'_>) -> Result<Plan, PlanError> {
    check(route, request.spec, &request.options)?;
    let distro = route.distro;
    let worker = Worker::new(request, distro)?;
    match route.product {
        Product::Worker => {
            let config = ImageConfig { config: worker.config.config, ..platform_only(request) };
            Ok(Plan { result: worker.root, config: Some(config), ..Plan::default() })
        }
        Product::SourcePackage => {
            let result = Package::new(request, distro, worker)?.source()?;
            Ok(Plan { result, config: Some(platform_only(request)), ..Plan::default() })
        }
        Product::Packages => packages(request, distro, worker),
        Product::MinimalContainer => container(request, distro, worker, |worker, packages| {
            minimal::plan(request, distro, worker, packages)
        }),
        Product::TestingContainer => {
            container(request, distro, worker, |_, packages| testing::plan(request, distro, packages))
        }
    }
}

/// Packages are only good when a container with them can be made and passes the spec's tests.
fn packages(request: &Request<'_>, distro: &DebDistro, worker: Worker) -> Result<Plan, PlanError> {
    let built = Package::new(request, distro, worker)?.build()?;
    let container = testing::plan(request, distro, &built.packages)?;
    let mut requires = spec_tests::plan(request, &container)?;
    requires.push(container.root);
    Ok(Plan {
        result: built.everything,
        requires,
        to_sign: built.to_sign,
        config: Some(platform_only(request)),
        warnings: warnings(request),
        ..Plan::default()
    })
}

fn container(
    request: &Request<'_>,
    distro: &DebDistro,
    worker: Worker,
    assemble: impl Fn(&State, &State) -> Result<Container, PlanError>,
) -> Result<Plan, PlanError> {
    let mut warnings = warnings(request);
    let root = worker.root.clone();
    let (packages, to_sign) = match containers::prebuilt(request.answers, distro.key) {
        Some(prebuilt) => {
            warnings.push(prebuilt.warning);
            (prebuilt.packages, None)
        }
        None => {
            unsupported::check_sources(request.spec)?;
            let built = Package::new(request, distro, worker)?.build()?;
            (built.packages, built.to_sign)
        }
    };
    let container = assemble(&root, &packages)?;
    let requires = spec_tests::plan(request, &container)?;
    let config =
        image_config::for_container(container.base.as_ref(), &request.platform, &request.spec.image)?;
    let base_config = container.base;
    Ok(Plan { result: container.root, requires, to_sign, config: Some(config), base_config, warnings })
}

fn warnings(request: &Request<'_>) -> Vec<String> {
    let mut warnings: Vec<String> = spec_tests::skip_warning(request).into_iter().collect();
    warnings.extend(unsupported::warnings(request.spec));
    warnings
}

/// Results that are no images still say which platform they are for.
fn platform_only(request: &Request<'_>) -> ImageConfig {
    let platform = request.platform.clone();
    ImageConfig {
        os: platform.os,
        architecture: platform.architecture,
        variant: platform.variant,
        ..ImageConfig::default()
    }
}

#[cfg(test)]
mod tests;
