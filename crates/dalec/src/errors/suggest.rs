//! What was probably meant.

/// Returns the one of `known` that `typed` is most likely a slip of; none when nothing is close.
pub fn closest<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let allowed = (typed.chars().count() / 3).max(1);
    known
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(typed, name), name))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::closest;

    #[test]
    fn a_slip_is_recognised_and_nonsense_is_not() {
        let known = ["bookworm/deb", "bookworm/dsc", "trixie/deb"];
        assert_eq!(closest("bookwrom/deb", known), Some("bookworm/deb"));
        assert_eq!(closest("bookworm/dbe", known), Some("bookworm/deb"));
        assert_eq!(closest("trixy/deb", known), Some("trixie/deb"));
        assert_eq!(closest("windowscross/zip", known), None);
        assert_eq!(closest("", known), None);
    }
}
