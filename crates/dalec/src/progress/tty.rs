//! The view for people: what runs is redrawn in place, what ended becomes one line above it.
//!
//! Nothing appears in the first moment, so a build that finds everything in the cache shows its summary alone.
//! A frame is one write, wrapped in the marks for synchronised output and never taller than the terminal, so that
//! it neither flickers nor scrolls. Automatic wrapping is off while it draws: wide characters cannot break it.

use std::fmt::Write;
use std::time::{Duration, SystemTime};

use crate::errors::Style;
use crate::progress::model::{Change, Model, Part, Step};
use crate::progress::{Options, View, warning_text, words};
use crate::terminal::{Keep, Size, clean, cut};

/// Time before anything appears.
const PATIENCE: Duration = Duration::from_millis(150);
/// How steps are named that nobody asked for, such as reading the spec.
const INTERNAL: &str = "[internal]";
/// Such steps get a line of their own when they take this long.
const NOTABLE: Duration = Duration::from_secs(1);
/// Most lines of a running step's log.
const LOG_LINES: usize = 6;
/// Most unfinished parts shown one by one.
const PARTS: usize = 4;
const SPINNER: [&str; 10] = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];

const HIDE_CURSOR: &str = "\x1b[?25l\x1b[?7l";
/// Shows the cursor and wraps lines again.
pub const RESTORE: &str = "\x1b[?7h\x1b[?25h";

/// Draws a build on a terminal.
#[derive(Debug)]
pub struct Tty {
    options: Options,
    started: SystemTime,
    visible: bool,
    /// Lines of the live area on the screen.
    drawn: usize,
    /// Finished lines for above the live area.
    finished: Vec<String>,
    /// Text that is shown even if the live area never appears.
    urgent: String,
    cached: usize,
    frames: usize,
}

impl Tty {
    /// Returns a view of a build that starts at `started`.
    pub fn new(options: Options, started: SystemTime) -> Self {
        Self {
            options,
            started,
            visible: false,
            drawn: 0,
            finished: Vec::new(),
            urgent: String::new(),
            cached: 0,
            frames: 0,
        }
    }

    fn paint(&self) -> Paint {
        Paint { color: self.options.color }
    }

    fn ended(&mut self, step: &Step) {
        let took = step.elapsed(SystemTime::UNIX_EPOCH);
        self.cached += usize::from(step.cached);
        if step.name.starts_with(INTERNAL) && step.error.is_none() && took < NOTABLE {
            return;
        }
        let paint = self.paint();
        let name = match step.group.as_str() {
            "" => step.name.clone(),
            group => format!("{} {}", paint.dim(&format!("[{group}]")), step.name),
        };
        let time = words::time(took);
        match &step.error {
            Some(error) => self.finished.push(format!("{} {name}  {}", paint.red("✗"), paint.red(error))),
            None if step.cached => {
                self.finished.push(format!("{} {name}  {}", paint.green("✓"), paint.dim("CACHED")));
            }
            None => self.finished.push(format!("{} {name}  {}", paint.green("✓"), paint.dim(&time))),
        }
    }

    /// Moves to the top of the live area, so that what comes next replaces it.
    fn rewind(&mut self, out: &mut String) {
        if self.drawn > 0 {
            // Writing to a string cannot fail, here and below.
            let _ = write!(out, "\x1b[{}A\r", self.drawn);
            self.drawn = 0;
        }
    }

    fn flush_finished(&mut self, width: usize, out: &mut String) {
        for line in self.finished.drain(..) {
            let _ = writeln!(out, "{}\x1b[K", cut(&line, width));
        }
    }

    fn flush_urgent(&mut self, out: &mut String) {
        for line in std::mem::take(&mut self.urgent).lines() {
            let _ = writeln!(out, "{line}\x1b[K");
        }
    }
}

impl View for Tty {
    fn change(&mut self, model: &Model, change: &Change, _out: &mut String) {
        match change {
            Change::Ended(step) => self.ended(model.step(*step)),
            Change::Warning(warning) => {
                let style = Style { color: self.options.color, width: None };
                self.urgent.push_str(&warning_text(warning, &self.options.spec, style));
            }
            Change::Started(_) | Change::Part { .. } | Change::Line { .. } => {}
        }
    }

    fn note(&mut self, topic: &str, text: &str, _out: &mut String) {
        let line = self.paint().dim(&format!("  {topic}: {text}"));
        self.finished.push(line);
    }

    fn frame(&mut self, model: &Model, now: SystemTime, size: Size, out: &mut String) {
        if !self.visible && now.duration_since(self.started).unwrap_or_default() < PATIENCE {
            return;
        }
        let live = Frame {
            model,
            now,
            size,
            paint: self.paint(),
            spinner: SPINNER[self.frames % SPINNER.len()],
            title: &self.options.title,
            elapsed: now.duration_since(self.started).unwrap_or_default(),
            cached: self.cached,
        }
        .lines();
        self.frames += 1;
        out.push_str("\x1b[?2026h");
        if !self.visible {
            out.push_str(HIDE_CURSOR);
            self.visible = true;
        }
        self.rewind(out);
        self.flush_urgent(out);
        self.flush_finished(size.width, out);
        for line in &live {
            let _ = writeln!(out, "{}\x1b[K", cut(line, size.width));
        }
        self.drawn = live.len();
        out.push_str("\x1b[J\x1b[?2026l");
    }

    fn is_animated(&self) -> bool {
        true
    }

    fn end(&mut self, out: &mut String) {
        self.rewind(out);
        if self.visible {
            out.push_str("\x1b[J");
            self.flush_urgent(out);
            self.flush_finished(usize::MAX, out);
            out.push_str(RESTORE);
        } else {
            out.push_str(&self.urgent);
        }
    }
}

/// Everything that one frame of the live area shows.
struct Frame<'a> {
    model: &'a Model,
    now: SystemTime,
    size: Size,
    paint: Paint,
    spinner: &'static str,
    title: &'a str,
    elapsed: Duration,
    cached: usize,
}

impl Frame<'_> {
    fn lines(&self) -> Vec<String> {
        // One line stays free for the cursor, one so that the last finished step is always seen.
        let room = self.size.height.saturating_sub(2).max(1);
        let mut lines = vec![self.head()];
        let running: Vec<&Step> =
            self.model.steps().map(|(_, step)| step).filter(|step| step.is_running()).collect();
        let groups = by_group(&running);
        let fixed = 1 + running.len() + groups.iter().filter(|(group, _)| !group.is_empty()).count();
        let spare = room.saturating_sub(fixed) / running.len().max(1);
        for (group, steps) in &groups {
            let indent = match *group {
                "" => "",
                group => {
                    let since = self.model.group_started(group);
                    let elapsed = since.and_then(|since| self.now.duration_since(since).ok());
                    lines.push(
                        self.justified(&self.paint.bold(group), &words::time(elapsed.unwrap_or_default())),
                    );
                    "  "
                }
            };
            for step in steps {
                let name = format!("{indent}{} {}", self.paint.cyan(self.spinner), step.name);
                lines.push(self.justified(&name, &words::time(step.elapsed(self.now))));
                lines.extend(self.details(step, spare).into_iter().map(|line| format!("{indent}    {line}")));
            }
        }
        if lines.len() > room {
            let hidden = lines.len() - room + 1;
            lines.truncate(room - 1);
            lines.push(self.paint.dim(&format!("  … {}", words::count(hidden as u64, "more line"))));
        }
        lines
    }

    fn head(&self) -> String {
        let count = |test: fn(&Step) -> bool| self.model.steps().filter(|(_, step)| test(step)).count();
        let done = count(|step| step.completed.is_some());
        let mut text = format!("{} of {} steps done", done, self.model.steps().count());
        if self.cached > 0 {
            let _ = write!(text, ", {} cached", self.cached);
        }
        let left = format!("{} {}", self.paint.bold(self.title), self.paint.dim(&text));
        self.justified(&left, &words::time(self.elapsed))
    }

    /// Returns at most `most` lines about what a step does at the moment.
    fn details(&self, step: &Step, most: usize) -> Vec<String> {
        let mut lines = self.parts(step);
        lines.truncate(most);
        let logs = LOG_LINES.min(most - lines.len());
        let keep = if self.paint.color { Keep::Style } else { Keep::Nothing };
        let tail = step.tail.iter().skip(step.tail.len().saturating_sub(logs));
        lines.extend(tail.map(|line| format!("{} {}", self.paint.dim("│"), clean(line, keep))));
        lines
    }

    /// Returns the unfinished parts of a step: each for itself while they are few, else their sum.
    fn parts(&self, step: &Step) -> Vec<String> {
        let open: Vec<&Part> = step.parts.iter().filter(|part| !part.completed).collect();
        if open.len() <= PARTS {
            return open.into_iter().map(part).collect();
        }
        let sum = |number: fn(&Part) -> u64| step.parts.iter().map(number).fold(0, u64::saturating_add);
        let Some(first) = step.parts.iter().map(|part| part.first.0).min() else { return Vec::new() };
        let all = Part {
            id: format!("{} of {} done", step.parts.len() - open.len(), step.parts.len()),
            current: sum(|part| part.current),
            total: sum(|part| part.total.max(part.current)),
            first: (first, sum(|part| part.first.1)),
            at: self.now,
            completed: false,
        };
        vec![part(&all)]
    }

    /// Returns `left` and `right` at the two ends of a line; a long `left` is cut.
    fn justified(&self, left: &str, right: &str) -> String {
        let right_width = right.chars().count();
        let left = cut(left, self.size.width.saturating_sub(right_width + 2));
        let seen = clean(left.as_bytes(), Keep::Nothing).chars().count();
        let gap = self.size.width.saturating_sub(seen + right_width + 1);
        format!("{left}{}{}", " ".repeat(gap), self.paint.dim(right))
    }
}

fn part(part: &Part) -> String {
    let mut text = part.id.clone();
    for more in [words::amount(part), words::speed(part).unwrap_or_default()] {
        if !more.is_empty() {
            let _ = write!(text, "  {more}");
        }
    }
    text
}

/// Returns `steps` by their phase, phases in the order of their first step.
fn by_group<'a>(steps: &[&'a Step]) -> Vec<(&'a str, Vec<&'a Step>)> {
    let mut groups: Vec<(&str, Vec<&Step>)> = Vec::new();
    for step in steps {
        match groups.iter_mut().find(|(group, _)| *group == step.group) {
            Some((_, members)) => members.push(step),
            None => groups.push((&step.group, vec![step])),
        }
    }
    groups
}

/// Colours, where they are wanted.
#[derive(Debug, Clone, Copy)]
struct Paint {
    color: bool,
}

impl Paint {
    fn with(self, style: &str, text: &str) -> String {
        match self.color {
            true => format!("\x1b[{style}m{text}\x1b[0m"),
            false => text.to_owned(),
        }
    }

    fn bold(self, text: &str) -> String {
        self.with("1", text)
    }

    fn dim(self, text: &str) -> String {
        self.with("2", text)
    }

    fn red(self, text: &str) -> String {
        self.with("31", text)
    }

    fn green(self, text: &str) -> String {
        self.with("32", text)
    }

    fn cyan(self, text: &str) -> String {
        self.with("36", text)
    }
}
