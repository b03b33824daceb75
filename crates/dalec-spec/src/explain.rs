//! Where the values of a resolved spec come from.
//!
//! The resolved spec says what there is; the raw spec, with the target's overrides applied, says what is written and
//! where. A value that is in the one and not in the other is a default. Words for people are made elsewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::decode::{Decode, Leaf, PathStep, Tracer, Wording, quoted_list, suggest, with_verb};
use crate::emit::{self, Tree};
use crate::raw::RawRoot;
use crate::resolve::{
    ArgOrigin, Budget, ResolveOptions, Resolver, SOURCE_DATE_EPOCH, merged, resolve_merged,
};
use crate::shape::Shape;
use crate::source_text::SourceText;
use crate::span::Span;

/// Where one value of a resolved spec comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// Path of the value, such as `build.env.CFLAGS`.
    pub path: String,
    /// The value as one line of YAML; none when nothing is set.
    pub text: Option<String>,
    /// The same as JSON; permission bits are decimal numbers.
    pub value: serde_json::Value,
    /// Where it comes from.
    pub origin: Origin,
    /// The arguments that it is made with, sorted by name.
    pub arguments: Vec<Argument>,
}

/// Where a value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Nothing is written; this is what that means.
    Default,
    /// The root of the spec.
    Root(Span),
    /// The settings of the target.
    Target(Span),
    /// An argument alone.
    Argument(ArgOrigin),
}

/// An argument that a value is made with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Argument {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
    /// Where that comes from.
    pub origin: ArgOrigin,
}

/// A field that is not there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct NoSuchField {
    /// What is not there.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
}

/// A written value.
struct Written {
    span: Span,
    template: Option<String>,
}

/// Returns where the values at `field` and below it come from.
///
/// # Errors
/// [`NoSuchField`] when the language has no such field, or the spec has no such entry.
pub(crate) fn explain(
    root: &RawRoot,
    source: &SourceText,
    options: &ResolveOptions,
    field: &str,
) -> Result<Vec<Explanation>, NoSuchField> {
    let mut budget = Budget::default();
    let mut resolver = Resolver::of(root, source, options, &mut budget);
    let root_and_target = merged(root, options);
    let tree = emit::tree(&resolve_merged(&root_and_target, options, &mut resolver));
    let Some((path, subtree)) = find(&tree, field) else {
        let path = check_language(field)?;
        return Ok(vec![Explanation {
            path,
            text: None,
            value: serde_json::Value::Null,
            origin: Origin::Default,
            arguments: Vec::new(),
        }]);
    };
    let mut explainer = Explainer {
        written: written(&root_and_target),
        of_target: root.targets.get(&options.target).map(|target| places(&target.spec)).unwrap_or_default(),
        resolver: &resolver,
        path,
        found: Vec::new(),
    };
    explainer.walk(subtree);
    Ok(explainer.found)
}

/// Collects what is known about the leaves of a tree.
struct Explainer<'e, 'r> {
    written: BTreeMap<Vec<PathStep>, Written>,
    of_target: BTreeSet<(Vec<PathStep>, Span)>,
    resolver: &'e Resolver<'r>,
    path: Vec<PathStep>,
    found: Vec<Explanation>,
}

impl Explainer<'_, '_> {
    fn walk(&mut self, tree: &Tree) {
        match tree {
            Tree::Map(entries) if !entries.is_empty() => {
                for (key, value) in entries {
                    self.path.push(PathStep::Key(key.clone()));
                    self.walk(value);
                    self.path.pop();
                }
            }
            Tree::List(items) if !items.is_empty() => {
                for (index, item) in items.iter().enumerate() {
                    self.path.push(PathStep::Index(index));
                    self.walk(item);
                    self.path.pop();
                }
            }
            leaf => self.leaf(leaf),
        }
    }

    fn leaf(&mut self, tree: &Tree) {
        let written = self.written.get(&self.path);
        let arguments = written.and_then(|written| written.template.as_deref()).map_or(Vec::new(), |text| {
            let references = self.resolver.references(text).into_iter();
            references.map(|(name, value, origin)| Argument { name, value, origin }).collect()
        });
        let origin = match written {
            Some(Written { span, .. }) if self.of_target.contains(&(without_indexes(&self.path), *span)) => {
                Origin::Target(*span)
            }
            Some(Written { span, .. }) => Origin::Root(*span),
            None => Origin::Default,
        };
        self.found.push(Explanation {
            path: show(&self.path),
            text: Some(tree.to_line()),
            value: tree.to_json(),
            origin: self.argument().map_or(origin, Origin::Argument),
            arguments,
        });
    }

    /// Returns where the value comes from when it is that of an argument, and not written elsewhere.
    fn argument(&self) -> Option<ArgOrigin> {
        let name = match &self.path[..] {
            [PathStep::Key(args), PathStep::Key(name)] if args == "args" => name,
            [PathStep::Key(build), PathStep::Key(env), PathStep::Key(name)]
                if build == "build"
                    && env == "env"
                    && name == SOURCE_DATE_EPOCH
                    && !self.written.contains_key(&self.path) =>
            {
                name
            }
            _ => return None,
        };
        self.resolver.argument(name).map(|(_, origin)| *origin)
    }
}

fn written(root: &RawRoot) -> BTreeMap<Vec<PathStep>, Written> {
    let mut all = BTreeMap::new();
    root.trace(&mut Tracer::new(&mut |path: &[PathStep], leaf: Leaf<'_>| {
        let template = match leaf.wording {
            Wording::Template(text) => Some(text.to_owned()),
            Wording::Literal(_) | Wording::Other => None,
        };
        all.insert(path.to_vec(), Written { span: leaf.span, template });
    }));
    all
}

/// Returns the places of all that a target says. Its list entries stand behind the root's, so indexes do not count.
fn places(target: &RawRoot) -> BTreeSet<(Vec<PathStep>, Span)> {
    let mut all = BTreeSet::new();
    target.trace(&mut Tracer::new(&mut |path: &[PathStep], leaf: Leaf<'_>| {
        all.insert((without_indexes(path), leaf.span));
    }));
    all
}

fn without_indexes(path: &[PathStep]) -> Vec<PathStep> {
    path.iter().filter(|step| matches!(step, PathStep::Key(_))).cloned().collect()
}

fn show(path: &[PathStep]) -> String {
    let mut text = String::new();
    for step in path {
        let _ = write!(text, "{step}");
    }
    text.strip_prefix('.').map(str::to_owned).unwrap_or(text)
}

/// Finds the value at `field`, with its path.
fn find<'t>(tree: &'t Tree, field: &str) -> Option<(Vec<PathStep>, &'t Tree)> {
    let (mut tree, mut rest) = (tree, field.trim());
    let mut path = Vec::new();
    while !rest.is_empty() {
        match tree {
            Tree::Map(entries) => {
                let rest_of = |key: &String| {
                    let plain = rest.strip_prefix(key.as_str());
                    let quoted = || rest.strip_prefix(&format!("'{}'", key.replace('\'', "''")));
                    let rest = plain.or_else(quoted)?;
                    (rest.is_empty() || rest.starts_with(['.', '['])).then_some(rest)
                };
                // Keys may hold dots, so the longest that fits is meant.
                let fitting = entries.iter().filter_map(|(key, value)| Some((key, value, rest_of(key)?)));
                let (key, value, behind) = fitting.max_by_key(|(key, ..)| key.len())?;
                path.push(PathStep::Key(key.clone()));
                (tree, rest) = (value, behind.strip_prefix('.').unwrap_or(behind));
            }
            Tree::List(items) => {
                let (index, behind) = rest.strip_prefix('[')?.split_once(']')?;
                let index: usize = index.parse().ok()?;
                path.push(PathStep::Index(index));
                (tree, rest) = (items.get(index)?, behind.strip_prefix('.').unwrap_or(behind));
            }
            _ => return None,
        }
    }
    Some((path, tree))
}

/// Returns the path of `field` when the language has it, though nothing is set there.
fn check_language(field: &str) -> Result<String, NoSuchField> {
    let mut shapes = vec![RawRoot::shape()];
    let mut done = String::new();
    for step in field.split(['.', '[']).filter(|step| !step.is_empty()) {
        let (step, is_index) = match step.strip_suffix(']') {
            Some(index) => (index, true),
            None => (step, false),
        };
        shapes = match next(&shapes, step, is_index) {
            Next::Shapes(shapes) => shapes,
            Next::NoKey(object, keys) => {
                let help = match suggest(step, keys.iter().copied()) {
                    Some(known) => format!("did you mean `{done}{known}`?"),
                    None => format!("known are {}", quoted_list(&keys, "and")),
                };
                return Err(NoSuchField {
                    message: format!("{} no key `{step}`", with_verb(object, "has", "have")),
                    help: Some(help),
                });
            }
            Next::NoEntry => {
                let message = match done.trim_end_matches('.') {
                    "" => format!("there is nothing at `{field}`"),
                    done => format!("`{done}` has no entry `{step}` for this target"),
                };
                return Err(NoSuchField { message, help: None });
            }
        };
        let _ = if is_index { write!(done, "[{step}].") } else { write!(done, "{step}.") };
    }
    Ok(done.trim_end_matches('.').replace(".[", "["))
}

enum Next {
    Shapes(Vec<Shape>),
    NoKey(&'static str, Vec<&'static str>),
    NoEntry,
}

fn next(shapes: &[Shape], step: &str, is_index: bool) -> Next {
    for shape in shapes {
        match shape {
            Shape::Optional(shape) => return next(std::slice::from_ref(shape), step, is_index),
            Shape::Either(shapes) => return next(shapes, step, is_index),
            Shape::Object(object) if !is_index => {
                let object = object();
                return match object.keys.iter().find(|key| key.name == step) {
                    Some(key) => Next::Shapes(vec![(key.shape)()]),
                    None => Next::NoKey(object.name, object.keys.iter().map(|key| key.name).collect()),
                };
            }
            _ => {}
        }
    }
    Next::NoEntry
}
