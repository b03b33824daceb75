//! Events about one vertex.

use std::sync::Mutex;
use std::time::SystemTime;

use dalec_gateway::{Event, LogStream, Progress, VertexEvent};

use super::cells::locked;
use super::graph::{Graph, Vertex};

/// Tells what happens to one vertex.
pub struct VertexProgress {
    sink: Progress,
    state: Mutex<VertexEvent>,
    digest: String,
}

impl VertexProgress {
    /// Returns the teller for `vertex`; says nothing yet.
    pub fn new(sink: Progress, graph: &Graph, vertex: &Vertex) -> Self {
        let inputs = vertex.inputs.iter().map(|edge| graph.vertex(*edge).digest.clone()).collect();
        let state = VertexEvent {
            digest: vertex.digest.clone(),
            name: vertex.name.clone(),
            group: vertex.group.clone(),
            inputs,
            started: None,
            completed: None,
            cached: false,
            error: None,
        };
        Self { sink, state: Mutex::new(state), digest: vertex.digest.clone() }
    }

    /// Returns the teller for work that is no vertex of a graph: `id` names it among all others, `name` is shown.
    pub fn of_work(sink: Progress, id: &str, name: String) -> Self {
        let digest = super::graph::digest(id.as_bytes());
        let state = VertexEvent {
            digest: digest.clone(),
            name,
            group: String::new(),
            inputs: Vec::new(),
            started: None,
            completed: None,
            cached: false,
            error: None,
        };
        Self { sink, state: Mutex::new(state), digest }
    }

    /// Says that the work begins.
    pub fn start(&self) {
        self.change(|event| {
            event.started.get_or_insert_with(SystemTime::now);
        });
    }

    /// Says that the result was known.
    pub fn cached(&self) {
        self.change(|event| {
            let now = SystemTime::now();
            event.started.get_or_insert(now);
            event.completed = Some(now);
            event.cached = true;
        });
    }

    /// Says that the work ended, with the reason when it failed.
    pub fn end(&self, error: Option<String>) {
        self.change(|event| {
            let now = SystemTime::now();
            event.started.get_or_insert(now);
            event.completed = Some(now);
            event.error = error;
        });
    }

    /// Passes on what a process wrote.
    pub fn log(&self, stream: LogStream, data: &[u8]) {
        self.sink.event(Event::Log {
            vertex: self.digest.clone(),
            stream,
            data: data.to_vec(),
            at: SystemTime::now(),
        });
    }

    /// Says how far a part of the work is.
    pub fn status(&self, id: &str, current: u64, total: u64, completed: bool) {
        self.sink.event(Event::Status {
            vertex: self.digest.clone(),
            id: id.to_owned(),
            current,
            total,
            at: SystemTime::now(),
            completed,
        });
    }

    fn change(&self, change: impl FnOnce(&mut VertexEvent)) {
        let mut state = locked(&self.state);
        change(&mut state);
        self.sink.event(Event::Vertex(state.clone()));
    }
}
