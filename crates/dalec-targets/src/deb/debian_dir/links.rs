//! `debian/NAME.links`: symbolic links, read by dh_link.

use dalec_spec::target_spec::Link;

use crate::error::PlanError;

/// Returns the file, or nothing without links.
///
/// # Errors
/// [`PlanError::Invalid`] for a path with white space, which the format cannot hold.
pub(super) fn render(links: &[Link]) -> Result<Option<String>, PlanError> {
    let mut text = String::new();
    for link in links {
        let (source, dest) = (link.source.trim_start_matches('/'), link.dest.trim_start_matches('/'));
        let bad = |path: &str| {
            path.is_empty() || path.contains(|char: char| char.is_whitespace() || char.is_control())
        };
        if bad(source) || bad(dest) || source.contains(['$', '*', '?']) || dest.contains(['$', '*', '?', '#'])
        {
            let message =
                format!("{:?} -> {:?} cannot be a link of a Debian package", link.dest, link.source);
            return Err(PlanError::invalid(message, [link.span]));
        }
        text.push_str(&format!("{source} {dest}\n"));
    }
    Ok((!text.is_empty()).then_some(text))
}
