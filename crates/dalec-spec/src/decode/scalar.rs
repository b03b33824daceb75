//! Text, numbers, truth values and permission bits.
//!
//! Text keeps what the author wrote: `1.10` stays `1.10`. Upstream reads some plain text as a number first; where
//! that changes the text, lint says so.

use std::marker::PhantomData;

use super::{AnyText, Decode, Decoder, Field, Rule, locate};
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::emit::Tree;
use crate::expand;
use crate::resolve::Resolver;
use crate::span::{Span, Spanned};
use crate::yaml::{Kind, Node, Scalar, Style};

/// Text that is taken literally.
#[derive(Debug, Clone)]
pub(crate) struct Text<R = AnyText> {
    /// The text; null is the empty text.
    pub value: String,
    /// Where it is written.
    pub span: Span,
    rule: PhantomData<R>,
}

impl<R> Default for Text<R> {
    fn default() -> Self {
        Self { value: String::new(), span: Span::default(), rule: PhantomData }
    }
}

impl<R: Rule> Decode for Text<R> {
    const TAKES: &'static str = "text";

    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Self {
        let Some(Spanned { value, span }) = text(node, decoder) else { return Self::default() };
        if !value.is_empty()
            && let Err(complaint) = R::check(&value)
        {
            let diagnostic = complaint.at(decoder.source, span, &value);
            decoder.report(diagnostic);
            return Self { span, ..Self::default() };
        }
        Self { value: R::normalize(value), span, rule: PhantomData }
    }
}

impl<R: Rule> Field for Text<R> {
    type Output = String;

    fn resolve(&self, _resolver: &mut Resolver<'_>) -> String {
        self.value.clone()
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
pub(crate) struct Template<R = AnyText> {
    /// The text as written, unexpanded.
    pub value: String,
    /// Where it is written.
    pub span: Span,
    rule: PhantomData<R>,
}

impl<R> Default for Template<R> {
    fn default() -> Self {
        Self { value: String::new(), span: Span::default(), rule: PhantomData }
    }
}

impl<R: Rule> Decode for Template<R> {
    const TAKES: &'static str = "text";

    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Self {
        let Some(Spanned { value, span }) = text(node, decoder) else { return Self::default() };
        if let Some(at) = lost_backslash(&value) {
            let place = locate(decoder.source, span, &value, at..at + 2).unwrap_or(span);
            let pair = &value[at..at + 2];
            let message = format!("this value is expanded, which removes the backslash of `{pair}`");
            let diagnostic = Diagnostic::warning(codes::LOST_BACKSLASH, place, message);
            decoder.doubts.push(
                diagnostic
                    .help(format!("write `\\{pair}` to keep it; inside YAML's double quotes twice that")),
            );
        }
        Self { value, span, rule: PhantomData }
    }
}

impl<R: Rule> Field for Template<R> {
    type Output = String;

    fn resolve(&self, resolver: &mut Resolver<'_>) -> String {
        resolver.expand::<R>(&self.value, self.span)
    }

    fn emit(output: &String) -> Tree {
        Tree::Text(expand::escape(output))
    }

    fn is_absent(output: &String) -> bool {
        output.is_empty()
    }
}

fn text(node: &Node, decoder: &mut Decoder<'_>) -> Option<Spanned<String>> {
    let Some(scalar) = node.scalar() else {
        let help = one_line(node).map(|line| format!("write one text: `{line}`"));
        decoder.wrong_type(node, "text", help);
        return None;
    };
    if let Some(tag) =
        node.value.tag.as_ref().filter(|tag| !matches!(tag.core.as_deref(), Some("str" | "null")))
    {
        let message = "this tag has no effect; the text is taken as it is written";
        decoder.doubts.push(Diagnostic::warning(codes::UNKNOWN_TAG, tag.span, message).help("remove it"));
    }
    if node.is_null() {
        return Some(Spanned::new(String::new(), node.span()));
    }
    if let Some(upstream) = upstream_text(scalar) {
        let message = format!("upstream Dalec reads `{}` as a number and makes it `{upstream}`", scalar.text);
        let help = format!("write \"{}\" in quotes if the spec must mean the same there", scalar.text);
        decoder.doubts.push(Diagnostic::warning(codes::NUMBER_LIKE_TEXT, node.span(), message).help(help));
    }
    Some(Spanned::new(scalar.text.clone(), node.span()))
}

/// Returns the place of a backslash before a letter or digit, where nobody needs one, outside of quotes.
fn lost_backslash(text: &str) -> Option<usize> {
    if text.contains(['\'', '"']) {
        return None;
    }
    let mut bytes = text.bytes().enumerate();
    while let Some((at, byte)) = bytes.next() {
        if byte == b'\\' && bytes.next().is_some_and(|(_, next)| next.is_ascii_alphanumeric()) {
            return Some(at);
        }
    }
    None
}

/// Returns a short list of words as one line.
fn one_line(node: &Node) -> Option<String> {
    let Kind::Sequence(nodes) = &node.value.kind else { return None };
    let words: Option<Vec<&str>> =
        nodes.iter().map(|node| node.scalar().map(|scalar| scalar.text.as_str())).collect();
    words.map(|words| words.join(" ")).filter(|line| (1..60).contains(&line.len()) && !line.contains('\n'))
}

/// Returns what upstream makes of plain text that looks like a number, where that differs.
fn upstream_text(scalar: &Scalar) -> Option<String> {
    let text = scalar.text.as_str();
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if scalar.style != Style::Plain || !digits.starts_with(|char: char| char.is_ascii_digit() || char == '.')
    {
        return None;
    }
    let is_float = digits.contains('.') && digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let read = if is_float {
        text.parse::<f64>().ok().map(|number| number.to_string())
    } else {
        integer(text).map(|number| number.to_string())
    };
    read.filter(|read| read != text)
}

/// Reads a YAML integer: decimal, or octal, hexadecimal, binary by prefix, with `_` between digits.
fn integer(text: &str) -> Option<i128> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (radix, digits) = match digits.get(..2) {
        Some("0x" | "0X") => (16, &digits[2..]),
        Some("0o" | "0O") => (8, &digits[2..]),
        Some("0b" | "0B") => (2, &digits[2..]),
        Some(_) if digits.starts_with('0') => (8, &digits[1..]),
        _ => (10, digits),
    };
    let digits = digits.replace('_', "");
    if digits.starts_with(['+', '-']) {
        return None;
    }
    let number = i128::from_str_radix(&digits, radix).ok()?;
    Some(if negative { -number } else { number })
}

/// A truth value.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Flag {
    /// The value; absent and null are false.
    pub value: bool,
    /// Where it is written.
    pub span: Span,
}

impl Decode for Flag {
    const TAKES: &'static str = "true or false";

    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Self {
        let span = node.span();
        let text = node.scalar().map(|scalar| (scalar.style, scalar.text.as_str()));
        let help = match text {
            Some((Style::Plain, "true" | "True" | "TRUE")) => return Self { value: true, span },
            Some((Style::Plain, "false" | "False" | "FALSE")) => return Self { value: false, span },
            _ if node.is_null() => return Self { value: false, span },
            Some((Style::Quoted, text @ ("true" | "false"))) => Some(format!("write {text} without quotes")),
            Some((_, text)) => match text.to_ascii_lowercase().as_str() {
                "yes" | "on" | "y" | "1" => Some("write true".to_owned()),
                "no" | "off" | "n" | "0" => Some("write false".to_owned()),
                _ => None,
            },
            None => None,
        };
        decoder.wrong_type(node, Self::TAKES, help);
        Self { value: false, span }
    }
}

impl Field for Flag {
    type Output = bool;

    fn resolve(&self, _resolver: &mut Resolver<'_>) -> bool {
        self.value
    }

    fn emit(output: &bool) -> Tree {
        Tree::Bool(*output)
    }

    fn is_absent(output: &bool) -> bool {
        !output
    }
}

/// A truth value that only matters when it is true, with the place that says so.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Mark(Option<Span>);

impl Decode for Mark {
    const TAKES: &'static str = Flag::TAKES;

    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Self {
        let flag = Flag::decode(node, decoder);
        Self(flag.value.then_some(flag.span))
    }
}

impl Field for Mark {
    type Output = Option<Span>;

    fn resolve(&self, _resolver: &mut Resolver<'_>) -> Option<Span> {
        self.0
    }

    fn emit(output: &Option<Span>) -> Tree {
        Tree::Bool(output.is_some())
    }

    fn is_absent(output: &Option<Span>) -> bool {
        output.is_none()
    }
}

/// A number from 0 to 2³²-1; absent and null are `DEFAULT`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Number<const DEFAULT: u32 = 0>(u32);

impl<const DEFAULT: u32> Default for Number<DEFAULT> {
    fn default() -> Self {
        Self(DEFAULT)
    }
}

impl<const DEFAULT: u32> Decode for Number<DEFAULT> {
    const TAKES: &'static str = "a whole number";

    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Self {
        if node.is_null() {
            return Self::default();
        }
        let Some(number) = node.scalar().and_then(|scalar| whole(&scalar.text)) else {
            decoder.wrong_type_shown(node, Self::TAKES, None);
            return Self::default();
        };
        let Ok(number) = u32::try_from(number) else {
            let message = format!("{} takes a number from 0 to {}, not {number}", decoder.place(), u32::MAX);
            decoder.error(codes::INVALID_VALUE, node.span(), message);
            return Self::default();
        };
        Self(number)
    }
}

impl<const DEFAULT: u32> Field for Number<DEFAULT> {
    type Output = u32;

    fn resolve(&self, _resolver: &mut Resolver<'_>) -> u32 {
        self.0
    }

    fn emit(output: &u32) -> Tree {
        Tree::Number(*output)
    }

    fn is_absent(output: &u32) -> bool {
        *output == DEFAULT
    }
}

/// Reads a whole number; `2.0` is one, `2.7` is not.
fn whole(text: &str) -> Option<i128> {
    integer(text).or_else(|| text.parse::<i128>().ok()).or_else(|| {
        let (digits, zeros) = text.split_once('.')?;
        zeros.bytes().all(|byte| byte == b'0').then(|| digits.parse().ok())?
    })
}

/// Permission bits.
///
/// `0644`, `0o644`, `"0644"` and `0x1a4` are what they look like; upstream reads the quoted one in decimal.
/// `644` is decimal as it is upstream, and lint says so.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Mode(u32);

impl Decode for Mode {
    const TAKES: &'static str = "permissions such as 0644";

    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Self {
        let Some(scalar) = node.scalar() else {
            decoder.wrong_type(node, Self::TAKES, None);
            return Self::default();
        };
        let Some(number) = integer(&scalar.text) else {
            decoder.wrong_type_shown(
                node,
                Self::TAKES,
                Some("write the bits in octal: 0755 is rwxr-xr-x".to_owned()),
            );
            return Self::default();
        };
        let Some(bits) = u32::try_from(number).ok().filter(|bits| *bits <= 0o7777) else {
            let message = format!("permissions go from 0 to 07777, so they cannot be `{}`", scalar.text);
            decoder.report(decimal_help(
                Diagnostic::error(codes::INVALID_VALUE, node.span(), message),
                &scalar.text,
            ));
            return Self::default();
        };
        if scalar.text.starts_with(|char| matches!(char, '1'..='9')) {
            let message = format!("`{}` is decimal: these permissions are 0{bits:o}", scalar.text);
            let diagnostic = Diagnostic::warning(codes::DECIMAL_MODE, node.span(), message);
            decoder.doubts.push(decimal_help(diagnostic, &scalar.text));
        }
        Self(bits)
    }
}

impl Field for Mode {
    type Output = u32;

    fn resolve(&self, _resolver: &mut Resolver<'_>) -> u32 {
        self.0
    }

    fn emit(output: &u32) -> Tree {
        Tree::Mode(*output)
    }
}

fn decimal_help(diagnostic: Diagnostic, text: &str) -> Diagnostic {
    match u32::from_str_radix(text, 8) {
        Ok(bits) if bits <= 0o7777 => diagnostic.help(format!("write 0{text} if octal was meant")),
        _ => diagnostic,
    }
}

/// Permission bits that are `DEFAULT` when absent or null.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ModeOr<const DEFAULT: u32>(u32);

impl<const DEFAULT: u32> Default for ModeOr<DEFAULT> {
    fn default() -> Self {
        Self(DEFAULT)
    }
}

impl<const DEFAULT: u32> Decode for ModeOr<DEFAULT> {
    const TAKES: &'static str = Mode::TAKES;

    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Self {
        Self(Option::<Mode>::decode(node, decoder).map_or(DEFAULT, |mode| mode.0))
    }
}

impl<const DEFAULT: u32> Field for ModeOr<DEFAULT> {
    type Output = u32;

    fn resolve(&self, _resolver: &mut Resolver<'_>) -> u32 {
        self.0
    }

    fn emit(output: &u32) -> Tree {
        Tree::Mode(*output)
    }

    fn is_absent(output: &u32) -> bool {
        *output == DEFAULT
    }
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
        ] {
            let scalar = Scalar { text: text.to_owned(), style: Style::Plain };
            assert_eq!(upstream_text(&scalar).as_deref(), expected, "{text}");
        }
        let quoted = Scalar { text: "1.10".to_owned(), style: Style::Quoted };
        assert_eq!(upstream_text(&quoted), None);
    }

    #[test]
    fn reads_whole_numbers() {
        for (text, expected) in [
            ("7", Some(7)),
            ("0x1F", Some(31)),
            ("-3", Some(-3)),
            ("08", Some(8)),
            ("2.0", Some(2)),
            ("2.7", None),
            ("x", None),
            ("", None),
            ("--1", None),
        ] {
            assert_eq!(whole(text), expected, "{text}");
        }
    }
}
