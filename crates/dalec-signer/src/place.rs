//! Writing files so that nobody ever finds half of one: beside their place first, then all of them into it.

use std::fs::{File, Metadata, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tempfile::TempPath;

use crate::error::SignError;
use crate::sign::Watch;

/// How much is copied between two looks at whether somebody asked to stop.
const CHUNK: usize = 1 << 18;

/// A file that is being written under another name, from a source.
pub(crate) struct Copy<'a> {
    source: &'a Path,
    file: File,
    path: TempPath,
    place: PathBuf,
    called: PathBuf,
    like: Metadata,
    watch: &'a dyn Watch,
}

/// A file that is complete and on disk, but still has another name. Removed when dropped.
pub(crate) struct Staged {
    /// Under which name it is.
    pub(crate) path: TempPath,
    /// Where it belongs, by the name that was asked for.
    pub(crate) called: PathBuf,
    /// Where that really is.
    place: PathBuf,
}

impl<'a> Copy<'a> {
    /// Begins to write what goes to `place` and is made from `source`, whose owner and mode it gets. A link at `place` is
    /// replaced, not followed; people know the place as `called`.
    ///
    /// # Errors
    /// [`SignError::Write`] when there cannot be a file beside `place`.
    pub(crate) fn begin(
        source: &'a Path,
        like: Metadata,
        called: &Path,
        place: &Path,
        watch: &'a dyn Watch,
    ) -> Result<Self, SignError> {
        let made = tempfile::Builder::new().prefix(".dalec-sign-").tempfile_in(folder(place));
        let (file, path) = made.map_err(SignError::write(called))?.into_parts();
        watch.will_write(&path);
        let (called, place) = (called.to_owned(), place.to_owned());
        Ok(Self { source, file, path, place, called, like, watch })
    }

    /// Returns what is copied.
    pub(crate) fn source(&self) -> &'a Path {
        self.source
    }

    /// Returns what has been written.
    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// Appends everything from `data`, which is a part of the source.
    ///
    /// # Errors
    /// [`SignError`] when one cannot be read, the other not written, or somebody asked to stop.
    pub(crate) fn take(&mut self, data: &mut dyn Read) -> Result<(), SignError> {
        let (mut file, place) = (&self.file, &self.place);
        pump(data, self.source, self.watch, |bytes| file.write_all(bytes).map_err(SignError::write(place)))
    }

    /// Reads everything from `data`, which is a part of what has been written or of the source, into `sink`.
    ///
    /// # Errors
    /// [`SignError`] when it cannot be read, or somebody asked to stop.
    pub(crate) fn read(&self, mut data: impl Read, sink: &mut dyn Write) -> Result<(), SignError> {
        pump(&mut data, self.source, self.watch, |bytes| {
            sink.write_all(bytes).map_err(SignError::read(self.source))
        })
    }

    /// Appends `bytes`.
    ///
    /// # Errors
    /// [`SignError::Write`] when they cannot be written.
    pub(crate) fn append(&mut self, bytes: &[u8]) -> Result<(), SignError> {
        self.file.write_all(bytes).map_err(SignError::write(&self.place))
    }

    /// Ends the file; it survives a power cut from here on.
    ///
    /// # Errors
    /// [`SignError::Write`] when it cannot be written.
    pub(crate) fn end(self) -> Result<Staged, SignError> {
        let (uid, gid) = (self.like.uid(), self.like.gid());
        let own = self.file.metadata().map_err(SignError::write(&self.place))?;
        if (own.uid(), own.gid()) != (uid, gid) {
            // Only root may give files away. What others sign in a shared folder is theirs.
            let _ = std::os::unix::fs::fchown(&self.file, Some(uid), Some(gid));
        }
        let mode = Permissions::from_mode(self.like.mode() & 0o777);
        let done = self.file.set_permissions(mode).and_then(|()| self.file.sync_all());
        done.map_err(SignError::write(&self.place))?;
        Ok(Staged { path: self.path, called: self.called, place: self.place })
    }
}

impl Staged {
    /// Puts the file into its place, and returns the folder that it is in.
    ///
    /// # Errors
    /// When it cannot be renamed; it is removed then.
    pub(crate) fn place(self) -> io::Result<PathBuf> {
        let folder = folder(&self.place).to_owned();
        self.path.persist(&self.place).map_err(|error| error.error)?;
        Ok(folder)
    }
}

/// Makes new names in `folders` survive a power cut; not every file system can promise it.
pub(crate) fn keep_names<'a>(folders: impl IntoIterator<Item = &'a PathBuf>) {
    for folder in folders {
        if let Ok(folder) = File::open(folder) {
            let _ = folder.sync_all();
        }
    }
}

fn pump(
    data: &mut dyn Read,
    source: &Path,
    watch: &dyn Watch,
    mut sink: impl FnMut(&[u8]) -> Result<(), SignError>,
) -> Result<(), SignError> {
    let mut buffer = vec![0; CHUNK];
    loop {
        if watch.should_stop() {
            return Err(SignError::Cancelled);
        }
        match data.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(read) => sink(&buffer[..read])?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(SignError::read(source)(error)),
        }
    }
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
