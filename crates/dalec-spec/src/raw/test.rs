//! Tests of the package.

use crate::codes;
use crate::decode::{At, Decode, Decoder, Field, Flag, List, Map, Mark, Mode, Template, Text, object};
use crate::diagnostic::Diagnostic;
use crate::emit::{Tree, entry};
use crate::raw::rules::{CheckedPath, CommandLine, EnvName, Line, Path, Pattern};
use crate::raw::source::RawMount;
use crate::resolve::Resolver;
use crate::shlex;
use crate::span::Spanned;
use crate::target_spec::{FileCheck, OutputCheck};

object! {
    /// One test. It starts in a clean container with the package installed.
    RawTest: "a test", open, check check_test => Test, span self {
        /// Name that is shown while it runs.
        /// Example: the service answers
        "name" name: Text<Line>,
        /// Working directory of the steps.
        /// Default: the image's
        /// Example: /var/lib/tool
        "dir" dir: Text<Path>,
        /// Sources mounted for every step and check.
        /// Example: [{dest: /input.txt, spec: {inline: {file: {contents: text}}}}]
        "mounts" mounts: List<RawMount>,
        /// Environment of every step.
        /// Example: {LANG: C.UTF-8}
        "env" env: Map<Template, EnvName>,
        /// Commands, in order. The first that fails ends the test.
        /// Example: [{command: tool --version, stdout: {contains: ["1.2"]}}]
        "steps" steps: List<RawTestStep>,
        /// Checks of files after the steps, by path.
        /// Example: {/usr/bin/tool: {permissions: 0755}}
        "files" files: Map<RawFileCheck, CheckedPath>,
    }
}

object! {
    /// One command of a test. An exit code other than 0 fails the test.
    RawTestStep: "a test step", closed, needs ["command"], check check_step => TestStep, span command {
        /// Command line. It is split into words at blanks, with quotes as in a shell, but no shell is involved.
        /// Example: tool --version
        "command" command: Text<CommandLine>,
        /// Environment of this step.
        /// Example: {TOOL_MODE: fast}
        "env" env: Map<Template, EnvName>,
        /// Text that the command reads from its standard input.
        /// Example: "hello\n"
        "stdin" stdin: Template,
        /// What standard output must hold.
        /// Example: {contains: ["1.2"]}
        "stdout" stdout: RawOutputCheck,
        /// What standard error must hold.
        /// Example: {empty: true}
        "stderr" stderr: RawOutputCheck,
    }
}

object! {
    /// What a stream must hold; every part that is given must be true.
    RawOutputCheck: "an output check", closed => OutputCheck {
        /// Exactly this text.
        /// Example: "hello\n"
        "equals" equals: Option<At<Template>>,
        /// Each of these texts, somewhere.
        /// Example: [hello, world]
        "contains" contains: List<At<Template>>,
        /// Each of these regular expressions (RE2), somewhere.
        /// Example: ["^hello [a-z]+"]
        "matches" matches: List<At<Template<Pattern>>>,
        /// This text at the start.
        /// Example: hello
        "starts_with" starts_with: Option<At<Template>>,
        /// This text at the end.
        /// Example: "world\n"
        "ends_with" ends_with: Option<At<Template>>,
        /// Nothing at all.
        /// Example: true
        "empty" empty: Mark,
    }
}

object! {
    /// What a file must be; every part that is given must be true. Nothing given means that it must be there and not
    /// be a directory.
    RawFileCheck: "a file check", closed, check check_file {
        /// Exactly this text.
        /// Example: "hello\n"
        "equals" equals: Option<At<Template>>,
        /// Each of these texts, somewhere.
        /// Example: ["mode ="]
        "contains" contains: List<At<Template>>,
        /// Each of these regular expressions (RE2), somewhere.
        /// Example: ["mode *= *fast"]
        "matches" matches: List<At<Template<Pattern>>>,
        /// This text at the start.
        /// Example: "#!/bin/sh"
        "starts_with" starts_with: Option<At<Template>>,
        /// This text at the end.
        /// Example: "end\n"
        "ends_with" ends_with: Option<At<Template>>,
        /// Nothing at all.
        /// Example: true
        "empty" empty: Mark,
        /// Its permission bits.
        /// Example: 0644
        "permissions" permissions: Option<At<Mode>>,
        /// Whether it is a directory.
        /// Default: false
        /// Example: true
        "is_dir" is_dir: Option<At<Flag>>,
        /// It must not exist.
        /// Example: true
        "not_exist" not_exist: Mark,
        /// Looks at a symbolic link itself instead of what it points to.
        /// Example: true
        "no_follow" no_follow: Flag,
        /// What the symbolic link points to, as it is written in the link. An absolute path also fits a relative
        /// link that leads there.
        /// Example: /usr/bin/tool
        "link_target" link_target: Option<At<Text>>,
    }
}

fn check_test(test: &mut RawTest, decoder: &mut Decoder<'_>) {
    if test.dir.is_given() {
        let message = "upstream Dalec does not look at `dir` of a test";
        let diagnostic = Diagnostic::warning(codes::UPSTREAM_DIFFERS, test.dir.span, message);
        decoder.doubt(diagnostic.help("write whole paths in the steps if the spec must mean the same there"));
    }
    if !test.steps.is_given() && !test.files.is_given() && !decoder.findings.error_within(test.span) {
        let span = decoder.first_line(test.span);
        let message = "this test has no steps and no files: it checks nothing";
        let diagnostic = Diagnostic::warning(codes::NO_CHECKS, span, message);
        decoder.doubt(diagnostic.help("add `steps` or `files`"));
    }
}

fn check_step(step: &mut RawTestStep, decoder: &mut Decoder<'_>) {
    let command = &step.command;
    let is_comment =
        !command.value.is_empty() && shlex::split(&command.value).is_ok_and(|words| words.is_empty());
    if is_comment {
        let span = decoder.first_line(command.span);
        let message = "this command line holds no command";
        decoder.report(Diagnostic::error(codes::INVALID_VALUE, span, message).help("write what to run"));
    }
    doubt_shell_words(command, decoder);
    for equals in [&step.stdout.equals, &step.stderr.equals].into_iter().flatten() {
        doubt_empty_text(equals, decoder);
    }
}

/// Nothing can be true of the content of a file that is not there.
fn check_file(check: &mut RawFileCheck, decoder: &mut Decoder<'_>) {
    if let Some(equals) = &check.equals {
        doubt_empty_text(equals, decoder);
    }
    let Some(not_exist) = check.not_exist.span() else { return };
    let others = [
        ("equals", check.equals.as_ref().map(|text| text.span)),
        ("contains", check.contains.items.first().map(|text| text.span)),
        ("matches", check.matches.items.first().map(|text| text.span)),
        ("starts_with", check.starts_with.as_ref().map(|text| text.span)),
        ("ends_with", check.ends_with.as_ref().map(|text| text.span)),
        ("empty", check.empty.span()),
        ("permissions", check.permissions.as_ref().map(|mode| mode.span)),
        ("link_target", check.link_target.as_ref().map(|text| text.span)),
    ];
    for (key, span) in others.into_iter().filter_map(|(key, span)| Some((key, span?))) {
        let message = format!("`{key}` cannot be true of a file that does not exist");
        let diagnostic = Diagnostic::warning(codes::CONTRADICTING_CHECKS, span, message);
        decoder.doubt(diagnostic.label(not_exist, "it must not exist").help("keep one of them"));
    }
}

/// Commands of tests are run as they are; what only a shell understands becomes an argument, and the test may pass.
fn doubt_shell_words(command: &Text<CommandLine>, decoder: &mut Decoder<'_>) {
    let Ok(words) = shlex::split(&command.value) else { return };
    // What is in quotes is meant as it is.
    let bare: Vec<&str> = command.value.split_ascii_whitespace().collect();
    let is_special = |word: &&str| {
        let operator = word.trim_start_matches(|char: char| char.is_ascii_digit());
        matches!(operator, "|" | "||" | "&&" | "&" | ";" | "<" | ">" | ">>" | "&>" | ">&2" | ">&1")
            || *word == "!" && bare.first() == Some(word)
    };
    let special = bare.iter().copied().find(|word| is_special(word) && words.iter().any(|is| is == word));
    if let Some(word) = special {
        let span = decoder.first_line(command.span);
        let meaning = if word == "!" { "the name of a program" } else { "an argument like any other" };
        let message = format!("no shell runs this command, so `{word}` is {meaning}");
        let diagnostic = Diagnostic::warning(codes::NO_SHELL, span, message);
        decoder.doubt(diagnostic.help("let a shell run it: `sh -c '...'`"));
    }
}

fn doubt_empty_text(equals: &At<Template>, decoder: &mut Decoder<'_>) {
    if equals.value.value.is_empty() && !decoder.findings.error_within(equals.span) {
        let message = "upstream Dalec checks nothing here: it takes the empty text as not given";
        let diagnostic = Diagnostic::warning(codes::UPSTREAM_DIFFERS, equals.span, message);
        decoder.doubt(diagnostic.help("write `empty: true`"));
    }
}

impl Field for RawFileCheck {
    type Output = FileCheck;

    fn resolve(&self, resolver: &mut Resolver<'_>) -> FileCheck {
        FileCheck {
            content: OutputCheck {
                equals: self.equals.resolve(resolver),
                contains: self.contains.resolve(resolver),
                matches: self.matches.resolve(resolver),
                starts_with: self.starts_with.resolve(resolver),
                ends_with: self.ends_with.resolve(resolver),
                empty: self.empty.resolve(resolver),
            },
            permissions: self.permissions.resolve(resolver),
            is_dir: self.is_dir.resolve(resolver).unwrap_or_else(|| Spanned::new(false, self.span)),
            not_exist: self.not_exist.resolve(resolver),
            no_follow: self.no_follow.resolve(resolver),
            link_target: self.link_target.resolve(resolver),
            span: self.span,
        }
    }

    fn emit(output: &FileCheck) -> Tree {
        let Tree::Map(mut entries) = RawOutputCheck::emit(&output.content) else {
            unreachable!("an object is written as a map");
        };
        entry::<Option<At<Mode>>>(&mut entries, "permissions", &output.permissions);
        entry::<At<Flag>>(&mut entries, "is_dir", &output.is_dir);
        entry::<Mark>(&mut entries, "not_exist", &output.not_exist);
        entry::<Flag>(&mut entries, "no_follow", &output.no_follow);
        entry::<Option<At<Text>>>(&mut entries, "link_target", &output.link_target);
        Tree::Map(entries)
    }
}
