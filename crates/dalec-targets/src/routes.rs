//! The routes: what can be built, under which name, and the plan for each.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use dalec_spec::target_spec::{Source, TargetSpec};
use dalec_spec::{Platform, Target};

use crate::error::PlanError;
use crate::family::{self, Recipe, SourceUse, Uses};
use crate::request::{Answers, BaseQuestion, Options, Plan, Questions, Request};
use crate::sources::Dockerfile;
use crate::unmatched::{self, Patterns};
use crate::{caches, containers, deb, debug, repositories, rpm, sources, spec_tests, unsupported, windows};

/// One thing that can be built.
#[derive(Debug)]
pub struct Route {
    /// Name, `TARGET` or `TARGET/WHAT`.
    pub name: String,
    /// One line about the result.
    pub description: String,
    /// Left out of lists.
    pub hidden: bool,
    /// Marked in lists as what people want most.
    pub default: bool,
    pub(crate) target: &'static str,
    pub(crate) recipe: Box<dyn Recipe>,
}

impl Route {
    /// Returns the target key, by which a spec's `targets` section names it.
    pub fn target(&self) -> &str {
        self.target
    }
}

/// The keys of all targets, sorted. They are upstream's (reference: its list of targets), so that a spec for the whole
/// family has no unknown targets.
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
    "mariner2",
    "noble",
    "resolute",
    "rockylinux8",
    "rockylinux9",
    "trixie",
    "windowscross",
];

/// Returns all targets, in the order of [`TARGET_KEYS`].
pub fn known_targets() -> Vec<Target> {
    let needs = |key: &str| all().iter().find(|route| route.target == key).map(|route| route.recipe.needs());
    TARGET_KEYS.iter().map(|key| Target { key, needs: needs(key).unwrap_or_default() }).collect()
}

/// The phases of a build, by the names under which they can be built again.
pub const PHASES: [&str; 4] =
    [family::SOURCE_CACHE_KEY, family::BINARY_CACHE_KEY, containers::CACHE_KEY, spec_tests::CACHE_KEY];

/// Returns every route, hidden ones too, sorted by name.
pub fn all() -> &'static [Route] {
    static ROUTES: OnceLock<Vec<Route>> = OnceLock::new();
    ROUTES.get_or_init(|| {
        let families = [deb::routes::all(), debug::routes::all(), rpm::routes::all(), windows::routes::all()];
        let mut routes: Vec<Route> = families.into_iter().flatten().collect();
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

/// Returns the platforms to build `route` for, at least one, when the client asks for `asked`, which may be none, and the
/// machine is a `build`.
///
/// # Errors
/// [`PlanError::Invalid`] for platforms that cannot be built for together.
pub fn platforms(route: &Route, asked: &[Platform], build: &Platform) -> Result<Vec<Platform>, PlanError> {
    route.recipe.platforms(asked, build)
}

/// Returns whether the steps of `route` run on the platform of the machine, whatever operating system the result is for.
pub fn is_cross(route: &Route) -> bool {
    route.recipe.is_cross()
}

/// Returns whether the result of `route` is a context that is `given`, as it is: nothing has to run for it.
pub fn is_given(route: &Route, given: impl FnOnce(&str) -> bool) -> bool {
    route.recipe.is_worker() && route.recipe.worker().is_some_and(|worker| given(&worker.context))
}

/// Returns the images each of which gets a result of its own, for the platform that it is for; none where the
/// platforms that are built for say how many results there are.
pub fn bases(route: &Route, spec: &TargetSpec) -> Vec<BaseQuestion> {
    route.recipe.bases(spec)
}

/// Checks that `spec` can be built as `route` wants it, before anything is looked up for it.
///
/// # Errors
/// [`PlanError::Unsupported`] with everything that cannot be built yet, or what the route says.
pub fn check(route: &Route, spec: &TargetSpec, options: &Options) -> Result<(), PlanError> {
    if let (Some(platform), Some(why)) = (&options.foreign, route.recipe.runs(spec)) {
        let (route, platform) = (route.name.clone(), platform.to_string());
        return Err(PlanError::Foreign { route, platform, why });
    }
    let uses = uses(route, options);
    // Whether packages are built or given is sometimes only known with the answers.
    if uses.sources == SourceUse::Used {
        unsupported::check_sources(spec)?;
    }
    if uses.container {
        unsupported::check_container(spec, uses.tests && !options.skip_tests)?;
    }
    route.recipe.check(spec)
}

/// Returns what of a spec `route` is made from.
fn uses(route: &Route, options: &Options) -> Uses {
    if options.foreign.is_some() { route.recipe.uses_untried() } else { route.recipe.uses() }
}

/// Returns what must be known to plan `route` for `spec`.
pub fn questions(route: &Route, spec: &TargetSpec, options: &Options) -> Questions {
    let uses = uses(route, options);
    let mut questions = Questions::default();
    if let Some(worker) = route.recipe.worker() {
        questions.unless = BTreeMap::from([(worker.image.clone(), vec![worker.context.clone()])]);
        questions.images.push(worker.image);
        questions.contexts.push(worker.context);
    }
    // A base that cannot be asked for is reported when planning.
    if let Some(base) = route.recipe.base(spec, options.foreign.is_some()).ok().flatten() {
        let written = spec.image.bases.first().map(|written| (base.clone(), written.rootfs.span));
        questions.places.extend(written);
        questions.images.push(base);
    }
    let others = others(uses, spec, uses.tests);
    questions.contexts.extend(sources::contexts(others.iter().copied()));
    let images = sources::images(others);
    questions.images.extend(images.keys().cloned());
    questions.places.extend(images);
    if uses.sources != SourceUse::Unused {
        questions.contexts_of_result.extend(sources::contexts(spec.sources.values()));
        questions.contexts.extend(caches::contexts(spec));
        for (image, span) in sources::images(spec.sources.values()) {
            if uses.sources == SourceUse::UnlessPrebuilt && !questions.images.contains(&image) {
                questions.unless.insert(image.clone(), containers::prebuilt_contexts(route.target).into());
            }
            questions.places.entry(image.clone()).or_insert(span);
            questions.images.push(image);
        }
    }
    if uses.sources == SourceUse::UnlessPrebuilt {
        questions.contexts_of_result.extend(containers::prebuilt_contexts(route.target));
    }
    questions.contexts.extend(questions.contexts_of_result.iter().cloned());
    questions.images.sort();
    questions.images.dedup();
    questions.contexts.sort();
    questions.contexts.dedup();
    questions
}

/// Returns the Dockerfiles that other frontends must build before `route` is planned, in that order.
pub fn builds<'a>(
    route: &Route,
    spec: &'a TargetSpec,
    options: &Options,
    answers: &Answers,
) -> Vec<Dockerfile<'a>> {
    let uses = uses(route, options);
    let is_built = takes_sources(route, answers);
    let sources = spec.sources.values().filter(|_| is_built);
    sources::builds(sources.chain(others(uses, spec, uses.tests && !options.skip_tests)))
}

/// Returns the names by which `options` say what is built again that nothing in `route` goes by, such as misspelt ones.
///
/// With Dockerfiles among the sources, other names than those of phases may be meant for them.
pub fn unknown_cache_keys<'o>(
    route: &Route,
    spec: &TargetSpec,
    options: &'o Options,
    answers: &Answers,
) -> Vec<&'o str> {
    let worker = route.recipe.worker().map(|worker| [worker.image.reference, worker.context]);
    let own = worker.iter().flatten().map(String::as_str).chain(PHASES);
    let own: Vec<&str> = own.collect();
    let is_for_others = !builds(route, spec, options, answers).is_empty();
    let is_unknown = |key: &&str| {
        let is_phase = key.to_ascii_lowercase().starts_with("dalec.");
        !own.iter().any(|known| known.eq_ignore_ascii_case(key)) && (is_phase || !is_for_others)
    };
    options.no_cache.iter().flatten().map(String::as_str).filter(is_unknown).collect()
}

/// Returns the sources besides those of packages that something which `uses` the spec is made from.
fn others(uses: Uses, spec: &TargetSpec, tests: bool) -> Vec<&Source> {
    let mounted = spec_tests::mounted(spec).filter(|_| tests);
    let repositories = repositories::sources(spec).filter(|_| installs(uses));
    let bases = containers::base::changed(spec).filter(|_| uses.container);
    mounted.chain(repositories).chain(bases).collect()
}

/// Returns where to look for patterns of sources that match nothing.
///
/// # Errors
/// As [`plan`].
pub fn patterns(route: &Route, request: &Request<'_>) -> Result<Vec<Patterns>, PlanError> {
    if takes_sources(route, request.answers) { unmatched::plan(request) } else { Ok(Vec::new()) }
}

/// Returns whether `route` is made of the spec's sources.
fn takes_sources(route: &Route, answers: &Answers) -> bool {
    match route.recipe.uses().sources {
        SourceUse::Unused => false,
        SourceUse::Used => true,
        SourceUse::UnlessPrebuilt => containers::prebuilt(answers, route.target).is_none(),
    }
}

/// Returns whether packages are installed that repositories of the spec may bring.
fn installs(uses: Uses) -> bool {
    uses.container || uses.sources != SourceUse::Unused
}

/// Returns the graph of `route` for `request`.
///
/// # Errors
/// [`PlanError`] for what the request lacks or what cannot be expressed in what is to be built.
pub fn plan(route: &Route, request: &Request<'_>) -> Result<Plan, PlanError> {
    check(route, request.spec, &request.options)?;
    route.recipe.plan(request)
}

#[cfg(test)]
mod tests;
