//! Text that is one of a few words.

use std::fmt::Debug;
use std::marker::PhantomData;

use super::{Complaint, Decode, Decoder, Field, Rule, Template, Text, Tracer, quoted_list, suggest};
use crate::emit::Tree;
use crate::resolve::Resolver;
use crate::shape::Shape;
use crate::span::Span;
use crate::yaml::Node;

/// An enumeration of the language.
pub(crate) trait Keyword: Debug + Copy + Default + PartialEq + 'static {
    /// What it is, in words: "a network mode".
    const TAKES: &'static str;

    /// The words with what they mean; the first is what an absent key means.
    const WORDS: &'static [(&'static str, Self)];
}

/// The rule that a text is one of the words of `E`.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct WordOf<E>(PhantomData<E>);

impl<E: Keyword> Rule for WordOf<E> {
    const TAKES: &'static str = E::TAKES;

    fn words() -> Vec<&'static str> {
        E::WORDS.iter().map(|(word, _)| *word).collect()
    }

    fn check(text: &str) -> Result<(), Complaint> {
        let words = Self::words();
        if words.contains(&text) {
            return Ok(());
        }
        let complaint = Complaint::new(format!("`{text}` is not {}", E::TAKES));
        Err(match suggest(text, words.iter().copied()) {
            Some(word) => complaint.help(format!("did you mean `{word}`?")),
            None => complaint.help(format!("write {}", quoted_list(&words, "or"))),
        })
    }
}

/// One of the words of `E`; arguments are expanded in it when `EXPANDED`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Word<E: Keyword, const EXPANDED: bool = false> {
    /// Where it is written.
    pub span: Span,
    literal: Text<WordOf<E>>,
    template: Template<WordOf<E>>,
}

impl<E: Keyword, const EXPANDED: bool> Word<E, EXPANDED> {
    /// Returns whether the word comes from arguments.
    pub fn is_given_as_template(&self) -> bool {
        self.template.value.contains('$')
    }
}

impl<E: Keyword, const EXPANDED: bool> Decode for Word<E, EXPANDED> {
    const TAKES: &'static str = E::TAKES;

    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Self {
        let mut word = Self { span: node.span(), ..Self::default() };
        if EXPANDED {
            word.template = Decode::decode(node, decoder);
        } else {
            word.literal = Decode::decode(node, decoder);
        }
        word
    }

    fn shape() -> Shape {
        match if EXPANDED { Template::<WordOf<E>>::shape() } else { Text::<WordOf<E>>::shape() } {
            Shape::Text(mut text) => {
                text.default = E::WORDS.first().map_or("", |(word, _)| word);
                Shape::Text(text)
            }
            shape => shape,
        }
    }

    fn is_given(&self) -> bool {
        self.template.is_given() || self.literal.is_given()
    }

    fn trace(&self, tracer: &mut Tracer<'_>) {
        self.literal.trace(tracer);
        self.template.trace(tracer);
    }
}

impl<E: Keyword, const EXPANDED: bool> Field for Word<E, EXPANDED> {
    type Output = E;

    fn resolve(&self, resolver: &mut Resolver<'_>) -> E {
        let text = if EXPANDED { self.template.resolve(resolver) } else { self.literal.resolve(resolver) };
        E::WORDS.iter().find(|(word, _)| *word == text).map(|(_, value)| *value).unwrap_or_default()
    }

    fn emit(output: &E) -> Tree {
        let word = E::WORDS.iter().find(|(_, value)| value == output).map_or("", |(word, _)| word);
        Tree::Text(word.to_owned())
    }

    fn is_absent(output: &E) -> bool {
        *output == E::default()
    }
}
