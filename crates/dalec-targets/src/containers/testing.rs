//! The testing container: the distribution's stock image, or the base of the spec, with the packages installed.

use dalec_llb::State;
use dalec_spec::span::Span;
use dalec_spec::target_spec::TargetSpec;

use super::install::{Installer, installable};
use super::{Container, base, symlinks};
use crate::deb::distro::DebDistro;
use crate::error::PlanError;
use crate::image_reference::full_reference;
use crate::request::{ImageQuestion, Request};

/// Returns the question for the image that the container starts from.
///
/// # Errors
/// [`PlanError::Invalid`] if the spec names several base images.
pub fn image(spec: &TargetSpec, distro: &DebDistro) -> Result<ImageQuestion, PlanError> {
    let stock = distro.base_question();
    Ok(match base::of_spec(spec)? {
        None => stock,
        Some(written) => ImageQuestion { reference: full_reference(written.reference()), ..stock },
    })
}

/// Returns the container with `packages`, a directory with `.deb` files at its top, installed.
///
/// What does not depend on the packages (upgrades, base packages) is an op of its own, so that a changed
/// package starts from there.
///
/// # Errors
/// As [`image`]; [`PlanError::MissingImage`] if that image was not looked up; [`PlanError::Invalid`] for a test
/// dependency that cannot be one.
pub fn plan(request: &Request<'_>, distro: &DebDistro, packages: &State) -> Result<Container, PlanError> {
    let spec = request.spec;
    let span = base::of_spec(spec)?.map_or_else(Span::default, |written| written.rootfs.span);
    let question = image(spec, distro)?;
    let answer = base::answer(request.answers, &question, span)?;
    let installer = Installer { request, distro };
    let prepared = if answer.has_packages {
        answer.state.clone()
    } else {
        installer.prepare(&answer.state, &question.packages)
    };
    let installed = installer.install(&prepared, &installable(packages), true)?;
    let root = symlinks::plan(request, &installed);
    let test_root = installer.install_test_dependencies(&root)?;
    Ok(Container { root, base: Some(answer.config.clone()), test_root })
}
