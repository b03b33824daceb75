//! The nodes of a YAML document.

use std::sync::Arc;

use crate::span::Span;

/// A place in the tree: a value, and how it got there.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    /// The value; shared with every alias of it.
    pub value: Arc<Value>,
    /// The alias (`*name`) that put the value here; none where the value itself is written.
    pub alias: Option<Span>,
}

/// A value as written.
#[derive(Debug)]
pub(crate) struct Value {
    /// From the first to behind the last character of the value; behind the key for an empty one.
    pub span: Span,
    /// The tag as written, for example `!!str`; none when untagged.
    pub tag: Option<Tag>,
    /// What it is.
    pub kind: Kind,
    /// Size with all aliases written out, in bytes, roughly.
    pub weight: usize,
    /// Levels of collections below and including this value, aliases written out.
    pub depth: usize,
}

/// A YAML tag.
#[derive(Debug, Clone)]
pub(crate) struct Tag {
    /// The name without `!!` for a core schema tag (`str`, `int`, ...); none for all others.
    pub core: Option<String>,
    /// Where it is written.
    pub span: Span,
}

/// The kinds of value.
#[derive(Debug)]
pub(crate) enum Kind {
    /// Text, number, truth value or null: decided by whoever reads it.
    Scalar(Scalar),
    /// A list.
    Sequence(Vec<Node>),
    /// Keys and values in the order written; merge keys (`<<`) are entries like all others.
    Mapping(Vec<Entry>),
}

/// A scalar.
#[derive(Debug)]
pub(crate) struct Scalar {
    /// Text after quotes, escapes and folding.
    pub text: String,
    /// How it is written.
    pub style: Style,
}

/// How a scalar is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// Without quotes.
    Plain,
    /// In single or double quotes.
    Quoted,
    /// As a block after `|` or `>`.
    Block,
}

/// A key with its value.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// The key.
    pub key: Node,
    /// The value.
    pub value: Node,
}

impl Node {
    /// Returns where the value is written.
    pub fn span(&self) -> Span {
        self.value.span
    }

    /// Returns the scalar when the value is one.
    pub fn scalar(&self) -> Option<&Scalar> {
        match &self.value.kind {
            Kind::Scalar(scalar) => Some(scalar),
            Kind::Sequence(_) | Kind::Mapping(_) => None,
        }
    }

    /// Returns the name of the core schema tag, for example `str`.
    pub fn core_tag(&self) -> Option<&str> {
        self.value.tag.as_ref()?.core.as_deref()
    }

    /// Returns whether the value is null: nothing, `~` or `null`.
    pub fn is_null(&self) -> bool {
        let Some(scalar) = self.scalar() else { return false };
        match self.core_tag() {
            Some(tag) => tag == "null",
            None => {
                scalar.style == Style::Plain
                    && matches!(scalar.text.as_str(), "" | "~" | "null" | "Null" | "NULL")
            }
        }
    }

    /// Returns whether the node is a merge key.
    pub fn is_merge_key(&self) -> bool {
        self.alias.is_none()
            && self.scalar().is_some_and(|scalar| scalar.style == Style::Plain && scalar.text == "<<")
            && self.core_tag() != Some("str")
    }

    /// Returns what the value is, in words.
    pub fn describe(&self) -> &'static str {
        match &self.value.kind {
            Kind::Sequence(_) => "a list",
            Kind::Mapping(_) => "a mapping",
            Kind::Scalar(_) if self.is_null() => "nothing",
            Kind::Scalar(scalar) => match (scalar.style, scalar.text.as_str()) {
                (Style::Plain, "true" | "True" | "TRUE" | "false" | "False" | "FALSE") => "a truth value",
                (Style::Plain, text) if is_number(text) => "a number",
                _ => "text",
            },
        }
    }
}

/// Returns whether the plain scalar `text` is a decimal number; `nan` and `inf` are words.
fn is_number(text: &str) -> bool {
    text.bytes().any(|byte| byte.is_ascii_digit()) && text.parse::<f64>().is_ok()
}

#[cfg(test)]
mod tests {
    use crate::source_text::SourceText;
    use crate::yaml;

    #[test]
    fn values_are_called_what_they_are() {
        for (text, expected) in [
            ("1", "a number"),
            ("-1.5e3", "a number"),
            ("nan", "text"),
            ("inf", "text"),
            ("-Infinity", "text"),
            ("'1'", "text"),
            ("True", "a truth value"),
            ("~", "nothing"),
            ("[]", "a list"),
            ("{}", "a mapping"),
        ] {
            let (node, _) = yaml::parse(&SourceText::new("spec.yml", text));
            assert_eq!(node.expect("YAML").describe(), expected, "{text}");
        }
    }
}
