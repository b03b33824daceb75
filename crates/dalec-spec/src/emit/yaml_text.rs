//! Trees as YAML text.
//!
//! Text is written plain only when no YAML reader could take it for something else; as a block when it has several
//! lines and nothing invisible; in double quotes otherwise.

use super::Tree;

/// Readers look no further for the colon behind a key; a longer key is announced by `?`.
const MAX_KEY: usize = 1024;

/// Returns `tree` as a YAML document.
pub(super) fn write(tree: &Tree) -> String {
    let mut out = String::new();
    match tree {
        Tree::Map(entries) if !entries.is_empty() => map(entries, 0, false, &mut out),
        _ => value(tree, 0, &mut out),
    }
    out
}

/// Returns `tree` on one line, without a line break behind it.
pub(super) fn line(tree: &Tree) -> String {
    let mut out = String::new();
    match tree {
        Tree::Text(text) if !is_plain(text) => out.push_str(&quoted(text)),
        Tree::Map(entries) if !entries.is_empty() => out.push_str(&flow(tree)),
        _ => {
            value(tree, 0, &mut out);
            out.pop();
        }
    }
    out
}

/// Writes entries; with `inline`, the first one continues the current line.
fn map(entries: &[(String, Tree)], indent: usize, inline: bool, out: &mut String) {
    for (index, (key, tree)) in entries.iter().enumerate() {
        if index > 0 || !inline {
            out.push_str(&" ".repeat(indent));
        }
        let key = if is_plain(key) { key.clone() } else { quoted(key) };
        if key.len() > MAX_KEY {
            out.push_str(&format!("? {key}\n{}:", " ".repeat(indent)));
        } else {
            out.push_str(&format!("{key}:"));
        }
        match tree {
            Tree::Map(entries) if !entries.is_empty() => {
                out.push('\n');
                map(entries, indent + 2, false, out);
            }
            Tree::List(items) if !items.is_empty() => {
                out.push('\n');
                list(items, indent + 2, out);
            }
            _ => {
                out.push(' ');
                value(tree, indent + 2, out);
            }
        }
    }
}

fn list(items: &[Tree], indent: usize, out: &mut String) {
    for item in items {
        out.push_str(&" ".repeat(indent));
        out.push_str("- ");
        match item {
            Tree::Map(entries) if !entries.is_empty() => map(entries, indent + 2, true, out),
            _ => value(item, indent + 2, out),
        }
    }
}

/// Writes a value that needs no lines of its own, and the line break behind it.
fn value(tree: &Tree, indent: usize, out: &mut String) {
    match tree {
        Tree::Null => out.push_str("null"),
        Tree::Plain(text) if is_one_line(text) => out.push_str(text),
        Tree::Plain(text) => out.push_str(&quoted(text)),
        Tree::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Tree::Number(number) => out.push_str(&number.to_string()),
        Tree::Mode(bits) => out.push_str(&format!("0{bits:03o}")),
        Tree::Map(_) => out.push_str("{}"),
        Tree::List(items) => {
            let items: Vec<String> = items.iter().map(flow).collect();
            out.push_str(&format!("[{}]", items.join(", ")));
        }
        Tree::Text(text) if is_plain(text) => out.push_str(text),
        Tree::Text(text) if is_block(text) => return block(text, indent, out),
        Tree::Text(text) => out.push_str(&quoted(text)),
    }
    out.push('\n');
}

/// Lists inside lists do not occur in the language; should one come, it is written on one line.
fn flow(tree: &Tree) -> String {
    let mut out = String::new();
    match tree {
        Tree::Text(text) => out.push_str(&quoted(text)),
        Tree::Map(entries) => {
            let entries: Vec<String> =
                entries.iter().map(|(key, tree)| format!("{}: {}", quoted(key), flow(tree))).collect();
            out.push_str(&format!("{{{}}}", entries.join(", ")));
        }
        _ => {
            value(tree, 0, &mut out);
            out.pop();
        }
    }
    out
}

/// Returns whether `text`, read from a plain scalar, can be written as one wherever it stands.
fn is_one_line(text: &str) -> bool {
    text.chars().all(is_visible) && !text.contains([',', '[', ']', '{', '}']) && !text.contains(": ")
}

/// Returns whether every YAML reader takes `text` for text, wherever it stands.
fn is_plain(text: &str) -> bool {
    let is_word = matches!(
        text.to_ascii_lowercase().as_str(),
        "null" | "true" | "false" | "yes" | "no" | "on" | "off" | "y" | "n"
    );
    text.starts_with(|char: char| char.is_ascii_alphabetic() || matches!(char, '/' | '_'))
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-./+@~^%$();= \\".contains(&byte))
        && !text.ends_with(' ')
        && !is_word
}

/// Returns whether `text` survives as a literal block.
fn is_block(text: &str) -> bool {
    let body = text.trim_end_matches('\n');
    text.contains('\n')
        && !body.is_empty()
        && !body.starts_with([' ', '\t', '\n'])
        && !text.lines().any(|line| line.ends_with([' ', '\t']))
        && text.chars().all(|char| char == '\n' || char == '\t' || is_visible(char))
}

fn block(text: &str, indent: usize, out: &mut String) {
    let body = text.trim_end_matches('\n');
    out.push_str(match text.len() - body.len() {
        0 => "|-",
        1 => "|",
        _ => "|+",
    });
    out.push('\n');
    let kept = if text.len() - body.len() > 1 { &text[..text.len() - 1] } else { body };
    for line in kept.split('\n') {
        if !line.is_empty() {
            out.push_str(&" ".repeat(indent));
            out.push_str(line);
        }
        out.push('\n');
    }
}

fn is_visible(char: char) -> bool {
    !char.is_control() && !matches!(char, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

pub(crate) fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for char in text.chars() {
        match char {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            char if is_visible(char) => out.push(char),
            char if u32::from(char) <= 0xffff => out.push_str(&format!("\\u{:04x}", u32::from(char))),
            char => out.push_str(&format!("\\U{:08x}", u32::from(char))),
        }
    }
    out.push('"');
    out
}
