//! systemd units: the links that debhelper takes unit files from, and how each is enabled and started.
//!
//! Differences from upstream: `start: false` keeps a unit from being started at installation, and units of one base
//! name that differ in what they ask for are handled by debhelper itself, one call per kind.

use std::collections::BTreeMap;

use dalec_spec::span::Span;
use dalec_spec::target_spec::Artifacts;

use crate::error::PlanError;
use crate::paths::base;
use crate::quote::shell;

/// Unit types that dh_installsystemd takes from `debian/`.
const TYPES: [&str; 6] = ["mount", "path", "service", "socket", "target", "timer"];

/// One unit as it is installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unit<'a> {
    /// Path in the build root.
    pub key: &'a str,
    /// Installed name, for example `hello.service`.
    pub name: String,
    /// Enabled at first installation.
    pub enable: bool,
    /// Started at first installation.
    pub start: bool,
    /// The entry in the spec.
    pub span: Span,
}

impl Unit<'_> {
    /// Returns whether the unit only exists as instances.
    pub(super) fn is_template(&self) -> bool {
        self.name.contains('@')
    }

    /// Name without its type, by which debhelper groups units.
    fn stem(&self) -> &str {
        self.name.rsplit_once('.').map_or(&*self.name, |(stem, _)| stem)
    }

    fn suffix(&self) -> &str {
        self.name.rsplit_once('.').map_or("", |(_, suffix)| suffix)
    }
}

/// Returns every unit in the order of keys.
pub(super) fn all(artifacts: &Artifacts) -> Vec<Unit<'_>> {
    let units = artifacts.systemd.units.iter().map(|(key, unit)| Unit {
        key,
        name: if unit.name.is_empty() { base(key).to_owned() } else { unit.name.clone() },
        enable: unit.enable,
        // Debian starts what it installs unless told otherwise.
        start: unit.start.unwrap_or(true),
        span: unit.span,
    });
    units.collect()
}

/// Returns the links in `debian/`, path to target.
///
/// # Errors
/// [`PlanError::Invalid`] for a name that is no unit's or that debhelper does not install.
pub(super) fn links(artifacts: &Artifacts, package: &str) -> Result<BTreeMap<String, String>, PlanError> {
    let mut links = BTreeMap::new();
    for unit in all(artifacts) {
        let char = |char: char| char.is_ascii_alphanumeric() || ":_.@-\\".contains(char);
        if !unit.name.chars().all(char) || !TYPES.contains(&unit.suffix()) || unit.stem().is_empty() {
            return Err(PlanError::Invalid {
                message: format!("{:?} cannot be the name of a systemd unit", unit.name),
                spans: vec![unit.span],
                hint: Some(format!("a name that ends in one of: .{}", TYPES.join(", ."))),
            });
        }
        let path = if unit.stem() == package {
            format!("debian/{}", unit.name)
        } else {
            format!("debian/{package}.{}", unit.name)
        };
        let target = if unit.key.starts_with('/') { unit.key.to_owned() } else { format!("../{}", unit.key) };
        links.insert(path, target);
    }
    Ok(links)
}

/// Returns the calls of dh_installsystemd, one per base name and way to enable and start.
pub(super) fn calls(artifacts: &Artifacts) -> Vec<String> {
    let mut stems: BTreeMap<String, BTreeMap<(bool, bool), Vec<String>>> = BTreeMap::new();
    for unit in all(artifacts) {
        let ways = stems.entry(unit.stem().to_owned()).or_default();
        ways.entry((unit.enable, unit.start)).or_default().push(unit.name.clone());
    }
    let mut calls = Vec::new();
    for (stem, ways) in &stems {
        let mixed = ways.len() > 1;
        for ((enable, start), names) in ways {
            let mut call = format!("dh_installsystemd --name={}", shell(stem));
            if !enable {
                call.push_str(" --no-enable");
            }
            if !start {
                // A service that somebody started is still restarted by an upgrade.
                call.push_str(" --no-start --restart-after-upgrade");
            }
            if mixed {
                names.iter().for_each(|name| call.push_str(&format!(" {}", shell(name))));
            }
            calls.push(call);
        }
    }
    calls
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    fn units(entries: &[(&str, &str, bool, bool)]) -> Artifacts {
        let unit = |name: &str, enable, start| dalec_spec::target_spec::Unit {
            name: name.into(),
            enable,
            start,
            span: Span::new(1, 2),
        };
        let entries = entries.iter();
        let units =
            entries.map(|(key, name, enable, start)| ((*key).to_owned(), unit(name, *enable, Some(*start))));
        Artifacts {
            systemd: dalec_spec::target_spec::Systemd { units: units.collect(), ..Default::default() },
            ..Artifacts::default()
        }
    }

    /// DEB-009, DEB-010, ART-012.
    #[test]
    fn one_call_per_way() {
        let artifacts = units(&[
            ("u/a.service", "", true, true),
            ("u/a.timer", "", true, true),
            ("u/b.socket", "", true, true),
            ("u/b@.service", "", false, false),
            ("u/raw", "b.service", false, true),
            ("u/c.service", "", false, false),
            ("u/org.example.tool.service", "", true, true),
        ]);
        expect![[r#"
            dh_installsystemd --name=a
            dh_installsystemd --name=b --no-enable b.service
            dh_installsystemd --name=b b.socket
            dh_installsystemd --name=b@ --no-enable --no-start --restart-after-upgrade
            dh_installsystemd --name=c --no-enable --no-start --restart-after-upgrade
            dh_installsystemd --name=org.example.tool
        "#]]
        .assert_eq(&format!("{}\n", calls(&artifacts).join("\n")));
        let links = links(&artifacts, "a").expect("valid");
        let links: Vec<String> = links.iter().map(|(path, target)| format!("{path} -> {target}\n")).collect();
        expect![[r#"
            debian/a.b.service -> ../u/raw
            debian/a.b.socket -> ../u/b.socket
            debian/a.b@.service -> ../u/b@.service
            debian/a.c.service -> ../u/c.service
            debian/a.org.example.tool.service -> ../u/org.example.tool.service
            debian/a.service -> ../u/a.service
            debian/a.timer -> ../u/a.timer
        "#]]
        .assert_eq(&links.concat());
    }

    #[test]
    fn names_must_be_units() {
        for name in ["a", "a.conf", "../x.service", "a b.service", "$(id).service", ".service"] {
            let error = links(&units(&[("u", name, false, false)]), "a").expect_err("refused");
            assert_eq!(error.spans(), [Span::new(1, 2)], "{name}");
        }
    }
}
