//! What a git source asks for, in the words of BuildKit's `solver/pb/attr.go`.

use bollard_buildkit_proto::pb;

use super::error::GitError;
use super::remote::Remote;
use crate::error::{Error, Result};

/// Files of a git repository that are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The repository.
    pub remote: Remote,
    /// Branch, tag, full name of a reference, or hash of a commit; empty for the default branch.
    pub reference: String,
    /// Directory that is taken; empty for all.
    pub subdir: String,
    /// Beginning of the hash that the commit must have.
    pub checksum: Option<String>,
    /// Whether the directory `.git` is a part of the result.
    pub keep_git_dir: bool,
    /// Whether submodules stay empty.
    pub skip_submodules: bool,
    /// Whether files get the time of the commit, instead of the one that all sources have.
    pub commit_time: bool,
    /// Whether the reference is a mere name for the commit that the checksum is.
    pub by_commit: bool,
    /// Secrets that may hold a login, the best one first.
    pub secrets: Vec<LoginSecret>,
    /// Id of the ssh agent.
    pub ssh_agent: Option<String>,
    /// Host keys that are trusted, in the format of `known_hosts`; none for those that are known here.
    pub known_hosts: Option<String>,
}

/// A secret that may hold a login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginSecret {
    /// Its id.
    pub id: String,
    /// Whether it is a token; otherwise it is a whole `Authorization` header.
    pub is_token: bool,
}

impl Request {
    /// Reads the op.
    ///
    /// # Errors
    /// When address, reference or checksum make no sense, or it asks for something that this engine cannot do.
    pub fn new(op: &pb::SourceOp) -> Result<Self> {
        let attribute = |name: &str| op.attrs.get(name).filter(|value| !value.is_empty()).cloned();
        let is_set = |name: &str| op.attrs.get(name).is_some_and(|value| value == "true");
        let unknown = |name: &&String| {
            ["git.sig.", "git.bundle", "git.checkoutbundle"].iter().any(|prefix| name.starts_with(prefix))
        };
        if let Some(name) = op.attrs.keys().find(unknown) {
            return Err(Error::op(format!("this engine cannot do what {name} asks for")));
        }
        let identifier = op.identifier.strip_prefix("git://").unwrap_or(&op.identifier);
        let (place, fragment) = identifier.split_once('#').unwrap_or((identifier, ""));
        let (reference, subdir) = fragment.split_once(':').unwrap_or((fragment, ""));
        let mut remote = Remote::parse(place)?;
        if let Some(full) = attribute("git.fullurl") {
            let full = Remote::parse(&full)?;
            if !full.is_same_repository(&remote) {
                let message = format!("git.fullurl {} is not {}", full.url(), remote.url());
                return Err(Error::Request(message));
            }
            remote = full;
        }
        let checksum = attribute("git.checksum").map(|text| text.to_ascii_lowercase());
        if let Some(text) =
            checksum.as_ref().filter(|text| !text.bytes().all(|byte| byte.is_ascii_hexdigit()))
        {
            return Err(Error::op(format!(
                "the checksum {text:?} is no hash of a commit, or beginning of one"
            )));
        }
        let request = Self {
            secrets: secrets(op, remote.host()),
            remote,
            reference: reference.to_owned(),
            subdir: inside(subdir)?,
            checksum,
            keep_git_dir: is_set("git.keepgitdir"),
            skip_submodules: is_set("git.skipsubmodules"),
            commit_time: attribute("git.mtime").is_some_and(|text| text == "commit"),
            by_commit: is_set("git.fetchbycommit"),
            ssh_agent: attribute("git.mountsshsock"),
            known_hosts: attribute("git.knownsshhosts"),
        };
        if !request.reference.is_empty() && !is_reference(&request.reference) {
            return Err(GitError::Name { name: request.reference }.into());
        }
        if request.by_commit && !is_hash(&request.reference) && request.full_checksum().is_none() {
            return Err(Error::op("fetching by commit needs the whole hash of the commit as checksum"));
        }
        Ok(request)
    }

    /// Returns the checksum when it is a whole hash.
    pub fn full_checksum(&self) -> Option<&str> {
        self.checksum.as_deref().filter(|checksum| is_hash(checksum))
    }

    /// Returns whether the directory `.git` is in the result: a part of a repository has none.
    pub fn has_git_dir(&self) -> bool {
        self.keep_git_dir && self.subdir.is_empty()
    }
}

/// Returns the ids of all secrets that a git source may be served.
pub fn secret_ids(op: &pb::SourceOp) -> Vec<String> {
    let identifier = op.identifier.strip_prefix("git://").unwrap_or(&op.identifier);
    let address = op.attrs.get("git.fullurl").filter(|url| !url.is_empty());
    let address = address.map_or_else(|| identifier.split('#').next().unwrap_or_default(), String::as_str);
    let host = Remote::parse(address).map(|remote| remote.host().to_owned()).unwrap_or_default();
    secrets(op, &host).into_iter().map(|secret| secret.id).collect()
}

/// Returns the secrets in the order in which they are looked for: those for the host go before those for all.
fn secrets(op: &pb::SourceOp, host: &str) -> Vec<LoginSecret> {
    let kinds = [("git.authheadersecret", false), ("git.authtokensecret", true)];
    let named = || {
        let id = |name: &str| op.attrs.get(name).filter(|id| !id.is_empty()).cloned();
        kinds.into_iter().filter_map(move |(name, is_token)| Some((id(name)?, is_token)))
    };
    let for_host = named().map(|(id, is_token)| LoginSecret { id: format!("{id}.{host}"), is_token });
    for_host.chain(named().map(|(id, is_token)| LoginSecret { id, is_token })).collect()
}

/// Returns whether `text` is a whole hash of a commit.
pub fn is_hash(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Returns whether `name` can be the name of a reference; in particular it is no option, pattern or expression, and as a
/// path it leads nowhere else.
pub fn is_reference(name: &str) -> bool {
    !name.starts_with('-')
        && !name.split('/').any(|part| part.is_empty() || part.starts_with('.') || part.ends_with(".lock"))
        && !name.contains("..")
        && !name.contains("@{")
        && !name.chars().any(|char| char.is_control() || " ~^:?*[\\".contains(char))
}

/// Returns a directory of the repository without needless parts.
fn inside(path: &str) -> Result<String> {
    let parts: Vec<&str> = path.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    match parts.contains(&"..") {
        true => Err(Error::op(format!("the directory {path:?} leaves the repository"))),
        false => Ok(parts.join("/")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(identifier: &str, attrs: &[(&str, &str)]) -> Result<Request> {
        let attrs = attrs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Request::new(&pb::SourceOp { identifier: identifier.into(), attrs })
    }

    /// SRC-001.
    #[test]
    fn an_op_says_what_is_taken() {
        let hash = "3f786850e387550fdab836ed7e6dc881de23001b";
        let plain = request("git://example.org/a/b.git", &[]).unwrap();
        assert_eq!((plain.remote.url(), plain.reference.as_str()), ("https://example.org/a/b.git", ""));
        let full = request(
            "git://example.org/a/b.git#v1:docs/./en",
            &[
                ("git.fullurl", "ssh://git@example.org/a/b"),
                ("git.keepgitdir", "true"),
                ("git.checksum", &hash.to_uppercase()),
                ("git.mountsshsock", "default"),
            ],
        )
        .unwrap();
        assert_eq!(full.remote.url(), "ssh://git@example.org/a/b");
        assert_eq!((full.reference.as_str(), full.subdir.as_str()), ("v1", "docs/en"));
        assert_eq!(full.full_checksum(), Some(hash));
        assert!(full.keep_git_dir && !full.has_git_dir());
        assert_eq!(full.ssh_agent.as_deref(), Some("default"));
    }

    /// SRC-002.
    #[test]
    fn the_secret_of_the_host_goes_first() {
        let attrs = [("git.authtokensecret", "TOKEN"), ("git.authheadersecret", "HEADER")];
        let found = request("git://example.org:8080/a", &attrs).unwrap().secrets;
        let ids: Vec<&str> = found.iter().map(|secret| secret.id.as_str()).collect();
        assert_eq!(ids, ["HEADER.example.org:8080", "TOKEN.example.org:8080", "HEADER", "TOKEN"]);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (identifier, attrs) in [
            ("git://example.org/a#--upload-pack=id", &[][..]),
            ("git://example.org/a#v*", &[]),
            ("git://example.org/a#main:../b", &[]),
            ("git://example.org/a#a..b", &[]),
            ("git://example.org/a#a/.b", &[]),
            ("git://example.org/a#a//b", &[]),
            ("git://example.org/a#a.lock", &[]),
            ("git://example.org/a", &[("git.fullurl", "https://example.com/a")]),
            ("git://example.org/a", &[("git.fullurl", "file:///a")]),
            ("git://example.org/a", &[("git.checksum", "main")]),
            ("git://example.org/a", &[("git.sig.pubkey", "x")]),
            ("git://example.org/a", &[("git.fetchbycommit", "true")]),
        ] {
            assert!(request(identifier, attrs).is_err(), "{identifier} {attrs:?}");
        }
    }
}
