//! The ops that build a package: source package, its description, binary packages, their description.
//!
//! Descriptions (`.buildinfo`, `.changes`) are ops of their own, so that nobody waits for them: the binary build
//! starts from the source package, and tests start from the binary packages.

use std::collections::BTreeMap;

use dalec_llb::{Exec, Mount, Network, ProgressGroup, State};
use dalec_spec::target_spec::NetworkMode;

use crate::caches::{self, Caches};
use crate::cross::{self, Processor};
use crate::date::epoch;
use crate::deb::architecture::architecture;
use crate::deb::debian_dir::{self, DebianDir, patches::kept};
use crate::deb::distro::DebDistro;
use crate::deb::names::Names;
use crate::deb::worker::with_build_dependencies;
use crate::error::PlanError;
use crate::family::{BINARY_CACHE_KEY, Built, SOURCE_CACHE_KEY};
use crate::generators::{self, Generators, KINDS};
use crate::golang;
use crate::patches;
use crate::request::Request;
use crate::signing;
use crate::sources::{Planner, Tree};
use crate::worker::Worker;

const SOURCE_PACKAGE: &str = include_str!("scripts/source-package.sh");
const LIBRARIES: &str = include_str!("scripts/libraries.sh");
const BINARY_PACKAGE: &str = include_str!("scripts/binary-package.sh");
const CHANGES: &str = include_str!("scripts/changes.sh");

/// Everything that is planned for one spec on one distribution.
pub struct Package<'a> {
    request: &'a Request<'a>,
    distro: &'a DebDistro,
    names: Names,
    worker: Worker,
    debian: DebianDir,
    trees: BTreeMap<&'a str, Tree>,
    /// What is built for, where its programs do not run.
    processor: Option<Processor>,
}

impl<'a> Package<'a> {
    /// Checks the spec and prepares the build.
    ///
    /// # Errors
    /// [`PlanError`] for what a Debian package needs and the request lacks, or what Debian's formats cannot hold.
    pub fn new(request: &'a Request<'a>, distro: &'a DebDistro, worker: Worker) -> Result<Self, PlanError> {
        let spec = request.spec;
        let names = Names::new(spec, distro)?;
        let debian = debian_dir::render(spec, distro, &names)?;
        let planner = Planner {
            answers: request.answers,
            source_map: &request.source_map,
            group: ProgressGroup::new(format!("{}: sources", distro.key)),
        };
        let mut trees = BTreeMap::new();
        for (name, source) in &spec.sources {
            let is_taken = KINDS.iter().any(|kind| kind.debian_directory == name);
            if matches!(name.as_str(), "debian" | ".pc") || is_taken || name.contains('/') {
                return Err(PlanError::Invalid {
                    message: format!("a source cannot be called {name:?} in a Debian package"),
                    spans: vec![source.span],
                    hint: Some("the packaging files have that name; choose another one".into()),
                });
            }
            trees.insert(name.as_str(), planner.plan(name, source)?);
        }
        let processor = Processor::of(request)?;
        Ok(Self { request, distro, names, worker, debian, trees, processor })
    }

    /// Returns the source package with its description.
    ///
    /// # Errors
    /// As [`Package::new`].
    pub fn source(&self) -> Result<State, PlanError> {
        let source = self.source_package()?;
        let changes = self.source_changes(&source);
        Ok(self.request.options.lay(&[source, changes], "Collect the source package"))
    }

    /// Returns the binary packages and everything that belongs to them; the signed ones once they are known.
    ///
    /// # Errors
    /// As [`Package::new`].
    pub fn build(&self) -> Result<Built, PlanError> {
        let source = self.source_package()?;
        let root = with_build_dependencies(&self.worker, self.request, self.distro, self.names.package())?;
        let built = root.run(self.binary_build(&source, self.caches()?));
        let signed = self.request.answers.signed.as_ref();
        let packages = built.output("/work/out");
        let to_sign = signed.is_none().then(|| signing::DEB.to_sign(&packages));
        // Descriptions tell the digests of what people get.
        let packages = signing::lay_over(packages, signed, &self.request.options);
        let stem = format!("{}_{}", self.names.file_stem(), architecture(&self.request.platform));
        let changes = self
            .changes("binary", &stem, &packages)
            .mount(Mount::bind("/work/meta", &built.output("/work/meta")).readonly());
        let changes = root.run(changes).output("/work/out");
        let source_changes = self.source_changes(&source);
        let all = [source, source_changes, packages.clone(), changes];
        let everything = self.request.options.lay(&all, "Collect the packages");
        Ok(Built { packages, everything, to_sign })
    }

    fn source_package(&self) -> Result<State, PlanError> {
        let names = &self.names;
        let patches = patches::all(self.request.spec)?;
        let mut patched: Vec<&str> = patches.iter().map(|patch| patch.target).collect();
        patched.dedup();
        let mut args = vec![names.source_dir(), names.orig(), names.file_stem(), self.epoch()];
        let mut marks = self.debian.patch_marks.clone();
        let dir = format!("/work/orig/{}", names.source_dir());
        for patch in &patches {
            // Not from a mount of its own: BuildKit 0.34 loses the error of a step that mounts one tree twice.
            let is_source = self.trees.contains_key::<str>(&patch.source);
            let from = if is_source { dir.as_str() } else { "/work/patches" };
            let from = format!("{from}/{}", patch.file());
            args.extend([marks.mark(patch.span), from, kept(patch), patch.title()]);
        }
        args.push("--".to_owned());
        args.extend(patched.into_iter().map(str::to_owned));
        let generators = self.generators()?;
        let filled = generators.as_ref().map(Generators::filled).unwrap_or_default();
        let sources = self
            .trees
            .iter()
            .map(|(name, tree)| filled.get(name).unwrap_or(tree).mount(format!("{dir}/{name}")));
        let downloads = generators.as_ref().map(Generators::downloads).unwrap_or_default();
        let downloads = downloads.iter().map(|(kind, downloads)| {
            Mount::bind(format!("{dir}/{}", kind.debian_directory), downloads).readonly()
        });
        let edits = generators.as_ref().map(Generators::edits).unwrap_or_default();
        let edits = edits.into_iter().map(|(name, tree)| tree.mount(format!("/work/patches/{name}")));
        let exec = self
            .script(SOURCE_PACKAGE, "source-package", args)
            .name(format!("Create source package {}", names.title()))
            .at(marks.location(&self.request.source_map))
            .ignore_cache(self.request.options.ignores_cache(SOURCE_CACHE_KEY))
            .network(Network::None)
            .mount(self.debian_mount())
            .mounts(sources)
            .mounts(downloads)
            .mounts(edits)
            .mount(Mount::output("/work/out"));
        Ok(self.worker.root.run(exec).output("/work/out"))
    }

    /// Returns what downloads for the sources, if they ask for anything.
    ///
    /// # Errors
    /// As [`with_build_dependencies`].
    fn generators(&self) -> Result<Option<Generators<'_>>, PlanError> {
        if !generators::wants_any(self.request.spec) {
            return Ok(None);
        }
        Ok(Some(Generators {
            request: self.request,
            root: with_build_dependencies(&self.worker, self.request, self.distro, self.names.package())?,
            env: golang::debian_env(self.request.spec, &self.worker.env),
            group: ProgressGroup::new(format!("{}: sources", self.distro.key)),
            trees: &self.trees,
        }))
    }

    fn source_changes(&self, source: &State) -> State {
        let stem = format!("{}_source", self.names.file_stem());
        self.worker.root.run(self.changes("source", &stem, source)).output("/work/out")
    }

    fn caches(&self) -> Result<Caches, PlanError> {
        let group = ProgressGroup::new(format!("{}: build", self.distro.key));
        let place = caches::Place { namespace: self.distro.version_id, worker: &self.worker, group: &group };
        caches::plan(self.request, &place)
    }

    fn binary_build(&self, source: &State, caches: Caches) -> Exec {
        let names = &self.names;
        let mut args =
            vec![names.source_dir(), names.orig(), names.file_stem(), self.epoch(), names.work_dir()];
        let mut environment = Vec::new();
        let mut cross_setup = String::new();
        if let Some(processor) = self.processor {
            let platform = &self.request.platform;
            args.extend([architecture(platform), processor.gnu].map(str::to_owned));
            environment = processor.environment(platform);
            cross_setup = [cross::SCRIPT, LIBRARIES].join("\n");
        }
        let network = match self.request.spec.build.network_mode {
            NetworkMode::None => Network::None,
            NetworkMode::Sandbox => Network::Sandbox,
        };
        let script = [&cross_setup, caches.setup(), BINARY_PACKAGE].concat();
        let exec = self
            .script(&script, "binary-package", args)
            .envs(environment)
            .name(format!("Build package {}", names.title()))
            .at(self.debian.build_marks.location(&self.request.source_map))
            .ignore_cache(self.request.options.ignores_cache(BINARY_CACHE_KEY))
            .network(network)
            .mount(Mount::bind("/work/in", source).readonly())
            .mount(Mount::output("/work/out"))
            .mount(Mount::output("/work/meta"));
        caches.give(exec)
    }

    fn changes(&self, kind: &str, stem: &str, packages: &State) -> Exec {
        let mut args = vec![kind.to_owned(), self.names.source_dir(), stem.to_owned(), self.epoch()];
        args.extend(self.processor.map(|_| architecture(&self.request.platform).to_owned()));
        self.script(CHANGES, "changes", args)
            .name(format!("Describe {kind} package {}", self.names.title()))
            .network(Network::None)
            .mount(Mount::bind("/work/in", packages).readonly())
            .mount(self.debian_mount())
            .mount(Mount::output("/work/out"))
    }

    fn script(&self, text: &str, name: &str, args: Vec<String>) -> Exec {
        let head = ["/bin/sh", "-c", text, name].map(str::to_owned);
        Exec::new(head.into_iter().chain(args))
            .envs(self.worker.env.clone())
            .group(&ProgressGroup::new(format!("{}: build", self.distro.key)))
    }

    fn debian_mount(&self) -> Mount {
        let group = ProgressGroup::new(format!("{}: sources", self.distro.key));
        Mount::bind("/work/debian", &self.debian.state(&group)).selector("/debian").readonly()
    }

    fn epoch(&self) -> String {
        epoch(self.request.spec).to_string()
    }
}
