//! The image that a container starts from.

use dalec_spec::span::Span;
use dalec_spec::target_spec::{BaseImage, TargetSpec};

use crate::error::PlanError;
use crate::request::{Answers, ImageAnswer, ImageQuestion};

/// Returns the base image that the spec names.
///
/// # Errors
/// [`PlanError::Invalid`] if it names several.
pub(super) fn of_spec(spec: &TargetSpec) -> Result<Option<&BaseImage>, PlanError> {
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
pub(super) fn answer<'a>(
    answers: &'a Answers,
    question: &ImageQuestion,
    span: Span,
) -> Result<&'a ImageAnswer, PlanError> {
    answers
        .images
        .get(question)
        .ok_or_else(|| PlanError::MissingImage { reference: question.reference.clone(), span })
}

/// Returns the full form of an image reference: with domain, and with a tag unless there is a digest.
pub(super) fn full_reference(written: &str) -> String {
    let is_domain = |part: &str| {
        part == "localhost"
            || part.contains(['.', ':'])
            || part.contains(|char: char| char.is_ascii_uppercase())
    };
    let (domain, path) = match written.split_once('/') {
        Some((first, path)) if is_domain(first) => (first, path.to_owned()),
        Some(_) => ("docker.io", written.to_owned()),
        None => ("docker.io", format!("library/{written}")),
    };
    let last = path.rsplit('/').next().unwrap_or_default();
    let tag = if last.contains([':', '@']) { "" } else { ":latest" };
    format!("{domain}/{path}{tag}")
}

#[cfg(test)]
mod tests {
    use super::full_reference;

    #[test]
    fn references_become_full() {
        for (written, expected) in [
            ("debian", "docker.io/library/debian:latest"),
            ("debian:bookworm", "docker.io/library/debian:bookworm"),
            ("me/tool:1", "docker.io/me/tool:1"),
            ("localhost/tool", "localhost/tool:latest"),
            ("localhost:5000/a/b:1", "localhost:5000/a/b:1"),
            ("registry.example/a@sha256:00", "registry.example/a@sha256:00"),
            ("docker.io/library/debian:12", "docker.io/library/debian:12"),
        ] {
            assert_eq!(full_reference(written), expected);
        }
    }
}
