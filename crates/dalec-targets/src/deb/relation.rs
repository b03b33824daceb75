//! Dependencies in the form of Debian's relation fields (Debian policy, section 7.1).
//!
//! ```text
//! name (>= 1.2), name (<< 2) [amd64 arm64]
//! ```

use std::collections::BTreeMap;

use dalec_spec::span::Span;
use dalec_spec::target_spec::PackageConstraint;

use crate::error::PlanError;

/// Checks that names, versions and architectures cannot become more than one relation, or another field.
///
/// # Errors
/// [`PlanError::Invalid`] for a comma or a control character.
pub fn check(list: &BTreeMap<String, PackageConstraint>) -> Result<(), PlanError> {
    for (name, constraint) in list {
        let mut parts = [name].into_iter().chain(&constraint.version).chain(&constraint.arch);
        if let Some(bad) = parts.find(|part| part.contains(|char: char| char.is_control() || char == ',')) {
            let message = format!("{bad:?} cannot be part of a dependency");
            return Err(PlanError::invalid(message, [constraint.span]));
        }
    }
    Ok(())
}

/// Returns one relation per version constraint, in the order of names and then of versions, with architectures.
pub fn relations(list: &BTreeMap<String, PackageConstraint>) -> Vec<String> {
    list.iter()
        .flat_map(|(name, constraint)| {
            let suffix = architectures(constraint);
            plain(name, constraint).into_iter().map(move |relation| format!("{relation}{suffix}"))
        })
        .collect()
}

/// Returns the relations that hold on `architecture`, without architecture lists, each with its place.
///
/// Binary packages may not carry architecture lists, so they are decided here.
pub fn on_architecture(
    list: &BTreeMap<String, PackageConstraint>,
    architecture: &str,
) -> Vec<(String, Span)> {
    list.iter()
        .filter(|(_, constraint)| applies(&constraint.arch, architecture))
        .flat_map(|(name, constraint)| {
            plain(name, constraint).into_iter().map(|relation| (relation, constraint.span))
        })
        .collect()
}

/// Returns the names of the dependencies that hold on `architecture`.
pub fn names_on_architecture(list: &BTreeMap<String, PackageConstraint>, architecture: &str) -> Vec<String> {
    let holding = list.iter().filter(|(_, constraint)| applies(&constraint.arch, architecture));
    holding.map(|(name, _)| name.clone()).collect()
}

fn plain(name: &str, constraint: &PackageConstraint) -> Vec<String> {
    if constraint.version.is_empty() {
        return vec![name.to_owned()];
    }
    let mut versions: Vec<&String> = constraint.version.iter().collect();
    versions.sort();
    versions.into_iter().map(|version| format!("{name} ({})", operator_and_version(version))).collect()
}

/// Returns `OP VERSION` with Debian's operators: `<` and `>` are the strict ones, a bare version means `=`.
fn operator_and_version(written: &str) -> String {
    let written = written.trim();
    let split = written.find(|char| !"<>=".contains(char)).unwrap_or(written.len());
    let (operator, version) = written.split_at(split);
    let operator = match operator {
        "" | "=" | "==" => "=",
        "<" => "<<",
        ">" => ">>",
        other => other,
    };
    format!("{operator} {}", version.trim_start())
}

fn architectures(constraint: &PackageConstraint) -> String {
    if constraint.arch.is_empty() {
        return String::new();
    }
    let mut names = constraint.arch.clone();
    names.sort();
    format!(" [{}]", names.join(" "))
}

/// Returns whether an architecture list takes in `architecture`; `!` entries take it out.
fn applies(list: &[String], architecture: &str) -> bool {
    let matches = |pattern: &str| {
        pattern == architecture
            || pattern == "any"
            || pattern == "linux-any"
            || pattern == format!("any-{architecture}")
            || pattern == format!("linux-{architecture}")
    };
    let (negative, positive): (Vec<&String>, Vec<&String>) =
        list.iter().partition(|pattern| pattern.starts_with('!'));
    !negative.iter().any(|pattern| matches(&pattern[1..]))
        && (positive.is_empty() || positive.iter().any(|pattern| matches(pattern)))
}
