//! Dependencies as RPM writes them.
//!
//! ```text
//! Requires: libfoo >= 1.2
//! Requires: libfoo < 2
//! %ifarch x86_64
//! Requires: libbar
//! %endif
//! ```

use std::collections::BTreeMap;

use dalec_spec::span::Span;
use dalec_spec::target_spec::PackageConstraint;

use crate::error::PlanError;
use crate::marker::Marks;
use crate::rpm::architecture::of_go;
use crate::rpm::escape::percent;

/// A dependency that can be named when it turns out not to be installable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    /// As RPM says it in messages, for example `libfoo >= 1.2`.
    pub relation: String,
    /// What a line about it starts with; see [`crate::marker`].
    pub mark: String,
}

/// Returns one tag per version constraint, in the order of names; those for some architectures are conditional.
///
/// # Errors
/// [`PlanError::Invalid`] for what cannot be a dependency.
pub(super) fn tags(tag: &str, list: &BTreeMap<String, PackageConstraint>) -> Result<String, PlanError> {
    let mut text = String::new();
    for (name, constraint) in list {
        let lines: String = relations(name, constraint)?
            .into_iter()
            .map(|relation| format!("{tag}: {}\n", percent(&relation)))
            .collect();
        text.push_str(&conditional(constraint, &lines)?);
    }
    Ok(text)
}

/// Returns the dependencies of `list` that hold on `architecture` (RPM's name), with their places in `marks`.
///
/// # Errors
/// As [`tags`].
pub(super) fn wanted(
    list: &BTreeMap<String, PackageConstraint>,
    architecture: &str,
    marks: &mut Marks,
) -> Result<Vec<Wanted>, PlanError> {
    let mut wanted = Vec::new();
    for (name, constraint) in list.iter().filter(|(_, constraint)| applies(constraint, architecture)) {
        for relation in relations(name, constraint)? {
            wanted.push(Wanted { relation, mark: marks.mark(constraint.span) });
        }
    }
    Ok(wanted)
}

/// Returns what of `list` holds on `architecture` (RPM's name), without architectures.
pub(super) fn holding(
    list: &BTreeMap<String, PackageConstraint>,
    architecture: &str,
) -> BTreeMap<String, PackageConstraint> {
    let holding = list.iter().filter(|(_, constraint)| applies(constraint, architecture));
    let plain = |constraint: &PackageConstraint| PackageConstraint { arch: Vec::new(), ..constraint.clone() };
    holding.map(|(name, constraint)| (name.clone(), plain(constraint))).collect()
}

/// Returns whether the architectures of `constraint` take in `architecture`; `!` entries take it out.
fn applies(constraint: &PackageConstraint, architecture: &str) -> bool {
    let (negative, positive) = by_sign(constraint);
    !negative.contains(&architecture) && (positive.is_empty() || positive.contains(&architecture))
}

/// Returns the architectures that are taken out and those that are taken in, in RPM's words.
fn by_sign(constraint: &PackageConstraint) -> (Vec<&str>, Vec<&str>) {
    let negative = constraint.arch.iter().filter_map(|name| name.strip_prefix('!'));
    let positive = constraint.arch.iter().filter(|name| !name.starts_with('!'));
    (negative.map(of_go).collect(), positive.map(|name| of_go(name)).collect())
}

fn conditional(constraint: &PackageConstraint, lines: &str) -> Result<String, PlanError> {
    let name_char = |char: char| char.is_ascii_alphanumeric() || char == '_';
    let (negative, positive) = by_sign(constraint);
    let mut all = negative.iter().chain(&positive);
    if let Some(bad) = all.find(|name| name.is_empty() || !name.chars().all(name_char)) {
        let message = format!("{bad:?} cannot be the name of an architecture");
        return Err(PlanError::invalid(message, [constraint.span]));
    }
    let block = |directive: &str, names: &[&str], lines: String| match names {
        [] => lines,
        names => format!("%{directive} {}\n{lines}%endif\n", names.join(" ")),
    };
    Ok(block("ifarch", &positive, block("ifnarch", &negative, lines.to_owned())))
}

fn relations(name: &str, constraint: &PackageConstraint) -> Result<Vec<String>, PlanError> {
    let is_rich = name.starts_with('(') && name.ends_with(')');
    let bad = |char: char| char.is_control() || !is_rich && (char.is_whitespace() || char == ',');
    if name.is_empty() || name.contains(bad) {
        return Err(refuse(name, constraint.span));
    }
    if constraint.version.is_empty() {
        return Ok(vec![name.to_owned()]);
    }
    let relation = |written: &String| {
        let (operator, version) = operator_and_version(written);
        let bad = |char: char| char.is_control() || char.is_whitespace() || char == ',';
        let known = matches!(operator, "=" | "<" | ">" | "<=" | ">=");
        if !known || is_rich || version.is_empty() || version.contains(bad) {
            return Err(refuse(&format!("{name} {written}"), constraint.span));
        }
        Ok(format!("{name} {operator} {version}"))
    };
    constraint.version.iter().map(relation).collect()
}

/// Splits a constraint, with RPM's operators: Debian's `<<` and `>>` are the strict ones, a bare version means `=`.
fn operator_and_version(written: &str) -> (&str, &str) {
    let written = written.trim();
    let split = written.find(|char| !"<>=".contains(char)).unwrap_or(written.len());
    let (operator, version) = written.split_at(split);
    let operator = match operator {
        "" | "==" => "=",
        "<<" => "<",
        ">>" => ">",
        other => other,
    };
    (operator, version.trim_start())
}

fn refuse(text: &str, span: Span) -> PlanError {
    PlanError::Invalid {
        message: format!("{text:?} cannot be a dependency of an RPM package"),
        spans: vec![span],
        hint: Some("a name, and versions such as `>= 1.2`".into()),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::fixture::constraint;

    fn list(entries: &[(&str, &[&str], &[&str])]) -> BTreeMap<String, PackageConstraint> {
        let entries = entries.iter();
        entries.map(|(name, version, arch)| ((*name).to_owned(), constraint(version, arch))).collect()
    }

    /// DEP-001, DEP-003, DEP-004: the operators of section 3.2 of the reference, one line per version, architectures.
    #[test]
    fn operators_versions_and_architectures() {
        let list = list(&[
            ("a", &["1.2", "= 1", "== 1", "< 1", "> 1"], &[]),
            ("b", &["<< 1", ">> 1", ">= 1", "<= 1", ">=1"], &[]),
            ("c", &[], &["amd64", "aarch64"]),
            ("d", &["> 1"], &["!arm64"]),
            ("perl(Foo::Bar)", &[], &[]),
            ("(x or y)", &[], &[]),
            ("/usr/bin/%{z}", &[], &[]),
        ]);
        expect![[r"
            Requires: (x or y)
            Requires: /usr/bin/%%{z}
            Requires: a = 1.2
            Requires: a = 1
            Requires: a = 1
            Requires: a < 1
            Requires: a > 1
            Requires: b < 1
            Requires: b > 1
            Requires: b >= 1
            Requires: b <= 1
            Requires: b >= 1
            %ifarch x86_64 aarch64
            Requires: c
            %endif
            %ifnarch aarch64
            Requires: d > 1
            %endif
            Requires: perl(Foo::Bar)
        "]]
        .assert_eq(&tags("Requires", &list).expect("valid"));
        let wanted = wanted(&list, "aarch64", &mut Marks::default()).expect("valid");
        let names: Vec<&str> = wanted.iter().map(|wanted| wanted.relation.as_str()).collect();
        assert!(names.contains(&"c") && !names.contains(&"d > 1"), "{names:?}");
    }

    #[test]
    fn what_is_no_dependency_is_refused() {
        for (name, version, arch) in [
            ("a, b", &[][..], &[][..]),
            ("a\nRequires: b", &[], &[]),
            ("a b", &[], &[]),
            ("", &[], &[]),
            ("a", &["~> 1"], &[]),
            ("a", &["1\nRequires: b"], &[]),
            ("a", &[">="], &[]),
            ("a", &[], &["x86_64\n%include x"]),
        ] {
            assert!(tags("Requires", &list(&[(name, version, arch)])).is_err(), "{name:?} {version:?}");
        }
    }
}
