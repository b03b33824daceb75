//! Container settings.

use std::collections::BTreeMap;

use crate::codes;
use crate::decode::{At, Decode, Decoder, Field, List, Map, Object, Template, Text, object};
use crate::diagnostic::Diagnostic;
use crate::emit::{Tree, entry};
use crate::raw::rules::{Account, CommandLine, EnvEntry, ImageRef, Line, Path};
use crate::resolve::Resolver;
use crate::span::{Span, Spanned};
use crate::target_spec::{Image, PostSymlink};
use crate::yaml::{Kind, Node};

object! {
    /// Container settings.
    RawImage: "the image settings", open, check check_image {
        /// Entrypoint as one command line.
        "entrypoint" entrypoint: Text<CommandLine>,
        /// Command as one command line.
        "cmd" cmd: Text<CommandLine>,
        /// `NAME=value` entries.
        "env" env: List<Text<EnvEntry>>,
        /// Labels.
        "labels" labels: Map<Template>,
        /// Volume paths.
        "volumes" volumes: Map<RawVolume, Path>,
        /// Working directory.
        "working_dir" working_dir: Text<Path>,
        /// Stop signal.
        "stop_signal" stop_signal: Text<Line>,
        /// User, or user and group.
        "user" user: Text<Line>,
        /// Image to start from; one way to write `bases`.
        "base" base: Text<ImageRef>,
        /// Images to start from.
        "bases" bases: Option<List<RawBase>>,
        /// What happens after installation.
        "post" post: Option<RawPost>,
    }
}

/// A volume; it has no settings.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct RawVolume;

impl Decode for RawVolume {
    const TAKES: &'static str = "no settings";

    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Self {
        let is_empty = matches!(&node.value.kind, Kind::Mapping(entries) if entries.is_empty());
        if !node.is_null() && !is_empty {
            decoder.wrong_type(node, Self::TAKES, Some("leave it empty, or write `{}`".to_owned()));
        }
        Self
    }
}

object! {
    /// An image to start from.
    RawBase: "a base", open, check check_base {
        /// The image as a source.
        "rootfs" rootfs: Option<RawRootfs>,
    }
}

object! {
    /// The source of a base image.
    RawRootfs: "a base image", closed, check check_rootfs {
        /// The image.
        "image" image: Option<RawImageRef>,
    }
}

object! {
    /// An image by reference.
    RawImageRef: "a base image reference", closed, check check_image_ref {
        /// The reference.
        "ref" reference: Text<ImageRef>,
    }
}

object! {
    /// What happens in a container after installation.
    RawPost: "the post settings", open, check check_post {
        /// Links, by what they point to.
        "symlinks" symlinks: Map<RawSymlink, Path>,
    }
}

object! {
    /// Links to one path.
    RawSymlink: "a symlink", open, check check_symlink {
        /// Path of the link.
        "path" path: Text<Path>,
        /// Paths of several links.
        "paths" paths: List<Text<Path>>,
        /// Owner.
        "user" user: Text<Account>,
        /// Group.
        "group" group: Text<Account>,
    }
}

fn check_image(image: &RawImage, decoder: &mut Decoder<'_>) {
    if image.bases.is_some() && !image.base.value.is_empty() {
        let message = "`base` and `bases` exclude each other";
        decoder.report(
            Diagnostic::error(codes::CONFLICTING_KEYS, image.base.span, message).help("move it into `bases`"),
        );
    }
}

fn check_base(base: &RawBase, decoder: &mut Decoder<'_>) {
    if base.rootfs.is_none() {
        decoder.need("", "rootfs", RawBase::NAME, base.span);
    }
}

fn check_rootfs(rootfs: &RawRootfs, decoder: &mut Decoder<'_>) {
    if rootfs.image.is_none() {
        decoder.need("", "image", RawRootfs::NAME, rootfs.span);
    }
}

fn check_image_ref(image: &RawImageRef, decoder: &mut Decoder<'_>) {
    decoder.need(&image.reference.value, "ref", RawImageRef::NAME, image.span);
}

fn check_symlink(link: &RawSymlink, decoder: &mut Decoder<'_>) {
    if !link.path.value.is_empty()
        && let Some(other) = link.paths.items.first()
    {
        let diagnostic = Diagnostic::error(
            codes::CONFLICTING_KEYS,
            link.path.span,
            "`path` and `paths` exclude each other",
        );
        decoder.report(diagnostic.label(other.span, "`paths` is here").help("move it into `paths`"));
    } else if link.path.value.is_empty() && link.paths.items.is_empty() {
        decoder.need("", "path", RawSymlink::NAME, link.span);
    }
    for path in link.paths.items.iter().filter(|path| path.value.is_empty()) {
        decoder.error(codes::INVALID_VALUE, path.span, "an entry of `paths` is empty");
    }
}

fn check_post(post: &RawPost, decoder: &mut Decoder<'_>) {
    let mut seen: BTreeMap<&str, Span> = BTreeMap::new();
    for path in post.symlinks.entries.iter().flat_map(|entry| entry.value.all_paths()) {
        if let Some(first) = seen.insert(&path.value, path.span) {
            let message = format!("two links have the path `{}`", path.value);
            decoder.report(
                Diagnostic::error(codes::CONFLICTING_KEYS, path.span, message).label(first, "the other one"),
            );
        }
    }
}

impl RawSymlink {
    fn all_paths(&self) -> impl Iterator<Item = &Text<Path>> {
        self.paths.items.iter().chain(Some(&self.path)).filter(|path| !path.value.is_empty())
    }
}

impl RawImage {
    /// Returns the base images with the places of their references; none when the settings do not say.
    fn all_bases(&self) -> Option<Vec<Spanned<String>>> {
        if !self.base.value.is_empty() {
            return Some(vec![Spanned::new(self.base.value.clone(), self.base.span)]);
        }
        let references = self.bases.as_ref()?.items.iter().filter_map(|base| {
            let reference = &base.rootfs.as_ref()?.image.as_ref()?.reference;
            Some(Spanned::new(reference.value.clone(), reference.span))
        });
        Some(references.collect())
    }

    fn symlinks(&self) -> Option<Vec<PostSymlink>> {
        let post = self.post.as_ref()?;
        let mut links: Vec<PostSymlink> = post
            .symlinks
            .entries
            .iter()
            .flat_map(|entry| {
                entry.value.all_paths().map(|path| PostSymlink {
                    target: entry.key.value.clone(),
                    path: path.value.clone(),
                    user: entry.value.user.value.clone(),
                    group: entry.value.group.value.clone(),
                })
            })
            .collect();
        links.sort_by(|a, b| (&a.target, &a.path).cmp(&(&b.target, &b.path)));
        Some(links)
    }
}

/// Resolves the settings of `root` as `target` overrides them.
///
/// Single values, bases and post settings of the target replace the root's; environments are joined, labels and
/// volumes merged.
pub(crate) fn resolve(
    root: Option<&RawImage>,
    target: Option<&RawImage>,
    resolver: &mut Resolver<'_>,
) -> Image {
    let absent = RawImage::default();
    let (root, target) = (root.unwrap_or(&absent), target.unwrap_or(&absent));
    let text = |target: &str, root: &str| if target.is_empty() { root.to_owned() } else { target.to_owned() };
    let mut env: Vec<String> = root.env.resolve(resolver);
    env.extend(target.env.resolve(resolver));
    let mut labels = root.labels.resolve(resolver);
    labels.extend(target.labels.resolve(resolver));
    let volumes =
        root.volumes.entries.iter().chain(&target.volumes.entries).map(|entry| entry.key.value.clone());
    Image {
        entrypoint: text(&target.entrypoint.value, &root.entrypoint.value),
        cmd: text(&target.cmd.value, &root.cmd.value),
        env,
        labels,
        volumes: volumes.collect::<std::collections::BTreeSet<_>>().into_iter().collect(),
        working_dir: text(&target.working_dir.value, &root.working_dir.value),
        stop_signal: text(&target.stop_signal.value, &root.stop_signal.value),
        user: text(&target.user.value, &root.user.value),
        bases: target.all_bases().or_else(|| root.all_bases()).unwrap_or_default(),
        symlinks: target.symlinks().or_else(|| root.symlinks()).unwrap_or_default(),
    }
}

/// Writes `image` in the keys of the language; none when nothing is set.
pub(crate) fn emit(image: &Image) -> Option<Tree> {
    let mut entries = Vec::new();
    entry::<Text<CommandLine>>(&mut entries, "entrypoint", &image.entrypoint);
    entry::<Text<CommandLine>>(&mut entries, "cmd", &image.cmd);
    entry::<List<Text<EnvEntry>>>(&mut entries, "env", &image.env);
    entry::<Map<Template>>(&mut entries, "labels", &image.labels);
    if !image.volumes.is_empty() {
        let volumes = image.volumes.iter().map(|path| (path.clone(), Tree::Map(Vec::new())));
        entries.push(("volumes".to_owned(), Tree::Map(volumes.collect())));
    }
    entry::<Text<Path>>(&mut entries, "working_dir", &image.working_dir);
    entry::<Text<Line>>(&mut entries, "stop_signal", &image.stop_signal);
    entry::<Text<Line>>(&mut entries, "user", &image.user);
    if !image.bases.is_empty() {
        let map = |key: &str, value| Tree::Map(vec![(key.to_owned(), value)]);
        let reference = |base| map("rootfs", map("image", map("ref", At::<Text<ImageRef>>::emit(base))));
        entries.push(("bases".to_owned(), Tree::List(image.bases.iter().map(reference).collect())));
    }
    if !image.symlinks.is_empty() {
        let symlinks = Tree::Map(emit_symlinks(&image.symlinks));
        entries.push(("post".to_owned(), Tree::Map(vec![("symlinks".to_owned(), symlinks)])));
    }
    (!entries.is_empty()).then_some(Tree::Map(entries))
}

/// Writes links to the same path as one entry: they have one owner, as they came from one entry.
fn emit_symlinks(links: &[PostSymlink]) -> Vec<(String, Tree)> {
    links
        .chunk_by(|a, b| a.target == b.target)
        .map(|links| {
            let paths = links.iter().map(|link| Tree::Text(link.path.clone())).collect();
            let mut entries = vec![("paths".to_owned(), Tree::List(paths))];
            if let [first, ..] = links {
                entry::<Text<Account>>(&mut entries, "user", &first.user);
                entry::<Text<Account>>(&mut entries, "group", &first.group);
            }
            (links.first().map_or(String::new(), |link| link.target.clone()), Tree::Map(entries))
        })
        .collect()
}
