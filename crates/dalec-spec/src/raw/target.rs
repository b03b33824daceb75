//! What differs for one target.
//!
//! A target is a part of a spec: the same keys with the same meaning, as far as they can differ. How the values of
//! root and target are joined is a matter of their types.

use std::sync::LazyLock;

use super::{RawFrontend, RawRoot};
use crate::decode::{Decode, Decoder, Object, Slot, Tracer, Wording, decode_object};
use crate::shape::{Choice, Key, ObjectShape, Shape};
use crate::span::Span;
use crate::target_spec::Frontend;
use crate::yaml::Node;

/// The keys of the root that can be overridden.
const OVERRIDABLE: &[&str] =
    &["dependencies", "image", "tests", "package_config", "artifacts", "conflicts", "replaces", "provides"];

/// The frontend's key, which only targets have.
const FRONTEND: Key = Key {
    name: "frontend",
    docs: &[
        " A frontend that builds the target in place of this one.",
        " Example: {image: \"registry.example.org/frontend:1\"}",
    ],
    shape: <Option<RawFrontend> as Decode>::shape,
    #[cfg(test)]
    read: |node, decoder| drop(decoder.read::<Option<RawFrontend>>(node)),
};

/// What differs for one target.
#[derive(Debug, Clone, Default)]
pub(crate) struct RawTarget {
    /// The overridden keys.
    pub spec: RawRoot,
    frontend: Option<RawFrontend>,
}

impl RawTarget {
    /// Returns the frontend that builds the target.
    pub fn frontend(&self) -> Option<Frontend> {
        let frontend = self.frontend.as_ref()?;
        Some(Frontend {
            image: frontend.image.value.clone(),
            cmdline: frontend.cmdline.value.clone(),
            span: frontend.span,
        })
    }
}

impl Object for RawTarget {
    const NAME: &'static str = "a target";
    const DOCS: &'static [&'static str] = &[
        " What differs for one target. `tests` come after the root's, `artifacts`, `conflicts`, `replaces` and `provides`",
        " replace the root's as a whole, `dependencies` list by list, `image` key by key, a signer the root's signer.",
    ];
    const EXTENSIBLE: bool = true;
    const NEEDS: &'static [&'static str] = &[];
    const CHOICE: Option<Choice> = None;

    fn keys() -> &'static [Key] {
        static KEYS: LazyLock<Vec<Key>> = LazyLock::new(|| {
            let overridable = RawRoot::keys().iter().filter(|key| OVERRIDABLE.contains(&key.name));
            overridable.copied().chain([FRONTEND]).collect()
        });
        &KEYS
    }

    fn set(&mut self, key: &'static str, value: Slot<'_, '_, '_>) {
        if key == FRONTEND.name {
            self.frontend = value.read();
        } else {
            self.spec.set(key, value);
        }
    }

    fn gives(&self, key: &str) -> bool {
        if key == FRONTEND.name { self.frontend.is_some() } else { self.spec.gives(key) }
    }

    fn place(&mut self, span: Span) {
        self.spec.span = span;
    }

    fn check(&mut self, _decoder: &mut Decoder<'_>) {}
}

impl Decode for RawTarget {
    const TAKES: &'static str = "a mapping";

    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Self {
        decode_object(node, decoder)
    }

    fn shape() -> Shape {
        Shape::Object(Self::object_shape as fn() -> ObjectShape)
    }

    fn is_given(&self) -> bool {
        self.spec.is_given() || self.frontend.is_some()
    }

    fn trace(&self, tracer: &mut Tracer<'_>) {
        tracer.value(self.spec.span, Wording::Other);
        self.spec.trace(tracer);
        tracer.key(FRONTEND.name, |tracer| self.frontend.trace(tracer));
    }
}
