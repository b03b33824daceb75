//! Private keys among the files that a build reads: what reads them all may publish them.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// How the files are called that are looked into; a look at every file would cost too much.
const NAMES: [&str; 5] = ["asc", "gpg", "key", "pem", "pgp"];
/// Files of this many bytes or more are no keys.
const LARGEST: u64 = 1 << 20;
/// How a private OpenPGP key begins.
const BEGIN: &[u8] = b"-----BEGIN PGP PRIVATE KEY BLOCK-----";

/// The private OpenPGP keys that were met so far; clones share them.
#[derive(Debug, Clone, Default)]
pub struct PrivateKeys(Arc<Mutex<BTreeSet<PathBuf>>>);

impl PrivateKeys {
    /// Looks at the first bytes of a regular file of `size` bytes, if its name may be that of a key; `open` opens it.
    ///
    /// A file that cannot be read is none: whoever reads all of it says so.
    pub fn look(&self, host: &Path, size: u64, open: impl FnOnce(&Path) -> io::Result<File>) {
        let is_named =
            host.extension().and_then(|name| name.to_str()).is_some_and(|name| NAMES.contains(&name));
        if is_named && size < LARGEST && open(host).is_ok_and(begins_as_key) {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(host.to_owned());
        }
    }

    /// Returns the keys, each once.
    pub fn met(&self) -> BTreeSet<PathBuf> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn begins_as_key(file: File) -> bool {
    let mut first = Vec::new();
    file.take(BEGIN.len() as u64).read_to_end(&mut first).is_ok() && first == BEGIN
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_told_by_name_size_and_first_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &[u8]| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let key = [BEGIN, b"\n\nabc"].concat();
        let met = PrivateKeys::default();
        let found = write("key.asc", &key);
        for path in [
            &found,
            &found,
            &write("key.txt", &key),
            &write("public.asc", b"-----BEGIN PGP PUBLIC KEY BLOCK"),
        ] {
            met.look(path, key.len() as u64, |path| File::open(path));
        }
        met.look(&write("large.pgp", &key), LARGEST, |path| File::open(path));
        met.look(&folder.path().join("none.key"), 10, |path| File::open(path));
        assert_eq!(met.met(), BTreeSet::from([found]));
    }
}
