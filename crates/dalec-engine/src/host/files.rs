//! Files of a container that is in use: read as its processes see them, without following any link out of it.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use dalec_gateway::{FileRange, FileStat, GatewayError};
use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

/// A directory of the host that a container sees as one of its mounts.
pub struct Place(OwnedFd);

impl Place {
    /// Opens what is at `selector` below `source`.
    ///
    /// # Errors
    /// When it is not there.
    pub fn open(source: &Path, selector: &str) -> Result<Self, GatewayError> {
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        let whole = rustix::fs::openat(CWD, source, flags, Mode::empty());
        let whole = whole.map_err(|errno| failed(selector, errno))?;
        Ok(Self(find(whole.as_fd(), selector)?))
    }

    /// Returns a part of a regular file.
    ///
    /// # Errors
    /// When there is none.
    pub fn read_file(&self, path: &str, range: FileRange) -> Result<Vec<u8>, GatewayError> {
        let found = find(self.0.as_fd(), path)?;
        let stat = rustix::fs::fstat(&found).map_err(|errno| failed(path, errno))?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(GatewayError::Request { message: format!("{path} is not a file") });
        }
        let mut content = Vec::new();
        let mut file = reopen(&found).map_err(|error| unreadable(path, &error))?;
        file.seek(SeekFrom::Start(range.offset))
            .and_then(|_| file.take(range.length).read_to_end(&mut content))
            .map_err(|error| unreadable(path, &error))?;
        Ok(content)
    }

    /// Returns the entries of a directory, sorted by name.
    ///
    /// # Errors
    /// When there is none.
    pub fn read_dir(&self, path: &str) -> Result<Vec<FileStat>, GatewayError> {
        let found = find(self.0.as_fd(), path)?;
        let list = || -> std::io::Result<Vec<FileStat>> {
            let mut entries = Vec::new();
            for entry in std::fs::read_dir(descriptor_path(&found))? {
                let entry = entry?;
                let link = std::fs::read_link(entry.path()).unwrap_or_default();
                let name = entry.file_name().to_string_lossy().into_owned();
                entries.push(stat(name, &entry.metadata()?, link.to_string_lossy().into_owned()));
            }
            entries.sort_by(|a, b| a.name.cmp(&b.name));
            Ok(entries)
        };
        list().map_err(|error| unreadable(path, &error))
    }

    /// Returns what is at `path`, following symbolic links.
    ///
    /// # Errors
    /// When nothing is there.
    pub fn stat_file(&self, path: &str) -> Result<FileStat, GatewayError> {
        let found = find(self.0.as_fd(), path)?;
        let metadata =
            std::fs::metadata(descriptor_path(&found)).map_err(|error| unreadable(path, &error))?;
        let name = path.rsplit('/').find(|part| !part.is_empty()).unwrap_or("/");
        Ok(stat(name.to_owned(), &metadata, String::new()))
    }
}

fn find(directory: BorrowedFd<'_>, path: &str) -> Result<OwnedFd, GatewayError> {
    let relative = if path.is_empty() { "." } else { path };
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    rustix::fs::openat2(directory, relative, OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), resolve)
        .map_err(|errno| failed(path, errno))
}

/// Opens for reading what is open as a mere place, and known to be a regular file.
fn reopen(place: &OwnedFd) -> std::io::Result<File> {
    File::open(descriptor_path(place))
}

fn descriptor_path(place: &OwnedFd) -> String {
    format!("/proc/self/fd/{}", place.as_raw_fd())
}

fn stat(name: String, metadata: &std::fs::Metadata, link: String) -> FileStat {
    let modified = metadata.mtime().saturating_mul(1_000_000_000).saturating_add(metadata.mtime_nsec());
    FileStat {
        name,
        mode: metadata.mode(),
        size: metadata.len(),
        link,
        uid: metadata.uid(),
        gid: metadata.gid(),
        modified,
    }
}

fn failed(path: &str, errno: Errno) -> GatewayError {
    match errno {
        Errno::NOENT | Errno::NOTDIR => GatewayError::NotFound { path: path.to_owned() },
        errno => unreadable(path, &errno.into()),
    }
}

fn unreadable(path: &str, error: &std::io::Error) -> GatewayError {
    GatewayError::Request { message: format!("cannot read {path}: {error}") }
}
