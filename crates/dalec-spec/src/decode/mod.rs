//! Nodes to values: a small declarative decoder.
//!
//! A type that a key can take implements [`Decode`], and [`Field`] when it resolves on its own; an object of the
//! language is one [`object!`] table. Unknown keys, extension keys, merge keys, wrong types, missing and
//! contradicting keys, suggestions, what a target overrides and what the manual says of a key are handled here, once.
//! What a particular key means is not known here.

mod collection;
mod entries;
mod extension;
mod flag;
mod keys;
mod locate;
mod memory;
mod mode;
mod number;
mod object;
mod rule;
mod text;
mod trace;
mod word;

pub(crate) use collection::{At, List, Map, MapEntry, Whole};
pub(crate) use extension::tree as extension_tree;
pub(crate) use flag::{Flag, Mark};
pub(crate) use keys::quoted_list;
pub use keys::suggest;
pub(crate) use locate::locate;
pub(crate) use mode::{Mode, ModeOr};
pub(crate) use number::Number;
pub(crate) use object::{Object, Slot, decode_object, is_extension, object, resolve_key, with_verb};
pub(crate) use rule::{AnyText, Complaint, Rule};
pub(crate) use text::{Fallback, Template, Text};
pub(crate) use trace::{Leaf, PathStep, Tracer, Wording};
pub(crate) use word::{Keyword, Word};

use self::entries::Item;
use self::memory::Memory;
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::emit::Tree;
use crate::findings::Findings;
use crate::resolve::Resolver;
use crate::shape::Shape;
use crate::source_text::SourceText;
use crate::span::Span;
use crate::yaml::Node;

/// A type that a key of the language can take.
///
/// The default is what an absent key means.
pub(crate) trait Decode: Sized + Default + Clone {
    /// What the key takes, in words: "text", "a list".
    const TAKES: &'static str;

    /// Reads `node`; whatever is wrong goes to the findings, and a usable value comes back.
    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Self;

    /// Returns what the key takes, as data.
    fn shape() -> Shape;

    /// Returns whether something is written: null and empty values are as good as absent.
    fn is_given(&self) -> bool;

    /// Shows every written value to `tracer`, with its path and its place.
    fn trace(&self, tracer: &mut Tracer<'_>);

    /// Returns what holds for a target that says `target` where the root says `root`.
    ///
    /// Unless a type says otherwise, what the target gives replaces the root's.
    fn merge(root: &Self, target: &Self) -> Self {
        if target.is_given() { target.clone() } else { root.clone() }
    }
}

/// A type that resolves on its own.
pub(crate) trait Field: Decode {
    /// What it becomes.
    type Output;

    /// Whether an output that is written as `{}` means the same as an absent key.
    const EMPTY_IS_ABSENT: bool = false;

    /// Expands arguments and fills defaults.
    fn resolve(&self, resolver: &mut Resolver<'_>) -> Self::Output;

    /// Writes a resolved value in the language again.
    fn emit(output: &Self::Output) -> Tree;

    /// Returns whether a resolved value is empty, so that it need not be written.
    fn is_absent(_output: &Self::Output) -> bool {
        false
    }

    /// Returns where the value is written when something is, but `output` is nothing: text that expands to nothing.
    fn vanished(&self, _output: &Self::Output) -> Option<Span> {
        None
    }
}

/// Where the decoder is, for messages.
#[derive(Debug, Clone)]
enum Place {
    Key(&'static str),
    Item,
    Entry(String),
}

/// What decoding needs: the text, where it is, and where findings go.
#[derive(Debug)]
pub(crate) struct Decoder<'a> {
    /// The text that is read.
    pub source: &'a SourceText,
    /// What is wrong.
    pub findings: Findings,
    /// What is legal and doubtful; shown by lint only.
    pub doubts: Findings,
    /// The extension keys of the outermost object, in the order written.
    pub extensions: Vec<(String, Tree)>,
    /// Whether unknown keys are only doubts.
    pub ignore_unknown_keys: bool,
    /// What is read takes so much.
    pub memory: Memory,
    places: Vec<Place>,
    aliases: Vec<Span>,
    /// The key whose value is read next; an object's span begins there.
    key: Option<Span>,
}

impl<'a> Decoder<'a> {
    pub fn new(source: &'a SourceText) -> Self {
        Self {
            source,
            findings: Findings::default(),
            doubts: Findings::default(),
            extensions: Vec::new(),
            ignore_unknown_keys: false,
            memory: Memory::of(source.text()),
            places: Vec::new(),
            aliases: Vec::new(),
            key: None,
        }
    }

    /// Reads `node` as a `T`.
    pub fn read<T: Decode>(&mut self, node: &Node) -> T {
        self.aliases.extend(node.alias);
        let value = T::decode(node, self);
        if node.alias.is_some() {
            self.aliases.pop();
        }
        value
    }

    /// Reads the value of `item`, remembering its key and the aliases it came through.
    fn read_item<T: Decode>(&mut self, place: Place, item: &Item<'_>) -> T {
        self.places.push(place);
        self.aliases.extend(item.alias);
        let written_here = item.alias.is_none() && item.value.alias.is_none();
        self.key = written_here.then(|| item.key.span());
        let value = self.read(item.value);
        self.key = None;
        if item.alias.is_some() {
            self.aliases.pop();
        }
        self.places.pop();
        value
    }

    /// Counts a `T` by which a list or a mapping grows at `node`, and returns whether there is room for it.
    pub fn grow<T>(&mut self, node: &Node) -> bool {
        let had_room = self.memory.has_room();
        self.memory.take(size_of::<T>());
        if had_room && !self.memory.has_room() {
            let message =
                format!("the entries of this text take more than {} MiB", self.memory.limit() >> 20);
            let place = self.aliases.last().copied().unwrap_or(self.first_line(node.span()));
            self.findings.push(
                Diagnostic::error(codes::ALIAS_BUDGET, place, message)
                    .help("this entry and those below it are not read: repeat less, or write fewer"),
            );
        }
        self.memory.has_room()
    }

    /// Reads `node`, an entry of a list.
    pub fn read_list_item<T: Decode>(&mut self, node: &Node) -> T {
        self.places.push(Place::Item);
        self.key = None;
        let value = self.read(node);
        self.places.pop();
        value
    }

    /// Returns the span of the object at `node`: with its key where both are written in one place.
    fn object_span(&mut self, node: &Node) -> Span {
        let span = node.span();
        self.key.take().map_or(span, |key| key.join(span))
    }

    /// Adds a finding, with the aliases that led to its place.
    pub fn report(&mut self, diagnostic: Diagnostic) {
        let diagnostic = self.with_alias(diagnostic);
        self.findings.push(diagnostic);
    }

    /// Adds a doubt, with the aliases that led to its place.
    pub fn doubt(&mut self, diagnostic: Diagnostic) {
        let diagnostic = self.with_alias(diagnostic);
        self.doubts.push(diagnostic);
    }

    fn with_alias(&self, diagnostic: Diagnostic) -> Diagnostic {
        match self.aliases.last() {
            Some(alias) => diagnostic.label(*alias, "used through this alias"),
            None => diagnostic,
        }
    }

    /// Adds the finding that `node` has the wrong type.
    pub fn wrong_type(&mut self, node: &Node, takes: &str, help: Option<String>) {
        let message = format!("{} takes {takes}, not {}", self.place(), node.describe());
        let mut diagnostic = Diagnostic::error(codes::WRONG_TYPE, self.first_line(node.span()), message);
        diagnostic.help = help;
        self.report(diagnostic);
    }

    /// Like [`Self::wrong_type`], and shows what is written where it is one scalar.
    pub fn wrong_type_shown(&mut self, node: &Node, takes: &str, help: Option<String>) {
        let Some(scalar) = node.scalar().filter(|scalar| scalar.text.len() < 60) else {
            return self.wrong_type(node, takes, help);
        };
        let message = format!("{} takes {takes}, not `{}`", self.place(), scalar.text);
        let mut diagnostic = Diagnostic::error(codes::WRONG_TYPE, self.first_line(node.span()), message);
        diagnostic.help = help;
        self.report(diagnostic);
    }

    /// Returns the first line of `span`: enough to underline of a large value.
    pub fn first_line(&self, span: Span) -> Span {
        let line = self.source.slice(span).lines().next().unwrap_or_default().trim_end();
        Span::new(span.start, span.start + line.len())
    }

    /// Returns whether what is read now stands at the top level.
    fn is_outermost(&self) -> bool {
        self.places.is_empty()
    }

    /// Returns whether the decoder is inside the value of `key`, at whatever depth.
    pub fn is_below(&self, key: &str) -> bool {
        self.places.iter().any(|place| matches!(place, Place::Key(name) if *name == key))
    }

    /// Returns whether the decoder reads what stands at the end of `path`, in which `*` is any entry of a mapping.
    pub fn is_at(&self, path: &[&str]) -> bool {
        let begin = self.places.len().checked_sub(path.len());
        begin.is_some_and(|begin| {
            self.places[begin..].iter().zip(path).all(|(place, step)| match place {
                Place::Key(key) => key == step,
                Place::Entry(_) => *step == "*",
                Place::Item => false,
            })
        })
    }

    /// Returns where the decoder is, in words.
    pub fn place(&self) -> String {
        match &self.places[..] {
            [] => "a spec".to_owned(),
            [.., Place::Key(key)] => format!("`{key}`"),
            [.., Place::Key(key), Place::Item] => format!("each entry of `{key}`"),
            [.., Place::Key(key), Place::Entry(name)] => format!("`{name}` under `{key}`"),
            [.., Place::Entry(name)] => format!("`{name}`"),
            [.., Place::Entry(name), Place::Item] => format!("each entry of `{name}`"),
            [.., Place::Item] => "each entry".to_owned(),
        }
    }
}

impl<T: Decode> Decode for Option<T> {
    const TAKES: &'static str = T::TAKES;

    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Self {
        if node.is_null() { None } else { Some(T::decode(node, decoder)) }
    }

    fn shape() -> Shape {
        Shape::Optional(Box::new(T::shape()))
    }

    fn is_given(&self) -> bool {
        self.is_some()
    }

    fn trace(&self, tracer: &mut Tracer<'_>) {
        if let Some(value) = self {
            value.trace(tracer);
        }
    }

    fn merge(root: &Self, target: &Self) -> Self {
        match (root, target) {
            (Some(root), Some(target)) => Some(T::merge(root, target)),
            (root, target) => target.as_ref().or(root.as_ref()).cloned(),
        }
    }
}

impl<T: Field> Field for Option<T> {
    type Output = Option<T::Output>;

    fn resolve(&self, resolver: &mut Resolver<'_>) -> Self::Output {
        self.as_ref().map(|value| value.resolve(resolver))
    }

    fn emit(output: &Self::Output) -> Tree {
        output.as_ref().map_or(Tree::Null, T::emit)
    }

    fn is_absent(output: &Self::Output) -> bool {
        output.is_none()
    }
}

impl<T: Decode> Decode for Box<T> {
    const TAKES: &'static str = T::TAKES;

    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Self {
        decoder.memory.take(size_of::<T>());
        Self::new(T::decode(node, decoder))
    }

    fn shape() -> Shape {
        T::shape()
    }

    fn is_given(&self) -> bool {
        self.as_ref().is_given()
    }

    fn trace(&self, tracer: &mut Tracer<'_>) {
        self.as_ref().trace(tracer);
    }
}

impl<T: Field> Field for Box<T> {
    type Output = Box<T::Output>;

    fn resolve(&self, resolver: &mut Resolver<'_>) -> Self::Output {
        Box::new(self.as_ref().resolve(resolver))
    }

    fn emit(output: &Self::Output) -> Tree {
        T::emit(output)
    }
}
