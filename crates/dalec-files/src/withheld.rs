//! Files that no build gets, whatever patterns say: keys that happen to lie among the sources, and what builds write.

use std::collections::BTreeSet;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// What is left out of every directory of the host.
///
/// Files are told by device and inode, so that another link of one is no way around. Places are told by where they are,
/// as there may be nothing yet.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Withheld {
    files: BTreeSet<(u64, u64)>,
    places: BTreeSet<PathBuf>,
}

impl Withheld {
    /// Returns the files behind `paths`, as far as they are there.
    pub fn of<'a>(paths: impl IntoIterator<Item = &'a Path>) -> Self {
        let found = paths.into_iter().filter_map(|path| std::fs::metadata(path).ok());
        Self { files: found.map(|found| (found.dev(), found.ino())).collect(), places: BTreeSet::new() }
    }

    /// Leaves out the files and directories at `paths` as well, and what will be there.
    pub fn with_places(mut self, paths: impl IntoIterator<Item = PathBuf>) -> Self {
        self.places.extend(paths.into_iter().map(|path| real(&path)));
        self
    }

    /// Returns what is left out of the directory `root`; a place that is `root` itself, or around it, is not.
    pub fn within(&self, root: &Path) -> Without<'_> {
        let root = real(root);
        let below = self.places.iter().filter_map(|place| place.strip_prefix(&root).ok());
        let below = below.map(|path| path.as_os_str().as_bytes().to_vec()).filter(|path| !path.is_empty());
        Without { files: &self.files, below: below.collect() }
    }
}

/// What is left out of one directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Without<'a> {
    files: &'a BTreeSet<(u64, u64)>,
    /// Paths in the directory, with `/` between names.
    below: BTreeSet<Vec<u8>>,
}

impl Without<'_> {
    /// Returns whether what is at `path` in the directory is left out, with all that is below it.
    pub fn holds(&self, path: &[u8], device: u64, inode: u64) -> bool {
        self.files.contains(&(device, inode)) || self.below.contains(path)
    }

    /// Returns whether something below the directory at `path` is left out: it may be there for that alone.
    pub fn is_above(&self, path: &[u8]) -> bool {
        let is_below = |place: &Vec<u8>| place.strip_prefix(path).is_some_and(|rest| rest.starts_with(b"/"));
        self.below.iter().any(is_below)
    }
}

/// Returns where `path` leads, with no links in it; what is not there yet has none.
fn real(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let there = path.ancestors().find_map(|above| Some((above, std::fs::canonicalize(above).ok()?)));
    match there {
        Some((above, real)) => match path.strip_prefix(above) {
            Ok(rest) if !rest.as_os_str().is_empty() => real.join(rest),
            _ => real,
        },
        None => path,
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::fs::symlink;

    use super::*;

    fn places(root: &Path, paths: &[PathBuf]) -> Vec<PathBuf> {
        let withheld = Withheld::default().with_places(paths.to_vec());
        let without = withheld.within(root);
        without.below.iter().map(|path| PathBuf::from(OsStr::from_bytes(path))).collect()
    }

    #[test]
    fn places_below_a_directory_are_left_out_of_it_before_they_are_there() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir_all(at("src/build/real")).unwrap();
        symlink("build/real", at("src/out")).unwrap();
        symlink("src", at("link")).unwrap();
        let below = |paths: &[PathBuf]| places(&at("link"), paths);
        assert_eq!(
            below(&[at("src/new/dir"), at("link/meta.json")]),
            [Path::new("meta.json"), Path::new("new/dir")]
        );
        assert_eq!(below(&[at("src/out")]), [Path::new("build/real")]);
        let withheld = Withheld::default().with_places([at("src/new/dir")]);
        let without = withheld.within(&at("src"));
        assert_eq!(
            ["new", "ne", "new/dir"].map(|path| without.is_above(path.as_bytes())),
            [true, false, false]
        );
        assert_eq!(below(&[at("src"), at("."), at("other"), at("src-2")]), Vec::<PathBuf>::new());
    }
}
