//! Container settings.

use std::collections::BTreeMap;

use crate::codes;
use crate::decode::{Decode, Decoder, Field, List, Map, Template, Text, Tracer, Whole, object};
use crate::diagnostic::Diagnostic;
use crate::emit::{Tree, entry};
use crate::raw::rules::{Account, CommandLine, EnvEntry, ImageRef, Line, Path};
use crate::raw::source::{RawImageSource, RawSource};
use crate::resolve::Resolver;
use crate::shape::Shape;
use crate::span::Span;
use crate::target_spec::PostSymlink;
use crate::yaml::{Kind, Node};

object! {
    /// Settings of container images. A target's single values replace the root's; its `env` is added, its `labels` and
    /// `volumes` are added or replaced one by one, its `bases` and `post` replace the root's as a whole.
    RawImage: "the image settings", open, at_most_one ["base", "bases"], check check_image, merge by_key
        => Image {
        /// Entrypoint, as one command line.
        /// Example: /usr/bin/tool --serve
        "entrypoint" entrypoint: Text<CommandLine>,
        /// Command, as one command line.
        /// Example: --port 80
        "cmd" cmd: Text<CommandLine>,
        /// Environment, as `NAME=value` entries.
        /// Example: [MODE=production]
        "env" env: List<Text<EnvEntry>>,
        /// Labels.
        /// Example: {org.example.version: "${VERSION}"}
        "labels" labels: Map<Template>,
        /// Paths of volumes. They have no settings.
        /// Example: {/var/lib/tool: {}}
        "volumes" volumes: Map<RawVolume, Path>,
        /// Working directory.
        /// Example: /var/lib/tool
        "working_dir" working_dir: Text<Path>,
        /// Signal that asks the container to stop.
        /// Example: SIGTERM
        "stop_signal" stop_signal: Text<Line>,
        /// User, or user and group, of the container's process.
        /// Example: "1000:1000"
        "user" user: Text<Line>,
        /// Image to start from. Old form of `bases`.
        /// Example: "registry.example.org/base:1"
        "base" base: Template<ImageRef> = raw,
        /// Images to start from; for Windows there may be several, one per version of Windows.
        /// Default: what the target starts from
        /// Example: [{rootfs: {image: {ref: "registry.example.org/base:1"}}}]
        "bases" bases: Whole<List<RawBase>>,
        /// What happens after the packages are installed.
        /// Example: {symlinks: {/usr/bin/tool: {path: /tool}}}
        "post" symlinks: Whole<RawPost>,
    }
}

/// A volume; it has no settings.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct RawVolume;

impl Decode for RawVolume {
    const TAKES: &'static str = "`{}`";

    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Self {
        let is_empty = matches!(&node.value.kind, Kind::Mapping(entries) if entries.is_empty());
        if !node.is_null() && !is_empty {
            decoder.wrong_type(
                node,
                Self::TAKES,
                Some("a volume has no settings: leave it empty".to_owned()),
            );
        }
        Self
    }

    fn shape() -> Shape {
        Shape::Nothing
    }

    fn is_given(&self) -> bool {
        true
    }

    fn trace(&self, _tracer: &mut Tracer<'_>) {}
}

impl Field for RawVolume {
    type Output = ();

    fn resolve(&self, _resolver: &mut Resolver<'_>) {}

    fn emit((): &()) -> Tree {
        Tree::Map(Vec::new())
    }
}

object! {
    /// An image to start from.
    RawBase: "a base", open, needs ["rootfs"], check check_base => BaseImage {
        /// The image, as a source of kind `image`.
        /// Example: {image: {ref: "registry.example.org/base:1"}}
        "rootfs" rootfs: RawSource,
    }
}

object! {
    /// What happens in a container after the packages are installed.
    RawPost: "the post settings", open, check check_post {
        /// Symbolic links, by what they point to.
        /// Example: {/usr/bin/tool: {path: /tool}}
        "symlinks" symlinks: Map<RawSymlink, Path>,
    }
}

object! {
    /// Links to one path.
    RawSymlink: "a symlink", open, one_of ["path", "paths"], check check_symlink {
        /// Path of the link.
        /// Example: /tool
        "path" path: Text<Path>,
        /// Paths of several links.
        /// Example: [/tool, /usr/local/bin/tool]
        "paths" paths: List<Text<Path>>,
        /// Owner of the links.
        /// Default: root
        /// Example: tool
        "user" user: Text<Account>,
        /// Group of the links.
        /// Default: root
        /// Example: tool
        "group" group: Text<Account>,
    }
}

/// Brings `base` into the form of `bases`.
fn check_image(image: &mut RawImage, decoder: &mut Decoder<'_>) {
    let base = std::mem::take(&mut image.base);
    if !base.is_given() {
        return;
    }
    let diagnostic =
        Diagnostic::warning(codes::DEPRECATED_KEY, base.span, "`base` is the old form of `bases`");
    decoder.doubt(
        diagnostic.help(format!("write `bases: [{{rootfs: {{image: {{ref: \"{}\"}}}}}}]`", base.value)),
    );
    if image.bases.0.is_none() {
        let image_source = RawImageSource::of_reference(base.clone());
        let rootfs = RawSource { span: base.span, image: Some(image_source), ..RawSource::default() };
        let items = vec![RawBase { span: base.span, rootfs }];
        image.bases = Whole(Some(List { items, span: base.span }));
    }
}

fn check_base(base: &mut RawBase, decoder: &mut Decoder<'_>) {
    let rootfs = &base.rootfs;
    if rootfs.is_given() && rootfs.image.is_none() && !decoder.findings.error_within(base.span) {
        let span = decoder.first_line(rootfs.span);
        let diagnostic = Diagnostic::error(
            codes::INVALID_VALUE,
            span,
            "a container starts from an image, not from another kind of source",
        );
        decoder.report(diagnostic.help("write `rootfs: {image: {ref: ...}}`"));
    }
}

fn check_symlink(symlink: &mut RawSymlink, decoder: &mut Decoder<'_>) {
    for path in symlink.paths.items.iter().filter(|path| path.value.is_empty()) {
        if !decoder.findings.error_within(symlink.span) {
            let span =
                if path.span == Span::default() { decoder.first_line(symlink.span) } else { path.span };
            decoder.report(
                Diagnostic::error(codes::INVALID_VALUE, span, "the path of a link is missing")
                    .help("write the path, or remove the entry"),
            );
        }
    }
    // One path is a list of one.
    let path = std::mem::take(&mut symlink.path);
    if path.is_given() && symlink.paths.items.is_empty() {
        symlink.paths = List { span: path.span, items: vec![path] };
    }
}

fn check_post(post: &mut RawPost, decoder: &mut Decoder<'_>) {
    let mut seen: BTreeMap<&str, Span> = BTreeMap::new();
    for path in post.symlinks.entries.iter().flat_map(|entry| &entry.value.paths.items) {
        if let Some(first) = seen.insert(&path.value, path.span)
            && path.is_given()
        {
            let message = format!("two links have the path `{}`", path.value);
            let diagnostic = Diagnostic::error(codes::CONFLICTING_KEYS, path.span, message);
            decoder.report(diagnostic.label(first, "the other one").help("remove one of them"));
        }
    }
}

impl Field for RawPost {
    type Output = Vec<PostSymlink>;

    fn resolve(&self, _resolver: &mut Resolver<'_>) -> Vec<PostSymlink> {
        let mut links: Vec<PostSymlink> = Vec::new();
        for entry in &self.symlinks.entries {
            let symlink = &entry.value;
            links.extend(symlink.paths.items.iter().map(|path| PostSymlink {
                target: entry.key.value.clone(),
                path: path.value.clone(),
                user: symlink.user.value.clone(),
                group: symlink.group.value.clone(),
            }));
        }
        // The paths of one target stay in the author's order.
        links.sort_by(|a, b| a.target.cmp(&b.target));
        links
    }

    /// Writes links to the same path as one entry: they have one owner, as they came from one entry.
    fn emit(output: &Vec<PostSymlink>) -> Tree {
        let by_target = output.chunk_by(|a, b| a.target == b.target).filter_map(|links| {
            let first = links.first()?;
            let paths = links.iter().map(|link| Tree::Text(link.path.clone())).collect();
            let mut entries = vec![("paths".to_owned(), Tree::List(paths))];
            entry::<Text<Account>>(&mut entries, "user", &first.user);
            entry::<Text<Account>>(&mut entries, "group", &first.group);
            Some((first.target.clone(), Tree::Map(entries)))
        });
        Tree::Map(vec![("symlinks".to_owned(), Tree::Map(by_target.collect()))])
    }

    fn is_absent(output: &Vec<PostSymlink>) -> bool {
        output.is_empty()
    }
}
