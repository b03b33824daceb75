//! Platforms of images: operating system, architecture, variant, in the spelling of Go.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// A platform with the usual names: `x86_64` is `amd64`, `aarch64` is `arm64`, and `arm64` has no variant unless it is not `v8`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Platform {
    /// Operating system, for example `linux`.
    pub os: String,
    /// Architecture, for example `amd64`.
    pub architecture: String,
    /// Variant, for example `v7`; empty for none.
    pub variant: String,
}

/// A text is not a platform.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{text:?} is not a platform: expected os/architecture[/variant]")]
pub struct BadPlatform {
    /// The text.
    pub text: String,
}

impl Platform {
    /// Returns a platform with its names normalised.
    pub fn new(os: &str, architecture: &str, variant: &str) -> Self {
        let architecture = architecture.to_ascii_lowercase();
        let variant = variant.to_ascii_lowercase();
        let (architecture, variant) = match (architecture.as_str(), variant.as_str()) {
            ("x86_64" | "x86-64" | "amd64", "" | "v1") => ("amd64", ""),
            ("x86_64" | "x86-64", variant) => ("amd64", variant),
            ("i386" | "i686", _) => ("386", ""),
            ("aarch64" | "arm64", "" | "8" | "v8") => ("arm64", ""),
            ("aarch64", variant) => ("arm64", variant),
            ("armhf", _) | ("arm", "" | "7") => ("arm", "v7"),
            ("armel", _) | ("arm", "6") => ("arm", "v6"),
            (architecture, variant) => (architecture, variant),
        };
        Self {
            os: os.to_ascii_lowercase(),
            architecture: architecture.to_owned(),
            variant: variant.to_owned(),
        }
    }

    /// Returns the platform this machine runs.
    pub fn host() -> Self {
        let architecture = match std::env::consts::ARCH {
            "powerpc64" => "ppc64le",
            other => other,
        };
        Self::new("linux", architecture, "")
    }

    /// Returns how well an image for `image` runs here: 0 is best, `None` not at all.
    ///
    /// An ARM machine also runs images of lower variants, an `amd64` machine those without a variant.
    pub fn preference(&self, image: &Self) -> Option<u32> {
        if self.os != image.os || self.architecture != image.architecture {
            return None;
        }
        if self.variant == image.variant {
            return Some(0);
        }
        let level = |variant: &str| variant.trim_start_matches('v').parse::<u32>().ok();
        match (level(&self.variant), level(&image.variant)) {
            (Some(own), Some(other)) if other < own => Some(own - other),
            (Some(_), None) if image.variant.is_empty() => Some(u32::MAX),
            _ => None,
        }
    }
}

impl FromStr for Platform {
    type Err = BadPlatform;

    fn from_str(text: &str) -> Result<Self, BadPlatform> {
        let parts: Vec<&str> = text.split('/').collect();
        let word = |part: &&str| {
            part.starts_with(|first: char| first.is_ascii_alphanumeric())
                && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
        };
        match parts[..] {
            [os, architecture] if parts.iter().all(word) => Ok(Self::new(os, architecture, "")),
            [os, architecture, variant] if parts.iter().all(word) => Ok(Self::new(os, architecture, variant)),
            _ => Err(BadPlatform { text: text.to_owned() }),
        }
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.os, self.architecture)?;
        if !self.variant.is_empty() {
            write!(formatter, "/{}", self.variant)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn platform(text: &str) -> Platform {
        text.parse().unwrap()
    }

    #[test]
    fn names_are_normalised() {
        for (text, expected) in [
            ("linux/x86_64", "linux/amd64"),
            ("linux/arm64/v8", "linux/arm64"),
            ("linux/aarch64", "linux/arm64"),
            ("linux/arm", "linux/arm/v7"),
            ("Windows/AMD64", "windows/amd64"),
            ("linux/amd64/v3", "linux/amd64/v3"),
        ] {
            assert_eq!(platform(text).to_string(), expected);
        }
        for bad in ["linux", "", "linux/", "a/b/c/d", "linux/../x", "linux/a b"] {
            assert!(bad.parse::<Platform>().is_err(), "{bad}");
        }
    }

    #[test]
    fn lower_variants_run_but_higher_ones_do_not() {
        let preference = |own: &str, image: &str| platform(own).preference(&platform(image));
        assert_eq!(preference("linux/arm/v7", "linux/arm/v7"), Some(0));
        assert_eq!(preference("linux/arm/v7", "linux/arm/v6"), Some(1));
        assert_eq!(preference("linux/arm/v6", "linux/arm/v7"), None);
        assert_eq!(preference("linux/amd64", "linux/amd64/v3"), None);
        assert_eq!(preference("linux/amd64/v3", "linux/amd64"), Some(u32::MAX));
        assert_eq!(preference("linux/amd64", "windows/amd64"), None);
    }
}
