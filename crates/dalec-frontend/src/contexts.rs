//! Named contexts: `context:NAME` options as states.
//!
//! The forms follow BuildKit's `frontend/dockerui/namedcontext.go`: `local:NAME`, `docker-image://REF`,
//! `oci-layout://…`, `input:NAME` and URLs of archives and files.

use dalec_gateway::Gateway;
use dalec_llb::{Http, Local, Platform, State};
use dalec_targets::request::ImageAnswer;

use crate::error::FrontendError;
use crate::images::{self, Wanted};
use crate::options::Options;

/// Looks up contexts by name for one platform.
pub struct Contexts<'a> {
    /// Who answers.
    pub gateway: &'a dyn Gateway,
    /// The request.
    pub options: &'a Options,
    /// Platform that contexts are for.
    pub platform: &'a Platform,
}

impl Contexts<'_> {
    /// Returns the context called `name`, with its image configuration where it is an image.
    ///
    /// The name is tried with `::PLATFORM` behind it first. `context` is the main context and always there.
    ///
    /// # Errors
    /// [`FrontendError::Option`] for a form that is not known, gateway errors while resolving an image.
    pub fn find(&self, name: &str) -> Result<Option<ImageAnswer>, FrontendError> {
        let options = &self.options.contexts;
        let value = options.get(&format!("{name}::{}", self.platform)).or_else(|| options.get(name));
        match value {
            Some(value) => self.state(name, value).map(Some),
            None if name == "context" => Ok(Some(plain(self.local("context")))),
            None => Ok(None),
        }
    }

    fn state(&self, name: &str, value: &str) -> Result<ImageAnswer, FrontendError> {
        if let Some(local) = value.strip_prefix("local:") {
            return Ok(plain(self.local(local)));
        }
        let image =
            value.strip_prefix("docker-image://").or(value.starts_with("oci-layout://").then_some(value));
        if let Some(reference) = image {
            let wanted = Wanted { reference, packages: &[], platform: self.platform };
            return images::resolve(self.gateway, self.options, &wanted);
        }
        if let Some(input) = value.strip_prefix("input:") {
            return Err(unusable(name, format!("graph inputs such as `{input}` cannot be contexts here")));
        }
        if value.starts_with("http://") || value.starts_with("https://") {
            return Ok(plain(State::http(Http {
                url: value.to_owned(),
                filename: "context".to_owned(),
                label: format!("[context {name}] {value}"),
                ..Http::default()
            })));
        }
        Err(unusable(name, format!("`{value}` is no kind of context that can be used")))
    }

    fn local(&self, name: &str) -> State {
        State::local(Local {
            name: name.to_owned(),
            label: format!("[context {name}] load"),
            session: self.gateway.build_options().session.clone(),
            ..Local::default()
        })
    }
}

fn plain(state: State) -> ImageAnswer {
    ImageAnswer { state, ..ImageAnswer::default() }
}

fn unusable(name: &str, message: String) -> FrontendError {
    FrontendError::Option { option: format!("build context {name}"), message }
}
