//! What is known of a running build: its steps, the parts of their work, and the end of what they wrote.
//!
//! Fed by the engine's events, read by the views. It has no clock of its own and prints nothing.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, SystemTime};

use dalec_gateway::{Event, LogStream, VertexEvent, Warning};
use dalec_targets::marker;

use crate::progress::lines::Lines;
use crate::terminal::{Keep, clean};

/// Lines of a step's log that are kept for display.
const TAIL: usize = 12;

/// A build as far as it is known.
#[derive(Debug, Default)]
pub struct Model {
    steps: Vec<Step>,
    index: HashMap<String, usize>,
    warnings: Vec<Warning>,
}

/// One vertex.
#[derive(Debug, Default)]
pub struct Step {
    /// Name to show, safe for a terminal.
    pub name: String,
    /// Phase it belongs to; empty for none. Safe for a terminal.
    pub group: String,
    /// When it started.
    pub started: Option<SystemTime>,
    /// When it ended.
    pub completed: Option<SystemTime>,
    /// Whether its result was known already.
    pub cached: bool,
    /// Why it failed.
    pub error: Option<String>,
    /// The parts of its work, in the order they became known.
    pub parts: Vec<Part>,
    /// The last lines it wrote, as they came, without line breaks.
    pub tail: VecDeque<Vec<u8>>,
    stdout: Lines,
    stderr: Lines,
}

/// A part of a step's work: a download, an unpacking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// What it is, safe for a terminal.
    pub id: String,
    /// How far it is, in bytes or items.
    pub current: u64,
    /// How far it goes; 0 when not known.
    pub total: u64,
    /// When it was heard of first, and how far it was then.
    pub first: (SystemTime, u64),
    /// When it was heard of last.
    pub at: SystemTime,
    /// Whether it is done.
    pub completed: bool,
}

/// What an event changed.
#[derive(Debug, PartialEq)]
pub enum Change {
    /// A step started.
    Started(usize),
    /// A step ended: it ran, failed, or its result was known.
    Ended(usize),
    /// A part of a step's work moved on.
    Part {
        /// Number of the step.
        step: usize,
        /// Number of the part in it.
        part: usize,
    },
    /// A step wrote a line.
    Line {
        /// Number of the step.
        step: usize,
        /// The line as it came, without line break.
        line: Vec<u8>,
        /// When.
        at: SystemTime,
    },
    /// Someone warned.
    Warning(Warning),
}

impl Model {
    /// Returns a step that a [`Change`] named.
    pub fn step(&self, number: usize) -> &Step {
        &self.steps[number]
    }

    /// Returns the steps in the order they became known, with their numbers.
    pub fn steps(&self) -> impl Iterator<Item = (usize, &Step)> {
        self.steps.iter().enumerate()
    }

    /// Returns when the first step of a phase started.
    pub fn group_started(&self, group: &str) -> Option<SystemTime> {
        self.steps.iter().filter(|step| step.group == group).filter_map(|step| step.started).min()
    }

    /// Takes an event and returns what it changed.
    pub fn apply(&mut self, event: &Event) -> Vec<Change> {
        match event {
            Event::Vertex(vertex) => self.vertex(vertex),
            Event::Status { vertex, id, current, total, at, completed } => {
                let step = self.find(vertex);
                let part = self.steps[step].part(id, *at, *current);
                let known = &mut self.steps[step].parts[part];
                (known.current, known.total, known.at) = (*current, *total, *at);
                known.completed |= completed;
                vec![Change::Part { step, part }]
            }
            Event::Log { vertex, stream, data, at } => {
                let step = self.find(vertex);
                let known = &mut self.steps[step];
                let lines = match stream {
                    LogStream::Stdout => known.stdout.take(data),
                    LogStream::Stderr => known.stderr.take(data),
                };
                let lines: Vec<Vec<u8>> = lines.iter().map(|line| for_people(line)).collect();
                known.keep(&lines);
                lines.into_iter().map(|line| Change::Line { step, line, at: *at }).collect()
            }
            // Several targets of one spec often say the same.
            Event::Warning(warning) if self.warnings.contains(warning) => Vec::new(),
            Event::Warning(warning) => {
                self.warnings.push(warning.clone());
                vec![Change::Warning(warning.clone())]
            }
        }
    }

    fn vertex(&mut self, event: &VertexEvent) -> Vec<Change> {
        let number = self.find(&event.digest);
        let step = &mut self.steps[number];
        step.name = clean(event.name.as_bytes(), Keep::Nothing);
        step.group = clean(event.group.as_bytes(), Keep::Nothing);
        // Solved again and found in the cache: that it ran in this build is what people want to see.
        if step.completed.is_some() && (event.cached || event.started <= step.started) {
            return Vec::new();
        }
        let mut changes = Vec::new();
        if event.started.is_some() && step.started != event.started {
            changes.push(Change::Started(number));
        }
        step.started = event.started;
        step.completed = event.completed;
        step.cached = event.cached;
        step.error = event.error.as_deref().map(|error| clean(error.as_bytes(), Keep::Nothing));
        if let Some(at) = event.completed {
            let unfinished = step.stdout.end().into_iter().chain(step.stderr.end());
            let rest: Vec<Vec<u8>> = unfinished.map(|line| for_people(&line)).collect();
            step.keep(&rest);
            changes.extend(rest.into_iter().map(|line| Change::Line { step: number, line, at }));
            // Whole builds have thousands of steps; nobody looks at these lines again.
            step.tail.clear();
            changes.push(Change::Ended(number));
        }
        changes
    }

    fn find(&mut self, digest: &str) -> usize {
        if let Some(number) = self.index.get(digest) {
            return *number;
        }
        self.steps.push(Step::default());
        self.index.insert(digest.to_owned(), self.steps.len() - 1);
        self.steps.len() - 1
    }
}

/// Returns `line` without the numbers by which scripts name places of the spec.
fn for_people(line: &[u8]) -> Vec<u8> {
    marker::without_number(line).into_owned()
}

impl Step {
    /// Returns whether it works at the moment.
    pub fn is_running(&self) -> bool {
        self.started.is_some() && self.completed.is_none()
    }

    /// Returns how long it took, or has taken until `now`.
    pub fn elapsed(&self, now: SystemTime) -> Duration {
        self.since_start(self.completed.unwrap_or(now))
    }

    /// Returns the time from its start to `at`; nothing when it did not start.
    pub fn since_start(&self, at: SystemTime) -> Duration {
        self.started.and_then(|started| at.duration_since(started).ok()).unwrap_or_default()
    }

    fn part(&mut self, id: &str, at: SystemTime, current: u64) -> usize {
        let id = clean(id.as_bytes(), Keep::Nothing);
        if let Some(known) = self.parts.iter().position(|part| part.id == id) {
            return known;
        }
        self.parts.push(Part { id, current, total: 0, first: (at, current), at, completed: false });
        self.parts.len() - 1
    }

    fn keep(&mut self, lines: &[Vec<u8>]) {
        for line in lines {
            if self.tail.len() == TAIL {
                self.tail.pop_front();
            }
            self.tail.push_back(line.clone());
        }
    }
}
