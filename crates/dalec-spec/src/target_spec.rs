//! What one target builds on one platform: every argument expanded, every default filled in, every
//! target override applied.
//!
//! Nothing downstream of this room looks at the raw form. Spans are kept where a failing build step,
//! source, patch or check has to point at its line.

use std::collections::BTreeMap;

pub use crate::extensions::{ExtensionError, Extensions};
use crate::span::{Span, Spanned};

/// One spec, resolved for one target and one platform.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TargetSpec {
    /// Target key this was resolved for, for example `bookworm`; empty when resolved for none.
    pub target: String,
    /// Package name.
    pub name: String,
    /// Description; its first line is the summary.
    pub description: String,
    /// Project home page.
    pub website: String,
    /// Upstream version, as the author wrote it.
    pub version: String,
    /// Packaging revision, as the author wrote it.
    pub revision: String,
    /// Licence expression.
    pub license: String,
    /// Vendor.
    pub vendor: String,
    /// Packager, `Name <address>` or a bare name.
    pub packager: String,
    /// True when the package holds nothing that depends on the architecture.
    pub noarch: bool,
    /// Where the parts stand that packages are called by.
    pub places: NamePlaces,
    /// Declared arguments with the values that were used.
    pub args: BTreeMap<String, String>,
    /// Sources by name; each becomes the file or directory of that name in the build root.
    pub sources: BTreeMap<String, Source>,
    /// Patches by the name of the source they apply to, in order.
    pub patches: BTreeMap<String, Vec<Patch>>,
    /// Packages this one may not be installed beside.
    pub conflicts: BTreeMap<String, PackageConstraint>,
    /// Packages this one replaces.
    pub replaces: BTreeMap<String, PackageConstraint>,
    /// Virtual packages this one provides.
    pub provides: BTreeMap<String, PackageConstraint>,
    /// Dependencies after the target's lists replaced the root's.
    pub dependencies: Dependencies,
    /// How the sources become artifacts.
    pub build: Build,
    /// What goes into the package.
    pub artifacts: Artifacts,
    /// Settings of packages.
    pub package_config: PackageConfig,
    /// Container settings.
    pub image: Image,
    /// Changelog entries in the order written.
    pub changelog: Vec<ChangelogEntry>,
    /// Tests: the root's, then the target's.
    pub tests: Vec<Test>,
    /// Keys that are the author's own.
    pub extensions: Extensions,
}

/// Where a spec says what its packages are called; empty for what it does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NamePlaces {
    /// The name.
    pub name: Span,
    /// The upstream version.
    pub version: Span,
    /// The packaging revision.
    pub revision: Span,
}

/// One source: where it comes from and which part of it is taken.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Source {
    /// Where it comes from.
    pub kind: SourceKind,
    /// Path inside the source that is taken; empty for all of it.
    pub path: String,
    /// Patterns to take, relative to `path`; empty takes everything.
    pub includes: Vec<String>,
    /// Patterns to leave out, relative to `path`.
    pub excludes: Vec<String>,
    /// What is downloaded for the build beside the source, in order.
    pub generate: Vec<Generator>,
    /// The source variant in the spec.
    pub span: Span,
    /// What selects a part of the source, in the spec.
    pub selectors: Selectors,
}

/// Where a spec says which part of a source is taken.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Selectors {
    /// The path; empty without one.
    pub path: Span,
    /// The patterns to take, in order.
    pub includes: Vec<Span>,
    /// The patterns to leave out, in order.
    pub excludes: Vec<Span>,
}

impl Source {
    /// Returns whether the source is a directory in the build root; otherwise it is one file.
    pub fn is_dir(&self) -> bool {
        match &self.kind {
            SourceKind::Git(_) | SourceKind::Image(_) | SourceKind::Context(_) | SourceKind::Build(_) => true,
            SourceKind::Http(_) => false,
            SourceKind::Inline(inline) => matches!(inline, Inline::Dir(_)),
        }
    }
}

/// The kinds of source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceKind {
    /// A commit of a git repository.
    Git(GitSource),
    /// One file by URL.
    Http(HttpSource),
    /// Files of a container image.
    Image(ImageSource),
    /// A build context.
    Context(ContextSource),
    /// The result of a Dockerfile.
    Build(BuildSource),
    /// Text written in the spec.
    Inline(Inline),
}

impl Default for SourceKind {
    fn default() -> Self {
        Self::Context(ContextSource::default())
    }
}

/// A commit of a git repository.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GitSource {
    /// https, http, ssh or git URL, or `user@host:path`.
    pub url: String,
    /// Commit hash, tag, branch or other ref.
    pub commit: String,
    /// Beginning of the hash that the commit must have; empty for any.
    pub checksum: String,
    /// Keeps the `.git` directory.
    pub keep_git_dir: bool,
    /// How to log in.
    pub auth: GitAuth,
}

/// Names of the secrets and of the ssh socket to log in to a git server with; empty for the defaults.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GitAuth {
    /// Secret with an `Authorization` header.
    pub header: String,
    /// Secret with a token.
    pub token: String,
    /// The ssh socket.
    pub ssh: String,
}

/// One file by URL.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HttpSource {
    /// The URL.
    pub url: String,
    /// `algorithm:hex` of the content, checked after the download; empty for no check.
    pub digest: String,
    /// Permission bits of the file; none leaves them to the engine.
    pub permissions: Option<u32>,
}

/// Files of a container image.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ImageSource {
    /// The image.
    pub reference: String,
    /// Commands to run in it first; the source is then what they write below its `path`.
    pub command: Option<ImageCommand>,
}

/// Commands that run in an image.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ImageCommand {
    /// Working directory; empty for the image's.
    pub dir: String,
    /// Sources mounted for all steps.
    pub mounts: Vec<SourceMount>,
    /// Environment of all steps.
    pub env: BTreeMap<String, String>,
    /// The steps, each run with `/bin/sh -c`.
    pub steps: Vec<BuildStep>,
}

/// A build context.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ContextSource {
    /// Name of the context; `context` is the main one.
    pub name: String,
}

/// The result of a Dockerfile.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BuildSource {
    /// What is built; never a build source itself.
    pub source: Box<Source>,
    /// Path of the Dockerfile in the source.
    pub dockerfile_path: String,
    /// Stage to build; empty for the last.
    pub target: String,
    /// Build arguments.
    pub args: BTreeMap<String, String>,
}

/// Files written in the spec.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Inline {
    /// One file.
    File(InlineFile),
    /// A flat directory of files.
    Dir(InlineDir),
}

impl Default for Inline {
    fn default() -> Self {
        Self::File(InlineFile::default())
    }
}

/// One inline file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct InlineFile {
    /// Content.
    pub contents: String,
    /// Permission bits.
    pub permissions: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
}

/// A flat directory of inline files.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct InlineDir {
    /// Files by name; names hold no `/`.
    pub files: BTreeMap<String, InlineFile>,
    /// Permission bits of the directory.
    pub permissions: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
}

/// What is downloaded for the build beside a source; at least one kind is given.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Generator {
    /// Directory of the source to work in; empty for its root.
    pub subpath: String,
    /// Go modules.
    pub gomod: Option<Gomod>,
    /// Rust crates.
    pub cargohome: Option<Cargohome>,
    /// Python packages.
    pub pip: Option<Pip>,
    /// npm packages.
    pub nodemod: Option<Nodemod>,
    /// The entry in the spec.
    pub span: Span,
}

/// Go modules.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Gomod {
    /// Directories below the generator's `subpath`.
    pub paths: Vec<String>,
    /// How to log in, by host (with its port where it has one).
    pub auth: BTreeMap<String, GomodAuth>,
    /// Changes to `go.mod`.
    pub edits: Option<GomodEdits>,
}

/// How to log in to the host of private Go modules: the first that is given of token, header and ssh.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GomodAuth {
    /// Name of the secret with a token.
    pub token: String,
    /// Name of the secret with an `Authorization` header.
    pub header: String,
    /// An ssh socket.
    pub ssh: Option<GomodSsh>,
}

/// An ssh socket and the user to log in as.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GomodSsh {
    /// Name of the ssh socket.
    pub id: String,
    /// User to log in as.
    pub username: String,
}

/// Changes to `go.mod`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GomodEdits {
    /// Modules to replace.
    pub replace: Vec<GomodReplace>,
    /// Modules that are no longer required.
    pub drop: Vec<String>,
}

/// A Go module and what replaces it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GomodReplace {
    /// The module, with or without `@version`.
    pub old: String,
    /// The module with its version, or a directory.
    pub new: String,
    /// The entry in the spec.
    pub span: Span,
}

/// Rust crates.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cargohome {
    /// Directories below the generator's `subpath`.
    pub paths: Vec<String>,
}

/// Python packages.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pip {
    /// Directories below the generator's `subpath`.
    pub paths: Vec<String>,
    /// Name of the requirements file.
    pub requirements_file: String,
    /// Package index; empty for pip's own.
    pub index_url: String,
    /// Further package indexes.
    pub extra_index_urls: Vec<String>,
}

/// npm packages.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Nodemod {
    /// Directories below the generator's `subpath`.
    pub paths: Vec<String>,
    /// Package registry; empty for npm's own.
    pub registry: String,
}

/// A patch for one source.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Patch {
    /// Name of the source that holds the patch.
    pub source: String,
    /// File inside a directory source; empty for a file source.
    pub path: String,
    /// Leading path components to strip (`patch -pN`).
    pub strip: u32,
    /// The path in the spec, or the entry where it has none.
    pub span: Span,
}

/// Which versions of a package, on which architectures.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PackageConstraint {
    /// Constraints such as `>= 1.2`; all must hold.
    pub version: Vec<String>,
    /// Architectures the entry is limited to; empty for all.
    pub arch: Vec<String>,
    /// The entry in the spec.
    pub span: Span,
}

/// Dependency lists by package name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Dependencies {
    /// Needed to build.
    pub build: BTreeMap<String, PackageConstraint>,
    /// Needed to run.
    pub runtime: BTreeMap<String, PackageConstraint>,
    /// Recommended at run time.
    pub recommends: BTreeMap<String, PackageConstraint>,
    /// Unpacked into system extensions.
    pub sysext: BTreeMap<String, PackageConstraint>,
    /// Installed before the tests.
    pub test: BTreeMap<String, PackageConstraint>,
    /// Package repositories beside the distribution's, in order.
    pub extra_repos: Vec<Repository>,
}

/// A package repository.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Repository {
    /// Signing keys by file name; http sources among them have mode 0644.
    pub keys: BTreeMap<String, Source>,
    /// Configuration of the package manager by file name.
    pub config: BTreeMap<String, Source>,
    /// Files that are there while packages are installed.
    pub data: Vec<SourceMount>,
    /// When it is used; never empty.
    pub envs: Vec<RepositoryUse>,
    /// The entry in the spec.
    pub span: Span,
}

/// When a package repository is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RepositoryUse {
    /// For what the build needs.
    #[default]
    Build,
    /// For the package and what it needs.
    Install,
    /// For what the tests need.
    Test,
}

/// How the build steps reach the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NetworkMode {
    /// Not at all.
    #[default]
    None,
    /// As the engine's sandbox allows.
    Sandbox,
}

/// The build section.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Build {
    /// Steps, each run in a shell of its own.
    pub steps: Vec<BuildStep>,
    /// Environment of all steps.
    pub env: BTreeMap<String, String>,
    /// Network of the steps.
    pub network_mode: NetworkMode,
    /// Directories that survive from one build to the next.
    pub caches: Vec<Cache>,
}

/// A directory that survives from one build to the next; exactly one kind is given.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cache {
    /// A directory of the author's choice.
    pub dir: Option<CacheDir>,
    /// The cache of the Go compiler.
    pub gobuild: Option<GobuildCache>,
    /// A cache for the Rust compiler.
    pub rustsccache: Option<SccacheCache>,
    /// The disk cache of Bazel.
    pub bazel: Option<BazelCache>,
    /// The entry in the spec.
    pub span: Span,
}

/// A cached directory of the author's choice.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CacheDir {
    /// Absolute path it is mounted at.
    pub dest: String,
    /// Name; empty for `dest`.
    pub key: String,
    /// What happens when two builds want it at the same time.
    pub sharing: CacheSharing,
    /// Shared between targets and platforms.
    pub no_auto_namespace: bool,
}

/// What happens when two builds want one cache at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CacheSharing {
    /// Both use it.
    #[default]
    Shared,
    /// The second waits.
    Locked,
    /// Each has its own.
    Private,
}

/// The cache of the Go compiler.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GobuildCache {
    /// Keeps builds with another scope apart.
    pub scope: String,
    /// Not to be used, not even by itself.
    pub disabled: bool,
}

/// A cache for the Rust compiler.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SccacheCache {
    /// Keeps builds with another scope apart.
    pub scope: String,
}

/// The disk cache of Bazel.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BazelCache {
    /// Keeps builds with another scope apart.
    pub scope: String,
}

/// One build step, or one step in an image.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BuildStep {
    /// Shell script.
    pub command: String,
    /// Environment of this step alone.
    pub env: BTreeMap<String, String>,
    /// Sources mounted for this step alone.
    pub mounts: Vec<SourceMount>,
    /// The command in the spec.
    pub span: Span,
}

/// What the package installs. Keys are paths relative to the build root; a trailing `*` takes several files.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Artifacts {
    /// Programs, `/usr/bin`.
    pub binaries: BTreeMap<String, Artifact>,
    /// Manual pages.
    pub manpages: BTreeMap<String, Artifact>,
    /// Architecture-independent data, `/usr/share`.
    pub data_dirs: BTreeMap<String, Artifact>,
    /// Programs run by programs, `/usr/libexec`.
    pub libexec: BTreeMap<String, Artifact>,
    /// Add-on software, `/opt`.
    pub opt: BTreeMap<String, Artifact>,
    /// Configuration files, `/etc`, kept on upgrade when the administrator changed them.
    pub config_files: BTreeMap<String, Artifact>,
    /// Documentation.
    pub docs: BTreeMap<String, Artifact>,
    /// Licence texts.
    pub licenses: BTreeMap<String, Artifact>,
    /// Libraries, `/usr/lib`.
    pub libs: BTreeMap<String, Artifact>,
    /// C headers, `/usr/include`.
    pub headers: BTreeMap<String, Artifact>,
    /// Directories that the package owns.
    pub directories: Directories,
    /// Symbolic links.
    pub links: Vec<Link>,
    /// systemd units and drop-ins.
    pub systemd: Systemd,
    /// Users to create at installation.
    pub users: Vec<String>,
    /// Groups to create at installation.
    pub groups: Vec<String>,
    /// True to keep symbols in binaries.
    pub disable_strip: bool,
    /// True to leave out automatically found dependencies.
    pub disable_auto_requires: bool,
}

/// How one artifact is installed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Artifact {
    /// Directory below the kind's directory.
    pub subpath: String,
    /// Name of the installed file; empty for the base name of the key.
    pub name: String,
    /// Permission bits; none keeps what the packaging tool chooses.
    pub permissions: Option<u32>,
    /// Owner; empty for root.
    pub user: String,
    /// Group; empty for root.
    pub group: String,
    /// File capabilities in the order written.
    pub capabilities: Vec<Capability>,
    /// The entry in the spec.
    pub span: Span,
}

/// A Linux file capability.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Capability {
    /// Name such as `cap_net_bind_service`.
    pub name: String,
    /// In the effective set.
    pub effective: bool,
    /// In the permitted set.
    pub permitted: bool,
    /// In the inheritable set.
    pub inheritable: bool,
}

/// Directories that the package owns, by path.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Directories {
    /// Below `/etc`.
    pub config: BTreeMap<String, DirectoryConfig>,
    /// Below `/var/lib`.
    pub state: BTreeMap<String, DirectoryConfig>,
}

/// A directory the package owns.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DirectoryConfig {
    /// Permission bits; none for 0755.
    pub mode: Option<u32>,
    /// Owner; empty for root.
    pub user: String,
    /// Group; empty for root.
    pub group: String,
    /// The entry in the spec.
    pub span: Span,
}

/// A symbolic link `dest -> source`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Link {
    /// What the link points to.
    pub source: String,
    /// Path of the link.
    pub dest: String,
    /// Owner; empty for root.
    pub user: String,
    /// Group; empty for root.
    pub group: String,
    /// The entry in the spec.
    pub span: Span,
}

/// systemd units and drop-ins, by path in the build root.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Systemd {
    /// Units.
    pub units: BTreeMap<String, Unit>,
    /// Drop-ins.
    pub dropins: BTreeMap<String, Dropin>,
}

/// A systemd unit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Unit {
    /// Installed name; empty for the base name of the key.
    pub name: String,
    /// Enabled at first installation.
    pub enable: bool,
    /// Started at first installation; none leaves it to the habit of the package format.
    pub start: Option<bool>,
    /// The entry in the spec.
    pub span: Span,
}

/// A systemd drop-in file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Dropin {
    /// Installed name; empty for the base name of the key.
    pub name: String,
    /// Unit the drop-in belongs to.
    pub unit: String,
    /// The entry in the spec.
    pub span: Span,
}

/// Settings of container images.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Image {
    /// Entrypoint as one command line; empty when unset.
    pub entrypoint: String,
    /// Command as one command line; empty when unset.
    pub cmd: String,
    /// `NAME=value` entries.
    pub env: Vec<String>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Volumes by path; they have no settings.
    pub volumes: BTreeMap<String, ()>,
    /// Working directory; empty when unset.
    pub working_dir: String,
    /// Stop signal; empty when unset.
    pub stop_signal: String,
    /// User; empty when unset.
    pub user: String,
    /// Images to start from instead of the target's own base.
    pub bases: Vec<BaseImage>,
    /// Links made after the packages are installed, sorted by target; those of one target as written.
    pub symlinks: Vec<PostSymlink>,
}

/// An image to start from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BaseImage {
    /// The image as a source; always of kind `image`.
    pub rootfs: Source,
}

impl BaseImage {
    /// Returns the image's reference.
    pub fn reference(&self) -> &str {
        match &self.rootfs.kind {
            SourceKind::Image(image) => &image.reference,
            // The loader lets nothing else through.
            _ => "",
        }
    }
}

/// A link made in a container after installation.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PostSymlink {
    /// What the link points to.
    pub target: String,
    /// Path of the link.
    pub path: String,
    /// Owner; empty for root.
    pub user: String,
    /// Group; empty for root.
    pub group: String,
}

/// Settings of packages.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PackageConfig {
    /// The frontend that signs the packages.
    pub signer: Option<Signer>,
}

/// A frontend that signs packages.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Signer {
    /// Its image; never empty.
    pub image: String,
    /// Its option `cmdline`.
    pub cmdline: String,
    /// Its build arguments.
    pub args: BTreeMap<String, String>,
    /// The signer in the spec.
    pub span: Span,
}

/// What a build leaves out of its sources.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SourceFilter {
    /// Patterns, relative to each source that is a directory.
    pub global_excludes: Vec<String>,
}

/// A frontend that builds a target.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Frontend {
    /// Its image.
    pub image: String,
    /// Its option `cmdline`.
    pub cmdline: String,
    /// The frontend in the spec.
    pub span: Span,
}

/// One changelog entry.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ChangelogEntry {
    /// The day.
    pub date: Date,
    /// `Name <address>`.
    pub author: String,
    /// What changed.
    pub changes: Vec<String>,
}

/// A valid day of the Gregorian calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date {
    /// Year, 0 to 9999.
    pub year: u16,
    /// Month, 1 to 12.
    pub month: u8,
    /// Day of the month, from 1.
    pub day: u8,
}

impl Default for Date {
    /// Returns the first day of 1970.
    fn default() -> Self {
        Self { year: 1970, month: 1, day: 1 }
    }
}

/// One test, run in a container with the package installed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Test {
    /// Name shown while it runs.
    pub name: String,
    /// Working directory of the steps; empty for the image's.
    pub dir: String,
    /// Sources mounted for every step and check.
    pub mounts: Vec<SourceMount>,
    /// Environment of every step.
    pub env: BTreeMap<String, String>,
    /// Commands, in order.
    pub steps: Vec<TestStep>,
    /// Checks of files after the steps, by absolute path.
    pub files: BTreeMap<String, FileCheck>,
    /// The test in the spec.
    pub span: Span,
}

/// A source mounted somewhere.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SourceMount {
    /// Absolute path.
    pub dest: String,
    /// What is mounted.
    pub source: Source,
    /// The entry in the spec.
    pub span: Span,
}

/// One command of a test.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TestStep {
    /// Command line, split as `google/shlex` does; no shell is involved.
    pub command: String,
    /// Environment of this step.
    pub env: BTreeMap<String, String>,
    /// Text fed to standard input; empty for none.
    pub stdin: String,
    /// Checks of standard output.
    pub stdout: OutputCheck,
    /// Checks of standard error.
    pub stderr: OutputCheck,
    /// The command in the spec.
    pub span: Span,
}

/// What a stream or a file must hold; every part that is given must be true.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OutputCheck {
    /// Exactly this text.
    pub equals: Option<Spanned<String>>,
    /// Each of these texts somewhere.
    pub contains: Vec<Spanned<String>>,
    /// Each of these regular expressions (Go RE2 syntax) somewhere.
    pub matches: Vec<Spanned<String>>,
    /// This text at the start.
    pub starts_with: Option<Spanned<String>>,
    /// This text at the end.
    pub ends_with: Option<Spanned<String>>,
    /// Nothing at all; the span of the check.
    pub empty: Option<Span>,
}

/// What a file must be.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FileCheck {
    /// Checks of its content.
    pub content: OutputCheck,
    /// Its permission bits.
    pub permissions: Option<Spanned<u32>>,
    /// Whether it is a directory; checked unless `not_exist`.
    pub is_dir: Spanned<bool>,
    /// It must not exist; the span of the check.
    pub not_exist: Option<Span>,
    /// Do not follow a symbolic link at the path.
    pub no_follow: bool,
    /// The text of the symbolic link.
    pub link_target: Option<Spanned<String>>,
    /// The whole check in the spec.
    pub span: Span,
}
