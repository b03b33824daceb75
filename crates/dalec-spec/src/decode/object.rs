//! Objects: mappings whose keys the language fixes.

use super::entries::flatten;
use super::keys::report_unknown;
use super::{Decode, Decoder, Place};
use crate::raw::language;
use crate::span::Span;
use crate::yaml::{Kind, Node};

/// An object of the language; made by [`object!`].
pub(crate) trait Object: Default {
    /// What the object is called in messages: "a patch".
    const NAME: &'static str;

    /// Whether keys beginning with `x-` or `X-` are left to the author.
    const EXTENSIBLE: bool;

    /// The keys, in the order of the reference manual.
    const KEYS: &'static [&'static str];

    /// Reads the value of the key with this index.
    fn set(&mut self, index: usize, value: Slot<'_, '_, '_>);

    /// Sets where the object is written.
    fn place(&mut self, span: Span);

    /// Checks what only all keys together can tell.
    fn check(&self, decoder: &mut Decoder<'_>);
}

/// The value of one key, still to be read.
pub(crate) struct Slot<'s, 'n, 'd> {
    item: super::entries::Item<'n>,
    key: &'static str,
    decoder: &'s mut Decoder<'d>,
}

impl Slot<'_, '_, '_> {
    /// Reads the value.
    pub fn read<T: Decode>(self) -> T {
        self.decoder.read_item(Place::Key(self.key), &self.item)
    }
}

/// Reads `node` as the object `T`; null is the object with no keys.
pub(crate) fn decode_object<T: Object>(node: &Node, decoder: &mut Decoder<'_>) -> T {
    let mut object = T::default();
    let span = decoder.object_span(node);
    object.place(span);
    let Kind::Mapping(entries) = &node.value.kind else {
        if !node.is_null() {
            decoder.wrong_type(node, "a mapping", Some(language::shape(T::NAME)));
            return object;
        }
        object.check(decoder);
        return object;
    };
    for item in flatten(entries, decoder) {
        let text = item.key.scalar().map(|scalar| scalar.text.as_str());
        let index = text.and_then(|text| T::KEYS.iter().position(|key| *key == text));
        match index {
            Some(index) => object.set(index, Slot { item, key: T::KEYS[index], decoder }),
            None if T::EXTENSIBLE && text.is_some_and(is_extension) => {}
            None => report_unknown::<T>(item.key, decoder),
        }
    }
    object.check(decoder);
    object
}

/// Returns whether `key` is left to the author.
pub(super) fn is_extension(key: &str) -> bool {
    key.starts_with("x-") || key.starts_with("X-")
}

/// Declares an object of the language: its struct and how it is read, from one row per key.
///
/// `open` objects tolerate `x-` keys, `closed` ones do not. `check` names a function for what only all keys together
/// can tell. With `=> Type`, the object also resolves to the struct `Type` of the same field names and is written
/// back from it; `=> Type, span` fills its `span` field. So a new key is one row here and one field there.
macro_rules! object {
    (
        $(#[$doc:meta])*
        $name:ident: $title:literal, $openness:ident $(, check $check:path)? $(=> $output:ident $(, $span:ident)?)?
        { $($rows:tt)* }
    ) => {
        object!(@read $(#[$doc])* $name: $title, $openness, ($($check)?) { $($rows)* });
        object!(@resolve $name [$($output $($span)?)?] { $($rows)* });
    };
    (
        @read $(#[$doc:meta])*
        $name:ident: $title:literal, $openness:ident, ($($check:path)?)
        { $( $(#[$field_doc:meta])* $key:literal $field:ident: $type:ty, )* }
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Default)]
        pub(crate) struct $name {
            /// Where the object is written, its key included.
            pub span: $crate::span::Span,
            $( $(#[$field_doc])* pub $field: $type, )*
        }

        impl $crate::decode::Object for $name {
            const NAME: &'static str = $title;
            const EXTENSIBLE: bool = object!(@openness $openness);
            const KEYS: &'static [&'static str] = &[$($key),*];

            fn set(&mut self, index: usize, value: $crate::decode::Slot<'_, '_, '_>) {
                match Self::KEYS[index] {
                    $( $key => self.$field = value.read(), )*
                    key => unreachable!("{key} is no key of {}", Self::NAME),
                }
            }

            fn place(&mut self, span: $crate::span::Span) {
                self.span = span;
            }

            fn check(&self, _decoder: &mut $crate::decode::Decoder<'_>) {
                $( $check(self, _decoder); )?
            }
        }

        impl $crate::decode::Decode for $name {
            const TAKES: &'static str = "a mapping";

            fn decode(node: &$crate::yaml::Node, decoder: &mut $crate::decode::Decoder<'_>) -> Self {
                $crate::decode::decode_object(node, decoder)
            }
        }
    };
    (@resolve $name:ident [] { $($rows:tt)* }) => {};
    (@openness open) => { true };
    (@openness closed) => { false };
    (
        @resolve $name:ident [$output:ident $($span:ident)?]
        { $( $(#[$field_doc:meta])* $key:literal $field:ident: $type:ty, )* }
    ) => {
        impl $crate::decode::Field for $name {
            type Output = $crate::target_spec::$output;

            fn resolve(&self, resolver: &mut $crate::resolve::Resolver<'_>) -> Self::Output {
                $crate::target_spec::$output {
                    $($span: self.span,)?
                    $($field: $crate::decode::Field::resolve(&self.$field, resolver),)*
                }
            }

            fn emit(output: &Self::Output) -> $crate::emit::Tree {
                let mut entries = Vec::new();
                $( $crate::emit::entry::<$type>(&mut entries, $key, &output.$field); )*
                $crate::emit::Tree::Map(entries)
            }
        }
    };
}

pub(crate) use object;
