//! Answers to what a plan must know first; everything is asked at once.

use std::thread;

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
        answers.images.insert(question.clone(), answer?);
    }
    Ok(answers)
}

fn image(contexts: &Contexts<'_>, question: &ImageQuestion) -> Result<ImageAnswer, FrontendError> {
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
