//! Builds one target for every platform that is asked for.

use std::collections::BTreeMap;
use std::thread;

use dalec_gateway::{FrontendResult, Gateway, GatewayError, Reference, SolveRequest, Warning};
use dalec_llb::{Platform, ProgressGroup, State};
use dalec_spec::target_spec::TargetSpec;
use dalec_targets::error::PlanError;
use dalec_targets::locate::locate;
use dalec_targets::request::{Answers, Options as PlanOptions, Plan, Request};
use dalec_targets::routes::{self, Route};
use dalec_targets::signing;
use dalec_targets::sources::{Dockerfile, Planner, built};
use dalec_targets::sysext;
use prost::Message;
use serde_json::{Value, json};

use crate::answers::answer;
use crate::contexts::Contexts;
use crate::dockerfile;
use crate::error::FrontendError;
use crate::main_context::{self, MainContext};
use crate::metadata::{self, Facts};
use crate::options::Options;
use crate::platforms::for_graph;
use crate::results::{self, Wanted};
use crate::signing::{Answer, Signing, is_by_flag};
use crate::source_filter;
use crate::spec::Spec;
use crate::unmatched;

/// More bytes than this are no report of what was compared.
const LARGEST_REPORT: u64 = 16 << 20;

/// A build of one target.
pub struct Build<'a> {
    /// Who runs it.
    pub gateway: &'a dyn Gateway,
    /// The request.
    pub options: &'a Options,
    /// Where the main context is.
    pub main: &'a MainContext,
    /// The spec.
    pub spec: &'a Spec,
    /// What is built.
    pub route: &'static Route,
}

impl Build<'_> {
    /// Builds for every platform at the same time.
    ///
    /// # Errors
    /// See [`FrontendError`]; the first platform's error when several fail.
    pub fn run(&self) -> Result<FrontendResult, FrontendError> {
        let machine = for_graph(&self.options.build_platform);
        let wanted =
            results::wanted(&self.contexts(&machine), self.spec, self.route, |error| self.plan_error(error))?;
        let is_cross = routes::is_cross(self.route);
        let one = |wanted: &Wanted| {
            let is_foreign = !is_cross && self.is_foreign(&wanted.platform)?;
            let own = if is_cross || is_foreign { &self.options.build_platform } else { &wanted.platform };
            ResultBuild { build: self, wanted, graph_platform: for_graph(own), is_foreign }.run()
        };
        let built: Vec<Result<Built, FrontendError>> = match wanted.as_slice() {
            [only] => vec![one(only)],
            several => thread::scope(|scope| {
                let threads: Vec<_> = several.iter().map(|wanted| scope.spawn(|| one(wanted))).collect();
                threads.into_iter().map(joined).collect()
            }),
        };
        let (mut refs, mut facts) = (Vec::new(), Vec::new());
        for (wanted, built) in wanted.iter().zip(built) {
            let built = built?;
            refs.push((wanted.id(), built.reference));
            facts.push(built.facts);
        }
        Ok(FrontendResult { refs, metadata: metadata::of(self.options, &wanted, facts) })
    }

    /// Returns whether nothing runs programs for `platform`, where that makes a difference.
    fn is_foreign(&self, platform: &dalec_spec::Platform) -> Result<bool, FrontendError> {
        let graph_platform = for_graph(platform);
        let contexts = self.contexts(&graph_platform);
        let is_given = routes::is_given(self.route, |name| contexts.is_given(name));
        Ok(!is_given && !self.options.runs(platform)?)
    }

    fn contexts<'a>(&'a self, platform: &'a Platform) -> Contexts<'a> {
        Contexts { gateway: self.gateway, options: self.options, main: self.main, platform }
    }

    fn plan_error(&self, error: &PlanError) -> FrontendError {
        if let PlanError::Foreign { .. } = error {
            return FrontendError::Machine { message: error.to_string(), hint: error.hint() };
        }
        FrontendError::Plan {
            message: error.to_string(),
            hint: error.hint(),
            source_text: self.spec.source_text.clone(),
            spans: error.spans(),
        }
    }
}

/// The build of one result.
struct ResultBuild<'a> {
    build: &'a Build<'a>,
    wanted: &'a Wanted,
    /// What the steps of the build run on.
    graph_platform: Platform,
    /// Nothing runs programs of what the result is for.
    is_foreign: bool,
}

struct Built {
    reference: Option<Reference>,
    facts: Facts,
}

impl ResultBuild<'_> {
    fn run(&self) -> Result<Built, FrontendError> {
        let Build { gateway, options, spec: written, route, .. } = *self.build;
        let spec = written.resolve(gateway, options, options.target_key(), &self.wanted.platform)?;
        let plan_options = PlanOptions {
            skip_tests: options.flag("DALEC_SKIP_TESTS")?,
            without_merge: options.is_one("DALEC_DISABLE_DIFF_MERGE") || !gateway.supports("mergeop"),
            gomod_proxy: options.build_args.get("DALEC_GOMOD_PROXY").cloned().unwrap_or_default(),
            sysext: sysext::Settings::from_build_args(&options.build_args),
            without_symlinks: options.is_one("DALEC_DISABLE_SYMLINK")
                || !gateway.supports("file.symlink.create"),
            without_proxies: options.is_one("DALEC_DISABLE_PROXY_CONFIG"),
            foreign: self.is_foreign.then(|| for_graph(&self.wanted.platform)),
            no_cache: options.no_cache.clone(),
        };
        routes::check(route, &spec, &plan_options).map_err(|error| self.plan_error(&error))?;
        let result_platform = for_graph(&self.wanted.platform);
        let of_result = if self.is_foreign { &result_platform } else { &self.graph_platform };
        let questions = routes::questions(route, &spec, &plan_options);
        let mut answers = answer(&self.contexts(), of_result, &questions, written)?;
        answers.base.clone_from(&self.wanted.base);
        answers.excludes = source_filter::excludes(&self.contexts(), &mut |warning| self.warn(warning))?;
        answers.build_platform = Some(self.graph_platform.clone());
        for key in routes::unknown_cache_keys(route, &spec, &plan_options, &answers) {
            self.warn_of_cache_key(key);
        }
        self.build_dockerfiles(&spec, &mut answers, &plan_options)?;
        let frontend = self.frontend()?;
        let request = self.request(&spec, &frontend, &answers, &plan_options);
        let plan = routes::plan(route, &request).map_err(|error| self.plan_error(&error))?;
        plan.warnings.iter().cloned().for_each(|warning| self.warn(warning));
        let patterns = routes::patterns(route, &request).map_err(|error| self.plan_error(&error))?;
        unmatched::beside(gateway, &self.graph_platform, &patterns, || {
            self.finish(&spec, &frontend, answers, plan_options, plan)
        })
    }

    /// Has built what `plan` says; with a signer, plans again with what it returned.
    fn finish(
        &self,
        spec: &TargetSpec,
        frontend: &State,
        mut answers: Answers,
        mut plan_options: PlanOptions,
        mut plan: Plan,
    ) -> Result<Built, FrontendError> {
        let mut facts = Facts::new(spec);
        if plan.to_sign.is_none() && is_by_flag(&self.contexts()) {
            let target = &self.build.options.target;
            self.warn(format!(
                "--sign-key signs nothing of {target}; `dalec sign` signs files that are there"
            ));
        }
        if let Some(packages) = plan.to_sign.take()
            && let Some(signing) = self.signing(spec)?
        {
            // A step that fails is no failure of the signer, so what is signed is built before.
            let mut required = vec![packages.clone()];
            if !signing.before_tests {
                required.append(&mut plan.requires);
                plan_options.skip_tests = true;
            }
            self.solve(&required, None)?;
            let (signed, report) = self.sign(&signing, frontend, &packages)?;
            facts.signing = Some(report);
            answers.signed = Some(signed);
            let request = self.request(spec, frontend, &answers, &plan_options);
            plan = routes::plan(self.build.route, &request).map_err(|error| self.plan_error(&error))?;
        }
        let reference = self.solve(&plan.requires, Some(&plan.result))?;
        facts.config = plan.config;
        facts.base_config = plan.base_config;
        Ok(Built { reference, facts })
    }

    fn contexts(&self) -> Contexts<'_> {
        self.build.contexts(&self.graph_platform)
    }

    /// Has the Dockerfiles built that sources are taken from, and adds what they yield to `answers`.
    fn build_dockerfiles(
        &self,
        spec: &TargetSpec,
        answers: &mut Answers,
        plan_options: &PlanOptions,
    ) -> Result<(), FrontendError> {
        let Build { gateway, options, route, spec: written, .. } = *self.build;
        for Dockerfile { build, span } in routes::builds(route, spec, plan_options, answers) {
            let planner = Planner {
                answers,
                source_map: &written.source_map(),
                group: ProgressGroup::new("prepare contexts of Dockerfiles"),
                for_commands: true,
            };
            let context = built::context(&planner, build).map_err(|error| self.plan_error(&error))?;
            let state =
                dockerfile::build(gateway, options, build, &context, &self.graph_platform, &spec.name);
            let state = state.map_err(|error| match error {
                GatewayError::NotFound { path } => {
                    let message = format!("there is no file {path:?} in what is to be built");
                    self.plan_error(&PlanError::invalid(message, [build.source.span]))
                }
                error => written.at(error.into(), vec![span]),
            })?;
            answers.builds.push((build.clone(), state));
        }
        Ok(())
    }

    /// Returns the file system that holds this program.
    fn frontend(&self) -> Result<State, GatewayError> {
        let definition = self.build.gateway.frontend_image()?;
        State::from_definition(&definition).map_err(|error| GatewayError::Request {
            message: format!("the graph of the frontend's own image cannot be read: {error}"),
        })
    }

    fn request<'a>(
        &self,
        spec: &'a TargetSpec,
        frontend: &State,
        answers: &'a Answers,
        options: &PlanOptions,
    ) -> Request<'a> {
        Request {
            spec,
            source_map: self.build.spec.source_map(),
            platform: for_graph(&self.wanted.platform),
            answers,
            frontend: frontend.clone(),
            options: options.clone(),
        }
    }

    fn signing(&self, spec: &TargetSpec) -> Result<Option<Signing>, FrontendError> {
        let overrides = self.build.spec.raw().is_some_and(|raw| raw.overrides_signer(&spec.target));
        Signing::choose(&self.contexts(), spec, overrides, &mut |warning| self.warn(warning))
    }

    /// Has `packages` signed; returns what to put in their place, and what to say of it.
    fn sign(
        &self,
        signing: &Signing,
        frontend: &State,
        packages: &State,
    ) -> Result<(State, Value), FrontendError> {
        let failed = |error: GatewayError| FrontendError::Signing {
            image: signing.signer.image.clone(),
            place: signing.is_in_spec.then(|| (self.build.spec.source_text.clone(), signing.signer.span)),
            error: Box::new(error),
        };
        let Answer { signed, digest } =
            signing.sign(&self.contexts(), &self.wanted.platform, packages).map_err(failed)?;
        let mut report = json!({
            "signer": { "image": signing.signer.image, "digest": digest },
            "target": self.build.options.target_key(),
            "compared": signing.is_compared,
        });
        if !signing.is_compared {
            return Ok((signed, report));
        }
        let at = signing.is_in_spec.then_some(signing.signer.span);
        let compared =
            signing::compare(frontend, packages, &signed, locate(&self.build.spec.source_map(), at));
        let found = self.report(&compared.report).map_err(failed)?;
        if let Some(differences) = found.get("differences") {
            return Err(failed(signing.refused(differences)));
        }
        for warning in found["warnings"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            self.warn(warning.to_owned());
        }
        report["artifacts"] = found["artifacts"].clone();
        Ok((compared.signed, report))
    }

    /// Compares, and returns what was found.
    fn report(&self, report: &State) -> Result<Value, GatewayError> {
        let definition = report.marshal(&self.graph_platform);
        self.build.gateway.solve(SolveRequest { definition, evaluate: true })?;
        let content = main_context::read(self.build.gateway, report, signing::REPORT, LARGEST_REPORT)?;
        serde_json::from_slice(&content).map_err(|error| GatewayError::Request {
            message: format!("the report of what was signed cannot be read: {error}"),
        })
    }

    /// Solves what is required, and the result if there is one, at the same time.
    fn solve(&self, required: &[State], result: Option<&State>) -> Result<Option<Reference>, FrontendError> {
        let gateway = self.build.gateway;
        let request =
            |state: &State| SolveRequest { definition: state.marshal(&self.graph_platform), evaluate: true };
        // Leaves of one test often share everything below them; equal definitions are solved once.
        let required: BTreeMap<Vec<u8>, SolveRequest> = required
            .iter()
            .map(&request)
            .map(|request| (request.definition.encode_to_vec(), request))
            .collect();
        thread::scope(|scope| {
            let required: Vec<_> =
                required.into_values().map(|request| scope.spawn(|| gateway.solve(request))).collect();
            let result = result.map_or(Ok(None), |state| gateway.solve(request(state)));
            let failed = required.into_iter().map(joined).filter_map(Result::err);
            let mut failed: Vec<GatewayError> = failed.collect();
            let result = result.map_err(|error| failed.insert(0, error)).ok();
            // A cancelled wait says nothing about why; the cause comes first.
            failed.sort_by_key(|error| matches!(error, GatewayError::Cancelled));
            match failed.into_iter().next() {
                Some(error) => Err(error.into()),
                None => Ok(result.flatten()),
            }
        })
    }

    fn warn_of_cache_key(&self, key: &str) {
        let help = match dalec_spec::suggest(key, routes::PHASES) {
            Some(phase) => format!("did you mean `{phase}`?"),
            None => format!("the phases are {}", routes::PHASES.join(", ")),
        };
        let short = format!("nothing is called `{key}` that could be built again");
        self.build.gateway.warn(Warning { short, detail: vec![help], ..Warning::default() });
    }

    fn warn(&self, short: String) {
        self.build.gateway.warn(Warning { short, ..Warning::default() });
    }

    fn plan_error(&self, error: &PlanError) -> FrontendError {
        self.build.plan_error(error)
    }
}

/// Returns what a thread returned; its panic goes on here.
pub fn joined<T>(thread: thread::ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
