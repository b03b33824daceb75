//! For tests: the smallest right spec around any part of the language, put together from the descriptions of the types.

use crate::decode::{Decoder, extension_tree};
use crate::emit::Tree;
use crate::shape::{Key, ObjectShape, Shape};
use crate::{SourceText, yaml};

/// What an object must have beside a key to be a right one, where that does not follow from its description.
const COMPANIONS: &[(&str, &str, &str, &str)] = &[
    ("a spec", "patches", "sources", "{src: {context: {}}, fixes: {context: {}}}"),
    ("a source", "image", "path", "/"),
    ("a patch", "source", "path", "a.patch"),
    ("a patch", "strip", "path", "a.patch"),
    ("a signer", "cmdline", "image", "registry.example.org/signer:1"),
    ("a signer", "args", "image", "registry.example.org/signer:1"),
    ("the build section", "env", "steps", "[{command: make}]"),
    ("the build section", "network_mode", "steps", "[{command: make}]"),
    ("the build section", "caches", "steps", "[{command: make}]"),
];

/// Returns what is written in `text`.
pub(crate) fn tree(text: &str) -> Tree {
    let source = SourceText::new("example", text);
    let (node, _) = yaml::parse(&source);
    extension_tree(&node.expect("YAML"), &mut Decoder::new(&source))
}

/// Returns the example of `key`.
pub(crate) fn example(key: &Key) -> Tree {
    tree(key.example().expect("every key has an example"))
}

/// Returns `object` with `value` as its `key`, and whatever else it needs.
pub(crate) fn with_key(object: &ObjectShape, key: &str, value: Tree) -> Tree {
    let mut entries = vec![(key.to_owned(), value)];
    let mut add = |key: &str, value: Tree| {
        if entries.iter().all(|(known, _)| known != key) {
            entries.push((key.to_owned(), value));
        }
    };
    let of = |name: &str| object.keys.iter().find(|key| key.name == name).expect("a key");
    for needed in object.needs {
        add(needed, example(of(needed)));
    }
    if let Some(choice) = object.choice.filter(|choice| choice.needed && !choice.keys.contains(&key)) {
        let easiest = if choice.keys.contains(&"context") { "context" } else { choice.keys[0] };
        add(easiest, example(of(easiest)));
    }
    for (_, _, companion, value) in COMPANIONS.iter().filter(|row| (row.0, row.1) == (object.name, key)) {
        add(companion, tree(value));
    }
    Tree::Map(entries)
}

/// Returns a value of `shape` that holds `inner` where the shape holds the object called `name`.
fn around(shape: &Shape, name: &str, inner: &Tree, example: &Tree) -> Option<Tree> {
    match shape {
        Shape::Object(object) => (object().name == name).then(|| inner.clone()),
        Shape::List(item) => Some(Tree::List(vec![around(item, name, inner, example)?])),
        Shape::Map { value, .. } => {
            let key = match example {
                Tree::Map(entries) => entries[0].0.clone(),
                _ => "tool".to_owned(),
            };
            Some(Tree::Map(vec![(key, around(value, name, inner, &Tree::Null)?)]))
        }
        Shape::Optional(shape) => around(shape, name, inner, example),
        Shape::Either(shapes) => shapes.iter().find_map(|shape| around(shape, name, inner, example)),
        Shape::Text(_) | Shape::Flag | Shape::Number { .. } | Shape::Mode { .. } | Shape::Nothing => None,
    }
}

/// Returns the spec that holds `tree` as the object called `name`, at the first place that can.
pub(crate) fn spec_around(all: &[ObjectShape], name: &str, tree: Tree) -> Tree {
    if name == all[0].name {
        return tree;
    }
    for object in all {
        for key in object.keys {
            if let Some(value) = around(&(key.shape)(), name, &tree, &example(key)) {
                return spec_around(all, object.name, with_key(object, key.name, value));
            }
        }
    }
    panic!("no key takes {name}");
}
