//! Paths to take together with what their symbolic links point to.

use std::collections::{BTreeSet, HashMap};
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use crate::patterns::Pattern;
use crate::{FollowError, components};

/// Links to follow on the way of one path.
const MAX_LINKS: usize = 255;

/// Returns `paths` (which may hold wildcards) with the targets of the links on their way, as patterns to take;
/// links that lead out of `root` start again at `root`. `check` is called again and again, and ends it with its error.
///
/// # Errors
/// When a directory on the way cannot be read, or `check` says so.
pub fn follow_links<E: From<FollowError>>(
    root: &Path,
    paths: &[String],
    check: &dyn Fn() -> Result<(), E>,
) -> Result<Vec<String>, E> {
    let mut found = BTreeSet::new();
    for path in paths {
        let pattern: Vec<&[u8]> = components(path.as_bytes()).collect();
        let mut follower = Follower { root, found: &mut found, listed: HashMap::new(), open: Vec::new() };
        follower.open.push(Walk { done: Vec::new(), names: Vec::new(), pattern: &pattern, links: MAX_LINKS });
        while let Some(walk) = follower.open.pop() {
            check()?;
            follower.follow(walk, check)?;
        }
    }
    // Every file is taken when the directory itself is asked for.
    if found.contains(&Vec::new()) {
        return Ok(vec!["**".to_owned()]);
    }
    Ok(found.iter().map(|path| escape(path)).collect())
}

/// Follows one path wherever it leads.
struct Follower<'a> {
    root: &'a Path,
    found: &'a mut BTreeSet<Vec<u8>>,
    /// Directories that were listed, with how many names of the path were left there and how many links could still be
    /// followed. Links may lead to the same place in more ways than anybody can count.
    listed: HashMap<(Vec<u8>, usize), usize>,
    /// What is still to be followed.
    open: Vec<Walk<'a>>,
}

/// One way through the links.
struct Walk<'a> {
    /// Where it is; no link is in it.
    done: Vec<u8>,
    /// The names that come next, the first one last. They mean themselves: files and links name them.
    names: Vec<Vec<u8>>,
    /// What comes after these, as it was asked for.
    pattern: &'a [&'a [u8]],
    /// How many links may still come.
    links: usize,
}

impl<'a> Follower<'a> {
    fn follow<E: From<FollowError>>(
        &mut self,
        mut walk: Walk<'a>,
        check: &dyn Fn() -> Result<(), E>,
    ) -> Result<(), E> {
        loop {
            let name = match (walk.names.pop(), walk.pattern.split_first()) {
                (Some(name), _) => name,
                (None, None) => break,
                (None, Some((name, _))) if has_wildcard(name) => return Ok(self.list(walk)?),
                (None, Some((name, rest))) => {
                    walk.pattern = rest;
                    name.to_vec()
                }
            };
            if name == b".." {
                walk.done = parent(&walk.done).to_vec();
                continue;
            }
            let here = below(&walk.done, &name);
            let Some(target) = link(&self.root.join(os(&here)))? else {
                walk.done = here;
                continue;
            };
            self.found.insert(here);
            if walk.links == 0 {
                return Ok(());
            }
            check()?;
            walk.links -= 1;
            if target.starts_with(b"/") {
                walk.done.clear();
            }
            walk.names.extend(components(&target).rev().map(<[u8]>::to_vec));
        }
        self.found.insert(walk.done);
        Ok(())
    }

    /// Goes on with every name that the next one of the pattern matches.
    fn list(&mut self, walk: Walk<'a>) -> Result<(), FollowError> {
        let Some((name, pattern)) = walk.pattern.split_first() else { return Ok(()) };
        let place = (walk.done, walk.pattern.len());
        if self.listed.get(&place).is_some_and(|links| *links >= walk.links) {
            return Ok(());
        }
        for name in matching(&self.root.join(os(&place.0)), name)? {
            self.open.push(Walk { done: place.0.clone(), names: vec![name], pattern, links: walk.links });
        }
        self.listed.insert(place, walk.links);
        Ok(())
    }
}

fn below(dir: &[u8], name: &[u8]) -> Vec<u8> {
    if dir.is_empty() { name.to_vec() } else { [dir, b"/", name].concat() }
}

fn parent(path: &[u8]) -> &[u8] {
    &path[..path.iter().rposition(|byte| *byte == b'/').unwrap_or(0)]
}

/// Returns the names in the directory `dir` that `pattern` matches; none when there is no such directory.
fn matching(dir: &Path, pattern: &[u8]) -> Result<Vec<Vec<u8>>, FollowError> {
    let Some(pattern) = Pattern::parse(&String::from_utf8_lossy(pattern))? else { return Ok(Vec::new()) };
    if !dir.is_dir() {
        return Ok(Vec::new());
    }
    let failed = |source| FollowError::Io { action: "read the directory", path: dir.to_owned(), source };
    let mut names = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name().into_vec();
        if pattern.matches(&name) {
            names.push(name);
        }
    }
    Ok(names)
}

/// Returns the text of the symbolic link at `path`; none when it is something else or nothing.
fn link(path: &Path) -> Result<Option<Vec<u8>>, FollowError> {
    match std::fs::read_link(path) {
        Ok(target) => Ok(Some(target.into_os_string().into_vec())),
        Err(error) if is_no_link(&error) => Ok(None),
        Err(source) => Err(FollowError::Io { action: "look at", path: path.to_owned(), source }),
    }
}

fn is_no_link(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::InvalidInput
    )
}

fn os(path: &[u8]) -> &OsStr {
    OsStr::from_bytes(path)
}

fn has_wildcard(name: &[u8]) -> bool {
    name.iter().any(|byte| b"*?[\\".contains(byte))
}

fn escape(path: &[u8]) -> String {
    let mut text = String::new();
    for letter in String::from_utf8_lossy(path).chars() {
        if "*?[]\\!".contains(letter) {
            text.push('\\');
        }
        text.push(letter);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::BadPattern;
    use std::fs;
    use std::os::unix::fs::symlink;

    #[test]
    fn links_are_taken_with_their_targets() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("real/sub")).unwrap();
        fs::write(dir.path().join("real/sub/file"), "").unwrap();
        symlink("real", dir.path().join("link")).unwrap();
        symlink("/real/sub/file", dir.path().join("real/abs")).unwrap();
        symlink("self", dir.path().join("self")).unwrap();
        let check = |paths: &[&str], expected: &[&str]| {
            let paths: Vec<String> = paths.iter().map(|path| (*path).to_owned()).collect();
            assert_eq!(follow_links::<FollowError>(dir.path(), &paths, &|| Ok(())).unwrap(), expected);
        };
        check(&["link/abs"], &["link", "real/abs", "real/sub/file"]);
        check(&["re*/s*"], &["real/sub"]);
        check(&["missing"], &["missing"]);
        check(&["self"], &["self"]);
        check(&["../../real"], &["real"]);
    }

    #[test]
    fn names_of_files_and_links_are_no_patterns() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["*", "a", "b"] {
            fs::write(dir.path().join(name), "").unwrap();
        }
        symlink("*", dir.path().join("link")).unwrap();
        let check = |path: &str, expected: &[&str]| {
            let paths = [path.to_owned()];
            assert_eq!(follow_links::<FollowError>(dir.path(), &paths, &|| Ok(())).unwrap(), expected);
        };
        check("link", &["\\*", "link"]);
        check("*", &["\\*", "a", "b", "link"]);
    }

    #[test]
    fn a_thousand_ways_to_one_place_are_one() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("file"), "").unwrap();
        for name in ["a", "b", "c"] {
            symlink(".", dir.path().join(name)).unwrap();
        }
        let paths = [vec!["*"; 40].join("/")];
        let found = follow_links::<FollowError>(dir.path(), &paths, &|| Ok(())).unwrap();
        assert_eq!(found, ["**"]);
        // Whoever waits no longer is not kept waiting.
        let calls = std::cell::Cell::new(0);
        let stop = || match calls.replace(calls.get() + 1) {
            0..10 => Ok(()),
            _ => Err(FollowError::Pattern(BadPattern("enough".into()))),
        };
        assert!(follow_links(dir.path(), &paths, &stop).is_err());
        assert_eq!(calls.get(), 11);
    }
}
