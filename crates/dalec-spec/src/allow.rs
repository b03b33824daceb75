//! Comments that silence warnings.
//!
//! ```yaml
//! args:
//!   WRAPPER: "1"   # dalec: allow unused-arg (read by the wrapper script)
//!
//!   # dalec: allow unused-arg, number-like-text -- both are what upstream wants
//!   LEGACY: 010
//! ```
//!
//! - At the end of a line, the comment is about that line. On lines of its own, it is about the next line that is
//!   neither blank nor a comment, so several comments may stand above each other.
//! - A line reaches as far as the values that begin on it: flow collections and scalars of several lines, a block scalar
//!   below its `key: |` included. No comment can stand inside of a scalar. What is silenced is what begins there.
//! - `allow-file` instead of `allow` is about the whole file, wherever it stands.
//! - Codes are separated by commas. A reason follows in parentheses, behind ` -- ` or behind ` #`.
//! - Comments are those of YAML: text in quotes or in a block scalar silences nothing.
//! - Errors cannot be silenced, and there is no way to silence everything: what is allowed is named.
//!
//! A comment that does not do what it seems to is a warning itself: it names a code that does not exist, or silences
//! nothing. The latter is left unsaid while the spec has errors, because not all warnings are known then. Where a warning
//! comes and goes with build arguments, `allow unused-allow` beside its code keeps the comment quiet too.

use std::collections::BTreeMap;

use crate::codes::{self, Code};
use crate::decode::suggest;
use crate::diagnostic::{Diagnostic, Severity, has_errors};
use crate::findings::Findings;
use crate::source_text::SourceText;
use crate::span::Span;
use crate::yaml::comments;

/// A longer word is no slip of a code; comparing it would cost memory for nothing.
const LONGEST_SLIP: usize = 40;

/// Returns `diagnostics` without the warnings that comments in `source` allow.
pub fn silence(source: &SourceText, diagnostics: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let mut allows = Allows::read(source);
    diagnostics.into_iter().filter(|diagnostic| !allows.cover(diagnostic)).collect()
}

/// Returns `diagnostics` without the warnings that comments in `source` allow, and with warnings about comments that do
/// not do what they seem to. They are not sorted.
///
/// `diagnostics` are all findings of a lint: what is not among them counts as not there.
pub fn silence_and_check(source: &SourceText, diagnostics: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let mut allows = Allows::read(source);
    let knows_all = !has_errors(&diagnostics);
    let mut left = diagnostics;
    left.extend(std::mem::take(&mut allows.unknown).into_sorted());
    left.retain(|diagnostic| !allows.cover(diagnostic));
    let mut idle = std::mem::take(&mut allows.idle);
    if knows_all {
        let mut unused = allows.unused(&left);
        while let Some(diagnostic) = unused.next().filter(|_| !idle.is_full(codes::UNUSED_ALLOW)) {
            idle.push(diagnostic);
        }
    }
    let idle = idle.into_sorted().into_iter().filter(|diagnostic| !allows.cover(diagnostic));
    left.extend(idle.collect::<Vec<_>>());
    left
}

/// What the comments of a text allow, and what is wrong with them.
#[derive(Default)]
struct Allows {
    lines: Lines,
    list: Vec<Allow>,
    /// Names that are no codes.
    unknown: Findings,
    /// Comments that cannot silence anything.
    idle: Findings,
}

/// Permission for one code at one place.
struct Allow {
    code: &'static Code,
    /// The code in the comment.
    word: Span,
    scope: Scope,
    is_used: bool,
}

#[derive(Clone, Copy)]
enum Scope {
    File,
    /// From the line of the comment to the last line that it is about; `target` is the first of these.
    Lines {
        comment: usize,
        target: usize,
        last: usize,
    },
}

impl Allows {
    fn read(source: &SourceText) -> Self {
        // Most specs have no such comment; they are not read twice.
        if !source.text().contains("dalec:") {
            return Self::default();
        }
        let found = comments(source);
        let mut allows = Self { lines: Lines::new(source.text(), &found.long_values), ..Self::default() };
        for comment in found.comments {
            allows.read_comment(source, comment);
        }
        allows
    }

    fn read_comment(&mut self, source: &SourceText, comment: Span) {
        let piece = Piece { text: source.slice(comment), start: comment.start };
        let directive = piece.behind("#").and_then(|piece| piece.trim().behind("dalec:"));
        let Some((verb, rest)) = directive.map(|directive| directive.trim().first_word()) else { return };
        // Prose may begin with `dalec:`, and with `dalec: allows` too.
        if verb.behind("allow").is_none_or(|rest| rest.text.starts_with(char::is_alphanumeric)) {
            return;
        }
        let scope = match verb.text {
            "allow" => self.lines.scope(source.text(), comment.start),
            "allow-file" => Scope::File,
            _ => {
                let message = format!("this comment allows nothing: there is no `{}`", verb.text);
                let help =
                    "write `# dalec: allow CODE` for a line, `# dalec: allow-file CODE` for the whole file";
                self.idle.push(Diagnostic::warning(codes::UNUSED_ALLOW, verb.span(), message).help(help));
                return;
            }
        };
        let items = rest.without_reason().split(',').map(Piece::trim);
        let items: Vec<Piece<'_>> = items.filter(|item| !item.text.is_empty()).collect();
        if items.is_empty() {
            let message = "this comment allows nothing: it names no code";
            let help = format!("name what it allows, as in `# dalec: {} {}`", verb.text, codes::UNUSED_ARG);
            self.idle.push(Diagnostic::warning(codes::UNUSED_ALLOW, verb.span(), message).help(help));
        }
        for item in items {
            self.read_item(item, scope);
        }
    }

    /// Reads what stands between two commas.
    fn read_item(&mut self, item: Piece<'_>, scope: Scope) {
        let (word, more) = item.first_word();
        let name = word.text;
        let Some(code) = codes::find(name) else {
            if self.unknown.is_full(codes::UNKNOWN_CODE) {
                return;
            }
            let message = format!("there is no code `{name}`");
            let help = match slip(name) {
                Some(code) => format!("did you mean `{code}`?"),
                None => "the code is what stands in brackets, as in `warning[unused-arg]`".to_owned(),
            };
            self.unknown.push(Diagnostic::warning(codes::UNKNOWN_CODE, word.span(), message).help(help));
            return;
        };
        if !more.text.is_empty() {
            let message = format!("`{}` is no code", more.text);
            let help = "separate codes with commas; write a reason in parentheses or behind ` -- `";
            self.unknown.push(Diagnostic::warning(codes::UNKNOWN_CODE, more.span(), message).help(help));
        }
        match code.severity {
            Severity::Warning => self.list.push(Allow { code, word: word.span(), scope, is_used: false }),
            Severity::Error => {
                let message = format!("`{name}` is an error, and errors cannot be silenced");
                let help = "remove it; the error itself has to be corrected";
                self.idle.push(Diagnostic::warning(codes::UNUSED_ALLOW, word.span(), message).help(help));
            }
        }
    }

    /// Returns whether a comment allows `diagnostic`, and remembers which.
    fn cover(&mut self, diagnostic: &Diagnostic) -> bool {
        if diagnostic.severity != Severity::Warning || self.list.is_empty() {
            return false;
        }
        let line = diagnostic.span.map(|span| self.lines.at(span.start));
        let mut is_covered = false;
        for allow in self.list.iter_mut().filter(|allow| allow.code.name == diagnostic.code) {
            let covers = match allow.scope {
                Scope::File => true,
                Scope::Lines { comment, last, .. } => {
                    line.is_some_and(|line| (comment..=last).contains(&line))
                }
            };
            allow.is_used |= covers;
            is_covered |= covers;
        }
        is_covered
    }

    /// Returns a warning for each permission that was of no use; `left` are the findings that stay.
    fn unused(&self, left: &[Diagnostic]) -> impl Iterator<Item = Diagnostic> {
        let unused =
            self.list.iter().filter(|allow| !allow.is_used && allow.code.name != codes::UNUSED_ALLOW);
        unused.map(|Allow { code: Code { name, .. }, word, scope, .. }| {
            let Scope::Lines { target, last, .. } = *scope else {
                let message = format!("this file has no `{name}` to silence");
                return Diagnostic::warning(codes::UNUSED_ALLOW, *word, message).help("remove it");
            };
            let place = match last == target {
                true => format!("line {} has", target + 1),
                false => format!("lines {} to {} have", target + 1, last + 1),
            };
            let message = format!("{place} no `{name}` to silence");
            let others = left.iter().filter(|diagnostic| diagnostic.code == *name);
            let nearest = others
                .filter_map(|diagnostic| Some(self.lines.at(diagnostic.span?.start)))
                .min_by_key(|line| line.abs_diff(target));
            Diagnostic::warning(codes::UNUSED_ALLOW, *word, message).help(match nearest {
                Some(line) => {
                    format!("line {} has one: put the comment at the end of that line or above it", line + 1)
                }
                None => "remove it".to_owned(),
            })
        })
    }
}

/// Returns the code that `name` is probably a slip of; only of those that can be allowed.
fn slip(name: &str) -> Option<&'static str> {
    if name.len() > LONGEST_SLIP {
        return None;
    }
    let warnings = codes::ALL.iter().filter(|code| code.severity == Severity::Warning);
    suggest(name, warnings.map(|code| code.name))
}

/// A part of a comment that knows where it stands.
#[derive(Clone, Copy)]
struct Piece<'a> {
    text: &'a str,
    start: usize,
}

impl<'a> Piece<'a> {
    fn span(self) -> Span {
        Span::new(self.start, self.start + self.text.len())
    }

    /// Returns what follows `prefix`, if it begins with it.
    fn behind(self, prefix: &str) -> Option<Self> {
        let text = self.text.strip_prefix(prefix)?;
        Some(Self { text, start: self.start + prefix.len() })
    }

    fn trim(self) -> Self {
        let start = self.start + self.text.len() - self.text.trim_start().len();
        Self { text: self.text.trim(), start }
    }

    fn split_at(self, offset: usize) -> (Self, Self) {
        let (before, behind) = self.text.split_at(offset);
        (Self { text: before, ..self }, Self { text: behind, start: self.start + offset })
    }

    /// Returns everything up to the first blank, and the rest without blanks around it.
    fn first_word(self) -> (Self, Self) {
        let (word, rest) = self.split_at(self.text.find(char::is_whitespace).unwrap_or(self.text.len()));
        (word, rest.trim())
    }

    /// Returns the parts between separators.
    fn split(self, separator: char) -> impl Iterator<Item = Self> {
        let mut start = self.start;
        self.text.split(separator).map(move |text| {
            let part = Self { text, start };
            start += text.len() + separator.len_utf8();
            part
        })
    }

    /// Returns the part before a reason. It must be the rest of a comment behind a word.
    fn without_reason(self) -> Self {
        let begins_reason = |(offset, char): &(usize, char)| {
            let is_apart = *offset == 0 || self.text[..*offset].ends_with(char::is_whitespace);
            *char == '(' || is_apart && (*char == '#' || self.text[*offset..].starts_with("--"))
        };
        let end = self.text.char_indices().find(begins_reason);
        self.split_at(end.map_or(self.text.len(), |(offset, _)| offset)).0
    }
}

/// The lines of a text, counted from 0.
#[derive(Default)]
struct Lines {
    starts: Vec<usize>,
    /// For each line, the first line below it that is neither blank nor a comment.
    next: Vec<Option<usize>>,
    /// For each line where a value of several lines begins, the line where the last of these ends.
    ends: BTreeMap<usize, usize>,
}

impl Lines {
    fn new(text: &str, long_values: &[Span]) -> Self {
        let starts: Vec<usize> =
            std::iter::once(0).chain(text.match_indices('\n').map(|(offset, _)| offset + 1)).collect();
        let mut next = vec![None; starts.len()];
        let mut below = None;
        for (index, line) in (0..starts.len()).rev().zip(text.rsplit('\n')) {
            next[index] = below;
            let line = line.trim_start();
            if !line.is_empty() && !line.starts_with('#') {
                below = Some(index);
            }
        }
        let mut lines = Self { starts, next, ends: BTreeMap::new() };
        for value in long_values {
            let last = lines.at(value.end);
            let end = lines.ends.entry(lines.at(value.start)).or_insert(last);
            *end = last.max(*end);
        }
        lines
    }

    /// Returns the line of byte `offset`.
    fn at(&self, offset: usize) -> usize {
        self.starts.partition_point(|start| *start <= offset).saturating_sub(1)
    }

    /// Returns what a comment that begins at `offset` is about.
    fn scope(&self, text: &str, offset: usize) -> Scope {
        let comment = self.at(offset);
        let before = &text[self.starts[comment]..offset];
        let stands_alone = before.trim_start_matches('\u{feff}').trim_start().is_empty();
        let target = if stands_alone { self.next[comment].unwrap_or(comment) } else { comment };
        Scope::Lines { comment, target, last: self.ends.get(&target).copied().unwrap_or(target) }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::{RenderOptions, ResolveOptions, load, render};

    /// What every spec needs, to stand below the lines that a test is about.
    const REST: &str = "
name: hello
version: 1.0.0
revision: 1
description: Says hello
website: https://example.org/hello
license: MIT
";

    fn lint(text: &str) -> (SourceText, Vec<Diagnostic>) {
        let source = SourceText::new("spec.yml", format!("{text}{REST}"));
        let loaded = load(&source);
        let has_errors = loaded.has_errors();
        let mut diagnostics = loaded.diagnostics;
        if let Some(raw) = loaded.raw.filter(|_| !has_errors) {
            diagnostics.extend(raw.lint(&ResolveOptions::default()));
        }
        (source, diagnostics)
    }

    /// Checks what is left of the findings in `text`.
    #[track_caller]
    fn check(text: &str, expected: Expect) {
        let (source, diagnostics) = lint(text);
        let left = silence_and_check(&source, diagnostics);
        expected.assert_eq(&render(&source, &left, RenderOptions::default()));
    }

    #[track_caller]
    fn check_silent(text: &str) {
        let (source, diagnostics) = lint(text);
        assert!(!diagnostics.is_empty(), "nothing to silence in {text}");
        assert_eq!(render(&source, &silence_and_check(&source, diagnostics), RenderOptions::default()), "");
    }

    #[test]
    fn a_comment_is_about_its_line() {
        check(
            "args:\n  A: 1 # dalec: allow unused-arg\n  B: 1\n  # dalec: allow unused-arg\n\n  # why\n  C: 1\n  D: 1\n",
            expect![[r#"
                warning[unused-arg]: the argument `B` is declared and never used
                 --> spec.yml:3:3
                  |
                3 |   B: 1
                  |   ^
                  |
                  = help: remove it, or refer to it as `${B}`

                warning[unused-arg]: the argument `D` is declared and never used
                 --> spec.yml:8:3
                  |
                8 |   D: 1
                  |   ^
                  |
                  = help: remove it, or refer to it as `${D}`
            "#]],
        );
        check_silent("\u{feff}# dalec: allow unused-arg\r\nargs: {A: 1}\r\n");
        check_silent("args: # dalec: allow-file unused-arg\n  A: 1\n  B: 1\n");
        check_silent("args:\n  A: 1\n# dalec: allow-file unused-arg\n");
    }

    #[test]
    fn several_codes_and_reasons_are_read() {
        for comment in [
            "#dalec:allow unused-arg,number-like-text",
            "# dalec:  allow  unused-arg , number-like-text,",
            "# dalec: allow unused-arg, number-like-text (the mirror, the script)",
            "# dalec: allow unused-arg, number-like-text -- see docs, twice",
            "# dalec: allow number-like-text, unused-arg # why not",
            "# dalec: allow number-like-text # one\n  # dalec: allow unused-arg # two",
        ] {
            check_silent(&format!("args:\n  {comment}\n  A: 010\n"));
        }
    }

    #[test]
    fn a_line_reaches_as_far_as_the_values_that_begin_on_it() {
        check_silent("# dalec: allow unused-arg\nargs: {\n  A: 1,\n  B: 1\n  }\n");
        check_silent("args: { # dalec: allow unused-arg\n  A: 1,\n  B: 1}\n");
        let inline = |contents: &str| format!("sources:\n  a:\n    inline:\n      file:\n{contents}");
        check_silent(&inline(
            "        # dalec: allow decimal-mode\n        {permissions: 644,\n         contents: x}\n",
        ));
        check(
            "# dalec: allow unused-arg\nargs:\n  A: 1\n",
            expect![[r#"
            warning[unused-allow]: line 2 has no `unused-arg` to silence
             --> spec.yml:1:16
              |
            1 | # dalec: allow unused-arg
              |                ^^^^^^^^^^
              |
              = help: line 3 has one: put the comment at the end of that line or above it

            warning[unused-arg]: the argument `A` is declared and never used
             --> spec.yml:3:3
              |
            3 |   A: 1
              |   ^
              |
              = help: remove it, or refer to it as `${A}`
        "#]],
        );
    }

    #[test]
    fn block_scalars_belong_to_their_header() {
        let command = |comment: &str, header: &str| {
            format!(
                "build:\n  steps: [command: make]\n  env:\n    {comment}\n    A: {header}\n\n      x\n      \\d\n"
            )
        };
        check_silent(&command("# dalec: allow lost-backslash", "|"));
        check_silent(&command("# nothing", ">- # dalec: allow lost-backslash"));
        check(
            &command("# nothing", "|\n\n      # dalec: allow lost-backslash"),
            expect![[r#"
            warning[lost-backslash]: this value is expanded, which removes the backslash of `\d`
             --> spec.yml:7:7
              |
            7 |       # dalec: allow lost-backslash
              |       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
              |
              = help: write `\\d` to keep it; inside YAML's double quotes twice that
        "#]],
        );
        check_silent(&command("# dalec: allow lost-backslash", "x"));
    }

    #[test]
    fn only_comments_count() {
        check(
            "args:\n  A: 'x # dalec: allow-file unused-arg'\n  B: \"x\n    # dalec: allow-file unused-arg\"\n",
            expect![[r#"
                warning[unused-arg]: the argument `A` is declared and never used
                 --> spec.yml:2:3
                  |
                2 |   A: 'x # dalec: allow-file unused-arg'
                  |   ^
                  |
                  = help: remove it, or refer to it as `${A}`

                warning[unused-arg]: the argument `B` is declared and never used
                 --> spec.yml:3:3
                  |
                3 |   B: "x
                  |   ^
                  |
                  = help: remove it, or refer to it as `${B}`
            "#]],
        );
    }

    #[test]
    fn doubtful_comments_are_warnings() {
        check(
            "args:\n  A: 1 # dalec: allow unused-agr, nonsense\n",
            expect![[r#"
            warning[unused-arg]: the argument `A` is declared and never used
             --> spec.yml:2:3
              |
            2 |   A: 1 # dalec: allow unused-agr, nonsense
              |   ^
              |
              = help: remove it, or refer to it as `${A}`

            warning[unknown-code]: there is no code `unused-agr`
             --> spec.yml:2:23
              |
            2 |   A: 1 # dalec: allow unused-agr, nonsense
              |                       ^^^^^^^^^^
              |
              = help: did you mean `unused-arg`?

            warning[unknown-code]: there is no code `nonsense`
             --> spec.yml:2:35
              |
            2 |   A: 1 # dalec: allow unused-agr, nonsense
              |                                   ^^^^^^^^
              |
              = help: the code is what stands in brackets, as in `warning[unused-arg]`
        "#]],
        );
        check(
            "args:\n  A: 1 # dalec: allow unused-arg needed by the script\n",
            expect![[r#"
            warning[unknown-code]: `needed by the script` is no code
             --> spec.yml:2:34
              |
            2 |   A: 1 # dalec: allow unused-arg needed by the script
              |                                  ^^^^^^^^^^^^^^^^^^^^
              |
              = help: separate codes with commas; write a reason in parentheses or behind ` -- `
        "#]],
        );
        check(
            "# dalec: allow unused-arg\n\nargs:\n  A: 1 \n  B: 1\n",
            expect![[r#"
            warning[unused-allow]: line 3 has no `unused-arg` to silence
             --> spec.yml:1:16
              |
            1 | # dalec: allow unused-arg
              |                ^^^^^^^^^^
              |
              = help: line 4 has one: put the comment at the end of that line or above it

            warning[unused-arg]: the argument `A` is declared and never used
             --> spec.yml:4:3
              |
            4 |   A: 1 
              |   ^
              |
              = help: remove it, or refer to it as `${A}`

            warning[unused-arg]: the argument `B` is declared and never used
             --> spec.yml:5:3
              |
            5 |   B: 1
              |   ^
              |
              = help: remove it, or refer to it as `${B}`
        "#]],
        );
        check(
            "# dalec: allow-file missing-digest, unused-arg, unused-arg\nargs: {A: 1}\n",
            expect![[r#"
            warning[unused-allow]: this file has no `missing-digest` to silence
             --> spec.yml:1:21
              |
            1 | # dalec: allow-file missing-digest, unused-arg, unused-arg
              |                     ^^^^^^^^^^^^^^
              |
              = help: remove it
        "#]],
        );
        check(
            "# dalec: allow\n# dalec: allow-file (all)\n# dalec: allow-next-line unused-arg\n# dalec: allow=x\n",
            expect![[r#"
                warning[unused-allow]: this comment allows nothing: it names no code
                 --> spec.yml:1:10
                  |
                1 | # dalec: allow
                  |          ^^^^^
                  |
                  = help: name what it allows, as in `# dalec: allow unused-arg`

                warning[unused-allow]: this comment allows nothing: it names no code
                 --> spec.yml:2:10
                  |
                2 | # dalec: allow-file (all)
                  |          ^^^^^^^^^^
                  |
                  = help: name what it allows, as in `# dalec: allow-file unused-arg`

                warning[unused-allow]: this comment allows nothing: there is no `allow-next-line`
                 --> spec.yml:3:10
                  |
                3 | # dalec: allow-next-line unused-arg
                  |          ^^^^^^^^^^^^^^^
                  |
                  = help: write `# dalec: allow CODE` for a line, `# dalec: allow-file CODE` for the whole file

                warning[unused-allow]: this comment allows nothing: there is no `allow=x`
                 --> spec.yml:4:10
                  |
                4 | # dalec: allow=x
                  |          ^^^^^^^
                  |
                  = help: write `# dalec: allow CODE` for a line, `# dalec: allow-file CODE` for the whole file
            "#]],
        );
        check(
            "# dalec: allow unknown-key, yaml-syntax\n",
            expect![[r#"
            warning[unused-allow]: `unknown-key` is an error, and errors cannot be silenced
             --> spec.yml:1:16
              |
            1 | # dalec: allow unknown-key, yaml-syntax
              |                ^^^^^^^^^^^
              |
              = help: remove it; the error itself has to be corrected

            warning[unused-allow]: `yaml-syntax` is an error, and errors cannot be silenced
             --> spec.yml:1:29
              |
            1 | # dalec: allow unknown-key, yaml-syntax
              |                             ^^^^^^^^^^^
              |
              = help: remove it; the error itself has to be corrected
        "#]],
        );
        check(
            "# dalec: allows much\n# dalec: see elsewhere\n# see dalec: allow x\n## dalec: allow x\n",
            expect![[""]],
        );
    }

    #[test]
    fn errors_stay_and_leave_other_comments_alone() {
        check(
            "# dalec: allow-file unknown-key\nnmae: x\nargs:\n  A: 1 # dalec: allow unused-arg, unusd-arg\n",
            expect![[r#"
                warning[unused-allow]: `unknown-key` is an error, and errors cannot be silenced
                 --> spec.yml:1:21
                  |
                1 | # dalec: allow-file unknown-key
                  |                     ^^^^^^^^^^^
                  |
                  = help: remove it; the error itself has to be corrected

                error[unknown-key]: unknown key `nmae` in a spec
                 --> spec.yml:2:1
                  |
                2 | nmae: x
                  | ^^^^
                  |
                  = help: did you mean `name`?

                warning[unknown-code]: there is no code `unusd-arg`
                 --> spec.yml:4:35
                  |
                4 |   A: 1 # dalec: allow unused-arg, unusd-arg
                  |                                   ^^^^^^^^^
                  |
                  = help: did you mean `unused-arg`?
            "#]],
        );
        check(
            "a: [ # dalec: allow unused-arg\n",
            expect![[r#"
                error[yaml-syntax]: a comma or the closing bracket is missing before this
                 --> spec.yml:4:8
                  |
                1 | a: [ # dalec: allow unused-arg
                  |    - opened here
                ...
                4 | version: 1.0.0
                  |        ^
                  |
                  = help: close the bracket, put a comma between the entries, or put the value in quotes
            "#]],
        );
    }

    #[test]
    fn comments_that_are_of_use_at_times_can_be_kept() {
        check_silent("args:\n  A: 1 # dalec: allow unused-arg, unused-allow\n");
        for text in [
            "# dalec: allow unused-arg, unused-allow\n",
            "# dalec: allow-file unused-allow\n# dalec: allow unused-arg\n# dalec: allow-file missing-digest\n",
            "# dalec: allow made-up, unknown-code\n",
        ] {
            check(text, expect![""]);
        }
        check(
            "# dalec: allow unknown-code\n",
            expect![[r#"
            warning[unused-allow]: line 3 has no `unknown-code` to silence
             --> spec.yml:1:16
              |
            1 | # dalec: allow unknown-code
              |                ^^^^^^^^^^^^
              |
              = help: remove it
        "#]],
        );
    }

    #[test]
    fn builds_are_told_nothing_about_comments() {
        let (source, diagnostics) =
            lint("args:\n  A: 1 # dalec: allow unused-arg, nonsense, no-checks\n  B: 1\n");
        let left = silence(&source, diagnostics);
        assert_eq!(left.iter().map(|left| left.code).collect::<Vec<_>>(), [codes::UNUSED_ARG]);
    }

    #[test]
    fn warnings_without_a_place_are_those_of_the_file() {
        let (source, _) = lint("# dalec: allow unused-arg\n");
        let mut finding = Diagnostic::warning(codes::UNUSED_ARG, Span::default(), "somewhere");
        finding.span = None;
        assert_eq!(silence(&source, vec![finding.clone()]).len(), 1);
        let (source, _) = lint("# dalec: allow-file unused-arg\n");
        assert_eq!(silence(&source, vec![finding]).len(), 0);
    }

    #[test]
    fn hostile_texts_take_no_time() {
        let long = "x".repeat(1 << 20);
        for text in [
            "# dalec: allow unused-arg\n".repeat(20_000),
            format!("# dalec: allow {}\n", "x,".repeat(500_000)),
            format!("# dalec: allow {long} {long}\n"),
            "a: [ # dalec: allow unused-arg\n".repeat(20_000),
        ] {
            let (source, diagnostics) = lint(&text);
            assert!(silence_and_check(&source, diagnostics).len() <= 500);
        }
    }

    proptest::proptest! {
        /// Whatever comments say and wherever they stand, errors stay, and nothing comes up but complaints about comments.
        #[test]
        fn errors_are_never_silenced(
            text in "(# dalec: allow|-file| unused-arg| unknown-key| x|,|\n|\r\n|\r|  |a: |args: |\\||'|\"|\\[|\\]|\\{|\\}|- |\u{e9}|\\(| -- |#){0,40}",
        ) {
            let (source, diagnostics) = lint(&text);
            let left = silence_and_check(&source, diagnostics.clone());
            let lost = diagnostics.iter().filter(|diagnostic| !left.contains(diagnostic));
            proptest::prop_assert!(lost.clone().all(|lost| lost.severity == Severity::Warning));
            proptest::prop_assert!(lost.count() == 0 || text.contains("unused-arg"));
            let mut new = left.iter().filter(|diagnostic| !diagnostics.contains(diagnostic));
            proptest::prop_assert!(new.all(|new| [codes::UNKNOWN_CODE, codes::UNUSED_ALLOW].contains(&new.code)));
            render(&source, &left, RenderOptions::default());
        }
    }
}
