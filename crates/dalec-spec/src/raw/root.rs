//! The spec as a whole.

use super::artifacts::RawArtifacts;
use super::build::RawBuild;
use super::change::RawChange;
use super::image::RawImage;
use super::package::{Packages, RawDependencies};
use super::patch::{RawPatch, check_patches, check_resolved};
use super::rules::{ArgName, Line, PackageName, Prose, Revision, SourceName, TargetKey, Version};
use super::signing::RawPackageConfig;
use super::source::RawSource;
use super::target::RawTarget;
use super::test::RawTest;
use crate::codes;
use crate::decode::{Decoder, Flag, List, Map, Template, Text, Whole, object};
use crate::diagnostic::Diagnostic;
use crate::resolve::Resolver;
use crate::target_spec::{NamePlaces, TargetSpec};

object! {
    /// The whole spec. Nothing is needed to load it; what a target needs is said when that target is built.
    RawRoot: "a spec", open, check check_root, merge by_key
        => TargetSpec, then complete {
        /// Name of the package.
        /// Example: hello
        "name" name: Text<PackageName>,
        /// What it is: the first line is the summary, the rest the long description.
        /// Example: Greets the reader
        "description" description: Text<Prose>,
        /// Home page of the project.
        /// Example: "https://example.org/hello"
        "website" website: Text<Line>,
        /// Upstream version, as it stands here: `1.10` is not `1.1`.
        /// Example: 1.10.0
        "version" version: Template<Version>,
        /// Packaging revision, which counts up while the version stays.
        /// Example: 1
        "revision" revision: Template<Revision>,
        /// Licence of the package, as an SPDX expression.
        /// Example: MIT OR Apache-2.0
        "license" license: Text<Line>,
        /// Vendor of the package.
        /// Example: Example Project
        "vendor" vendor: Text<Line>,
        /// Who makes the package, as `Name <address>`. Debian packages need it.
        /// Example: Hello Maintainers <hello@example.org>
        "packager" packager: Text<Line>,
        /// Nothing in the package depends on the architecture.
        /// Example: true
        "noarch" noarch: Flag,
        /// Arguments with their defaults; `${NAME}` refers to them. An argument without a default is empty.
        /// Example: {VERSION: 1.10.0, FLAVOR: }
        "args" args: Map<Text, ArgName>,
        /// Sources by name. Each becomes the file or directory of its name in the build directory.
        /// Example: {src: {context: {}}}
        "sources" sources: Map<RawSource, SourceName>,
        /// Patches by the name of the source they apply to, in order.
        /// Example: {src: [{source: fixes, path: 0001-fix-build.patch}]}
        "patches" patches: Map<List<RawPatch>, SourceName>,
        /// Packages that cannot be installed beside this one.
        /// Example: {hello-classic: {version: ["< 2"]}}
        "conflicts" conflicts: Whole<Packages>,
        /// Packages that this one replaces.
        /// Example: [hello-classic]
        "replaces" replaces: Whole<Packages>,
        /// Names of packages that this one stands in for.
        /// Example: [greeter]
        "provides" provides: Whole<Packages>,
        /// Packages that are needed.
        /// Example: {build: {gcc: }, runtime: [ca-certificates]}
        "dependencies" dependencies: RawDependencies,
        /// How the sources become artifacts.
        /// Example: {steps: [{command: make}]}
        "build" build: RawBuild,
        /// What the package installs.
        /// Example: {binaries: {hello: {}}}
        "artifacts" artifacts: Whole<RawArtifacts>,
        /// Settings of packages.
        /// Example: {signer: {image: "registry.example.org/signer:1"}}
        "package_config" package_config: RawPackageConfig,
        /// Settings of container images.
        /// Example: {entrypoint: /usr/bin/hello}
        "image" image: RawImage,
        /// Changes of the package, for its users.
        /// Example: [{date: 2026-01-31, author: "Hello Maintainers <hello@example.org>", changes: [New release]}]
        "changelog" changelog: List<RawChange>,
        /// Tests of the package.
        /// Example: [{name: hello greets, steps: [{command: hello, stdout: {equals: "hello\n"}}]}]
        "tests" tests: List<RawTest>,
        /// What differs for one target, by target key such as `bookworm`.
        /// Example: {bookworm: {dependencies: {runtime: [libc6]}}}
        "targets" targets: Map<RawTarget, TargetKey> = apart,
    }
}

/// Notes the places of names, and checks what only all of the spec can tell.
fn complete(root: &RawRoot, spec: &mut TargetSpec, resolver: &mut Resolver<'_>) {
    spec.places =
        NamePlaces { name: root.name.span, version: root.version.span, revision: root.revision.span };
    check_resolved(root, spec, resolver);
}

fn check_root(root: &mut RawRoot, decoder: &mut Decoder<'_>) {
    check_patches(root, decoder);
    if root.name.value.contains(' ') {
        let message = format!("`{}` has a blank, which no package name can have", root.name.value);
        let diagnostic = Diagnostic::warning(codes::UNPACKAGEABLE_NAME, root.name.span, message);
        decoder
            .doubt(diagnostic.help(format!("write `{}`", root.name.value.replace(' ', "-").to_lowercase())));
    }
}
