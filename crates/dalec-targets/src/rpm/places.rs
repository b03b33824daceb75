//! What the package holds and where. `%install` and `%files` both follow this one list.
//!
//! Differences from upstream: manual pages without `subpath` go to the directory of their section, a key with `?` or
//! `[` is a pattern too, and owners are part of the package (`%attr`) instead of being set afterwards, for every kind.

use std::collections::BTreeMap;

use dalec_spec::span::Span;
use dalec_spec::target_spec::{Artifact, Artifacts, DirectoryConfig, TargetSpec};

use crate::capabilities;
use crate::error::PlanError;
use crate::paths::{base, join};
use crate::quote::is_pattern;

/// One thing in the package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place<'a> {
    /// Directory that RPM knows by a macro, for example `%{_bindir}`, or nothing.
    pub root: String,
    /// Absolute path below `root`, free of `.` and `..`; its last part is a pattern where the key is one.
    pub path: String,
    /// What it is.
    pub content: Content<'a>,
    /// Permission bits that the spec asks for.
    pub mode: Option<u32>,
    /// Owner; empty for root.
    pub user: &'a str,
    /// Group; empty for root.
    pub group: &'a str,
    /// Capabilities in their text form; empty for none.
    pub capabilities: String,
    /// The entry in the spec.
    pub span: Span,
}

/// What is at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content<'a> {
    /// Files or directories from the build directory.
    Files {
        /// Path in the build directory as the spec has it, without trailing `/`; may be a pattern.
        key: &'a str,
        /// Whether the files of a pattern keep their names: the last part of the path is that of the pattern then.
        keep_names: bool,
        /// How RPM treats it.
        kind: Kind,
    },
    /// A directory that the package owns.
    Directory,
    /// A directory that the package owns because of what is in it.
    Parent,
    /// A symbolic link.
    Link {
        /// What it points to.
        target: &'a str,
    },
}

/// How RPM treats files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Plain,
    Config,
    Doc,
    License,
    /// Compressed when the package is built, so the installed name may be longer.
    Manpage,
}

/// Returns everything that is in the package, in the order of copying.
///
/// # Errors
/// [`PlanError::Invalid`] for paths, owners and capabilities that RPM cannot hold.
pub(super) fn all<'a>(spec: &'a TargetSpec, package: &str) -> Result<Vec<Place<'a>>, PlanError> {
    let artifacts = &spec.artifacts;
    let mut places: Vec<Place<'a>> = [
        files(&artifacts.binaries, "%{_bindir}", Kind::Plain),
        artifacts.manpages.iter().map(manpage).collect(),
        directories(&artifacts.directories.config, "%{_sysconfdir}"),
        directories(&artifacts.directories.state, "/var/lib"),
        files(&artifacts.data_dirs, "%{_datadir}", Kind::Plain),
        files(&artifacts.libexec, "%{_libexecdir}", Kind::Plain),
        files(&artifacts.opt, "/opt", Kind::Plain),
        files(&artifacts.config_files, "%{_sysconfdir}", Kind::Config),
        units(artifacts),
        dropins(artifacts),
        files(&artifacts.docs, &format!("%{{_docdir}}/{package}"), Kind::Doc),
        files(&artifacts.licenses, &format!("%{{_licensedir}}/{package}"), Kind::License),
        files(&artifacts.libs, "%{_libdir}", Kind::Plain),
    ]
    .concat();
    let links = artifacts.links.iter().map(|link| Place {
        content: Content::Link { target: &link.source },
        user: &link.user,
        group: &link.group,
        span: link.span,
        ..bare("", join("/", &link.dest))
    });
    places.extend(links);
    places.extend(files(&artifacts.headers, "%{_includedir}", Kind::Plain));
    places.iter().try_for_each(check)?;
    Ok(places)
}

impl Place<'_> {
    /// Returns the path with its macro, as it stands in the spec file but for quoting.
    fn shown(&self) -> String {
        format!("{}{}", self.root, self.path)
    }

    /// Returns the directory part of the path and the last part.
    pub fn split(&self) -> (&str, &str) {
        self.path.rsplit_once('/').unwrap_or(("", &self.path))
    }

    /// Returns whether its owner or group is a number that RPM does not know as a name.
    pub fn has_numeric_owner(&self) -> bool {
        [self.user, self.group].into_iter().any(|owner| is_number(owner) && owner != "0")
    }
}

impl<'a> Content<'a> {
    fn files(key: &'a str, name: &str, kind: Kind) -> Self {
        Content::Files { key, keep_names: name.is_empty() && is_pattern(key), kind }
    }
}

fn files<'a>(entries: &'a BTreeMap<String, Artifact>, root: &str, kind: Kind) -> Vec<Place<'a>> {
    entries.iter().map(|(key, artifact)| file(key, artifact, root, kind)).collect()
}

fn file<'a>(key: &'a str, artifact: &'a Artifact, root: &str, kind: Kind) -> Place<'a> {
    let key = key.trim_end_matches('/');
    let dir = join("/", &artifact.subpath);
    Place {
        content: Content::files(key, &artifact.name, kind),
        mode: artifact.permissions,
        user: &artifact.user,
        group: &artifact.group,
        capabilities: capabilities::text(&artifact.capabilities),
        span: artifact.span,
        ..bare(root, join(&dir, installed_name(&artifact.name, key)))
    }
}

/// A page goes to the directory of its subpath or, without one, of its section.
fn manpage<'a>((key, page): (&'a String, &'a Artifact)) -> Place<'a> {
    let mut place = file(key, page, "%{_mandir}", Kind::Manpage);
    if page.subpath.is_empty() {
        let name = base(&place.path).trim_end_matches(".gz").trim_end_matches('*');
        let section = name.rsplit_once('.').map_or("1", |(_, section)| section);
        let section = section.chars().next().filter(char::is_ascii_digit).unwrap_or('1');
        place.path = join(&format!("/man{section}"), &place.path);
    }
    place
}

fn directories<'a>(entries: &'a BTreeMap<String, DirectoryConfig>, root: &str) -> Vec<Place<'a>> {
    let directory = |(path, config): (&String, &'a DirectoryConfig)| Place {
        content: Content::Directory,
        mode: config.mode,
        user: &config.user,
        group: &config.group,
        span: config.span,
        ..bare(root, join("/", path))
    };
    entries.iter().map(directory).collect()
}

fn units(artifacts: &Artifacts) -> Vec<Place<'_>> {
    let units = artifacts.systemd.units.iter().map(|(key, unit)| Place {
        content: Content::files(key, &unit.name, Kind::Plain),
        span: unit.span,
        ..bare("%{_unitdir}", join("/", installed_name(&unit.name, key)))
    });
    units.collect()
}

/// The directory of a unit's drop-ins comes before them.
fn dropins(artifacts: &Artifacts) -> Vec<Place<'_>> {
    let mut by_unit: BTreeMap<&str, Vec<Place<'_>>> = BTreeMap::new();
    for (key, dropin) in &artifacts.systemd.dropins {
        let dir = join("/", &format!("{}.d", dropin.unit));
        let places = by_unit.entry(&dropin.unit).or_insert_with(|| {
            vec![Place { content: Content::Parent, span: dropin.span, ..bare("%{_unitdir}", dir.clone()) }]
        });
        places.push(Place {
            content: Content::files(key, &dropin.name, Kind::Plain),
            span: dropin.span,
            ..bare("%{_unitdir}", join(&dir, installed_name(&dropin.name, key)))
        });
    }
    by_unit.into_values().flatten().collect()
}

fn bare<'a>(root: &str, path: String) -> Place<'a> {
    Place {
        root: root.to_owned(),
        path,
        content: Content::Directory,
        mode: None,
        user: "",
        group: "",
        capabilities: String::new(),
        span: Span::default(),
    }
}

/// A written name counts; without one a file keeps its own, and so do the files of a pattern.
fn installed_name<'a>(name: &'a str, key: &'a str) -> &'a str {
    if name.is_empty() { base(key) } else { name }
}

/// Returns whether an owner is given by its number.
pub(super) fn is_number(owner: &str) -> bool {
    !owner.is_empty() && owner.chars().all(|char| char.is_ascii_digit())
}

fn check(place: &Place<'_>) -> Result<(), PlanError> {
    let invalid = |message: String, hint: &str| {
        let hint = Some(hint.to_owned());
        Err(PlanError::Invalid { message, spans: vec![place.span], hint })
    };
    let paths = match place.content {
        Content::Files { key, .. } => [place.path.as_str(), key],
        Content::Link { target } => [place.path.as_str(), target],
        Content::Directory | Content::Parent => [place.path.as_str(), "/"],
    };
    if let Some(path) = paths.into_iter().find(|path| path.is_empty() || path.contains(char::is_control)) {
        return invalid(format!("{path:?} cannot be a path of an RPM package"), "a path without line breaks");
    }
    if place.path == "/" && place.content != Content::Directory {
        return invalid(format!("{:?} names no file of an RPM package", place.shown()), "a path below `/`");
    }
    let name_char = |char: char| char.is_ascii_alphanumeric() || "._-$".contains(char);
    let is_name = |name: &str| name.is_empty() || !name.starts_with('-') && name.chars().all(name_char);
    if let Some(name) = [place.user, place.group].into_iter().find(|name| !is_name(name)) {
        return invalid(format!("{name:?} cannot own a file"), "a name of letters, digits, `.`, `_` and `-`");
    }
    let is_pattern = matches!(place.content, Content::Files { keep_names: true, .. });
    if place.has_numeric_owner() && (is_pattern || !place.capabilities.is_empty()) {
        let message =
            "files of a pattern, and files with capabilities, cannot have a number for an owner".into();
        return invalid(message, "RPM knows owners by name: name a user of `artifacts.users`, for example");
    }
    let capability_char = |char: char| char.is_ascii_alphanumeric() || "_=+, ".contains(char);
    if !place.capabilities.chars().all(capability_char) {
        let message = format!("{:?} is no list of capabilities", place.capabilities);
        return invalid(message, "names such as `cap_net_raw`");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use dalec_spec::target_spec::{Directories, Dropin, Link, Systemd, Unit};
    use expect_test::expect;

    use super::*;
    use crate::fixture::{artifacts, owned, spec};

    fn artifact(subpath: &str, name: &str) -> Artifact {
        Artifact { subpath: subpath.into(), name: name.into(), ..Artifact::default() }
    }

    /// ART-001 to ART-009, ART-012, ART-013.
    #[test]
    fn every_kind_has_its_place() {
        let mut spec = spec();
        let dropin = |unit: &str| Dropin { unit: unit.into(), ..Dropin::default() };
        spec.artifacts = Artifacts {
            binaries: artifacts([("out/*", artifact("sub", "")), ("out/b/", artifact("", "c"))]),
            manpages: artifacts([
                ("doc/x.5", artifact("", "renamed.8.gz")),
                ("doc/y.3x", artifact("", "")),
                ("doc/*", artifact("man7", "")),
            ]),
            directories: Directories {
                config: [("a".to_owned(), DirectoryConfig::default())].into(),
                state: [("b/c".to_owned(), DirectoryConfig::default())].into(),
            },
            data_dirs: artifacts([("share/", artifact("", ""))]),
            libexec: artifacts([("helper", artifact("foo/../bar", ""))]),
            opt: artifacts([("tree", artifact("", "renamed"))]),
            config_files: artifacts([("c.conf", artifact("foo", ""))]),
            systemd: Systemd {
                units: [("u/a.service".to_owned(), Unit { name: "b.service".into(), ..Unit::default() })]
                    .into(),
                dropins: [
                    ("1.conf".to_owned(), dropin("b.service")),
                    ("2.conf".to_owned(), dropin("b.service")),
                ]
                .into(),
            },
            docs: artifacts([("README", artifact("", ""))]),
            licenses: artifacts([("COPYING", artifact("../../../../..", "evil"))]),
            libs: artifacts([("lib/lib*.so*", artifact("", ""))]),
            headers: artifacts([("h/*.h", artifact("foo", ""))]),
            links: vec![Link { source: "/a".into(), dest: "usr/../etc/l".into(), ..Link::default() }],
            ..Artifacts::default()
        };
        let text: String = all(&spec, "pkg")
            .expect("valid")
            .iter()
            .map(|place| match place.content {
                Content::Files { key, .. } => format!("{key} -> {}\n", place.shown()),
                Content::Link { target } => format!("{} => {target}\n", place.shown()),
                Content::Directory | Content::Parent => format!("{}/\n", place.shown()),
            })
            .collect();
        expect![[r#"
            out/* -> %{_bindir}/sub/*
            out/b -> %{_bindir}/c
            doc/* -> %{_mandir}/man7/*
            doc/x.5 -> %{_mandir}/man8/renamed.8.gz
            doc/y.3x -> %{_mandir}/man3/y.3x
            %{_sysconfdir}/a/
            /var/lib/b/c/
            share -> %{_datadir}/share
            helper -> %{_libexecdir}/bar/helper
            tree -> /opt/renamed
            c.conf -> %{_sysconfdir}/foo/c.conf
            u/a.service -> %{_unitdir}/b.service
            %{_unitdir}/b.service.d/
            1.conf -> %{_unitdir}/b.service.d/1.conf
            2.conf -> %{_unitdir}/b.service.d/2.conf
            README -> %{_docdir}/pkg/README
            COPYING -> %{_licensedir}/pkg/evil
            lib/lib*.so* -> %{_libdir}/lib*.so*
            /etc/l => /a
            h/*.h -> %{_includedir}/foo/*.h
        "#]]
        .assert_eq(&text);
    }

    #[test]
    fn what_rpm_cannot_hold_is_refused() {
        let refused = |change: &dyn Fn(&mut Artifacts)| {
            let mut spec = spec();
            change(&mut spec.artifacts);
            all(&spec, "pkg").expect_err("refused").spans()
        };
        let bins = |key: &str, artifact: Artifact| artifacts([(key, artifact)]);
        assert_eq!(refused(&|a| a.binaries = bins("a\n%files\nb", Artifact::default())), [Span::new(1, 5)]);
        assert_eq!(refused(&|a| a.binaries = bins("a", artifact("x\ny", ""))), [Span::new(1, 5)]);
        assert_eq!(
            refused(&|a| a.binaries = bins("a", owned("root) /etc/shadow", "", None))),
            [Span::new(1, 5)]
        );
        assert_eq!(refused(&|a| a.binaries = bins("a", owned("", "", Some("x) %(id)")))), [Span::new(1, 5)]);
        assert_eq!(refused(&|a| a.binaries = bins("/", Artifact::default())), [Span::new(1, 5)]);
        let link = Link { source: "/x".into(), dest: "..".into(), span: Span::new(3, 4), ..Link::default() };
        assert_eq!(refused(&|a| a.links = vec![link.clone()]), [Span::new(3, 4)]);
    }
}
