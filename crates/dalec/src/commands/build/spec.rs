//! The spec of a build: where it is, and the folder that the build gets it from.

use std::path::{Path, PathBuf};

use dalec_spec::{RawSpec, SourceText};

use crate::errors::{CommandError, SpecName};
use crate::options::contexts::is_address;
use crate::signals::Watch;
use crate::spec_file::{DEFAULT_NAMES, SpecFile};

/// The spec that is to be built.
pub(super) struct Spec {
    pub(super) name: SpecName,
    text: SpecText,
}

enum SpecText {
    /// In the main context, which is fetched.
    InContext,
    /// In a file of this folder.
    InFolder(PathBuf),
    /// Came through standard input.
    Read(Vec<u8>),
}

/// A directory with the spec in it, which is how frontends get it.
pub(super) enum SpecFolder {
    /// There is none: the frontend finds the spec.
    Elsewhere,
    Found(PathBuf),
    /// Goes with this value.
    Made(tempfile::TempDir),
}

impl SpecFolder {
    /// Returns the folder, if there is one.
    pub(super) fn path(&self) -> Option<&Path> {
        match self {
            Self::Elsewhere => None,
            Self::Found(path) => Some(path),
            Self::Made(folder) => Some(folder.path()),
        }
    }
}

impl Spec {
    /// Finds the spec for the main context `context`, and opens it to see that it can be read.
    ///
    /// A context that is fetched holds the spec, as with docker; then only an absolute path and `-` are files here. One
    /// that is a directory may hold it.
    pub(super) fn find(given: Option<&str>, context: &str) -> Result<Self, CommandError> {
        let is_here = given.is_some_and(|given| given == "-" || Path::new(given).is_absolute());
        if is_address(context) && !is_here {
            let name = given.unwrap_or(DEFAULT_NAMES[0]).to_owned();
            let name = SpecName { shown: name.clone(), in_build: name };
            return Ok(Self { name, text: SpecText::InContext });
        }
        let context = Some(Path::new(context)).filter(|folder| folder.is_dir() && *folder != Path::new("."));
        let file = SpecFile::find(given, context)?;
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

    /// Returns the folder with the spec, if it is a file here.
    pub(super) fn own_folder(&self) -> Option<&Path> {
        match &self.text {
            SpecText::InFolder(folder) => Some(folder),
            _ => None,
        }
    }

    /// Returns whether the spec is on this machine.
    pub(super) fn is_here(&self) -> bool {
        !matches!(self.text, SpecText::InContext)
    }

    /// Returns the spec as it is written, as far as it can be read here.
    pub(super) fn raw(&self) -> Option<RawSpec> {
        let bytes = match &self.text {
            SpecText::InContext => return None,
            SpecText::InFolder(folder) => std::fs::read(folder.join(&self.name.in_build)).ok()?,
            SpecText::Read(text) => text.clone(),
        };
        dalec_spec::load(&SourceText::from_bytes(&self.name.shown, bytes).ok()?).raw
    }

    /// Returns the folder of the spec, if it is here; made for one that came through standard input.
    pub(super) fn folder(&self, watch: &Watch) -> Result<SpecFolder, CommandError> {
        let text = match &self.text {
            SpecText::InContext => return Ok(SpecFolder::Elsewhere),
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
    fn a_context_that_is_fetched_holds_the_spec() {
        let git = "https://example.org/a.git";
        let spec = Spec::find(None, git).unwrap();
        assert!(spec.name.in_build == "dalec.yml" && !spec.is_here());
        assert_eq!(Spec::find(Some("sub/spec.yml"), git).unwrap().name.in_build, "sub/spec.yml");
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("spec.yml");
        std::fs::write(&path, "name: hello\n").unwrap();
        assert!(Spec::find(path.to_str(), git).unwrap().is_here());
    }

    #[test]
    fn a_directory_may_hold_the_spec() {
        let folder = tempfile::tempdir().unwrap();
        let context = folder.path().to_str().unwrap();
        let missing = Spec::find(None, context).map(drop).unwrap_err().headline();
        assert!(missing.contains(context) && missing.contains("here"), "{missing}");
        let path = folder.path().join("dalec.yaml");
        std::fs::write(&path, "name: hello\n").unwrap();
        let found = Spec::find(None, context).unwrap();
        assert_eq!(
            (found.name.shown.as_str(), found.name.in_build.as_str()),
            (path.to_str().unwrap(), "dalec.yaml")
        );
    }

    #[test]
    fn a_spec_of_standard_input_is_a_file_only_while_signals_are_watched() {
        let name = SpecName { in_build: "spec.yml".into(), shown: "<stdin>".into() };
        let spec = Spec { name, text: SpecText::Read(b"name: hello\n".to_vec()) };
        let watch = Watch::default();
        let folder = spec.folder(&watch).unwrap();
        let path = folder.path().unwrap().to_owned();
        assert_eq!(watch.leftovers(), std::slice::from_ref(&path));
        assert_eq!(std::fs::read(path.join("spec.yml")).unwrap(), b"name: hello\n");
        drop(folder);
        assert!(!path.exists());
    }
}
