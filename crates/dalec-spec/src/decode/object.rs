//! Objects: mappings whose keys the language fixes.

use super::entries::{Item, Owner, flatten};
use super::keys::report_unknown;
use super::{Decode, Decoder, Field, Place, extension, quoted_list};
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::raw::hints;
use crate::resolve::Resolver;
use crate::shape::{Choice, Key, ObjectShape};
use crate::span::Span;
use crate::yaml::{Kind, Node};

/// An object of the language; made by [`object!`].
pub(crate) trait Object: Decode {
    /// What the object is called in messages: "a patch".
    const NAME: &'static str;

    /// What it is for, one line each.
    const DOCS: &'static [&'static str];

    /// Whether keys beginning with `x-` or `X-` are left to the author.
    const EXTENSIBLE: bool;

    /// Keys that must be given.
    const NEEDS: &'static [&'static str];

    /// Keys of which only some may be given.
    const CHOICE: Option<Choice>;

    /// Returns the keys, in the order of the reference manual.
    fn keys() -> &'static [Key];

    /// Reads the value of `key`, which is one of the keys.
    fn set(&mut self, key: &'static str, value: Slot<'_, '_, '_>);

    /// Returns whether `key` is given.
    fn gives(&self, key: &str) -> bool;

    /// Sets where the object is written.
    fn place(&mut self, span: Span);

    /// Checks what only all keys together can tell, and brings different ways to write one thing into one form.
    fn check(&mut self, decoder: &mut Decoder<'_>);

    /// Returns the object as data.
    fn object_shape() -> ObjectShape {
        ObjectShape {
            name: Self::NAME,
            docs: Self::DOCS,
            extensible: Self::EXTENSIBLE,
            keys: Self::keys(),
            needs: Self::NEEDS,
            choice: Self::CHOICE,
        }
    }
}

/// The value of one key, still to be read.
pub(crate) struct Slot<'s, 'n, 'd> {
    item: Item<'n>,
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
    let items = match &node.value.kind {
        Kind::Mapping(entries) => flatten(entries, Owner::Object, decoder),
        _ if node.is_null() => Vec::new(),
        _ => {
            decoder.wrong_type(node, "a mapping", Some(hints::shape_with(T::NAME, &texts(node))));
            return object;
        }
    };
    let mut written: Vec<(&'static str, Span)> = Vec::new();
    for item in &items {
        let text = item.key.scalar().map(|scalar| scalar.text.as_str());
        let key = text.and_then(|text| T::keys().iter().find(|key| key.name == text));
        match key {
            Some(key) => {
                object.set(key.name, Slot { item: *item, key: key.name, decoder });
                written.push((key.name, item.key.span()));
            }
            None if T::EXTENSIBLE && text.is_some_and(is_extension) => {
                if decoder.is_outermost() {
                    let value = extension::tree(item.value, decoder);
                    decoder.extensions.push((text.unwrap_or_default().to_owned(), value));
                }
            }
            None => report_unknown::<T>(item.key, decoder),
        }
    }
    check_keys(&object, span, &written, decoder);
    object.check(decoder);
    object
}

/// Resolves `field`, the value of `key` in the object `T`; what is needed may not expand to nothing.
pub(crate) fn resolve_key<T: Object, F: Field>(
    field: &F,
    key: &str,
    resolver: &mut Resolver<'_>,
) -> F::Output {
    let output = field.resolve(resolver);
    if T::NEEDS.contains(&key)
        && let Some(span) = field.vanished(&output)
    {
        resolver.report_vanished(span, format!("{} `{key}`", with_verb(T::NAME, "needs", "need")));
    }
    output
}

/// Returns the short texts that stand where an object should: one, or a list of them.
fn texts(node: &Node) -> Vec<&str> {
    let nodes = match &node.value.kind {
        Kind::Sequence(nodes) => nodes.as_slice(),
        Kind::Scalar(_) => std::slice::from_ref(node),
        Kind::Mapping(_) => &[],
    };
    let is_short = |text: &&str| text.len() < 40 && !text.chars().any(char::is_control);
    let texts = nodes.iter().filter_map(|node| node.scalar().map(|scalar| scalar.text.as_str()));
    texts.take(3).filter(is_short).collect()
}

/// Checks that the keys of `object` that are needed are there, and that those that exclude each other are not.
fn check_keys<T: Object>(object: &T, span: Span, written: &[(&str, Span)], decoder: &mut Decoder<'_>) {
    // What could not be read cannot be missed.
    let is_readable = !decoder.findings.error_within(span);
    let place = decoder.first_line(span);
    for key in T::NEEDS.iter().filter(|key| is_readable && !object.gives(key)) {
        let message = format!("{} `{key}`", with_verb(T::NAME, "needs", "need"));
        let mut diagnostic = Diagnostic::error(codes::MISSING_KEY, place, message);
        diagnostic.help = hints::missing(T::NAME, key).map(str::to_owned);
        decoder.report(diagnostic);
    }
    let Some(choice) = T::CHOICE else { return };
    let given: Vec<&(&str, Span)> =
        written.iter().filter(|(key, _)| choice.keys.contains(key) && object.gives(key)).collect();
    match given[..] {
        [] if choice.needed && is_readable => {
            let needs = with_verb(T::NAME, "needs", "need");
            let message = format!("{needs} one of {}", quoted_list(choice.keys, "and"));
            let mut diagnostic = Diagnostic::error(codes::MISSING_KEY, place, message);
            // `gobuild:` without a value is as good as not written.
            let empty = written.iter().find(|(key, _)| choice.keys.contains(key));
            diagnostic.help = match empty {
                Some((key, _)) => {
                    Some(format!("write `{key}: {{}}`: a key without a value counts as absent"))
                }
                None => Some(hints::shape(T::NAME)),
            };
            decoder.report(diagnostic);
        }
        [(first, first_span), (second, span), ..] if choice.exclusive => {
            let has = with_verb(T::NAME, "has", "have");
            let message = format!("{has} either `{first}` or `{second}`, not both");
            let diagnostic = Diagnostic::error(codes::CONFLICTING_KEYS, *span, message);
            decoder.report(diagnostic.label(*first_span, "the other one").help(hints::both(T::NAME)));
        }
        _ => {}
    }
}

/// Returns the name of an object with the verb in its number: "the image settings have".
pub(crate) fn with_verb(name: &str, singular: &str, plural: &str) -> String {
    let is_plural =
        name.starts_with("the ") && name.split(" of ").next().is_some_and(|head| head.ends_with('s'));
    format!("{name} {}", if is_plural { plural } else { singular })
}

/// Returns whether `key` is left to the author.
pub(crate) fn is_extension(key: &str) -> bool {
    key.starts_with("x-") || key.starts_with("X-")
}

/// Declares an object of the language: its struct and how it is read, from one row per key.
///
/// A row's doc comment is what the manual and the schema say of the key; `Example: ` and `Default: ` lines in it are
/// shown as such. `open` objects tolerate `x-` keys, `closed` ones do not. Then, each only where it applies and in
/// this order: `needs [keys]` that must be given, `one_of`, `some_of` or `at_most_one [keys]`, `check` names a
/// function for what only all keys together can tell, and `merge by_key` joins a target's keys with the root's one by one.
///
/// With `=> Type`, the object also resolves to the struct `Type` of the same field names and is written back from it;
/// `span self` fills its `span` field with the object's place, `span FIELD` with that of one field,
/// and `then function` completes the result. A row that
/// ends with `= raw` does not resolve: its value is brought into another form before; nor does one that ends with
/// `= apart`, which is left out where a target's keys are joined with the root's. So a new key is one row here and one field there.
macro_rules! object {
    (
        $(#[doc = $doc:literal])+
        $name:ident: $title:literal, $openness:ident
        $(, needs $needs:tt)? $(, one_of $one_of:tt)? $(, some_of $some_of:tt)? $(, at_most_one $at_most_one:tt)?
        $(, check $check:path)? $(, merge $merge:ident)?
        $(=> $output:ident $(, span $span:tt)? $(, then $then:path)?)?
        { $($rows:tt)* }
    ) => {
        object!(@read [$($doc),+] $name: $title, $openness, ($($needs)?),
            ($(one_of $one_of)? $(some_of $some_of)? $(at_most_one $at_most_one)?), ($($check)?), ($($merge)?)
            { $($rows)* });
        object!(@resolve $name [$($output [$($span)?] [$($then)?])?] { $($rows)* });
    };
    (
        @read [$($doc:literal),+] $name:ident: $title:literal, $openness:ident, ($($needs:tt)?), ($($choice:tt)*),
            ($($check:path)?), $merge:tt
        { $( $(#[doc = $field_doc:literal])+ $key:literal $field:ident: $type:ty $(= $only:ident)?, )* }
    ) => {
        $(#[doc = $doc])+
        #[derive(Debug, Clone, Default)]
        pub(crate) struct $name {
            /// Where the object is written, its key included.
            pub span: $crate::span::Span,
            $( $(#[doc = $field_doc])+ pub $field: $type, )*
        }

        impl $crate::decode::Object for $name {
            const NAME: &'static str = $title;
            const DOCS: &'static [&'static str] = &[$($doc),+];
            const EXTENSIBLE: bool = object!(@openness $openness);
            const NEEDS: &'static [&'static str] = &object!(@needs $($needs)?);
            const CHOICE: Option<$crate::shape::Choice> = object!(@choice $($choice)*);

            fn keys() -> &'static [$crate::shape::Key] {
                const KEYS: &[$crate::shape::Key] = &[$( $crate::shape::Key {
                    name: $key,
                    docs: &[$($field_doc),+],
                    shape: <$type as $crate::decode::Decode>::shape,
                    #[cfg(test)]
                    read: |node, decoder| {
                        let _: $type = decoder.read(node);
                    },
                } ),*];
                KEYS
            }

            fn set(&mut self, key: &'static str, value: $crate::decode::Slot<'_, '_, '_>) {
                match key {
                    $( $key => self.$field = value.read(), )*
                    key => unreachable!("{key} is no key of {}", Self::NAME),
                }
            }

            fn gives(&self, key: &str) -> bool {
                match key {
                    $( $key => $crate::decode::Decode::is_given(&self.$field), )*
                    _ => false,
                }
            }

            fn place(&mut self, span: $crate::span::Span) {
                self.span = span;
            }

            fn check(&mut self, _decoder: &mut $crate::decode::Decoder<'_>) {
                $( $check(self, _decoder); )?
            }
        }

        impl $crate::decode::Decode for $name {
            const TAKES: &'static str = "a mapping";

            fn decode(node: &$crate::yaml::Node, decoder: &mut $crate::decode::Decoder<'_>) -> Self {
                $crate::decode::decode_object(node, decoder)
            }

            fn shape() -> $crate::shape::Shape {
                $crate::shape::Shape::Object(<Self as $crate::decode::Object>::object_shape)
            }

            fn is_given(&self) -> bool {
                $( $crate::decode::Decode::is_given(&self.$field) )||*
            }

            fn trace(&self, tracer: &mut $crate::decode::Tracer<'_>) {
                tracer.value(self.span, $crate::decode::Wording::Other);
                $( tracer.key($key, |tracer| $crate::decode::Decode::trace(&self.$field, tracer)); )*
            }

            object!(@merge $merge $($field [$($only)?])*);
        }
    };
    (@openness open) => { true };
    (@openness closed) => { false };
    (@needs) => { [] };
    (@needs $needs:tt) => { $needs };
    (@choice) => { None };
    (@choice one_of $keys:tt) => {
        Some($crate::shape::Choice { keys: &$keys, needed: true, exclusive: true })
    };
    (@choice some_of $keys:tt) => {
        Some($crate::shape::Choice { keys: &$keys, needed: true, exclusive: false })
    };
    (@choice at_most_one $keys:tt) => {
        Some($crate::shape::Choice { keys: &$keys, needed: false, exclusive: true })
    };
    (@merge () $($field:ident $only:tt)*) => {};
    (@merge (by_key) $($field:ident $only:tt)*) => {
        fn merge(root: &Self, target: &Self) -> Self {
            Self {
                span: if target.span == $crate::span::Span::default() { root.span } else { target.span },
                $( $field: object!(@join root target $field $only), )*
            }
        }
    };
    (@join $root:ident $target:ident $field:ident [apart]) => { Default::default() };
    (@join $root:ident $target:ident $field:ident $only:tt) => {
        $crate::decode::Decode::merge(&$root.$field, &$target.$field)
    };
    (@resolve $name:ident [] { $($rows:tt)* }) => {};
    (
        @resolve $name:ident [$output:ident [$($span:tt)?] [$($then:path)?]]
        { $( $(#[doc = $field_doc:literal])+ $key:literal $field:ident: $type:ty $(= $only:ident)?, )* }
    ) => {
        impl $crate::decode::Field for $name {
            type Output = $crate::target_spec::$output;

            const EMPTY_IS_ABSENT: bool = true;

            fn resolve(&self, resolver: &mut $crate::resolve::Resolver<'_>) -> Self::Output {
                let mut output = $crate::target_spec::$output::default();
                $( output.span = object!(@span self $span); )?
                $( object!(@set output self resolver $key $field $($only)?); )*
                $( $then(self, &mut output, resolver); )?
                output
            }

            fn emit(output: &Self::Output) -> $crate::emit::Tree {
                let mut entries = Vec::new();
                $( object!(@emit entries output $key $field [$type] $($only)?); )*
                $crate::emit::Tree::Map(entries)
            }
        }
    };
    (@set $output:ident $self:ident $resolver:ident $key:literal $field:ident raw) => {};
    (@set $output:ident $self:ident $resolver:ident $key:literal $field:ident apart) => {};
    (@set $output:ident $self:ident $resolver:ident $key:literal $field:ident) => {
        $output.$field = $crate::decode::resolve_key::<Self, _>(&$self.$field, $key, $resolver);
    };
    (@emit $entries:ident $output:ident $key:literal $field:ident [$type:ty] raw) => {};
    (@emit $entries:ident $output:ident $key:literal $field:ident [$type:ty] apart) => {};
    (@emit $entries:ident $output:ident $key:literal $field:ident [$type:ty]) => {
        $crate::emit::entry::<$type>(&mut $entries, $key, &$output.$field);
    };
    (@span $self:ident self) => { $self.span };
    (@span $self:ident $field:ident) => { $self.$field.span };
}

pub(crate) use object;

#[cfg(test)]
mod tests {
    use crate::decode::{Decode, Decoder, Place};
    use crate::raw::RawRoot;
    use crate::shape::objects;
    use crate::{RenderOptions, SourceText, render, yaml};

    /// What the manual shows can be written.
    #[test]
    fn examples_are_read_without_findings() {
        for object in objects(RawRoot::shape()) {
            for key in object.keys {
                let example = key
                    .example()
                    .unwrap_or_else(|| panic!("`{}` of {} has no example", key.name, object.name));
                let source = SourceText::new(format!("{} of {}", key.name, object.name), example);
                let (node, mut found) = yaml::parse(&source);
                let mut decoder = Decoder::new(&source);
                decoder.places.push(Place::Key(key.name));
                (key.read)(&node.expect("YAML"), &mut decoder);
                found.extend(decoder.findings.into_sorted());
                found.extend(decoder.doubts.into_sorted());
                assert!(found.is_empty(), "{}", render(&source, &found, RenderOptions::default()));
            }
        }
    }

    #[test]
    fn every_object_and_key_is_described() {
        for object in objects(RawRoot::shape()) {
            assert!(object.docs.iter().all(|line| !line.trim().is_empty()), "{}", object.name);
            for key in object.keys {
                let summary = key.summary();
                assert!(summary.ends_with('.'), "`{}` of {}: {summary}", key.name, object.name);
            }
        }
    }
}
