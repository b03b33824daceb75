//! Paths to take together with what their symbolic links point to.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use crate::patterns::Pattern;
use crate::{FollowError, components};

/// Links to follow on the way of one path.
const MAX_LINKS: usize = 255;

/// Returns `paths` (which may hold wildcards) with the targets of the links on their way, as patterns to take;
/// links that lead out of `root` start again at `root`.
///
/// # Errors
/// When a directory on the way cannot be read.
pub fn follow_links(root: &Path, paths: &[String]) -> Result<Vec<String>, FollowError> {
    let mut found = BTreeSet::new();
    for path in paths {
        let pending = components(path.as_bytes()).map(<[u8]>::to_vec).collect();
        follow(root, Vec::new(), pending, MAX_LINKS, &mut found)?;
    }
    // Every file is taken when the directory itself is asked for.
    if found.contains(&Vec::new()) {
        return Ok(vec!["**".to_owned()]);
    }
    Ok(found.iter().map(|path| escape(path)).collect())
}

fn follow(
    root: &Path,
    mut done: Vec<Vec<u8>>,
    pending: Vec<Vec<u8>>,
    links: usize,
    found: &mut BTreeSet<Vec<u8>>,
) -> Result<(), FollowError> {
    for (index, name) in pending.iter().enumerate() {
        let rest = &pending[index + 1..];
        if name == b".." {
            done.pop();
            continue;
        }
        if has_wildcard(name) {
            for name in matching(root, &done, name)? {
                let pending = std::iter::once(name).chain(rest.iter().cloned()).collect();
                follow(root, done.clone(), pending, links, found)?;
            }
            return Ok(());
        }
        done.push(name.clone());
        if let Some(target) = link(&root.join(os(&done.join(&b'/'))))? {
            found.insert(done.join(&b'/'));
            if links == 0 {
                return Ok(());
            }
            done.pop();
            if target.starts_with(b"/") {
                done.clear();
            }
            let pending = components(&target).map(<[u8]>::to_vec).chain(rest.iter().cloned()).collect();
            return follow(root, done, pending, links - 1, found);
        }
    }
    found.insert(done.join(&b'/'));
    Ok(())
}

fn matching(root: &Path, dir: &[Vec<u8>], pattern: &[u8]) -> Result<Vec<Vec<u8>>, FollowError> {
    let Some(pattern) = Pattern::parse(&String::from_utf8_lossy(pattern))? else { return Ok(Vec::new()) };
    let dir = root.join(os(&dir.join(&b'/')));
    if !dir.is_dir() {
        return Ok(Vec::new());
    }
    let failed = |source| FollowError::Io { action: "read the directory", path: dir.clone(), source };
    let mut names = Vec::new();
    for entry in std::fs::read_dir(&dir).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name().into_vec();
        if pattern.matches(&name) {
            names.push(name);
        }
    }
    names.sort_unstable();
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
            assert_eq!(follow_links(dir.path(), &paths).unwrap(), expected);
        };
        check(&["link/abs"], &["link", "real/abs", "real/sub/file"]);
        check(&["re*/s*"], &["real/sub"]);
        check(&["missing"], &["missing"]);
        check(&["self"], &["self"]);
        check(&["../../real"], &["real"]);
    }
}
