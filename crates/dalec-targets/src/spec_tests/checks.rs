//! The checks of a test as single questions to the runner, each with its place in the spec.

use dalec_spec::span::{Span, Spanned};
use dalec_spec::target_spec::{FileCheck, OutputCheck};
use dalec_testrunner::protocol::{self, Command, Content, OUTPUT_DIR, Subject, Value};

/// One question.
#[derive(Debug)]
pub(super) struct Check {
    path: String,
    question: Question,
    /// The value that is asked for.
    pub span: Span,
    /// What the value is part of, for values that the spec does not write out.
    pub whole: Span,
}

type Compare = fn(Value) -> Content;

#[derive(Debug)]
enum Question {
    Metadata(protocol::Check),
    Empty,
    /// Compares content with a text.
    Text(Compare, String),
}

impl Check {
    /// Returns the command that asks, and the text that must be in the file `value_path` for it, if any.
    pub fn command(&self, value_path: &str) -> (Command, Option<&str>) {
        let mut in_file = None;
        let check = match &self.question {
            Question::Metadata(check) => check.clone(),
            Question::Empty => protocol::Check::Content(Content::Empty),
            Question::Text(compare, text) if Value::fits_argument(text) => {
                protocol::Check::Content(compare(Value::Text(text.clone())))
            }
            Question::Text(compare, text) => {
                in_file = Some(text.as_str());
                protocol::Check::Content(compare(Value::File(value_path.into())))
            }
        };
        (Command::Check(Subject { path: self.path.clone().into(), check }), in_file)
    }
}

/// Returns the checks of what the step at `step` printed to `stream`.
pub(super) fn of_output(stream: &str, check: &OutputCheck, step: Span) -> Vec<Check> {
    content(&format!("{OUTPUT_DIR}/{stream}"), check, step)
}

/// Returns the checks of the file at `path`. That it is no directory is checked unless the spec says otherwise.
pub(super) fn of_file(path: &str, check: &FileCheck) -> Vec<Check> {
    let follow = !check.no_follow;
    let metadata = |question: protocol::Check, span: Span| Check {
        path: path.to_owned(),
        question: Question::Metadata(question),
        span,
        whole: check.span,
    };
    let mut checks = Vec::new();
    match check.not_exist {
        Some(span) => checks.push(metadata(protocol::Check::NotExist { follow }, span)),
        None => {
            let expected = check.is_dir.value;
            checks.push(metadata(protocol::Check::IsDir { expected, follow }, check.is_dir.span));
        }
    }
    if let Some(bits) = &check.permissions {
        checks.push(metadata(protocol::Check::Permissions { bits: bits.value, follow }, bits.span));
    }
    if let Some(target) = &check.link_target {
        checks.push(metadata(protocol::Check::LinkTarget(target.value.clone().into()), target.span));
    }
    checks.extend(content(path, &check.content, check.span));
    checks
}

fn content(path: &str, check: &OutputCheck, whole: Span) -> Vec<Check> {
    let new = |question: Question, span: Span| Check { path: path.to_owned(), question, span, whole };
    let empty = check.empty.map(|span| new(Question::Empty, span));
    let texts: [(Compare, &[Spanned<String>]); 5] = [
        (Content::Equals, check.equals.as_slice()),
        (Content::Contains, &check.contains),
        (Content::Matches, &check.matches),
        (Content::StartsWith, check.starts_with.as_slice()),
        (Content::EndsWith, check.ends_with.as_slice()),
    ];
    let texts = texts.into_iter().flat_map(|(compare, texts)| {
        texts.iter().map(move |text| new(Question::Text(compare, text.value.clone()), text.span))
    });
    empty.into_iter().chain(texts).collect()
}
