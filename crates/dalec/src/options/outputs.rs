//! `-o` values: where results go.

mod embedded;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub use embedded::{EmbeddedImage, Place};

use super::fields;
use crate::errors::CommandError;
use crate::terminal::{self, Stream};

const FORM: &str = "write -o DIRECTORY, -o type=local,dest=DIRECTORY, -o type=tar,dest=FILE, -o - for a tar archive on \
                    standard output, -o type=oci,dest=FILE, -o type=docker,dest=FILE or \
                    -o type=image,name=NAME,push=true";

/// Where results go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// Into a directory.
    Directory(PathBuf),
    /// Into one tar archive.
    TarFile(PathBuf),
    /// Into one tar archive on standard output.
    TarStdout,
    /// Into an image.
    Image(ImageOutput),
}

/// An image, at a registry, in an archive or in a docker daemon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageOutput {
    /// What kind of image.
    pub kind: ImageKind,
    /// The archive: a file, or `-` for standard output; none when the image goes nowhere on this host.
    pub dest: Option<PathBuf>,
    /// Whether `dest` is the folder of an OCI layout instead.
    pub folder: bool,
    /// Everything else that is said about it, such as `name` and `push`.
    pub attrs: BTreeMap<String, String>,
}

/// A kind of image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImageKind {
    /// In the daemon's store, and from there at a registry.
    Image,
    /// An archive with an OCI layout.
    Oci,
    /// An archive as `docker load` takes it.
    Docker,
}

impl ImageKind {
    /// Returns the name as written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Oci => "oci",
            Self::Docker => "docker",
        }
    }
}

impl ImageOutput {
    /// Returns an image that is pushed.
    pub fn pushed() -> Self {
        let attrs = [("push".to_owned(), "true".to_owned())].into();
        Self { kind: ImageKind::Image, dest: None, folder: false, attrs }
    }

    /// Returns nothing if a `buildkitd` can write it.
    ///
    /// # Errors
    /// [`CommandError::Usage`] for a folder, which no exporter sends.
    pub fn check_remote(&self) -> Result<(), CommandError> {
        match self.folder {
            true => Err(CommandError::usage_help(
                "tar=false: images come from a buildkitd as one archive, not as a folder",
                "leave it out, or build with the embedded engine",
            )),
            false => Ok(()),
        }
    }

    /// Returns where it goes, in words: the path, or else its names.
    pub fn shown(&self) -> String {
        match &self.dest {
            Some(dest) => dest.display().to_string(),
            None => self.attrs.get("name").cloned().unwrap_or_default(),
        }
    }

    /// Names the image, unless it has a name.
    pub fn name(&mut self, tags: &[String]) {
        if !tags.is_empty() {
            self.attrs.entry("name".into()).or_insert_with(|| tags.join(","));
        }
    }
}

impl Destination {
    /// Reads a value of `-o`.
    ///
    /// # Errors
    /// [`CommandError::Usage`] for anything that is not a destination, or a terminal as one.
    pub fn parse(text: &str) -> Result<Self, CommandError> {
        let wrong = |what: &str| CommandError::usage_help(format!("-o {text}: {what}"), FORM);
        let fields = fields::split("-o", text)?;
        let (kind, dest) = match fields.as_slice() {
            [(dest, None)] if dest == "-" => ("tar".to_owned(), dest.clone()),
            [(dest, None)] => ("local".to_owned(), dest.clone()),
            fields => {
                if let Some(image) = image(fields, &wrong)? {
                    return Ok(Self::Image(image));
                }
                let (mut kind, mut dest) = (None, None);
                for (key, value) in fields {
                    match (key.as_str(), value) {
                        ("type", Some(value)) => kind = Some(value.clone()),
                        ("dest", Some(value)) => dest = Some(value.clone()),
                        (key, _) => return Err(wrong(&format!("there is no field `{key}`"))),
                    }
                }
                let kind = kind.ok_or_else(|| wrong("the type is missing"))?;
                let dest = match (kind.as_str(), dest) {
                    (_, Some(dest)) => dest,
                    ("tar", None) => "-".to_owned(),
                    (_, None) => return Err(wrong("the dest is missing")),
                };
                (kind, dest)
            }
        };
        match (kind.as_str(), dest.as_str()) {
            (_, "") => Err(wrong("the destination is empty")),
            ("local", "-") => Err(wrong("a directory cannot go to standard output")),
            ("local", dest) => Self::directory(dest.into()),
            ("tar", "-") if terminal::is_terminal(Stream::Stdout) => Err(CommandError::usage_help(
                "a tar archive on a terminal helps nobody",
                "send it on with `|` or `>`",
            )),
            ("tar", "-") => Ok(Self::TarStdout),
            ("tar", dest) if Path::new(dest).is_dir() => Err(wrong("it is a directory, not a file to write")),
            ("tar", dest) => Ok(Self::TarFile(dest.into())),
            (kind, _) => Err(wrong(&format!("the type `{kind}` is not supported"))),
        }
    }

    /// Returns where the result of `target` goes when several are built: directories get one folder per target.
    ///
    /// # Errors
    /// [`CommandError::Usage`] for an archive, which holds one result.
    pub fn for_one_of_several(&self, target: &str) -> Result<Self, CommandError> {
        match self {
            Self::Directory(dest) => Ok(Self::Directory(dest.join(folder_name(target)))),
            Self::TarFile(_) | Self::TarStdout => Err(CommandError::usage_help(
                "one tar archive cannot hold the results of several targets",
                "write to a directory, or build one target at a time",
            )),
            Self::Image(ImageOutput { folder: true, dest: Some(dest), kind, attrs }) => {
                let dest = Some(dest.join(folder_name(target)));
                Ok(Self::Image(ImageOutput { kind: *kind, dest, folder: true, attrs: attrs.clone() }))
            }
            Self::Image(_) => Err(CommandError::usage_help(
                "one image cannot hold the results of several targets",
                "build one target at a time",
            )),
        }
    }

    /// Returns whether it is an image.
    pub fn is_image(&self) -> bool {
        matches!(self, Self::Image(_))
    }

    /// Returns the image, if it is one.
    pub fn image_mut(&mut self) -> Option<&mut ImageOutput> {
        match self {
            Self::Image(image) => Some(image),
            Self::Directory(_) | Self::TarFile(_) | Self::TarStdout => None,
        }
    }

    /// Returns whether it is standard output.
    pub fn is_stdout(&self) -> bool {
        match self {
            Self::TarStdout => true,
            Self::Image(image) => image.dest.as_deref() == Some(Path::new("-")),
            Self::Directory(_) | Self::TarFile(_) => false,
        }
    }

    /// Returns the file or directory of this host that is written, if there is one.
    pub fn place(&self) -> Option<&Path> {
        match self {
            Self::Directory(dest) => Some(dest),
            Self::Image(ImageOutput { folder: true, dest, .. }) => dest.as_deref(),
            _ => self.file(),
        }
    }

    /// Returns the one file that is written, if that is what it is.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::TarFile(dest) => Some(dest),
            Self::Image(image) if !image.folder => {
                image.dest.as_deref().filter(|dest| *dest != Path::new("-"))
            }
            Self::Directory(_) | Self::TarStdout | Self::Image(_) => None,
        }
    }

    fn directory(dest: PathBuf) -> Result<Self, CommandError> {
        match std::fs::metadata(&dest) {
            Ok(found) if !found.is_dir() => {
                Err(CommandError::usage(format!("-o {}: it is a file, not a directory", dest.display())))
            }
            _ => Ok(Self::Directory(dest)),
        }
    }
}

/// Returns the image that `fields` ask for; none when they ask for something else.
fn image(
    fields: &[(String, Option<String>)],
    wrong: &dyn Fn(&str) -> CommandError,
) -> Result<Option<ImageOutput>, CommandError> {
    let kind = fields.iter().find_map(|(key, value)| value.as_deref().filter(|_| key == "type"));
    let (kind, push) = match kind {
        Some("image") => (ImageKind::Image, false),
        Some("registry") => (ImageKind::Image, true),
        Some("oci") => (ImageKind::Oci, false),
        Some("docker") => (ImageKind::Docker, false),
        _ => return Ok(None),
    };
    let mut image = ImageOutput { kind, dest: None, folder: false, attrs: BTreeMap::new() };
    if push {
        image.attrs.insert("push".into(), "true".into());
    }
    for (key, value) in fields {
        match (key.as_str(), value) {
            ("type", _) => {}
            (_, None) => return Err(wrong(&format!("`{key}` has no value"))),
            ("dest", Some(value)) => image.dest = Some(value.into()),
            ("tar", Some(value)) if kind != ImageKind::Image => match value.as_str() {
                "true" | "false" => image.folder = value == "false",
                _ => return Err(wrong("`tar` is true or false")),
            },
            (key, Some(value)) => drop(image.attrs.insert(key.to_owned(), value.clone())),
        }
    }
    match (kind, &image.dest) {
        (ImageKind::Image, Some(_)) => Err(wrong("an image has a name, not a dest")),
        (ImageKind::Oci, None) => Err(wrong("the dest is missing")),
        (_, Some(dest)) if image.folder && dest == Path::new("-") => {
            Err(wrong("a folder cannot go to standard output"))
        }
        (_, None) if image.folder => Err(wrong("the dest is missing")),
        (_, Some(dest)) if image.folder && dest.is_file() => {
            Err(wrong("it is a file, not a folder to write to"))
        }
        (_, Some(dest)) if dest == Path::new("-") && terminal::is_terminal(Stream::Stdout) => {
            Err(wrong("an archive on a terminal helps nobody"))
        }
        (_, Some(dest)) if !image.folder && dest.is_dir() => {
            Err(wrong("it is a directory, not a file to write"))
        }
        _ => Ok(Some(image)),
    }
}

/// Returns the folder for the result of one target, as platforms are written in folder names: `bookworm_deb`.
fn folder_name(target: &str) -> String {
    target.trim_matches('/').replace('/', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn destinations_are_written_as_for_buildx() {
        let parsed = |text: &str| Destination::parse(text).unwrap();
        let directory = Destination::Directory("no/such/out".into());
        assert_eq!(parsed("no/such/out"), directory);
        assert_eq!(parsed("type=local,dest=no/such/out"), directory);
        assert_eq!(parsed("dest=no/such/out,type=local"), directory);
        assert_eq!(parsed("type=tar,dest=out.tar"), Destination::TarFile("out.tar".into()));
        for text in [
            "",
            "type=local",
            "dest=out",
            "type=oci",
            "type=oci,dest=/",
            "type=oci,dest=-,tar=false",
            "type=docker,tar=false",
            "type=oci,dest=x,tar=no",
            "type=image,dest=x",
            "type=image,push",
            "type=local,dest=-",
            "type=tar,dest=/",
            "a=b",
            "/dev/null",
        ] {
            assert!(Destination::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn images_are_written_as_for_buildx() {
        let image = |text: &str| match Destination::parse(text).unwrap() {
            Destination::Image(image) => image,
            other => panic!("{other:?} is no image"),
        };
        let pushed = image("type=registry,name=example.org/a:1");
        assert_eq!((pushed.kind, pushed.attrs["push"].as_str()), (ImageKind::Image, "true"));
        let mut archive = image("type=oci,dest=out.tar,compression=zstd");
        assert_eq!(archive.dest, Some("out.tar".into()));
        assert_eq!(archive.attrs["compression"], "zstd");
        archive.name(&["a:1".to_owned(), "a:2".to_owned()]);
        assert_eq!(archive.attrs["name"], "a:1,a:2");
        let mut named = pushed.clone();
        named.name(&["b".to_owned()]);
        assert_eq!(named, pushed);
    }

    #[test]
    fn several_targets_get_a_folder_each() {
        let directory = Destination::Directory("out".into());
        assert_eq!(
            directory.for_one_of_several("bookworm/testing/container").unwrap(),
            Destination::Directory("out/bookworm_testing_container".into())
        );
        assert!(Destination::TarFile("out.tar".into()).for_one_of_several("a/b").is_err());
    }
}
