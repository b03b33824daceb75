//! The worker: the root file system that packages are built in.

use std::collections::BTreeMap;

use dalec_llb::{Mount, Secret, State};
use dalec_spec::span::Span;

use crate::error::PlanError;
use crate::image_config::{ImageConfig, PATH};
use crate::request::{ImageQuestion, Request};

/// A root file system to work in.
#[derive(Debug, Clone)]
pub struct Worker {
    /// Its files.
    pub root: State,
    /// Environment of its processes.
    pub env: BTreeMap<String, String>,
    /// Configuration of the image it was made from; empty when the client gave a directory.
    pub config: ImageConfig,
}

/// How to ask for a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerQuestion {
    /// The named context that replaces it.
    pub context: String,
    /// The image that it is made from otherwise.
    pub image: ImageQuestion,
}

impl Worker {
    /// Returns the client's own worker if it gave one, else the image with its packages.
    ///
    /// `install` returns a root with packages installed; its last argument says that it must happen again.
    ///
    /// # Errors
    /// [`PlanError::MissingImage`] if the image was not looked up.
    pub fn new(
        request: &Request<'_>,
        question: &WorkerQuestion,
        install: impl FnOnce(&State, &[String], bool) -> State,
    ) -> Result<Self, PlanError> {
        let WorkerQuestion { context, image } = question;
        if let Some(root) = request.answers.contexts.get(context) {
            let config = request.answers.configs.get(context);
            let (env, config) = (environment(config), config.cloned().unwrap_or_default());
            return Ok(Self { root: root.clone(), env, config });
        }
        let answer = request.answers.images.get(image).ok_or_else(|| PlanError::MissingImage {
            reference: image.reference.clone(),
            span: Span::default(),
        })?;
        let env = environment(Some(&answer.config));
        let config = answer.config.clone();
        if answer.has_packages {
            return Ok(Self { root: answer.state.clone(), env, config });
        }
        let again = request.options.ignores_cache(&image.reference) || request.options.ignores_cache(context);
        Ok(Self { root: install(&answer.state, &image.packages, again), env, config })
    }
}

/// Returns a mount of the certificates that the host trusts besides the usual ones; a client need not give them.
pub(crate) fn ca_bundle() -> Mount {
    let secret = Secret { id: "dalec.ca-bundle".into(), optional: true, mode: 0o444 };
    Mount::secret("/run/secrets/dalec.ca-bundle", secret)
}

/// Returns the environment of an image's processes; there is always a search path and a home.
fn environment(config: Option<&ImageConfig>) -> BTreeMap<String, String> {
    let mut env =
        BTreeMap::from([("PATH".to_owned(), PATH.to_owned()), ("HOME".to_owned(), "/root".to_owned())]);
    env.extend(config.map(|config| config.config.variables()).unwrap_or_default());
    env
}
