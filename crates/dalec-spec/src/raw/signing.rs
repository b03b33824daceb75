//! Who signs packages, and who builds a target instead of this frontend.

use crate::codes;
use crate::decode::{Decode, Decoder, Field, Map, Template, Text, Tracer, object};
use crate::diagnostic::Diagnostic;
use crate::emit::Tree;
use crate::raw::rules::{ArgName, ImageRef, Line};
use crate::resolve::Resolver;
use crate::shape::Shape;
use crate::target_spec::Signer;
use crate::yaml::Node;

object! {
    /// Settings of packages.
    RawPackageConfig: "the package settings", open, merge by_key => PackageConfig {
        /// The frontend that signs the packages.
        /// Example: {image: "registry.example.org/signer:1"}
        "signer" signer: SignerChoice,
    }
}

object! {
    /// A frontend that signs packages. Without `image` there is none.
    RawSigner: "a signer", open, check check_signer => Signer, span self {
        /// Image of the frontend.
        /// Example: "registry.example.org/signer:1"
        "image" image: Text<ImageRef>,
        /// Passed to the frontend as its option `cmdline`.
        /// Example: sign --detached
        "cmdline" cmdline: Text<Line>,
        /// Build arguments of the frontend; those given on the command line come before them.
        /// Example: {KEY_ID: "${KEY_ID}"}
        "args" args: Map<Template, ArgName>,
    }
}

object! {
    /// A frontend that builds a target in place of this one.
    RawFrontend: "a target frontend", open, needs ["image"] => Frontend, span self {
        /// Image of the frontend.
        /// Example: "registry.example.org/frontend:1"
        "image" image: Text<ImageRef>,
        /// Passed to the frontend as its option `cmdline`.
        /// Example: build --fast
        "cmdline" cmdline: Text<Line>,
    }
}

fn check_signer(signer: &mut RawSigner, decoder: &mut Decoder<'_>) {
    if !signer.image.is_given() && signer.is_given() && !decoder.findings.error_within(signer.span) {
        let span = decoder.first_line(signer.span);
        let message = "a signer without `image` signs nothing";
        decoder.doubt(
            Diagnostic::warning(codes::NO_EFFECT, span, message).help("add `image`, or remove the signer"),
        );
    }
}

/// A signer, or none: one without an image is none, and a target's that is none leaves the root's.
#[derive(Debug, Clone, Default)]
pub(crate) struct SignerChoice(RawSigner);

impl Decode for SignerChoice {
    const TAKES: &'static str = RawSigner::TAKES;

    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Self {
        Self(if node.is_null() { RawSigner::default() } else { RawSigner::decode(node, decoder) })
    }

    fn shape() -> Shape {
        RawSigner::shape()
    }

    fn is_given(&self) -> bool {
        self.0.image.is_given()
    }

    fn trace(&self, tracer: &mut Tracer<'_>) {
        self.0.trace(tracer);
    }
}

impl Field for SignerChoice {
    type Output = Option<Signer>;

    fn resolve(&self, resolver: &mut Resolver<'_>) -> Option<Signer> {
        self.is_given().then(|| self.0.resolve(resolver))
    }

    fn emit(output: &Option<Signer>) -> Tree {
        output.as_ref().map_or(Tree::Null, RawSigner::emit)
    }

    fn is_absent(output: &Option<Signer>) -> bool {
        output.is_none()
    }
}
