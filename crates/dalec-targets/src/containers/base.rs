//! The image that a container starts from.

use dalec_spec::span::Span;
use dalec_spec::target_spec::{BaseImage, TargetSpec};

use crate::error::PlanError;
use crate::request::{Answers, ImageAnswer, ImageQuestion};

/// Returns the base image that the spec names.
///
/// # Errors
/// [`PlanError::Invalid`] if it names several.
pub(crate) fn of_spec(spec: &TargetSpec) -> Result<Option<&BaseImage>, PlanError> {
    match spec.image.bases.as_slice() {
        [] => Ok(None),
        [base] => Ok(Some(base)),
        bases => Err(PlanError::Invalid {
            message: format!(
                "a container starts from one base image, but `image.bases` names {}",
                bases.len()
            ),
            spans: bases.iter().map(|base| base.rootfs.span).collect(),
            hint: Some("leave one entry in `image.bases`".into()),
        }),
    }
}

/// Returns the answer to `question`, which `span` asked for.
///
/// # Errors
/// [`PlanError::MissingImage`] if there is none.
pub(crate) fn answer<'a>(
    answers: &'a Answers,
    question: &ImageQuestion,
    span: Span,
) -> Result<&'a ImageAnswer, PlanError> {
    answers
        .images
        .get(question)
        .ok_or_else(|| PlanError::MissingImage { reference: question.reference.clone(), span })
}
