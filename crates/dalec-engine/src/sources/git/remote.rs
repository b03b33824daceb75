//! Addresses of git repositories: which ones are taken, and what of them git and people get to see.

use base64::prelude::{BASE64_STANDARD, Engine};
use reqwest::Url;

use super::error::GitError;

/// The address of a repository.
///
/// Invariant: reached by http, https, ssh or git's own protocol; nothing in it can pass for an option; `url` holds no
/// password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remote {
    url: String,
    transport: Transport,
    host: String,
    path: String,
    /// User and password that the address had in it.
    login: Option<(String, String)>,
}

/// How a repository is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// Over http or https.
    Http,
    /// Over ssh.
    Ssh,
    /// With git's own protocol, which knows no login.
    Git,
}

impl Remote {
    /// Reads a URL, or `user@host:path`; without a scheme https is meant.
    ///
    /// # Errors
    /// [`GitError::Address`] for anything else.
    pub fn parse(text: &str) -> Result<Self, GitError> {
        let bad = |reason: &str| GitError::Address { address: shown(text), reason: reason.to_owned() };
        if text.chars().any(|char| char.is_control() || char.is_whitespace()) {
            return Err(bad("it holds spaces or control characters"));
        }
        if !text.contains("://") {
            if let Some(remote) = Self::of_scp(text) {
                return remote.checked(text);
            }
            return match text.starts_with(['/', '.']) {
                true => Err(bad("it is a path")),
                false => Self::parse(&format!("https://{text}")),
            };
        }
        let mut url = Url::parse(text).map_err(|error| bad(&error.to_string()))?;
        let transport = match url.scheme() {
            "http" | "https" => Transport::Http,
            "ssh" => Transport::Ssh,
            "git" => Transport::Git,
            scheme => return Err(bad(&format!("{scheme:?} is not supported; https, http, ssh and git are"))),
        };
        url.set_query(None);
        url.set_fragment(None);
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or_else(|| bad("it names no host"))?;
        let host = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        let decoded = |text: &str| String::from_utf8_lossy(&percent_decoded(text)).into_owned();
        // A user alone is a token, too, on the servers that have such.
        let has_login =
            !url.username().is_empty() && transport == Transport::Http || url.password().is_some();
        let login = has_login.then(|| (decoded(url.username()), decoded(url.password().unwrap_or_default())));
        // Whoever lists processes sees addresses. The login goes another way, see `authorization`.
        let _ = url.set_password(None);
        if transport == Transport::Http {
            let _ = url.set_username("");
        }
        let path = url.path().to_owned();
        Self { url: url.into(), transport, host, path, login }.checked(text)
    }

    fn of_scp(text: &str) -> Option<Self> {
        let (user, rest) = text.split_once('@')?;
        let (host, path) = rest.split_once(':')?;
        let is_word = |char: char| char.is_ascii_alphanumeric() || matches!(char, '-' | '_' | '.');
        let good = !user.is_empty() && user.chars().all(is_word) && host.chars().all(is_word);
        let path = path.split(['?', '#']).next().unwrap_or_default();
        (good && !host.is_empty() && !path.is_empty()).then(|| Self {
            url: format!("{user}@{host}:{path}"),
            transport: Transport::Ssh,
            host: host.to_owned(),
            path: path.to_owned(),
            login: None,
        })
    }

    /// Refuses what ssh could take for an option.
    fn checked(self, text: &str) -> Result<Self, GitError> {
        let place = self.url.split_once("://").map_or(self.url.as_str(), |(_, place)| place);
        let user_at_host = place.split(['/', ':']).next().unwrap_or_default();
        if user_at_host.split('@').any(|part| part.starts_with('-')) || self.path.starts_with('-') {
            let reason = "its host, user or path begins with `-`".to_owned();
            return Err(GitError::Address { address: shown(text), reason });
        }
        Ok(self)
    }

    /// Returns the address without a password, for git and for people.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns how the repository is reached.
    pub fn transport(&self) -> Transport {
        self.transport
    }

    /// Returns the host, with its port where the address names one.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Returns whether both stand for one repository, however they reach it.
    pub fn is_same_repository(&self, other: &Self) -> bool {
        let path = |remote: &Self| {
            let path = remote.path.split('/').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/");
            path.strip_suffix(".git").map(str::to_owned).unwrap_or(path)
        };
        self.host.eq_ignore_ascii_case(&other.host) && path(self) == path(other)
    }

    /// Returns the `Authorization` header that the login in the address stands for.
    pub fn authorization(&self) -> Option<String> {
        let (user, password) = self.login.as_ref().filter(|_| self.transport == Transport::Http)?;
        Some(basic(user, password))
    }

    /// Returns the address of a submodule that is called `address` in this repository.
    ///
    /// # Errors
    /// As [`Remote::parse`].
    pub fn submodule(&self, address: &str) -> Result<Self, GitError> {
        if !(address.starts_with("./") || address.starts_with("../")) {
            return Self::parse(address);
        }
        let bad =
            || GitError::Address { address: shown(address), reason: format!("it leads out of {}", self.url) };
        let start = self.url.len() - self.path.trim_start_matches('/').len();
        let (place, path) = self.url.split_at(start);
        let mut parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        for part in address.split('/') {
            match part {
                "" | "." => {}
                ".." => drop(parts.pop().ok_or_else(bad)?),
                part => parts.push(part),
            }
        }
        Ok(Self { login: self.login.clone(), ..Self::parse(&format!("{place}{}", parts.join("/")))? })
    }
}

/// Returns the header of a basic authorization.
pub fn basic(user: &str, password: &str) -> String {
    format!("basic {}", BASE64_STANDARD.encode(format!("{user}:{password}")))
}

/// Returns an address as people may see it: a password is left out, even of an address that makes no sense.
fn shown(address: &str) -> String {
    let (scheme, rest) = address.split_once("://").map_or(("", address), |(scheme, rest)| (scheme, rest));
    let (place, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = place.rfind('@').map_or(place, |at| &place[at + 1..]);
    match scheme {
        "" => address.to_owned(),
        scheme => format!("{scheme}://{host}{path}"),
    }
}

fn percent_decoded(text: &str) -> Vec<u8> {
    let mut rest = text.as_bytes();
    let mut decoded = Vec::with_capacity(rest.len());
    while let Some((first, after)) = rest.split_first() {
        let digits =
            after.get(..2).filter(|_| *first == b'%').and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                decoded.push(byte);
                rest = &after[2..];
            }
            None => {
                decoded.push(*first);
                rest = after;
            }
        }
    }
    decoded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> String {
        Remote::parse(text).map_or_else(|error| error.to_string(), |remote| remote.url().to_owned())
    }

    #[test]
    fn every_form_of_address_is_read() {
        for (text, expected) in [
            ("https://example.org/a/b.git", "https://example.org/a/b.git"),
            ("example.org/a/b", "https://example.org/a/b"),
            ("https://example.org:8080/b.git#main:sub", "https://example.org:8080/b.git"),
            ("ssh://git@example.org:22/b", "ssh://git@example.org:22/b"),
            ("git@example.org:a/b.git", "git@example.org:a/b.git"),
            ("git://example.org/b", "git://example.org/b"),
        ] {
            assert_eq!(url(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_dangerous_is_refused() {
        for text in [
            "file:///etc",
            "/etc",
            "../etc",
            "ext::sh -c id",
            "ext::sh",
            "https://",
            "ssh://-oProxyCommand=id/x",
            "ssh://-oProxyCommand=id@example.org/x",
            "-oProxyCommand=id@example.org:x",
            "git@example.org:-x",
            "git@-example.org:x",
            "https://example.org/a\nb",
        ] {
            assert!(Remote::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_password_is_no_part_of_what_is_seen() {
        let remote = Remote::parse("https://me:p%40ss@example.org/b.git").unwrap();
        assert_eq!(remote.url(), "https://example.org/b.git");
        assert_eq!(remote.authorization().unwrap(), basic("me", "p@ss"));
        let submodule = remote.submodule("../c.git").unwrap();
        assert_eq!(submodule.url(), "https://example.org/c.git");
        assert!(submodule.authorization().is_some());
        let token = Remote::parse("https://TOKEN@example.org/b.git").unwrap();
        assert_eq!(token.url(), "https://example.org/b.git");
        assert_eq!(token.authorization().unwrap(), basic("TOKEN", ""));
        assert_eq!(url("ssh://me:p@example.org/b"), "ssh://me@example.org/b");
        let error = Remote::parse("https://me:secret@example.org/a b").unwrap_err();
        assert!(!error.to_string().contains("secret"), "{error}");
    }

    #[test]
    fn submodules_are_found_from_their_repository() {
        let remote = Remote::parse("https://example.org/a/b.git").unwrap();
        assert_eq!(remote.submodule("./c").unwrap().url(), "https://example.org/a/b.git/c");
        assert_eq!(remote.submodule("../../c").unwrap().url(), "https://example.org/c");
        assert_eq!(remote.submodule("git://example.org/c").unwrap().url(), "git://example.org/c");
        assert!(remote.submodule("../../../c").is_err() && remote.submodule("/etc").is_err());
        let scp = Remote::parse("git@example.org:a/b.git").unwrap();
        assert_eq!(scp.submodule("../c").unwrap().url(), "git@example.org:a/c");
    }

    #[test]
    fn one_repository_has_several_addresses() {
        let same = |one: &str, other: &str| {
            Remote::parse(one).unwrap().is_same_repository(&Remote::parse(other).unwrap())
        };
        assert!(same("example.org/a/b.git", "git@Example.org:a/b.git"));
        assert!(same("https://example.org/a/b", "ssh://me@example.org/a/b.git"));
        assert!(!same("https://example.org/a/b", "https://example.com/a/b"));
        assert!(!same("https://example.org/a/b", "https://example.org/a/c"));
    }
}
