//! What a build yields: a result for each platform, or for each image that results start from.

use std::collections::BTreeMap;

use dalec_spec::Platform;
use dalec_targets::error::PlanError;
use dalec_targets::locate::locate;
use dalec_targets::request::{BaseQuestion, ImageAnswer, Options as PlanOptions};
use dalec_targets::routes::{self, Route};
use serde_json::{Value, json};

use crate::answers::{image, or_more};
use crate::contexts::Contexts;
use crate::error::FrontendError;
use crate::options::Options;
use crate::platforms::for_graph;
use crate::spec::Spec;
use crate::subrequests::platform_json;

/// One result that is wanted.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// What it is for.
    pub platform: Platform,
    /// Version of the operating system; empty where there is none to tell.
    pub os_version: String,
    /// The image that it starts from, where that decides what it is for.
    pub base: Option<ImageAnswer>,
}

impl Wanted {
    /// Returns the name of the result among others, as BuildKit writes it: `windows(10.0.17763.1)/amd64`.
    pub fn id(&self) -> String {
        let platform = self.platform.to_string();
        match (self.os_version.as_str(), platform.split_once('/')) {
            ("", _) | (_, None) => platform,
            (version, Some((os, rest))) => format!("{os}({version})/{rest}"),
        }
    }

    /// Returns what it is for as OCI documents write it.
    pub fn json(&self) -> Value {
        let mut value = platform_json(&self.platform);
        if !self.os_version.is_empty() {
            value["os.version"] = json!(self.os_version);
        }
        value
    }
}

/// Returns the results of `route` that a request asks for, at least one.
///
/// `contexts` are those of one platform, which gives way to those that are asked for here; `failed` makes an error of one
/// about the spec.
///
/// # Errors
/// What `failed` returns for platforms that do not go together; what the gateway says when an image cannot be had;
/// [`FrontendError::Spec`] when the spec is wrong.
pub fn wanted(
    contexts: &Contexts<'_>,
    spec: &Spec,
    route: &Route,
    failed: impl Fn(&PlanError) -> FrontendError,
) -> Result<Vec<Wanted>, FrontendError> {
    let Options { platforms, build_platform, .. } = contexts.options;
    let platforms = routes::platforms(route, platforms, build_platform).map_err(|error| failed(&error))?;
    let mut wanted = Vec::new();
    for platform in platforms {
        let resolved = spec.resolve_silently(contexts.options, contexts.options.target_key(), &platform).0;
        let bases = resolved.as_ref().map(|spec| routes::bases(route, spec)).unwrap_or_default();
        let Some(resolved) = resolved.filter(|_| !bases.is_empty()) else {
            wanted.push(Wanted { platform, os_version: String::new(), base: None });
            continue;
        };
        // What cannot be built is not looked up.
        routes::check(route, &resolved, &PlanOptions::default()).map_err(|error| failed(&error))?;
        let graph_platform = for_graph(&platform);
        let machine = contexts;
        let contexts = Contexts { platform: &graph_platform, ..*contexts };
        // Everything but the base is for where the steps of the build run.
        let of_steps = if routes::is_cross(route) { machine } else { &contexts };
        let mut known: BTreeMap<String, BaseQuestion> = BTreeMap::new();
        for question in bases {
            let location = locate(&spec.source_map(), [question.span]);
            let base = image(&contexts, &question.image, &[], location).map_err(|error| {
                or_more(
                    of_steps,
                    error,
                    &routes::questions(route, &resolved, &PlanOptions::default()),
                    spec,
                    question.span,
                )
            })?;
            check_os(&base, &question).map_err(|error| failed(&error))?;
            let one = from_base(base, &platform);
            if let Some(other) = known.insert(one.id(), question.clone()) {
                return Err(failed(&same_platform(&one, &other, &question)));
            }
            wanted.push(one);
        }
    }
    Ok(wanted)
}

/// Returns the result that starts from `base`; what that does not say is as in `asked`.
fn from_base(base: ImageAnswer, asked: &Platform) -> Wanted {
    let config = &base.config;
    let silent = config.os.is_empty() || config.architecture.is_empty();
    let platform = match silent {
        true => asked.clone(),
        false => Platform {
            os: config.os.clone(),
            arch: config.architecture.clone(),
            variant: config.variant.clone(),
        },
    };
    let os_version = config.other.get("os.version").and_then(Value::as_str).unwrap_or_default().to_owned();
    Wanted { platform, os_version, base: Some(base) }
}

/// Checks that `base` is for the operating system that `question` wants, where it names one.
fn check_os(base: &ImageAnswer, question: &BaseQuestion) -> Result<(), PlanError> {
    let os = &base.config.os;
    if os.is_empty() || os == question.os {
        return Ok(());
    }
    Err(PlanError::Invalid {
        message: format!(
            "the base image {} is for {os}, but the result is for {}",
            question.image.reference, question.os
        ),
        spans: vec![question.span],
        hint: Some(format!(
            "name an image for {} in `image.bases`, or give one as named context",
            question.os
        )),
    })
}

fn same_platform(wanted: &Wanted, first: &BaseQuestion, second: &BaseQuestion) -> PlanError {
    PlanError::Invalid {
        message: format!(
            "multiple base images provided with the same platform value: {} and {} are both for {}",
            first.image.reference,
            second.image.reference,
            wanted.id()
        ),
        spans: vec![second.span, first.span],
        hint: Some("leave one of them in `image.bases`: each gives an image of its own platform".into()),
    }
}

#[cfg(test)]
mod tests {
    use dalec_spec::span::Span;
    use dalec_targets::request::ImageQuestion;

    use super::*;

    fn answer(config: &str) -> ImageAnswer {
        let config = serde_json::from_str(config).expect("a configuration");
        ImageAnswer { config, ..ImageAnswer::default() }
    }

    fn base(config: &str) -> Wanted {
        from_base(answer(config), &Platform::new("windows", "amd64"))
    }

    #[test]
    fn an_image_for_something_else_is_refused() {
        let image = ImageQuestion {
            reference: "registry.example.org/base".into(),
            packages: Vec::new(),
            of_result: true,
        };
        let question = BaseQuestion { image, os: "windows", span: Span::new(3, 4) };
        let check = |config: &str| check_os(&answer(config), &question);
        assert_eq!(check(r#"{"os":"windows","architecture":"arm64"}"#), Ok(()));
        assert_eq!(check("{}"), Ok(()));
        let error =
            check(r#"{"os":"linux","architecture":"amd64"}"#).expect_err("programs have no place there");
        assert_eq!(
            error.to_string(),
            "the base image registry.example.org/base is for linux, but the result is for windows"
        );
        assert_eq!(error.spans(), [Span::new(3, 4)]);
    }

    /// WIN-005
    #[test]
    fn an_image_says_what_it_is_for() {
        let old = base(r#"{"os":"windows","architecture":"amd64","os.version":"10.0.17763.1"}"#);
        assert_eq!(old.id(), "windows(10.0.17763.1)/amd64");
        let json = json!({ "os": "windows", "architecture": "amd64", "os.version": "10.0.17763.1" });
        assert_eq!(old.json(), json);
        assert_eq!(base(r#"{"os":"windows","architecture":"arm64"}"#).id(), "windows/arm64");
        assert_eq!(base("{}").id(), "windows/amd64");
    }
}
