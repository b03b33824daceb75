//! The records that dpkg keeps about installed packages, written as if dpkg had unpacked them.
//!
//! Follows dpkg's own layout of `/var/lib/dpkg` (`info` format 1): `status` with every package as
//! `install ok unpacked`, the files of each control archive under `info`, lists of files, and the
//! interests in triggers. Configuration files are recorded with their digests at once and not as
//! `newconffile`, because they are unpacked under their final names.

use std::collections::BTreeMap;

use deb822_fast::Deb822;

use crate::deb::{ControlFile, MemberPath};
use crate::error::BootstrapError;
use crate::recipe::Package;
use crate::tree::{Attributes, Tree};

/// What `control` says about a package, as far as it matters here.
#[derive(Debug, Clone)]
pub(crate) struct Control {
    /// The whole paragraph, ending in a line feed.
    text: String,
    /// The stem of the package's files under `info`.
    pub(crate) info_name: String,
    /// The field `Replaces`, empty if there is none.
    pub(crate) replaces: String,
}

/// A line of a package's `conffiles`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Conffile {
    pub(crate) path: MemberPath,
    /// A file that an upgrade removes; it is not in the package.
    pub(crate) is_obsolete: bool,
}

/// Everything recorded about one unpacked package.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) control: Control,
    /// Every path in the package, in the order of its archive.
    pub(crate) paths: Vec<MemberPath>,
    /// The package's configuration files with their MD5 digests; none if it is not in the package.
    pub(crate) conffiles: Vec<(Conffile, Option<String>)>,
    /// The file `triggers`, empty if there is none.
    pub(crate) triggers: String,
}

impl Control {
    /// Parses the `control` file of `package`, which must be about the package of the index.
    ///
    /// # Errors
    /// A clause that says what is wrong.
    pub(crate) fn parse(package: &Package, files: &[ControlFile]) -> Result<Self, String> {
        let file = files.iter().find(|file| file.name == "control").ok_or("it has no `control`")?;
        let text = std::str::from_utf8(&file.content).map_err(|_| "its `control` is not UTF-8")?;
        let text = text.trim_matches('\n');
        let document: Deb822 = text.parse().map_err(|_| "its `control` has an unknown form")?;
        let mut paragraphs = document.iter();
        let (Some(paragraph), None) = (paragraphs.next(), paragraphs.next()) else {
            return Err("its `control` is not one paragraph".to_owned());
        };
        for (field, expected) in [
            ("Package", &package.name),
            ("Version", &package.version),
            ("Architecture", &package.architecture),
        ] {
            let actual = paragraph.get(field).unwrap_or_default();
            if actual != expected {
                return Err(format!("its {field} is `{actual}`, but the index says `{expected}`"));
            }
        }
        let info_name = match paragraph.get("Multi-Arch") {
            Some("same") => format!("{}:{}", package.name, package.architecture),
            _ => package.name.clone(),
        };
        Ok(Self {
            text: format!("{text}\n"),
            info_name,
            replaces: paragraph.get("Replaces").unwrap_or_default().to_owned(),
        })
    }
}

/// Parses a `conffiles` file.
///
/// # Errors
/// A clause that says what is wrong.
pub(crate) fn parse_conffiles(text: &str) -> Result<Vec<Conffile>, String> {
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .map(|line| {
            let (path, is_obsolete) = match line.strip_prefix("remove-on-upgrade ") {
                Some(path) => (path, true),
                None => (line, false),
            };
            Ok(Conffile { path: MemberPath::new(path.as_bytes())?, is_obsolete })
        })
        .collect()
}

const DIRECTORY: &str = "var/lib/dpkg";

/// Makes an empty database.
///
/// # Errors
/// [`BootstrapError::Io`] if that fails.
pub(crate) fn create(tree: &Tree) -> Result<(), BootstrapError> {
    for name in ["alternatives", "info", "parts", "triggers", "updates"] {
        let path = format!("{DIRECTORY}/{name}").into_bytes();
        tree.make_directories(&path).map_err(BootstrapError::io("create", tree.host_path(&path)))?;
    }
    put(tree, "info/format", Attributes::file(), b"1\n")?;
    // Not there is not the same as empty to every tool that reads it.
    for name in ["available", "diversions", "statoverride"] {
        put(tree, name, Attributes::file(), b"")?;
    }
    Ok(())
}

/// Keeps the control files of a package, except `control` itself, which goes into `status`.
///
/// # Errors
/// [`BootstrapError::Io`] if that fails.
pub(crate) fn keep(tree: &Tree, control: &Control, files: &[ControlFile]) -> Result<(), BootstrapError> {
    for file in files.iter().filter(|file| file.name != "control") {
        let name = format!("info/{}.{}", control.info_name, file.name);
        let mode = file.mode & 0o755;
        put(tree, &name, Attributes { mode, mtime: file.mtime, ..Attributes::file() }, &file.content)?;
    }
    Ok(())
}

/// Writes everything that is known once all packages are unpacked, in the given order.
///
/// `owns` tells whether a package, by its position, still has the file at a path.
///
/// # Errors
/// [`BootstrapError::Io`] if that fails.
pub(crate) fn finish(
    tree: &Tree,
    records: &[Record],
    owns: impl Fn(usize, &MemberPath) -> bool,
) -> Result<(), BootstrapError> {
    let put = |name: &str, content: &[u8]| put(tree, name, Attributes::file(), content);
    for (position, record) in records.iter().enumerate() {
        let mut list = Vec::new();
        for path in record.paths.iter().filter(|path| owns(position, path)) {
            let shown: &[u8] = if path.as_bytes().is_empty() { b"." } else { path.as_bytes() };
            list.extend([b"/", shown, b"\n"].concat());
        }
        put(&format!("info/{}.list", record.control.info_name), &list)?;
    }
    let status: Vec<String> = records.iter().map(status_paragraph).collect();
    put("status", status.join("\n").as_bytes())?;
    for (name, text) in interests(records) {
        put(&format!("triggers/{name}"), text.as_bytes())?;
    }
    Ok(())
}

fn put(tree: &Tree, name: &str, attributes: Attributes, content: &[u8]) -> Result<(), BootstrapError> {
    let path = format!("{DIRECTORY}/{name}").into_bytes();
    tree.put(&path, attributes, content).map_err(BootstrapError::io("write", tree.host_path(&path)))
}

/// Returns the paragraph of a package that is unpacked and not yet configured.
fn status_paragraph(record: &Record) -> String {
    let mut paragraph = format!("{}Status: install ok unpacked\n", record.control.text);
    if !record.conffiles.is_empty() {
        paragraph.push_str("Conffiles:\n");
        for (conffile, digest) in &record.conffiles {
            let digest = digest.as_deref().unwrap_or("newconffile");
            let note = if conffile.is_obsolete { " remove-on-upgrade" } else { "" };
            paragraph.push_str(&format!(" {} {digest}{note}\n", conffile.path));
        }
    }
    paragraph
}

/// Returns the files under `triggers`: who wants to know about which event or path.
fn interests(records: &[Record]) -> BTreeMap<String, String> {
    let mut files: BTreeMap<String, String> = BTreeMap::new();
    for record in records {
        for line in record.triggers.lines() {
            let mut words = line.split_whitespace();
            let (Some(directive), Some(trigger)) = (words.next(), words.next()) else { continue };
            let suffix = match directive {
                "interest" | "interest-await" => "",
                "interest-noawait" => "/noawait",
                _ => continue,
            };
            let package = &record.control.info_name;
            if trigger.starts_with('/') {
                let file = files.entry("File".to_owned()).or_default();
                file.push_str(&format!("{trigger} {package}{suffix}\n"));
            } else if is_trigger_name(trigger) {
                let file = files.entry(trigger.to_owned()).or_default();
                file.push_str(&format!("{package}{suffix}\n"));
            }
        }
    }
    files
}

/// Returns whether a trigger's name is a safe file name and none of dpkg's own.
fn is_trigger_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'+' | b'.');
    name.bytes().all(allowed) && !name.starts_with('.') && !matches!(name, "File" | "Lock" | "Unincorp")
}
