//! How replaced Go modules are written for `go mod edit`.

use crate::target_spec::GomodReplace;

impl GomodReplace {
    /// Returns the argument of `go mod edit -replace`.
    ///
    /// A version from v2 on of a module whose path does not end in `/vN` gets `+incompatible`, as the Go command wants
    /// it.
    pub fn edit(&self) -> String {
        format!("{}={}", self.old, compatible(&self.new))
    }
}

fn compatible(target: &str) -> String {
    let needs_mark = target
        .rsplit_once('@')
        .is_some_and(|(path, version)| !path.is_empty() && is_late(version) && !has_major(path));
    if needs_mark { format!("{target}+incompatible") } else { target.to_owned() }
}

/// Returns whether `version` is a semantic version from v2 on, without build metadata.
fn is_late(version: &str) -> bool {
    let Some(rest) = version.strip_prefix('v').filter(|_| !version.contains('+')) else { return false };
    let (numbers, label) = match rest.split_once('-') {
        Some((numbers, label)) => (numbers, Some(label)),
        None => (rest, None),
    };
    let numbers: Vec<&str> = numbers.split('.').collect();
    let is_number = |text: &&str| {
        !text.is_empty()
            && text.bytes().all(|byte| byte.is_ascii_digit())
            && (*text == "0" || !text.starts_with('0'))
    };
    let is_word = |word: &str| {
        !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    // `v2` and `v2.1` are versions for the Go command, but only a whole one can have a label.
    let is_valid = numbers.len() <= 3
        && numbers.iter().all(is_number)
        && label.is_none_or(|label| numbers.len() == 3 && label.split('.').all(is_word));
    is_valid && !matches!(numbers[0], "0" | "1")
}

/// Returns whether the path of a module tells its major version: `/v2`, or `.v2` on gopkg.in.
fn has_major(path: &str) -> bool {
    let (before, last) = path.rsplit_once('/').unwrap_or(("", path));
    let digits = if before == "gopkg.in" || before.starts_with("gopkg.in/") {
        last.rsplit_once(".v").map(|(_, digits)| digits)
    } else {
        last.strip_prefix('v')
    };
    digits.is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SRC-026
    #[test]
    fn late_versions_are_marked() {
        for (target, expected) in [
            ("example.org/m@v2.0.1", "example.org/m@v2.0.1+incompatible"),
            ("example.org/m@v12.3.4-rc.1", "example.org/m@v12.3.4-rc.1+incompatible"),
            ("example.org/m@v3", "example.org/m@v3+incompatible"),
            ("example.org/m@v1.9.0", "example.org/m@v1.9.0"),
            ("example.org/m@v0.1.0", "example.org/m@v0.1.0"),
            ("example.org/m/v2@v2.0.1", "example.org/m/v2@v2.0.1"),
            ("gopkg.in/yaml.v3@v3.0.1", "gopkg.in/yaml.v3@v3.0.1"),
            ("example.org/m@v2.0.0+incompatible", "example.org/m@v2.0.0+incompatible"),
            ("example.org/m@v2.0.0+meta", "example.org/m@v2.0.0+meta"),
            ("example.org/m@main", "example.org/m@main"),
            ("example.org/m@v02.0.0", "example.org/m@v02.0.0"),
            ("example.org/m", "example.org/m"),
            ("../m", "../m"),
            ("@v2.0.0", "@v2.0.0"),
        ] {
            assert_eq!(compatible(target), expected);
        }
        let replace = GomodReplace { old: "a".into(), new: "b@v2.0.0".into(), ..GomodReplace::default() };
        assert_eq!(replace.edit(), "a=b@v2.0.0+incompatible");
    }
}
