//! What must hold for any text that is expanded; for the fuzzer and a test that replays its corpus.
//!
//! It exists because expansion is private to this room. No part of the product is built with it.

use crate::expand;

/// Bytes that an expanded text may have here.
const LIMIT: usize = 1 << 16;

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
    let first = expand::expand(text, &lookup, LIMIT);
    assert_eq!(first, expand::expand(text, &lookup, LIMIT), "the second answer differs");
    match first {
        Ok(expansion) => {
            assert!(expansion.text.len() <= LIMIT, "the result has {} bytes", expansion.text.len());
            assert!(expansion.used.iter().all(|name| lookup(name).is_some()));
            for (name, part) in expansion.unset {
                assert!(lookup(&name).is_none(), "{name} has a value");
                assert_eq!(text.get(part), Some(name.as_str()), "the unset name stands elsewhere");
            }
        }
        Err(broken) => {
            assert!(text.get(broken.part.clone()).is_some(), "{broken:?} points outside of the text");
        }
    }
    if input.len() <= LIMIT {
        let expansion = expand::expand(&expand::escape(input), &lookup, LIMIT).expect("an escaped text");
        assert_eq!(expansion, expand::Expansion { text: input.to_owned(), ..Default::default() });
    }
}
