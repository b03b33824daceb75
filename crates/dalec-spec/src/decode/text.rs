//! Text, literal or with arguments expanded.
//!
//! Text keeps what the author wrote: `1.10` stays `1.10`. Upstream reads some plain text as a number first; where
//! that changes the text, lint says so.

use std::fmt::Debug;
use std::marker::PhantomData;

use super::number::integer;
use super::{AnyText, Decode, Decoder, Field, Rule, Tracer, Wording, locate};
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::emit::Tree;
use crate::expand;
use crate::resolve::Resolver;
use crate::shape::{Shape, TextShape};
use crate::span::{Span, Spanned};
use crate::yaml::{Kind, Node, Scalar, Style};

/// What an absent text means.
pub(crate) trait Fallback: Debug + Clone + Copy + Default {
    /// The text.
    const TEXT: &'static str;
}

/// Nothing: an absent text is empty.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct NoFallback;

impl Fallback for NoFallback {
    const TEXT: &'static str = "";
}

/// Text that is taken literally.
#[derive(Debug, Clone)]
pub(crate) struct Text<R = AnyText, D = NoFallback> {
    /// The text; null is the empty text.
    pub value: String,
    /// Where it is written.
    pub span: Span,
    rule: PhantomData<(R, D)>,
}

impl<R, D> Default for Text<R, D> {
    fn default() -> Self {
        Self { value: String::new(), span: Span::default(), rule: PhantomData }
    }
}

impl<R: Rule, D: Fallback> Decode for Text<R, D> {
    const TAKES: &'static str = "text";

    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Self {
        let Some(Spanned { value, span }) = text(node, R::TAKES, decoder) else { return Self::default() };
        if !value.is_empty()
            && let Err(complaint) = R::check(&value)
        {
            let diagnostic = complaint.at(decoder.source, span, &value);
            decoder.report(diagnostic);
            return Self { span, ..Self::default() };
        }
        Self { value: R::normalize(value), span, rule: PhantomData }
    }

    fn shape() -> Shape {
        Shape::Text(TextShape { expanded: false, default: D::TEXT, ..R::shape() })
    }

    fn is_given(&self) -> bool {
        !self.value.is_empty()
    }

    fn trace(&self, tracer: &mut Tracer<'_>) {
        tracer.value(self.span, Wording::Literal(&self.value));
    }
}

impl<R: Rule, D: Fallback> Field for Text<R, D> {
    type Output = String;

    fn resolve(&self, _resolver: &mut Resolver<'_>) -> String {
        if self.value.is_empty() { D::TEXT.to_owned() } else { self.value.clone() }
    }

    fn emit(output: &String) -> Tree {
        Tree::Text(output.clone())
    }

    fn is_absent(output: &String) -> bool {
        output.is_empty()
    }
}

/// Text in which `${...}` is expanded; its rule looks at the result.
#[derive(Debug, Clone)]
pub(crate) struct Template<R = AnyText, D = NoFallback> {
    /// The text as written, unexpanded.
    pub value: String,
    /// Where it is written.
    pub span: Span,
    rule: PhantomData<(R, D)>,
}

impl<R, D> Default for Template<R, D> {
    fn default() -> Self {
        Self { value: String::new(), span: Span::default(), rule: PhantomData }
    }
}

impl<R: Rule, D: Fallback> Template<R, D> {
    /// Returns a template that expands to `text`, which is written at `span`.
    pub fn of_literal(text: &str, span: Span) -> Self {
        Self { value: expand::escape(text), span, rule: PhantomData }
    }
}

impl<R: Rule, D: Fallback> Decode for Template<R, D> {
    const TAKES: &'static str = "text";

    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Self {
        let Some(Spanned { value, span }) = text(node, R::TAKES, decoder) else { return Self::default() };
        for at in lost_backslashes(&value) {
            if decoder.doubts.is_full(codes::LOST_BACKSLASH) {
                break;
            }
            let place = locate(decoder.source, span, &value, at..at + 2).unwrap_or(span);
            let pair = &value[at..at + 2];
            let is_doubled = decoder.source.text()[span.start..].starts_with('"');
            let kept = if is_doubled { format!(r"\\\{pair}") } else { format!(r"\{pair}") };
            let message = format!("this value is expanded, which removes the backslash of `{pair}`");
            let diagnostic = Diagnostic::warning(codes::LOST_BACKSLASH, place, message);
            decoder.doubt(diagnostic.help(format!(
                "write `{kept}` to keep it{}",
                match is_doubled {
                    true => "",
                    false => "; inside YAML's double quotes twice that",
                }
            )));
        }
        Self { value, span, rule: PhantomData }
    }

    fn shape() -> Shape {
        Shape::Text(TextShape { expanded: true, default: D::TEXT, ..R::shape() })
    }

    fn is_given(&self) -> bool {
        !self.value.is_empty()
    }

    fn trace(&self, tracer: &mut Tracer<'_>) {
        tracer.value(self.span, Wording::Template(&self.value));
    }
}

impl<R: Rule, D: Fallback> Field for Template<R, D> {
    type Output = String;

    fn resolve(&self, resolver: &mut Resolver<'_>) -> String {
        match resolver.expand::<R>(&self.value, self.span) {
            expanded if expanded.is_empty() => D::TEXT.to_owned(),
            expanded => expanded,
        }
    }

    fn emit(output: &String) -> Tree {
        Tree::Text(expand::escape(output))
    }

    fn is_absent(output: &String) -> bool {
        output.is_empty()
    }

    fn vanished(&self, output: &String) -> Option<Span> {
        (self.is_given() && output.is_empty()).then_some(self.span)
    }
}

/// Reads text, which `takes` describes in words.
fn text(node: &Node, takes: &str, decoder: &mut Decoder<'_>) -> Option<Spanned<String>> {
    let Some(scalar) = node.scalar() else {
        let help = match &node.value.kind {
            Kind::Mapping(_) if decoder.source.slice(node.span()).starts_with('{') => Some(
                "put it in quotes if it is meant as text; an argument is written as `${NAME}`".to_owned(),
            ),
            Kind::Mapping(_) => Some("write the text behind the colon, or below it after `|`".to_owned()),
            _ => one_text(node, takes),
        };
        decoder.wrong_type(node, "text", help);
        return None;
    };
    if let Some(tag) =
        node.value.tag.as_ref().filter(|tag| !matches!(tag.core.as_deref(), Some("str" | "null")))
    {
        let (message, help) = match scalar.text.is_empty() {
            false => ("this tag has no effect; the text is taken as it is written", "remove it"),
            true => (
                "this is a tag with nothing behind it, so the text is empty",
                "put it in quotes if the `!` belongs to a text, or remove it",
            ),
        };
        decoder.doubt(Diagnostic::warning(codes::UNKNOWN_TAG, tag.span, message).help(help));
    }
    if node.is_null() {
        return Some(Spanned::new(String::new(), node.span()));
    }
    if let Some((kind, upstream)) = upstream_text(scalar) {
        let message = format!("upstream Dalec reads `{}` as {kind} and makes it `{upstream}`", scalar.text);
        let help = format!("write \"{}\" in quotes if the spec must mean the same there", scalar.text);
        decoder.doubt(Diagnostic::warning(codes::NUMBER_LIKE_TEXT, node.span(), message).help(help));
    }
    Some(Spanned::new(scalar.text.clone(), node.span()))
}

/// Returns the places of backslashes before what is special to no expansion, such as letters and the signs of patterns.
///
/// Texts with quotes have none: there it depends on what is inside.
fn lost_backslashes(text: &str) -> impl Iterator<Item = usize> {
    let mut bytes = text.bytes().enumerate();
    let has_quotes = text.contains(['\'', '"']);
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b".()[]+*?^|".contains(&byte);
    std::iter::from_fn(move || {
        loop {
            let (at, byte) = bytes.next()?;
            if byte == b'\\' && bytes.next().is_some_and(|(_, next)| is_plain(next)) {
                return Some(at);
            }
        }
    })
    .filter(move |_| !has_quotes)
}

/// Returns how a short list of words is written where one text is wanted, which `takes` tells in words.
fn one_text(node: &Node, takes: &str) -> Option<String> {
    let Kind::Sequence(nodes) = &node.value.kind else { return None };
    let words: Option<Vec<&str>> =
        nodes.iter().map(|node| node.scalar().map(|scalar| scalar.text.as_str())).collect();
    let words = words.filter(|words| words.iter().map(|word| word.len() + 1).sum::<usize>() < 60)?;
    if words.iter().any(|word| word.contains('\n')) {
        return None;
    }
    // A command line or a sentence is made of words; anything else is one of them.
    let is_joined = ["command", "script", "text"].iter().any(|kind| takes.contains(kind));
    match &words[..] {
        [] => None,
        [only] => Some(format!("write it without the list: `{only}`")),
        words if is_joined => Some(format!("write one text: `{}`", words.join(" "))),
        _ => Some("there can only be one here".to_owned()),
    }
}

/// Returns what upstream takes plain text for, and the text that it makes of it, where that differs.
fn upstream_text(scalar: &Scalar) -> Option<(&'static str, String)> {
    if scalar.style != Style::Plain {
        return None;
    }
    let text = scalar.text.as_str();
    let (kind, read) = match text {
        "True" | "TRUE" => ("a truth value", "true".to_owned()),
        "False" | "FALSE" => ("a truth value", "false".to_owned()),
        ".inf" | ".Inf" | ".INF" => ("a number", "+Inf".to_owned()),
        "-.inf" | "-.Inf" | "-.INF" => ("a number", "-Inf".to_owned()),
        ".nan" | ".NaN" | ".NAN" => ("a number", "NaN".to_owned()),
        _ => ("a number", upstream_number(text)?),
    };
    (read != text).then_some((kind, read))
}

/// Returns how upstream prints `text` when it takes it for a number.
fn upstream_number(text: &str) -> Option<String> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let begins = digits.starts_with(|char: char| char.is_ascii_digit() || char == '.');
    // Prefixes are in lower case there.
    if !begins || ["0X", "0O", "0B"].iter().any(|prefix| digits.starts_with(prefix)) {
        return None;
    }
    if !digits.contains('.') {
        return integer(text).map(|number| number.to_string());
    }
    let is_float = digits.bytes().all(|byte| byte.is_ascii_digit() || b"._eE+-".contains(&byte));
    text.replace('_', "").parse::<f64>().ok().filter(|_| is_float).map(|number| number.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    // SPEC-007: what upstream makes of plain text in a text field.
    #[test]
    fn knows_what_upstream_makes_of_numbers() {
        for (text, expected) in [
            ("1.10", Some("1.1")),
            ("1.0", Some("1")),
            ("5.", Some("5")),
            (".5", Some("0.5")),
            ("010", Some("8")),
            ("01", Some("1")),
            ("08", None),
            ("0o17", Some("15")),
            ("0x10", Some("16")),
            ("0b11", Some("3")),
            ("1_000", Some("1000")),
            ("+5", Some("5")),
            ("1e3", None),
            ("1.2.3", None),
            ("1:30", None),
            ("2024-01-05", None),
            ("17", None),
            ("0", None),
            ("1.5", None),
            ("18446744073709551616", None),
            ("v1.10", None),
            ("true", None),
            ("True", Some("true")),
            ("FALSE", Some("false")),
            ("yes", None),
            (".inf", Some("+Inf")),
            ("-.Inf", Some("-Inf")),
            (".nan", Some("NaN")),
            ("-0", Some("0")),
            ("-010", Some("-8")),
            ("-1.10", Some("-1.1")),
            ("1.5e3", Some("1500")),
            ("1_000.5", Some("1000.5")),
            ("0X1F", None),
            ("0o8", None),
            ("1.10.", None),
            ("1,000", None),
            (".", None),
            ("-", None),
        ] {
            let scalar = Scalar { text: text.to_owned(), style: Style::Plain };
            assert_eq!(upstream_text(&scalar).map(|(_, read)| read).as_deref(), expected, "{text}");
        }
        let quoted = Scalar { text: "1.10".to_owned(), style: Style::Quoted };
        assert_eq!(upstream_text(&quoted), None);
    }
}
