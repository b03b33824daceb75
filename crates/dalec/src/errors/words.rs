//! What is said about an error, and its two looks: text for people and JSON for programs.

use std::error::Error;
use std::fmt::Write;

use annotate_snippets::Level;
use dalec_frontend::FrontendError;
use dalec_gateway::{GatewayError, SolveFailure};
use dalec_spec::span::Span;
use dalec_spec::{Diagnostic, RenderOptions, Severity, SourceText, codes};
use dalec_targets::marker;
use serde_json::{Value, json};

use super::excerpt::{Excerpt, Report};
use super::{CommandError, Exit, SpecName, step_log};
use crate::terminal::{Keep, clean};

/// Lines of a failed step's log that are repeated below the error.
const LOG_LINES: usize = 40;

/// How text is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Style {
    /// Terminal colours.
    pub color: bool,
    /// Width in columns, none for 140.
    pub width: Option<usize>,
}

/// Everything to be said about one error.
#[derive(Debug, Clone, PartialEq)]
pub struct Words {
    exit: Exit,
    /// Findings in the spec; the headline only counts them.
    findings: Option<(SourceText, Vec<Diagnostic>)>,
    /// The step that failed, with the end of what it wrote.
    step: Option<(String, Vec<String>)>,
    headline: String,
    excerpts: Vec<Excerpt>,
    notes: Vec<String>,
    causes: Vec<String>,
    help: Option<String>,
    /// The targets of several that this is about.
    targets: Vec<String>,
    /// What is to be said of each target, or of several alike.
    parts: Vec<Words>,
}

impl Words {
    /// Returns words that are nothing but a headline; further lines of it become a note.
    fn new(exit: Exit, headline: &str) -> Self {
        let (headline, rest) = headline.split_once('\n').unwrap_or((headline, ""));
        Self {
            exit,
            findings: None,
            step: None,
            headline: headline.to_owned(),
            excerpts: Vec::new(),
            notes: (!rest.trim().is_empty()).then(|| rest.trim_end().to_owned()).into_iter().collect(),
            causes: Vec::new(),
            help: None,
            targets: Vec::new(),
            parts: Vec::new(),
        }
    }

    /// Returns the text for people; what matters most comes last, where people look.
    pub fn text(&self, style: Style) -> String {
        let mut text = String::new();
        for part in &self.parts {
            text.push_str(&part.text(style));
            text.push('\n');
        }
        if let Some((source, diagnostics)) = &self.findings {
            let options = RenderOptions { color: style.color, width: style.width };
            text.push_str(&dalec_spec::render(source, diagnostics, options));
            text.push('\n');
        }
        if let Some((name, log)) = &self.step
            && !log.is_empty()
        {
            // Writing to a string cannot fail.
            let _ =
                writeln!(text, "the end of the log of {}:", clean(words_of(name).as_bytes(), Keep::Nothing));
            for line in &log[log.len().saturating_sub(LOG_LINES)..] {
                let keep = if style.color { Keep::Style } else { Keep::Nothing };
                let line = marker::without_number(line.as_bytes());
                let _ = writeln!(text, "  | {}", clean(&line, keep));
            }
            text.push('\n');
        }
        let mut remarks: Vec<(&str, String)> = Vec::new();
        remarks.extend(self.notes.iter().map(|note| ("note", note.clone())));
        remarks.extend(self.causes.iter().map(|cause| ("cause", cause.clone())));
        remarks.extend(self.help.iter().map(|help| ("help", help.clone())));
        let headline = match self.targets.as_slice() {
            [] => self.headline.clone(),
            targets => format!("{}: {}", listed(targets), self.headline),
        };
        let report =
            Report { level: Level::ERROR, headline: &headline, excerpts: &self.excerpts, remarks: &remarks };
        text.push_str(&report.render(style));
        text
    }

    /// Returns the words without pieces of the spec, for clients that show those themselves.
    pub fn message(&self) -> String {
        let mut message = clean_line(&self.headline);
        let mut add = |text: &str| {
            message.push('\n');
            message.push_str(text);
        };
        if let Some((source, diagnostics)) = &self.findings {
            for diagnostic in diagnostics {
                let place = diagnostic.span.map(|span| {
                    let start = source.position(span.start);
                    format!("{}:{}:{}: ", source.name(), start.line, start.column)
                });
                let Diagnostic { code, severity, message, .. } = diagnostic;
                let place = place.unwrap_or_default();
                add(&clean_line(&format!("{place}{severity}[{code}]: {message}")));
                diagnostic.help.iter().for_each(|help| add(&clean_line(&format!("  help: {help}"))));
            }
        }
        self.notes.iter().for_each(|note| add(&clean_line(&format!("note: {note}"))));
        self.causes.iter().for_each(|cause| add(&clean_line(&format!("cause: {cause}"))));
        self.help.iter().for_each(|help| add(&clean_line(&format!("help: {help}"))));
        message
    }

    /// Returns the record for programs; see `docs/progress-json.md`.
    pub fn json(&self) -> Value {
        let places = self.excerpts.iter().flat_map(|excerpt| {
            excerpt.places.iter().map(|place| {
                let start = excerpt.source.position(place.start);
                json!({ "file": excerpt.source.name(), "line": start.line, "column": start.column })
            })
        });
        let mut record = json!({
            "exitCode": self.exit.code(),
            "message": self.headline,
            "places": places.collect::<Vec<_>>(),
            "notes": self.notes,
            "causes": self.causes,
        });
        if let Some(help) = &self.help {
            record["help"] = json!(help);
        }
        if !self.targets.is_empty() {
            record["targets"] = json!(self.targets);
        }
        if !self.parts.is_empty() {
            record["errors"] = self.parts.iter().map(Self::json).collect();
        }
        if let Some((name, log)) = &self.step {
            record["step"] = json!({ "name": name, "log": log });
        }
        if let Some((source, diagnostics)) = &self.findings {
            record["findings"] = dalec_spec::render_json(source, diagnostics);
        }
        record
    }
}

/// Returns the words for a message with what is below it.
pub(super) fn of_message(
    exit: Exit,
    message: &str,
    source: Option<&(dyn Error + 'static)>,
    help: Option<String>,
) -> Words {
    let causes = source.map(|source| chain(source, message)).unwrap_or_default();
    Words { causes, help, ..Words::new(exit, message) }
}

/// Returns the words for targets that failed; what is the same for several is said once. None when nothing is left to say.
pub(super) fn of_targets(exit: Exit, failed: &[(String, CommandError)]) -> Option<Words> {
    let mut parts: Vec<Words> = Vec::new();
    for (target, error) in failed {
        let Some(words) = error.words() else { continue };
        let same = |part: &&mut Words| Words { targets: part.targets.clone(), ..words.clone() } == **part;
        match parts.iter_mut().find(same) {
            Some(part) => part.targets.push(target.clone()),
            None => parts.push(Words { targets: vec![target.clone()], ..words }),
        }
    }
    if parts.len() <= 1 {
        return parts.pop().map(|part| Words { exit, ..part });
    }
    let targets: Vec<String> = failed.iter().map(|(target, _)| target.clone()).collect();
    let headline = format!("{} targets failed: {}", targets.len(), targets.join(", "));
    Some(Words { parts, ..Words::new(exit, &headline) })
}

/// Returns `targets` in words, short.
fn listed(targets: &[String]) -> String {
    match targets {
        [first, .., _, _, _] if targets.len() > 4 => {
            format!("{first} and {} more targets", targets.len() - 1)
        }
        few => few.join(", "),
    }
}

/// Returns the words for a spec with `diagnostics`.
pub(super) fn of_findings(exit: Exit, source: SourceText, diagnostics: Vec<Diagnostic>) -> Words {
    let errors = diagnostics.iter().filter(|found| found.severity == Severity::Error).count();
    let is_outside = |found: &Diagnostic| found.code == codes::UNKNOWN_BUILD_ARG;
    let mut wrong = diagnostics.iter().filter(|found| found.severity == Severity::Error);
    let headline = match errors {
        1.. if wrong.all(is_outside) => {
            let arguments = if errors == 1 { "a build argument" } else { "build arguments" };
            format!("the command line has {arguments} that {} does not declare", source.name())
        }
        1 => format!("{} has an error", source.name()),
        errors => format!("{} has {errors} errors", source.name()),
    };
    Words { findings: Some((source, diagnostics)), ..Words::new(exit, &headline) }
}

/// Returns the words for what a frontend says.
pub(super) fn of_frontend(exit: Exit, error: &FrontendError, spec: &SpecName) -> Words {
    match error {
        FrontendError::Spec { source_text, diagnostics } => {
            of_findings(exit, renamed(source_text, spec), diagnostics.clone())
        }
        FrontendError::Plan { message, hint, source_text, spans } => Words {
            excerpts: Excerpt::of_spans(&renamed(source_text, spec), spans).into_iter().collect(),
            help: hint.clone(),
            ..Words::new(exit, message)
        },
        FrontendError::Machine { message, hint } => Words { help: hint.clone(), ..Words::new(exit, message) },
        FrontendError::SpecFile { filename, source } => Words {
            causes: chain(source.as_ref(), ""),
            ..Words::new(exit, &format!("cannot read the spec {}", spec.show(filename)))
        },
        FrontendError::UnknownTarget { target, routes } => unknown_target(exit, target, routes),
        FrontendError::UnknownSubrequest { .. } | FrontendError::Option { .. } => {
            Words::new(exit, &error.to_string())
        }
        FrontendError::Signing { image, place, error } => {
            of_signing(exit, image, place.as_ref(), error, spec)
        }
        FrontendError::At { error, source_text, spans } => {
            let mut words = of_gateway(exit, error, spec);
            let place = Excerpt::of_spans(&renamed(source_text, spec), spans);
            words.excerpts.extend(place.filter(|place| !words.excerpts.contains(place)));
            words
        }
        FrontendError::Gateway(error) => of_gateway(exit, error, spec),
    }
}

/// Returns the words for what an engine says.
pub(super) fn of_gateway(exit: Exit, error: &GatewayError, spec: &SpecName) -> Words {
    let headline = error.to_string();
    let words = Words { causes: chain_below(error), ..Words::new(exit, &headline) };
    match error {
        GatewayError::Solve(failure) => of_step(exit, failure, spec),
        GatewayError::Image { hint, .. } | GatewayError::Environment { hint, .. } => {
            Words { help: (!hint.is_empty()).then(|| hint.clone()), ..words }
        }
        GatewayError::Frontend { image, message, hint, log } => {
            let mut words = Words::new(exit, message);
            words.step = Some((image.clone(), log.clone()));
            words.notes.push(format!("the frontend is {image}"));
            words.help.clone_from(hint);
            words
        }
        GatewayError::NotFound { .. } | GatewayError::Cancelled | GatewayError::Request { .. } => words,
    }
}

/// Returns the words for packages that the signer `image` did not sign; `place` is the signer in the spec.
fn of_signing(
    exit: Exit,
    image: &str,
    place: Option<&(SourceText, Span)>,
    error: &GatewayError,
    spec: &SpecName,
) -> Words {
    let mut words = of_gateway(exit, error, spec);
    words.headline = format!("error signing packages: {}", words.headline);
    words.notes.retain(|note| !note.starts_with("the frontend is "));
    words.notes.push(format!("the signer is {image}"));
    if words.excerpts.is_empty() {
        let place = place.and_then(|(text, span)| Excerpt::of_spans(&renamed(text, spec), &[*span]));
        words.excerpts = place.into_iter().collect();
    }
    words
}

/// Returns the words for a failed step; what a generated script says of itself comes before what the engine saw.
fn of_step(exit: Exit, failure: &SolveFailure, spec: &SpecName) -> Words {
    let marked = |said: &step_log::Said| {
        said.range.and_then(|range| Excerpt::of_range(failure.excerpts.first()?, range, spec))
    };
    let mut said = step_log::said(&failure.log).into_iter();
    let mut words = match said.next() {
        Some(first) => Words {
            excerpts: marked(&first).into_iter().collect(),
            notes: vec![one_line(failure)],
            ..Words::new(exit, &first.message)
        },
        None => Words {
            causes: failure.cause.as_deref().map(|cause| chain(cause, &failure.message)).unwrap_or_default(),
            ..Words::new(exit, &one_line(failure))
        },
    };
    for more in said {
        let place = marked(&more).map(|excerpt| format!("{}: ", excerpt.place()));
        words.notes.push(format!("{}{}", place.unwrap_or_default(), more.message));
    }
    if words.excerpts.is_empty() {
        words.excerpts =
            failure.excerpts.iter().filter_map(|excerpt| Excerpt::of_op(excerpt, spec)).collect();
    }
    words.step = Some((failure.name.clone(), failure.log.clone()));
    words.help.clone_from(&failure.hint);
    words
}

/// Returns the words of `failure` in one line: names of steps may hold pieces of the spec.
fn one_line(failure: &SolveFailure) -> String {
    match failure.name.as_str() {
        "" => words_of(&failure.message),
        name => format!("{}: {}", words_of(name), words_of(&failure.message)),
    }
}

/// Returns `text` on one line, safe to show.
fn clean_line(text: &str) -> String {
    clean(text.as_bytes(), Keep::Nothing).replace('\n', " ")
}

fn words_of(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The target that people are told about when they name none.
const EXAMPLE: &str = "trixie/deb";

fn unknown_target(exit: Exit, target: &str, routes: &[String]) -> Words {
    let list = "`dalec targets` lists all of them";
    let mut words = match target {
        "" => Words::new(exit, "no target is given"),
        _ => Words::new(exit, &format!("there is no target `{target}`")),
    };
    // One that needs no image from anywhere, if it is there.
    let example = routes.iter().find(|route| *route == EXAMPLE).or(routes.first()).map_or("", String::as_str);
    // Not every target key stands for a target of its own.
    if target.contains(',') {
        let flags: Vec<String> = target.split(',').map(|one| format!("--target {}", one.trim())).collect();
        words.help = Some(format!("give each target by itself: {}", flags.join(" ")));
        return words;
    }
    let is_below = |route: &str| route.strip_prefix(target).is_some_and(|rest| rest.starts_with('/'));
    let below = routes.iter().map(String::as_str).find(|route| is_below(route));
    let close = below.or_else(|| dalec_spec::suggest(target, routes.iter().map(String::as_str)));
    words.help = Some(match close {
        Some(close) => format!("did you mean `{close}`? {list}"),
        None if target.is_empty() => {
            format!("choose one with --target, for example `--target {example}`; {list}")
        }
        None => list.to_owned(),
    });
    words
}

fn renamed(source: &SourceText, spec: &SpecName) -> SourceText {
    SourceText::new(spec.show(source.name()), source.text())
}

/// Returns the words of `error` and everything below it, leaving out what the words before it say already.
fn chain(error: &(dyn Error + 'static), before: &str) -> Vec<String> {
    let mut causes: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let words = error.to_string();
        let known = causes.last().map_or(before, String::as_str);
        if !words.is_empty() && !known.contains(&words) {
            causes.push(words);
        }
        next = error.source();
    }
    causes
}

fn chain_below(error: &(dyn Error + 'static)) -> Vec<String> {
    error.source().map(|source| chain(source, &error.to_string())).unwrap_or_default()
}
