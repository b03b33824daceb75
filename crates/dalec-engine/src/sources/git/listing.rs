//! What a commit holds, looked at before anything of it is written: a few bytes of objects can stand for any number of
//! files.

use super::error::GitError;
use super::remote::Remote;
use crate::error::Result;

/// Most files and directories that are taken.
const MOST_ENTRIES: u64 = 2_000_000;
/// Most bytes that are taken.
const MOST_BYTES: u64 = 16 << 30;
/// Most bytes of the file `.gitmodules`, which git reads as a whole, and of what it says.
pub const LONGEST_MODULES: u64 = 1 << 20;
/// Longest record, which is a path with a few numbers.
const LONGEST_RECORD: usize = 1 << 16;

/// Arguments that list a commit in the form that [`Listing`] reads.
pub const ARGUMENTS: [&str; 5] = ["ls-tree", "-r", "-t", "-l", "-z"];

/// What one or several commits hold.
#[derive(Debug, Default)]
pub struct Listing {
    entries: u64,
    bytes: u64,
    open: Vec<u8>,
    /// Submodules of the commit that was listed last.
    submodules: Vec<Submodule>,
}

/// A commit of another repository, as part of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submodule {
    /// Where it is.
    pub path: String,
    /// Hash of the commit.
    pub commit: String,
}

impl Listing {
    /// Returns the submodules that were listed since the last call.
    pub fn take_submodules(&mut self) -> Vec<Submodule> {
        std::mem::take(&mut self.submodules)
    }

    /// Takes a piece of the list of `commit`.
    ///
    /// # Errors
    /// [`GitError::TooLarge`] when there is more than is taken, [`GitError::Path`] for a path that no files have.
    pub fn take(&mut self, remote: &Remote, commit: &str, piece: &[u8]) -> Result<()> {
        for part in piece.split_inclusive(|byte| *byte == 0) {
            self.open.extend_from_slice(part);
            if self.open.last() == Some(&0) {
                self.open.pop();
                let record = std::mem::take(&mut self.open);
                self.record(remote, commit, &String::from_utf8_lossy(&record))?;
            }
            let limit = match () {
                () if self.entries > MOST_ENTRIES => format!("{MOST_ENTRIES} files"),
                () if self.bytes > MOST_BYTES => format!("{MOST_BYTES} bytes"),
                () if self.open.len() > LONGEST_RECORD => "a path may have".to_owned(),
                () => continue,
            };
            let (remote, commit) = (remote.url().to_owned(), commit.to_owned());
            return Err(GitError::TooLarge { remote, commit, limit }.into());
        }
        Ok(())
    }

    /// Reads `MODE TYPE HASH SIZE<TAB>PATH`.
    fn record(&mut self, remote: &Remote, commit: &str, record: &str) -> Result<(), GitError> {
        self.entries += 1;
        let Some((facts, path)) = record.split_once('\t') else { return Ok(()) };
        // The objects are what the server made up: git lists what it would not write.
        if path.split('/').any(|name| matches!(name, "" | "." | "..") || name.eq_ignore_ascii_case(".git")) {
            let (remote, commit) = (remote.url().to_owned(), commit.to_owned());
            return Err(GitError::Path { remote, commit, path: path.to_owned() });
        }
        let facts: Vec<&str> = facts.split_ascii_whitespace().collect();
        if let [mode, _, hash, size] = facts[..] {
            let size = size.parse().unwrap_or(0);
            if path == ".gitmodules" && size > LONGEST_MODULES {
                return Err(GitError::modules_too_large(remote, commit));
            }
            self.bytes = self.bytes.saturating_add(size);
            if mode == "160000" {
                self.submodules.push(Submodule { path: path.to_owned(), commit: hash.to_owned() });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remote() -> Remote {
        Remote::parse("https://example.org/a").unwrap()
    }

    #[test]
    fn submodules_are_found_in_pieces_of_a_list() {
        let mut listing = Listing::default();
        for piece in ["100644 blob aa      12\ta file\x00160000 com", "mit bb       -\tlib/b\0"] {
            listing.take(&remote(), "cc", piece.as_bytes()).unwrap();
        }
        assert_eq!((listing.entries, listing.bytes), (2, 12));
        assert_eq!(listing.take_submodules(), [Submodule { path: "lib/b".into(), commit: "bb".into() }]);
    }

    #[test]
    fn paths_that_lead_elsewhere_are_refused() {
        for path in ["../victim", "a/../../b", ".", "a//b", "/etc", ".git", "a/.GIT/hooks", ""] {
            let record = format!("160000 commit bb -\t{path}\0");
            let taken = Listing::default().take(&remote(), "cc", record.as_bytes());
            assert!(taken.is_err(), "{path}");
        }
        let fine = b"100644 blob aa 1\t..a/.gitignore\0";
        Listing::default().take(&remote(), "cc", fine).unwrap();
    }

    #[test]
    fn more_than_fits_is_refused() {
        let mut listing = Listing::default();
        let record = format!("100644 blob aa {}\ta\0", MOST_BYTES);
        listing.take(&remote(), "cc", record.as_bytes()).unwrap();
        let error = listing.take(&remote(), "cc", b"100644 blob aa 1\tb\0").unwrap_err();
        assert_eq!(
            error.to_string(),
            "https://example.org/a holds more than 17179869184 bytes in the commit cc"
        );
        let modules = format!("100644 blob aa {}\t.gitmodules\0", LONGEST_MODULES + 1);
        assert!(Listing::default().take(&remote(), "cc", modules.as_bytes()).is_err());
        let mut listing = Listing { entries: MOST_ENTRIES, ..Listing::default() };
        assert!(listing.take(&remote(), "cc", b"040000 tree aa -\ta\0").is_err());
    }
}
