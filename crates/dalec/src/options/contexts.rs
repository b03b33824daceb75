//! `--build-context` values and the main context: what the build may read of this machine, and images by name.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use dalec_engine::Cancel;
use liblzma::stream::{CONCATENATED, Stream};

use crate::errors::CommandError;
use crate::observe::Base;
use crate::signals::Watch;

const FORM: &str = "write --build-context NAME=REFERENCE";
const KINDS: &str = "a context is a directory, a tar archive, docker-image://REFERENCE, oci-layout://PATH[:TAG][@DIGEST], \
                     the address of a git repository or an http URL";

/// Memory that xz gets: `xz -9` needs a quarter of it, and a few bytes can ask for gigabytes.
const XZ_MEMORY: u64 = 256 << 20;

/// Name of the context that holds the spec, as BuildKit's clients call it.
pub const SPEC_CONTEXT: &str = "dockerfile";

/// The contexts of a command line, in the words that the frontend and the engine use.
#[derive(Debug, Default)]
pub struct Contexts {
    /// Address of the main context, when it is to be fetched.
    pub main: Option<String>,
    /// `context:NAME` options of the request, by name.
    pub options: BTreeMap<String, String>,
    /// Directories by the name of their local source.
    pub local_dirs: BTreeMap<String, PathBuf>,
    /// Layout directories and image archives by store id.
    pub oci_layouts: BTreeMap<String, PathBuf>,
    /// Archives of files by the name of their context, before [`Contexts::unpack`].
    archives: BTreeMap<String, PathBuf>,
    /// Files to write by the name of their context: name and content of the one file in it.
    files: BTreeMap<String, (&'static str, String)>,
    /// Unpacked archives and written files; they are removed when this is dropped.
    pub(super) unpacked: Vec<tempfile::TempDir>,
}

impl Contexts {
    /// Reads the main context and the values of `--build-context`; archives of files are only looked into.
    ///
    /// # Errors
    /// [`CommandError::Usage`] for a kind of context that cannot be used, or one that is not there.
    pub fn read(main: &str, named: &[String]) -> Result<Self, CommandError> {
        let mut contexts = Self::default();
        match is_address(main) {
            true => contexts.main = Some(main.to_owned()),
            false => contexts.add("context", main)?,
        }
        for text in named {
            let (name, reference) =
                text.split_once('=').filter(|(name, _)| !name.is_empty()).ok_or_else(|| {
                    CommandError::usage_help(format!("--build-context {text}: it has no name"), FORM)
                })?;
            if name == SPEC_CONTEXT {
                return Err(CommandError::usage(format!(
                    "--build-context {text}: the name is the spec's own"
                )));
            }
            contexts.add(name, reference)?;
        }
        Ok(contexts)
    }

    /// Adds a context with one file, called `file`, which holds `text`.
    ///
    /// # Errors
    /// [`CommandError::Usage`] when there is a context `name`.
    pub fn add_file(&mut self, name: &str, file: &'static str, text: String) -> Result<(), CommandError> {
        if self.options.contains_key(name) {
            return Err(CommandError::usage(format!("--build-context {name}: the name is taken")));
        }
        self.files.insert(name.to_owned(), (file, text));
        self.options.insert(name.to_owned(), local_source(name));
        Ok(())
    }

    /// Unpacks the archives of files and writes what was added; from then on they are directories like others.
    ///
    /// # Errors
    /// When one cannot be unpacked or written, or `cancel` asks to stop; nothing is left of it then.
    pub fn unpack(&mut self, cancel: &Cancel, watch: &Watch) -> Result<(), CommandError> {
        for (name, path) in std::mem::take(&mut self.archives) {
            let folder = unpack(&path, cancel, watch)?;
            self.local_dirs.insert(name, folder.path().to_owned());
            self.unpacked.push(folder);
        }
        for (name, (file, text)) in std::mem::take(&mut self.files) {
            let folder = temporary(watch)?;
            let path = folder.path().join(file);
            std::fs::write(&path, text).map_err(|error| CommandError::unwritable(path, error))?;
            self.local_dirs.insert(name, folder.path().to_owned());
            self.unpacked.push(folder);
        }
        Ok(())
    }

    /// Returns the images that a build started from as people gave them: by the name of the context and its path.
    pub fn as_given(&self, mut bases: Vec<Base>) -> Vec<Base> {
        for base in &mut bases {
            let Some(stored) = base.reference.strip_prefix("oci-layout://") else { continue };
            let id = stored.split([':', '@']).next().unwrap_or_default();
            let Some(path) = self.oci_layouts.get(id) else { continue };
            let value = format!("oci-layout://{id}");
            let is_it = |given: &str| {
                given.strip_prefix(&value).is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '@']))
            };
            if let Some((name, _)) = self.options.iter().find(|(_, given)| is_it(given)) {
                base.reference.clone_from(name);
            }
            base.origin = format!("the build context {}", path.display());
        }
        bases
    }

    fn add(&mut self, name: &str, reference: &str) -> Result<(), CommandError> {
        let value = match kind(reference) {
            Kind::Address | Kind::Image => reference.to_owned(),
            Kind::Layout(layout) => self.layout(layout)?,
            Kind::Path => {
                let path = Path::new(reference);
                let found = std::fs::metadata(path).map_err(|error| missing(name, path, error))?;
                if found.is_dir() {
                    self.local(name, path.to_owned())
                } else if is_image_archive(path)? {
                    self.stored(path.to_owned(), "")
                } else {
                    self.archives.insert(name.to_owned(), path.to_owned());
                    local_source(name)
                }
            }
        };
        self.options.insert(name.to_owned(), value);
        Ok(())
    }

    fn local(&mut self, name: &str, path: PathBuf) -> String {
        self.local_dirs.insert(name.to_owned(), path);
        local_source(name)
    }

    /// Takes `PATH[:TAG][@DIGEST]`.
    fn layout(&mut self, text: &str) -> Result<String, CommandError> {
        let (rest, digest) = text.split_once('@').unwrap_or((text, ""));
        // A colon in a folder's name is no tag.
        let (path, tag) = match rest.rsplit_once(':') {
            Some((path, tag)) if !tag.contains('/') => (path, tag),
            _ => (rest, ""),
        };
        let found = std::fs::metadata(path);
        found.map_err(|error| CommandError::unreadable("OCI layout", Path::new(path), error))?;
        let mut suffix = String::new();
        if !tag.is_empty() {
            suffix = format!(":{tag}");
        }
        if !digest.is_empty() {
            suffix = format!("{suffix}@{digest}");
        }
        Ok(self.stored(path.into(), &suffix))
    }

    fn stored(&mut self, path: PathBuf, suffix: &str) -> String {
        let id = format!("context-{}", self.oci_layouts.len());
        let value = format!("oci-layout://{id}{suffix}");
        self.oci_layouts.insert(id, path);
        value
    }
}

fn local_source(name: &str) -> String {
    format!("local:{name}")
}

/// Returns whether a context is fetched from elsewhere: a git repository, or what is at a URL.
pub fn is_address(reference: &str) -> bool {
    matches!(kind(reference), Kind::Address)
}

enum Kind<'a> {
    /// Of a git repository, or a URL.
    Address,
    Image,
    Layout(&'a str),
    Path,
}

fn kind(reference: &str) -> Kind<'_> {
    let starts = |prefixes: &[&str]| prefixes.iter().any(|prefix| reference.starts_with(prefix));
    match reference.strip_prefix("oci-layout://") {
        Some(layout) => Kind::Layout(layout),
        None if starts(&["docker-image://"]) => Kind::Image,
        None if starts(&["http://", "https://"]) || dalec_frontend::is_git(reference) => Kind::Address,
        None => Kind::Path,
    }
}

fn missing(name: &str, path: &Path, error: std::io::Error) -> CommandError {
    let what = match name {
        "context" => "context directory".to_owned(),
        name => format!("directory or archive for the context `{name}`:"),
    };
    match CommandError::unreadable(&what, path, error) {
        CommandError::Usage { message, source, .. } => {
            CommandError::Usage { message, help: Some(KINDS.to_owned()), source }
        }
        other => other,
    }
}

/// Opens an archive, decompressing it as its first bytes say.
fn open(path: &Path) -> Result<tar::Archive<Box<dyn Read>>, CommandError> {
    let unreadable = |error| CommandError::unreadable("archive", path, error);
    let mut magic = Vec::new();
    File::open(path).and_then(|file| file.take(6).read_to_end(&mut magic)).map_err(unreadable)?;
    let file = BufReader::new(File::open(path).map_err(unreadable)?);
    let reader: Box<dyn Read> = match magic.as_slice() {
        [0x1f, 0x8b, ..] => Box::new(flate2::read::MultiGzDecoder::new(file)),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Box::new(zstd::Decoder::new(file).map_err(unreadable)?),
        [0xfd, b'7', b'z', b'X', b'Z', 0] => {
            let stream = Stream::new_stream_decoder(XZ_MEMORY, CONCATENATED);
            let stream = stream.map_err(|error| unreadable(error.into()))?;
            Box::new(liblzma::read::XzDecoder::new_stream(file, stream))
        }
        _ => Box::new(file),
    };
    Ok(tar::Archive::new(reader))
}

/// Returns whether an archive holds an image (OCI layout or `docker save`), not plain files.
fn is_image_archive(path: &Path) -> Result<bool, CommandError> {
    // What the archive reader says of other files helps nobody.
    let broken = |_| {
        let message = format!("the context {} is neither a directory nor a tar archive", path.display());
        CommandError::usage_help(message, KINDS)
    };
    let mut archive = open(path)?;
    for entry in archive.entries().map_err(broken)? {
        let entry = entry.map_err(broken)?;
        let name = entry.path_bytes();
        let name = name.strip_prefix(b"./").unwrap_or(&name);
        if matches!(name, b"oci-layout" | b"manifest.json") {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Returns an empty folder for one context.
fn temporary(watch: &Watch) -> Result<tempfile::TempDir, CommandError> {
    let folder = tempfile::Builder::new()
        .prefix("dalec-context-")
        .tempdir()
        .map_err(|error| CommandError::unwritable(std::env::temp_dir(), error))?;
    watch.remove_when_killed(folder.path());
    Ok(folder)
}

/// Unpacks an archive into a folder of its own; nothing in it can reach outside of that folder.
pub(super) fn unpack(path: &Path, cancel: &Cancel, watch: &Watch) -> Result<tempfile::TempDir, CommandError> {
    let folder = temporary(watch)?;
    let reader = Stoppable { reader: open(path)?.into_inner(), cancel };
    let mut archive = tar::Archive::new(reader);
    archive.set_preserve_permissions(true);
    archive.set_preserve_mtime(false);
    archive.unpack(folder.path()).map_err(|error| {
        let message = format!("cannot unpack the context {}", path.display());
        CommandError::Usage { message, help: None, source: Some(error.into()) }
    })?;
    Ok(folder)
}

/// Reads until the build is cancelled.
struct Stoppable<'a> {
    reader: Box<dyn Read>,
    cancel: &'a Cancel,
}

impl Read for Stoppable<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.cancel.is_cancelled() {
            return Err(std::io::Error::other("the build was cancelled"));
        }
        self.reader.read(buffer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archive(folder: &Path, name: &str, files: &[(&str, &str)]) -> String {
        let path = folder.join(name);
        let mut builder = tar::Builder::new(File::create(&path).unwrap());
        for (name, content) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(0o755);
            builder.append_data(&mut header, name, content.as_bytes()).unwrap();
        }
        builder.finish().unwrap();
        path.display().to_string()
    }

    #[test]
    fn every_kind_of_context_becomes_an_option() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().display().to_string();
        let files = archive(folder.path(), "files.tar", &[("a/b", "text")]);
        let image = archive(folder.path(), "image.tar", &[("oci-layout", "{}")]);
        let named = [
            format!("dir={dir}"),
            format!("files={files}"),
            format!("image={image}"),
            format!("layout=oci-layout://{dir}:v1@sha256:00"),
            "base=docker-image://debian:bookworm".to_owned(),
            "url=https://example.org/a.tar.gz".to_owned(),
            "git=git@example.org:a.git#v1".to_owned(),
        ];
        let mut contexts = Contexts::read(&dir, &named).unwrap();
        contexts.unpack(&Cancel::new(), &Watch::default()).unwrap();
        let options: Vec<String> =
            contexts.options.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(
            options,
            [
                "base=docker-image://debian:bookworm",
                "context=local:context",
                "dir=local:dir",
                "files=local:files",
                "git=git@example.org:a.git#v1",
                "image=oci-layout://context-0",
                "layout=oci-layout://context-1:v1@sha256:00",
                "url=https://example.org/a.tar.gz",
            ]
        );
        let base = |reference: &str| Base {
            reference: reference.into(),
            packages: 0,
            platform: String::new(),
            digest: "sha256:00".into(),
            origin: "BuildKit".into(),
        };
        let given = contexts.as_given(vec![base("oci-layout://context-1:v1@sha256:00"), base("debian:12")]);
        let given: Vec<String> =
            given.into_iter().map(|base| format!("{}: {}", base.reference, base.origin)).collect();
        assert_eq!(given, [format!("layout: the build context {dir}"), "debian:12: BuildKit".to_owned()]);
        let unpacked = contexts.local_dirs["files"].clone();
        assert_eq!(std::fs::read_to_string(unpacked.join("a/b")).unwrap(), "text");
        drop(contexts);
        assert!(!unpacked.exists());
    }

    #[test]
    fn archives_are_unpacked_only_while_signals_are_watched() {
        let folder = tempfile::tempdir().unwrap();
        let files = archive(folder.path(), "files.tar", &[("a", "text")]);
        let mut contexts = Contexts::read(&files, &[]).unwrap();
        assert!(contexts.unpacked.is_empty());
        let cancel = Cancel::new();
        cancel.cancel();
        let watch = Watch::default();
        assert!(contexts.unpack(&cancel, &watch).is_err());
        let [unpacked] = watch.leftovers().try_into().unwrap();
        assert!(!unpacked.exists());
    }

    #[test]
    fn a_main_context_elsewhere_is_no_option_of_a_context() {
        for address in ["https://example.org/x.git#main", "git@example.org:x", "https://example.org/a.tar"] {
            let contexts = Contexts::read(address, &[]).unwrap();
            assert_eq!((contexts.main.as_deref(), contexts.options.len()), (Some(address), 0));
        }
    }

    #[test]
    fn what_cannot_be_a_context_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let text = folder.path().join("text");
        std::fs::write(&text, "no archive at all").unwrap();
        assert!(Contexts::read("/nowhere/at/all", &[]).is_err());
        assert!(Contexts::read(&text.display().to_string(), &[]).is_err());
        assert!(Contexts::read(".", &["nameless".to_owned()]).is_err());
    }
}
