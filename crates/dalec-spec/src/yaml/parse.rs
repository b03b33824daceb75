//! Parser events to nodes, with limits.

use std::collections::HashMap;
use std::sync::Arc;

use granit_parser::{Event, Parser, ScalarStyle};

use super::node::{Entry, Kind, Node, Scalar, Style, Tag, Value};
use super::syntax_error;
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::findings::Findings;
use crate::source_text::SourceText;
use crate::span::Span;

/// Collections inside collections; real specs need about ten.
const MAX_DEPTH: usize = 100;

/// Bytes that aliases may add to any text.
const MIN_REPEATED: usize = 8 << 20;

/// Bytes that aliases may add to one byte of text, where the text is long.
const MAX_GROWTH: usize = 20;

/// Bytes that aliases may add to no text.
const MAX_REPEATED: usize = 64 << 20;

/// What one node costs beside its text.
const NODE_WEIGHT: usize = 32;

/// Parses the first document of `source`; the others must be YAML too, and a warning says that they have no effect.
///
/// An empty text is a null scalar. Returns no node when the text is not YAML or breaks a limit.
pub(crate) fn parse(source: &SourceText) -> (Option<Node>, Vec<Diagnostic>) {
    let mut options = granit_parser::options! { emit_unresolved_aliases: true };
    options.set_emit_comments(false);
    let mut builder = Builder::new(source);
    for event in Parser::new_from_str_with_options(source.text(), options) {
        let (event, span) = match event {
            Ok((event, span)) => (event, span),
            Err(error) => {
                let open = builder.open_bracket();
                builder.findings.push(syntax_error::describe(source, &error, open));
                return (None, builder.findings.into_sorted());
            }
        };
        let tag_span =
            span.tag_span().and_then(|span| span.byte_range()).map(|range| Span::new(range.start, range.end));
        let span = span.byte_range().map_or(Span::default(), |range| Span::new(range.start, range.end));
        if let Err(diagnostic) = builder.event(event, span, tag_span) {
            builder.findings.push(*diagnostic);
            return (None, builder.findings.into_sorted());
        }
    }
    let root = builder.first.take().unwrap_or_else(|| null(Span::new(0, 0)));
    (Some(root), builder.findings.into_sorted())
}

fn null(span: Span) -> Node {
    let scalar = Scalar { text: String::new(), style: Style::Plain };
    let value = Value { span, tag: None, kind: Kind::Scalar(scalar), weight: NODE_WEIGHT, depth: 0 };
    Node { value: Arc::new(value), alias: None }
}

/// A collection that is not closed yet.
struct Frame {
    anchor: usize,
    tag: Option<Tag>,
    start: usize,
    end: usize,
    weight: usize,
    depth: usize,
    open: Open,
}

enum Open {
    Sequence(Vec<Node>),
    Mapping { entries: Vec<Entry>, key: Option<Node>, seen: HashMap<String, Span> },
}

enum Anchor {
    Open(Span),
    Done(Arc<Value>),
}

struct Builder<'a> {
    source: &'a SourceText,
    /// What aliases may still add.
    allowance: usize,
    frames: Vec<Frame>,
    anchors: HashMap<usize, Anchor>,
    first: Option<Node>,
    /// Whether a document after the first was reported.
    ignored: bool,
    findings: Findings,
}

type Step = Result<(), Box<Diagnostic>>;

impl<'a> Builder<'a> {
    fn new(source: &'a SourceText) -> Self {
        Self {
            source,
            allowance: allowance(source.text()),
            frames: Vec::new(),
            anchors: HashMap::new(),
            first: None,
            ignored: false,
            findings: Findings::default(),
        }
    }

    fn event(&mut self, event: Event<'_>, span: Span, tag_span: Option<Span>) -> Step {
        let tag = |tag: Option<std::borrow::Cow<'_, granit_parser::Tag>>| {
            tag.map(|tag| Tag { core: tag.core_suffix().map(str::to_owned), span: tag_span.unwrap_or(span) })
        };
        match event {
            Event::Scalar(text, style, anchor, scalar_tag) => {
                self.scalar(text.into_owned(), style, anchor, tag(scalar_tag), span)
            }
            Event::SequenceStart(_, anchor, list_tag) => {
                self.open(Open::Sequence(Vec::new()), anchor, tag(list_tag), span)
            }
            Event::MappingStart(_, anchor, map_tag) => {
                let open = Open::Mapping { entries: Vec::new(), key: None, seen: HashMap::new() };
                self.open(open, anchor, tag(map_tag), span)
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(span),
            Event::Alias(anchor) => self.alias(anchor, span),
            Event::UnresolvedAlias(name) => {
                let message = format!("the alias `*{name}` has no anchor `&{name}` before it");
                let is_word = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
                let help = match is_word {
                    true => format!("put `&{name}` before the value that is meant, above this line"),
                    false => format!("write '*{name}' in quotes if it is meant as text"),
                };
                self.findings.push(Diagnostic::error(codes::UNKNOWN_ANCHOR, span, message).help(help));
                self.add(null(span))
            }
            _ => Ok(()),
        }
    }

    fn scalar(
        &mut self,
        text: String,
        style: ScalarStyle,
        anchor: usize,
        tag: Option<Tag>,
        span: Span,
    ) -> Step {
        let style = match style {
            ScalarStyle::Plain => Style::Plain,
            ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => Style::Quoted,
            ScalarStyle::Literal | ScalarStyle::Folded => Style::Block,
        };
        let span = self.trimmed(span);
        let weight = NODE_WEIGHT + text.len();
        let value =
            Arc::new(Value { span, tag, kind: Kind::Scalar(Scalar { text, style }), weight, depth: 0 });
        self.define(anchor, &value);
        self.add(Node { value, alias: None })
    }

    fn open(&mut self, open: Open, anchor: usize, tag: Option<Tag>, span: Span) -> Step {
        if self.frames.len() >= MAX_DEPTH {
            let message = format!("this is nested more than {MAX_DEPTH} levels deep");
            let diagnostic = Diagnostic::error(codes::NESTED_TOO_DEEP, self.first_char(span), message);
            return Err(Box::new(diagnostic.help("look for brackets that are opened and not closed")));
        }
        if anchor != 0 {
            self.anchors.insert(anchor, Anchor::Open(span));
        }
        let (start, end) = (span.start, span.end);
        self.frames.push(Frame { anchor, tag, start, end, weight: NODE_WEIGHT, depth: 1, open });
        Ok(())
    }

    fn close(&mut self, span: Span) -> Step {
        // The parser pairs starts and ends; an end without a start would be its bug, and is ignored.
        let Some(frame) = self.frames.pop() else { return Ok(()) };
        let kind = match frame.open {
            Open::Sequence(items) => Kind::Sequence(items),
            Open::Mapping { entries, .. } => Kind::Mapping(entries),
        };
        let closes_bracket = matches!(self.source.slice(span), "]" | "}");
        let end = if closes_bracket { span.end } else { frame.end };
        let span = Span::new(frame.start, end);
        let value = Arc::new(Value { span, tag: frame.tag, kind, weight: frame.weight, depth: frame.depth });
        self.define(frame.anchor, &value);
        self.add(Node { value, alias: None })
    }

    fn alias(&mut self, anchor: usize, span: Span) -> Step {
        let node = match self.anchors.get(&anchor) {
            Some(Anchor::Done(value)) => Node { value: Arc::clone(value), alias: Some(span) },
            Some(Anchor::Open(open)) => {
                let message =
                    format!("`{}` stands inside the value that it repeats", self.source.slice(span));
                let label = self.first_char(*open);
                let diagnostic = Diagnostic::error(codes::ALIAS_CYCLE, span, message)
                    .label(label, "the repeated value begins here")
                    .help("write out what is needed here, or put the anchor on a smaller value");
                return Err(Box::new(diagnostic));
            }
            // The parser resolves names to anchors it has announced; an unknown one would be its bug.
            None => null(span),
        };
        let depth = self.frames.len() + node.value.depth;
        if depth > MAX_DEPTH {
            let message = format!("with this alias the text is nested more than {MAX_DEPTH} levels deep");
            let diagnostic = Diagnostic::error(codes::NESTED_TOO_DEEP, span, message);
            return Err(Box::new(diagnostic.help("repeat less here, or write the value out")));
        }
        let Some(rest) = self.allowance.checked_sub(node.value.weight) else {
            let mebibytes = allowance(self.source.text()) >> 20;
            let message = format!("aliases add more than {mebibytes} MiB to this text");
            let help = "aliases of aliases multiply: repeat less, or write the values out";
            return Err(Box::new(Diagnostic::error(codes::ALIAS_BUDGET, span, message).help(help)));
        };
        self.allowance = rest;
        self.add(node)
    }

    /// Returns the place of the innermost bracket that is not closed yet.
    fn open_bracket(&self) -> Option<usize> {
        let rest = |start: usize| self.source.text().get(start..).unwrap_or_default();
        let is_bracket = |start: &usize| rest(*start).starts_with(['[', '{']);
        self.frames.iter().rev().map(|frame| frame.start).find(is_bracket)
    }

    fn define(&mut self, anchor: usize, value: &Arc<Value>) {
        if anchor != 0 {
            self.anchors.insert(anchor, Anchor::Done(Arc::clone(value)));
        }
    }

    /// Adds `node` to the innermost open collection, or makes it the document.
    fn add(&mut self, node: Node) -> Step {
        let Some(frame) = self.frames.last_mut() else {
            self.anchors.clear();
            match &self.first {
                None => self.first = Some(node),
                Some(_) if self.ignored || node.is_null() => {}
                Some(_) => {
                    self.ignored = true;
                    let message = "this is behind the end of the spec, which is its first document";
                    let diagnostic =
                        Diagnostic::warning(codes::NO_EFFECT, self.first_char(node.span()), message);
                    self.findings
                        .push(diagnostic.help("remove the `---` or `...` above it, or what it divides off"));
                }
            }
            return Ok(());
        };
        frame.weight = frame.weight.saturating_add(node.value.weight);
        frame.depth = frame.depth.max(node.value.depth + 1);
        frame.end = frame.end.max(node.alias.unwrap_or(node.value.span).end);
        match &mut frame.open {
            Open::Sequence(items) => items.push(node),
            Open::Mapping { entries, key, seen } => match key.take() {
                None => {
                    if let Some(diagnostic) = duplicate(&node, seen) {
                        self.findings.push(diagnostic);
                    }
                    *key = Some(node);
                }
                Some(key) => {
                    let value = if is_nowhere(&node) { null(after(&key)) } else { node };
                    entries.push(Entry { key, value });
                }
            },
        }
        Ok(())
    }

    /// Returns `span` without the blank end that block scalars and plain scalars may include.
    fn trimmed(&self, span: Span) -> Span {
        let text = self.source.slice(span).trim_end();
        Span::new(span.start, span.start + text.len())
    }

    fn first_char(&self, span: Span) -> Span {
        let length = self
            .source
            .text()
            .get(span.start..)
            .and_then(|rest| rest.chars().next())
            .map_or(0, char::len_utf8);
        Span::new(span.start, span.start + length)
    }
}

/// Returns how many bytes aliases may add to `text`.
fn allowance(text: &str) -> usize {
    text.len().saturating_mul(MAX_GROWTH).clamp(MIN_REPEATED, MAX_REPEATED)
}

/// Returns whether `node` is a value that is not written at all, as in `key:`.
fn is_nowhere(node: &Node) -> bool {
    node.alias.is_none() && node.value.tag.is_none() && node.is_null() && node.span().start == node.span().end
}

fn after(key: &Node) -> Span {
    let span = key.alias.unwrap_or(key.span());
    Span::new(span.start, span.end)
}

/// Records `key` and returns a diagnostic when the mapping has it already.
fn duplicate(key: &Node, seen: &mut HashMap<String, Span>) -> Option<Diagnostic> {
    let text = &key.scalar()?.text;
    if key.is_merge_key() {
        return None;
    }
    let span = key.alias.unwrap_or(key.span());
    let first = match seen.entry(text.clone()) {
        std::collections::hash_map::Entry::Occupied(first) => *first.get(),
        std::collections::hash_map::Entry::Vacant(slot) => {
            slot.insert(span);
            return None;
        }
    };
    let message = format!("`{text}` is written twice in one mapping");
    let diagnostic =
        Diagnostic::error(codes::DUPLICATE_KEY, span, message).label(first, "first written here");
    Some(diagnostic.help("keep one of them"))
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use expect_test::{Expect, expect};

    use super::*;

    fn dump(source: &SourceText, node: &Node, indent: usize, out: &mut String) {
        let pad = " ".repeat(indent);
        let alias = node.alias.map(|span| format!(" via {:?}", source.slice(span))).unwrap_or_default();
        let text = source.slice(node.span());
        match &node.value.kind {
            Kind::Scalar(scalar) => {
                let _ = writeln!(out, "{pad}{:?} {:?} from {text:?}{alias}", scalar.style, scalar.text);
            }
            Kind::Sequence(items) => {
                let _ = writeln!(out, "{pad}list from {text:?}{alias}");
                items.iter().for_each(|item| dump(source, item, indent + 2, out));
            }
            Kind::Mapping(entries) => {
                let _ = writeln!(out, "{pad}mapping from {text:?}{alias}");
                for entry in entries {
                    dump(source, &entry.key, indent + 2, out);
                    dump(source, &entry.value, indent + 4, out);
                }
            }
        }
    }

    #[track_caller]
    fn check(text: &str, expected: Expect) {
        let source = SourceText::new("spec.yml", text);
        let (root, diagnostics) = parse(&source);
        let mut out = String::new();
        if let Some(root) = root {
            dump(&source, &root, 0, &mut out);
        }
        out.push_str(&crate::render(&source, &diagnostics, crate::RenderOptions::default()));
        expected.assert_eq(&out);
    }

    #[test]
    fn values_know_where_they_are_written() {
        check(
            "a: 1\nb:\n  - x\n  - 'y'' z'\nc: {d: \"e\\n\", f: [1, 2]}\ng: |\n  one\n  two\n\nh:\ni: >-\n  x\n  y\n",
            expect![[r#"
            mapping from "a: 1\nb:\n  - x\n  - 'y'' z'\nc: {d: \"e\\n\", f: [1, 2]}\ng: |\n  one\n  two\n\nh:\ni: >-\n  x\n  y"
              Plain "a" from "a"
                Plain "1" from "1"
              Plain "b" from "b"
                list from "- x\n  - 'y'' z'"
                  Plain "x" from "x"
                  Quoted "y' z" from "'y'' z'"
              Plain "c" from "c"
                mapping from "{d: \"e\\n\", f: [1, 2]}"
                  Plain "d" from "d"
                    Quoted "e\n" from "\"e\\n\""
                  Plain "f" from "f"
                    list from "[1, 2]"
                      Plain "1" from "1"
                      Plain "2" from "2"
              Plain "g" from "g"
                Block "one\ntwo\n" from "one\n  two"
              Plain "h" from "h"
                Plain "" from "h"
              Plain "i" from "i"
                Block "x y" from "x\n  y"
        "#]],
        );
    }

    #[test]
    fn aliases_share_the_value() {
        check(
            "a: &x {k: v}\nb: *x\nc:\n  <<: *x\n",
            expect![[r#"
            mapping from "a: &x {k: v}\nb: *x\nc:\n  <<: *x"
              Plain "a" from "a"
                mapping from "{k: v}"
                  Plain "k" from "k"
                    Plain "v" from "v"
              Plain "b" from "b"
                mapping from "{k: v}" via "*x"
                  Plain "k" from "k"
                    Plain "v" from "v"
              Plain "c" from "c"
                mapping from "<<: *x"
                  Plain "<<" from "<<"
                    mapping from "{k: v}" via "*x"
                      Plain "k" from "k"
                        Plain "v" from "v"
        "#]],
        );
    }

    #[test]
    fn bom_and_crlf_keep_spans_right() {
        check(
            "\u{feff}a: ü\r\nb: |\r\n  x\r\n  y\r\n",
            expect![[r#"
            mapping from "a: ü\r\nb: |\r\n  x\r\n  y"
              Plain "a" from "a"
                Plain "ü" from "ü"
              Plain "b" from "b"
                Block "x\ny\n" from "x\r\n  y"
        "#]],
        );
    }

    // SPEC-001
    #[test]
    fn empty_texts_are_null() {
        check(
            "",
            expect![[r#"
            Plain "" from ""
        "#]],
        );
        check(
            "# nothing\n",
            expect![[r#"
            Plain "" from ""
        "#]],
        );
        check(
            "---\n",
            expect![[r#"
            Plain "~" from ""
        "#]],
        );
    }

    // SPEC-003
    #[test]
    fn only_the_first_document_counts() {
        check(
            "a: 1\n---\nb: 2\n",
            expect![[r#"
                mapping from "a: 1"
                  Plain "a" from "a"
                    Plain "1" from "1"
                warning[no-effect]: this is behind the end of the spec, which is its first document
                 --> spec.yml:3:1
                  |
                3 | b: 2
                  | ^
                  |
                  = help: remove the `---` or `...` above it, or what it divides off
            "#]],
        );
        check(
            "a: 1\n---\nb: *x\n",
            expect![[r#"
                mapping from "a: 1"
                  Plain "a" from "a"
                    Plain "1" from "1"
                warning[no-effect]: this is behind the end of the spec, which is its first document
                 --> spec.yml:3:1
                  |
                3 | b: *x
                  | ^
                  |
                  = help: remove the `---` or `...` above it, or what it divides off

                error[unknown-anchor]: the alias `*x` has no anchor `&x` before it
                 --> spec.yml:3:4
                  |
                3 | b: *x
                  |    ^^
                  |
                  = help: put `&x` before the value that is meant, above this line
            "#]],
        );
        check(
            "a: 1\n---\nb: [\n",
            expect![[r#"
            error[yaml-syntax]: `[` is never closed
             --> spec.yml:3:4
              |
            3 | b: [
              |    ^
              |
              = help: add `]`
        "#]],
        );
    }
}
