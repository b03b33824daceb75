//! Sources, and sources mounted somewhere.

mod context;
mod docker_build;
mod docker_image;
mod git;
mod http;
mod inline;

use self::context::RawContext;
use self::docker_build::RawBuildSource;
pub(crate) use self::docker_image::RawImageSource;
use self::git::RawGit;
use self::http::RawHttp;
use self::inline::RawInline;
use crate::codes;
use crate::decode::{Decode, Decoder, Field, List, Template, Text, object};
use crate::diagnostic::Diagnostic;
use crate::emit::{Tree, entry};
use crate::raw::generator::{self, RawGenerator};
use crate::raw::rules::{FilePattern, MountPoint, Path};
use crate::resolve::Resolver;
use crate::span::Span;
use crate::target_spec::{Selectors, Source, SourceKind};

/// What is wrong with an image source without a path.
const NO_PATH: &str = "an image source needs `path`: which files of the image are taken?";

object! {
    /// Where files come from, and which of them are taken. A source has exactly one kind.
    RawSource: "a source", closed, one_of ["git", "http", "image", "context", "build", "inline"],
        check check_source {
        /// A commit of a git repository.
        /// Example: {url: "https://github.com/octo/tool.git", commit: 3f786850e387550fdab836ed7e6dc881de23001b}
        "git" git: Option<Box<RawGit>>,
        /// One file by URL.
        /// Example: {url: "https://example.org/tool-1.2.tar.gz", digest: "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"}
        "http" http: Option<Box<RawHttp>>,
        /// Files of a container image, or what commands make in one.
        /// Example: {ref: "registry.example.org/tools:1.2"}
        "image" image: Option<Box<RawImageSource>>,
        /// Files of a build context: the directory at the end of the command line, or one given by name.
        /// Example: {}
        "context" context: Option<Box<RawContext>>,
        /// The result of a Dockerfile.
        /// Example: {source: {context: {}}, dockerfile_path: docs/Dockerfile}
        "build" build: Option<Box<RawBuildSource>>,
        /// Files written in the spec.
        /// Example: {file: {contents: "key = value\n"}}
        "inline" inline: Option<Box<RawInline>>,
        /// Directory or file inside the source that is taken instead of all of it.
        /// Example: cmd/tool
        "path" path: Template<Path>,
        /// Patterns of the files to take, relative to `path`.
        /// Default: all files
        /// Example: ["**/*.go", go.mod, go.sum]
        "includes" includes: List<Template<FilePattern>>,
        /// Patterns of the files to leave out, relative to `path`.
        /// Example: ["**/testdata"]
        "excludes" excludes: List<Template<FilePattern>>,
        /// What to download for the build beside the source, such as the modules it needs. Runs on the patched source.
        /// Example: [{gomod: {}}]
        "generate" generate: List<RawGenerator>,
    }
}

object! {
    /// A source mounted somewhere.
    RawMount: "a mount", open, needs ["dest", "spec"] => SourceMount, span self {
        /// Where it is mounted.
        /// Example: /etc/tool.conf
        "dest" dest: Text<MountPoint>,
        /// What is mounted.
        /// Example: {inline: {file: {contents: "key = value\n"}}}
        "spec" source: RawSource,
    }
}

impl RawSource {
    /// Returns whether the source is a directory; none when it has no kind.
    pub fn is_dir(&self) -> Option<bool> {
        if let Some(inline) = &self.inline {
            return Some(inline.dir.is_some());
        }
        if self.http.is_some() {
            return Some(false);
        }
        let is_dir =
            self.git.is_some() || self.image.is_some() || self.context.is_some() || self.build.is_some();
        is_dir.then_some(true)
    }

    /// Returns the keys that select a part of the source, with their places.
    fn selection(&self) -> impl Iterator<Item = (&'static str, Span)> {
        let path = (!self.path.value.is_empty()).then_some(("path", self.path.span));
        let includes = self.includes.items.first().map(|item| ("includes", item.span));
        let excludes = self.excludes.items.first().map(|item| ("excludes", item.span));
        path.into_iter().chain(includes).chain(excludes)
    }

    /// Returns where the kind of the source is written.
    fn kind_span(&self) -> Span {
        let kinds = [
            self.git.as_ref().map(|kind| kind.span),
            self.http.as_ref().map(|kind| kind.span),
            self.image.as_ref().map(|kind| kind.span),
            self.context.as_ref().map(|kind| kind.span),
            self.build.as_ref().map(|kind| kind.span),
            self.inline.as_ref().map(|kind| kind.span),
        ];
        kinds.into_iter().flatten().next().unwrap_or(self.span)
    }
}

fn check_source(source: &mut RawSource, decoder: &mut Decoder<'_>) {
    if source.is_dir() == Some(false) {
        let what = if source.http.is_some() { "an http source" } else { "an inline file" };
        for (key, span) in source.selection() {
            let message = format!("`{key}` selects files in a directory, but {what} is one file");
            decoder.report(Diagnostic::error(codes::CONFLICTING_KEYS, span, message).help("remove it"));
        }
    }
    // A base image is taken as a whole, so only there the path may be left out.
    if let Some(image) = &source.image
        && source.path.value.is_empty()
        && !decoder.is_at(&["rootfs"])
        && !decoder.findings.error_within(source.span)
    {
        let span = decoder.first_line(image.span);
        let diagnostic = Diagnostic::error(codes::MISSING_KEY, span, NO_PATH);
        decoder.report(
            diagnostic.help("add `path: /some/directory` beside `image`, or `path: /` for all files"),
        );
    }
    // With arguments in it the path is only known when they are expanded.
    if !source.path.value.contains('$') {
        let found = docker_image::mounts_inside(source, &source.path.value);
        found.into_iter().for_each(|diagnostic| decoder.report(diagnostic));
    }
}

impl Field for RawSource {
    type Output = Source;

    fn resolve(&self, resolver: &mut Resolver<'_>) -> Source {
        let kind = if let Some(git) = self.git.as_deref() {
            SourceKind::Git(git.resolve(resolver))
        } else if let Some(http) = self.http.as_deref() {
            SourceKind::Http(http.resolve(resolver))
        } else if let Some(image) = self.image.as_deref() {
            SourceKind::Image(image.resolve(resolver))
        } else if let Some(build) = self.build.as_deref() {
            SourceKind::Build(build.resolve(resolver))
        } else if let Some(inline) = self.inline.as_deref() {
            SourceKind::Inline(inline.resolve(resolver))
        } else {
            // A source without a kind was reported; nobody sees what becomes of it.
            SourceKind::Context(self.context.as_deref().cloned().unwrap_or_default().resolve(resolver))
        };
        // Images that containers start from follow their tag on purpose; they have no path.
        if let (SourceKind::Image(image), Some(raw)) = (&kind, &self.image)
            && self.path.is_given()
        {
            docker_image::doubt_tag(raw, image, resolver);
        }
        let path = self.path.resolve(resolver);
        if self.image.is_some()
            && let Some(span) = self.path.vanished(&path)
        {
            resolver.report_vanished(span, NO_PATH.to_owned());
        }
        if path != self.path.value && !resolver.is_routing() {
            resolver.findings.extend(docker_image::mounts_inside(self, &path));
        }
        let mut generate = self.generate.resolve(resolver);
        if let SourceKind::Git(git) = &kind {
            generator::default_auth(git, &mut generate);
        }
        Source {
            kind,
            path,
            includes: self.includes.resolve(resolver),
            excludes: self.excludes.resolve(resolver),
            generate,
            span: self.kind_span(),
            selectors: Selectors {
                path: self.path.span,
                includes: self.includes.items.iter().map(|item| item.span).collect(),
                excludes: self.excludes.items.iter().map(|item| item.span).collect(),
            },
        }
    }

    fn emit(output: &Source) -> Tree {
        let (kind, value) = match &output.kind {
            SourceKind::Git(git) => ("git", RawGit::emit(git)),
            SourceKind::Http(http) => ("http", RawHttp::emit(http)),
            SourceKind::Image(image) => ("image", RawImageSource::emit(image)),
            SourceKind::Context(context) => ("context", RawContext::emit(context)),
            SourceKind::Build(build) => ("build", RawBuildSource::emit(build)),
            SourceKind::Inline(inline) => ("inline", RawInline::emit(inline)),
        };
        let mut entries = vec![(kind.to_owned(), value)];
        entry::<Template<Path>>(&mut entries, "path", &output.path);
        entry::<List<Template<FilePattern>>>(&mut entries, "includes", &output.includes);
        entry::<List<Template<FilePattern>>>(&mut entries, "excludes", &output.excludes);
        entry::<List<RawGenerator>>(&mut entries, "generate", &output.generate);
        Tree::Map(entries)
    }
}
