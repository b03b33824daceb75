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
use crate::shape::{ObjectShape, Shape};
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

/// Everything that is written, by path.
type AllWritten = BTreeMap<Vec<PathStep>, Written>;

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
    let Place { path, value } = find(&tree, field)?;
    let Some(subtree) = value else {
        return Ok(vec![Explanation {
            path: show(&path),
            text: None,
            value: serde_json::Value::Null,
            origin: Origin::Default,
            arguments: Vec::new(),
        }]);
    };
    let target = root.targets.get(&options.target);
    let written_in = |root: &RawRoot| written(root, &resolver);
    let of_target = target.map(|target| written_in(&target.spec)).unwrap_or_default();
    let written = written_in(&root_and_target);
    let mut explainer = Explainer {
        joints: joints(&written_in(root), &of_target, &written),
        written,
        of_target: places(&of_target),
        resolver: &resolver,
        path,
        found: Vec::new(),
    };
    explainer.walk(subtree);
    Ok(explainer.found)
}

/// Collects what is known about the leaves of a tree.
struct Explainer<'e, 'r> {
    written: AllWritten,
    of_target: BTreeSet<(Vec<PathStep>, Span)>,
    joints: BTreeMap<Vec<PathStep>, usize>,
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
            Some(Written { span, .. }) if self.is_of_target(*span) => Origin::Target(*span),
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

    /// Returns whether the value, written at `span`, is the target's.
    fn is_of_target(&self, span: Span) -> bool {
        match first_index(&self.path) {
            // Root and target may share entries through an alias, so their places do not tell them apart.
            Some((list, index)) if self.joints.contains_key(list) => index >= self.joints[list],
            _ => self.of_target.contains(&(without_indexes(&self.path), span)),
        }
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

/// Returns all that is written in `root`, by the path that it has when it is resolved.
fn written(root: &RawRoot, resolver: &Resolver<'_>) -> AllWritten {
    let mut all = BTreeMap::new();
    let mut visit = |path: &[PathStep], leaf: Leaf<'_>| {
        let template = match leaf.wording {
            Wording::Template(text) => Some(text.to_owned()),
            Wording::Literal(_) | Wording::Other => None,
        };
        all.insert(path.to_vec(), Written { span: leaf.span, template });
    };
    root.trace(&mut Tracer::new(&mut visit).expanding(&|key| resolver.written_key(key)));
    all
}

/// Returns the places of all that a target says. Its list entries stand behind the root's, so indexes do not count.
fn places(target: &AllWritten) -> BTreeSet<(Vec<PathStep>, Span)> {
    target.iter().map(|(path, written)| (without_indexes(path), written.span)).collect()
}

/// Returns the lists in which the target's entries stand behind the root's, with the number of the root's.
///
/// A list that the target replaces is as long as the target's alone.
fn joints(root: &AllWritten, target: &AllWritten, joined: &AllWritten) -> BTreeMap<Vec<PathStep>, usize> {
    let (root, target, joined) = (lengths(root), lengths(target), lengths(joined));
    let is_joint = |(list, length): &(&[PathStep], usize)| {
        target.get(list).is_some_and(|more| joined.get(list) == Some(&(length + more)))
    };
    root.into_iter().filter(is_joint).map(|(list, length)| (list.to_vec(), length)).collect()
}

/// Returns the lengths of all lists that are not part of other lists.
fn lengths(written: &AllWritten) -> BTreeMap<&[PathStep], usize> {
    let mut lengths = BTreeMap::new();
    for (list, index) in written.keys().filter_map(|path| first_index(path)) {
        let length = lengths.entry(list).or_default();
        *length = (index + 1).max(*length);
    }
    lengths
}

/// Returns the outermost list on `path`, and the index in it.
fn first_index(path: &[PathStep]) -> Option<(&[PathStep], usize)> {
    path.iter().enumerate().find_map(|(at, step)| match step {
        PathStep::Index(index) => Some((&path[..at], *index)),
        PathStep::Key(_) => None,
    })
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

/// What a field names.
struct Place<'t> {
    path: Vec<PathStep>,
    /// The value there; none when the language has the field, but nothing is set.
    value: Option<&'t Tree>,
}

/// Follows `field` through `tree` as far as that goes, and then through the language.
fn find<'t>(tree: &'t Tree, field: &str) -> Result<Place<'t>, NoSuchField> {
    let mut place = Place { path: Vec::new(), value: Some(tree) };
    let mut shapes = vec![RawRoot::shape()];
    let mut rest = field.trim();
    while !rest.is_empty() {
        let (step, value, behind) = match place.value.and_then(|tree| child(tree, rest)) {
            Some((step, value, behind)) => (step, Some(value), behind),
            None => {
                let (step, behind) = first_step(rest);
                (step, None, behind)
            }
        };
        let below: Vec<Shape> = shapes.iter().flat_map(|shape| below(shape, &step)).collect();
        let is_known = shapes.iter().any(|shape| is_key_of_object(shape, &step));
        if value.is_none() && !is_known {
            return Err(no_such_field(field, &place.path, &shapes, &step));
        }
        place.path.push(step);
        (place.value, shapes, rest) = (value, below, behind.strip_prefix('.').unwrap_or(behind));
    }
    Ok(place)
}

/// Returns the child of `tree` that `rest` begins with, and what comes behind it.
fn child<'t, 'f>(tree: &'t Tree, rest: &'f str) -> Option<(PathStep, &'t Tree, &'f str)> {
    match tree {
        Tree::Map(entries) => {
            // Keys may hold dots, so the longest that fits is meant.
            let fitting =
                entries.iter().filter_map(|(key, value)| Some((key, value, behind_key(rest, key)?)));
            let (key, value, behind) = fitting.max_by_key(|(key, ..)| key.len())?;
            Some((PathStep::Key(key.clone()), value, behind))
        }
        Tree::List(items) => match first_step(rest) {
            (PathStep::Index(index), behind) => Some((PathStep::Index(index), items.get(index)?, behind)),
            (PathStep::Key(_), _) => None,
        },
        _ => None,
    }
}

/// Returns what comes behind `key`, plain or in quotes, when `rest` begins with it.
fn behind_key<'f>(rest: &'f str, key: &str) -> Option<&'f str> {
    let plain = rest.strip_prefix(key).filter(|_| !key.is_empty());
    let ends = |behind: &&str| behind.is_empty() || behind.starts_with(['.', '[']);
    plain.filter(ends).or_else(|| match quoted(rest)? {
        (text, behind) if text == key => Some(behind),
        _ => None,
    })
}

/// Returns the step that `rest`, which is not empty, begins with, and what comes behind it.
fn first_step(rest: &str) -> (PathStep, &str) {
    let index = rest.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    if let Some((index, behind)) = index
        && let Ok(index) = index.parse()
    {
        return (PathStep::Index(index), behind);
    }
    if let Some((key, behind)) = quoted(rest) {
        return (PathStep::Key(key), behind);
    }
    let end = rest.char_indices().skip(1).find(|(_, char)| matches!(char, '.' | '[')).map(|(at, _)| at);
    let (key, behind) = rest.split_at(end.unwrap_or(rest.len()));
    (PathStep::Key(key.to_owned()), behind)
}

/// Returns the key in single quotes that `rest` begins with, and what comes behind it.
fn quoted(rest: &str) -> Option<(String, &str)> {
    let inside = rest.strip_prefix('\'')?;
    let mut at = 0;
    loop {
        at += inside[at..].find('\'')? + 1;
        match inside[at..].starts_with('\'') {
            true => at += 1,
            false => break,
        }
    }
    let behind = &inside[at..];
    let is_end = behind.is_empty() || behind.starts_with(['.', '[']);
    is_end.then(|| (inside[..at - 1].replace("\'\'", "'"), behind))
}

/// Returns what `shape` takes one `step` further; nothing when there is no such step.
fn below(shape: &Shape, step: &PathStep) -> Vec<Shape> {
    match (shape, step) {
        (Shape::Optional(shape), _) => below(shape, step),
        (Shape::Either(shapes), _) => shapes.iter().flat_map(|shape| below(shape, step)).collect(),
        (Shape::Object(object), PathStep::Key(name)) => {
            object().keys.iter().filter(|key| key.name == name).map(|key| (key.shape)()).collect()
        }
        (Shape::Map { value, .. }, PathStep::Key(_)) => vec![value.as_ref().clone()],
        (Shape::List(item), PathStep::Index(_)) => vec![item.as_ref().clone()],
        _ => Vec::new(),
    }
}

/// Returns the object that `shape` can be written as.
fn object_of(shape: &Shape) -> Option<ObjectShape> {
    match shape {
        Shape::Optional(shape) => object_of(shape),
        Shape::Either(shapes) => shapes.iter().find_map(object_of),
        Shape::Object(object) => Some(object()),
        _ => None,
    }
}

/// Returns whether `step` is a key that the language has: it need not be written to be there.
fn is_key_of_object(shape: &Shape, step: &PathStep) -> bool {
    let PathStep::Key(name) = step else { return false };
    object_of(shape).is_some_and(|object| object.keys.iter().any(|key| key.name == name))
}

/// Returns that there is no `step` below `path`, where `shapes` can stand.
fn no_such_field(field: &str, path: &[PathStep], shapes: &[Shape], step: &PathStep) -> NoSuchField {
    let done = show(path);
    let object = shapes.iter().find_map(object_of);
    if let (PathStep::Key(name), Some(object)) = (step, object) {
        let keys: Vec<&str> = object.keys.iter().map(|key| key.name).collect();
        let help = match suggest(name, keys.iter().copied()) {
            Some(known) => {
                let known = PathStep::Key(known.to_owned());
                format!("did you mean `{}`?", show(&[path, &[known]].concat()))
            }
            None => format!("known are {}", quoted_list(&keys, "and")),
        };
        let message = format!("{} no key `{name}`", with_verb(object.name, "has", "have"));
        return NoSuchField { message, help: Some(help) };
    }
    let step = match step {
        PathStep::Key(name) => name.clone(),
        PathStep::Index(index) => index.to_string(),
    };
    let message = match done.as_str() {
        "" => format!("there is nothing at `{field}`"),
        done => format!("`{done}` has no entry `{step}` for this target"),
    };
    NoSuchField { message, help: None }
}
