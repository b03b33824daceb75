//! Dependency expressions such as `libc6 (>= 2.34), awk | mawk`.
//!
//! Follows the syntax of the relationship fields in Debian policy, section 7.1, as far as it
//! occurs between binary packages. What satisfies an expression is decided elsewhere.

use debversion::Version;

/// One package name in an expression, with the versions that will do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Relation<'a> {
    pub(crate) name: &'a str,
    /// The part after a colon, such as `any`.
    pub(crate) architecture: Option<&'a str>,
    pub(crate) constraint: Option<(Comparison, Version)>,
}

/// How a version is compared with the one in an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    /// `<<`
    Before,
    /// `<=`
    AtMost,
    /// `=`
    Exactly,
    /// `>=`
    AtLeast,
    /// `>>`
    After,
}

impl Relation<'_> {
    /// Returns whether `version` will do.
    pub(crate) fn accepts(&self, version: &Version) -> bool {
        let Some((comparison, bound)) = &self.constraint else { return true };
        match comparison {
            Comparison::Before => version < bound,
            Comparison::AtMost => version <= bound,
            Comparison::Exactly => version == bound,
            Comparison::AtLeast => version >= bound,
            Comparison::After => version > bound,
        }
    }

    /// Returns whether a package built for `native` (or for all machines) can be meant.
    pub(crate) fn means_architecture(&self, native: &str) -> bool {
        self.architecture.is_none_or(|name| name == "any" || name == "native" || name == native)
    }
}

impl std::fmt::Display for Relation<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)?;
        if let Some(architecture) = self.architecture {
            write!(f, ":{architecture}")?;
        }
        if let Some((comparison, version)) = &self.constraint {
            let comparison = match comparison {
                Comparison::Before => "<<",
                Comparison::AtMost => "<=",
                Comparison::Exactly => "=",
                Comparison::AtLeast => ">=",
                Comparison::After => ">>",
            };
            write!(f, " ({comparison} {version})")?;
        }
        Ok(())
    }
}

/// Parses a whole field: groups that must all hold, each of alternatives in order of preference.
///
/// # Errors
/// A clause that says what is wrong.
pub(crate) fn parse(text: &str) -> Result<Vec<Vec<Relation<'_>>>, String> {
    text.split(',')
        .filter(|group| !group.trim().is_empty())
        .map(|group| group.split('|').map(|text| parse_one(text.trim())).collect())
        .collect()
}

fn parse_one(text: &str) -> Result<Relation<'_>, String> {
    let (head, constraint) = match text.split_once('(') {
        Some((head, rest)) => {
            let inner =
                rest.strip_suffix(')').ok_or_else(|| format!("`{text}` lacks a closing parenthesis"))?;
            (head.trim(), Some(parse_constraint(inner.trim())?))
        }
        None => (text, None),
    };
    let (name, architecture) = match head.split_once(':') {
        Some((name, architecture)) => (name, Some(architecture)),
        None => (head, None),
    };
    if !is_package_name(name) {
        return Err(format!("`{name}` is not a package name"));
    }
    Ok(Relation { name, architecture, constraint })
}

fn parse_constraint(text: &str) -> Result<(Comparison, Version), String> {
    let digits = text.find(|c: char| !"<>=".contains(c)).unwrap_or(text.len());
    let (comparison, version) = text.split_at(digits);
    let comparison = match comparison {
        "<<" => Comparison::Before,
        // A single sign is an old spelling that means "or equal".
        "<=" | "<" => Comparison::AtMost,
        "=" => Comparison::Exactly,
        ">=" | ">" => Comparison::AtLeast,
        ">>" => Comparison::After,
        other => return Err(format!("`{other}` is not a comparison")),
    };
    Ok((comparison, parse_version(version.trim())?))
}

/// Parses a package version.
///
/// # Errors
/// A clause that says what is wrong.
pub(crate) fn parse_version(text: &str) -> Result<Version, String> {
    text.parse().map_err(|_| format!("`{text}` is not a version"))
}

/// Returns whether `name` follows Debian policy, section 5.6.7; such a name is a safe file name.
pub(crate) fn is_package_name(name: &str) -> bool {
    let allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'+' | b'-' | b'.');
    name.len() >= 2
        && name.len() <= 200
        && name.as_bytes()[0].is_ascii_alphanumeric()
        && name.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn check(text: &str, expected: Expect) {
        let rendered = match parse(text) {
            Err(reason) => reason,
            Ok(groups) => groups
                .iter()
                .map(|group| group.iter().map(ToString::to_string).collect::<Vec<_>>().join(" | "))
                .collect::<Vec<_>>()
                .join(", "),
        };
        expected.assert_eq(&rendered);
    }

    #[test]
    fn expressions_keep_their_order() {
        check(
            "libc6 (>= 2.34), mawk|awk:any (<<1:2~rc1-3), perl:any,",
            expect!["libc6 (>= 2.34), mawk | awk:any (<< 1:2~rc1-3), perl:any"],
        );
        check("", expect![""]);
    }

    #[test]
    fn broken_expressions_say_why() {
        check("libc6 (>= 2.34", expect!["`libc6 (>= 2.34` lacks a closing parenthesis"]);
        check("libc6 (~ 2)", expect!["`` is not a comparison"]);
        check("../x", expect!["`../x` is not a package name"]);
        check("a | ", expect!["`a` is not a package name"]);
    }

    #[test]
    fn versions_are_compared_as_dpkg_does() {
        let accepts = |relation: &str, version: &str| {
            parse_one(relation).unwrap().accepts(&parse_version(version).unwrap())
        };
        assert!(accepts("xx (<< 1.0)", "1.0~rc1"));
        assert!(accepts("xx (>= 1:0)", "1:0-1"));
        assert!(!accepts("xx (>= 1:0)", "99"));
        assert!(accepts("xx (= 1.0-1)", "0:1.0-1"));
        assert!(accepts("xx (>> 1.9)", "1.10"));
        assert!(accepts("xx", "0"));
    }
}
