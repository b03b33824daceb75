//! `${NAME}` expansion: BuildKit's word lexer with a backslash as escape character and unset names left in place.
//!
//! Quotes and backslashes are processed whether or not the text holds a `$`. This module does not know which
//! arguments exist or which fields are expanded.

mod pattern;

use std::iter::Peekable;
use std::ops::Range;
use std::str::CharIndices;

use self::pattern::PatternError;

/// What looking up a name costs beside the bytes of its value.
const LOOKUP: usize = 32;

/// `${A:-${B:-...}}` deeper than this is nobody's spec.
const MAX_DEPTH: usize = 20;

/// What expanding a text gave.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Expansion {
    /// The text; references to unset names are left in it.
    pub text: String,
    /// Names that were found.
    pub used: Vec<String>,
    /// Names that were not, with their place in the text that was given (bytes).
    pub unset: Vec<(String, Range<usize>)>,
}

/// What is wrong with a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Broken {
    /// What is wrong.
    pub message: String,
    /// The part to blame (bytes).
    pub part: Range<usize>,
    /// What to write instead.
    pub help: Option<String>,
    /// True when the only thing wrong is the size of the result.
    pub too_large: bool,
}

/// Expands `text` with the values that `lookup` knows.
///
/// Every byte that is read or put together is taken from `budget`, those of a word that is dropped again included, and
/// so are every name and every step of a pattern. It is used up when it does not suffice.
///
/// # Errors
/// [`Broken`] for an unclosed quote or brace, an unknown modifier, `${NAME:?}` without a value, a bad pattern, or a
/// result that is too large.
pub(crate) fn expand<'v>(
    text: &str,
    lookup: &dyn Fn(&str) -> Option<&'v str>,
    budget: &mut usize,
) -> Result<Expansion, Broken> {
    let mut lexer = Lexer {
        text,
        chars: text.char_indices().peekable(),
        lookup,
        budget,
        depth: 0,
        done: Expansion::default(),
    };
    lexer.spend(text.len(), 0)?;
    let result = lexer.until(None, false)?;
    lexer.done.text = result;
    Ok(lexer.done)
}

/// Returns a text that expands to `text`.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        if matches!(char, '\\' | '$' | '\'' | '"') {
            escaped.push('\\');
        }
        escaped.push(char);
    }
    escaped
}

struct Lexer<'t, 'l, 'v> {
    text: &'t str,
    chars: Peekable<CharIndices<'t>>,
    lookup: &'l dyn Fn(&str) -> Option<&'v str>,
    budget: &'l mut usize,
    depth: usize,
    done: Expansion,
}

impl<'t, 'v> Lexer<'t, '_, 'v> {
    /// Expands up to `stop`, which is consumed, or to the end. With `raw`, backslashes stay in the result.
    fn until(&mut self, stop: Option<(char, usize)>, raw: bool) -> Result<String, Broken> {
        let mut result = String::new();
        while let Some(&(at, char)) = self.chars.peek() {
            let length = result.len();
            if stop.is_some_and(|(stop, _)| stop == char) {
                self.chars.next();
                return Ok(result);
            }
            match char {
                '\'' => result.push_str(self.single_quoted(at)?),
                '"' => result.push_str(&self.double_quoted(at, raw)?),
                '$' => result.push_str(&self.reference()?),
                '\\' => {
                    self.chars.next();
                    if raw {
                        result.push('\\');
                    }
                    result.extend(self.chars.next().map(|(_, char)| char));
                }
                char => {
                    self.chars.next();
                    result.push(char);
                }
            }
            self.spend(result.len() - length, at)?;
        }
        match stop {
            None => Ok(result),
            Some((stop, opened)) => {
                if stop == '}' {
                    return Err(self.unclosed_brace(opened));
                }
                let part = opened..self.text.len();
                let message = format!("`{}` lacks the `{stop}` before the replacement", self.head(&part));
                Err(broken(message, part, "write `${NAME/pattern/replacement}`"))
            }
        }
    }

    fn single_quoted(&mut self, open: usize) -> Result<&'t str, Broken> {
        self.chars.next();
        let start = open + 1;
        for (at, char) in self.chars.by_ref() {
            if char == '\'' {
                return Ok(&self.text[start..at]);
            }
        }
        Err(unclosed_quote('\'', open))
    }

    fn double_quoted(&mut self, open: usize, raw: bool) -> Result<String, Broken> {
        self.chars.next();
        let mut result = String::new();
        while let Some(&(at, char)) = self.chars.peek() {
            let length = result.len();
            match char {
                '"' => {
                    self.chars.next();
                    return Ok(result);
                }
                '$' => result.push_str(&self.reference()?),
                '\\' => {
                    self.chars.next();
                    if raw {
                        result.push('\\');
                    }
                    let escaped = self.chars.next_if(|(_, char)| matches!(char, '"' | '$' | '\\'));
                    result.push(escaped.map_or('\\', |(_, char)| char));
                }
                char => {
                    self.chars.next();
                    result.push(char);
                }
            }
            self.spend(result.len() - length, at)?;
        }
        Err(unclosed_quote('"', open))
    }

    /// Expands the reference that begins at the `$` that comes next.
    fn reference(&mut self) -> Result<String, Broken> {
        let Some((dollar, _)) = self.chars.next() else { return Ok(String::new()) };
        if self.chars.next_if(|(_, char)| *char == '{').is_some() {
            self.depth += 1;
            if self.depth > MAX_DEPTH {
                let part = dollar..self.offset();
                return Err(broken(
                    "references are nested too deep".to_owned(),
                    part,
                    "split the value over several arguments",
                ));
            }
            let result = self.braced(dollar);
            self.depth -= 1;
            return result;
        }
        let name = self.name();
        if name.is_empty() {
            return Ok("$".to_owned());
        }
        let text = &self.text[name.clone()];
        match self.value(name)? {
            Some(value) => Ok(value.to_owned()),
            None => Ok(format!("${text}")),
        }
    }

    /// Expands what follows `${`.
    fn braced(&mut self, dollar: usize) -> Result<String, Broken> {
        match self.chars.peek().map(|(_, char)| *char) {
            None => return Err(self.unclosed_brace(dollar)),
            Some('{' | '}' | ':') => {
                self.chars.next();
                return Err(self.no_name(dollar));
            }
            Some(_) => {}
        }
        let name = self.name();
        let Some((at, char)) = self.chars.next() else { return Err(self.unclosed_brace(dollar)) };
        match char {
            '}' => Ok(match self.value(name.clone())? {
                Some(value) => value.to_owned(),
                None => self.text[dollar..=at].to_owned(),
            }),
            ':' => {
                let Some((_, modifier)) = self.chars.next() else { return Err(self.unclosed_brace(dollar)) };
                self.modified(dollar, name, modifier, true)
            }
            '+' | '-' | '?' | '#' | '%' => self.modified(dollar, name, char, false),
            '/' => self.replaced(dollar, name),
            _ if name.is_empty() => Err(self.no_name(dollar)),
            _ => Err(self.unknown_modifier(at..at + char.len_utf8())),
        }
    }

    /// Expands `${name<modifier>word}` from behind the modifier on.
    fn modified(
        &mut self,
        dollar: usize,
        name: Range<usize>,
        modifier: char,
        colon: bool,
    ) -> Result<String, Broken> {
        let at = self.offset();
        let word = self.until(Some(('}', dollar)), matches!(modifier, '#' | '%'))?;
        let Some(value) = self.value(name.clone())? else {
            if !matches!(modifier, '+' | '-' | '?' | '#' | '%') {
                return Err(self.unknown_modifier(at - modifier.len_utf8()..at));
            }
            let colon = if colon { ":" } else { "" };
            return Ok(format!("${{{}{colon}{modifier}{word}}}", &self.text[name]));
        };
        let empty = colon && value.is_empty();
        match modifier {
            '-' => Ok(if empty { word } else { value.to_owned() }),
            '+' => Ok(if empty { String::new() } else { word }),
            '?' if empty => {
                let why = if word.is_empty() { "it must not be empty" } else { word.as_str() };
                let message = format!("the argument `{}` is empty: {why}", &self.text[name.clone()]);
                let help = format!(
                    "give it a value under `args`, or with --build-arg {}=...",
                    &self.text[name.clone()]
                );
                Err(broken(message, name, help))
            }
            '?' => Ok(value.to_owned()),
            '#' | '%' => {
                let longest = word.starts_with(modifier);
                let glob = if longest { &word[1..] } else { &word };
                let trimmed = match modifier {
                    '#' => pattern::trim_prefix(value, glob, longest, self.budget),
                    _ => pattern::trim_suffix(value, glob, longest, self.budget),
                };
                trimmed.map_err(|error| self.bad_pattern(error, at))
            }
            _ => Err(self.unknown_modifier(at - modifier.len_utf8()..at)),
        }
    }

    /// Expands `${name/pattern/replacement}` from behind the first slash on.
    fn replaced(&mut self, dollar: usize, name: Range<usize>) -> Result<String, Broken> {
        let all = self.chars.next_if(|(_, char)| *char == '/').is_some();
        let at = self.offset();
        let glob = self.until(Some(('/', dollar)), true)?;
        let replacement = self.until(Some(('}', dollar)), true)?;
        let Some(value) = self.value(name.clone())? else {
            let slash = if all { "//" } else { "/" };
            return Ok(format!("${{{}{slash}{glob}/{replacement}}}", &self.text[name]));
        };
        pattern::replace(value, &glob, &replacement, all, self.budget)
            .map_err(|error| self.bad_pattern(error, at))
    }

    /// Reads a name: letters, digits and `_`; or digits alone; or one special character.
    fn name(&mut self) -> Range<usize> {
        let start = self.offset();
        match self.chars.peek().map(|(_, char)| *char) {
            Some(char) if char.is_numeric() => {
                while self.chars.next_if(|(_, char)| char.is_numeric()).is_some() {}
            }
            Some('@' | '*' | '#' | '?' | '-' | '$' | '!') => {
                self.chars.next();
            }
            _ => while self.chars.next_if(|(_, char)| char.is_alphanumeric() || *char == '_').is_some() {},
        }
        start..self.offset()
    }

    fn value(&mut self, name: Range<usize>) -> Result<Option<&'v str>, Broken> {
        self.spend(LOOKUP, name.start)?;
        let text = &self.text[name.clone()];
        let value = (self.lookup)(text);
        match value {
            Some(_) => self.done.used.push(text.to_owned()),
            None => self.done.unset.push((text.to_owned(), name)),
        }
        Ok(value)
    }

    fn offset(&mut self) -> usize {
        self.chars.peek().map_or(self.text.len(), |(at, _)| *at)
    }

    fn head(&self, part: &Range<usize>) -> String {
        let text: String =
            self.text[part.clone()].chars().take(20).take_while(|char| *char != '\n').collect();
        if text.len() < part.len() { format!("{text}...") } else { text }
    }

    /// Takes `bytes`, which came from the text at `at`, from the budget.
    fn spend(&mut self, bytes: usize, at: usize) -> Result<(), Broken> {
        match self.budget.checked_sub(bytes) {
            Some(rest) => *self.budget = rest,
            None => return Err(self.too_large(at..at + 1)),
        }
        Ok(())
    }

    /// Returns `error` about the pattern from `start` up to the brace that was read last.
    fn bad_pattern(&mut self, error: PatternError, start: usize) -> Broken {
        let part = start..self.offset() - 1;
        match error {
            PatternError::Exhausted => self.too_large(part),
            error => broken(error.to_string(), part, "only `*`, `?` and backslashes are special here"),
        }
    }

    fn too_large(&mut self, part: Range<usize>) -> Broken {
        *self.budget = 0;
        let mut part = part;
        while !self.text.is_char_boundary(part.end) {
            part.end += 1;
        }
        let mut broken =
            broken("expanded arguments make the spec too large".to_owned(), part, "use shorter arguments");
        broken.too_large = true;
        broken
    }

    fn unclosed_brace(&self, dollar: usize) -> Broken {
        let part = dollar..self.text.len();
        let message = format!("`{}` is never closed: `}}` is missing", self.head(&part));
        broken(message, part, "add the `}`, or write `\\$` for a plain `$`")
    }

    fn no_name(&mut self, dollar: usize) -> Broken {
        let part = dollar..self.offset();
        broken(
            "there is no argument name after `${`".to_owned(),
            part,
            "write `${NAME}`, or `\\$` for a plain `$`",
        )
    }

    fn unknown_modifier(&self, part: Range<usize>) -> Broken {
        let message = format!("`{}` after the name means nothing in `${{...}}`", &self.text[part.clone()]);
        broken(message, part, "known are `:-`, `-`, `:+`, `+`, `:?`, `?`, `#`, `##`, `%`, `%%`, `/` and `//`")
    }
}

fn unclosed_quote(quote: char, at: usize) -> Broken {
    let help = format!("write `\\{quote}` for the character itself");
    broken(
        format!("the quote `{quote}` is never closed: this value is expanded, and quotes are special in it"),
        at..at + 1,
        help,
    )
}

fn broken(message: String, part: Range<usize>, help: impl Into<String>) -> Broken {
    Broken { message, part, help: Some(help.into()), too_large: false }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn value(name: &str) -> Option<&'static str> {
        match name {
            "A" => Some("value"),
            "E" => Some(""),
            "V" => Some("1.10.3"),
            "P" => Some("/usr/lib/x.so.1"),
            "Ü" => Some("über"),
            _ => None,
        }
    }

    fn run(text: &str) -> Result<Expansion, Broken> {
        expand(text, &value, &mut 1000)
    }

    // SPEC-019, SPEC-020, SPEC-021: figures taken from BuildKit's lexer.
    #[test]
    fn expands_like_buildkit() {
        for (text, expected) in [
            ("", ""),
            ("plain text", "plain text"),
            ("$A ${A} $A$A", "value value valuevalue"),
            ("${Ü}s", "übers"),
            (r"a\d'b'", "adb"),
            (r"\n\\\$A", r"n\$A"),
            ("'$A \\x'", "$A \\x"),
            (r#""$A 'x' \" \$ \\ \n""#, r#"value 'x' " $ \ \n"#),
            ("$ $( a$", "$ $( a$"),
            ("<<EOF $A", "<<EOF value"),
            ("trailing\\", "trailing"),
            ("${A:-w} ${E:-w} ${E-w} ${A-w}", "value w  value"),
            ("${A:+w} ${E:+w} ${E+w}", "w  w"),
            ("${A:?no} ${E?no}", "value "),
            ("${E:-$A} ${E:-${A}} ${E:-'a b'}", "value value a b"),
            ("${V#1.} ${V#*.} ${V##*.}", "10.3 10.3 3"),
            ("${V%.*} ${V%%.*} ${V%3}", "1.10 1 1.10."),
            ("${P##*/} ${P%/*} ${P%%.*}", "x.so.1 /usr/lib /usr/lib/x"),
            ("${V/1/x} ${V//1/x} ${V//./-} ${V//?/y}", "x.10.3 x.x0.3 1-10-3 yyyyyy"),
            (r"${P//\//-} ${V/\./}", "-usr-lib-x.so.1 110.3"),
            (r"${A#\*} ${A%\?}", "value value"),
        ] {
            let text_only = run(text).map(|expansion| expansion.text);
            // A dot needs no escape in a pattern, and BuildKit refuses one.
            if text.contains(r"\./") {
                assert!(text_only.is_err(), "{text}");
            } else {
                assert_eq!(text_only.as_deref(), Ok(expected), "{text}");
            }
        }
    }

    // SPEC-017, SPEC-018: references to names without a value stay, and are reported with their place.
    #[test]
    fn unset_names_stay() {
        for (text, unset) in [
            ("$X", &["X"][..]),
            ("${X} $Y", &["X", "Y"]),
            ("${X:-w}", &["X"]),
            ("${X:+w}", &["X"]),
            ("${X/a/b}", &["X"]),
            ("${X##a}", &["X"]),
            ("$1 $12 ${1}", &["1", "12", "1"]),
            ("$? $$ $@ $# $! $- $*", &["?", "$", "@", "#", "!", "-", "*"]),
        ] {
            let expansion = run(text).expect("a valid text");
            assert_eq!(expansion.text, text);
            let names: Vec<&str> = expansion.unset.iter().map(|(name, _)| name.as_str()).collect();
            assert_eq!(names, unset, "{text}");
            assert!(expansion.unset.iter().all(|(name, part)| &text[part.clone()] == name));
        }
        assert_eq!(run("${A:-${X}}").map(|expansion| expansion.unset.len()), Ok(1));
    }

    #[test]
    fn hostile_texts_end() {
        let nested = "${A:-".repeat(50_000);
        assert!(run(&nested).is_err());
        let long = "$A".repeat(1000);
        assert!(run(&long).is_err_and(|broken| broken.too_large));
        let replaced = expand(
            "${A//?/$B$B}",
            &|name| Some(if name == "A" { "aaaaaaaaaa" } else { "0123456789" }),
            &mut 100,
        );
        assert!(replaced.is_err_and(|broken| broken.too_large));
    }

    /// What is dropped again has been put together before.
    #[test]
    fn dropped_words_use_up_the_budget() {
        let long = "a".repeat(10_000);
        let lookup = |name: &str| Some(if name == "E" { "" } else { long.as_str() });
        for text in ["${E:+${A//?/$A}}", "${A:-${A//?/$A}}", "${A#${A//?/$A}}", "${A//?/$A}'"] {
            let mut budget = 1 << 20;
            let broken = expand(&text.repeat(1000), &lookup, &mut budget).expect_err(text);
            assert!(broken.too_large, "{text}: {}", broken.message);
            assert_eq!(budget, 0, "{text}");
        }
        let mut budget = 1000;
        assert_eq!(expand("$E$E", &lookup, &mut budget).map(|expansion| expansion.text).as_deref(), Ok(""));
        assert_eq!(budget, 1000 - "$E$E".len() - 2 * LOOKUP, "reading costs too");
    }

    /// Patterns that make other matchers try again and again.
    #[test]
    fn hostile_patterns_use_up_the_budget() {
        let long = "a".repeat(10_000);
        let stars = "*a".repeat(5_000);
        let ones = "?".repeat(9_000);
        for text in [format!("${{A##{stars}b}}"), format!("${{A%%{ones}b}}"), format!("${{A//{ones}b/x}}")] {
            let mut budget = 1 << 20;
            let broken =
                expand(&text.repeat(1000), &|_| Some(&long), &mut budget).expect_err("a hostile text");
            assert!(broken.too_large, "{}", broken.message);
            assert_eq!(budget, 0);
        }
    }

    /// Neither wildcard crosses a line break, matches do not overlap, and no empty match follows another.
    #[test]
    fn patterns_match_lines() {
        let lookup = |name: &str| Some(if name == "L" { "ab\ncd" } else { "aXbXc" });
        for (text, expected) in [
            ("${L#*}", "ab\ncd"),
            ("${L##*}", "\ncd"),
            ("${L##*d}", "ab\ncd"),
            ("${L%%*}", "ab\n"),
            ("${L//*/x}", "x\nx"),
            ("${L/*/x}", "x\ncd"),
            ("${L//?/x}", "xx\nxx"),
            ("${L///x}", "xaxbx\nxcxdx"),
            ("${V///-}", "-a-X-b-X-c-"),
            ("${V##**X}", "c"),
            ("${V#**X}", "bXc"),
            ("${V%%X*}", "a"),
            ("${V%X*}", "aXb"),
            ("${V//X*X/-}", "a-c"),
        ] {
            let expansion = expand(text, &lookup, &mut 1000).map(|expansion| expansion.text);
            assert_eq!(expansion.as_deref(), Ok(expected), "{text}");
        }
    }

    proptest! {
        /// Any text gives the same answer twice, and blames only parts that are there.
        #[test]
        fn never_panics(text in r#"([$ {}A-EVPX:+?#%/*\\'"-]|\PC){0,40}"#) {
            let first = run(&text);
            prop_assert_eq!(&first, &run(&text));
            match first {
                Ok(expansion) => for (name, part) in expansion.unset {
                    prop_assert_eq!(&text[part], name);
                },
                Err(broken) => prop_assert!(text.get(broken.part).is_some()),
            }
        }

        /// What is written back means the same text.
        #[test]
        fn escaped_text_expands_to_itself(text in r#"([$ {}A\\'"]|\PC|\n){0,40}"#) {
            let expansion = expand(&escape(&text), &value, &mut 1000);
            prop_assert_eq!(expansion.map(|expansion| expansion.text), Ok(text));
        }
    }
}
