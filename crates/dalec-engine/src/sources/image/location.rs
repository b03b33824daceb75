//! Where an image is, in the spelling of build contexts.

use std::path::PathBuf;

use super::ImageError;
use crate::oci::{Digest, Reference};

/// Where an image is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// In a registry.
    Registry(Reference),
    /// In a directory or archive of this machine.
    Local(LocalImage),
}

/// An image in an OCI layout directory, an OCI archive or an archive of `docker save`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalImage {
    /// The directory or archive.
    pub path: PathBuf,
    /// Which of its images, by tag or full name; none for the only one, or the one called `latest`.
    pub name: Option<String>,
    /// Which of its images, by digest.
    pub digest: Option<Digest>,
}

impl Location {
    /// Reads `docker-image://REFERENCE`, or one of `oci-layout://`, `oci-archive:` and `docker-archive:` with
    /// `PATH[:TAG][@DIGEST]`.
    ///
    /// # Errors
    /// When `text` is none of these, or its reference is malformed.
    pub fn parse(text: &str) -> Result<Self, ImageError> {
        if let Some(reference) = text.strip_prefix("docker-image://") {
            return Ok(Self::Registry(reference.parse()?));
        }
        let schemes = ["oci-layout://", "oci-archive:", "docker-archive:"];
        match schemes.iter().find_map(|scheme| text.strip_prefix(scheme)) {
            Some("") => Err(ImageError::Location { text: text.to_owned(), reason: "its path is missing" }),
            Some(rest) => Ok(Self::Local(LocalImage::parse(rest))),
            None => Err(ImageError::Location {
                text: text.to_owned(),
                reason: "expected docker-image://, oci-layout://, oci-archive: or docker-archive:",
            }),
        }
    }
}

impl LocalImage {
    /// Reads `PATH[:TAG][@DIGEST]`; what could be part of the path is part of the path.
    fn parse(text: &str) -> Self {
        let with_digest = text.rsplit_once('@').and_then(|(rest, digest)| Some((rest, digest.parse().ok()?)));
        let (rest, digest) = match with_digest {
            Some((rest, digest)) => (rest, Some(digest)),
            None => (text, None),
        };
        let (path, name) = match rest.rsplit_once(':') {
            Some((path, tag)) if !path.is_empty() && !tag.is_empty() && !tag.contains('/') => {
                (path, Some(tag.to_owned()))
            }
            _ => (rest, None),
        };
        Self { path: PathBuf::from(path), name, digest }
    }
}

impl std::fmt::Display for Location {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Registry(reference) => reference.fmt(formatter),
            Self::Local(image) => {
                write!(formatter, "{}", image.path.display())?;
                if let Some(name) = &image.name {
                    write!(formatter, ":{name}")?;
                }
                if let Some(digest) = &image.digest {
                    write!(formatter, "@{digest}")?;
                }
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_are_read() {
        let digest = Digest::sha256_of(b"x");
        let local = |text: &str| match Location::parse(text).unwrap() {
            Location::Local(image) => (image.path.display().to_string(), image.name, image.digest),
            Location::Registry(reference) => panic!("{reference}"),
        };
        assert_eq!(local("oci-layout:///a/b"), ("/a/b".into(), None, None));
        assert_eq!(local("oci-layout://b:t"), ("b".into(), Some("t".into()), None));
        assert_eq!(
            local(&format!("oci-archive:/a:b/c:t@{digest}")),
            ("/a:b/c".into(), Some("t".into()), Some(digest))
        );
        assert_eq!(local("docker-archive:/a:b/c@d"), ("/a:b/c@d".into(), None, None));
        let image = Location::parse("docker-image://debian").unwrap();
        assert_eq!(image.to_string(), "docker.io/library/debian:latest");
        assert!(Location::parse("oci-layout://").is_err());
        assert!(Location::parse("debian").is_err());
        assert!(Location::parse("docker-image://-").is_err());
    }
}
