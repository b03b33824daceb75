//! Permission bits.

use super::number::integer;
use super::{Decode, Decoder, Field, Tracer, Wording};
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::emit::Tree;
use crate::resolve::Resolver;
use crate::shape::Shape;
use crate::span::Span;
use crate::yaml::{Node, Style};

/// How permissions are written.
const OCTAL: &str = "write the bits in octal: 0755 is rwxr-xr-x";

/// Permission bits.
///
/// `0644`, `0o644`, `"0644"` and `0x1a4` are what they look like; upstream reads the quoted one in decimal.
/// `644` is decimal as it is upstream, and lint says so.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Mode {
    /// The bits.
    pub bits: u32,
    /// Where they are written.
    pub span: Span,
}

impl Decode for Mode {
    const TAKES: &'static str = "permissions such as 0644";

    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Self {
        let Some(scalar) = node.scalar() else {
            decoder.wrong_type(node, Self::TAKES, Some(OCTAL.to_owned()));
            return Self::default();
        };
        let Some(number) = integer(&scalar.text) else {
            decoder.wrong_type_shown(node, Self::TAKES, Some(OCTAL.to_owned()));
            return Self::default();
        };
        let Some(bits) = u32::try_from(number).ok().filter(|bits| *bits <= 0o7777) else {
            let message = format!("permissions go from 0 to 07777, so they cannot be `{}`", scalar.text);
            let diagnostic = Diagnostic::error(codes::INVALID_VALUE, node.span(), message);
            decoder.report(decimal_help(diagnostic.help(OCTAL), &scalar.text));
            return Self::default();
        };
        if scalar.text.starts_with(|char| matches!(char, '1'..='9')) {
            let message = format!("`{}` is decimal: these permissions are 0{bits:o}", scalar.text);
            let diagnostic = Diagnostic::warning(codes::DECIMAL_MODE, node.span(), message);
            decoder.doubt(decimal_help(diagnostic, &scalar.text));
        }
        if bits == 0 {
            let message = "upstream Dalec takes permissions of 0 as not given";
            let diagnostic = Diagnostic::warning(codes::UPSTREAM_DIFFERS, node.span(), message);
            decoder.doubt(diagnostic.help("remove the key, or write what is meant, such as 0400"));
        }
        if scalar.style == Style::Quoted && scalar.text.starts_with('0') && bits != 0 {
            let message = format!("upstream Dalec reads the quoted `{}` as a decimal number", scalar.text);
            let diagnostic = Diagnostic::warning(codes::UPSTREAM_DIFFERS, node.span(), message);
            decoder.doubt(diagnostic.help(format!("write {} without quotes", scalar.text)));
        }
        Self { bits, span: node.span() }
    }

    fn shape() -> Shape {
        Shape::Mode { default: None }
    }

    fn is_given(&self) -> bool {
        self.span != Span::default()
    }

    fn trace(&self, tracer: &mut Tracer<'_>) {
        tracer.value(self.span, Wording::Other);
    }
}

impl Field for Mode {
    type Output = u32;

    fn resolve(&self, _resolver: &mut Resolver<'_>) -> u32 {
        self.bits
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
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ModeOr<const DEFAULT: u32>(Option<Mode>);

impl<const DEFAULT: u32> Decode for ModeOr<DEFAULT> {
    const TAKES: &'static str = Mode::TAKES;

    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Self {
        Self(Option::decode(node, decoder))
    }

    fn shape() -> Shape {
        Shape::Mode { default: Some(DEFAULT) }
    }

    fn is_given(&self) -> bool {
        self.0.is_some()
    }

    fn trace(&self, tracer: &mut Tracer<'_>) {
        self.0.trace(tracer);
    }
}

impl<const DEFAULT: u32> Field for ModeOr<DEFAULT> {
    type Output = u32;

    fn resolve(&self, _resolver: &mut Resolver<'_>) -> u32 {
        self.0.map_or(DEFAULT, |mode| mode.bits)
    }

    fn emit(output: &u32) -> Tree {
        Tree::Mode(*output)
    }
}
