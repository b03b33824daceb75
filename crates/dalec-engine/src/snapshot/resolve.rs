//! Paths inside a tree: symbolic links are followed inside the tree only, `..` stops at its top.

pub use dalec_files::{clean, components};

use super::tree::{Kind, Tree};
use crate::error::{Error, Result};

/// Links to follow before a path counts as circular, as in the kernel.
const MAX_LINKS: usize = 40;

/// What to do with a symbolic link at the end of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Last {
    /// Follow it.
    Follow,
    /// Return the link itself.
    Keep,
}

/// A file and where it really is.
#[derive(Debug, Clone)]
pub struct Resolved<N> {
    /// The file.
    pub node: N,
    /// Names from the top of the tree, without links, `.` or `..`.
    pub path: Vec<Vec<u8>>,
}

/// Returns what is at `path`; none when there is nothing.
///
/// # Errors
/// When the tree cannot be read, or links go in circles.
pub fn resolve<T: Tree>(tree: &T, path: &[u8], last: Last) -> Result<Option<Resolved<T::Node>>> {
    let mut pending: Vec<Vec<u8>> = components(path).rev().map(<[u8]>::to_vec).collect();
    let mut nodes = vec![tree.root()?];
    let mut names: Vec<Vec<u8>> = Vec::new();
    let mut links = 0;
    while let Some(name) = pending.pop() {
        if name == b".." {
            if !names.is_empty() {
                names.pop();
                nodes.pop();
            }
            continue;
        }
        // The top is never popped.
        let Some(parent) = nodes.last() else { break };
        let Some(node) = tree.child(parent, &name)? else { return Ok(None) };
        if let Kind::Symlink(target) = &tree.meta(&node).kind
            && (last == Last::Follow || !pending.is_empty())
        {
            links += 1;
            if links > MAX_LINKS {
                return Err(Error::op(format!(
                    "too many symbolic links in {}",
                    String::from_utf8_lossy(path)
                )));
            }
            if target.starts_with(b"/") {
                nodes.truncate(1);
                names.clear();
            }
            pending.extend(components(target).rev().map(<[u8]>::to_vec));
            continue;
        }
        nodes.push(node);
        names.push(name);
    }
    Ok(nodes.pop().map(|node| Resolved { node, path: names }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::MergedTree;
    use std::fs;
    use std::os::unix::fs::symlink;

    #[test]
    fn links_stay_inside_the_tree() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("root");
        fs::create_dir_all(root.join("etc/inner")).unwrap();
        fs::write(dir.path().join("secret"), "outside").unwrap();
        fs::write(root.join("secret"), "inside").unwrap();
        symlink("/secret", root.join("etc/absolute")).unwrap();
        symlink("../../../secret", root.join("etc/inner/relative")).unwrap();
        symlink("loop", root.join("loop")).unwrap();
        let tree = MergedTree::new(vec![root.clone()]);
        for path in ["etc/absolute", "/etc/inner/relative", "../../secret", "etc/inner/../../secret"] {
            let found = resolve(&tree, path.as_bytes(), Last::Follow).unwrap().unwrap();
            assert_eq!(found.path, [b"secret".to_vec()], "{path}");
            assert_eq!(found.node.path(), root.join("secret"));
        }
        let link = resolve(&tree, b"etc/absolute", Last::Keep).unwrap().unwrap();
        assert_eq!(tree.meta(&link.node).kind, Kind::Symlink(b"/secret".to_vec()));
        assert!(resolve(&tree, b"loop", Last::Follow).is_err());
        assert!(resolve(&tree, b"no/such", Last::Follow).unwrap().is_none());
        assert_eq!(clean(b"/a/./b/../../../c//d/"), b"c/d");
    }
}
