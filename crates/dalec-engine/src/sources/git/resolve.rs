//! From the name of a branch or tag to the commit that it stands for now.

use super::error::GitError;
use super::program::Call;
use super::remote::Remote;
use super::request::{Request, is_hash, is_reference};
use super::setup::Setup;
use crate::error::Result;
use crate::ops::OpContext;

/// What a name stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// Full name of the reference, for example `refs/heads/main`; none for a commit that is named by its hash.
    pub name: Option<String>,
    /// The object that it names: a commit, or an annotated tag.
    pub object: String,
    /// The commit, where it is known to be another object.
    pub commit: Option<String>,
}

impl Resolved {
    /// Returns what a hash stands for.
    pub fn hash(hash: &str) -> Self {
        Self { name: None, object: hash.to_owned(), commit: None }
    }

    /// Returns the commit, or what leads to it.
    pub fn commit(&self) -> &str {
        self.commit.as_ref().unwrap_or(&self.object)
    }

    /// Goes on if the commit, or the tag, is what the request expects.
    ///
    /// # Errors
    /// `GitError::Checksum` when it is not.
    pub fn check(&self, request: &Request) -> Result<(), GitError> {
        let Some(expected) = &request.checksum else { return Ok(()) };
        if self.object.starts_with(expected) || self.commit().starts_with(expected) {
            return Ok(());
        }
        let name = match request.reference.as_str() {
            "" => "the default branch",
            name => name,
        };
        Err(GitError::Checksum {
            remote: request.remote.url().to_owned(),
            name: name.to_owned(),
            expected: expected.clone(),
            actual: self.commit().to_owned(),
        })
    }
}

/// Asks the server.
///
/// # Errors
/// When it does not answer, refuses, or has no such reference.
pub fn ask(context: &OpContext<'_>, setup: &Setup, request: &Request) -> Result<Resolved> {
    let remote = &request.remote;
    let peeled = format!("{}^{{}}", request.reference);
    let wanted = match request.reference.as_str() {
        "" => vec!["HEAD"],
        name => vec![name, peeled.as_str()],
    };
    let arguments = [&["ls-remote", "--symref", "--", "origin"][..], &wanted].concat();
    let answer = Call::new(context, setup, remote).output("look into", &arguments)?;
    Ok(read(remote, &request.reference, &String::from_utf8_lossy(&answer))?)
}

/// Reads the answer. As in BuildKit, a full name goes first, then branches, then tags.
fn read(remote: &Remote, wanted: &str, answer: &str) -> Result<Resolved, GitError> {
    let find = |name: &str| {
        let mut lines = answer.lines().filter_map(|line| line.split_once('\t'));
        lines.find(|(hash, found)| *found == name && is_hash(hash)).map(|(hash, _)| hash.to_owned())
    };
    let remote = || remote.url().to_owned();
    if wanted.is_empty() {
        let object = find("HEAD").ok_or_else(|| GitError::NoDefaultBranch { remote: remote() })?;
        let branch = answer.lines().find_map(|line| line.strip_prefix("ref: ")?.strip_suffix("\tHEAD"));
        // The server may say anything, and git passes it on. The name is of use only where it is one.
        let branch = branch.filter(|name| name.starts_with("refs/heads/") && is_reference(name));
        return Ok(Resolved { name: branch.map(str::to_owned), object, commit: None });
    }
    let bare = wanted.strip_prefix("refs/").unwrap_or(wanted);
    let name = |folder: &str| format!("{folder}{}", wanted.strip_prefix(folder).unwrap_or(wanted));
    let names = [format!("refs/{bare}"), name("refs/heads/"), name("refs/tags/")];
    let found = names.into_iter().find_map(|name| Some((find(&name)?, name)));
    let (object, name) =
        found.ok_or_else(|| GitError::NoSuchReference { remote: remote(), name: wanted.to_owned() })?;
    let commit = find(&format!("{name}^{{}}"));
    Ok(Resolved { name: Some(name), object, commit })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "1111111111111111111111111111111111111111";
    const TWO: &str = "2222222222222222222222222222222222222222";

    fn resolved(wanted: &str, lines: &[(&str, &str)]) -> String {
        let remote = Remote::parse("https://example.org/a").unwrap();
        let answer: String = lines.iter().map(|(hash, name)| format!("{hash}\t{name}\n")).collect();
        match read(&remote, wanted, &answer) {
            Ok(found) => format!("{} {}", found.name.clone().unwrap_or_default(), &found.commit()[..1]),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn a_branch_goes_before_a_tag_of_its_name() {
        let both = [(ONE, "refs/tags/v1"), (TWO, "refs/heads/v1")];
        assert_eq!(resolved("v1", &both), "refs/heads/v1 2");
        assert_eq!(resolved("tags/v1", &both), "refs/tags/v1 1");
        assert_eq!(resolved("refs/tags/v1", &both), "refs/tags/v1 1");
    }

    #[test]
    fn an_annotated_tag_stands_for_its_commit() {
        let tag = [(ONE, "refs/tags/v1"), (TWO, "refs/tags/v1^{}")];
        assert_eq!(resolved("v1", &tag), "refs/tags/v1 2");
    }

    #[test]
    fn only_the_whole_name_counts() {
        let other = [(ONE, "refs/heads/feature/main"), (TWO, "refs/changes/main")];
        assert_eq!(resolved("main", &other), "https://example.org/a has no branch or tag called \"main\"");
    }

    #[test]
    fn without_a_name_it_is_the_default_branch() {
        assert_eq!(resolved("", &[("ref: refs/heads/trunk", "HEAD"), (ONE, "HEAD")]), "refs/heads/trunk 1");
        assert_eq!(resolved("", &[(ONE, "HEAD")]), " 1");
        for name in ["heads/../../x", "heads/a.lock", "heads/.a", "heads//a", "heads/a.lock/b", "tags/a"] {
            let named = format!("ref: refs/{name}");
            assert_eq!(resolved("", &[(&named, "HEAD"), (ONE, "HEAD")]), " 1", "{name}");
        }
        assert_eq!(resolved("", &[]), "https://example.org/a has no default branch");
    }
}
