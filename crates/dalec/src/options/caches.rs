//! `--cache-from` and `--cache-to` values, in the words of BuildKit's caches.

use std::path::Path;

use dalec_buildkit::{CacheError, Entry, LocalCache, read_cache, write_cache};

use super::fields;
use crate::errors::CommandError;

/// Where the GitHub Actions cache is, by the names of its fields, and the variables that a job has.
const ACTIONS: [(&str, &str); 3] =
    [("url", "ACTIONS_CACHE_URL"), ("url_v2", "ACTIONS_RESULTS_URL"), ("token", "ACTIONS_RUNTIME_TOKEN")];

/// The caches of a build.
#[derive(Default)]
pub struct Caches {
    /// Where the cache may come from.
    pub imports: Vec<Entry>,
    /// Where it goes.
    pub exports: Vec<Entry>,
    /// Directories that are read.
    pub read: Vec<LocalCache>,
    /// Directories that are written.
    pub written: Vec<LocalCache>,
    /// What is left out, in words.
    pub remarks: Vec<String>,
}

impl Caches {
    /// Reads the values; directories of this host are looked at.
    ///
    /// # Errors
    /// [`CommandError::Usage`] for a value that makes no sense, [`CommandError::Environment`] for a directory to write to that
    /// holds something else. A directory to read from that is not there is a remark.
    pub fn read(from: &[String], to: &[String]) -> Result<Self, CommandError> {
        let mut caches = Self::default();
        for text in from {
            let entry = parse("--cache-from", text)?;
            if entry.kind != "local" {
                caches.imports.push(entry);
                continue;
            }
            match read_cache(entry) {
                Ok(cache) => {
                    caches.imports.push(cache.entry.clone());
                    caches.read.push(cache);
                }
                Err(error @ CacheError::Field(_)) => {
                    return Err(wrong("--cache-from", text, &error));
                }
                // The first build of all has nothing to read yet.
                Err(error) => caches.remarks.push(format!("--cache-from {text} is left out: {error}")),
            }
        }
        for text in to {
            let entry = parse("--cache-to", text)?;
            if entry.kind == "local" {
                match write_cache(entry.clone()) {
                    Ok(cache) => caches.written.push(cache),
                    Err(error @ CacheError::Field(_)) => return Err(wrong("--cache-to", text, &error)),
                    Err(error) => return Err(unwritable(&error)),
                }
            }
            caches.exports.push(entry);
        }
        Ok(caches)
    }

    /// Returns the directories of this host that are written.
    pub fn places(&self) -> impl Iterator<Item = &Path> {
        let local = self.exports.iter().filter(|entry| entry.kind == "local");
        local.filter_map(|entry| entry.attrs.get("dest")).map(Path::new)
    }
}

fn parse(flag: &str, text: &str) -> Result<Entry, CommandError> {
    let fields = fields::split(flag, text)?;
    if let [(reference, None)] = fields.as_slice() {
        let attrs = [("ref".to_owned(), reference.clone())].into();
        return Ok(Entry { kind: "registry".into(), attrs });
    }
    let mut entry = Entry { kind: String::new(), attrs: std::collections::BTreeMap::new() };
    for (key, value) in fields {
        match value {
            Some(value) if key == "type" => entry.kind = value,
            Some(value) => drop(entry.attrs.insert(key, value)),
            None => return Err(wrong(flag, text, &format!("`{key}` has no value"))),
        }
    }
    match entry.kind.as_str() {
        "" => Err(wrong(flag, text, &"the type is missing")),
        "registry" if !entry.attrs.contains_key("ref") => Err(wrong(flag, text, &"the ref is missing")),
        "gha" => {
            for (field, variable) in ACTIONS {
                if let Ok(value) = std::env::var(variable) {
                    entry.attrs.entry(field.to_owned()).or_insert(value);
                }
            }
            Ok(entry)
        }
        _ => Ok(entry),
    }
}

/// Returns the error of a cache directory that cannot be written.
pub fn unwritable(error: &CacheError) -> CommandError {
    CommandError::Environment {
        message: error.to_string(),
        help: None,
        source: std::error::Error::source(error).map(|source| source.to_string().into()),
    }
}

fn wrong(flag: &str, text: &str, what: &dyn std::fmt::Display) -> CommandError {
    CommandError::usage_help(
        format!("{flag} {text}: {what}"),
        format!("write {flag} type=registry,ref=REFERENCE or {flag} type=local,src=DIR or dest=DIR"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(from: &[&str], to: &[&str]) -> Result<Caches, CommandError> {
        let list = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        Caches::read(&list(from), &list(to))
    }

    #[test]
    fn caches_are_written_as_for_buildx() {
        let caches = read(
            &["example.org/cache", "type=gha,scope=main,token=t,url=u"],
            &["type=inline", "type=registry,ref=example.org/cache,mode=max"],
        )
        .unwrap();
        assert_eq!(caches.imports[0].kind, "registry");
        assert_eq!(caches.imports[0].attrs["ref"], "example.org/cache");
        assert_eq!(caches.imports[1].attrs["scope"], "main");
        assert_eq!(caches.exports[1].attrs["mode"], "max");
    }

    #[test]
    fn a_directory_that_is_not_there_yet_is_left_out() {
        let dir = tempfile::tempdir().unwrap();
        let text = format!("type=local,src={}/none", dir.path().display());
        let caches = read(&[&text], &[]).unwrap();
        assert!(caches.imports.is_empty());
        assert_eq!(caches.remarks.len(), 1);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for text in ["type=registry", "mode=max", "type=local", "type=local,src=", "type=inline,mode"] {
            assert!(read(&[text], &[]).is_err(), "{text}");
            assert!(read(&[], &[text]).is_err(), "{text}");
        }
    }

    #[test]
    fn a_directory_that_holds_something_else_is_refused_before_the_build() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("index.json"), "[]").unwrap();
        let text = format!("type=local,dest={}", dir.path().display());
        let Err(CommandError::Environment { message, source: Some(source), .. }) = read(&[], &[&text]) else {
            panic!("it is taken for a cache");
        };
        assert_eq!(message, format!("cannot write the index of the cache {}", dir.path().display()));
        assert!(source.to_string().starts_with("its index.json is no index of images: "), "{source}");
    }
}
