//! Sources, patches, and sources mounted into tests.

use crate::codes;
use crate::decode::{Decoder, Field, List, Map, Mode, ModeOr, Number, Object, Template, Text, object};
use crate::diagnostic::Diagnostic;
use crate::emit::{Tree, entry};
use crate::raw::rules::{Digest, FileName, MountPoint, Path, SourceName, Url};
use crate::resolve::Resolver;
use crate::span::Span;
use crate::target_spec::{Inline, Source, SourceKind, SourceMount};

/// Name of the main build context.
const MAIN_CONTEXT: &str = "context";

object! {
    /// Where sources come from and which part of them is taken.
    RawSource: "a source", closed, check check_source {
        /// Text in the spec.
        "inline" inline: Option<RawInline>,
        /// A build context.
        "context" context: Option<RawContext>,
        /// One file by URL.
        "http" http: Option<RawHttp>,
        /// Path inside the source that is taken.
        "path" path: Template<Path>,
        /// Patterns to take.
        "includes" includes: List<Template<Path>>,
        /// Patterns to leave out.
        "excludes" excludes: List<Template<Path>>,
    }
}

object! {
    /// Files written in the spec.
    RawInline: "an inline source", closed, check check_inline {
        /// One file.
        "file" file: Option<RawInlineFile>,
        /// A flat directory.
        "dir" dir: Option<RawInlineDir>,
    }
}

object! {
    /// One file written in the spec.
    RawInlineFile: "an inline file", closed => InlineFile {
        /// Content.
        "contents" contents: Text,
        /// Permission bits.
        "permissions" permissions: ModeOr<0o644>,
        /// Owner.
        "uid" uid: Number,
        /// Group.
        "gid" gid: Number,
    }
}

object! {
    /// A flat directory written in the spec.
    RawInlineDir: "an inline directory", closed {
        /// Files by name.
        "files" files: Map<RawInlineFile, FileName>,
        /// Permission bits of the directory.
        "permissions" permissions: ModeOr<0o755>,
        /// Owner of the directory.
        "uid" uid: Number,
        /// Group of the directory.
        "gid" gid: Number,
    }
}

object! {
    /// A build context.
    RawContext: "a context source", closed {
        /// Its name; absent for the main one.
        "name" name: Template<Path>,
    }
}

object! {
    /// One file by URL.
    RawHttp: "an http source", closed, check check_http {
        /// The URL.
        "url" url: Template<Url>,
        /// Digest of the content.
        "digest" digest: Text<Digest>,
        /// Permission bits of the file.
        "permissions" permissions: Option<Mode>,
    }
}

object! {
    /// A patch for one source.
    RawPatch: "a patch", closed, check check_patch => Patch, span {
        /// Name of the source that holds the patch.
        "source" source: Text<SourceName>,
        /// Patch file inside a directory source.
        "path" path: Template<Path>,
        /// Leading path components to strip.
        "strip" strip: Number<1>,
    }
}

object! {
    /// A source mounted into a test.
    RawMount: "a mount", open, check check_mount {
        /// Where.
        "dest" dest: Text<MountPoint>,
        /// What.
        "spec" spec: Option<RawSource>,
    }
}

impl RawSource {
    /// Returns whether the source is a directory; none when it has no kind.
    pub fn is_dir(&self) -> Option<bool> {
        match (&self.inline, &self.context, &self.http) {
            (Some(inline), ..) => Some(inline.dir.is_some()),
            (_, Some(_), _) => Some(true),
            (.., Some(_)) => Some(false),
            _ => None,
        }
    }

    /// Returns the keys that select a part of the source, with their places.
    fn selection(&self) -> impl Iterator<Item = (&'static str, Span)> {
        let path = (!self.path.value.is_empty()).then_some(("path", self.path.span));
        let includes = self.includes.items.first().map(|item| ("includes", item.span));
        let excludes = self.excludes.items.first().map(|item| ("excludes", item.span));
        path.into_iter().chain(includes).chain(excludes)
    }
}

fn check_source(source: &RawSource, decoder: &mut Decoder<'_>) {
    if decoder.findings.error_within(source.span) {
        return;
    }
    let variants: Vec<(&str, Span)> = [
        source.inline.as_ref().map(|variant| ("inline", variant.span)),
        source.context.as_ref().map(|variant| ("context", variant.span)),
        source.http.as_ref().map(|variant| ("http", variant.span)),
    ]
    .into_iter()
    .flatten()
    .collect();
    match variants[..] {
        [] => {
            let message = "a source needs a kind: one of `inline`, `context` and `http`";
            let span = decoder.first_line(source.span);
            let diagnostic = Diagnostic::error(codes::MISSING_KEY, span, message);
            decoder.report(diagnostic.help("for the main build context, write `context: {}`"));
        }
        [_] => {}
        [(first, first_span), (second, second_span), ..] => {
            let message = format!("a source has one kind, but this one is `{first}` and `{second}`");
            let (first_span, span) = (decoder.first_line(first_span), decoder.first_line(second_span));
            let diagnostic = Diagnostic::error(codes::CONFLICTING_KEYS, span, message);
            decoder.report(diagnostic.label(first_span, "the other kind").help("make two sources of it"));
        }
    }
    if source.is_dir() == Some(false) {
        let what = if source.http.is_some() { "an http source" } else { "an inline file" };
        for (key, span) in source.selection() {
            let message = format!("`{key}` selects files in a directory, but {what} is one file");
            decoder.error(codes::CONFLICTING_KEYS, span, message);
        }
    }
}

fn check_inline(inline: &RawInline, decoder: &mut Decoder<'_>) {
    match (&inline.file, &inline.dir) {
        (Some(file), Some(dir)) => {
            let (file, span) = (decoder.first_line(file.span), decoder.first_line(dir.span));
            let message = "an inline source is a file or a directory, not both";
            let diagnostic = Diagnostic::error(codes::CONFLICTING_KEYS, span, message);
            decoder.report(
                diagnostic
                    .label(file, "the file")
                    .help("make two sources of it, or put the file under `dir`"),
            );
        }
        (None, None) if !decoder.findings.error_within(inline.span) => {
            let span = decoder.first_line(inline.span);
            let diagnostic =
                Diagnostic::error(codes::MISSING_KEY, span, "an inline source needs `file` or `dir`");
            decoder.report(diagnostic.help("write `file: {contents: \"...\"}`"));
        }
        _ => {}
    }
}

fn check_http(http: &RawHttp, decoder: &mut Decoder<'_>) {
    decoder.need(&http.url.value, "url", RawHttp::NAME, http.span);
    if http.digest.value.is_empty() && !decoder.findings.error_within(http.span) {
        let span = decoder.first_line(http.span);
        let message = "this http source has no digest: whatever the server sends is built";
        let diagnostic = Diagnostic::warning(codes::MISSING_DIGEST, span, message);
        decoder.doubts.push(diagnostic.help("add `digest: sha256:...` (sha256sum prints it)"));
    }
}

fn check_patch(patch: &RawPatch, decoder: &mut Decoder<'_>) {
    decoder.need(&patch.source.value, "source", RawPatch::NAME, patch.span);
}

fn check_mount(mount: &RawMount, decoder: &mut Decoder<'_>) {
    decoder.need(&mount.dest.value, "dest", RawMount::NAME, mount.span);
    if mount.spec.is_none() {
        decoder.need("", "spec", RawMount::NAME, mount.span);
    }
}

impl Field for RawSource {
    type Output = Source;

    fn resolve(&self, resolver: &mut Resolver<'_>) -> Source {
        let (kind, span) = match (&self.inline, &self.context, &self.http) {
            (Some(inline), ..) => (SourceKind::Inline(inline.resolve(resolver)), inline.span),
            (_, _, Some(http)) => (http.resolve(resolver), http.span),
            (_, context, _) => {
                let name = context.as_ref().map_or(String::new(), |context| context.name.resolve(resolver));
                let name = if name.is_empty() { MAIN_CONTEXT.to_owned() } else { name };
                (SourceKind::Context { name }, context.as_ref().map_or(self.span, |context| context.span))
            }
        };
        Source {
            kind,
            path: self.path.resolve(resolver),
            includes: self.includes.resolve(resolver),
            excludes: self.excludes.resolve(resolver),
            span,
        }
    }

    fn emit(output: &Source) -> Tree {
        let (kind, value) = match &output.kind {
            SourceKind::Inline(inline) => ("inline", RawInline::emit(inline)),
            SourceKind::Http { .. } => ("http", RawHttp::emit(&output.kind)),
            SourceKind::Context { name } => {
                let mut entries = Vec::new();
                entry::<Template>(&mut entries, "name", name);
                ("context", Tree::Map(entries))
            }
        };
        let mut entries = vec![(kind.to_owned(), value)];
        entry::<Template<Path>>(&mut entries, "path", &output.path);
        entry::<List<Template<Path>>>(&mut entries, "includes", &output.includes);
        entry::<List<Template<Path>>>(&mut entries, "excludes", &output.excludes);
        Tree::Map(entries)
    }
}

impl Field for RawHttp {
    type Output = SourceKind;

    fn resolve(&self, resolver: &mut Resolver<'_>) -> SourceKind {
        SourceKind::Http {
            url: self.url.resolve(resolver),
            digest: Some(self.digest.resolve(resolver)).filter(|digest| !digest.is_empty()),
            permissions: self.permissions.resolve(resolver),
        }
    }

    fn emit(output: &SourceKind) -> Tree {
        let mut entries = Vec::new();
        if let SourceKind::Http { url, digest, permissions } = output {
            entry::<Template<Url>>(&mut entries, "url", url);
            entry::<Option<Text<Digest>>>(&mut entries, "digest", digest);
            entry::<Option<Mode>>(&mut entries, "permissions", permissions);
        }
        Tree::Map(entries)
    }
}

impl Field for RawContext {
    type Output = String;

    fn resolve(&self, resolver: &mut Resolver<'_>) -> String {
        self.name.resolve(resolver)
    }

    fn emit(output: &String) -> Tree {
        Tree::Map(vec![("name".to_owned(), Template::<Path>::emit(output))])
    }
}

impl Field for RawInline {
    type Output = Inline;

    fn resolve(&self, resolver: &mut Resolver<'_>) -> Inline {
        match (&self.file, &self.dir) {
            (_, Some(dir)) => dir.resolve(resolver),
            (file, None) => Inline::File(file.clone().unwrap_or_default().resolve(resolver)),
        }
    }

    fn emit(output: &Inline) -> Tree {
        let (key, value) = match output {
            Inline::File(file) => ("file", RawInlineFile::emit(file)),
            Inline::Dir { .. } => ("dir", RawInlineDir::emit(output)),
        };
        Tree::Map(vec![(key.to_owned(), value)])
    }
}

impl Field for RawInlineDir {
    type Output = Inline;

    fn resolve(&self, resolver: &mut Resolver<'_>) -> Inline {
        Inline::Dir {
            files: self.files.resolve(resolver),
            permissions: self.permissions.resolve(resolver),
            uid: self.uid.resolve(resolver),
            gid: self.gid.resolve(resolver),
        }
    }

    fn emit(output: &Inline) -> Tree {
        let mut entries = Vec::new();
        if let Inline::Dir { files, permissions, uid, gid } = output {
            entry::<Map<RawInlineFile, FileName>>(&mut entries, "files", files);
            entry::<ModeOr<0o755>>(&mut entries, "permissions", permissions);
            entry::<Number>(&mut entries, "uid", uid);
            entry::<Number>(&mut entries, "gid", gid);
        }
        Tree::Map(entries)
    }
}

impl Field for RawMount {
    type Output = SourceMount;

    fn resolve(&self, resolver: &mut Resolver<'_>) -> SourceMount {
        SourceMount {
            dest: self.dest.resolve(resolver),
            source: self.spec.clone().unwrap_or_default().resolve(resolver),
        }
    }

    fn emit(output: &SourceMount) -> Tree {
        let mut entries = Vec::new();
        entry::<Text<MountPoint>>(&mut entries, "dest", &output.dest);
        entry::<RawSource>(&mut entries, "spec", &output.source);
        Tree::Map(entries)
    }
}
