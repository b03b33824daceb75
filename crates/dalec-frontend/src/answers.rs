//! Answers to what a plan must know first; everything is asked at once.

use std::thread;

use dalec_gateway::GatewayError;
use dalec_llb::{Location, Platform};
use dalec_spec::span::Span;
use dalec_targets::image_reference::names_of;
use dalec_targets::locate::locate;
use dalec_targets::request::{Answers, ImageAnswer, ImageQuestion, Questions};

use crate::build::joined;
use crate::contexts::Contexts;
use crate::error::FrontendError;
use crate::images::{self, Wanted};
use crate::spec::Spec;

/// Answers `questions` of `spec`: those about the result for the platform `of_result`, all others for that of `contexts`.
///
/// A named context called like an image's reference, in its full or its familiar form, replaces the image.
///
/// # Errors
/// The first error in the order of the questions, contexts before images.
pub fn answer(
    contexts: &Contexts<'_>,
    of_result: &Platform,
    questions: &Questions,
    spec: &Spec,
) -> Result<Answers, FrontendError> {
    let of_result = Contexts { platform: of_result, ..*contexts };
    let wanted = |question: &&ImageQuestion| {
        !questions.unless.get(*question).is_some_and(|names| names.iter().any(|name| contexts.is_given(name)))
    };
    let images: Vec<&ImageQuestion> = questions.images.iter().filter(wanted).collect();
    let mut answers = Answers::default();
    thread::scope(|scope| {
        let names = questions.contexts.iter();
        let find = |name: &String| {
            let is_of_result = questions.contexts_of_result.contains(name);
            if is_of_result { of_result.find(name) } else { contexts.find(name) }
        };
        let found: Vec<_> = names.clone().map(|name| scope.spawn(move || find(name))).collect();
        let ask = |one: &ImageQuestion| {
            let others = questions.unless.get(one).map_or(&[][..], Vec::as_slice);
            let contexts = if one.of_result { &of_result } else { contexts };
            image(contexts, one, others, locate(&spec.source_map(), questions.places.get(one).copied()))
        };
        let resolved: Vec<_> = images.iter().map(|one| scope.spawn(move || ask(one))).collect();
        for (name, context) in names.zip(found) {
            if let Some(context) = joined(context)? {
                answers.contexts.insert(name.clone(), context.state);
                answers.configs.insert(name.clone(), context.config);
            }
        }
        let mut missing = Vec::new();
        for (question, answer) in images.iter().zip(resolved) {
            match joined(answer) {
                Ok(answer) => drop(answers.images.insert((*question).clone(), answer)),
                Err(error) => missing.push((questions.places.get(*question).copied(), error)),
            }
        }
        // What the author wrote comes before what the target needs, so that words and places are about the same.
        missing.sort_by_key(|(place, _)| place.is_none());
        let places = missing.iter().filter_map(|(place, _)| *place).collect();
        let mut missing = missing.into_iter().map(|(_, error)| error);
        missing.next().map_or(Ok(answers), |first| Err(spec.at(all_missing(first, missing), places)))
    })
}

/// Returns `error`, which is about what `span` asks for; about an image that is nowhere to be had, it also names those
/// that `questions` miss.
pub fn or_more(
    contexts: &Contexts<'_>,
    error: FrontendError,
    questions: &Questions,
    spec: &Spec,
    span: Span,
) -> FrontendError {
    let more = missing_image(&error).and_then(|_| answer(contexts, contexts.platform, questions, spec).err());
    spec.at(all_missing(error, more), vec![span])
}

/// Returns `first`; about an image that is nowhere to be had, what to do names every other such image in `more`.
fn all_missing(mut first: FrontendError, more: impl IntoIterator<Item = FrontendError>) -> FrontendError {
    if let FrontendError::Gateway(GatewayError::Image { reference, hint, .. }) = &mut first {
        let mut others: Vec<(String, String)> = Vec::new();
        for error in more {
            let error = match error {
                FrontendError::Gateway(error) => error,
                FrontendError::At { error, .. } => *error,
                _ => continue,
            };
            let GatewayError::Image { reference: other, hint: more, .. } = error else { continue };
            if other != *reference {
                if !others.iter().any(|(known, _)| *known == other) {
                    others.push((other, more));
                }
            } else if more.len() < hint.len() {
                // Wanted for several things, it is given for all of them under the names that all of them know.
                *hint = more;
            }
        }
        for (other, more) in others {
            let line = if hint.is_empty() { "" } else { "\n" };
            hint.push_str(&format!("{line}the image {other} cannot be found either: {more}"));
        }
    }
    first
}

/// Returns the reference of the image that is nowhere to be had, and what to do.
fn missing_image(error: &FrontendError) -> Option<(&String, &String)> {
    let error = match error {
        FrontendError::Gateway(error) => error,
        FrontendError::At { error, .. } => error,
        _ => return None,
    };
    match error {
        GatewayError::Image { reference, hint, .. } => Some((reference, hint)),
        _ => None,
    }
}

/// Returns the image of one question, which `location` asks for; `others` are the named contexts that make it unneeded.
///
/// # Errors
/// What the gateway says when it cannot be had, with the named contexts that could have brought it.
pub fn image(
    contexts: &Contexts<'_>,
    question: &ImageQuestion,
    others: &[String],
    location: Option<Location>,
) -> Result<ImageAnswer, FrontendError> {
    let mut names = names_of(&question.reference);
    for name in &names {
        if let Some(context) = contexts.find(name)? {
            return Ok(context);
        }
    }
    let wanted = Wanted {
        reference: &question.reference,
        name: "",
        packages: &question.packages,
        platform: contexts.platform,
        location,
    };
    images::resolve(contexts.gateway, contexts.options, &wanted).map_err(|error| {
        names.splice(0..0, others.iter().cloned());
        match error {
            FrontendError::Gateway(error) => with_contexts(error, &names).into(),
            error => error,
        }
    })
}

/// Says which named contexts could have brought an image that is nowhere to be had.
pub fn with_contexts(error: GatewayError, names: &[String]) -> GatewayError {
    match error {
        GatewayError::Image { reference, hint, source } => {
            let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
            let first = names.first().map_or("", String::as_str);
            let mut words = format!(
                "give it yourself, for example with `--build-context {first}=oci-layout://DIRECTORY`: there is no \
                 build context called {}",
                quoted.join(" or ")
            );
            if !hint.is_empty() {
                words = format!("{hint}; or {words}");
            }
            GatewayError::Image { reference, hint: words, source }
        }
        error => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// TGT-008, TGT-009: the names under which an image could have been given are told.
    #[test]
    fn a_missing_image_can_be_given() {
        let missing = GatewayError::Image {
            reference: "example.org/base:3".into(),
            hint: "check the network".into(),
            source: None,
        };
        let names = ["dalec-azlinux3-worker", "example.org/base:3"].map(str::to_owned);
        let GatewayError::Image { hint, .. } = with_contexts(missing, &names) else {
            panic!("another error")
        };
        assert_eq!(
            hint,
            "check the network; or give it yourself, for example with \
             `--build-context dalec-azlinux3-worker=oci-layout://DIRECTORY`: there is no build context called \
             `dalec-azlinux3-worker` or `example.org/base:3`"
        );
        assert!(matches!(with_contexts(GatewayError::Cancelled, &names), GatewayError::Cancelled));
    }

    /// Who gives one image should not learn afterwards that another is missing, too.
    #[test]
    fn all_missing_images_are_named_at_once() {
        let image = |name: &str, hint: &str| {
            let (reference, hint) = (name.to_owned(), hint.to_owned());
            FrontendError::Gateway(GatewayError::Image { reference, hint, source: None })
        };
        // An image of a source has a place in the spec.
        let placed = |name: &str| {
            let FrontendError::Gateway(error) = image(name, &format!("give {name}")) else { unreachable!() };
            let source_text = dalec_spec::SourceText::new("spec.yml", "");
            FrontendError::At { error: Box::new(error), source_text, spans: Vec::new() }
        };
        let more = [
            image("b", "give b"),
            image("b", "give b"),
            GatewayError::Cancelled.into(),
            image("a", "give a"),
            placed("c"),
        ];
        let FrontendError::Gateway(GatewayError::Image { reference, hint, .. }) =
            all_missing(image("a", "give a-worker or a"), more)
        else {
            panic!("another error")
        };
        assert_eq!(
            (reference.as_str(), hint.as_str()),
            (
                "a",
                "give a\nthe image b cannot be found either: give b\nthe image c cannot be found either: give c"
            )
        );
    }
}
