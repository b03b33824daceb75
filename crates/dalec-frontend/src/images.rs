//! Images that a plan starts from: resolved by the gateway, unless a named context replaces them.

use dalec_gateway::{Gateway, GatewayError, ResolveImage, ResolvedImage};
use dalec_llb::{ImageRef, Location, Platform, ResolveMode, State};
use dalec_targets::image_reference::full_reference;
use dalec_targets::request::ImageAnswer;

use crate::error::FrontendError;
use crate::options::Options;

/// An image that is wanted.
pub struct Wanted<'a> {
    /// Full reference with domain.
    pub reference: &'a str,
    /// What people call it, where the reference does not say.
    pub name: &'a str,
    /// Packages that will be installed right away.
    pub packages: &'a [String],
    /// Platform of the image.
    pub platform: &'a Platform,
    /// What in the spec asks for it.
    pub location: Option<Location>,
}

/// Asks the gateway for `wanted`.
///
/// # Errors
/// What the gateway says; [`FrontendError::Option`] when the image's configuration is not readable.
pub fn resolve(
    gateway: &dyn Gateway,
    options: &Options,
    wanted: &Wanted<'_>,
) -> Result<ImageAnswer, FrontendError> {
    let found = found(gateway, options, wanted)?;
    let config = match found.config.is_empty() {
        true => dalec_targets::image_config::ImageConfig::default(),
        false => serde_json::from_slice(&found.config).map_err(|error| FrontendError::Option {
            option: format!("image {}", wanted.reference),
            message: format!("its configuration cannot be read: {error}"),
        })?,
    };
    let with = match wanted.packages.len() {
        count @ 1.. if found.has_packages => {
            format!(" with {count} package{}", if count == 1 { "" } else { "s" })
        }
        _ => String::new(),
    };
    let state = State::image(ImageRef {
        name: format!("load {}{with}", plain_name(wanted.name).as_deref().unwrap_or(wanted.reference)),
        reference: found.reference,
        attrs: found.attrs,
        resolve_mode: match options.resolve_mode.as_str() {
            "pull" => ResolveMode::Pull,
            "local" => ResolveMode::Local,
            _ => ResolveMode::Default,
        },
        platform: Some(wanted.platform.clone()),
        locations: wanted.location.iter().cloned().collect(),
    });
    Ok(ImageAnswer { state, config, has_packages: found.has_packages })
}

/// Asks the gateway for `wanted`, as it is.
///
/// # Errors
/// What the gateway says.
pub fn found(
    gateway: &dyn Gateway,
    options: &Options,
    wanted: &Wanted<'_>,
) -> Result<ResolvedImage, GatewayError> {
    gateway.resolve_image(&ResolveImage {
        reference: wanted.reference.to_owned(),
        platform: wanted.platform.to_string(),
        mode: options.resolve_mode.clone(),
        name: plain_name(wanted.name).unwrap_or_default(),
        packages: wanted.packages.to_vec(),
    })
}

/// Returns the full reference without digest that `name` is; none when it is no name of an image.
fn plain_name(name: &str) -> Option<String> {
    let is_plain = |char: char| char.is_ascii_lowercase() || char.is_ascii_digit() || "._-/:".contains(char);
    let is_name = name.starts_with(|char: char| char.is_ascii_alphanumeric()) && name.chars().all(is_plain);
    let full = is_name.then(|| full_reference(name))?;
    Some(full.strip_suffix(":latest").unwrap_or(&full).to_owned())
}

#[cfg(test)]
mod tests {
    use super::plain_name;

    #[test]
    fn names_of_contexts_may_be_names_of_images() {
        let named = |name: &str| plain_name(name).unwrap_or_default();
        assert_eq!(named("debian:bookworm"), "docker.io/library/debian:bookworm");
        assert_eq!(named("dalec-bookworm-worker"), "docker.io/library/dalec-bookworm-worker");
        for name in ["", "My files", "../up", "a@b"] {
            assert_eq!(named(name), "", "{name}");
        }
    }
}
