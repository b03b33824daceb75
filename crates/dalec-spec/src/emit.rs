//! A resolved spec as YAML or JSON in the spec language's own keys.
//!
//! Values are escaped where the loader would expand them again, so the output loads to the same spec. Maps are
//! sorted, objects keep the order of the language: equal specs give equal bytes. Overrides are applied already, so
//! there is no `targets`.

mod yaml_text;

use serde_json::{Map as JsonMap, Value as Json};

use crate::decode::{Field, Flag, List, Map, Template, Text};
use crate::raw::{
    Packages, RawArtifacts, RawBuild, RawChange, RawDependencies, RawPatch, RawSource, RawTest, image,
};
use crate::target_spec::TargetSpec;

/// A value of the language, ready to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Tree {
    /// Nothing.
    Null,
    /// Text.
    Text(String),
    /// A truth value.
    Bool(bool),
    /// A number.
    Number(u32),
    /// Permission bits.
    Mode(u32),
    /// A list.
    List(Vec<Tree>),
    /// Keys and values in order.
    Map(Vec<(String, Tree)>),
}

/// Returns `spec` in the keys of the spec language; permission bits are decimal numbers.
pub fn to_json(spec: &TargetSpec) -> Json {
    json(&tree(spec))
}

/// Returns `spec` as YAML that loads again to the same spec; permission bits are octal.
pub fn to_yaml(spec: &TargetSpec) -> String {
    yaml_text::write(&tree(spec))
}

/// Adds `key` with `output` to `entries` unless leaving it out means the same.
pub(crate) fn entry<T: Field>(entries: &mut Vec<(String, Tree)>, key: &str, output: &T::Output) {
    if !T::is_absent(output) {
        entries.push((key.to_owned(), T::emit(output)));
    }
}

fn tree(spec: &TargetSpec) -> Tree {
    let mut entries = Vec::new();
    entry::<Text>(&mut entries, "name", &spec.name);
    entry::<Text>(&mut entries, "description", &spec.description);
    entry::<Text>(&mut entries, "website", &spec.website);
    entry::<Template>(&mut entries, "version", &spec.version);
    entry::<Template>(&mut entries, "revision", &spec.revision);
    entry::<Text>(&mut entries, "license", &spec.license);
    entry::<Text>(&mut entries, "vendor", &spec.vendor);
    entry::<Text>(&mut entries, "packager", &spec.packager);
    entry::<Flag>(&mut entries, "noarch", &spec.noarch);
    entry::<Map<Text>>(&mut entries, "args", &spec.args);
    entry::<Map<RawSource>>(&mut entries, "sources", &spec.sources);
    entry::<Map<List<RawPatch>>>(&mut entries, "patches", &spec.patches);
    entry::<Packages>(&mut entries, "conflicts", &spec.conflicts);
    entry::<Packages>(&mut entries, "replaces", &spec.replaces);
    entry::<Packages>(&mut entries, "provides", &spec.provides);
    entry::<RawDependencies>(&mut entries, "dependencies", &spec.dependencies);
    entry::<RawBuild>(&mut entries, "build", &spec.build);
    entry::<RawArtifacts>(&mut entries, "artifacts", &spec.artifacts);
    entries.extend(image::emit(&spec.image).map(|image| ("image".to_owned(), image)));
    entry::<List<RawChange>>(&mut entries, "changelog", &spec.changelog);
    entry::<List<RawTest>>(&mut entries, "tests", &spec.tests);
    Tree::Map(entries)
}

fn json(tree: &Tree) -> Json {
    match tree {
        Tree::Null => Json::Null,
        Tree::Text(text) => Json::from(text.as_str()),
        Tree::Bool(value) => Json::from(*value),
        Tree::Number(number) | Tree::Mode(number) => Json::from(*number),
        Tree::List(items) => Json::Array(items.iter().map(json).collect()),
        Tree::Map(entries) => Json::Object(
            entries.iter().map(|(key, value)| (key.clone(), json(value))).collect::<JsonMap<_, _>>(),
        ),
    }
}
