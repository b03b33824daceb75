//! Named contexts: `context:NAME` options as states.
//!
//! The forms follow BuildKit's `frontend/dockerui/namedcontext.go`: `local:NAME`, `docker-image://REF`,
//! `oci-layout://…`, `input:NAME`, git repositories and URLs of files.

use dalec_gateway::{Gateway, input_image_config};
use dalec_llb::{Http, Local, Platform, State};
use dalec_targets::image_config::ImageConfig;
use dalec_targets::request::ImageAnswer;

use crate::error::FrontendError;
use crate::images::{self, Wanted};
use crate::main_context::{self, MAIN, MainContext, escaped};
use crate::options::Options;
use crate::remote;

/// Contexts that clients may give as inputs of the request, too, and what upstream calls these.
const WORKERS_BY_INPUT: [(&str, &str); 4] = [
    ("gomod-worker", "gomod-worker"),
    ("cargohome-worker", "context:cargohome-worker"),
    ("pip-worker", "context:pip-worker"),
    ("patched-sources-worker", "context:patched-sources-worker"),
];

/// Looks up contexts by name for one platform.
#[derive(Clone, Copy)]
pub struct Contexts<'a> {
    /// Who answers.
    pub gateway: &'a dyn Gateway,
    /// The request.
    pub options: &'a Options,
    /// Where the main context is.
    pub main: &'a MainContext,
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
        self.find_part(name, None)
    }

    /// Returns what the file `path` of the context `name` holds; none when there is no such context.
    ///
    /// # Errors
    /// As [`Contexts::find`], and what reading says.
    pub fn read(&self, name: &str, path: &str, limit: u64) -> Result<Option<Vec<u8>>, FrontendError> {
        let Some(context) = self.find_part(name, Some(path))? else { return Ok(None) };
        Ok(Some(main_context::read(self.gateway, &context.state, path, limit)?))
    }

    /// Returns whether there is a context called `name`, without looking at it.
    pub fn is_given(&self, name: &str) -> bool {
        name == MAIN || self.value(name).is_some()
    }

    fn value(&self, name: &str) -> Option<String> {
        let options = &self.options.contexts;
        let value = options.get(&format!("{name}::{}", self.platform)).or_else(|| options.get(name));
        value.cloned().or_else(|| {
            let (_, input) = WORKERS_BY_INPUT.iter().find(|(context, _)| *context == name)?;
            // A gateway that cannot be asked for inputs says so when the spec is looked for.
            let inputs = self.gateway.inputs().ok()?;
            inputs.contains_key(*input).then(|| format!("input:{input}"))
        })
    }

    /// Returns the context called `name`; of a directory that the client serves `part` alone, if there is one.
    fn find_part(&self, name: &str, part: Option<&str>) -> Result<Option<ImageAnswer>, FrontendError> {
        match (self.value(name), &self.main.state) {
            (Some(value), _) => self.state(name, &value, part).map(Some),
            (None, Some(main)) if name == MAIN => Ok(Some(plain(main.clone()))),
            (None, None) if name == MAIN => Ok(Some(plain(self.local(name, MAIN, part)))),
            (None, _) => Ok(None),
        }
    }

    fn state(&self, name: &str, value: &str, part: Option<&str>) -> Result<ImageAnswer, FrontendError> {
        if let Some(local) = value.strip_prefix("local:") {
            return Ok(plain(self.local(name, local, part)));
        }
        if value == "docker-image://scratch" {
            return Ok(ImageAnswer::default());
        }
        if let Some(reference) = image(value) {
            let wanted = Wanted { reference, name, packages: &[], platform: self.platform, location: None };
            return images::resolve(self.gateway, self.options, &wanted);
        }
        if let Some(input) = value.strip_prefix("input:") {
            return self.input(name, input);
        }
        if let Some(git) =
            remote::git(value.strip_prefix("git:").filter(|_| value.contains('@')).unwrap_or(value))
        {
            return Ok(plain(State::git(git.map_err(|message| unusable(name, message))?)));
        }
        if value.starts_with("http://") || value.starts_with("https://") {
            return Ok(plain(State::http(Http {
                url: value.to_owned(),
                filename: "context".to_owned(),
                label: format!("[context {name}] {}", remote::without_login(value)),
                ..Http::default()
            })));
        }
        Err(unusable(name, format!("`{value}` is no kind of context that can be used")))
    }

    /// Returns the graph that the request has as its input `input`, with the image configuration beside it.
    fn input(&self, name: &str, input: &str) -> Result<ImageAnswer, FrontendError> {
        let Some(definition) = self.gateway.inputs()?.remove(input) else {
            return Err(unusable(name, format!("the request has no input `{input}`")));
        };
        let state = main_context::state_of_input(input, &definition)?;
        let config = input_image_config::<ImageConfig>(&self.gateway.build_options().options, input);
        let config = config.map_err(|error| unusable(name, error.to_string()))?;
        Ok(ImageAnswer { state, config: config.unwrap_or_default(), ..ImageAnswer::default() })
    }

    /// Returns the directory `local` of the client, which is the context called `name`.
    fn local(&self, name: &str, local: &str, part: Option<&str>) -> State {
        State::local(Local {
            name: local.to_owned(),
            include: part.map(escaped).into_iter().collect(),
            follow: part.map(str::to_owned).into_iter().collect(),
            label: format!("[context {name}] load"),
            session: self.options.session_of(local).to_owned(),
            ..Local::default()
        })
    }
}

/// Returns the reference of a context that is an image.
fn image(value: &str) -> Option<&str> {
    value.strip_prefix("docker-image://").or(value.starts_with("oci-layout://").then_some(value))
}

fn plain(state: State) -> ImageAnswer {
    ImageAnswer { state, ..ImageAnswer::default() }
}

fn unusable(name: &str, message: String) -> FrontendError {
    FrontendError::Option { option: format!("build context {name}"), message }
}
