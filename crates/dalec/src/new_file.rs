//! Writing one file so that nobody ever finds half of it.
//!
//! What is no regular file (a pipe, a device) cannot be replaced and is written through. Symbolic links stay: what they
//! point to is written.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::Access;
use tempfile::NamedTempFile;

use crate::signals::Watch;

/// As many links as the kernel follows.
const MOST_LINKS: usize = 40;

/// A file that is being written; without [`NewFile::finish`] the destination stays as it was.
pub enum NewFile {
    /// Takes the place of the destination when it is complete.
    Beside {
        /// In the same folder as the destination.
        temporary: NamedTempFile,
        /// Where it goes.
        real: PathBuf,
    },
    /// The destination itself.
    Through(File),
}

impl NewFile {
    /// Begins to write `dest`; folders that are missing are made, and `watch` learns of what has to be removed.
    ///
    /// # Errors
    /// When `dest` cannot be written.
    pub fn create(dest: &Path, watch: &Watch) -> io::Result<Self> {
        let Some(real) = replaceable(dest)? else {
            // Appending changes nothing for pipes and devices. A file behind a descriptor keeps what others wrote.
            return Ok(Self::Through(OpenOptions::new().append(true).open(dest)?));
        };
        let folder = folder(&real);
        std::fs::create_dir_all(folder)?;
        let temporary = tempfile::Builder::new()
            .prefix(".dalec-")
            .permissions(std::fs::Permissions::from_mode(0o666))
            .tempfile_in(folder)
            .map_err(of_the_system)?;
        watch.remove_when_killed(temporary.path());
        Ok(Self::Beside { temporary, real })
    }

    /// Returns nothing when `dest` can be written, as far as that shows before; nothing is changed.
    ///
    /// # Errors
    /// When it cannot.
    pub fn check(dest: &Path) -> io::Result<()> {
        let Some(real) = replaceable(dest)? else {
            return match dest.is_dir() {
                true => Err(io::ErrorKind::IsADirectory.into()),
                false => Ok(rustix::fs::access(dest, Access::WRITE_OK)?),
            };
        };
        // Folders that are missing will be made.
        let folders = folder(&real).ancestors().map(|folder| match folder.as_os_str().is_empty() {
            true => Path::new("."),
            false => folder,
        });
        for folder in folders {
            match std::fs::metadata(folder) {
                Ok(found) if !found.is_dir() => return Err(io::ErrorKind::NotADirectory.into()),
                Ok(_) => return Ok(rustix::fs::access(folder, Access::WRITE_OK | Access::EXEC_OK)?),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Returns where to write.
    ///
    /// # Errors
    /// When the process has too many open files.
    pub fn writer(&self) -> io::Result<File> {
        match self {
            Self::Beside { temporary, .. } => temporary.as_file().try_clone(),
            Self::Through(file) => file.try_clone(),
        }
    }

    /// Puts the file in its place.
    ///
    /// # Errors
    /// When it cannot be renamed; it is removed then.
    pub fn finish(self) -> io::Result<()> {
        match self {
            Self::Beside { temporary, real } => {
                temporary.persist(real).map(drop).map_err(|error| error.error)
            }
            Self::Through(_) => Ok(()),
        }
    }
}

/// Returns `error` without the name of the temporary file, which nobody knows.
fn of_the_system(error: io::Error) -> io::Error {
    use io::ErrorKind::{NotFound, PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    match error.kind() {
        kind @ (NotFound | PermissionDenied | QuotaExceeded | ReadOnlyFilesystem | StorageFull) => {
            kind.into()
        }
        _ => error,
    }
}

/// Returns the path behind all symbolic links of `dest` that a new file can replace; none when `dest` has to be written
/// through.
fn replaceable(dest: &Path) -> io::Result<Option<PathBuf>> {
    match std::fs::metadata(dest) {
        Ok(found) if !found.is_file() => return Ok(None),
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let mut path = dest.to_owned();
    for _ in 0..MOST_LINKS {
        let target = match std::fs::read_link(&path) {
            Ok(target) => target,
            // There is nothing yet, or it is no link.
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::InvalidInput) => {
                return Ok(Some(path));
            }
            Err(error) => return Err(error),
        };
        // A link of the kernel to an open file, as behind `/dev/stdout`: its holder would not see another file.
        if folder(&path).canonicalize()?.starts_with("/proc") {
            return Ok(None);
        }
        path = folder(&path).join(target);
    }
    Err(io::Error::from_raw_os_error(libc::ELOOP))
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::unix::fs::{FileTypeExt, symlink};

    use super::*;

    #[test]
    fn an_error_names_no_temporary_file() {
        let error = NewFile::create(Path::new("/proc/x"), &Watch::default()).map(drop).unwrap_err();
        assert!(!error.to_string().contains(".dalec-"), "{error}");
    }

    fn write(dest: &Path, text: &str) -> io::Result<()> {
        let file = NewFile::create(dest, &Watch::default())?;
        file.writer()?.write_all(text.as_bytes())?;
        file.finish()
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn what_cannot_be_written_shows_before() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("file"), "").unwrap();
        let check = |path: &Path| NewFile::check(path).map_err(|error| error.kind());
        assert_eq!(check(&at("file")), Ok(()));
        assert_eq!(check(&at("missing/deep/new")), Ok(()));
        assert_eq!(check(Path::new("new")), Ok(()));
        assert_eq!(check(Path::new("/dev/null")), Ok(()));
        assert_eq!(check(folder.path()), Err(io::ErrorKind::IsADirectory));
        assert_eq!(check(&at("file/new")), Err(io::ErrorKind::NotADirectory));
        assert_eq!(names(folder.path()), ["file"]);
    }

    #[test]
    fn a_pipe_is_written_through_and_stays() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::from_raw_mode(0o600)).unwrap();
        let from = pipe.clone();
        let reader = std::thread::spawn(move || {
            let mut text = String::new();
            File::open(from).unwrap().read_to_string(&mut text).map(|_| text)
        });
        write(&pipe, "through").unwrap();
        assert_eq!(reader.join().unwrap().unwrap(), "through");
        assert!(std::fs::symlink_metadata(&pipe).unwrap().file_type().is_fifo());
        assert_eq!(names(folder.path()), ["pipe"]);
    }

    #[test]
    fn a_device_is_written_through() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("null");
        symlink("/dev/null", &link).unwrap();
        write(&link, "gone").unwrap();
        assert_eq!(std::fs::read_link(&link).unwrap(), Path::new("/dev/null"));
        let full = write(Path::new("/dev/full"), "much").unwrap_err();
        assert_eq!(full.kind(), io::ErrorKind::StorageFull);
    }

    #[test]
    fn links_stay_and_what_they_point_to_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir(at("real")).unwrap();
        std::fs::write(at("real/old"), "old").unwrap();
        symlink("real/old", at("link")).unwrap();
        symlink("link", at("link-to-link")).unwrap();
        symlink("real/none", at("dangling")).unwrap();
        symlink("circle", at("circle")).unwrap();
        write(&at("link-to-link"), "new").unwrap();
        write(&at("dangling"), "made").unwrap();
        assert!(write(&at("circle"), "never").is_err());
        assert_eq!(std::fs::read_to_string(at("real/old")).unwrap(), "new");
        assert_eq!(std::fs::read_to_string(at("real/none")).unwrap(), "made");
        assert!(at("link").is_symlink() && at("link-to-link").is_symlink() && at("dangling").is_symlink());
        assert_eq!(names(&at("real")), ["none", "old"]);
    }

    #[test]
    fn a_file_behind_a_descriptor_is_not_replaced() {
        use std::os::fd::AsRawFd;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        std::fs::write(&path, "before ").unwrap();
        let mut held = File::open(&path).unwrap();
        write(Path::new(&format!("/proc/self/fd/{}", held.as_raw_fd())), "after").unwrap();
        let mut text = String::new();
        held.read_to_string(&mut text).unwrap();
        assert_eq!(text, "before after");
    }

    #[test]
    fn what_is_not_finished_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, "old").unwrap();
        let file = NewFile::create(&path, &Watch::default()).unwrap();
        file.writer().unwrap().write_all(b"half").unwrap();
        drop(file);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "old");
        assert_eq!(names(folder.path()), ["file"]);
    }
}
