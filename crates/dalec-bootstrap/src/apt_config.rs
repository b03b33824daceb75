//! Reads the part of an apt configuration that says where packages come from.
//!
//! Both formats of source lists and the one option about dates are understood; everything else
//! in an apt configuration is left alone. Which entries are Debian's own is not decided here.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::BootstrapError;

/// One repository in a source list: a URI with one suite.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Without a trailing slash.
    pub(crate) uri: String,
    pub(crate) suite: String,
    pub(crate) components: Vec<String>,
    /// Whether the entry itself says that `Valid-Until` is not to be believed.
    pub(crate) ignores_expiry: bool,
}

/// What an apt configuration says.
#[derive(Debug, Default)]
pub(crate) struct AptConfig {
    /// In the order in which apt reads them.
    pub(crate) entries: Vec<Entry>,
    /// `Acquire::Check-Valid-Until "false"` is set.
    pub(crate) ignores_expiry: bool,
}

/// Reads the configuration in `etc`, such as `/etc/apt`; what is absent says nothing.
///
/// # Errors
/// [`BootstrapError::Io`] if a file is there but cannot be read.
pub(crate) fn read(etc: &Path) -> Result<AptConfig, BootstrapError> {
    let mut config = AptConfig::default();
    if let Some(text) = read_text(&etc.join("sources.list"))? {
        config.entries.extend(one_line_entries(&text));
    }
    for path in parts(&etc.join("sources.list.d"))? {
        let Some(text) = read_text(&path)? else { continue };
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("list") => config.entries.extend(one_line_entries(&text)),
            Some("sources") => config.entries.extend(deb822_entries(&text)),
            _ => {}
        }
    }
    let mut options = parts(&etc.join("apt.conf.d"))?;
    options.push(etc.join("apt.conf"));
    for path in options {
        if let Some(text) = read_text(&path)? {
            config.ignores_expiry = ignores_expiry(&text).unwrap_or(config.ignores_expiry);
        }
    }
    Ok(config)
}

/// Returns the files of `directory` in the order of their names.
fn parts(directory: &Path) -> Result<Vec<PathBuf>, BootstrapError> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if is_absent(&error) => return Ok(Vec::new()),
        Err(error) => return Err(BootstrapError::io("read", directory)(error)),
    };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    Ok(paths)
}

/// Returns the text of a file, replacing bytes that are not UTF-8; `None` if there is none.
fn read_text(path: &Path) -> Result<Option<String>, BootstrapError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) if is_absent(&error) || path.is_dir() => Ok(None),
        Err(error) => Err(BootstrapError::io("read", path)(error)),
    }
}

fn is_absent(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory)
}

/// Parses lines such as `deb [signed-by=/a/key.gpg] http://host/debian bookworm main`.
fn one_line_entries(text: &str) -> Vec<Entry> {
    text.lines().filter_map(one_line_entry).collect()
}

fn one_line_entry(line: &str) -> Option<Entry> {
    let line = line.split('#').next()?.trim();
    let rest = line.strip_prefix("deb")?;
    let rest = rest.strip_prefix(|c: char| c.is_whitespace())?.trim_start();
    let (options, rest) = match rest.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?,
        None => ("", rest),
    };
    let mut words = rest.split_whitespace();
    Some(Entry {
        uri: trim_slash(words.next()?),
        suite: words.next()?.to_owned(),
        components: words.map(str::to_owned).collect(),
        ignores_expiry: options.split_whitespace().any(|option| {
            option.split_once('=').is_some_and(|(name, value)| name == "check-valid-until" && is_false(value))
        }),
    })
}

/// Parses paragraphs with `Types`, `URIs`, `Suites` and `Components`.
fn deb822_entries(text: &str) -> Vec<Entry> {
    // A file that apt would refuse says nothing to us either.
    let Ok(document) = text.parse::<deb822_fast::Deb822>() else { return Vec::new() };
    let mut entries = Vec::new();
    for paragraph in document.iter() {
        let words = |name: &str| -> Vec<String> {
            let value = paragraph.get(name).unwrap_or_default();
            value.split_whitespace().map(str::to_owned).collect()
        };
        let disabled = paragraph.get("Enabled").is_some_and(is_false);
        if disabled || !words("Types").iter().any(|kind| kind == "deb") {
            continue;
        }
        for uri in words("URIs") {
            for suite in words("Suites") {
                entries.push(Entry {
                    uri: trim_slash(&uri),
                    suite,
                    components: words("Components"),
                    ignores_expiry: paragraph.get("Check-Valid-Until").is_some_and(is_false),
                });
            }
        }
    }
    entries
}

/// Finds the option in an `apt.conf`, in its one-line or its nested form; the last one counts.
fn ignores_expiry(text: &str) -> Option<bool> {
    let text: String = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//") && !line.trim_start().starts_with('#'))
        .flat_map(|line| [line, " "])
        .collect();
    let text = text.to_ascii_lowercase();
    let mut answer = None;
    for (at, name) in text.match_indices("check-valid-until") {
        let before = text[..at].trim_end();
        let is_general = before.ends_with("acquire::")
            || before.rsplit_once('{').is_some_and(|(head, _)| head.trim_end().ends_with("acquire"));
        let value = text[at + name.len()..].split(';').next().unwrap_or_default();
        if is_general {
            answer = Some(is_false(value.trim().trim_matches('"')));
        }
    }
    answer
}

fn is_false(value: &str) -> bool {
    matches!(value.trim().to_ascii_lowercase().as_str(), "no" | "false" | "0" | "off" | "without" | "disable")
}

fn trim_slash(uri: &str) -> String {
    uri.trim_end_matches('/').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn check(entries: Vec<Entry>, expected: Expect) {
        let lines: Vec<String> = entries
            .iter()
            .map(|entry| {
                let note = if entry.ignores_expiry { " (any date)" } else { "" };
                format!("{} {} {:?}{note}\n", entry.uri, entry.suite, entry.components)
            })
            .collect();
        expected.assert_eq(&lines.concat());
    }

    #[test]
    fn one_line_lists_are_read_with_options_and_comments() {
        check(
            one_line_entries(
                "# a comment\n\
                 deb http://mirror.example/debian/ bookworm main contrib # ours\n\
                 deb-src http://mirror.example/debian bookworm main\n\
                 deb [arch=amd64 check-valid-until=no] https://snap.example/debian trixie main\n\
                 deb\n\
                 debug http://x y z\n",
            ),
            expect![[r#"
                http://mirror.example/debian bookworm ["main", "contrib"]
                https://snap.example/debian trixie ["main"] (any date)
            "#]],
        );
    }

    #[test]
    fn deb822_lists_multiply_uris_and_suites() {
        check(
            deb822_entries(
                "Types: deb deb-src\n\
                 # a comment\n\
                 URIs: http://a.example/debian http://b.example/debian/\n\
                 Suites: bookworm bookworm-updates\n\
                 Components: main\n\n\
                 Types: deb\nEnabled: no\nURIs: http://off.example/debian\nSuites: sid\n\n\
                 Types: deb-src\nURIs: http://source.example/debian\nSuites: sid\n\n\
                 Types: deb\nURIs: http://old.example/debian\nSuites: sid\nCheck-Valid-Until: no\n",
            ),
            expect![[r#"
                http://a.example/debian bookworm ["main"]
                http://a.example/debian bookworm-updates ["main"]
                http://b.example/debian bookworm ["main"]
                http://b.example/debian bookworm-updates ["main"]
                http://old.example/debian sid [] (any date)
            "#]],
        );
    }

    #[test]
    fn the_date_option_is_found_in_both_spellings() {
        assert_eq!(ignores_expiry("Acquire::Check-Valid-Until \"false\";\n"), Some(true));
        assert_eq!(ignores_expiry("Acquire {\n  Check-Valid-Until \"no\";\n};\n"), Some(true));
        assert_eq!(ignores_expiry("acquire::check-valid-until \"true\";\n"), Some(false));
        assert_eq!(ignores_expiry("// Acquire::Check-Valid-Until \"false\";\n"), None);
        assert_eq!(ignores_expiry("Acquire::Languages \"none\";\n"), None);
    }

    #[test]
    fn a_missing_configuration_says_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let config = read(&directory.path().join("none")).unwrap();
        assert!(config.entries.is_empty());
        assert!(!config.ignores_expiry);
    }

    #[test]
    fn all_files_of_a_configuration_are_read() {
        let directory = tempfile::tempdir().unwrap();
        let etc = directory.path();
        fs::create_dir(etc.join("sources.list.d")).unwrap();
        fs::create_dir(etc.join("apt.conf.d")).unwrap();
        fs::write(etc.join("sources.list"), "deb http://one.example/debian sid main\n").unwrap();
        fs::write(
            etc.join("sources.list.d/two.sources"),
            "Types: deb\nURIs: http://two.example/debian\nSuites: sid\nComponents: main\n",
        )
        .unwrap();
        fs::write(etc.join("sources.list.d/readme.txt"), "deb http://no.example/debian sid main\n").unwrap();
        fs::write(etc.join("apt.conf.d/99dates"), "Acquire::Check-Valid-Until \"0\";\n").unwrap();
        let config = read(etc).unwrap();
        assert!(config.ignores_expiry);
        check(
            config.entries,
            expect![[r#"
                http://one.example/debian sid ["main"]
                http://two.example/debian sid ["main"]
            "#]],
        );
    }
}
