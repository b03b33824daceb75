//! The image of a signer: settled before it is called, so that what is said of it is what signed.

use std::iter::once;

use dalec_gateway::FrontendRequest;
use dalec_targets::image_reference::{full_reference, names_of};

use crate::contexts::Contexts;
use crate::images::{self, Wanted};
use crate::platforms::for_graph;

/// A context that is an image in a registry.
const IMAGE: &str = "docker-image://";
/// A context that is an image in a directory.
const LAYOUT: &str = "oci-layout://";

/// Settles which image `request` calls, and returns its digest; none when it has none, or cannot be had, which the
/// call itself says.
///
/// The named context that replaces the image says which one, by digest; it is added if there is none. BuildKit looks for
/// it by the short name alone, so it gets that name, whichever it was given by.
pub fn settle(contexts: &Contexts<'_>, request: &mut FrontendRequest) -> Option<String> {
    let reference = full_reference(request.options.get("source")?);
    let names = names_of(&reference).into_iter().rev();
    let mut names = names.map(|name| format!("context:{name}")).collect::<Vec<_>>().into_iter().peekable();
    let short = names.peek()?.clone();
    // A signer runs where the build runs, not where the packages will.
    let platform = for_graph(&contexts.options.build_platform);
    let particular = format!("{short}::{platform}");
    let name = reference.clone();
    let given = once(particular.clone()).chain(names);
    let given = given.filter_map(|key| request.options.get_key_value(&key)).next();
    let (place, value) = match given {
        Some((key, value)) if *key == particular => (particular, value.clone()),
        Some((_, value)) => (short, value.clone()),
        None => (short, format!("{IMAGE}{reference}")),
    };
    let digest = |reference: &str| {
        let wanted = Wanted { reference, name: &name, packages: &[], platform: &platform, location: None };
        let found = images::found(contexts.gateway, contexts.options, &wanted).ok()?;
        Some(found.digest).filter(|digest| !digest.is_empty())
    };
    let (value, digest) = match value.strip_prefix(IMAGE) {
        Some(image) => {
            let image = full_reference(image);
            let digest = digest(&image);
            let name = image.split('@').next().unwrap_or_default();
            let settled = digest.as_ref().map(|digest| format!("{IMAGE}{name}@{digest}"));
            (settled.unwrap_or(value), digest)
        }
        None => {
            let digest = value.starts_with(LAYOUT).then(|| digest(&value)).flatten();
            (value, digest)
        }
    };
    request.options.insert(place, value);
    digest
}
