//! Text from a spec inside shell scripts, make files and control fields, so that it stays text.

/// Returns `text` as one word of a POSIX shell.
pub fn shell(text: &str) -> String {
    let plain = |char: char| char.is_ascii_alphanumeric() || "_./+,:@%=-".contains(char);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// Returns `pattern` as a POSIX shell pattern: `*`, `?` and `[…]` keep their meaning, all else is text.
pub fn shell_pattern(pattern: &str) -> String {
    let mut words = String::new();
    let mut quoted = String::new();
    for char in pattern.chars() {
        if "*?[]!^".contains(char) || char.is_ascii_alphanumeric() || "_./+,:@%=-".contains(char) {
            flush(&mut quoted, &mut words);
            words.push(char);
        } else {
            quoted.push(char);
        }
    }
    flush(&mut quoted, &mut words);
    // A word that starts with a dash would be taken for an option.
    if words.starts_with('-') { format!("./{words}") } else { words }
}

fn flush(quoted: &mut String, words: &mut String) {
    if !quoted.is_empty() {
        words.push_str(&format!("'{}'", quoted.replace('\'', r"'\''")));
        quoted.clear();
    }
}

/// Returns `value` inside double quotes of a shell: variables and command substitutions are expanded when the
/// script runs, unless a backslash stands before them; quotes and other backslashes are text.
pub fn shell_expanding(value: &str) -> String {
    let mut quoted = String::from("\"");
    let mut chars = value.chars().peekable();
    while let Some(char) = chars.next() {
        match char {
            '\\' => {
                quoted.push('\\');
                quoted.push(chars.next_if(|next| "$`\"\\".contains(*next)).unwrap_or('\\'));
            }
            '"' => quoted.push_str("\\\""),
            char => quoted.push(char),
        }
    }
    quoted + "\""
}

/// Returns `text` on one line: control characters become spaces.
pub fn one_line(text: &str) -> String {
    let spaced: String = text.chars().map(|char| if char.is_control() { ' ' } else { char }).collect();
    spaced.trim().to_owned()
}

/// Returns whether a pattern character of the shell is in `path`.
pub fn is_pattern(path: &str) -> bool {
    path.contains(['*', '?', '['])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stays_text() {
        assert_eq!(shell("bin/hello-1.0"), "bin/hello-1.0");
        assert_eq!(shell(""), "''");
        assert_eq!(shell("a b; rm -rf /"), "'a b; rm -rf /'");
        assert_eq!(shell("it's $(id)"), r"'it'\''s $(id)'");
    }

    #[test]
    fn patterns_match_and_nothing_else() {
        assert_eq!(shell_pattern("bin/*"), "bin/*");
        assert_eq!(shell_pattern("my $(id) files/*.s[ao]"), "my' $('id') 'files/*.s[ao]");
        assert_eq!(shell_pattern("-rf/*"), "./-rf/*");
        assert_eq!(shell_pattern("a'b`c`"), r"a''\'''b'`'c'`'");
    }

    #[test]
    fn values_are_expanded_by_the_shell_alone() {
        assert_eq!(shell_expanding(r#"$HOME/"x" \n"#), r#""$HOME/\"x\" \\n""#);
        assert_eq!(shell_expanding(r#"\$HOME \`id\` \"x\" \\ \"#), r#""\$HOME \`id\` \"x\" \\ \\""#);
    }

    #[test]
    fn fields_stay_on_their_line() {
        assert_eq!(one_line(" a\nPre-Depends: evil\r\0b "), "a Pre-Depends: evil  b");
    }
}
