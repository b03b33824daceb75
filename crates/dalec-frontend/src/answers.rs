//! Answers to what a plan must know first; everything is asked at once.

use std::thread;

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
        let resolved: Vec<_> = images.iter().map(|one| scope.spawn(|| image(contexts, one))).collect();
        for (name, context) in names.zip(found) {
            if let Some(context) = joined(context)? {
                answers.contexts.insert(name.clone(), context.state);
            }
        }
        for (question, answer) in images.iter().zip(resolved) {
            answers.images.insert((*question).clone(), joined(answer)?);
        }
        Ok(answers)
    })
}

fn image(contexts: &Contexts<'_>, question: &ImageQuestion) -> Result<ImageAnswer, FrontendError> {
    for name in names_of(&question.reference) {
        if let Some(context) = contexts.find(&name)? {
            return Ok(context);
        }
    }
    let wanted =
        Wanted { reference: &question.reference, packages: &question.packages, platform: contexts.platform };
    images::resolve(contexts.gateway, contexts.options, &wanted)
}
