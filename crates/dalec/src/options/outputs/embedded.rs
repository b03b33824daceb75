//! Images as the embedded engine writes them: the fields of `-o` that it knows, in its own words.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use dalec_engine::ImageOptions;
use dalec_engine::export::oci::{Flavor, Naming};
use dalec_engine::oci::{Compression, Reference};
use dalec_engine::tarball::Times;

use super::{ImageKind, ImageOutput};
use crate::errors::CommandError;

/// What the fields are, for hints.
const FIELDS: &str = "name, dest, tar, push, push-by-digest, compression, compression-level, force-compression, \
                      oci-mediatypes, rewrite-timestamp, annotation.KEY, annotation-manifest.KEY and annotation-index.KEY";

/// An image as the embedded engine writes it.
#[derive(Debug)]
pub struct EmbeddedImage {
    /// What the image is like.
    pub options: ImageOptions,
    /// Where it goes.
    pub place: Place,
}

/// Where an image goes.
#[derive(Debug, PartialEq, Eq)]
pub enum Place {
    /// Into an archive, `-` for standard output.
    Archive(PathBuf),
    /// Into the directory of an OCI layout.
    Layout(PathBuf),
    /// To the registries of its names.
    Registry(Naming),
}

impl EmbeddedImage {
    /// Reads what is said about `image`; `epoch` is `SOURCE_DATE_EPOCH`, which no file of the build is newer than.
    ///
    /// # Errors
    /// [`CommandError::Usage`] for a field or a value that the embedded engine does not know.
    pub fn read(image: &ImageOutput, epoch: Option<i64>) -> Result<Self, CommandError> {
        let mut fields = Fields { image, epoch, push: false, naming: Naming::Tag };
        let mut options = ImageOptions {
            flavor: if image.kind == ImageKind::Docker { Flavor::Docker } else { Flavor::Oci },
            names: Vec::new(),
            compression: Compression::Gzip,
            level: None,
            force_compression: false,
            times: epoch.map_or(Times::Keep, Times::Clamp),
            annotations: BTreeMap::new(),
            index_annotations: BTreeMap::new(),
        };
        for (key, value) in &image.attrs {
            fields.take(key, value, &mut options)?;
        }
        let place = fields.place(&options)?;
        Ok(Self { options, place })
    }
}

struct Fields<'a> {
    image: &'a ImageOutput,
    epoch: Option<i64>,
    push: bool,
    naming: Naming,
}

impl Fields<'_> {
    fn take(&mut self, key: &str, value: &str, options: &mut ImageOptions) -> Result<(), CommandError> {
        match key {
            "name" => options.names = self.names(value)?,
            "push" => self.push = self.flag(key, value)?,
            "push-by-digest" if self.flag(key, value)? => self.naming = Naming::Digest,
            "push-by-digest" => {}
            "compression" => options.compression = compression(value)?,
            "compression-level" => {
                let level = value.parse().map_err(|_| self.wrong(&format!("{value:?} is no level")))?;
                options.level = Some(level);
            }
            "force-compression" => options.force_compression = self.flag(key, value)?,
            "oci-mediatypes" => {
                options.flavor = if self.flag(key, value)? { Flavor::Oci } else { Flavor::Docker };
                let fixed = match self.image.kind {
                    ImageKind::Image => options.flavor,
                    ImageKind::Oci => Flavor::Oci,
                    ImageKind::Docker => Flavor::Docker,
                };
                if fixed != options.flavor {
                    return Err(self.wrong("its media types are what makes the type"));
                }
            }
            "rewrite-timestamp" => {
                let wanted = self.flag(key, value)?;
                options.times = match (wanted, self.epoch) {
                    (false, _) => Times::Keep,
                    (true, Some(epoch)) => Times::Clamp(epoch),
                    (true, None) => {
                        return Err(self.wrong("`rewrite-timestamp` needs --build-arg SOURCE_DATE_EPOCH"));
                    }
                };
            }
            key => self.annotate(key, value, options)?,
        }
        Ok(())
    }

    fn annotate(&self, key: &str, value: &str, options: &mut ImageOptions) -> Result<(), CommandError> {
        let of = |prefix: &str| key.strip_prefix(prefix).filter(|name| !name.is_empty());
        if let Some(name) = of("annotation.").or_else(|| of("annotation-manifest.")) {
            options.annotations.insert(name.to_owned(), value.to_owned());
            return Ok(());
        }
        if let Some(name) = of("annotation-index.") {
            options.index_annotations.insert(name.to_owned(), value.to_owned());
            return Ok(());
        }
        Err(CommandError::usage_help(
            format!("-o type={}: the embedded engine knows no field `{key}`", self.image.kind.name()),
            format!("it knows {FIELDS}; with --engine buildkit, BuildKit's exporters know more"),
        ))
    }

    fn place(&self, options: &ImageOptions) -> Result<Place, CommandError> {
        match (self.image.kind, &self.image.dest) {
            (ImageKind::Image, _) if !self.push => Err(CommandError::usage_help(
                "-o type=image: the embedded engine keeps no images for others to run",
                "push it with push=true, or write it with type=oci,dest=FILE or type=docker,dest=FILE",
            )),
            (ImageKind::Image, _) if options.names.is_empty() => Err(CommandError::usage_help(
                "the image that is to be pushed has no name",
                "name it with --tag",
            )),
            (ImageKind::Image, _) => Ok(Place::Registry(self.naming)),
            _ if self.push || self.naming == Naming::Digest => Err(self.wrong("only type=image is pushed")),
            (ImageKind::Docker, None) => Err(CommandError::usage_help(
                "-o type=docker: the embedded engine does not talk to a docker daemon",
                "write type=docker,dest=- and send it on with `| docker load`",
            )),
            (_, dest) => {
                let dest = dest.as_deref().unwrap_or(Path::new("-")).to_owned();
                Ok(if self.image.folder { Place::Layout(dest) } else { Place::Archive(dest) })
            }
        }
    }

    fn names(&self, value: &str) -> Result<Vec<Reference>, CommandError> {
        let name = |text: &str| {
            let name: Reference = text.trim().parse().map_err(|error| self.wrong(&format!("{error}")))?;
            match name.digest() {
                Some(_) => {
                    Err(self.wrong(&format!("the name {text:?} has a digest, which the image decides")))
                }
                None => Ok(name),
            }
        };
        value.split(',').filter(|text| !text.is_empty()).map(name).collect()
    }

    fn flag(&self, key: &str, value: &str) -> Result<bool, CommandError> {
        match value {
            "true" | "1" => Ok(true),
            "false" | "0" => Ok(false),
            other => Err(self.wrong(&format!("`{key}` is true or false, not {other:?}"))),
        }
    }

    fn wrong(&self, what: &str) -> CommandError {
        CommandError::usage(format!("-o type={}: {what}", self.image.kind.name()))
    }
}

fn compression(value: &str) -> Result<Compression, CommandError> {
    match value {
        "uncompressed" => Ok(Compression::None),
        "gzip" => Ok(Compression::Gzip),
        "zstd" => Ok(Compression::Zstd),
        other => Err(CommandError::usage_help(
            format!("-o: there is no compression {other:?}"),
            "the embedded engine knows uncompressed, gzip and zstd",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::outputs::Destination;

    fn read(text: &str, epoch: Option<i64>) -> Result<EmbeddedImage, CommandError> {
        match Destination::parse(text).unwrap() {
            Destination::Image(image) => EmbeddedImage::read(&image, epoch),
            other => panic!("{other:?} is no image"),
        }
    }

    #[test]
    fn fields_are_those_of_buildx() {
        let image = read(
            "type=image,\"name=example.org/a:1,b\",push=true,compression=zstd,compression-level=19,\
             force-compression=true,oci-mediatypes=false,annotation.k=v,annotation-index.i=w",
            None,
        )
        .unwrap();
        let names: Vec<String> = image.options.names.iter().map(Reference::to_string).collect();
        assert_eq!(names, ["example.org/a:1", "docker.io/library/b:latest"]);
        assert_eq!((image.options.compression, image.options.level), (Compression::Zstd, Some(19)));
        assert_eq!((image.options.flavor, image.options.force_compression), (Flavor::Docker, true));
        assert_eq!((&*image.options.annotations["k"], &*image.options.index_annotations["i"]), ("v", "w"));
        assert_eq!(image.place, Place::Registry(Naming::Tag));
        let place = |text: &str| read(text, None).unwrap().place;
        assert_eq!(place("type=registry,name=a,push-by-digest=true"), Place::Registry(Naming::Digest));
        assert_eq!(place("type=docker,dest=a.tar"), Place::Archive("a.tar".into()));
        assert_eq!(place("type=oci,dest=no/such,tar=false"), Place::Layout("no/such".into()));
    }

    #[test]
    fn no_file_is_newer_than_the_epoch_unless_that_is_wanted() {
        let times = |text: &str, epoch| read(text, epoch).unwrap().options.times;
        assert_eq!(times("type=oci,dest=x", None), Times::Keep);
        assert_eq!(times("type=oci,dest=x", Some(7)), Times::Clamp(7));
        assert_eq!(times("type=oci,dest=x,rewrite-timestamp=false", Some(7)), Times::Keep);
        assert!(read("type=oci,dest=x,rewrite-timestamp=true", None).is_err());
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for text in [
            "type=image,name=a",
            "type=image,push=true",
            "type=image,push=yes,name=a",
            "type=image,push=true,name=A",
            "type=image,push=true,name=a@sha256:0000000000000000000000000000000000000000000000000000000000000000",
            "type=docker",
            "type=docker,dest=x,oci-mediatypes=true",
            "type=oci,dest=x,push=true",
            "type=oci,dest=x,compression=estargz",
            "type=oci,dest=x,compression-level=high",
            "type=oci,dest=x,unpack=true",
            "type=oci,dest=x,annotation.=v",
        ] {
            assert_eq!(read(text, Some(0)).unwrap_err().exit().code(), 2, "{text}");
        }
    }
}
