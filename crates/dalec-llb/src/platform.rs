//! The platform an op runs on or an image is for.

use std::fmt;

use bollard_buildkit_proto::pb;

/// An operating system and architecture in the names that OCI images use.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Platform {
    /// Operating system, for example `linux`.
    pub os: String,
    /// Architecture, for example `amd64`.
    pub architecture: String,
    /// Variant, for example `v7`; empty for none.
    pub variant: String,
}

impl Platform {
    /// Returns `linux` on `architecture`.
    pub fn linux(architecture: &str) -> Self {
        Self {
            os: "linux".into(),
            architecture: architecture.into(),
            variant: String::new(),
        }
    }

    /// Returns the platform of the machine this program was built for.
    pub fn host() -> Self {
        let architecture = match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            "x86" => "386",
            other => other,
        };
        Self::linux(architecture)
    }

    /// Returns the platform that `text` (`os/architecture[/variant]`) names.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('/');
        let os = parts.next().filter(|part| !part.is_empty())?;
        let architecture = parts.next().filter(|part| !part.is_empty())?;
        let variant = parts.next().unwrap_or_default();
        parts.next().is_none().then(|| Self {
            os: os.to_ascii_lowercase(),
            architecture: match architecture.to_ascii_lowercase().as_str() {
                "x86_64" | "x86-64" => "amd64".into(),
                "aarch64" => "arm64".into(),
                other => other.into(),
            },
            variant: variant.into(),
        })
    }

    pub(crate) fn to_pb(&self) -> pb::Platform {
        pb::Platform {
            architecture: self.architecture.clone(),
            os: self.os.clone(),
            variant: self.variant.clone(),
            ..pb::Platform::default()
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
    use super::Platform;

    #[test]
    fn text_round_trips() {
        for text in ["linux/amd64", "linux/arm/v7", "windows/amd64"] {
            assert_eq!(Platform::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(
            Platform::parse("linux/x86_64"),
            Some(Platform::linux("amd64"))
        );
        for text in ["linux", "", "/", "linux/amd64/v1/x"] {
            assert_eq!(Platform::parse(text), None, "{text:?}");
        }
    }
}
