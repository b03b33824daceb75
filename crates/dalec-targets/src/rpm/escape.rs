//! Text from a spec inside of RPM's spec files, so that it stays text.
//!
//! Everything in a spec file is expanded for macros, comments too; `%%` stands for a percent sign. That alone is not
//! enough: a line that starts with `%include` or `%files` *after* the expansion is still taken for a directive,
//! however far it is indented, and one that starts with `#` vanishes. A line that ends with a backslash goes on in
//! the next one.

use crate::quote::{one_line, shell, shell_pattern};

/// Returns `text` with every percent sign doubled, one behind a backslash too, which RPM would not count otherwise.
pub(super) fn percent(text: &str) -> String {
    text.replace('%', "%%").replace(r"\%%", r"\%{nil}%%")
}

/// Returns `text` as a value of one line, behind the name of a field for example.
pub(super) fn line(text: &str) -> String {
    let text = percent(&one_line(text));
    if text.ends_with('\\') { format!("{text} ") } else { text }
}

/// Returns `text` as lines on their own.
pub(super) fn lines(text: &str) -> String {
    text.lines().map(|text| format!("{}\n", own_line(text))).collect()
}

fn own_line(text: &str) -> String {
    let (indent, start) = indented(text);
    // Without the blanks of every kind: whatever vanishes must not hide a directive from the guard.
    let line = line(start);
    let guard = if line.starts_with(['%', '#']) { "- " } else { "" };
    if line.is_empty() { line } else { format!("{indent}{guard}{line}") }
}

/// Returns `text` as lines of a comment.
pub(super) fn comment(text: &str) -> String {
    let comment = |text: &str| {
        let (indent, start) = indented(text);
        let line = line(start);
        if line.is_empty() { "#\n".to_owned() } else { format!("# {indent}{line}\n") }
    };
    text.lines().map(comment).collect()
}

/// Splits a line into what it is indented by, in spaces, and the rest.
fn indented(text: &str) -> (String, &str) {
    let start = text.trim_start_matches([' ', '\t']);
    (text[..text.len() - start.len()].replace('\t', "    "), start)
}

/// Returns `text` as one word of a script in a spec file.
///
/// It must hold no line break: [`crate::rpm::places`] refuses those.
pub(super) fn word(text: &str) -> String {
    percent(&shell(text))
}

/// Returns `pattern` as a pattern of a script in a spec file.
pub(super) fn pattern(pattern: &str) -> String {
    percent(&shell_pattern(pattern))
}

/// Returns `path` as `%files` reads it: a pattern that matches it.
///
/// There is no way to quote there that every version of RPM knows, and lines are expanded twice. What means something
/// there is matched by `?`.
pub(super) fn listed(path: &str) -> String {
    path.chars().map(|char| if stands_for_itself(char) { char } else { '?' }).collect()
}

/// Returns `path` as `%files` reads it, with its patterns.
pub(super) fn listed_pattern(path: &str) -> String {
    let kept = |char: char| stands_for_itself(char) || "*?[]!".contains(char);
    path.chars().map(|char| if kept(char) { char } else { '?' }).collect()
}

fn stands_for_itself(char: char) -> bool {
    char.is_ascii_alphanumeric() || "_-./+:@=,~^".contains(char) || !char.is_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_macro_is_left() {
        assert_eq!(line("100% of %{name} %(id)"), "100%% of %%{name} %%(id)");
        assert_eq!(word("a%b"), "a%%b");
        assert_eq!(word("it's %(id)"), r"'it'\''s %%(id)'");
        assert_eq!(pattern("%x/*"), "%%x/*");
    }

    #[test]
    fn values_stay_on_their_line() {
        assert_eq!(line("a\nRequires: evil"), "a Requires: evil");
        assert_eq!(line("ends with \\"), "ends with \\ ");
    }

    #[test]
    fn lines_are_no_directives() {
        assert_eq!(
            lines("Tool.\n%include /etc/passwd\n  %files\n# Usage\n\tx\n\nend \\"),
            "Tool.\n- %%include /etc/passwd\n  - %%files\n- # Usage\n    x\n\nend \\ \n"
        );
        assert_eq!(comment("a\n\n%(id)\\"), "# a\n#\n# %%(id)\\ \n");
    }

    #[test]
    fn no_blank_hides_a_directive() {
        for blank in ["\u{a0}", "\u{3000}", "\r", "\u{b}", "\0", " \u{a0}\t"] {
            for directive in ["%include /etc/passwd", "%files", "%post", "# gone"] {
                let text = lines(&format!("Tool.\n{blank}{directive}"));
                let own = text.lines().nth(1).expect("two lines").trim_start();
                assert_eq!(own, format!("- {}", directive.replace('%', "%%")), "{blank:?}");
            }
        }
    }

    #[test]
    fn listed_paths_match_themselves() {
        assert_eq!(listed("/a b/%{x}[1]*\"é"), "/a?b/??x??1???é");
        assert_eq!(listed_pattern("/a b/lib*.so[!0-9]?"), "/a?b/lib*.so[!0-9]?");
    }
}
