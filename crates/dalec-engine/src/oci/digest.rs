//! Digests as images and build graphs spell them: `sha256:` or `sha512:` and lower-case hex.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256, Sha512};
use thiserror::Error;

/// A content digest.
///
/// Invariant: `sha256:` with 64 or `sha512:` with 128 lower-case hex digits, so it is safe as a file name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest(String);

/// A text is not a digest.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{text:?} is not a digest: expected sha256: and 64, or sha512: and 128 hexadecimal digits")]
pub struct BadDigest {
    /// The text.
    pub text: String,
}

impl Digest {
    /// Returns the SHA-256 of `data`.
    pub fn sha256_of(data: &[u8]) -> Self {
        Self(format!("sha256:{}", hex::encode(Sha256::digest(data))))
    }

    /// Returns the digest as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns `sha256` or `sha512`.
    pub fn algorithm(&self) -> &str {
        &self.0[..6]
    }

    /// Returns the hex digits.
    pub fn hex(&self) -> &str {
        &self.0[7..]
    }

    /// Returns a hasher of the same algorithm.
    pub fn hasher(&self) -> Hasher {
        match self.algorithm() {
            "sha512" => Hasher(Inner::Sha512(Sha512::new())),
            _ => Hasher::sha256(),
        }
    }

    /// Returns the digest of `data` with the same algorithm.
    pub fn like(&self, data: &[u8]) -> Self {
        let mut hasher = self.hasher();
        hasher.update(data);
        hasher.finish()
    }
}

impl FromStr for Digest {
    type Err = BadDigest;

    fn from_str(text: &str) -> Result<Self, BadDigest> {
        let length = match text.split_once(':') {
            Some(("sha256", hex)) => hex.len() == 64,
            Some(("sha512", hex)) => hex.len() == 128,
            _ => false,
        };
        let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if length && text.bytes().skip(7).all(hex) {
            return Ok(Self(text.to_owned()));
        }
        Err(BadDigest { text: text.to_owned() })
    }
}

impl TryFrom<String> for Digest {
    type Error = BadDigest;

    fn try_from(text: String) -> Result<Self, BadDigest> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Computes a digest piece by piece.
#[derive(Debug, Clone)]
pub struct Hasher(Inner);

#[derive(Debug, Clone)]
enum Inner {
    Sha256(Sha256),
    Sha512(Sha512),
}

impl Hasher {
    /// Returns a hasher for SHA-256.
    pub fn sha256() -> Self {
        Self(Inner::Sha256(Sha256::new()))
    }

    /// Takes more data.
    pub fn update(&mut self, data: &[u8]) {
        match &mut self.0 {
            Inner::Sha256(hasher) => hasher.update(data),
            Inner::Sha512(hasher) => hasher.update(data),
        }
    }

    /// Returns the digest of everything taken.
    pub fn finish(self) -> Digest {
        match self.0 {
            Inner::Sha256(hasher) => Digest(format!("sha256:{}", hex::encode(hasher.finalize()))),
            Inner::Sha512(hasher) => Digest(format!("sha512:{}", hex::encode(hasher.finalize()))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_checked() {
        let good = Digest::sha256_of(b"");
        assert_eq!(good.as_str(), "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert_eq!(good.as_str().parse(), Ok(good.clone()));
        let long: Digest = format!("sha512:{}", "0".repeat(128)).parse().unwrap();
        assert_eq!(long.like(b"x").algorithm(), "sha512");
        for bad in [
            "",
            "sha256:",
            "sha256:../../x",
            &good.as_str().to_uppercase(),
            &good.hex()[..64],
            &format!("sha1:{}", "0".repeat(40)),
            &format!("sha256:{}", "é".repeat(32)),
        ] {
            assert!(bad.parse::<Digest>().is_err(), "{bad}");
        }
    }
}
