//! `debian/NAME.manpages`: manual pages that dh_installman places by their names.

use crate::deb::layout::Manpage;
use crate::error::PlanError;

/// Returns the file, or nothing without such pages.
///
/// # Errors
/// [`PlanError::Invalid`] for a path with white space, which the format cannot hold.
pub(super) fn render(pages: &[Manpage<'_>]) -> Result<Option<String>, PlanError> {
    let mut text = String::new();
    for page in pages {
        let bad = |char: char| char.is_whitespace() || char.is_control() || char == '$';
        if page.key.contains(bad) || page.key.starts_with('#') {
            let message = format!("{:?} cannot be the path of a manual page", page.key);
            return Err(PlanError::Invalid {
                message,
                spans: vec![page.span],
                hint: Some("give the artifact a `name`, so that it is copied by itself".into()),
            });
        }
        text.push_str(&format!("{}\n", page.key));
    }
    Ok((!text.is_empty()).then_some(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use dalec_spec::span::Span;

    /// DEB-007, ART-003.
    #[test]
    fn one_per_line() {
        let page = |key| Manpage { key, span: Span::new(3, 4) };
        assert_eq!(render(&[page("a.1"), page("m/b.5")]).expect("valid").as_deref(), Some("a.1\nm/b.5\n"));
        assert_eq!(render(&[]).expect("valid"), None);
        for key in ["a b.1", "a\n/etc/passwd", "#a", "${x}"] {
            assert_eq!(render(&[page(key)]).expect_err("refused").spans(), [Span::new(3, 4)], "{key:?}");
        }
    }
}
