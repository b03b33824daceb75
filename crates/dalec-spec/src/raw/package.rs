//! Lists of packages: dependencies, conflicts, replacements and provided names.

use std::collections::{BTreeMap, HashMap};

use crate::codes;
use crate::decode::{
    Decode, Decoder, Field, List, Map, MapEntry, Rule, Template, Text, Tracer, Whole, object,
};
use crate::diagnostic::Diagnostic;
use crate::emit::Tree;
use crate::raw::repository::RawRepository;
use crate::raw::rules::{Arch, Constraint, Dependency};
use crate::resolve::Resolver;
use crate::shape::Shape;
use crate::span::{Span, Spanned};
use crate::target_spec::PackageConstraint;
use crate::yaml::{Kind, Node};

object! {
    /// Which versions of a package, on which architectures. Nothing means any.
    RawConstraint: "a package constraint", closed, check check_constraint => PackageConstraint, span self {
        /// An operator, a blank and a version; all must hold.
        /// Example: [">= 1.2", "< 2"]
        "version" version: List<Template<Constraint>>,
        /// Architectures that the entry is limited to.
        /// Default: all
        /// Example: [amd64, arm64]
        "arch" arch: List<Text<Arch>>,
    }
}

fn check_constraint(constraint: &mut RawConstraint, decoder: &mut Decoder<'_>) {
    for version in &constraint.version.items {
        // What may not stand there is an error already, and what arguments become is not known here.
        if Constraint::check(&version.value).is_err() {
            continue;
        }
        if let Some((message, help)) = odd_constraint(&version.value) {
            let diagnostic = Diagnostic::warning(codes::ODD_CONSTRAINT, version.span, message);
            decoder.doubt(diagnostic.help(help));
        }
    }
}

/// Returns what is wrong with `text`, which goes into the package's control data nearly as it is, and what to write.
fn odd_constraint(text: &str) -> Option<(String, String)> {
    let (operator, version) = split_constraint(text);
    if text.is_empty() {
        // Without text there is nothing to be wrong.
        return None;
    }
    if version.is_empty() {
        let help = format!("write a version behind the operator: `{operator} 1.2`");
        return Some((format!("`{text}` names no version"), help));
    }
    let begins_well = version.starts_with(|char: char| char.is_ascii_alphanumeric());
    if begins_well && version.contains([' ', '<', '>', '=']) {
        let help = "write each on its own: `[\">= 1.2\", \"< 2\"]`".to_owned();
        return Some((format!("`{text}` is more than one constraint"), help));
    }
    if !matches!(operator, "" | "==") && !is_debian_operator(operator) || !begins_well {
        let help = "the operators are `<`, `<=`, `=`, `>=` and `>`, for example `>= 1.2`".to_owned();
        return Some((format!("no package manager knows the operator of `{text}`"), help));
    }
    // A version alone is meant, and written, as this one only.
    (operator.is_empty() && !version.starts_with(|char: char| char.is_ascii_digit())).then(|| {
        let help = "write an operator, a blank and a version, or remove it to allow all versions".to_owned();
        (format!("`{text}` is no version that a package can have"), help)
    })
}

/// Splits `>= 1.2`, with or without a blank, into the operator, which may be empty, and the version.
fn split_constraint(text: &str) -> (&str, &str) {
    let end = text.find(|char| !matches!(char, '<' | '>' | '=')).unwrap_or(text.len());
    (&text[..end], text[end..].trim_matches(' '))
}

/// Returns whether relations of a Debian control file may have the operator.
fn is_debian_operator(operator: &str) -> bool {
    matches!(operator, "<<" | "<" | "<=" | "=" | ">=" | ">" | ">>")
}

/// Packages by name, written as a mapping, or as a list where no constraints are needed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Packages {
    /// The packages in the order written.
    pub entries: Vec<MapEntry<RawConstraint>>,
    /// Where they are written.
    pub span: Span,
}

impl Packages {
    fn from_list(nodes: &[Node], span: Span, decoder: &mut Decoder<'_>) -> Self {
        let mut entries = Vec::new();
        let mut seen: BTreeMap<String, Span> = BTreeMap::new();
        for node in nodes {
            if !decoder.grow::<MapEntry<RawConstraint>>(node) {
                break;
            }
            if let Kind::Mapping(_) = &node.value.kind {
                let message = "a list of packages holds names only, not a mapping";
                let span = decoder.first_line(node.span());
                let diagnostic = Diagnostic::error(codes::WRONG_TYPE, span, message);
                decoder.report(
                    diagnostic.help("leave out the `- ` or `[...]`: in a mapping, names have versions"),
                );
                continue;
            }
            let name: Text<Dependency> = decoder.read_list_item(node);
            if let Some(first) = seen.get(&name.value) {
                let message = format!("the package `{}` is listed twice", name.value);
                let diagnostic = Diagnostic::warning(codes::DUPLICATE_ENTRY, name.span, message);
                decoder.doubt(diagnostic.label(*first, "first listed here").help("keep one of them"));
            } else if !name.value.is_empty() {
                seen.insert(name.value.clone(), name.span);
                let value = RawConstraint { span: name.span, ..RawConstraint::default() };
                entries.push(MapEntry { key: Spanned::new(name.value, name.span), value });
            }
        }
        Self { entries, span }
    }

    /// Brings names such as `libc6 (>= 2.36)`, which upstream puts into Debian packages as they are, into the form of the
    /// language.
    fn with_relations(mut self, decoder: &mut Decoder<'_>) -> Self {
        let mut places: BTreeMap<String, usize> = BTreeMap::new();
        for mut entry in std::mem::take(&mut self.entries) {
            if let Some((name, constraint)) = relation(&entry.key.value) {
                let message = format!("`{}` is written as in a Debian control file", entry.key.value);
                let diagnostic = Diagnostic::warning(codes::DEPRECATED_KEY, entry.key.span, message);
                decoder.doubt(diagnostic.help(format!("write `{name}: {{version: [\"{constraint}\"]}}`")));
                let version = Template::of_literal(&constraint, entry.key.span);
                (entry.key.value, entry.value.version.span) = (name.to_owned(), entry.key.span);
                entry.value.version.items.push(version);
            }
            let Some(&place) = places.get(&entry.key.value) else {
                places.insert(entry.key.value.clone(), self.entries.len());
                self.entries.push(entry);
                continue;
            };
            let first = &mut self.entries[place];
            if !first.value.arch.is_given() && !entry.value.arch.is_given() {
                // Two bounds of one package are two relations.
                first.value.version.items.append(&mut entry.value.version.items);
                continue;
            }
            let message = format!("the package `{}` is listed twice", entry.key.value);
            let diagnostic = Diagnostic::error(codes::DUPLICATE_KEY, entry.key.span, message);
            decoder.report(
                diagnostic
                    .label(first.key.span, "first listed here")
                    .help("list it once, with all its versions"),
            );
        }
        self
    }
}

/// Splits `name (>= 1.2)` into the name and the constraint.
fn relation(text: &str) -> Option<(&str, String)> {
    let (name, rest) = text.split_once(" (")?;
    let (operator, version) = split_constraint(rest.strip_suffix(')')?);
    let is_plain = |text: &str| !text.is_empty() && !text.contains([' ', '(', ')', '|']);
    (is_debian_operator(operator) && is_plain(name) && is_plain(version))
        .then(|| (name, format!("{operator} {version}")))
}

impl Decode for Packages {
    const TAKES: &'static str = "a mapping of package names, or a list of them";

    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Self {
        match &node.value.kind {
            Kind::Sequence(nodes) => Self::from_list(nodes, node.span(), decoder).with_relations(decoder),
            Kind::Scalar(scalar) if !node.is_null() => {
                let name = scalar.text.lines().next().unwrap_or_default();
                let help = Dependency::check(name)
                    .is_ok()
                    .then(|| format!("write `{name}:` on a line of its own below, or `[{name}]`"));
                decoder.wrong_type(node, Self::TAKES, help);
                Self::default()
            }
            _ => {
                let packages = Map::<RawConstraint, Dependency>::decode(node, decoder);
                Self { entries: packages.entries, span: packages.span }.with_relations(decoder)
            }
        }
    }

    fn shape() -> Shape {
        let names = Shape::Text(Dependency::shape());
        Shape::Either(vec![Map::<RawConstraint, Dependency>::shape(), Shape::list(names)])
    }

    fn is_given(&self) -> bool {
        !self.entries.is_empty()
    }

    fn trace(&self, tracer: &mut Tracer<'_>) {
        for entry in &self.entries {
            tracer.key(&entry.key.value, |tracer| entry.value.trace(tracer));
        }
    }
}

impl Field for Packages {
    type Output = BTreeMap<String, PackageConstraint>;

    fn resolve(&self, resolver: &mut Resolver<'_>) -> Self::Output {
        self.entries.iter().map(|entry| (entry.key.value.clone(), entry.value.resolve(resolver))).collect()
    }

    fn emit(output: &Self::Output) -> Tree {
        Map::<RawConstraint, Dependency>::emit(output)
    }

    fn is_absent(output: &Self::Output) -> bool {
        output.is_empty()
    }
}

object! {
    /// Packages that are needed. A target's lists replace the root's, each for itself.
    RawDependencies: "the dependencies", open, check check_dependencies, merge by_key => Dependencies {
        /// Needed to build.
        /// Example: {gcc: {version: [">= 12"]}, make: }
        "build" build: Whole<Packages>,
        /// Needed to run.
        /// Example: [ca-certificates, libssl3]
        "runtime" runtime: Whole<Packages>,
        /// Useful to run, and installed with the package where the system's settings say so.
        /// Example: [bash-completion]
        "recommends" recommends: Whole<Packages>,
        /// Unpacked into system extensions, without their own dependencies.
        /// Example: [libfoo2]
        "sysext" sysext: Whole<Packages>,
        /// Installed before the tests, and not part of any result.
        /// Example: [curl]
        "test" test: Whole<Packages>,
        /// Package repositories beside those of the distribution.
        /// Example: [{config: {example.list: {inline: {file: {contents: "deb https://packages.example.org/deb stable main"}}}}}]
        "extra_repos" extra_repos: Whole<List<RawRepository>>,
    }
}

fn check_dependencies(dependencies: &mut RawDependencies, decoder: &mut Decoder<'_>) {
    for list in [&dependencies.recommends, &dependencies.sysext, &dependencies.test] {
        let versions =
            list.0.iter().flat_map(|list| &list.entries).flat_map(|entry| &entry.value.version.items);
        for version in versions.filter(|version| version.value.contains('$')) {
            let message = "upstream Dalec does not expand arguments in this list";
            let diagnostic = Diagnostic::warning(codes::UPSTREAM_DIFFERS, version.span, message);
            decoder.doubt(diagnostic.help("write the version itself if the spec must mean the same there"));
        }
    }
    doubt_recommended(dependencies, decoder);
}

/// A package that is needed is there anyway; recommending it says nothing.
fn doubt_recommended(dependencies: &RawDependencies, decoder: &mut Decoder<'_>) {
    let (Some(runtime), Some(recommends)) = (&dependencies.runtime.0, &dependencies.recommends.0) else {
        return;
    };
    // Of a package that is listed twice, the first place counts.
    let runtime: HashMap<&str, Span> =
        runtime.entries.iter().rev().map(|entry| (entry.key.value.as_str(), entry.key.span)).collect();
    for entry in &recommends.entries {
        if let Some(needed) = runtime.get(entry.key.value.as_str()) {
            let message = format!("`{}` is needed at run time anyway", entry.key.value);
            let diagnostic = Diagnostic::warning(codes::DUPLICATE_ENTRY, entry.key.span, message);
            decoder.doubt(diagnostic.label(*needed, "needed here").help("remove it here"));
        }
    }
}
