//! Package repositories beside those of the distribution.

use crate::codes;
use crate::decode::{Decode, Decoder, Keyword, List, Map, Word, object};
use crate::diagnostic::Diagnostic;
use crate::raw::rules::FileName;
use crate::raw::source::{RawMount, RawSource};
use crate::resolve::Resolver;
use crate::target_spec::{Repository, RepositoryUse, SourceKind};

impl Keyword for RepositoryUse {
    const TAKES: &'static str = "a phase that repositories are used in";
    const WORDS: &'static [(&'static str, Self)] =
        &[("build", Self::Build), ("install", Self::Install), ("test", Self::Test)];
}

object! {
    /// A package repository beside those of the distribution.
    RawRepository: "a repository", open, check check_repository => Repository, span self, then fill {
        /// Keys that the repository is signed with, by file name.
        /// Example: {example.asc: {http: {url: "https://packages.example.org/key.asc"}}}
        "keys" keys: Map<RawSource, FileName>,
        /// Configuration files of the package manager, by file name.
        /// Example: {example.list: {inline: {file: {contents: "deb https://packages.example.org/deb stable main"}}}}
        "config" config: Map<RawSource, FileName>,
        /// Files that are there while packages are installed, such as a repository in a directory.
        /// Example: [{dest: /opt/repo, spec: {context: {name: repo}}}]
        "data" data: List<RawMount>,
        /// When the repository is used: for the packages needed to `build`, when the package is `install`ed into a
        /// container, for those needed to `test`.
        /// Default: always
        /// Example: [build, test]
        "envs" envs: List<Word<RepositoryUse>>,
    }
}

/// Permissions of keys, which the package manager has to read.
const KEY_MODE: u32 = 0o644;

/// Keys that are downloaded get the permissions of keys, whatever is written.
fn check_repository(repository: &mut RawRepository, decoder: &mut Decoder<'_>) {
    let downloads = repository.keys.entries.iter().filter_map(|entry| entry.value.http.as_ref());
    let permissions = downloads.filter_map(|http| http.permissions);
    for mode in permissions.filter(|mode| mode.is_given() && mode.bits != KEY_MODE) {
        let message = "keys of repositories are always readable (0644), here and in upstream Dalec";
        let diagnostic = Diagnostic::warning(codes::NO_EFFECT, mode.span, message);
        decoder.doubt(diagnostic.help("remove the permissions"));
    }
}

/// Repositories are used always unless they say when; keys must be readable for the package manager.
fn fill(_raw: &RawRepository, repository: &mut Repository, _resolver: &mut Resolver<'_>) {
    if repository.envs.is_empty() {
        repository.envs = RepositoryUse::WORDS.iter().map(|(_, phase)| *phase).collect();
    }
    for key in repository.keys.values_mut() {
        if let SourceKind::Http(http) = &mut key.kind {
            http.permissions = Some(KEY_MODE);
        }
    }
}
