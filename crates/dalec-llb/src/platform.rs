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
        Self { os: "linux".into(), architecture: architecture.into(), variant: String::new() }
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
