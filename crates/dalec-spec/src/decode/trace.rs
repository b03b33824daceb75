//! A walk over everything that is written, with paths and places.
//!
//! Explaining a field and looking for references in literal text both need to see every written value without
//! knowing its type.

use std::fmt;

use crate::span::Span;

/// One step from an object to a value in it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum PathStep {
    /// The value of a key.
    Key(String),
    /// The entry of a list, counted from 0.
    Index(usize),
}

impl fmt::Display for PathStep {
    /// Writes `.key`, `.'a key'` or `[0]`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Index(index) => write!(f, "[{index}]"),
            Self::Key(key) if key.is_empty() || key.contains(['.', '[', ']', '\'', '"', ' ']) => {
                write!(f, ".'{}'", key.replace('\'', "''"))
            }
            Self::Key(key) => write!(f, ".{key}"),
        }
    }
}

/// How a value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wording<'a> {
    /// Text that is taken literally.
    Literal(&'a str),
    /// Text in which arguments are expanded.
    Template(&'a str),
    /// A number, a truth value, a collection.
    Other,
}

/// A written value.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Leaf<'a> {
    /// Where it is written.
    pub span: Span,
    /// How.
    pub wording: Wording<'a>,
}

/// Receives the path of each written value, and the value.
type Visitor<'v> = &'v mut dyn FnMut(&[PathStep], Leaf<'_>);

/// Returns what a text with arguments expands to.
type Expander<'v> = &'v dyn Fn(&str) -> String;

/// Carries the path during the walk.
pub(crate) struct Tracer<'v> {
    path: Vec<PathStep>,
    visit: Visitor<'v>,
    expand: Option<Expander<'v>>,
}

impl<'v> Tracer<'v> {
    pub fn new(visit: Visitor<'v>) -> Self {
        Self { path: Vec::new(), visit, expand: None }
    }

    /// Makes paths be those of the resolved spec, where keys with arguments are expanded.
    pub fn expanding(self, expand: Expander<'v>) -> Self {
        Self { expand: Some(expand), ..self }
    }

    /// Walks what stands under `key`, in which arguments are expanded.
    pub fn expanded_key(&mut self, key: &str, walk: impl FnOnce(&mut Self)) {
        let key = self.expand.map_or_else(|| key.to_owned(), |expand| expand(key));
        self.step(PathStep::Key(key), walk);
    }

    /// Walks what stands under `key`.
    pub fn key(&mut self, key: &str, walk: impl FnOnce(&mut Self)) {
        self.step(PathStep::Key(key.to_owned()), walk);
    }

    /// Walks the entry `index` of a list.
    pub fn index(&mut self, index: usize, walk: impl FnOnce(&mut Self)) {
        self.step(PathStep::Index(index), walk);
    }

    fn step(&mut self, step: PathStep, walk: impl FnOnce(&mut Self)) {
        self.path.push(step);
        walk(self);
        self.path.pop();
    }

    /// Shows a value written at `span`; an empty span tells that it is not written.
    pub fn value(&mut self, span: Span, wording: Wording<'_>) {
        if span != Span::default() {
            (self.visit)(&self.path, Leaf { span, wording });
        }
    }
}
