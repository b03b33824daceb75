//! Lists of packages: dependencies, conflicts, replacements and provided names.

use std::collections::BTreeMap;

use crate::codes;
use crate::decode::{Decode, Decoder, Field, List, Map, MapEntry, Rule, Template, Text, object};
use crate::diagnostic::Diagnostic;
use crate::emit::{Tree, entry};
use crate::raw::rules::{Arch, Constraint, Dependency};
use crate::resolve::Resolver;
use crate::span::{Span, Spanned};
use crate::target_spec::{Dependencies, PackageConstraint};
use crate::yaml::{Kind, Node};

object! {
    /// Which versions of a package, on which architectures.
    RawConstraint: "a package constraint", closed => PackageConstraint, span {
        /// Constraints such as `>= 1.2`; all must hold.
        "version" version: List<Template<Constraint>>,
        /// Architectures the entry is limited to.
        "arch" arch: List<Text<Arch>>,
    }
}

/// Packages by name, written as a mapping, or as a list where no constraints are needed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Packages {
    /// The packages in the order written.
    pub entries: Vec<MapEntry<RawConstraint>>,
}

impl Packages {
    fn from_list(nodes: &[Node], decoder: &mut Decoder<'_>) -> Self {
        let mut entries = Vec::new();
        let mut seen: BTreeMap<String, Span> = BTreeMap::new();
        for node in nodes {
            let name: Text<Dependency> = decoder.read_list_item(node);
            if let Some(first) = seen.get(&name.value) {
                let message = format!("the package `{}` is listed twice", name.value);
                let diagnostic = Diagnostic::warning(codes::DUPLICATE_ENTRY, name.span, message);
                decoder.doubts.push(diagnostic.label(*first, "first listed here").help("keep one of them"));
            } else if !name.value.is_empty() {
                seen.insert(name.value.clone(), name.span);
                let value = RawConstraint { span: name.span, ..RawConstraint::default() };
                entries.push(MapEntry { key: Spanned::new(name.value, name.span), value });
            }
        }
        Self { entries }
    }
}

impl Decode for Packages {
    const TAKES: &'static str = "a mapping of package names, or a list of them";

    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Self {
        match &node.value.kind {
            Kind::Sequence(nodes) => Self::from_list(nodes, decoder),
            Kind::Scalar(scalar) if !node.is_null() => {
                let name = scalar.text.lines().next().unwrap_or_default();
                let help = Dependency::check(name)
                    .is_ok()
                    .then(|| format!("write `{name}:` on a line of its own below, or `[{name}]`"));
                decoder.wrong_type(node, Self::TAKES, help);
                Self::default()
            }
            _ => Self { entries: Map::<RawConstraint, Dependency>::decode(node, decoder).entries },
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
    /// The dependency lists; absent ones are inherited from the root.
    RawDependencies: "the dependencies", open {
        /// Needed to build.
        "build" build: Option<Packages>,
        /// Needed to run.
        "runtime" runtime: Option<Packages>,
        /// Recommended at run time.
        "recommends" recommends: Option<Packages>,
        /// Installed before the tests.
        "test" test: Option<Packages>,
    }
}

impl Field for RawDependencies {
    type Output = Dependencies;

    fn resolve(&self, resolver: &mut Resolver<'_>) -> Dependencies {
        let mut list = |packages: &Option<Packages>| packages.resolve(resolver).unwrap_or_default();
        Dependencies {
            build: list(&self.build),
            runtime: list(&self.runtime),
            recommends: list(&self.recommends),
            test: list(&self.test),
        }
    }

    fn emit(output: &Dependencies) -> Tree {
        let mut entries = Vec::new();
        entry::<Packages>(&mut entries, "build", &output.build);
        entry::<Packages>(&mut entries, "runtime", &output.runtime);
        entry::<Packages>(&mut entries, "recommends", &output.recommends);
        entry::<Packages>(&mut entries, "test", &output.test);
        Tree::Map(entries)
    }

    fn is_absent(output: &Dependencies) -> bool {
        *output == Dependencies::default()
    }
}

/// Returns each list of `target`, or of `root` where the target leaves it out.
///
/// An empty list in the target clears the root's.
pub(crate) fn merge(root: Option<&RawDependencies>, target: Option<&RawDependencies>) -> RawDependencies {
    let pick = |list: fn(&RawDependencies) -> &Option<Packages>| {
        target.and_then(|block| list(block).clone()).or_else(|| root.and_then(|block| list(block).clone()))
    };
    RawDependencies {
        span: target.or(root).map_or(Span::default(), |block| block.span),
        build: pick(|block| &block.build),
        runtime: pick(|block| &block.runtime),
        recommends: pick(|block| &block.recommends),
        test: pick(|block| &block.test),
    }
}
