//! What is done on the machine that the package is installed on, and what that takes.
//!
//! Users and groups are made before files are unpacked. Units are enabled and started at the first installation
//! alone, stopped when the package goes, and systemd hears of changes; all that without presets, which would leave
//! units of others disabled.

use dalec_spec::span::Span;
use dalec_spec::target_spec::TargetSpec;

use crate::error::PlanError;
use crate::paths::base;
use crate::quote::shell;
use crate::rpm::escape::word;
use crate::rpm::places::{Content, Kind, Place};

/// A unit as it is installed.
struct Unit<'a> {
    name: &'a str,
    enable: bool,
    start: bool,
    span: Span,
}

/// Returns the sections, as many as are needed.
///
/// # Errors
/// [`PlanError::Invalid`] for a name that is no user's or no unit's.
pub(super) fn render(spec: &TargetSpec, places: &[Place<'_>]) -> Result<String, PlanError> {
    let units = units(spec);
    units.iter().try_for_each(check_unit)?;
    let names = |wanted: &dyn Fn(&Unit<'_>) -> bool| -> String {
        let names = units.iter().filter(|unit| wanted(unit)).map(|unit| format!(" {}", shell(unit.name)));
        names.collect()
    };
    let enabled = names(&|unit| unit.enable);
    let started = names(&|unit| unit.start && !is_template(unit.name));
    let stopped = names(&|unit| !is_template(unit.name));
    let mut post = Vec::new();
    if !enabled.is_empty() {
        post.push(format!("    systemctl --no-reload enable{enabled} || :\n"));
    }
    if !started.is_empty() {
        post.push(format!(
            "    [ ! -d /run/systemd/system ] || {{ systemctl daemon-reload && systemctl start{started}; }} || :\n"
        ));
    }
    let mut preun = String::new();
    if !stopped.is_empty() {
        preun.push_str(&format!("    [ ! -d /run/systemd/system ] || systemctl stop{stopped} || :\n"));
    }
    if !units.is_empty() {
        preun.push_str(&format!("    systemctl --no-reload disable{} || :\n", names(&|_| true)));
    }
    let reload = if units.is_empty() {
        ""
    } else {
        "    [ ! -d /run/systemd/system ] || systemctl daemon-reload || :\n"
    };
    let sections = [
        section("%pre", accounts(spec)?),
        section("%post", owners(places) + &conditional("-eq 1", &post.concat())),
        section("%preun", conditional("-eq 0", &preun)),
        section("%postun", conditional("-ge 1", reload)),
    ];
    let sections: Vec<String> = sections.into_iter().flatten().collect();
    Ok(sections.join("\n"))
}

/// Returns the tags for what the scripts use.
pub(super) fn requires(spec: &TargetSpec, places: &[Place<'_>]) -> String {
    let units = units(spec);
    let mut text = String::new();
    if places.iter().any(Place::has_numeric_owner) {
        text.push_str("Requires(post): /usr/bin/chown\n");
    }
    if !spec.artifacts.users.is_empty() {
        text.push_str("Requires(pre): /usr/sbin/useradd, /usr/bin/getent\n");
    }
    if !spec.artifacts.groups.is_empty() {
        text.push_str("Requires(pre): /usr/sbin/groupadd, /usr/bin/getent\n");
    }
    let needs_systemd =
        |when: &str| format!("Requires({when}): systemd\nOrderWithRequires({when}): systemd\n");
    if units.iter().any(|unit| unit.enable || unit.start) {
        text.push_str(&needs_systemd("post"));
    }
    if !units.is_empty() {
        text.push_str(&needs_systemd("preun"));
        text.push_str(&needs_systemd("postun"));
    }
    text
}

fn section(name: &str, body: String) -> Option<String> {
    (!body.is_empty()).then(|| format!("{name}\n{body}"))
}

/// Returns what runs where the number of installed versions fulfils `condition`.
fn conditional(condition: &str, body: &str) -> String {
    if body.is_empty() { String::new() } else { format!("if [ \"$1\" {condition} ]; then\n{body}fi\n") }
}

/// Returns what gives files and directories to owners that are numbers: in the package itself RPM has names alone.
fn owners(places: &[Place<'_>]) -> String {
    let owned = places.iter().filter(|place| place.has_numeric_owner()).map(|place| {
        let owner = if place.group.is_empty() {
            place.user.to_owned()
        } else {
            format!("{}:{}", place.user, place.group)
        };
        let recursive = if matches!(place.content, Content::Files { .. }) { "R" } else { "" };
        let rest = if matches!(place.content, Content::Files { kind: Kind::Manpage, .. }) { "*" } else { "" };
        // The kernel takes these bits from a file that gets another owner.
        let again = place.mode.filter(|mode| mode & 0o6000 != 0);
        let again = again.map(|mode| format!("    [ -L \"$file\" ] || chmod {mode:o} -- \"$file\"\n"));
        format!(
            "for file in {}{}{rest}; do\n    [ -e \"$file\" ] || [ -L \"$file\" ] || continue\n    \
             chown -h{recursive} {owner} -- \"$file\"\n{}done\n",
            place.root,
            word(&place.path),
            again.unwrap_or_default()
        )
    });
    owned.collect()
}

fn accounts(spec: &TargetSpec) -> Result<String, PlanError> {
    let artifacts = &spec.artifacts;
    let name_char = |char: char| char.is_ascii_alphanumeric() || "._-".contains(char);
    let is_name = |name: &str| name.starts_with(|char: char| char.is_ascii_alphanumeric() || char == '_');
    let mut all = artifacts.users.iter().chain(&artifacts.groups);
    if let Some(name) = all.find(|name| !is_name(name) || !name.chars().all(name_char)) {
        return Err(PlanError::Invalid {
            message: format!("{name:?} cannot be the name of a user or group"),
            spans: Vec::new(),
            hint: Some("letters, digits, `.`, `_` and `-`; the first a letter, a digit or `_`".into()),
        });
    }
    let users =
        artifacts.users.iter().map(|name| format!("getent passwd {name} >/dev/null || useradd {name}\n"));
    let groups = artifacts
        .groups
        .iter()
        .map(|name| format!("getent group {name} >/dev/null || groupadd --system {name}\n"));
    Ok(users.chain(groups).collect())
}

fn units(spec: &TargetSpec) -> Vec<Unit<'_>> {
    let units = spec.artifacts.systemd.units.iter().map(|(key, unit)| Unit {
        name: if unit.name.is_empty() { base(key) } else { &unit.name },
        enable: unit.enable,
        // Distributions of this family start nothing unless told to.
        start: unit.start.unwrap_or(false),
        span: unit.span,
    });
    units.collect()
}

fn is_template(name: &str) -> bool {
    name.contains("@.")
}

fn check_unit(unit: &Unit<'_>) -> Result<(), PlanError> {
    let char = |char: char| char.is_ascii_alphanumeric() || ":_.@-\\".contains(char);
    let (stem, suffix) = unit.name.rsplit_once('.').unwrap_or_default();
    if stem.is_empty() || suffix.is_empty() || stem.starts_with('-') || !unit.name.chars().all(char) {
        return Err(PlanError::Invalid {
            message: format!("{:?} cannot be the name of a systemd unit", unit.name),
            spans: vec![unit.span],
            hint: Some("a name with its type, for example `hello.service`".into()),
        });
    }
    Ok(())
}
