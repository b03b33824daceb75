//! The view for logs and dumb terminals: one line per thing that happened, numbered by step.

use std::collections::HashMap;
use std::fmt::Write;
use std::time::{Duration, SystemTime};

use crate::errors::{SpecName, Style};
use crate::progress::model::{Change, Model};
use crate::progress::{View, warning_text, words};
use crate::terminal::{Keep, clean};

/// How often a part that is under way gets a line.
const PART_EVERY: Duration = Duration::from_secs(5);

/// Prints lines such as `#3 12.34 checking for gcc`.
#[derive(Debug, Default)]
pub struct Plain {
    spec: SpecName,
    numbers: HashMap<usize, usize>,
    parts: HashMap<(usize, usize), (SystemTime, bool)>,
}

impl Plain {
    /// Returns a view that calls the spec as `spec` says.
    pub fn new(spec: SpecName) -> Self {
        Self { spec, ..Self::default() }
    }

    /// Returns the number of a step, after printing its name when it is new.
    fn number(&mut self, model: &Model, step: usize, out: &mut String) -> usize {
        if let Some(number) = self.numbers.get(&step) {
            return *number;
        }
        let number = self.numbers.len() + 1;
        self.numbers.insert(step, number);
        // Writing to a string cannot fail, here and below.
        let _ = writeln!(out, "#{number} {}", title(model, step));
        number
    }

    fn ended(&mut self, model: &Model, step: usize, out: &mut String) {
        let number = self.number(model, step, out);
        let known = model.step(step);
        let _ = match &known.error {
            Some(error) => writeln!(out, "#{number} ERROR: {error}"),
            None if known.cached => writeln!(out, "#{number} CACHED"),
            None => writeln!(out, "#{number} DONE {}", words::time(known.elapsed(SystemTime::UNIX_EPOCH))),
        };
    }

    fn part(&mut self, model: &Model, step: usize, part: usize, out: &mut String) {
        let known = &model.step(step).parts[part];
        let due = match self.parts.get(&(step, part)) {
            None => true,
            Some((_, true)) => false,
            Some((last, false)) => {
                known.completed || known.at.duration_since(*last).is_ok_and(|since| since >= PART_EVERY)
            }
        };
        if !due {
            return;
        }
        self.parts.insert((step, part), (known.at, known.completed));
        let number = self.number(model, step, out);
        let _ = write!(out, "#{number} {}", known.id);
        let amount = words::amount(known);
        if !amount.is_empty() {
            let _ = write!(out, " {amount}");
        }
        out.push_str(if known.completed { " done\n" } else { "\n" });
    }
}

impl View for Plain {
    fn change(&mut self, model: &Model, change: &Change, out: &mut String) {
        match change {
            Change::Started(step) => {
                self.number(model, *step, out);
            }
            Change::Ended(step) => self.ended(model, *step, out),
            Change::Part { step, part } => self.part(model, *step, *part, out),
            Change::Line { step, line, at } => {
                let number = self.number(model, *step, out);
                let since = model.step(*step).since_start(*at).as_secs_f64();
                let _ = writeln!(out, "#{number} {since:.2} {}", clean(line, Keep::Nothing));
            }
            Change::Warning(warning) => out.push_str(&warning_text(warning, &self.spec, Style::default())),
        }
    }

    fn note(&mut self, topic: &str, text: &str, out: &mut String) {
        let _ = writeln!(out, "{topic}: {text}");
    }
}

/// Returns the name of a step with its phase.
pub fn title(model: &Model, step: usize) -> String {
    let step = model.step(step);
    match (step.group.as_str(), step.name.as_str()) {
        ("", "") => "(a step without a name)".to_owned(),
        ("", name) => name.to_owned(),
        (group, name) => format!("[{group}] {name}"),
    }
}
