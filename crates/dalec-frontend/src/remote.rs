//! Addresses of contexts that lie in git repositories, in the forms of BuildKit's `frontend/dockerfile/dfgitutil`.

use dalec_llb::Git;

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

/// Returns `address` as people may see it: without a password.
fn without_login(address: &str) -> String {
    let Some((scheme, rest)) = address.split_once("://") else { return address.to_owned() };
    let (place, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    match place.rsplit_once('@') {
        Some((login, host)) if login.contains(':') => format!("{scheme}://{host}{path}"),
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

fn with_query(mut git: Git, query: &str) -> Result<Git, String> {
    for part in query.split('&').filter(|part| !part.is_empty()) {
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        let reference = match key {
            "ref" => Some(value.to_owned()),
            "branch" => Some(format!("refs/heads/{}", value.trim_start_matches("refs/heads/"))),
            "tag" => Some(format!("refs/tags/{}", value.trim_start_matches("refs/tags/"))),
            _ => None,
        };
        match (key, reference) {
            (_, Some(reference)) if git.reference.is_empty() || git.reference == reference => {
                git.reference = reference;
            }
            (_, Some(reference)) => {
                return Err(format!("the address names both {} and {reference}", git.reference));
            }
            ("subdir", None) => value.trim_matches('/').clone_into(&mut git.subdir),
            ("checksum" | "commit", None) => git.checksum = Some(value.to_owned()),
            ("keep-git-dir", None) => git.keep_git_dir = !matches!(value, "0" | "false"),
            (key, None) => return Err(format!("`{key}` means nothing in the address of a git repository")),
        }
    }
    Ok(git)
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

    #[test]
    fn a_password_is_not_shown() {
        let label = |address: &str| git(address).unwrap().unwrap().label;
        assert_eq!(label("https://me:secret@h/b.git#v1"), "[internal] load git source https://h/b.git#v1");
        assert_eq!(label("ssh://git@h/b"), "[internal] load git source ssh://git@h/b");
        assert_eq!(label("git@h:b.git"), "[internal] load git source git@h:b.git");
    }

    #[test]
    fn contradictions_are_refused() {
        assert!(git("https://example.org/b.git?ref=a#b").is_some_and(|git| git.is_err()));
        assert!(git("https://example.org/b.git?depth=1").is_some_and(|git| git.is_err()));
    }
}
