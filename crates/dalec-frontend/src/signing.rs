//! Who signs the packages of a build, and how they are asked.

use dalec_gateway::{GatewayError, Purpose};
use dalec_llb::State;
use dalec_spec::Platform;
use dalec_spec::target_spec::{Signer, TargetSpec};
use dalec_targets::image_reference::{full_reference, names_of};
use serde_json::Value;

use crate::answers::with_contexts;
use crate::contexts::Contexts;
use crate::error::FrontendError;
use crate::frontends;
use crate::main_context::MAIN;
use crate::own_signer;
use crate::side_file::SideFile;
use crate::signer_image;

/// Context of the signing configuration that the flag `--sign-key` stands for.
pub const SIGN_KEY_CONTEXT: &str = "dalec-sign-key";

/// Leaves packages unsigned.
const SKIP: &str = "DALEC_SKIP_SIGNING";
/// Build argument that names the file which says who signs.
pub const CONFIG_PATH: &str = "DALEC_SIGNING_CONFIG_PATH";
/// Build argument that names the context of that file.
pub const CONFIG_CONTEXT: &str = "DALEC_SIGNING_CONFIG_CONTEXT_NAME";
/// Signs packages before they are tested.
const BEFORE_TESTS: &str = "DALEC_SIGN_BEFORE_TESTS";
/// Takes what a signer returns without comparing it.
const UNVERIFIED: &str = "DALEC_SIGNING_UNVERIFIED";

/// The file that says who signs, and its context.
const CONFIG: SideFile = SideFile { path: CONFIG_PATH, context: CONFIG_CONTEXT, default_context: MAIN };

/// Returns whether the flag `--sign-key` says who signs, and nothing says that nobody does.
pub fn is_by_flag(contexts: &Contexts<'_>) -> bool {
    !CONFIG.path_in(contexts).is_empty()
        && CONFIG.context_in(contexts) == SIGN_KEY_CONTEXT
        && !contexts.options.flag(SKIP).unwrap_or(false)
}

/// How the packages of one build are signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signing {
    /// Who signs.
    pub signer: Signer,
    /// Whether the signer stands in the spec.
    pub is_in_spec: bool,
    /// Whether tests come after signing, and see signed packages.
    pub before_tests: bool,
    /// Whether the answer is compared with what was built.
    pub is_compared: bool,
}

/// What a signer answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// What it made of the packages.
    pub signed: State,
    /// Digest of the image that was called; none when it is no image with a digest.
    pub digest: Option<String>,
}

impl Signing {
    /// Returns how the packages of `spec` are signed; none when they are not. `warn` takes what people should know.
    ///
    /// `overrides` says that the spec has another signer, which the one of the target replaces.
    ///
    /// # Errors
    /// When the signing configuration that the request names cannot be read, or a build argument is wrong.
    pub fn choose(
        contexts: &Contexts<'_>,
        spec: &TargetSpec,
        overrides: bool,
        warn: &mut dyn FnMut(String),
    ) -> Result<Option<Self>, FrontendError> {
        let options = contexts.options;
        let path = CONFIG.path_in(contexts);
        let in_spec = spec.package_config.signer.as_ref();
        // Text that is no boolean leaves signing on, as upstream has it.
        if options.flag(SKIP).unwrap_or(false) {
            if !path.is_empty() || in_spec.is_some() {
                warn(format!("Signing disabled by build-arg {SKIP}: the packages are not signed"));
            }
            return Ok(None);
        }
        let signer = match (path, in_spec) {
            ("", None) => return Ok(None),
            ("", Some(signer)) => {
                if overrides {
                    let target = &spec.target;
                    warn(format!("Root signing spec overridden by target signing spec: target {target:?}"));
                }
                signer.clone()
            }
            (path, in_spec) => {
                let context = CONFIG.context_in(contexts);
                if let Some(in_spec) = in_spec {
                    warn(match context {
                        SIGN_KEY_CONTEXT => {
                            format!("--sign-key takes the place of the spec's signer, {}", in_spec.image)
                        }
                        _ => format!(
                            "Spec signing config overwritten by config at path {path:?} in build-context {context:?}"
                        ),
                    });
                }
                configured(contexts, warn)?
            }
        };
        let is_compared = !options.flag(UNVERIFIED)?;
        if !is_compared {
            warn(format!(
                "{UNVERIFIED}: what {} returns is taken without comparing it with what was built",
                signer.image
            ));
        }
        let before_tests = options.flag(BEFORE_TESTS)?;
        Ok(Some(Self { signer, is_in_spec: path.is_empty(), before_tests, is_compared }))
    }

    /// Has `packages`, which are for `made_for`, signed for the target key of the request.
    ///
    /// # Errors
    /// When the signer cannot be had, fails, or returns anything but one file system.
    pub fn sign(
        &self,
        contexts: &Contexts<'_>,
        made_for: &Platform,
        packages: &State,
    ) -> Result<Answer, GatewayError> {
        let Contexts { gateway, options, platform, .. } = *contexts;
        let signer = &self.signer;
        let target = options.target_key();
        let mut request = frontends::request(gateway, &signer.image, &signer.cmdline, &[])?;
        for (name, value) in &signer.args {
            // What the client gives is the way to choose a key for one build.
            request.options.entry(format!("build-arg:{name}")).or_insert_with(|| value.clone());
        }
        let mut set = |name: &str, value: &str| request.options.insert(name.into(), value.into());
        set("contextkey", MAIN);
        set("dalec.target", target);
        set("build-arg:DALEC_TARGET", target);
        if options.platforms.len() > 1 {
            set("platform", &made_for.to_string());
        }
        request.inputs.insert(MAIN.into(), packages.marshal(platform));
        request.purpose = Purpose::Sign;
        own_signer::provide(gateway, &mut request, platform)?;
        let digest = signer_image::settle(contexts, &mut request);
        let result = gateway
            .solve_frontend(request)
            .map_err(|error| with_contexts(error, &names_of(&full_reference(&signer.image))))?;
        Ok(Answer { signed: frontends::single(gateway, &signer.image, &result)?, digest })
    }

    /// Returns the error of an answer in which more than signatures differs, as the list of `differences` says.
    pub fn refused(&self, differences: &Value) -> GatewayError {
        let lines = differences.as_array().into_iter().flatten().filter_map(Value::as_str);
        let lines: String = lines.map(|line| format!("\n{line}")).collect();
        GatewayError::Frontend {
            image: self.signer.image.clone(),
            message: format!("it changed more than signatures{lines}"),
            hint: Some(format!(
                "if this signer is meant to do that, --build-arg {UNVERIFIED}=1 takes its answer as it is"
            )),
            log: Vec::new(),
        }
    }
}

/// Reads the signer in the file that the request names.
fn configured(contexts: &Contexts<'_>, warn: &mut dyn FnMut(String)) -> Result<Signer, FrontendError> {
    let source_text = CONFIG.read(contexts)?;
    let path = CONFIG.path_in(contexts);
    let (signer, diagnostics) = dalec_spec::load_signing_config(&source_text);
    let Some(signer) = signer else { return Err(FrontendError::Spec { source_text, diagnostics }) };
    diagnostics.into_iter().for_each(|diagnostic| warn(format!("{path}: {}", diagnostic.message)));
    Ok(signer)
}
