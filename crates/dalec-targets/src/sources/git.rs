//! Commits of git repositories.

use dalec_llb::{Git, GitLogin, State};
use dalec_spec::target_spec::{GitSource, Source};

use super::{Planner, Tree};
use crate::locate::locate;

/// Plans a git source.
pub(super) fn plan(planner: &Planner<'_>, name: &str, source: &Source, git: &GitSource, path: &str) -> Tree {
    let state = State::git(Git {
        remote: git.url.clone(),
        reference: git.commit.clone(),
        checksum: Some(git.checksum.clone()).filter(|checksum| !checksum.is_empty()),
        keep_git_dir: git.keep_git_dir,
        login: GitLogin {
            token: git.auth.token.clone(),
            header: git.auth.header.clone(),
            ssh: git.auth.ssh.clone(),
        },
        label: format!("Fetch source {name}"),
        locations: locate(planner.source_map, [source.span]).into_iter().collect(),
        group: Some(planner.group.clone()),
        ..Git::default()
    });
    planner.part(name, source, &state, path)
}
