//! Resolving looks at no order but that of the author's lists.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use proptest::prelude::*;

use crate::decode::{Decoder, extension_tree};
use crate::emit::Tree;
use crate::target_spec::{Extensions, TargetSpec};
use crate::{RawSpec, ResolveOptions, SourceText, has_errors, load, to_yaml, yaml};

/// The large specs of the corpus and the gallery, as trees; what was written through aliases and merge keys is
/// written out.
static SPECS: LazyLock<Vec<(String, Tree)>> = LazyLock::new(|| {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let gallery = fs::read_dir(root.join("../../examples/gallery")).expect("a readable folder");
    let corpus = fs::read_dir(root.join("tests/ok")).expect("a readable folder");
    let mut paths: Vec<PathBuf> =
        gallery.chain(corpus).map(|entry| entry.expect("a readable folder").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "yml"));
    paths.sort();
    let tree = |path: &PathBuf| {
        let text = fs::read_to_string(path).expect("a readable spec");
        let source = SourceText::new("spec.yml", text);
        let (node, _) = yaml::parse(&source);
        (path.display().to_string(), extension_tree(&node.expect("YAML"), &mut Decoder::new(&source)))
    };
    paths.iter().map(tree).collect()
});

/// Numbers that look random enough to shuffle with.
struct Dice(u64);

impl Dice {
    /// Returns a number below `limit`.
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).map_or(0, |number| number % limit)
    }
}

/// Brings the entries of every mapping below `tree` into another order; lists stay as they are.
fn shuffle(tree: &mut Tree, dice: &mut Dice) {
    match tree {
        Tree::Map(entries) => {
            for last in (1..entries.len()).rev() {
                entries.swap(last, dice.below(last + 1));
            }
            entries.iter_mut().for_each(|(_, value)| shuffle(value, dice));
        }
        Tree::List(items) => items.iter_mut().for_each(|item| shuffle(item, dice)),
        _ => {}
    }
}

fn read(tree: &Tree) -> RawSpec {
    let loaded = load(&SourceText::new("spec.yml", tree.to_text()));
    assert!(!loaded.has_errors(), "{:?}\n{}", loaded.diagnostics, tree.to_text());
    loaded.raw.expect("YAML")
}

/// Returns what `raw` is for the root and for each target, by key, without the author's own keys.
fn resolved(raw: &RawSpec) -> Vec<(String, TargetSpec)> {
    let mut targets = vec![""];
    targets.extend(raw.target_keys());
    targets.sort_unstable();
    let resolve = |target: &str| {
        let options = ResolveOptions { target: target.to_owned(), ..ResolveOptions::default() };
        let (spec, found) = raw.resolve(&options);
        assert!(!has_errors(&found), "{found:?}");
        (target.to_owned(), TargetSpec { extensions: Extensions::default(), ..spec.expect("no errors") })
    };
    targets.into_iter().map(resolve).collect()
}

/// Returns everything that a resolved spec says; spans are not part of it.
fn written(specs: &[(String, TargetSpec)]) -> Vec<(&str, String)> {
    specs.iter().map(|(target, spec)| (target.as_str(), to_yaml(spec))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    /// SPEC-022, SPEC-043, SPEC-047: arguments, defaults and overrides are the same in whatever order keys are written.
    #[test]
    fn order_of_keys_changes_nothing(index in 0..SPECS.len(), seed in any::<u64>()) {
        let (path, tree) = &SPECS[index];
        let mut shuffled = tree.clone();
        shuffle(&mut shuffled, &mut Dice(seed));
        let (before, after) = (resolved(&read(tree)), resolved(&read(&shuffled)));
        prop_assert_eq!(written(&before), written(&after), "{}", path);
    }

    /// The same text gives the same bytes, however often it is read.
    #[test]
    fn resolving_again_gives_the_same_bytes(index in 0..SPECS.len()) {
        let (_, tree) = &SPECS[index];
        prop_assert_eq!(resolved(&read(tree)), resolved(&read(tree)));
    }
}
