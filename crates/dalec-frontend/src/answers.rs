//! Answers to what a plan must know first; everything is asked at once.

use std::thread;

use dalec_gateway::GatewayError;
use dalec_targets::image_reference::names_of;
use dalec_targets::request::{Answers, ImageAnswer, ImageQuestion, Questions};

use crate::build::joined;
use crate::contexts::Contexts;
use crate::error::FrontendError;
use crate::images::{self, Wanted};

/// Answers `questions` for one platform.
///
/// A named context called like an image's reference, in its full or its familiar form, replaces the image.
///
/// # Errors
/// The first error in the order of the questions, contexts before images.
pub fn answer(contexts: &Contexts<'_>, questions: &Questions) -> Result<Answers, FrontendError> {
    let wanted = |question: &&ImageQuestion| {
        let replaced = questions.unless.get(question);
        replaced.is_none_or(|context| !contexts.is_given(context))
    };
    let images: Vec<&ImageQuestion> = questions.images.iter().filter(wanted).collect();
    let mut answers = Answers::default();
    thread::scope(|scope| {
        let names = questions.contexts.iter();
        let found: Vec<_> = names.clone().map(|name| scope.spawn(|| contexts.find(name))).collect();
        let ask = |one: &&ImageQuestion| image(contexts, one, questions.unless.get(one));
        let resolved: Vec<_> = images.iter().map(|one| scope.spawn(move || ask(one))).collect();
        for (name, context) in names.zip(found) {
            if let Some(context) = joined(context)? {
                answers.contexts.insert(name.clone(), context.state);
            }
        }
        let mut missing = Vec::new();
        for (question, answer) in images.iter().zip(resolved) {
            match joined(answer) {
                Ok(answer) => drop(answers.images.insert((*question).clone(), answer)),
                Err(error) => missing.push(error),
            }
        }
        let mut missing = missing.into_iter();
        missing.next().map_or(Ok(answers), |first| Err(all_missing(first, missing)))
    })
}

/// Returns `error`; about an image that is nowhere to be had, it also names those that `questions` miss.
pub fn or_more(contexts: &Contexts<'_>, error: FrontendError, questions: &Questions) -> FrontendError {
    let more = match &error {
        FrontendError::Gateway(GatewayError::Image { .. }) => answer(contexts, questions).err(),
        _ => None,
    };
    all_missing(error, more)
}

/// Returns `first`; about an image that is nowhere to be had, what to do names every other such image in `more`.
fn all_missing(mut first: FrontendError, more: impl IntoIterator<Item = FrontendError>) -> FrontendError {
    if let FrontendError::Gateway(GatewayError::Image { reference, hint, .. }) = &mut first {
        let mut told = vec![reference.clone()];
        for error in more {
            if let FrontendError::Gateway(GatewayError::Image { reference, hint: more, .. }) = error
                && !told.contains(&reference)
            {
                let line = if hint.is_empty() { "" } else { "\n" };
                hint.push_str(&format!("{line}the image {reference} cannot be found either: {more}"));
                told.push(reference);
            }
        }
    }
    first
}

/// Returns the image of one question; `worker` is the named context that makes it unneeded, if there is one.
///
/// # Errors
/// What the gateway says when it cannot be had, with the named contexts that could have brought it.
pub fn image(
    contexts: &Contexts<'_>,
    question: &ImageQuestion,
    worker: Option<&String>,
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
    };
    images::resolve(contexts.gateway, contexts.options, &wanted).map_err(|error| {
        names.splice(0..0, worker.cloned());
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
        let missing = |name: &str| {
            let (reference, hint) = (name.to_owned(), format!("give {name}"));
            FrontendError::Gateway(GatewayError::Image { reference, hint, source: None })
        };
        let more = [missing("b"), missing("b"), GatewayError::Cancelled.into()];
        let FrontendError::Gateway(GatewayError::Image { reference, hint, .. }) =
            all_missing(missing("a"), more)
        else {
            panic!("another error")
        };
        assert_eq!(
            (reference.as_str(), hint.as_str()),
            ("a", "give a\nthe image b cannot be found either: give b")
        );
    }
}
