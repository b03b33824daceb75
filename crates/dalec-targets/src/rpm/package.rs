//! The ops that build a package: archives of the sources, then source and binary packages.

use std::collections::BTreeMap;

use dalec_llb::{Exec, Mount, Network, ProgressGroup, State};
use dalec_spec::target_spec::NetworkMode;

use crate::cross::{self, Processor};
use crate::date::epoch;
use crate::error::PlanError;
use crate::family::{BINARY_CACHE_KEY, Built, SOURCE_CACHE_KEY};
use crate::generators::{Generators, wants_gomod};
use crate::request::Request;
use crate::rpm::architecture::architecture;
use crate::rpm::distro::RpmDistro;
use crate::rpm::names::Names;
use crate::rpm::spec_file::{self, MODULES, SpecFile};
use crate::rpm::worker::with_build_dependencies;
use crate::signing;
use crate::sources::{Planner, Tree};
use crate::worker::Worker;

const SOURCES: &str = include_str!("scripts/sources.sh");
const BUILD: &str = include_str!("scripts/build.sh");

/// Everything that is planned for one spec on one distribution.
pub(super) struct Package<'a> {
    request: &'a Request<'a>,
    distro: &'a RpmDistro,
    names: Names,
    spec_file: SpecFile,
}

impl<'a> Package<'a> {
    /// Checks the spec and prepares the build.
    ///
    /// # Errors
    /// [`PlanError`] for what an RPM package needs and the spec lacks, or what its formats cannot hold.
    pub fn new(request: &'a Request<'a>, distro: &'a RpmDistro) -> Result<Self, PlanError> {
        let names = Names::new(request.spec)?;
        let spec_file = spec_file::render(request.spec, &names)?;
        Ok(Self { request, distro, names, spec_file })
    }

    /// Returns the generated spec file as `/SPECS/NAME/NAME.spec`.
    pub fn spec_file(&self) -> State {
        self.spec_file.state(&self.source_group())
    }

    /// Returns everything that the source package is made of, in `/SOURCES`.
    ///
    /// # Errors
    /// As [`Planner::plan`]; [`PlanError::Invalid`] for downloads without a tool among the build dependencies.
    pub fn sources(&self, worker: &Worker) -> Result<State, PlanError> {
        self.check_tools()?;
        let parts = [self.archives(worker)?, self.spec_file.build_script_state(&self.source_group())];
        Ok(self.request.options.lay(&parts, "Collect the sources"))
    }

    /// Returns what rpmbuild starts from: `/SOURCES` and `/SPECS`.
    ///
    /// # Errors
    /// As [`Package::sources`].
    pub fn build_root(&self, worker: &Worker) -> Result<State, PlanError> {
        let group = self.source_group();
        let script = self.spec_file.build_script_state(&group);
        let parts = [self.archives(worker)?, script, self.spec_file.state(&group)];
        Ok(self.request.options.lay(&parts, "Collect the sources and the spec file"))
    }

    /// Returns the packages, in `/RPMS` and `/SRPMS`; the signed ones once they are known.
    ///
    /// # Errors
    /// As [`Package::build_root`].
    pub fn build(&self, worker: &Worker) -> Result<Built, PlanError> {
        let spec = self.request.spec;
        let build_root = self.build_root(worker)?;
        let root = with_build_dependencies(worker, self.request, self.distro, self.names.package())?;
        let network = match spec.build.network_mode {
            NetworkMode::None => Network::None,
            NetworkMode::Sandbox => Network::Sandbox,
        };
        let mut args = vec![self.names.package().to_owned(), self.epoch()];
        let mut environment = Vec::new();
        let mut text = BUILD.to_owned();
        if let Some(processor) = Processor::of(self.request)? {
            let platform = &self.request.platform;
            args.extend([architecture(platform), processor.gnu].map(str::to_owned));
            environment = processor.environment(platform);
            text.insert_str(0, cross::SCRIPT);
        }
        let exec = script(worker, &text, "build", args)
            .envs(environment)
            .name(format!("Build package {}", self.names.title()))
            .group(&ProgressGroup::new(format!("{}: build", self.distro.key)))
            .at(self.spec_file.marks.location(&self.request.source_map))
            .ignore_cache(self.request.options.ignores_cache(BINARY_CACHE_KEY))
            .network(network)
            .mount(Mount::bind("/work/top", &build_root).readonly())
            .mount(Mount::output("/work/out"));
        let built = root.run(exec).output("/work/out");
        let signed = self.request.answers.signed.as_ref();
        let to_sign = signed.is_none().then(|| signing::RPM.to_sign(&built));
        let everything = signing::lay_over(built, signed, &self.request.options);
        Ok(Built { packages: everything.clone(), everything, to_sign })
    }

    /// Returns the sources as files, directories as archives.
    fn archives(&self, worker: &Worker) -> Result<State, PlanError> {
        let spec: &'a _ = self.request.spec;
        let planner = Planner {
            answers: self.request.answers,
            source_map: &self.request.source_map,
            group: self.source_group(),
        };
        let mut trees: BTreeMap<&'a str, Tree> = BTreeMap::new();
        let mut args = vec![self.epoch()];
        for (name, source) in &spec.sources {
            trees.insert(name, planner.plan(name, source)?);
            let kind = if source.is_dir() { "tree" } else { "file" };
            args.extend([kind.to_owned(), name.clone(), spec_file::file_name(name, source.is_dir())]);
        }
        if trees.is_empty() {
            return Ok(State::scratch());
        }
        let modules = self.modules(worker, &trees)?;
        if modules.is_some() {
            args.extend(["tree", MODULES].map(str::to_owned));
            args.push(spec_file::file_name(MODULES, true));
        }
        let exec = script(worker, SOURCES, "sources", args)
            .name(format!("Prepare the sources of {}", self.names.title()))
            .group(&self.source_group())
            .ignore_cache(self.request.options.ignores_cache(SOURCE_CACHE_KEY))
            .network(Network::None)
            .mounts(trees.iter().map(|(name, tree)| tree.mount(format!("/work/src/{name}"))))
            .mounts(modules.map(|modules| Mount::bind(format!("/work/src/{MODULES}"), &modules).readonly()))
            .mount(Mount::output("/work/out"));
        Ok(worker.root.run(exec).output("/work/out"))
    }

    /// Returns the Go modules that the sources ask for.
    fn modules(&self, worker: &Worker, trees: &BTreeMap<&'a str, Tree>) -> Result<Option<State>, PlanError> {
        if !wants_gomod(self.request.spec) {
            return Ok(None);
        }
        let generators = Generators {
            request: self.request,
            root: with_build_dependencies(worker, self.request, self.distro, self.names.package())?,
            env: worker.env.clone(),
            group: self.source_group(),
            trees,
        };
        Ok(generators.gomod())
    }

    /// Checks that what downloads takes is among the build dependencies: a worker need not have it.
    fn check_tools(&self) -> Result<(), PlanError> {
        let spec = self.request.spec;
        let is_go =
            |name: &String| matches!(name.as_str(), "golang" | "msft-golang") || name.starts_with("golang-");
        let mut generators = spec.sources.values().flat_map(|source| &source.generate);
        let Some(generator) = generators.find(|generator| generator.gomod.is_some()) else { return Ok(()) };
        if spec.dependencies.build.keys().any(is_go) {
            return Ok(());
        }
        Err(PlanError::Invalid {
            message: "there is no go among the build dependencies to download modules with".into(),
            spans: vec![generator.span],
            hint: Some("add `golang` to `dependencies.build`".into()),
        })
    }

    fn source_group(&self) -> ProgressGroup {
        ProgressGroup::new(format!("{}: sources", self.distro.key))
    }

    /// RPM takes zero for no time at all.
    fn epoch(&self) -> String {
        epoch(self.request.spec).max(1).to_string()
    }
}

fn script(worker: &Worker, text: &str, name: &str, args: Vec<String>) -> Exec {
    let head = ["/bin/sh", "-c", text, name].map(str::to_owned);
    Exec::new(head.into_iter().chain(args)).envs(worker.env.clone())
}
