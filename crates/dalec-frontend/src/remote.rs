//! Addresses of contexts that lie in git repositories, in the forms of BuildKit's `frontend/dockerfile/dfgitutil`.

use std::collections::BTreeSet;

use dalec_llb::Git;

use crate::options::boolean;

/// Returns the git repository that `address` names; none when it names something else.
///
/// `http` and `https` addresses are repositories when their path ends in `.git`. The fragment is `REFERENCE:DIRECTORY`.
///
/// # Errors
/// What is wrong with the address of a repository, in words.
pub fn git(address: &str) -> Option<Result<Git, String>> {
    let (rest, fragment) = address.split_once('#').unwrap_or((address, ""));
    let (remote, query) = rest.split_once('?').unwrap_or((rest, ""));
    let remote = match remote.split_once("://") {
        Some(("http" | "https", path)) if path.ends_with(".git") => remote.to_owned(),
        Some(("ssh" | "git", _)) => remote.to_owned(),
        Some(_) => return None,
        None if remote.starts_with("github.com/") => format!("https://{remote}"),
        None if is_scp(remote) => remote.to_owned(),
        None => return None,
    };
    let (reference, subdir) = fragment.split_once(':').unwrap_or((fragment, ""));
    let git = Git {
        remote,
        reference: reference.to_owned(),
        subdir: subdir.trim_matches('/').to_owned(),
        label: format!("[internal] load git source {}", without_login(address)),
        ..Git::default()
    };
    Some(with_query(git, query))
}

/// Returns whether `address` is that of a git repository, well-formed or not.
pub fn is_git(address: &str) -> bool {
    git(address).is_some()
}

/// Returns `address` as people may see it: without a password, and over http without a user, who can be a token.
pub fn without_login(address: &str) -> String {
    let Some((scheme, rest)) = address.split_once("://") else { return address.to_owned() };
    let (place, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    match place.rsplit_once('@') {
        Some((login, host)) if login.contains(':') || scheme.starts_with("http") => {
            format!("{scheme}://{host}{path}")
        }
        _ => address.to_owned(),
    }
}

/// Returns whether `address` has the form `user@host:path`.
fn is_scp(address: &str) -> bool {
    let place = address.split_once('@').filter(|(user, _)| !user.is_empty() && !user.contains(['/', ':']));
    place
        .and_then(|(_, place)| place.split_once(':'))
        .is_some_and(|(host, path)| !host.is_empty() && !host.contains('/') && !path.is_empty())
}

/// Takes over what stands behind the question mark; the same word in the fragment must say the same.
fn with_query(mut git: Git, query: &str) -> Result<Git, String> {
    let mut keys = BTreeSet::new();
    for part in query.split('&').filter(|part| !part.is_empty()) {
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        if !keys.insert(key) {
            return Err(format!("the address says `{key}` twice"));
        }
        match key {
            "keep-git-dir" => git.keep_git_dir = flag(key, value)?,
            "submodules" => git.skip_submodules = !flag(key, value)?,
            "fetch-by-commit" => git.fetch_by_commit = flag(key, value)?,
            "ref" | "branch" | "tag" | "subdir" | "checksum" | "commit" | "mtime" if value.is_empty() => {
                return Err(format!("`{key}` has no value in the address"));
            }
            "ref" => same_or_new(&mut git.reference, value.to_owned())?,
            "branch" => same_or_new(&mut git.reference, full("refs/heads/", value))?,
            "tag" => same_or_new(&mut git.reference, full("refs/tags/", value))?,
            "subdir" => same_or_new(&mut git.subdir, value.trim_matches('/').to_owned())?,
            "checksum" | "commit" => git.checksum = Some(value.to_owned()),
            "mtime" => match value {
                "checkout" | "commit" => git.commit_times = value == "commit",
                _ => {
                    return Err(format!(
                        "`mtime` is `{value}` in the address, and neither checkout nor commit"
                    ));
                }
            },
            _ => return Err(format!("`{key}` means nothing in the address of a git repository")),
        }
    }
    Ok(git)
}

/// Reads a word that may stand alone.
fn flag(key: &str, value: &str) -> Result<bool, String> {
    match value {
        "" => Ok(true),
        _ => {
            boolean(value).ok_or_else(|| format!("`{key}` is `{value}` in the address, which is no boolean"))
        }
    }
}

fn full(prefix: &str, name: &str) -> String {
    format!("{prefix}{}", name.strip_prefix(prefix).unwrap_or(name))
}

fn same_or_new(old: &mut String, new: String) -> Result<(), String> {
    if !old.is_empty() && *old != new {
        return Err(format!("the address names both {old} and {new}"));
    }
    *old = new;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(address: &str) -> Option<(String, String, String)> {
        let git = git(address)?.expect("a good address");
        Some((git.remote, git.reference, git.subdir))
    }

    /// FE-003: which main contexts are git repositories.
    #[test]
    fn addresses_of_repositories() {
        for (address, expected) in [
            ("https://example.org/a/b.git", Some(("https://example.org/a/b.git", "", ""))),
            ("https://example.org/b.git#v1:docs/", Some(("https://example.org/b.git", "v1", "docs"))),
            ("https://example.org/b.git?branch=x", Some(("https://example.org/b.git", "refs/heads/x", ""))),
            ("git@example.org:a/b.git#main", Some(("git@example.org:a/b.git", "main", ""))),
            ("ssh://git@example.org/b", Some(("ssh://git@example.org/b", "", ""))),
            ("github.com/a/b", Some(("https://github.com/a/b", "", ""))),
            ("https://example.org/b.tar.gz", None),
            ("local:context", None),
            ("docker-image://me@host:1", None),
            ("", None),
        ] {
            let expected = expected.map(|(remote, reference, subdir)| {
                (remote.to_owned(), reference.to_owned(), subdir.to_owned())
            });
            assert_eq!(parsed(address), expected, "{address}");
        }
    }

    /// What the query can say, with values or without.
    #[test]
    fn queries_are_read() {
        let git = |query: &str| git(&format!("https://example.org/b.git?{query}")).unwrap().unwrap();
        assert_eq!(git("tag=refs/tags/v1").reference, "refs/tags/v1");
        assert_eq!(git("subdir=/a/").subdir, "a");
        assert_eq!(git("commit=12").checksum.as_deref(), Some("12"));
        assert!(git("keep-git-dir").keep_git_dir && !git("keep-git-dir=0").keep_git_dir);
        assert!(git("submodules=false").skip_submodules && !git("submodules").skip_submodules);
        assert!(git("mtime=commit").commit_times && !git("mtime=checkout").commit_times);
        assert!(git("fetch-by-commit=1").fetch_by_commit);
    }

    #[test]
    fn a_password_is_not_shown() {
        let label = |address: &str| git(address).unwrap().unwrap().label;
        assert_eq!(label("https://me:secret@h/b.git#v1"), "[internal] load git source https://h/b.git#v1");
        assert_eq!(label("https://TOKEN@h/b.git"), "[internal] load git source https://h/b.git");
        assert_eq!(label("ssh://git@h/b"), "[internal] load git source ssh://git@h/b");
        assert_eq!(label("git@h:b.git"), "[internal] load git source git@h:b.git");
        assert_eq!(without_login("https://me:secret@h?a=b@c"), "https://h?a=b@c");
    }

    #[test]
    fn contradictions_are_refused() {
        for query in [
            "ref=a#b",
            "ref=a&ref=a",
            "branch=a&tag=a",
            "subdir=a#:b",
            "ref=",
            "depth=1",
            "mtime=now",
            "keep-git-dir=maybe",
        ] {
            assert!(
                git(&format!("https://example.org/b.git?{query}")).is_some_and(|git| git.is_err()),
                "{query}"
            );
        }
    }
}
