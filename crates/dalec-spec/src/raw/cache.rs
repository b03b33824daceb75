//! Directories that survive from one build to the next.

use crate::codes;
use crate::decode::{Decoder, Flag, Keyword, List, Text, Word, object};
use crate::diagnostic::Diagnostic;
use crate::raw::rules::{CacheKey, MountPoint};
use crate::target_spec::CacheSharing;

object! {
    /// A directory that survives from one build to the next. An entry has exactly one kind.
    RawCache: "a cache", open, one_of ["dir", "gobuild", "rustsccache", "bazel"] => Cache, span self {
        /// A directory of the author's choice.
        /// Example: {dest: /root/.cache/tool}
        "dir" dir: Option<RawCacheDir>,
        /// The cache of the Go compiler. It is there without being asked for when a source has Go modules.
        /// Example: {}
        "gobuild" gobuild: Option<RawGobuildCache>,
        /// A cache for the Rust compiler, by sccache.
        /// Example: {}
        "rustsccache" rustsccache: Option<RawSccacheCache>,
        /// The disk cache of Bazel.
        /// Example: {scope: tools}
        "bazel" bazel: Option<RawBazelCache>,
    }
}

object! {
    /// A directory of the author's choice.
    RawCacheDir: "a cache directory", open, needs ["dest"] => CacheDir {
        /// Where it is mounted.
        /// Example: /root/.cache/tool
        "dest" dest: Text<MountPoint>,
        /// Name of the cache; builds with the same name share it.
        /// Default: the value of `dest`
        /// Example: tool-cache
        "key" key: Text<CacheKey>,
        /// What happens when two builds want it at the same time: both use it, one waits, or each gets its own.
        /// Example: locked
        "sharing" sharing: Word<CacheSharing>,
        /// Shares the cache between targets and platforms.
        /// Example: true
        "no_auto_namespace" no_auto_namespace: Flag,
    }
}

object! {
    /// The cache of the Go compiler.
    RawGobuildCache: "a Go build cache", open => GobuildCache {
        /// Keeps builds with another scope apart.
        /// Example: tools
        "scope" scope: Text<CacheKey>,
        /// Does without the cache, also where it would be there without being asked for.
        /// Example: true
        "disabled" disabled: Flag,
    }
}

object! {
    /// A cache for the Rust compiler.
    RawSccacheCache: "an sccache", open => SccacheCache {
        /// Keeps builds with another scope apart.
        /// Example: tools
        "scope" scope: Text<CacheKey>,
    }
}

object! {
    /// The disk cache of Bazel.
    RawBazelCache: "a Bazel cache", open => BazelCache {
        /// Keeps builds with another scope apart.
        /// Example: tools
        "scope" scope: Text<CacheKey>,
    }
}

impl Keyword for CacheSharing {
    const TAKES: &'static str = "a way to share a cache";
    const WORDS: &'static [(&'static str, Self)] =
        &[("shared", Self::Shared), ("locked", Self::Locked), ("private", Self::Private)];
}

/// There is one Go build cache.
pub(super) fn check_caches(caches: &List<RawCache>, decoder: &mut Decoder<'_>) {
    let mut gobuild = caches.items.iter().filter_map(|cache| cache.gobuild.as_ref());
    let Some(first) = gobuild.next() else { return };
    for second in gobuild {
        let (first, second) = (decoder.first_line(first.span), decoder.first_line(second.span));
        let diagnostic =
            Diagnostic::error(codes::CONFLICTING_KEYS, second, "a build has one Go build cache at most");
        decoder.report(diagnostic.label(first, "the other one").help("keep one of them"));
    }
}
