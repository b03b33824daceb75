//! Platforms such as `linux/arm64`: what is built for and what builds.

use std::fmt;
use std::str::FromStr;

/// An operating system, a processor and its variant, in the words of OCI images.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Platform {
    /// Operating system, for example `linux`.
    pub os: String,
    /// Processor, for example `amd64`.
    pub arch: String,
    /// Variant, for example `v7`; empty for none.
    pub variant: String,
}

/// A text that names no platform.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a platform; write it as os/arch or os/arch/variant, for example linux/amd64")]
pub struct InvalidPlatform(pub String);

impl Platform {
    /// Returns `os/arch` without variant.
    pub fn new(os: &str, arch: &str) -> Self {
        Self { os: os.to_owned(), arch: arch.to_owned(), variant: String::new() }
    }
}

impl Default for Platform {
    /// Returns `linux/amd64`.
    fn default() -> Self {
        Self::new("linux", "amd64")
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.arch)?;
        if !self.variant.is_empty() {
            write!(f, "/{}", self.variant)?;
        }
        Ok(())
    }
}

impl FromStr for Platform {
    type Err = InvalidPlatform;

    /// Parses `os/arch[/variant]`; `x86_64`, `aarch64` and the like become the OCI names.
    fn from_str(text: &str) -> Result<Self, InvalidPlatform> {
        let invalid = || InvalidPlatform(text.to_owned());
        let ok = |part: &str| {
            !part.is_empty()
                && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'))
        };
        let parts: Vec<&str> = text.split('/').collect();
        let (os, arch, variant) = match parts[..] {
            [os, arch] if ok(os) && ok(arch) => (os, arch, ""),
            [os, arch, variant] if ok(os) && ok(arch) && ok(variant) => (os, arch, variant),
            _ => return Err(invalid()),
        };
        let arch = arch.to_ascii_lowercase();
        let (arch, variant) = match (arch.as_str(), variant) {
            ("x86_64" | "x86-64", variant) => ("amd64", variant),
            ("aarch64", "" | "v8") | ("arm64", "v8" | "8") => ("arm64", ""),
            ("aarch64", variant) => ("arm64", variant),
            ("armhf", _) => ("arm", "v7"),
            ("armel", _) => ("arm", "v6"),
            ("i386" | "i486" | "i586" | "i686" | "x86", variant) => ("386", variant),
            (arch, variant) => (arch, variant),
        };
        Ok(Self { os: os.to_ascii_lowercase(), arch: arch.to_owned(), variant: variant.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_and_prints() {
        for (text, expected) in [
            ("linux/amd64", "linux/amd64"),
            ("linux/x86_64", "linux/amd64"),
            ("Linux/aarch64", "linux/arm64"),
            ("linux/arm64/v8", "linux/arm64"),
            ("linux/arm/v7", "linux/arm/v7"),
            ("windows/amd64", "windows/amd64"),
        ] {
            assert_eq!(
                text.parse::<Platform>().map(|platform| platform.to_string()).as_deref(),
                Ok(expected)
            );
        }
        for text in ["", "linux", "linux/", "/amd64", "a/b/c/d", "linux/am d64"] {
            assert!(text.parse::<Platform>().is_err(), "{text}");
        }
    }
}
