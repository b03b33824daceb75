//! Builds what a request asks for.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread;

use dalec_gateway::{Excerpt, FrontendResult, Gateway, GatewayError, Reference, SolveRequest, Warning};
use dalec_llb::{Platform, SourceMap, State};
use dalec_spec::target_spec::TargetSpec;
use dalec_spec::{Diagnostic, Platform as SpecPlatform, ResolveOptions, SourceText, UnknownArgs};
use dalec_targets::error::PlanError;
use dalec_targets::locate::locate;
use dalec_targets::request::{Options as PlanOptions, Plan, Request};
use dalec_targets::routes::{self, Route};
use prost::Message;

use crate::answers::answer;
use crate::contexts::Contexts;
use crate::error::FrontendError;
use crate::options::Options;
use crate::platforms::for_graph;
use crate::routes::find;
use crate::spec_file;

/// Builds what the gateway was asked for, and returns the results that it keeps.
///
/// Metadata holds `containerimage.config`, with `/PLATFORM` behind it when several platforms were asked for.
///
/// # Errors
/// See [`FrontendError`]; the first platform's error when several fail.
pub fn build(gateway: &dyn Gateway) -> Result<FrontendResult, FrontendError> {
    let options = Options::read(gateway.build_options())?;
    let source_text = spec_file::read(gateway, &options)?;
    let route = find(&options.target)?;
    let platforms = match options.platforms.as_slice() {
        [] => vec![options.build_platform.clone()],
        some => some.to_vec(),
    };
    let one = |platform: &SpecPlatform| {
        PlatformBuild { gateway, options: &options, source_text: &source_text, route, platform }.run()
    };
    let built: Vec<Result<Built, FrontendError>> = match platforms.as_slice() {
        [only] => vec![one(only)],
        several => thread::scope(|scope| {
            let threads: Vec<_> = several.iter().map(|platform| scope.spawn(|| one(platform))).collect();
            threads.into_iter().map(joined).collect()
        }),
    };
    let mut result = FrontendResult::default();
    for (platform, built) in platforms.iter().zip(built) {
        let built = built?;
        if let Some(config) = built.config {
            let key = match platforms.len() {
                1 => "containerimage.config".to_owned(),
                _ => format!("containerimage.config/{platform}"),
            };
            result.metadata.insert(key, config);
        }
        result.refs.push((platform.to_string(), built.reference));
    }
    Ok(result)
}

/// The build for one platform.
struct PlatformBuild<'a> {
    gateway: &'a dyn Gateway,
    options: &'a Options,
    source_text: &'a SourceText,
    route: &'static Route,
    platform: &'a SpecPlatform,
}

struct Built {
    reference: Option<Reference>,
    config: Option<Vec<u8>>,
}

impl PlatformBuild<'_> {
    fn run(&self) -> Result<Built, FrontendError> {
        let spec = self.resolve()?;
        let platform = for_graph(self.platform);
        let plan = self.plan(&spec, &platform)?;
        for warning in &plan.warnings {
            self.gateway.warn(Warning { short: warning.clone(), ..Warning::default() });
        }
        let reference = self.solve(&plan, &platform)?;
        let config = plan.config.map(|config| serde_json::to_vec(&config)).transpose();
        let config = config.map_err(|error| FrontendError::Option {
            option: "image".into(),
            message: format!("its configuration cannot be written: {error}"),
        })?;
        Ok(Built { reference, config })
    }

    fn resolve(&self) -> Result<TargetSpec, FrontendError> {
        let loaded = dalec_spec::load(self.source_text);
        let mut diagnostics = loaded.diagnostics;
        let mut spec = None;
        if let Some(raw) = loaded.raw {
            let target = self.route.target();
            if let Some(frontend) = raw.frontend(target).filter(|_| !dalec_spec::has_errors(&diagnostics)) {
                return Err(FrontendError::Plan {
                    message: format!(
                        "this version of dalec cannot let the frontend {} build a target",
                        frontend.image
                    ),
                    hint: Some(format!("remove `frontend` under `targets.{target}` to build it here")),
                    source_text: self.source_text.clone(),
                    spans: vec![frontend.span],
                });
            }
            let mut build_args = self.options.build_args.clone();
            build_args.insert("DALEC_TARGET".into(), target.to_owned());
            let (resolved, found) = raw.resolve(&ResolveOptions {
                target: target.to_owned(),
                platform: self.platform.clone(),
                build_platform: self.options.build_platform.clone(),
                build_args,
                unknown_args: UnknownArgs::Reject,
            });
            diagnostics.extend(found);
            spec = resolved.filter(|_| !dalec_spec::has_errors(&diagnostics));
        }
        let diagnostics = dalec_spec::silence(self.source_text, diagnostics);
        match spec {
            Some(spec) => {
                diagnostics.iter().for_each(|diagnostic| self.gateway.warn(self.warning(diagnostic)));
                Ok(spec)
            }
            None => Err(FrontendError::Spec { source_text: self.source_text.clone(), diagnostics }),
        }
    }

    /// Returns what a finding in a usable spec says, with the piece of the spec that it is about.
    fn warning(&self, diagnostic: &Diagnostic) -> Warning {
        let location = locate(&self.source_map(), diagnostic.span);
        Warning {
            short: diagnostic.message.clone(),
            detail: diagnostic.help.iter().cloned().collect(),
            excerpt: location.map(|location| Excerpt {
                info: location.map.to_pb(),
                ranges: location.ranges.iter().map(|range| range.to_pb()).collect(),
            }),
        }
    }

    fn source_map(&self) -> Arc<SourceMap> {
        Arc::new(SourceMap {
            filename: self.source_text.name().to_owned(),
            language: "yaml".into(),
            data: self.source_text.text().as_bytes().to_vec(),
        })
    }

    fn plan(&self, spec: &TargetSpec, platform: &Platform) -> Result<Plan, FrontendError> {
        let options = PlanOptions {
            skip_tests: self.options.flag("DALEC_SKIP_TESTS")?,
            // Text that is no boolean leaves signing on, as upstream has it.
            skip_signing: self.options.flag("DALEC_SKIP_SIGNING").unwrap_or(false),
            no_cache: self.options.no_cache.clone(),
        };
        routes::check(self.route, spec, &options).map_err(|error| self.plan_error(&error))?;
        let contexts = Contexts { gateway: self.gateway, options: self.options, platform };
        let questions = routes::questions(self.route, spec);
        let answers = answer(&contexts, &questions)?;
        let frontend = self.gateway.frontend_image()?;
        let request = Request {
            spec,
            source_map: self.source_map(),
            platform: platform.clone(),
            answers: &answers,
            frontend: State::from_definition(&frontend).map_err(|error| GatewayError::Request {
                message: format!("the graph of the frontend's own image cannot be read: {error}"),
            })?,
            options,
        };
        routes::plan(self.route, &request).map_err(|error| self.plan_error(&error))
    }

    /// Solves everything the plan requires, and its result, at the same time.
    fn solve(&self, plan: &Plan, platform: &Platform) -> Result<Option<Reference>, FrontendError> {
        // Leaves of one test often share everything below them; equal definitions are solved once.
        let required: BTreeMap<Vec<u8>, SolveRequest> = plan
            .requires
            .iter()
            .map(|state| state.marshal(platform))
            .map(|definition| (definition.encode_to_vec(), SolveRequest { definition, evaluate: true }))
            .collect();
        let result = SolveRequest { definition: plan.result.marshal(platform), evaluate: true };
        thread::scope(|scope| {
            let required: Vec<_> =
                required.into_values().map(|request| scope.spawn(|| self.gateway.solve(request))).collect();
            let result = self.gateway.solve(result);
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

    fn plan_error(&self, error: &PlanError) -> FrontendError {
        FrontendError::Plan {
            message: error.to_string(),
            hint: error.hint(),
            source_text: self.source_text.clone(),
            spans: error.spans(),
        }
    }
}

fn joined<T>(thread: thread::ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
