//! Truth values.

use super::{Decode, Decoder, Field, Tracer, Wording};
use crate::emit::Tree;
use crate::resolve::Resolver;
use crate::shape::Shape;
use crate::span::Span;
use crate::yaml::{Node, Style};

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
                _ => Some("write true or false, without quotes".to_owned()),
            },
            None => Some("write true or false".to_owned()),
        };
        decoder.wrong_type(node, Self::TAKES, help);
        Self { value: false, span }
    }

    fn shape() -> Shape {
        Shape::Flag
    }

    fn is_given(&self) -> bool {
        self.span != Span::default()
    }

    fn trace(&self, tracer: &mut Tracer<'_>) {
        tracer.value(self.span, Wording::Other);
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

impl Mark {
    /// Returns where it is said.
    pub fn span(self) -> Option<Span> {
        self.0
    }
}

impl Decode for Mark {
    const TAKES: &'static str = Flag::TAKES;

    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Self {
        let flag = Flag::decode(node, decoder);
        Self(flag.value.then_some(flag.span))
    }

    fn shape() -> Shape {
        Shape::Flag
    }

    fn is_given(&self) -> bool {
        self.0.is_some()
    }

    fn trace(&self, tracer: &mut Tracer<'_>) {
        tracer.value(self.0.unwrap_or_default(), Wording::Other);
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
