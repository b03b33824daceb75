//! Containers with the built packages in them.
//!
//! [`testing`] is the distribution's stock image with the packages installed: what package routes run the spec's
//! tests in. [`minimal`] keeps only what the packages need: no apt, no dpkg, no shell. Both start from the
//! `image.bases` entry of the spec where there is one. Nothing here decides what is in a package.

pub(crate) mod base;
pub(crate) mod install;
pub mod minimal;
pub(crate) mod symlinks;
pub mod testing;

use dalec_llb::State;
use dalec_spec::target_spec::TargetSpec;

use crate::image_config::ImageConfig;
use crate::request::Answers;

/// Cache key that makes the assembly of containers run again.
pub const CACHE_KEY: &str = "dalec.container";

/// A container with the packages installed and the links of the spec made.
#[derive(Debug, Clone)]
pub struct Container {
    /// The file system that goes out.
    pub root: State,
    /// Configuration of the image that `root` was made from; none when it was made from nothing.
    pub base: Option<ImageConfig>,
    /// What tests run in: `root` with the spec's test dependencies.
    pub test_root: State,
}

/// Packages that somebody else built.
#[derive(Debug, Clone)]
pub struct Prebuilt {
    /// A directory with the packages at its top.
    pub packages: State,
    /// What to tell the user.
    pub warning: String,
}

/// Returns the named contexts that may bring the packages of container routes, in the order of precedence.
pub fn prebuilt_contexts(target: &str) -> [String; 2] {
    [format!("{target}-pkg"), "pkg".to_owned()]
}

/// Returns the packages that a named context brings instead of a build, if there is one.
pub fn prebuilt(answers: &Answers, target: &str) -> Option<Prebuilt> {
    prebuilt_contexts(target).iter().find_map(|name| {
        let packages = answers.contexts.get(name)?.clone();
        let warning =
            format!("the packages come from the build context {name:?}; nothing is built from the spec");
        Some(Prebuilt { packages, warning })
    })
}

/// Returns whether the spec brings documentation, which images for containers would otherwise leave out.
fn keeps_docs(spec: &TargetSpec) -> bool {
    let artifacts = &spec.artifacts;
    !(artifacts.docs.is_empty() && artifacts.manpages.is_empty() && artifacts.licenses.is_empty())
}

#[cfg(test)]
mod tests;
