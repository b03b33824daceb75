//! The image of a frontend: where it comes from, and what its configuration says.

use std::collections::{BTreeMap, BTreeSet};

use bollard_buildkit_proto::pb;
use dalec_gateway::{FrontendRequest, Gateway, GatewayError, ResolveImage, input_image_config, parse_bool};
use serde::Deserialize;

use crate::oci::{Platform, Reference};
use crate::session::{Session, source_definition};

/// What is run when no configuration says what.
const DEFAULT_ENTRYPOINT: &str = "/run";

const NO_NETWORK: &str = "moby.buildkit.frontend.network.none";
const CAPABILITIES: &str = "moby.buildkit.frontend.caps";
const INPUTS: &str = "moby.buildkit.frontend.inputs";

/// A frontend to run.
pub struct FrontendImage {
    /// How it was called.
    pub name: String,
    /// The graph of its root.
    pub definition: pb::Definition,
    config: ProcessConfig,
}

/// What matters of an image's configuration.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct ProcessConfig {
    entrypoint: Option<Vec<String>>,
    env: Option<Vec<String>>,
    working_dir: String,
    labels: Option<BTreeMap<String, String>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Config {
    config: ProcessConfig,
}

/// Finds the image `source` for `request`; a named context of that name replaces it.
///
/// # Errors
/// When it is nowhere to be had, or the context is of a kind that holds no image.
pub fn find(
    session: &Session,
    source: &str,
    request: &FrontendRequest,
) -> Result<FrontendImage, GatewayError> {
    let reference: Reference =
        source.parse().map_err(|error: crate::oci::BadReference| GatewayError::Image {
            reference: source.to_owned(),
            hint: "an image is named like domain/name:tag".into(),
            source: Some(Box::new(error)),
        })?;
    let contexts = context_names(source, &reference);
    let context = contexts.iter().find_map(|name| request.options.get(&format!("context:{name}")));
    let image = match context {
        None => of_image(session, source, &reference.to_string()),
        Some(context) => of_context(session, source, context, request),
    }?;
    Ok(image)
}

/// Returns the names of the contexts that replace an image, the most particular first: BuildKit's clients leave out the
/// default domain and tag, and may add the platform; people may not.
fn context_names(source: &str, reference: &Reference) -> Vec<String> {
    let short = |text: &str| text.strip_suffix(":latest").unwrap_or(text).to_owned();
    let (familiar, full) = (reference.familiar(), reference.to_string());
    let name = short(&familiar);
    vec![format!("{name}::{}", Platform::host()), name, familiar, short(&full), full, source.to_owned()]
}

fn of_context(
    session: &Session,
    source: &str,
    context: &str,
    request: &FrontendRequest,
) -> Result<FrontendImage, GatewayError> {
    let wrong = |message: String, hint: &str| {
        let hint = (!hint.is_empty()).then(|| hint.to_owned());
        Err(GatewayError::Frontend { image: source.to_owned(), message, hint, log: Vec::new() })
    };
    let (kind, rest) = context.split_once(':').unwrap_or((context, ""));
    match kind {
        "docker-image" => of_image(session, source, rest.trim_start_matches('/')),
        "oci-layout" => of_image(session, source, context),
        "local" => Ok(FrontendImage {
            name: source.to_owned(),
            definition: source_definition(&format!("local://{rest}"), &format!("[frontend {source}] files")),
            config: ProcessConfig::default(),
        }),
        "input" => {
            let Some(definition) = request.inputs.get(rest) else {
                return wrong(
                    format!("the context that replaces it is the input {rest:?}, which is missing"),
                    "",
                );
            };
            let config = match input_image_config::<Config>(&request.options, rest) {
                Ok(config) => config.unwrap_or_default().config,
                Err(error) => return wrong(error.to_string(), ""),
            };
            Ok(FrontendImage { name: source.to_owned(), definition: definition.clone(), config })
        }
        _ => wrong(
            format!("the context that replaces it is no image: {context}"),
            "give docker-image://REFERENCE, oci-layout://PATH or an archive of an image",
        ),
    }
}

fn of_image(session: &Session, source: &str, reference: &str) -> Result<FrontendImage, GatewayError> {
    let mode = session.build_options().options.get("image-resolve-mode").cloned().unwrap_or_default();
    let asked = ResolveImage { reference: reference.to_owned(), mode, ..ResolveImage::default() };
    let found = session.resolve_image(&asked)?;
    let config = serde_json::from_slice::<Option<Config>>(&found.config);
    let config = config.map_err(|error| GatewayError::Frontend {
        image: source.to_owned(),
        message: format!("the configuration of its image is malformed: {error}"),
        hint: None,
        log: Vec::new(),
    })?;
    let identifier = match found.reference.starts_with("oci-layout://") {
        true => found.reference,
        false => format!("docker-image://{}", found.reference),
    };
    Ok(FrontendImage {
        name: source.to_owned(),
        definition: source_definition(&identifier, &format!("[frontend {source}] image")),
        config: config.unwrap_or_default().config,
    })
}

impl FrontendImage {
    /// Returns what is run.
    pub fn args(&self) -> Vec<String> {
        let given = self.config.entrypoint.clone().filter(|entrypoint| !entrypoint.is_empty());
        given.unwrap_or_else(|| vec![DEFAULT_ENTRYPOINT.to_owned()])
    }

    /// Returns whether the configuration does not say what is run.
    ///
    /// Then there is a file where the description of the image would go, below [`DEFAULT_ENTRYPOINT`].
    pub fn is_plain(&self) -> bool {
        self.args() == [DEFAULT_ENTRYPOINT]
    }

    /// Returns its environment.
    pub fn env(&self) -> Vec<String> {
        self.config.env.clone().unwrap_or_default()
    }

    /// Returns its working directory.
    pub fn working_dir(&self) -> String {
        match self.config.working_dir.as_str() {
            "" => "/".to_owned(),
            dir => dir.to_owned(),
        }
    }

    /// Returns whether it wants no network.
    pub fn refuses_network(&self) -> bool {
        parse_bool(self.label(NO_NETWORK)) == Some(true)
    }

    /// Goes on unless the request needs something that the image does not say it can.
    ///
    /// # Errors
    /// When it does.
    pub fn check_capabilities(&self, request: &FrontendRequest) -> Result<(), GatewayError> {
        let has = capabilities(self.label(CAPABILITIES));
        let wanted = request.options.get("frontend.caps").map(String::as_str).unwrap_or_default();
        let mut wanted = capabilities(wanted);
        if !request.inputs.is_empty() {
            wanted.insert(INPUTS);
        }
        match wanted.difference(&has).next() {
            None => Ok(()),
            Some(missing) => Err(GatewayError::Frontend {
                image: self.name.clone(),
                message: format!("its image does not say that it supports {missing}"),
                hint: Some(format!("images say so with the label {CAPABILITIES}")),
                log: Vec::new(),
            }),
        }
    }

    fn label(&self, name: &str) -> &str {
        let labels = self.config.labels.as_ref();
        labels.and_then(|labels| labels.get(name)).map(String::as_str).unwrap_or_default()
    }
}

/// Reads a list of capabilities; what follows a `+` refines one and is left out.
fn capabilities(text: &str) -> BTreeSet<&str> {
    let name = |part: &'_ str| part.split('+').next().unwrap_or_default().len();
    text.split(',').map(|part| &part[..name(part)]).filter(|name| !name.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contexts_replace_images_by_short_and_full_names() {
        let names = |text: &str| context_names(text, &text.parse().unwrap());
        let platform = Platform::host();
        assert_eq!(
            names("signers/deb"),
            [
                &*format!("signers/deb::{platform}"),
                "signers/deb",
                "signers/deb:latest",
                "docker.io/signers/deb",
                "docker.io/signers/deb:latest",
                "signers/deb",
            ]
        );
        assert!(names("example.com/x:1").contains(&"example.com/x:1".to_owned()));
    }

    #[test]
    fn capabilities_are_read_from_labels() {
        let label = "moby.buildkit.frontend.inputs,moby.buildkit.frontend.subrequests+forward,";
        assert_eq!(
            capabilities(label).into_iter().collect::<Vec<_>>(),
            ["moby.buildkit.frontend.inputs", "moby.buildkit.frontend.subrequests"]
        );
        assert!(capabilities("").is_empty());
    }

    #[test]
    fn configurations_may_say_nothing() {
        let config = |json: &str| serde_json::from_str::<Config>(json).unwrap().config;
        assert_eq!(config("{}"), ProcessConfig::default());
        let read = config(
            r#"{"config":{"Entrypoint":["/signer"],"Env":null,"WorkingDir":"/w","Labels":{"a":"b"}}}"#,
        );
        assert_eq!(read.entrypoint, Some(vec!["/signer".to_owned()]));
        assert_eq!(read.labels.unwrap()["a"], "b");
    }
}
