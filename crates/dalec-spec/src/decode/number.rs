//! Whole numbers.

use super::{Decode, Decoder, Field, Tracer, Wording};
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::emit::Tree;
use crate::resolve::Resolver;
use crate::shape::Shape;
use crate::span::Span;
use crate::yaml::Node;

/// A number from 0 to 2³²-1; absent and null are `DEFAULT`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Number<const DEFAULT: u32 = 0> {
    value: u32,
    span: Span,
}

impl<const DEFAULT: u32> Default for Number<DEFAULT> {
    fn default() -> Self {
        Self { value: DEFAULT, span: Span::default() }
    }
}

impl<const DEFAULT: u32> Decode for Number<DEFAULT> {
    const TAKES: &'static str = "a whole number";

    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Self {
        if node.is_null() {
            return Self::default();
        }
        let Some(number) = node.scalar().and_then(|scalar| whole(&scalar.text)) else {
            decoder.wrong_type_shown(node, Self::TAKES, Some(format!("write a number, such as {DEFAULT}")));
            return Self::default();
        };
        let Ok(number) = u32::try_from(number) else {
            let message = format!("{} takes a number from 0 to {}, not {number}", decoder.place(), u32::MAX);
            let help = if number < 0 { "write 0 or more" } else { "write a smaller number" };
            decoder.report(Diagnostic::error(codes::INVALID_VALUE, node.span(), message).help(help));
            return Self::default();
        };
        Self { value: number, span: node.span() }
    }

    fn shape() -> Shape {
        Shape::Number { default: DEFAULT }
    }

    fn is_given(&self) -> bool {
        self.span != Span::default()
    }

    fn trace(&self, tracer: &mut Tracer<'_>) {
        tracer.value(self.span, Wording::Other);
    }
}

impl<const DEFAULT: u32> Field for Number<DEFAULT> {
    type Output = u32;

    fn resolve(&self, _resolver: &mut Resolver<'_>) -> u32 {
        self.value
    }

    fn emit(output: &u32) -> Tree {
        Tree::Number(*output)
    }

    fn is_absent(output: &u32) -> bool {
        DEFAULT == 0 && *output == 0
    }
}

/// Reads a YAML integer: decimal, or octal, hexadecimal, binary by prefix, with `_` between digits.
pub(super) fn integer(text: &str) -> Option<i128> {
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

/// Reads a whole number; `2.0` is one, `2.7` is not.
fn whole(text: &str) -> Option<i128> {
    integer(text).or_else(|| text.parse::<i128>().ok()).or_else(|| {
        let (digits, zeros) = text.split_once('.')?;
        zeros.bytes().all(|byte| byte == b'0').then(|| digits.parse().ok())?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

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
