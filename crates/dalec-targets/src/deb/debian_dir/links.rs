//! `debian/NAME.links`: symbolic links, read by dh_link.

use dalec_spec::target_spec::Link;

use crate::error::PlanError;

/// Returns the file, or nothing without links.
///
/// # Errors
/// [`PlanError::Invalid`] for a path that the format cannot hold: with white space, or one that makes a comment.
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
        if source.starts_with('#') {
            return Err(PlanError::Invalid {
                message: format!("{:?} cannot be what a link of a Debian package points at", link.source),
                spans: vec![link.span],
                hint: Some("a line that starts with `#` is a comment there; choose another name".into()),
            });
        }
        text.push_str(&format!("{source} {dest}\n"));
    }
    Ok((!text.is_empty()).then_some(text))
}

#[cfg(test)]
mod tests {
    use dalec_spec::span::Span;

    use super::*;

    fn link(source: &str, dest: &str) -> Link {
        Link { source: source.into(), dest: dest.into(), ..Link::default() }
    }

    /// DEB-007, ART-009.
    #[test]
    fn one_per_line() {
        let text = render(&[link("/usr/bin/a", "/usr/bin/b"), link("etc/x", "etc/y")]).expect("valid");
        assert_eq!(text.as_deref(), Some("usr/bin/a usr/bin/b\netc/x etc/y\n"));
        assert_eq!(render(&[]).expect("valid"), None);
    }

    #[test]
    fn what_the_format_cannot_hold_is_refused() {
        for (source, dest) in [("a b", "c"), ("a", "b\nc d"), ("/", "a"), ("a", ""), ("$x", "a")] {
            assert!(render(&[link(source, dest)]).is_err(), "{source:?} {dest:?}");
        }
    }

    /// Such a line would be a comment, and the link would be missing without a word.
    #[test]
    fn no_link_becomes_a_comment() {
        for source in ["#x", "/#x", "//#x/y"] {
            let link = Link { span: Span::new(3, 7), ..link(source, "/usr/bin/x") };
            let error = render(&[link]).expect_err("a comment");
            assert_eq!(error.spans(), [Span::new(3, 7)]);
            assert!(error.hint().expect("a hint").contains("comment"));
        }
        assert!(render(&[link("/usr/x#1", "/usr/x")]).is_ok());
    }
}
