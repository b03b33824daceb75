//! The image that a container starts from.

use dalec_llb::ProgressGroup;
use dalec_spec::span::Span;
use dalec_spec::target_spec::{BaseImage, Source, SourceKind, TargetSpec};

use crate::error::PlanError;
use crate::image_reference::full_reference;
use crate::request::{ImageAnswer, ImageQuestion, Request};
use crate::sources::Planner;

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

/// Returns the question for the base image `written`, into which `packages` are installed.
///
/// An image that is changed first has to come as it is.
pub(crate) fn question(written: &BaseImage, packages: Vec<String>) -> ImageQuestion {
    let packages = if is_changed(&written.rootfs) { Vec::new() } else { packages };
    ImageQuestion { reference: full_reference(written.reference()), packages, of_result: true }
}

/// Returns the base images of `spec` that are changed first.
pub(crate) fn changed(spec: &TargetSpec) -> impl Iterator<Item = &Source> {
    spec.image.bases.iter().map(|base| &base.rootfs).filter(|rootfs| is_changed(rootfs))
}

/// Returns what a container starts from: the answer to `question`, changed as `written`, the base of the spec, says.
///
/// # Errors
/// [`PlanError::MissingImage`] if there is no answer; as [`Planner::plan`] for what it is changed with.
pub(crate) fn start(
    request: &Request<'_>,
    question: &ImageQuestion,
    written: Option<&BaseImage>,
) -> Result<ImageAnswer, PlanError> {
    let span = written.map_or_else(Span::default, |written| written.rootfs.span);
    let missing = || PlanError::MissingImage { reference: question.reference.clone(), span };
    let answer = request.answers.images.get(question).ok_or_else(missing)?.clone();
    let Some(rootfs) = written.map(|written| &written.rootfs).filter(|rootfs| is_changed(rootfs)) else {
        return Ok(answer);
    };
    let planner = Planner {
        answers: request.answers,
        source_map: &request.source_map,
        group: ProgressGroup::new("Change the base image"),
    };
    let mut config = answer.config;
    if is_part(rootfs) {
        config.reset_layers();
    }
    Ok(ImageAnswer { state: planner.plan_root(rootfs)?, config, has_packages: false })
}

fn is_changed(rootfs: &Source) -> bool {
    is_part(rootfs) || matches!(&rootfs.kind, SourceKind::Image(image) if image.command.is_some())
}

fn is_part(rootfs: &Source) -> bool {
    let is_whole = rootfs.path.split('/').all(|component| matches!(component, "" | "."));
    !is_whole || !rootfs.includes.is_empty() || !rootfs.excludes.is_empty()
}
