//! Targets that another frontend builds: `targets.KEY.frontend` of a spec.

use dalec_gateway::{FrontendRequest, FrontendResult, Gateway, GatewayError};
use dalec_llb::{File, Platform, ProgressGroup, State};
use dalec_spec::target_spec::Frontend;
use dalec_spec::{RawSpec, SourceText};
use serde::Deserialize;

use crate::error::FrontendError;
use crate::frontends;
use crate::main_context::{MAIN, MainContext, SPEC};
use crate::metadata::is_about_signing;
use crate::routes::Target;
use crate::subrequests;

/// Options that are about this request alone.
const REPLACED: [&str; 3] = ["filename", "dockerfilekey", "target"];

/// A target key that another frontend builds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forward {
    /// The target key.
    pub key: String,
    /// Who builds it.
    pub frontend: Frontend,
    /// Arguments of the spec that have a default.
    defaults: Vec<(String, String)>,
}

impl Forward {
    /// Returns every target key of `spec` that another frontend builds, in the order written.
    pub fn all(spec: &RawSpec) -> Vec<Self> {
        let defaults = spec.arg_defaults().map(|(name, value)| (name.to_owned(), value.to_owned()));
        let defaults: Vec<(String, String)> = defaults.collect();
        let keys = spec.target_keys().into_iter();
        let forward = |key: &str| {
            Some(Self { key: key.to_owned(), frontend: spec.frontend(key)?, defaults: defaults.clone() })
        };
        keys.filter_map(forward).collect()
    }

    /// Returns whether `target` is the key or below it.
    pub fn covers(&self, target: &str) -> bool {
        target.strip_prefix(&self.key).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// Has `target` built, and returns what the other frontend returned, but for what it says of signing.
    ///
    /// # Errors
    /// What the gateway or the other frontend says.
    pub fn build(
        &self,
        gateway: &dyn Gateway,
        main: &MainContext,
        source_text: &SourceText,
        target: &str,
    ) -> Result<FrontendResult, FrontendError> {
        let target = target.strip_prefix(&self.key).unwrap_or_default().trim_start_matches('/');
        let mut result = gateway.solve_frontend(self.request(gateway, main, source_text, target)?)?;
        // Nobody here saw it sign or compared anything.
        result.metadata.retain(|name, _| !is_about_signing(name));
        Ok(result)
    }

    /// Returns the targets that the other frontend has; where it says nothing, the key alone.
    pub fn targets(
        &self,
        gateway: &dyn Gateway,
        main: &MainContext,
        source_text: &SourceText,
    ) -> Vec<Target> {
        let listed = self.ask_for_targets(gateway, main, source_text).unwrap_or_default();
        let targets: Vec<Target> = listed
            .into_iter()
            .map(|target| Target {
                name: match target.name.as_str() {
                    "" => self.key.clone(),
                    name => format!("{}/{name}", self.key),
                },
                default: target.default,
                description: target.description,
                spec_defined: true,
            })
            .collect();
        if targets.is_empty() { vec![self.whole()] } else { targets }
    }

    /// Returns the target key itself as a target.
    pub fn whole(&self) -> Target {
        Target {
            name: self.key.clone(),
            default: false,
            description: format!("Forwarded to custom frontend: {}", self.frontend.image),
            spec_defined: true,
        }
    }

    fn ask_for_targets(
        &self,
        gateway: &dyn Gateway,
        main: &MainContext,
        source_text: &SourceText,
    ) -> Result<Vec<RemoteTarget>, GatewayError> {
        let mut request = self.request(gateway, main, source_text, "")?;
        request.options.insert("requestid".into(), subrequests::TARGETS.into());
        request.evaluate = false;
        let mut result = gateway.solve_frontend(request)?;
        let list = result.metadata.remove(subrequests::JSON).unwrap_or_default();
        let list: RemoteTargets = serde_json::from_slice(&list).map_err(|error| GatewayError::Frontend {
            image: self.frontend.image.clone(),
            message: format!("its list of targets cannot be read: {error}"),
            hint: None,
            log: Vec::new(),
        })?;
        Ok(list.targets)
    }

    /// Returns the request for `target`, without the key. The spec goes along as it is written: the other frontend
    /// expands its arguments, and gets their values. The main context is an input, unless it is a directory that the client serves.
    fn request(
        &self,
        gateway: &dyn Gateway,
        main: &MainContext,
        source_text: &SourceText,
        target: &str,
    ) -> Result<FrontendRequest, GatewayError> {
        let Frontend { image, cmdline, .. } = &self.frontend;
        let mut request = frontends::request(gateway, image, cmdline, &REPLACED)?;
        for (name, value) in &self.defaults {
            request.options.entry(format!("build-arg:{name}")).or_insert_with(|| value.clone());
        }
        let mut set = |name: &str, value: &str| request.options.insert(name.into(), value.into());
        set("target", target);
        set("dalec.target", &self.key);
        set("build-arg:DALEC_TARGET", &self.key);
        let file = File::new("Write the spec for the frontend")
            .mkfile("/Dockerfile", 0o600, None, source_text.text())
            .group(&ProgressGroup::new("prepare spec to forward to frontend"));
        request.inputs.insert(SPEC.into(), State::scratch().file(file).marshal(&Platform::host()));
        if let Some(main) = &main.state {
            request.inputs.insert(MAIN.into(), main.marshal(&Platform::host()));
        }
        Ok(request)
    }
}

#[derive(Deserialize)]
struct RemoteTargets {
    #[serde(default)]
    targets: Vec<RemoteTarget>,
}

#[derive(Deserialize)]
struct RemoteTarget {
    #[serde(default)]
    name: String,
    #[serde(default)]
    default: bool,
    #[serde(default)]
    description: String,
}
