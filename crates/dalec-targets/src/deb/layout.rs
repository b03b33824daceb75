//! Where artifacts go. The scripts that copy them, set their modes and their owners all follow this one list.

use std::collections::BTreeMap;

use dalec_spec::span::Span;
use dalec_spec::target_spec::{Artifact, Artifacts, Capability};

use crate::deb::distro::DebDistro;
use crate::paths::{base, join};
use crate::quote::is_pattern;

/// One artifact and its place in the package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed<'a> {
    /// Path in the build root as the spec has it, without trailing `/`; may be a pattern.
    pub key: &'a str,
    /// Directory in the package, absolute and free of `.` and `..`.
    pub dir: String,
    /// File name in `dir`; empty when a pattern's files keep their own names.
    pub name: String,
    /// Permission bits that the spec asks for.
    pub permissions: Option<u32>,
    /// Owner; empty for root.
    pub user: &'a str,
    /// Group; empty for root.
    pub group: &'a str,
    /// Capabilities, for kinds that hold programs.
    pub capabilities: &'a [Capability],
    /// The entry in the spec.
    pub span: Span,
}

impl Placed<'_> {
    /// Returns whether the key may stand for several files.
    pub fn is_pattern(&self) -> bool {
        is_pattern(self.key)
    }

    /// Returns the path in the package, if one file or directory is meant.
    pub fn path(&self) -> String {
        join(&self.dir, &self.name)
    }
}

/// A manual page that debhelper finds the place of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manpage<'a> {
    /// Path in the build root.
    pub key: &'a str,
    /// The entry in the spec.
    pub span: Span,
}

/// Returns every artifact that is copied, in the order of copying.
pub fn placed<'a>(artifacts: &'a Artifacts, package: &str, distro: &DebDistro) -> Vec<Placed<'a>> {
    let doc = format!("/usr/share/doc/{package}");
    let kind = |entries: &'a BTreeMap<String, Artifact>, dir: &str| -> Vec<Placed<'a>> {
        entries.iter().map(|(key, artifact)| place(key, artifact, dir)).collect()
    };
    let programs = |entries: &'a BTreeMap<String, Artifact>, dir: &str| -> Vec<Placed<'a>> {
        let programs = entries.iter().map(|(key, artifact)| Placed {
            capabilities: &artifact.capabilities,
            ..place(key, artifact, dir)
        });
        programs.collect()
    };
    let dropins = artifacts.systemd.dropins.iter().map(|(key, dropin)| Placed {
        name: named(&dropin.name, key),
        dir: join(distro.unit_dir, &format!("{}.d", dropin.unit)),
        span: dropin.span,
        ..bare(key)
    });
    let manpages = artifacts.manpages.iter().filter(|(key, page)| !is_plain(key, page));
    [
        programs(&artifacts.binaries, "/usr/bin"),
        kind(&artifacts.config_files, "/etc"),
        manpages.map(special_manpage).collect(),
        kind(&artifacts.docs, &doc),
        kind(&artifacts.licenses, &doc),
        kind(&artifacts.headers, "/usr/include"),
        dropins.collect(),
        kind(&artifacts.data_dirs, "/usr/share"),
        programs(&artifacts.libexec, "/usr/libexec"),
        programs(&artifacts.opt, "/opt"),
        programs(&artifacts.libs, "/usr/lib"),
    ]
    .concat()
}

/// Returns the manual pages whose place debhelper finds from their names.
pub fn plain_manpages(artifacts: &Artifacts) -> Vec<Manpage<'_>> {
    let plain = artifacts.manpages.iter().filter(|(key, page)| is_plain(key, page));
    plain.map(|(key, page)| Manpage { key, span: page.span }).collect()
}

fn place<'a>(key: &'a str, artifact: &'a Artifact, dir: &str) -> Placed<'a> {
    Placed {
        dir: join(dir, &artifact.subpath),
        name: named(&artifact.name, key),
        permissions: artifact.permissions,
        user: &artifact.user,
        group: &artifact.group,
        span: artifact.span,
        ..bare(key)
    }
}

fn bare(key: &str) -> Placed<'_> {
    Placed {
        key: key.trim_end_matches('/'),
        dir: String::new(),
        name: String::new(),
        permissions: None,
        user: "",
        group: "",
        capabilities: &[],
        span: Span::default(),
    }
}

/// A written name counts; without one a file keeps its own, and so do the files of a pattern.
fn named(name: &str, key: &str) -> String {
    if !name.is_empty() {
        return name.to_owned();
    }
    let own = base(key);
    if is_pattern(own) { String::new() } else { own.to_owned() }
}

fn is_plain(key: &str, page: &Artifact) -> bool {
    let key = key.trim_end_matches('/');
    let parent = key.rsplit_once('/').map_or("", |(dir, _)| base(dir));
    let untouched = page.name.is_empty() || page.name == base(key);
    let modest = page.user.is_empty() && page.group.is_empty() && page.permissions.is_none();
    untouched && modest && (page.subpath.is_empty() || page.subpath.trim_matches('/') == parent)
}

/// A renamed page goes to the directory of its subpath or, without one, of its section.
fn special_manpage<'a>((key, page): (&'a String, &'a Artifact)) -> Placed<'a> {
    let mut placed = place(key, page, "/usr/share/man");
    if page.subpath.is_empty() {
        let name = placed.name.strip_suffix(".gz").unwrap_or(&placed.name);
        let section = name.rsplit_once('.').map_or("1", |(_, section)| section);
        let section = section.chars().next().filter(char::is_ascii_digit).unwrap_or('1');
        placed.dir = format!("/usr/share/man/man{section}");
    }
    placed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deb::distro::find;
    use expect_test::expect;

    fn one(key: &str, artifact: Artifact) -> BTreeMap<String, Artifact> {
        BTreeMap::from([(key.to_owned(), artifact)])
    }

    fn artifact(subpath: &str, name: &str) -> Artifact {
        Artifact { subpath: subpath.into(), name: name.into(), ..Artifact::default() }
    }

    /// ART-001 to ART-008, ART-012, ART-013.
    #[test]
    fn every_kind_has_its_place() {
        let dropin = dalec_spec::target_spec::Dropin { unit: "a.service".into(), ..Default::default() };
        let artifacts = Artifacts {
            binaries: one("out/*", artifact("sub", "")),
            manpages: one("doc/x.5", artifact("", "renamed.5")),
            data_dirs: one("share/", artifact("", "")),
            libexec: one("helper", artifact("foo/../bar", "")),
            opt: one("tree", artifact("", "renamed")),
            config_files: one("c.conf", artifact("foo", "")),
            docs: one("README", artifact("", "")),
            licenses: one("COPYING", artifact("../../../../..", "evil")),
            libs: one("lib/lib*.so*", artifact("", "")),
            headers: one("h/*.h", artifact("foo", "")),
            systemd: dalec_spec::target_spec::Systemd {
                dropins: BTreeMap::from([("d.conf".to_owned(), dropin)]),
                ..Default::default()
            },
            ..Artifacts::default()
        };
        let text: String = placed(&artifacts, "pkg", find("bookworm").expect("known"))
            .iter()
            .map(|placed| format!("{} -> {}/{}\n", placed.key, placed.dir, placed.name))
            .collect();
        expect![[r#"
            out/* -> /usr/bin/sub/
            c.conf -> /etc/foo/c.conf
            doc/x.5 -> /usr/share/man/man5/renamed.5
            README -> /usr/share/doc/pkg/README
            COPYING -> //evil
            h/*.h -> /usr/include/foo/
            d.conf -> /lib/systemd/system/a.service.d/d.conf
            share -> /usr/share/share
            helper -> /usr/libexec/bar/helper
            tree -> /opt/renamed
            lib/lib*.so* -> /usr/lib/
        "#]]
        .assert_eq(&text);
    }

    /// ART-003: debhelper places pages by their names unless the spec says more.
    #[test]
    fn pages_that_keep_their_names_are_left_to_debhelper() {
        let artifacts = Artifacts {
            manpages: BTreeMap::from([
                ("doc/man1/a.1".to_owned(), artifact("man1", "")),
                ("doc/b.1".to_owned(), artifact("", "b.1")),
                ("doc/c.1".to_owned(), artifact("man1", "")),
            ]),
            ..Artifacts::default()
        };
        let keys: Vec<&str> = plain_manpages(&artifacts).iter().map(|page| page.key).collect();
        assert_eq!(keys, ["doc/b.1", "doc/man1/a.1"]);
        let placed = placed(&artifacts, "pkg", find("bookworm").expect("known"));
        assert_eq!(placed[0].path(), "/usr/share/man/man1/c.1");
    }
}
