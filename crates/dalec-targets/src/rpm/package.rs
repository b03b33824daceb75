//! The ops that build a package: archives of the sources, then source and binary packages.

use std::collections::BTreeMap;

use dalec_llb::{Exec, Mount, Network, ProgressGroup, State};
use dalec_spec::target_spec::{Generator, NetworkMode};

use crate::caches;
use crate::cross::{self, Processor};
use crate::date::epoch;
use crate::error::PlanError;
use crate::family::{BINARY_CACHE_KEY, Built, SOURCE_CACHE_KEY};
use crate::generators::{self, Generators};
use crate::golang;
use crate::request::Request;
use crate::rpm::architecture::architecture;
use crate::rpm::distro::RpmDistro;
use crate::rpm::names::Names;
use crate::rpm::spec_file::{self, SpecFile};
use crate::rpm::worker::with_build_dependencies;
use crate::signing;
use crate::sources::{Planner, Tree};
use crate::worker::Worker;

const SOURCES: &str = include_str!("scripts/sources.sh");
const BUILD: &str = include_str!("scripts/build.sh");

/// What a kind of downloads takes.
struct Tool {
    program: &'static str,
    downloads: &'static str,
    /// A package that has it.
    package: &'static str,
    /// Returns whether a generator takes it.
    is_wanted: fn(&Generator) -> bool,
    /// Returns whether it is in the package of this name.
    is_in: fn(&str) -> bool,
}

const TOOLS: [Tool; 3] = [
    Tool {
        program: "go",
        downloads: "modules",
        package: "golang",
        is_wanted: |generator| generator.gomod.is_some(),
        is_in: golang::is_compiler,
    },
    Tool {
        program: "cargo",
        downloads: "crates",
        package: "rust",
        is_wanted: |generator| generator.cargohome.is_some(),
        is_in: |name| {
            matches!(name, "rust" | "cargo" | "rustup")
                || name.starts_with("rust-")
                || name.starts_with("cargo-")
        },
    },
    Tool {
        program: "npm",
        downloads: "packages",
        package: "npm",
        is_wanted: |generator| generator.nodemod.is_some(),
        is_in: |name| matches!(name, "npm" | "nodejs-npm") || name.starts_with("nodejs"),
    },
];

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
        let mut cross_setup = "";
        if let Some(processor) = Processor::of(self.request)? {
            let platform = &self.request.platform;
            args.extend([architecture(platform), processor.gnu].map(str::to_owned));
            environment = processor.environment(platform);
            cross_setup = cross::SCRIPT;
        }
        let group = ProgressGroup::new(format!("{}: build", self.distro.key));
        let place = caches::Place { namespace: self.distro.key, worker, group: &group };
        let caches = caches::plan(self.request, &place)?;
        let exec = script(worker, &[cross_setup, caches.setup(), BUILD].concat(), "build", args)
            .envs(environment)
            .name(format!("Build package {}", self.names.title()))
            .group(&group)
            .at(self.spec_file.marks.location(&self.request.source_map))
            .ignore_cache(self.request.options.ignores_cache(BINARY_CACHE_KEY))
            .network(network)
            .mount(Mount::bind("/work/top", &build_root).readonly())
            .mount(Mount::output("/work/out"));
        let built = root.run(caches.give(exec)).output("/work/out");
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
            for_commands: false,
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
        let generators = self.generators(worker, &trees)?;
        let filled = generators.as_ref().map(Generators::filled).unwrap_or_default();
        let sources = trees
            .iter()
            .map(|(name, tree)| filled.get(name).unwrap_or(tree).mount(format!("/work/src/{name}")));
        let edits = generators.as_ref().map(Generators::edits).unwrap_or_default();
        for name in edits.keys() {
            args.extend(["file".to_owned(), name.clone(), spec_file::file_name(name, false)]);
        }
        let downloads = generators.as_ref().map(Generators::downloads).unwrap_or_default();
        for (kind, _) in &downloads {
            args.extend(["tree", kind.directory].map(str::to_owned));
            args.push(spec_file::file_name(kind.directory, true));
        }
        let downloads = downloads.iter().map(|(kind, downloads)| {
            Mount::bind(format!("/work/src/{}", kind.directory), downloads).readonly()
        });
        let exec = script(worker, SOURCES, "sources", args)
            .name(format!("Prepare the sources of {}", self.names.title()))
            .group(&self.source_group())
            .ignore_cache(self.request.options.ignores_cache(SOURCE_CACHE_KEY))
            .network(Network::None)
            .mounts(sources)
            .mounts(edits.iter().map(|(name, patch)| patch.mount(format!("/work/src/{name}"))))
            .mounts(downloads)
            .mount(Mount::output("/work/out"));
        Ok(worker.root.run(exec).output("/work/out"))
    }

    /// Returns what downloads for the sources, if they ask for anything.
    fn generators<'b>(
        &'b self,
        worker: &Worker,
        trees: &'b BTreeMap<&'a str, Tree>,
    ) -> Result<Option<Generators<'b>>, PlanError> {
        if !generators::wants_any(self.request.spec) {
            return Ok(None);
        }
        Ok(Some(Generators {
            request: self.request,
            root: with_build_dependencies(worker, self.request, self.distro, self.names.package())?,
            env: worker.env.clone(),
            group: self.source_group(),
            trees,
        }))
    }

    /// Checks that what downloads takes is among the build dependencies: a worker need not have it.
    fn check_tools(&self) -> Result<(), PlanError> {
        let spec = self.request.spec;
        for tool in TOOLS {
            let mut generators = spec.sources.values().flat_map(|source| &source.generate);
            let Some(generator) = generators.find(|generator| (tool.is_wanted)(generator)) else { continue };
            if !spec.dependencies.build.keys().any(|name| (tool.is_in)(name)) {
                let Tool { program, downloads, package, .. } = tool;
                return Err(PlanError::Invalid {
                    message: format!(
                        "there is no {program} among the build dependencies to download {downloads} with"
                    ),
                    spans: vec![generator.span],
                    hint: Some(format!("add `{package}` to `dependencies.build`")),
                });
            }
        }
        Ok(())
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
