//! How a build is watched: one model fed by the engine's events, and a view for every kind of reader.
//!
//! | `--progress` | reader | view |
//! |---|---|---|
//! | `tty` | a person at a terminal | [`tty`]: running steps redrawn in place, finished ones one line each |
//! | `plain` | a log | [`plain`]: one numbered line per thing that happened |
//! | `json` | a program | [`json`]: one object per line |
//! | `quiet` | nobody | nothing but errors |
//!
//! Views turn changes into text and are given the time; only [`Display`] reads the clock and writes to standard error.

pub mod json;
mod lines;
mod model;
mod plain;
mod tty;
pub mod words;

use std::io::Write;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use annotate_snippets::Level;
use dalec_gateway::{Event, Progress, ProgressSink, Warning};

use crate::errors::{Report, SpecName, Style, excerpts_of_warning};
use crate::terminal::{self, Size, Stream};
use model::{Change, Model};
pub use tty::RESTORE;

/// Events that may wait for the display before the build has to wait for it: a build that writes faster than a
/// terminal reads must not fill the memory.
const QUEUE: usize = 1024;
/// Time between two frames.
const FRAME: Duration = Duration::from_millis(80);

/// What `--progress` names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Mode {
    /// tty on a terminal, plain elsewhere
    #[default]
    Auto,
    /// running steps, redrawn in place
    Tty,
    /// one line per thing that happens, for logs
    Plain,
    /// one JSON object per line (docs/progress-json.md)
    Json,
    /// nothing but errors
    Quiet,
}

impl Mode {
    /// Returns the mode with `auto` replaced by what fits standard error.
    pub fn decided(self) -> Self {
        match self {
            Self::Auto if terminal::is_terminal(Stream::Stderr) && !terminal::is_dumb() => Self::Tty,
            Self::Auto => Self::Plain,
            mode => mode,
        }
    }
}

/// Turns what happens into text.
trait View: Send {
    /// Shows an event as it came.
    fn event(&mut self, _event: &Event, _out: &mut String) {}
    /// Shows what an event changed.
    fn change(&mut self, _model: &Model, _change: &Change, _out: &mut String) {}
    /// Shows a fact about the build that no step owns.
    fn note(&mut self, _topic: &str, _text: &str, _out: &mut String) {}
    /// Redraws what is redrawn in place.
    fn frame(&mut self, _model: &Model, _now: SystemTime, _size: Size, _out: &mut String) {}
    /// Returns whether [`View::frame`] does something.
    fn is_animated(&self) -> bool {
        false
    }
    /// Ends the display and leaves the terminal as it was.
    fn end(&mut self, _out: &mut String) {}
}

/// Shows nothing.
struct Quiet;

impl View for Quiet {}

/// What a display shows beside the events.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// How; decided already.
    pub mode: Mode,
    /// What is built, for the head of the live view.
    pub title: String,
    /// Colours.
    pub color: bool,
    /// What the spec is called.
    pub spec: SpecName,
}

enum Message {
    Event(Box<Event>),
    Note(String, String),
    End,
}

/// A running display; ends with [`Display::end`] or when it is dropped.
pub struct Display {
    messages: SyncSender<Message>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Display {
    /// Starts a display on standard error.
    pub fn start(options: Options) -> Self {
        let (messages, inbox) = mpsc::sync_channel(QUEUE);
        let thread = std::thread::spawn(move || show(options, &inbox));
        Self { messages, thread: Mutex::new(Some(thread)) }
    }

    /// Returns where the engine sends its events.
    pub fn sink(&self) -> Progress {
        Arc::new(Sink(self.messages.clone()))
    }

    /// Shows a fact about the build that no step owns, such as how the engine runs.
    pub fn note(&self, topic: &str, text: &str) {
        let _ = self.messages.send(Message::Note(topic.to_owned(), text.to_owned()));
    }

    /// Shows a fact like [`Display::note`], or leaves it out when the reader of the output is too far behind: never
    /// waits.
    pub fn try_note(&self, topic: &str, text: &str) {
        let _ = self.messages.try_send(Message::Note(topic.to_owned(), text.to_owned()));
    }

    /// Shows what is still waiting and leaves the terminal as it was; what comes later is not shown.
    pub fn end(&self) {
        let thread = self.thread.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).take();
        let Some(thread) = thread else { return };
        // The display only stops on its own when it panicked; there is nothing left to close then.
        let _ = self.messages.send(Message::End);
        let _ = thread.join();
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        self.end();
    }
}

struct Sink(SyncSender<Message>);

impl ProgressSink for Sink {
    fn event(&self, event: Event) {
        // Events after the end of the display have no reader.
        let _ = self.0.send(Message::Event(Box::new(event)));
    }
}

fn view(options: Options) -> Box<dyn View> {
    match options.mode {
        Mode::Tty => Box::new(tty::Tty::new(options, SystemTime::now())),
        Mode::Json => Box::new(json::Json),
        Mode::Quiet => Box::new(Quiet),
        Mode::Plain | Mode::Auto => Box::new(plain::Plain::new(options.spec)),
    }
}

fn show(options: Options, inbox: &Receiver<Message>) {
    let mut view = view(options);
    let mut model = Model::default();
    let mut out = String::new();
    let mut next_frame = Instant::now();
    loop {
        let message = if view.is_animated() {
            inbox.recv_timeout(next_frame.saturating_duration_since(Instant::now()))
        } else {
            inbox.recv().map_err(|_| RecvTimeoutError::Disconnected)
        };
        let ended = matches!(&message, Ok(Message::End) | Err(RecvTimeoutError::Disconnected));
        if let Ok(message) = message {
            take(message, view.as_mut(), &mut model, &mut out);
        }
        if ended {
            view.end(&mut out);
            write(&mut out);
            return;
        }
        if view.is_animated() && Instant::now() >= next_frame {
            view.frame(&model, SystemTime::now(), terminal::size(), &mut out);
            next_frame = Instant::now() + FRAME;
        }
        write(&mut out);
    }
}

fn take(message: Message, view: &mut dyn View, model: &mut Model, out: &mut String) {
    match message {
        Message::Event(event) => {
            view.event(&event, out);
            for change in model.apply(&event) {
                view.change(model, &change, out);
            }
        }
        Message::Note(topic, text) => view.note(&topic, &text, out),
        Message::End => {}
    }
}

fn write(out: &mut String) {
    if !out.is_empty() {
        // Nobody can be told that standard error is closed.
        let _ = std::io::stderr().lock().write_all(out.as_bytes());
        out.clear();
    }
}

/// Returns a warning in the look of the spec room's findings, ending with a line break.
fn warning_text(warning: &Warning, spec: &SpecName, style: Style) -> String {
    let remarks: Vec<(&str, String)> = match warning.detail.join("\n") {
        detail if detail.is_empty() => Vec::new(),
        detail => vec![("note", detail)],
    };
    let excerpts = excerpts_of_warning(warning, spec);
    let report =
        Report { level: Level::WARNING, headline: &warning.short, excerpts: &excerpts, remarks: &remarks };
    report.render(style)
}

#[cfg(test)]
mod tests;
