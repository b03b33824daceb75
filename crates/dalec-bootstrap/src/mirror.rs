//! Where Debian's packages may be had: candidates for its main and its security archive.
//!
//! A candidate is a guess from a URL's look. Whether it holds what it seems to hold is decided
//! by the signature over its index, never by its name.

use std::collections::BTreeSet;
use std::path::Path;

use crate::apt_config::{self, Entry};
use crate::error::BootstrapError;

const MAIN_SEGMENT: &str = "debian";
const SECURITY_SEGMENT: &str = "debian-security";

/// Suites and code names that a Debian source list may name, without `-security` and the like.
const SUITES: &[&str] = &[
    "oldoldstable",
    "oldstable",
    "stable",
    "testing",
    "unstable",
    "experimental",
    "rc-buggy",
    "stretch",
    "buster",
    "bullseye",
    "bookworm",
    "trixie",
    "forky",
    "duke",
    "sid",
];

/// Base URLs of Debian's archives, best first, without a trailing slash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AptSources {
    /// Where `dists/SUITE` and `dists/SUITE-updates` may be.
    pub main: Vec<String>,
    /// Where `dists/SUITE-security` may be.
    pub security: Vec<String>,
    /// Those of them whose indexes are believed past their `Valid-Until`.
    ///
    /// None unless the host's apt is told so, as the hosts of frozen mirrors are. What is said
    /// of one archive holds for no other.
    pub expiry_ignored: BTreeSet<String>,
}

impl AptSources {
    /// Takes the mirror that a user named: `URL`, or `URL,SECURITY_URL`.
    ///
    /// Without the second part, the security archive is the sibling of the first: the last
    /// path segment `debian` becomes `debian-security`. A mirror that has no such sibling is
    /// an error later, for a suite that needs one, and never a root without security updates.
    ///
    /// # Errors
    /// [`BootstrapError::MirrorUrl`] if a part is not an `http` or `https` URL.
    pub fn from_mirror(text: &str) -> Result<Self, BootstrapError> {
        let (main, security) = match text.split_once(',') {
            Some((main, security)) => (archive_url(main)?, Some(archive_url(security)?)),
            None => (archive_url(text)?, None),
        };
        let security = security.or_else(|| security_sibling(&main));
        Ok(Self {
            main: vec![main],
            security: security.into_iter().collect(),
            expiry_ignored: BTreeSet::new(),
        })
    }

    /// Finds Debian's archives in an apt configuration, such as `/etc/apt`.
    ///
    /// Entries of other vendors are passed over. The suites named there need not be the wanted
    /// one: a host that runs one release names the archive that has them all. An archive's
    /// dates are ignored if all its entries say so, or the configuration as a whole; nothing is
    /// said of a security archive that is only inferred from the main one.
    ///
    /// # Errors
    /// [`BootstrapError::Io`] if a file of the configuration cannot be read. A configuration
    /// without a Debian archive is not an error: the lists are empty then.
    pub fn from_host(etc: &Path) -> Result<Self, BootstrapError> {
        let config = apt_config::read(etc)?;
        let mut sources = Self { main: Vec::new(), security: Vec::new(), expiry_ignored: BTreeSet::new() };
        let mut checked = BTreeSet::new();
        for entry in config.entries.iter().filter(|entry| may_be_debian(entry)) {
            let list = if has_segment(&entry.uri, SECURITY_SEGMENT) {
                &mut sources.security
            } else {
                &mut sources.main
            };
            if !list.contains(&entry.uri) {
                list.push(entry.uri.clone());
            }
            if !entry.ignores_expiry {
                checked.insert(entry.uri.clone());
            }
        }
        for sibling in sources.main.iter().filter_map(|uri| security_sibling(uri)) {
            if !sources.security.contains(&sibling) {
                checked.insert(sibling.clone());
                sources.security.push(sibling);
            }
        }
        let all = sources.main.iter().chain(&sources.security);
        let is_ignored = |uri: &&String| config.ignores_expiry || !checked.contains(*uri);
        sources.expiry_ignored = all.filter(is_ignored).cloned().collect();
        Ok(sources)
    }

    /// Returns whether an index at `url`, a base URL of these, is refused past its `Valid-Until`.
    pub fn checks_expiry(&self, url: &str) -> bool {
        !self.expiry_ignored.contains(url)
    }
}

/// Normalises an archive's URL.
fn archive_url(text: &str) -> Result<String, BootstrapError> {
    let text = text.trim().trim_end_matches('/');
    let error = |reason: &str| {
        Err(BootstrapError::MirrorUrl { url: without_secret(text), reason: reason.to_owned() })
    };
    match reqwest::Url::parse(text) {
        Err(source) => error(&source.to_string()),
        Ok(url) if !matches!(url.scheme(), "http" | "https") => error("only http and https are understood"),
        Ok(url) if url.query().is_some() || url.fragment().is_some() => error("it has a query or a fragment"),
        Ok(url) if !url.username().is_empty() || url.password().is_some() => {
            error("it has a user name or a password, which would end up in the root")
        }
        Ok(_) if text.contains(char::is_whitespace) => error("it contains white space"),
        Ok(_) => Ok(text.to_owned()),
    }
}

/// Returns a URL as it may be shown.
fn without_secret(text: &str) -> String {
    if let Ok(mut url) = reqwest::Url::parse(text)
        && url.password().is_some()
        && url.set_password(Some("...")).is_ok()
    {
        return url.to_string();
    }
    text.to_owned()
}

/// Returns whether an entry looks like one of Debian's own archives or a mirror of them.
fn may_be_debian(entry: &Entry) -> bool {
    archive_url(&entry.uri).is_ok()
        && (has_segment(&entry.uri, MAIN_SEGMENT) || has_segment(&entry.uri, SECURITY_SEGMENT))
        && entry.components.iter().any(|component| component == "main")
        && SUITES.iter().any(|suite| {
            entry
                .suite
                .strip_prefix(suite)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('-') || rest.starts_with('/'))
        })
}

fn has_segment(uri: &str, segment: &str) -> bool {
    path_segments(uri).any(|part| part == segment)
}

/// Returns the segments of the path; a host name is none of them.
fn path_segments(uri: &str) -> impl Iterator<Item = &str> {
    let after_scheme = uri.split_once("://").map_or(uri, |(_, rest)| rest);
    after_scheme.split('/').skip(1)
}

/// Returns `…/debian-security…` for `…/debian…`.
fn security_sibling(uri: &str) -> Option<String> {
    let (head, tail) = match uri.rfind("/debian/") {
        Some(at) => (&uri[..at], &uri[at + "/debian".len()..]),
        None => (uri.strip_suffix("/debian")?, ""),
    };
    // `http://debian` is a host of that name.
    if head.ends_with('/') {
        return None;
    }
    Some(format!("{head}/{SECURITY_SEGMENT}{tail}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(list: &str) -> AptSources {
        let etc = tempfile::tempdir().unwrap();
        std::fs::write(etc.path().join("sources.list"), list).unwrap();
        AptSources::from_host(etc.path()).unwrap()
    }

    #[test]
    fn a_mirror_brings_its_security_sibling() {
        let sources = AptSources::from_mirror("http://mirror.example/debian/").unwrap();
        assert_eq!(sources.main, ["http://mirror.example/debian"]);
        assert_eq!(sources.security, ["http://mirror.example/debian-security"]);
        let frozen = AptSources::from_mirror("http://snap.example/archive/debian/20260101T000000Z").unwrap();
        assert_eq!(frozen.security, ["http://snap.example/archive/debian-security/20260101T000000Z"]);
    }

    #[test]
    fn a_mirror_can_name_its_security_archive() {
        let sources = AptSources::from_mirror("http://a.example/d,https://b.example/s/").unwrap();
        assert_eq!(sources.main, ["http://a.example/d"]);
        assert_eq!(sources.security, ["https://b.example/s"]);
        assert!(AptSources::from_mirror("http://a.example/d").unwrap().security.is_empty());
        assert!(AptSources::from_mirror("http://debian").unwrap().security.is_empty());
    }

    #[test]
    fn nonsense_is_refused_with_a_reason() {
        for text in [
            "",
            "mirror.example/debian",
            "ftp://mirror.example/debian",
            "http://a.example/debian?x",
            "http://me:secret@a.example/debian",
        ] {
            let error = AptSources::from_mirror(text).unwrap_err();
            assert!(matches!(error, BootstrapError::MirrorUrl { .. }), "{text}: {error}");
            assert!(error.hint().is_some());
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }

    #[test]
    fn other_vendors_are_passed_over() {
        let sources = host(
            "deb https://vendor.example/apt cloud-sdk-bookworm main\n\
             deb https://node.example/node_20.x nodistro main\n\
             deb https://download.vendor.example/linux/debian bookworm stable\n\
             deb https://sub.example/ubuntu jammy main\n\
             deb cdrom:[Debian]/ bookworm main\n\
             deb http://me:secret@private.example/debian bookworm main\n\
             deb http://debian.vendor.example/x bookworm main\n\
             deb http://deb.example/debian bookworm-backports main\n\
             deb http://deb.example/debian bookworm main\n\
             deb http://sec.example/debian-security bookworm-security main\n",
        );
        assert_eq!(sources.main, ["http://deb.example/debian"]);
        assert_eq!(
            sources.security,
            ["http://sec.example/debian-security", "http://deb.example/debian-security"]
        );
        assert!(sources.expiry_ignored.is_empty());
    }

    #[test]
    fn an_entry_that_ignores_dates_speaks_for_its_own_archive_only() {
        let ignored = |list: &str| Vec::from_iter(host(list).expiry_ignored);
        let frozen = "deb [check-valid-until=no] http://snap.example/debian bookworm main\n";
        let security = "deb http://sec.example/debian-security bookworm-security main\n";
        assert_eq!(ignored(&format!("{frozen}{security}")), ["http://snap.example/debian"]);
        assert_eq!(ignored(&format!("{security}{frozen}")), ["http://snap.example/debian"]);
        let sources = host(frozen);
        assert_eq!(sources.security, ["http://snap.example/debian-security"]);
        assert!(sources.checks_expiry("http://snap.example/debian-security"));
        assert!(!sources.checks_expiry("http://snap.example/debian"));
        let same = "deb http://snap.example/debian bookworm-updates main\n";
        assert!(ignored(&format!("{frozen}{same}")).is_empty());
    }

    #[test]
    fn the_general_option_speaks_for_all_archives() {
        let etc = tempfile::tempdir().unwrap();
        std::fs::write(etc.path().join("sources.list"), "deb http://a.example/debian sid main\n").unwrap();
        std::fs::write(etc.path().join("apt.conf"), "Acquire::Check-Valid-Until \"no\";\n").unwrap();
        let sources = AptSources::from_host(etc.path()).unwrap();
        assert!(sources.main.iter().chain(&sources.security).all(|url| !sources.checks_expiry(url)));
        assert_eq!(sources.expiry_ignored.len(), 2);
    }

    #[test]
    fn a_host_without_debian_gives_nothing() {
        let sources = host("deb http://mirror.example/ubuntu jammy main\n");
        assert!(sources.main.is_empty() && sources.security.is_empty());
    }
}
