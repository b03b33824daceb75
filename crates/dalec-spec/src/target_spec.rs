//! What one target builds on one platform: every argument expanded, every default filled in, every
//! target override applied.
//!
//! Nothing downstream of this room looks at the raw form. Spans are kept where a failing build step,
//! source, patch or check has to point at its line.

use std::collections::BTreeMap;

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
    /// Container settings.
    pub image: Image,
    /// Changelog entries in the order written.
    pub changelog: Vec<ChangelogEntry>,
    /// Tests: the root's, then the target's.
    pub tests: Vec<Test>,
}

/// One source: where it comes from and which part of it is taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Where it comes from.
    pub kind: SourceKind,
    /// Path inside the source that is taken; empty for all of it.
    pub path: String,
    /// Patterns to take, relative to `path`; empty takes everything.
    pub includes: Vec<String>,
    /// Patterns to leave out, relative to `path`.
    pub excludes: Vec<String>,
    /// The source variant in the spec.
    pub span: Span,
}

impl Source {
    /// Returns whether the source is a directory in the build root; otherwise it is one file.
    pub fn is_dir(&self) -> bool {
        match &self.kind {
            SourceKind::Context { .. } | SourceKind::Inline(Inline::Dir { .. }) => true,
            SourceKind::Http { .. } | SourceKind::Inline(Inline::File(_)) => false,
        }
    }
}

/// The kinds of source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceKind {
    /// Text written in the spec.
    Inline(Inline),
    /// A build context.
    Context {
        /// Name of the context; `context` is the main one.
        name: String,
    },
    /// One file by URL.
    Http {
        /// The URL.
        url: String,
        /// `algorithm:hex` of the content, checked after the download.
        digest: Option<String>,
        /// Permission bits of the file.
        permissions: Option<u32>,
    },
}

/// Files written in the spec.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Inline {
    /// One file.
    File(InlineFile),
    /// A flat directory of files.
    Dir {
        /// Files by name; names hold no `/`.
        files: BTreeMap<String, InlineFile>,
        /// Permission bits of the directory.
        permissions: u32,
        /// Owner.
        uid: u32,
        /// Group.
        gid: u32,
    },
}

/// One inline file.
#[derive(Debug, Clone, PartialEq, Eq)]
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

/// A patch for one source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Patch {
    /// Name of the source that holds the patch.
    pub source: String,
    /// File inside a directory source; empty for a file source.
    pub path: String,
    /// Leading path components to strip (`patch -pN`).
    pub strip: u32,
    /// The entry in the spec.
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
    /// Installed before the tests; names only.
    pub test: BTreeMap<String, PackageConstraint>,
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
    pub network: NetworkMode,
}

/// One build step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildStep {
    /// Shell script.
    pub command: String,
    /// Environment of this step alone.
    pub env: BTreeMap<String, String>,
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
    /// Directories below `/etc`.
    pub config_dirs: BTreeMap<String, DirectoryConfig>,
    /// Directories below `/var/lib`.
    pub state_dirs: BTreeMap<String, DirectoryConfig>,
    /// Symbolic links.
    pub links: Vec<Link>,
    /// systemd units by path in the build root.
    pub units: BTreeMap<String, Unit>,
    /// systemd drop-ins by path in the build root.
    pub dropins: BTreeMap<String, Dropin>,
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
    /// Volume paths.
    pub volumes: Vec<String>,
    /// Working directory; empty when unset.
    pub working_dir: String,
    /// Stop signal; empty when unset.
    pub stop_signal: String,
    /// User; empty when unset.
    pub user: String,
    /// Image references to start from instead of the target's own base.
    pub bases: Vec<Spanned<String>>,
    /// Links made after the packages are installed, sorted by target and path.
    pub symlinks: Vec<PostSymlink>,
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

/// One changelog entry.
#[derive(Debug, Clone, PartialEq, Eq)]
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

/// One test, run in a container with the package installed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Test {
    /// Name shown while it runs.
    pub name: String,
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceMount {
    /// Absolute path.
    pub dest: String,
    /// What is mounted.
    pub source: Source,
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
