//! The stable names of all findings, in one table.
//!
//! A name is never reused for something else; people silence and search for it. Each has a page in `docs/findings`,
//! which is part of the program.

use crate::diagnostic::Severity;

/// One kind of finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code {
    /// Stable name.
    pub name: &'static str,
    /// How bad all findings of this kind are.
    pub severity: Severity,
    /// What it means, one line.
    pub summary: &'static str,
    /// The page about it: why it is said, what to do, examples. Markdown, from `docs/findings`.
    pub page: &'static str,
}

macro_rules! codes {
    ($([$severity:ident] $($constant:ident $name:literal $summary:literal)*)*) => {
        $($(#[doc = $summary] pub const $constant: &str = $name;)*)*

        /// All kinds of findings, sorted by name within errors and warnings.
        pub const ALL: &[Code] = &[$($(
            Code {
                name: $name,
                severity: Severity::$severity,
                summary: $summary,
                page: include_str!(concat!("../../../docs/findings/", $name, ".md")),
            },
        )*)*];
    };
}

/// Returns the kind of finding called `name`.
pub fn find(name: &str) -> Option<&'static Code> {
    ALL.iter().find(|code| code.name == name)
}

codes! {
    [Error]
    ALIAS_BUDGET "alias-budget" "aliases repeat so much text that the spec would not fit in memory"
    ALIAS_CYCLE "alias-cycle" "an alias stands inside the value that it repeats"
    BAD_MERGE "bad-merge" "`<<` takes a mapping, an alias of one, or a list of such aliases"
    BAD_REGEX "bad-regex" "a pattern under `matches` is not a regular expression"
    COMMAND_SYNTAX "command-syntax" "a command line cannot be split into words"
    CONFLICTING_KEYS "conflicting-keys" "two keys exclude each other"
    DUPLICATE_KEY "duplicate-key" "a mapping has the same key twice"
    EXPANSION_BUDGET "expansion-budget" "expanded arguments make the spec too large"
    INVALID_VALUE "invalid-value" "a value has the right type but is not allowed there"
    MISSING_KEY "missing-key" "a key that is needed is not there"
    NESTED_TOO_DEEP "nested-too-deep" "the text nests deeper than any spec needs"
    SECRET_IN_SPEC "secret-in-spec" "a secret stands where its name is wanted"
    SUBSTITUTION_SYNTAX "substitution-syntax" "a `${...}` expression or a quote inside an expanded value is broken"
    TOO_MANY_FINDINGS "too-many-findings" "the list of errors was cut off"
    UNDECLARED_ARG "undeclared-arg" "a value refers to an argument that `args` does not declare"
    UNKNOWN_ANCHOR "unknown-anchor" "an alias has no anchor before it"
    UNKNOWN_BUILD_ARG "unknown-build-arg" "a build argument was given that `args` does not declare"
    UNKNOWN_KEY "unknown-key" "a key is not part of the Dalec language at this place"
    UNKNOWN_SOURCE "unknown-source" "a source is named that `sources` does not have"
    WRONG_TYPE "wrong-type" "a value has another type than its key takes"
    YAML_SYNTAX "yaml-syntax" "the text is not YAML"
    [Warning]
    CONTRADICTING_CHECKS "contradicting-checks" "two checks of one file cannot both be true"
    DECIMAL_MODE "decimal-mode" "permissions are written in decimal and mean something else in octal"
    DEPRECATED_KEY "deprecated-key" "a key has a newer form"
    DUPLICATE_ENTRY "duplicate-entry" "a list names the same thing twice"
    INCOMPLETE_FOR_TARGET "incomplete-for-target" "a target needs a key that the spec does not have"
    LITERAL_REFERENCE "literal-reference" "a reference to an argument stays as text, because its field is not expanded"
    LOST_BACKSLASH "lost-backslash" "expansion removes a backslash that was probably meant to stay"
    MISSING_DIGEST "missing-digest" "an http source has no digest, so its content may change"
    NO_CHECKS "no-checks" "a test has neither steps nor files, so it checks nothing"
    NO_EFFECT "no-effect" "something is written that nothing looks at"
    NO_SHELL "no-shell" "a command that no shell runs holds what only a shell understands"
    NUMBER_LIKE_TEXT "number-like-text" "upstream reads this text as a number and changes it"
    ODD_CONSTRAINT "odd-constraint" "a version constraint is not an operator, a blank and a version"
    UNKNOWN_ACCOUNT "unknown-account" "files belong to a user or group that the spec does not create"
    UNKNOWN_CAPABILITY "unknown-capability" "a capability that Linux does not have"
    UNKNOWN_CODE "unknown-code" "an allow comment names a code that does not exist"
    UNKNOWN_TAG "unknown-tag" "a YAML tag that has no meaning in a spec"
    UNKNOWN_TARGET "unknown-target" "settings are written for a target that does not exist"
    UNPACKAGEABLE_NAME "unpackageable-name" "no kind of package can have this name"
    UNPINNED_SOURCE "unpinned-source" "a source is named by something that can change, such as a tag"
    UNRESOLVED_ARG "unresolved-arg" "a well-known argument is not declared, so its reference stays as text"
    UNUSED_ALLOW "unused-allow" "an allow comment silences nothing"
    UNUSED_ARG "unused-arg" "an argument is declared and never used"
    UPSTREAM_DIFFERS "upstream-differs" "upstream Dalec refuses this or means something else by it"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_readable() {
        for (index, code) in ALL.iter().enumerate() {
            assert!(code.name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'), "{}", code.name);
            assert!(!code.summary.is_empty() && !code.summary.ends_with('.'), "{}", code.name);
            assert!(ALL[..index].iter().all(|other| other.name != code.name), "{} twice", code.name);
        }
        assert_eq!(
            find(UNKNOWN_KEY).map(|code| (code.name, code.severity)),
            Some(("unknown-key", Severity::Error))
        );
        assert_eq!(find(UNUSED_ARG).map(|code| code.severity), Some(Severity::Warning));
        assert_eq!(find("no-such-code"), None);
    }
}
