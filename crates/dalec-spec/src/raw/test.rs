//! Tests of the package.

use std::collections::BTreeMap;

use crate::codes;
use crate::decode::{At, Decoder, Field, Flag, List, Map, Mark, Mode, Object, Template, Text, object};
use crate::diagnostic::Diagnostic;
use crate::emit::{Tree, entry};
use crate::raw::rules::{CommandLine, EnvName, Line, Path, Pattern};
use crate::raw::source::RawMount;
use crate::resolve::Resolver;
use crate::shlex;
use crate::span::Spanned;
use crate::target_spec::{FileCheck, OutputCheck, Test, TestStep};

object! {
    /// One test.
    RawTest: "a test", open, check check_test {
        /// Name shown while it runs.
        "name" name: Text<Line>,
        /// Sources mounted for every step and check.
        "mounts" mounts: List<RawMount>,
        /// Environment of every step.
        "env" env: Map<Template, EnvName>,
        /// Commands, in order.
        "steps" steps: List<RawTestStep>,
        /// Checks of files after the steps.
        "files" files: Map<RawFileCheck, Path>,
    }
}

object! {
    /// One command of a test.
    RawTestStep: "a test step", closed, check check_step {
        /// Command line; no shell is involved.
        "command" command: Text<CommandLine>,
        /// Environment of this step.
        "env" env: Map<Template, EnvName>,
        /// Text fed to standard input.
        "stdin" stdin: Template,
        /// Checks of standard output.
        "stdout" stdout: RawOutputCheck,
        /// Checks of standard error.
        "stderr" stderr: RawOutputCheck,
    }
}

object! {
    /// What a stream must hold.
    RawOutputCheck: "an output check", closed => OutputCheck {
        /// Exactly this text.
        "equals" equals: Option<At<Template>>,
        /// Each of these texts somewhere.
        "contains" contains: List<At<Template>>,
        /// Each of these regular expressions somewhere.
        "matches" matches: List<At<Template<Pattern>>>,
        /// This text at the start.
        "starts_with" starts_with: Option<At<Template>>,
        /// This text at the end.
        "ends_with" ends_with: Option<At<Template>>,
        /// Nothing at all.
        "empty" empty: Mark,
    }
}

object! {
    /// What a file must be.
    RawFileCheck: "a file check", closed {
        /// Exactly this text.
        "equals" equals: Option<At<Template>>,
        /// Each of these texts somewhere.
        "contains" contains: List<At<Template>>,
        /// Each of these regular expressions somewhere.
        "matches" matches: List<At<Template<Pattern>>>,
        /// This text at the start.
        "starts_with" starts_with: Option<At<Template>>,
        /// This text at the end.
        "ends_with" ends_with: Option<At<Template>>,
        /// Nothing at all.
        "empty" empty: Mark,
        /// Its permission bits.
        "permissions" permissions: Option<At<Mode>>,
        /// Whether it is a directory.
        "is_dir" is_dir: Option<At<Flag>>,
        /// It must not exist.
        "not_exist" not_exist: Mark,
        /// Do not follow a symbolic link.
        "no_follow" no_follow: Flag,
        /// The text of the symbolic link.
        "link_target" link_target: Option<At<Text>>,
    }
}

fn check_test(test: &RawTest, decoder: &mut Decoder<'_>) {
    if test.steps.items.is_empty()
        && test.files.entries.is_empty()
        && !decoder.findings.error_within(test.span)
    {
        let span = decoder.first_line(test.span);
        let diagnostic = Diagnostic::warning(
            codes::NO_CHECKS,
            span,
            "this test has no steps and no files: it checks nothing",
        );
        decoder.doubts.push(diagnostic.help("add `steps` or `files`"));
    }
}

fn check_step(step: &RawTestStep, decoder: &mut Decoder<'_>) {
    let command = &step.command;
    decoder.need(&command.value, "command", RawTestStep::NAME, step.span);
    let is_comment =
        !command.value.is_empty() && shlex::split(&command.value).is_ok_and(|words| words.is_empty());
    if is_comment {
        let span = decoder.first_line(command.span);
        decoder.error(codes::INVALID_VALUE, span, "this command line holds no command");
    }
}

impl Field for RawTest {
    type Output = Test;

    fn resolve(&self, resolver: &mut Resolver<'_>) -> Test {
        let mut files = BTreeMap::new();
        for file in &self.files.entries {
            // Checks run with `/` as working directory.
            let path = format!("/{}", file.key.value.trim_start_matches('/'));
            if files.insert(path.clone(), file.value.resolve(resolver)).is_some() {
                let message = format!("the file `{path}` is checked twice in one test");
                resolver.findings.push(Diagnostic::error(codes::DUPLICATE_KEY, file.key.span, message));
            }
        }
        Test {
            name: self.name.resolve(resolver),
            mounts: self.mounts.resolve(resolver),
            env: self.env.resolve(resolver),
            steps: self.steps.resolve(resolver),
            files,
            span: self.span,
        }
    }

    fn emit(output: &Test) -> Tree {
        let mut entries = Vec::new();
        entry::<Text>(&mut entries, "name", &output.name);
        entry::<List<RawMount>>(&mut entries, "mounts", &output.mounts);
        entry::<Map<Template, EnvName>>(&mut entries, "env", &output.env);
        entry::<List<RawTestStep>>(&mut entries, "steps", &output.steps);
        entry::<Map<RawFileCheck, Path>>(&mut entries, "files", &output.files);
        Tree::Map(entries)
    }
}

impl Field for RawTestStep {
    type Output = TestStep;

    fn resolve(&self, resolver: &mut Resolver<'_>) -> TestStep {
        TestStep {
            command: self.command.resolve(resolver),
            env: self.env.resolve(resolver),
            stdin: self.stdin.resolve(resolver),
            stdout: self.stdout.resolve(resolver),
            stderr: self.stderr.resolve(resolver),
            span: self.command.span,
        }
    }

    fn emit(output: &TestStep) -> Tree {
        let mut entries = Vec::new();
        entry::<Text<CommandLine>>(&mut entries, "command", &output.command);
        entry::<Map<Template, EnvName>>(&mut entries, "env", &output.env);
        entry::<Template>(&mut entries, "stdin", &output.stdin);
        for (key, check) in [("stdout", &output.stdout), ("stderr", &output.stderr)] {
            if *check != OutputCheck::default() {
                entries.push((key.to_owned(), RawOutputCheck::emit(check)));
            }
        }
        Tree::Map(entries)
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
