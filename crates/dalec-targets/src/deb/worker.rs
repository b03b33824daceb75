//! The worker: the root file system that packages are built in.

use std::collections::BTreeMap;

use dalec_llb::{ProgressGroup, State};
use dalec_spec::span::Span;

use crate::deb::architecture::architecture;
use crate::deb::distro::{DebDistro, Trust};
use crate::deb::install::{InstallOptions, PATH, install_names, install_wanted, wanted};
use crate::deb::names::Names;
use crate::error::PlanError;
use crate::image_config::ImageConfig;
use crate::marker::Marks;
use crate::request::Request;

/// A root file system to work in.
#[derive(Debug, Clone)]
pub struct Worker {
    /// Its files.
    pub root: State,
    /// Environment of its processes.
    pub env: BTreeMap<String, String>,
    /// Configuration of the image it was made from; empty when the client gave the worker.
    pub config: ImageConfig,
}

impl Worker {
    /// Returns the worker of `distro`: the client's own if it gave one, else the distribution's image with the
    /// packages that building takes.
    ///
    /// # Errors
    /// [`PlanError::MissingImage`] if the image was not looked up.
    pub fn new(request: &Request<'_>, distro: &DebDistro) -> Result<Self, PlanError> {
        let context = distro.worker_context();
        if let Some(root) = request.answers.contexts.get(&context) {
            return Ok(Self { root: root.clone(), env: environment(None), config: ImageConfig::default() });
        }
        let question = distro.worker_question();
        let answer = request.answers.images.get(&question).ok_or_else(|| PlanError::MissingImage {
            reference: question.reference.clone(),
            span: Span::default(),
        })?;
        let env = environment(Some(&answer.config));
        let config = answer.config.clone();
        if answer.has_packages {
            return Ok(Self { root: answer.state.clone(), env, config });
        }
        let again = request.options.ignores_cache(distro.image) || request.options.ignores_cache(&context);
        let options = InstallOptions {
            ignore_cache: again,
            ..options(
                distro,
                "Install build tools".into(),
                ProgressGroup::new(format!("{}: worker", distro.key)),
            )
        };
        Ok(Self { root: install_names(&answer.state, &question.packages, &options), env, config })
    }

    /// Returns the worker with the spec's build dependencies; without any it stays as it is.
    ///
    /// Version constraints bind because apt installs a package that depends on all of them.
    pub fn with_build_dependencies(&self, request: &Request<'_>, distro: &DebDistro, names: &Names) -> Self {
        let mut marks = Marks::default();
        let architecture = architecture(&request.platform);
        let wanted = wanted(&request.spec.dependencies.build, architecture, &mut marks);
        if wanted.is_empty() {
            return self.clone();
        }
        let group = ProgressGroup::new(format!("{}: build", distro.key));
        let options = InstallOptions {
            recommends: true,
            locations: marks.location(&request.source_map).into_iter().collect(),
            wanted,
            ..options(distro, "Install build dependencies".into(), group)
        };
        let package = format!("{}-build-deps", names.package());
        let root = install_wanted(&self.root, &package, architecture, &options);
        Self { root, ..self.clone() }
    }
}

fn options(distro: &DebDistro, name: String, group: ProgressGroup) -> InstallOptions<'_> {
    InstallOptions {
        distro,
        trust: Trust::Distribution,
        name,
        group,
        locations: Vec::new(),
        dist_upgrade: false,
        recommends: false,
        keep_docs: false,
        ignore_cache: false,
        wanted: Vec::new(),
    }
}

/// Returns the environment of an image's processes; there is always a search path and a home.
fn environment(config: Option<&ImageConfig>) -> BTreeMap<String, String> {
    let mut env =
        BTreeMap::from([("PATH".to_owned(), PATH.to_owned()), ("HOME".to_owned(), "/root".to_owned())]);
    env.extend(config.map(|config| config.config.variables()).unwrap_or_default());
    env
}
