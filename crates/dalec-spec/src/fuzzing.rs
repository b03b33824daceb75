//! What must hold for any text that is expanded; for the fuzzer and a test that replays its corpus.
//!
//! It exists because expansion is private to this room. No part of the product is built with it.

use crate::expand;

/// Bytes and steps that expanding a text may take here.
const BUDGET: usize = 1 << 20;

/// Expands `bytes`: the value of `A`, the value of `B` and the text to expand, with a NUL after each value.
///
/// Without a NUL, the values stay empty. `E` is always empty, every other name is unset.
///
/// # Panics
/// When expanding twice gives two answers, when an error or an unset name points to a wrong place, when the result is
/// larger than allowed, or when an escaped text does not expand to itself.
pub fn expand(bytes: &[u8]) {
    let Ok(input) = std::str::from_utf8(bytes) else { return };
    let (a, rest) = input.split_once('\0').unwrap_or(("", input));
    let (b, text) = rest.split_once('\0').unwrap_or(("", rest));
    let lookup = |name: &str| match name {
        "A" => Some(a),
        "B" => Some(b),
        "E" => Some(""),
        _ => None,
    };
    let (mut budget, mut budget_again) = (BUDGET, BUDGET);
    let first = expand::expand(text, &lookup, &mut budget);
    assert_eq!(first, expand::expand(text, &lookup, &mut budget_again), "the second answer differs");
    assert_eq!(budget, budget_again, "the second answer costs something else");
    match first {
        Ok(expansion) => {
            assert!(expansion.text.len() <= BUDGET - budget, "the result cost less than its size");
            assert!(expansion.used.iter().all(|name| lookup(name).is_some()));
            for (name, part) in expansion.unset {
                assert!(lookup(&name).is_none(), "{name} has a value");
                assert_eq!(text.get(part), Some(name.as_str()), "the unset name stands elsewhere");
            }
        }
        Err(broken) => {
            assert!(text.get(broken.part.clone()).is_some(), "{broken:?} points outside of the text");
            assert!(!broken.too_large || budget == 0, "too large, with {budget} bytes left");
        }
    }
    if input.len() < BUDGET / 4 {
        let expansion =
            expand::expand(&expand::escape(input), &lookup, &mut { BUDGET }).expect("an escaped text");
        assert_eq!(expansion, expand::Expansion { text: input.to_owned(), ..Default::default() });
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    #[test]
    fn corpus_holds() {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/expand");
        let mut inputs = 0;
        for entry in std::fs::read_dir(&corpus).expect("the corpus folder").flatten() {
            println!("{}", entry.path().display());
            super::expand(&std::fs::read(entry.path()).expect("a readable input"));
            inputs += 1;
        }
        assert!(inputs > 0, "{} is empty", corpus.display());
    }
}
