//! The testing container: the distribution's stock image, or the base of the spec, with the packages installed.

use dalec_llb::State;
use dalec_spec::target_spec::TargetSpec;

use super::install::{Installer, installable};
use super::{Container, base, symlinks};
use crate::deb::distro::DebDistro;
use crate::error::PlanError;
use crate::request::{ImageQuestion, Request};

/// Returns the question for the image that the container starts from.
///
/// # Errors
/// [`PlanError::Invalid`] if the spec names several base images.
pub fn image(spec: &TargetSpec, distro: &DebDistro) -> Result<ImageQuestion, PlanError> {
    let stock = distro.base_question();
    Ok(match base::of_spec(spec)? {
        None => stock,
        Some(written) => base::question(written, stock.packages),
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
    let answer = base::start(request, &image(spec, distro)?, base::of_spec(spec)?)?;
    let installer = Installer { request, distro };
    let prepared = if answer.has_packages {
        answer.state
    } else {
        installer.prepare(&answer.state, &distro.base_question().packages)
    };
    let installed = installer.install(&prepared, &installable(packages), true)?;
    let root = symlinks::plan(request, &installed);
    let test_root = installer.install_test_dependencies(&root)?;
    Ok(Container { root, base: Some(answer.config), test_root })
}
