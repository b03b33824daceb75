//! Image references, in the short spelling people type and the long one registries need.
//!
//! The grammar is that of the distribution project: `[DOMAIN/]PATH[:TAG][@DIGEST]`, where the first part is
//! a domain only if it holds a dot, a colon or an upper-case letter, or is `localhost`.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use super::Digest;

const DEFAULT_DOMAIN: &str = "docker.io";
const DEFAULT_TAG: &str = "latest";
/// Longest name, domain included.
const MAX_NAME: usize = 255;

/// A normalised reference to an image: the domain is always there, and a tag unless there is a digest.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference {
    domain: String,
    repository: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

/// A text is not an image reference.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{text:?} is not an image reference: {reason}")]
pub struct BadReference {
    /// The text.
    pub text: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

impl Reference {
    /// Returns the registry's name, with port if one was given.
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// Returns the repository within the registry.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// Returns the tag.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// Returns the digest that pins the content.
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// Returns the reference pinned to `digest`.
    pub fn with_digest(&self, digest: Digest) -> Self {
        Self { digest: Some(digest), ..self.clone() }
    }

    /// Returns domain and repository: `docker.io/library/debian`.
    pub fn name(&self) -> String {
        format!("{}/{}", self.domain, self.repository)
    }

    /// Returns the short spelling that people type: `debian:bookworm`.
    pub fn familiar(&self) -> String {
        let full = self.to_string();
        match full.strip_prefix("docker.io/") {
            Some(rest) => rest.strip_prefix("library/").unwrap_or(rest).to_owned(),
            None => full,
        }
    }
}

impl FromStr for Reference {
    type Err = BadReference;

    fn from_str(text: &str) -> Result<Self, BadReference> {
        let bad = |reason| BadReference { text: text.to_owned(), reason };
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => {
                let digest = digest.parse().map_err(|_| bad("what follows the @ is not a digest"))?;
                (rest, Some(digest))
            }
            None => (text, None),
        };
        let (name, tag) = match rest.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
            _ => (rest, None),
        };
        if tag.is_some_and(|tag| !is_tag(tag)) {
            return Err(bad("its tag is not up to 128 letters, digits, '_', '.' and '-'"));
        }
        let (domain, repository) = split_domain(name);
        if !is_domain(&domain) {
            return Err(bad("its registry is not a host name with an optional port"));
        }
        if name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(bad("it is an image id, which only the engine that made it can resolve"));
        }
        if repository.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(bad("the repository must be lower case"));
        }
        if !repository.split('/').all(is_path_component) {
            return Err(bad("its repository is not made of lower-case words separated by '/'"));
        }
        if domain.len() + 1 + repository.len() > MAX_NAME {
            return Err(bad("it is longer than 255 bytes"));
        }
        let tag = match (tag, &digest) {
            (None, None) => Some(DEFAULT_TAG),
            (tag, _) => tag,
        };
        Ok(Self { domain, repository, tag: tag.map(str::to_owned), digest })
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.domain, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(formatter, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(formatter, "@{digest}")?;
        }
        Ok(())
    }
}

fn split_domain(name: &str) -> (String, String) {
    let is_host = |first: &str| {
        first.contains(['.', ':']) || first == "localhost" || first.bytes().any(|b| b.is_ascii_uppercase())
    };
    let (domain, repository) = match name.split_once('/') {
        Some((first, rest)) if is_host(first) => (first, rest),
        _ => (DEFAULT_DOMAIN, name),
    };
    let domain = if domain == "index.docker.io" { DEFAULT_DOMAIN } else { domain };
    if domain == DEFAULT_DOMAIN && !repository.contains('/') {
        return (domain.to_owned(), format!("library/{repository}"));
    }
    (domain.to_owned(), repository.to_owned())
}

fn is_tag(tag: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    (1..=128).contains(&tag.len())
        && word(tag.as_bytes()[0])
        && tag.bytes().all(|byte| word(byte) || byte == b'.' || byte == b'-')
}

fn is_domain(domain: &str) -> bool {
    let (host, port) = match domain.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, port)) => {
            if !address.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b':') {
                return false;
            }
            ("localhost", port)
        }
        None => domain.split_at(domain.find(':').unwrap_or(domain.len())),
    };
    let label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let port_holds = match port.strip_prefix(':') {
        Some(digits) => digits.bytes().all(|b| b.is_ascii_digit()) && digits.parse::<u16>().is_ok(),
        None => port.is_empty(),
    };
    port_holds && host.split('.').all(label)
}

/// Words of lower-case letters and digits, joined by one dot, one or two underscores, or dashes.
fn is_path_component(component: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = component.as_bytes();
    let (Some(&first), Some(&last)) = (bytes.first(), bytes.last()) else {
        return false;
    };
    let mut separators = component.split(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    word(first)
        && word(last)
        && separators
            .all(|between| matches!(between, "" | "." | "_" | "__") || between.bytes().all(|b| b == b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_spellings_are_normalised() {
        let digest = format!("sha256:{}", "a".repeat(64));
        for (text, expected) in [
            ("debian", "docker.io/library/debian:latest"),
            ("debian:bookworm", "docker.io/library/debian:bookworm"),
            ("user/tool", "docker.io/user/tool:latest"),
            ("index.docker.io/debian", "docker.io/library/debian:latest"),
            ("localhost/x", "localhost/x:latest"),
            ("localhost:5000/x:1", "localhost:5000/x:1"),
            ("[::1]:5000/x", "[::1]:5000/x:latest"),
            ("example.com/a/b__c/d-e.f:V1_x", "example.com/a/b__c/d-e.f:V1_x"),
            (&format!("debian@{digest}"), &format!("docker.io/library/debian@{digest}")),
            (&format!("debian:12@{digest}"), &format!("docker.io/library/debian:12@{digest}")),
        ] {
            let reference: Reference = text.parse().unwrap();
            assert_eq!(reference.to_string(), expected);
            assert_eq!(expected.parse::<Reference>().unwrap(), reference);
            assert_eq!(reference.familiar().parse::<Reference>().unwrap(), reference);
        }
        assert_eq!("docker.io/library/debian:12".parse::<Reference>().unwrap().familiar(), "debian:12");
    }

    #[test]
    fn junk_is_refused_with_a_reason() {
        let check = |text: &str, reason: &str| {
            assert_eq!(text.parse::<Reference>().map_err(|error| error.reason), Err(reason), "{text}");
        };
        let words = "its repository is not made of lower-case words separated by '/'";
        for text in
            ["", "a//b", "/a", "a/", "a b", "-a", "a_", "a..b", "a___b", "a/../../etc", "example.com/", "a\n"]
        {
            check(text, words);
        }
        check("Debian", "the repository must be lower case");
        check("debian:", "its tag is not up to 128 letters, digits, '_', '.' and '-'");
        check(
            &format!("a:{}", "t".repeat(129)),
            "its tag is not up to 128 letters, digits, '_', '.' and '-'",
        );
        check("debian@sha256:1", "what follows the @ is not a digest");
        check("example.com:99999/a", "its registry is not a host name with an optional port");
        check("../../etc", "its registry is not a host name with an optional port");
        check("exa mple.com/a", "its registry is not a host name with an optional port");
        check(&"a".repeat(64), "it is an image id, which only the engine that made it can resolve");
        check(&"z".repeat(300), "it is longer than 255 bytes");
    }
}
