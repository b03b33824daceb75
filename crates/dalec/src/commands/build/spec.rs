//! The spec of a build: where it is, and the folder that the build gets it from.

use std::path::{Path, PathBuf};

use dalec_spec::{RawSpec, SourceText};

use crate::errors::{CommandError, SpecName};
use crate::signals::Watch;
use crate::spec_file::SpecFile;

/// The spec that is to be built.
pub(super) struct Spec {
    pub(super) name: SpecName,
    text: SpecText,
}

enum SpecText {
    /// In a file of this folder.
    InFolder(PathBuf),
    /// Came through standard input.
    Read(Vec<u8>),
}

/// A directory with the spec in it, which is how frontends get it.
pub(super) enum SpecFolder {
    Found(PathBuf),
    /// Goes with this value.
    Made(tempfile::TempDir),
}

impl SpecFolder {
    /// Returns the folder.
    pub(super) fn path(&self) -> &Path {
        match self {
            Self::Found(path) => path,
            Self::Made(folder) => folder.path(),
        }
    }
}

impl Spec {
    /// Finds the spec, and opens it to see that it can be read.
    pub(super) fn find(given: Option<&str>) -> Result<Self, CommandError> {
        let file = SpecFile::find(given)?;
        let shown = file.shown();
        let SpecFile::Path(path) = &file else {
            let name = SpecName { in_build: "spec.yml".to_owned(), shown };
            return Ok(Self { name, text: SpecText::Read(file.bytes()?) });
        };
        // Opening tells what the frontend could only say less clearly.
        std::fs::File::open(path).map_err(|error| CommandError::unreadable("spec", path, error))?;
        let name = path.file_name().filter(|_| path.is_file());
        let Some(name) = name else {
            return Err(CommandError::usage(format!("the spec {shown} is not a file")));
        };
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        Ok(Self {
            name: SpecName { in_build: name.to_string_lossy().into_owned(), shown },
            text: SpecText::InFolder(folder.to_owned()),
        })
    }

    /// Returns the spec as it is written, as far as it can be read here.
    pub(super) fn raw(&self) -> Option<RawSpec> {
        let bytes = match &self.text {
            SpecText::InFolder(folder) => std::fs::read(folder.join(&self.name.in_build)).ok()?,
            SpecText::Read(text) => text.clone(),
        };
        dalec_spec::load(&SourceText::from_bytes(&self.name.shown, bytes).ok()?).raw
    }

    /// Returns the folder of the spec, made for one that came through standard input.
    pub(super) fn folder(&self, watch: &Watch) -> Result<SpecFolder, CommandError> {
        let text = match &self.text {
            SpecText::InFolder(folder) => return Ok(SpecFolder::Found(folder.clone())),
            SpecText::Read(text) => text,
        };
        let made = tempfile::Builder::new().prefix("dalec-spec-").tempdir();
        let made = made.map_err(|error| CommandError::unwritable(std::env::temp_dir(), error))?;
        watch.remove_when_killed(made.path());
        let path = made.path().join(&self.name.in_build);
        std::fs::write(&path, text).map_err(|error| CommandError::unwritable(path, error))?;
        Ok(SpecFolder::Made(made))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spec_of_standard_input_is_a_file_only_while_signals_are_watched() {
        let name = SpecName { in_build: "spec.yml".into(), shown: "<stdin>".into() };
        let spec = Spec { name, text: SpecText::Read(b"name: hello\n".to_vec()) };
        let watch = Watch::default();
        let folder = spec.folder(&watch).unwrap();
        let path = folder.path().to_owned();
        assert_eq!(watch.leftovers(), std::slice::from_ref(&path));
        assert_eq!(std::fs::read(path.join("spec.yml")).unwrap(), b"name: hello\n");
        drop(folder);
        assert!(!path.exists());
    }
}
