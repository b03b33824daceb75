//! Git repositories as sources.

use crate::codes;
use crate::decode::{Decode, Flag, Template, Text, object};
use crate::diagnostic::Diagnostic;
use crate::raw::rules::{Commit, CommitHash, GitUrl, SecretName};
use crate::resolve::Resolver;
use crate::target_spec::GitSource;

object! {
    /// A commit of a git repository.
    RawGit: "a git source", closed, needs ["url", "commit"] => GitSource, then doubt_name {
        /// Address of the repository: https, ssh, or `user@host:path`. Without a scheme https is meant.
        /// Example: "https://github.com/octo/tool.git"
        "url" url: Template<GitUrl>,
        /// The commit to build. A tag or branch works too, but can move.
        /// Example: 3f786850e387550fdab836ed7e6dc881de23001b
        "commit" commit: Template<Commit>,
        /// Hash, or its beginning, that the commit must turn out to have; this pins a tag.
        /// Example: 3f786850e387
        "checksum" checksum: Template<CommitHash>,
        /// Keeps the `.git` directory.
        /// Example: true
        "keepGitDir" keep_git_dir: Flag,
        /// How to log in.
        /// Default: secrets `GIT_AUTH_TOKEN` or `GIT_AUTH_HEADER` where given, and the ssh socket `default` for ssh URLs
        /// Example: {token: GITHUB_TOKEN}
        "auth" auth: RawGitAuth,
    }
}

object! {
    /// How to log in to a git server. The values are names of secrets and sockets, never the secrets themselves.
    RawGitAuth: "the git credentials", open => GitAuth {
        /// Name of the secret that holds an `Authorization` header.
        /// Example: GIT_AUTH_HEADER
        "header" header: Text<SecretName>,
        /// Name of the secret that holds a token.
        /// Example: GIT_AUTH_TOKEN
        "token" token: Text<SecretName>,
        /// Name of the ssh socket.
        /// Example: default
        "ssh" ssh: Text<SecretName>,
    }
}

/// A name can move to another commit, unless a checksum pins it.
fn doubt_name(raw: &RawGit, git: &mut GitSource, resolver: &mut Resolver<'_>) {
    let is_hash =
        matches!(git.commit.len(), 40 | 64) && git.commit.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_hash && !raw.checksum.is_given() && !git.commit.is_empty() {
        let is_part = git.commit.len() >= 4 && git.commit.bytes().all(|byte| byte.is_ascii_hexdigit());
        let what = if is_part { "only the start of a hash" } else { "a tag or branch" };
        let message = format!("`{}` is {what}, which may be another commit tomorrow", git.commit);
        let diagnostic = Diagnostic::warning(codes::UNPINNED_SOURCE, raw.commit.span, message);
        resolver
            .doubts
            .push(diagnostic.help("write the whole hash of the commit here, or add it as `checksum`"));
    }
}
