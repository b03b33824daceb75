//! Source policies: which sources a daemon may fetch for a build, and what it takes in their place.
//!
//! They are written in JSON, as `buildctl build --source-policy-file` and buildx take them (`sourcepolicy/pb/policy.proto`):
//! keys as in that file, and values of enumerations as names or numbers. What is unknown is refused rather than passed over, because a
//! rule that is not followed lets through what it should not.

use std::collections::HashMap;
use std::str::FromStr;

use bollard_buildkit_proto::moby::buildkit::v1::sourcepolicy as api;
use serde::Deserialize;

/// Rules for the sources of a build.
#[derive(Debug, Clone, PartialEq)]
pub struct SourcePolicy(api::Policy);

impl SourcePolicy {
    pub(crate) fn to_wire(&self) -> api::Policy {
        self.0.clone()
    }
}

impl FromStr for SourcePolicy {
    type Err = serde_json::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let Policy { version, rules } = serde_json::from_str(text)?;
        Ok(Self(api::Policy { version, rules: rules.into_iter().map(Rule::into_wire).collect() }))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Policy {
    #[serde(default)]
    version: i64,
    #[serde(default)]
    rules: Vec<Rule>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    #[serde(default)]
    action: Action,
    selector: Selector,
    updates: Option<Updates>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Selector {
    identifier: String,
    #[serde(default)]
    match_type: MatchType,
    #[serde(default)]
    constraints: Vec<Constraint>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Constraint {
    key: String,
    #[serde(default)]
    value: String,
    #[serde(default)]
    condition: Condition,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Updates {
    #[serde(default)]
    identifier: String,
    #[serde(default)]
    attrs: HashMap<String, String>,
}

/// Declares an enumeration whose values are read from names or numbers.
macro_rules! named {
    ($name:ident of $wire:ident, $($variant:ident = $text:literal $number:literal),+) => {
        #[derive(Deserialize, Default, Clone, Copy)]
        #[serde(try_from = "Word")]
        struct $name(i32);

        impl TryFrom<Word> for $name {
            type Error = String;

            fn try_from(word: Word) -> Result<Self, String> {
                match word {
                    $(Word::Name(name) if name == $text => Ok(Self(api::$wire::$variant as i32)),
                    Word::Number($number) => Ok(Self(api::$wire::$variant as i32)),)+
                    Word::Name(name) => Err(format!("`{name}` is none of {}", [$($text),+].join(", "))),
                    Word::Number(number) => Err(format!("{number} is none of {}", [$($text),+].join(", "))),
                }
            }
        }
    };
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Word {
    Name(String),
    Number(i64),
}

named!(Action of PolicyAction, Allow = "ALLOW" 0, Deny = "DENY" 1, Convert = "CONVERT" 2);
named!(MatchType of MatchType, Wildcard = "WILDCARD" 0, Exact = "EXACT" 1, Regex = "REGEX" 2);
named!(Condition of AttrMatch, Equal = "EQUAL" 0, Notequal = "NOTEQUAL" 1, Matches = "MATCHES" 2);

impl Rule {
    fn into_wire(self) -> api::Rule {
        let constraint = |constraint: Constraint| api::AttrConstraint {
            key: constraint.key,
            value: constraint.value,
            condition: constraint.condition.0,
        };
        api::Rule {
            action: self.action.0,
            selector: Some(api::Selector {
                identifier: self.selector.identifier,
                match_type: self.selector.match_type.0,
                constraints: self.selector.constraints.into_iter().map(constraint).collect(),
            }),
            updates: self
                .updates
                .map(|updates| api::Update { identifier: updates.identifier, attrs: updates.attrs }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_read() {
        let text = r#"{"version": 1, "rules": [
            {"action": "DENY", "selector": {"identifier": "docker-image://*", "match_type": "EXACT",
                "constraints": [{"key": "http.checksum", "value": "a", "condition": 1}]}},
            {"action": 2, "selector": {"identifier": "a"}, "updates": {"identifier": "b", "attrs": {"c": "d"}}}
        ]}"#;
        let api::Policy { version, rules } = text.parse::<SourcePolicy>().unwrap().to_wire();
        assert_eq!((version, rules.len()), (1, 2));
        let selector = rules[0].selector.as_ref().unwrap();
        assert_eq!(
            (rules[0].action(), selector.match_type()),
            (api::PolicyAction::Deny, api::MatchType::Exact)
        );
        assert_eq!(selector.constraints[0].condition(), api::AttrMatch::Notequal);
        assert_eq!(rules[1].action(), api::PolicyAction::Convert);
        assert_eq!(rules[1].updates.as_ref().unwrap().attrs["c"], "d");
    }

    #[test]
    fn a_rule_that_cannot_be_followed_is_refused() {
        for text in [
            r#"{"rule": []}"#,
            r#"{"rules": [{"action": "DENIED", "selector": {"identifier": "a"}}]}"#,
            r#"{"rules": [{"action": 7, "selector": {"identifier": "a"}}]}"#,
            r#"{"rules": [{"action": "DENY"}]}"#,
        ] {
            assert!(text.parse::<SourcePolicy>().is_err(), "{text}");
        }
    }
}
