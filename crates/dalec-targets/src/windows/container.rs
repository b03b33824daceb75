//! Containers with the programs, each from one image of Windows.

use dalec_llb::{Copy, File, State};
use dalec_spec::span::Span;
use dalec_spec::target_spec::{PostSymlink, TargetSpec};

use super::programs::group;
use crate::containers::base;
use crate::error::PlanError;
use crate::image_config;
use crate::image_reference::full_reference;
use crate::request::{BaseQuestion, ImageQuestion, Plan, Request};

/// What containers start from where the spec names nothing.
const IMAGE: &str = "mcr.microsoft.com/windows/nanoserver:1809";
/// Where the programs go.
const SYSTEM: &str = "/Windows/System32/";

/// Returns the images that containers for `spec` start from, at least one.
pub(super) fn bases(spec: &TargetSpec) -> Vec<BaseQuestion> {
    let question = |reference: String, span| BaseQuestion {
        image: ImageQuestion { reference, packages: Vec::new(), of_result: true },
        os: "windows",
        span,
    };
    if spec.image.bases.is_empty() {
        return vec![question(IMAGE.to_owned(), Span::default())];
    }
    let bases = spec.image.bases.iter();
    bases.map(|base| question(full_reference(base.reference()), base.rootfs.span)).collect()
}

/// Checks that a container can have all that `spec` asks for.
///
/// # Errors
/// [`PlanError::Invalid`] for base images that are changed first, and for runtime dependencies.
pub(super) fn check(spec: &TargetSpec) -> Result<(), PlanError> {
    let changed: Vec<Span> = base::changed(spec).map(|rootfs| rootfs.span).collect();
    if !changed.is_empty() {
        return Err(PlanError::Invalid {
            message: "a base image of Windows is taken as a whole: its layers hold more than files, and nothing here \
                      runs commands in it"
                .into(),
            spans: changed,
            hint: Some("remove `cmd`, `path`, `includes` and `excludes` there".into()),
        });
    }
    let runtime = &spec.dependencies.runtime;
    if runtime.is_empty() {
        return Ok(());
    }
    Err(PlanError::Invalid {
        message: "a container of Windows cannot have runtime dependencies: nothing there could install them"
            .into(),
        spans: runtime.values().map(|constraint| constraint.span).collect(),
        hint: Some("have them in the `targets` that they are for, and not at the root of the spec".into()),
    })
}

/// Returns the container with `files`.
///
/// # Errors
/// [`PlanError::MissingImage`] if the base was not looked up; as [`image_config::for_container`].
pub(super) fn plan(request: &Request<'_>, files: &State) -> Result<Plan, PlanError> {
    let base = request.answers.base.as_ref().ok_or_else(|| {
        let wanted = bases(request.spec).swap_remove(0);
        PlanError::MissingImage { reference: wanted.image.reference, span: wanted.span }
    })?;
    let copy = Copy { contents_only: true, make_parents: true, ..Copy::default() };
    let file =
        File::new("Put the programs into the container").copy(files, "/", SYSTEM, copy).group(&group());
    let image = &request.spec.image;
    let result = with_links(base.state.file(file), &image.symlinks);
    let config = image_config::for_container(Some(&base.config), &request.platform, image)?;
    Ok(Plan { result, config: Some(config), base_config: Some(base.config.clone()), ..Plan::default() })
}

/// Returns `root` with a copy of what each link points to in its place: layers of Windows hold no links that work
/// everywhere. Owners mean nothing there.
fn with_links(root: State, links: &[PostSymlink]) -> State {
    links.iter().fold(root, |root, link| {
        let parent = link.path.trim_end_matches('/').rsplit_once('/').map_or("", |(parent, _)| parent);
        let file = File::new(format!("Copy {} to {}", link.target, link.path)).group(&group());
        let file = if parent.is_empty() { file } else { file.mkdir(parent, 0o755, None) };
        let file = file.copy(&root, &link.target, &link.path, Copy::default());
        root.file(file)
    })
}
