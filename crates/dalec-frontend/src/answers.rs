//! Answers to what a plan must know first; everything is asked at once.

use std::thread;

use dalec_gateway::GatewayError;
use dalec_targets::image_reference::names_of;
use dalec_targets::request::{Answers, ImageAnswer, ImageQuestion, Questions};

use crate::contexts::Contexts;
use crate::error::FrontendError;
use crate::images::{self, Wanted};

/// Answers `questions` for one platform.
///
/// A named context called like an image's reference, in its full or its familiar form, replaces the image.
///
/// # Errors
/// The first error in the order of the questions.
pub fn answer(contexts: &Contexts<'_>, questions: &Questions) -> Result<Answers, FrontendError> {
    let mut answers = Answers::default();
    for name in &questions.contexts {
        if let Some(context) = contexts.find(name)? {
            answers.contexts.insert(name.clone(), context.state);
        }
    }
    let wanted = |question: &&ImageQuestion| {
        let replaced = questions.unless.get(question);
        replaced.is_none_or(|context| !answers.contexts.contains_key(context))
    };
    let images: Vec<&ImageQuestion> = questions.images.iter().filter(wanted).collect();
    let found = match images.as_slice() {
        [] => Vec::new(),
        [only] => vec![image(contexts, only)],
        several => thread::scope(|scope| {
            let asked: Vec<_> = several.iter().map(|one| scope.spawn(move || image(contexts, one))).collect();
            let joined = asked.into_iter().map(|thread| thread.join());
            joined.map(|answer| answer.unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
        }),
    };
    for (question, answer) in images.into_iter().zip(found) {
        let worker = questions.unless.get(question);
        let answer = answer.map_err(|error| not_given(error, question, worker.map(String::as_str)))?;
        answers.images.insert(question.clone(), answer);
    }
    Ok(answers)
}

/// Adds to the error of an image that is nowhere to be had which named contexts could have brought it; `worker` is the one
/// that makes the image unneeded.
pub fn not_given(error: FrontendError, question: &ImageQuestion, worker: Option<&str>) -> FrontendError {
    match error {
        FrontendError::Gateway(GatewayError::Image { reference, hint, source })
            if reference == question.reference =>
        {
            let mut names: Vec<String> = worker.map(str::to_owned).into_iter().collect();
            names.extend(names_of(&reference).into_iter().rev());
            let example = &names[0];
            let what = if worker.is_some() { " for a worker with all its tools" } else { "" };
            let tried = names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" or ");
            let mut words = format!(
                "give a build context, for example `--build-context {example}=oci-layout://FOLDER`{what}; there is \
                 none called {tried}"
            );
            if !hint.is_empty() {
                words = format!("{hint}; or {words}");
            }
            GatewayError::Image { reference, hint: words, source }.into()
        }
        error => error,
    }
}

/// Returns the image of one question.
///
/// # Errors
/// What the gateway says when it cannot be had.
pub fn image(contexts: &Contexts<'_>, question: &ImageQuestion) -> Result<ImageAnswer, FrontendError> {
    for name in names_of(&question.reference) {
        if let Some(context) = contexts.find(&name)? {
            return Ok(context);
        }
    }
    let wanted = Wanted {
        reference: &question.reference,
        name: "",
        packages: &question.packages,
        platform: contexts.platform,
    };
    images::resolve(contexts.gateway, contexts.options, &wanted)
}
