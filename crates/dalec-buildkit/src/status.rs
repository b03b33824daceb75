//! What the daemon tells of a build while it runs: as our events, and what of it is remembered.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bollard_buildkit_proto::google::protobuf::Timestamp;
use bollard_buildkit_proto::moby::buildkit::v1 as api;
use dalec_gateway::{Event, Excerpt, GatewayError, LogStream, Progress, VertexEvent, Warning};

/// Lines of one step that are remembered for its error.
const LINES: usize = 200;
/// Bytes of such a line.
const LINE: usize = 16 << 10;

/// How many steps a build had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Steps {
    /// Steps that ran.
    pub run: u64,
    /// Steps whose result was known.
    pub cached: u64,
}

/// Passes on what the daemon tells and remembers names and the ends of logs.
pub(crate) struct Tracker {
    progress: Progress,
    vertices: Mutex<HashMap<String, Vertex>>,
    /// The builds that run at the same time, and the number of this one among them.
    fellows: Option<(Arc<Fellows>, usize)>,
}

/// Builds that run at the same time. The daemon tells each of them of the steps that they share.
#[derive(Default)]
pub(crate) struct Fellows {
    builds: AtomicUsize,
    /// The build that passes on what a step writes.
    tellers: Mutex<HashMap<String, usize>>,
    /// Steps that are done, and whether no build had to run them.
    done: Mutex<HashMap<String, bool>>,
}

impl Fellows {
    /// Returns how many steps there were in all builds that have ended.
    pub(crate) fn steps(&self) -> Steps {
        let done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        done.values().fold(Steps::default(), |steps, cached| steps.and(*cached))
    }

    fn is_teller(&self, build: usize, vertex: &str) -> bool {
        let mut tellers = self.tellers.lock().unwrap_or_else(PoisonError::into_inner);
        *tellers.entry(vertex.to_owned()).or_insert(build) == build
    }

    /// Lets other builds pass on what the steps of `build` write that has ended, but for those `told` to their end.
    fn leave(&self, build: usize, told: impl Fn(&str) -> bool) {
        let mut tellers = self.tellers.lock().unwrap_or_else(PoisonError::into_inner);
        tellers.retain(|vertex, teller| *teller != build || told(vertex));
    }

    fn add(&self, vertex: &str, cached: bool) {
        let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        *done.entry(vertex.to_owned()).or_insert(true) &= cached;
    }
}

impl Steps {
    fn and(self, cached: bool) -> Self {
        match cached {
            true => Self { cached: self.cached + 1, ..self },
            false => Self { run: self.run + 1, ..self },
        }
    }
}

#[derive(Default)]
struct Vertex {
    name: String,
    is_source: bool,
    completed: bool,
    /// Whether it did what it was to do, so that nothing more is heard of it.
    succeeded: bool,
    cached: bool,
    log: VecDeque<String>,
    /// A line without its end so far.
    open: Vec<u8>,
}

impl Tracker {
    pub(crate) fn new(progress: Progress, fellows: Option<Arc<Fellows>>) -> Self {
        let number = |fellows: &Arc<Fellows>| fellows.builds.fetch_add(1, Ordering::Relaxed);
        let fellows = fellows.map(|fellows| (fellows.clone(), number(&fellows)));
        Self { progress, vertices: Mutex::default(), fellows }
    }

    /// Takes one message of the daemon.
    pub(crate) fn take(&self, mut response: api::StatusResponse) {
        let mut vertices = self.vertices.lock().unwrap_or_else(PoisonError::into_inner);
        for vertex in &response.vertexes {
            let known = vertices.entry(vertex.digest.clone()).or_default();
            known.name.clone_from(&vertex.name);
            known.is_source = vertex.inputs.is_empty();
            known.completed |= vertex.completed.is_some();
            known.succeeded |= vertex.completed.is_some() && vertex.error.is_empty();
            // A step may be looked at again once its result is known; what counts is whether it ever ran.
            known.cached = vertex.cached && (known.cached || !known.completed || vertex.completed.is_some());
        }
        for log in &response.logs {
            vertices.entry(log.vertex.clone()).or_default().write(&log.msg);
        }
        drop(vertices);
        if let Some((fellows, number)) = &self.fellows {
            response.logs.retain(|log| fellows.is_teller(*number, &log.vertex));
        }
        events(response).into_iter().for_each(|event| self.progress.event(event));
    }

    /// Returns how many steps there were.
    pub(crate) fn steps(&self) -> Steps {
        let vertices = self.vertices.lock().unwrap_or_else(PoisonError::into_inner);
        // Daemons look at sources in every build, and at what they export; neither is work of the spec.
        let done = vertices.iter().filter(|(_, vertex)| vertex.completed && !vertex.is_source);
        done.fold(Steps::default(), |steps, (digest, vertex)| {
            if let Some((fellows, _)) = &self.fellows {
                fellows.add(digest, vertex.cached);
            }
            steps.and(vertex.cached)
        })
    }

    /// Adds to a failed step what only its progress says: its name and the end of its log.
    pub(crate) fn complete(&self, error: &mut GatewayError) {
        let GatewayError::Solve(failure) = error else { return };
        let vertices = self.vertices.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(vertex) = vertices.get(&failure.vertex) else { return };
        if !vertex.name.is_empty() {
            failure.name.clone_from(&vertex.name);
        }
        if failure.log.is_empty() {
            failure.log = vertex.lines();
        }
    }
}

impl Drop for Tracker {
    fn drop(&mut self) {
        let vertices = self.vertices.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some((fellows, number)) = &self.fellows {
            fellows.leave(*number, |vertex| vertices.get(vertex).is_some_and(|vertex| vertex.succeeded));
        }
    }
}

impl Vertex {
    fn write(&mut self, data: &[u8]) {
        for byte in data {
            match byte {
                b'\n' => self.end_line(),
                _ if self.open.len() < LINE => self.open.push(*byte),
                _ => {}
            }
        }
    }

    fn end_line(&mut self) {
        if self.log.len() == LINES {
            self.log.pop_front();
        }
        let line = std::mem::take(&mut self.open);
        self.log.push_back(String::from_utf8_lossy(&line).into_owned());
    }

    fn lines(&self) -> Vec<String> {
        let open = (!self.open.is_empty()).then(|| String::from_utf8_lossy(&self.open).into_owned());
        self.log.iter().cloned().chain(open).collect()
    }
}

fn events(response: api::StatusResponse) -> Vec<Event> {
    let api::StatusResponse { vertexes, statuses, logs, warnings } = response;
    let vertices = vertexes.into_iter().map(|vertex| {
        Event::Vertex(VertexEvent {
            digest: vertex.digest,
            name: vertex.name,
            group: vertex.progress_group.map(|group| group.name).unwrap_or_default(),
            inputs: vertex.inputs,
            started: vertex.started.map(time),
            completed: vertex.completed.map(time),
            cached: vertex.cached,
            error: (!vertex.error.is_empty()).then_some(vertex.error),
        })
    });
    let statuses = statuses.into_iter().map(|status| Event::Status {
        vertex: status.vertex,
        id: if status.name.is_empty() { status.id } else { status.name },
        current: u64::try_from(status.current).unwrap_or(0),
        total: u64::try_from(status.total).unwrap_or(0),
        at: status.timestamp.map_or(UNIX_EPOCH, time),
        completed: status.completed.is_some(),
    });
    let logs = logs.into_iter().map(|log| Event::Log {
        vertex: log.vertex,
        stream: if log.stream == 2 { LogStream::Stderr } else { LogStream::Stdout },
        data: log.msg,
        at: log.timestamp.map_or(UNIX_EPOCH, time),
    });
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let warnings = warnings.into_iter().map(|warning| {
        Event::Warning(Warning {
            short: text(warning.short),
            detail: warning.detail.into_iter().map(text).collect(),
            excerpt: warning.info.map(|info| Excerpt { info, ranges: warning.ranges }),
        })
    });
    vertices.chain(statuses).chain(logs).chain(warnings).collect()
}

fn time(timestamp: Timestamp) -> SystemTime {
    let seconds = u64::try_from(timestamp.seconds).unwrap_or(0);
    let nanoseconds = u32::try_from(timestamp.nanos).unwrap_or(0);
    // A time that no clock can show is as good as none.
    UNIX_EPOCH.checked_add(Duration::new(seconds, nanoseconds.min(999_999_999))).unwrap_or(UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use dalec_gateway::{ProgressSink, SolveFailure};

    use super::*;

    #[derive(Default)]
    struct Kept(Mutex<Vec<Event>>);

    impl ProgressSink for Kept {
        fn event(&self, event: Event) {
            self.0.lock().unwrap().push(event);
        }
    }

    fn vertex(digest: &str, cached: bool) -> api::Vertex {
        let completed = Some(Timestamp { seconds: 7, nanos: 0 });
        let name = format!("step {digest}");
        let inputs = vec!["source".to_owned()];
        api::Vertex { digest: digest.into(), inputs, name, cached, completed, ..api::Vertex::default() }
    }

    #[test]
    fn a_failed_step_gets_its_name_and_the_end_of_its_log() {
        let kept = Arc::new(Kept::default());
        let tracker = Tracker::new(kept.clone(), None);
        let log = |text: &str| api::VertexLog {
            vertex: "a".into(),
            stream: 2,
            msg: text.as_bytes().to_vec(),
            ..api::VertexLog::default()
        };
        tracker.take(api::StatusResponse {
            vertexes: vec![
                vertex("a", false),
                vertex("b", true),
                vertex("c", true),
                api::Vertex { inputs: Vec::new(), ..vertex("source", false) },
            ],
            logs: vec![log("one\ntw"), log("o\nthree")],
            ..api::StatusResponse::default()
        });
        assert_eq!(tracker.steps(), Steps { run: 1, cached: 2 });
        assert_eq!(kept.0.lock().unwrap().len(), 6);
        let mut error = GatewayError::Solve(Box::new(SolveFailure {
            vertex: "a".into(),
            name: String::new(),
            message: "exit code: 1".into(),
            hint: None,
            exit_code: Some(1),
            log: Vec::new(),
            excerpts: Vec::new(),
            details: Vec::new(),
            cause: None,
        }));
        tracker.complete(&mut error);
        let GatewayError::Solve(failure) = error else { panic!("another error") };
        assert_eq!(failure.name, "step a");
        assert_eq!(failure.log, ["one", "two", "three"]);
    }

    #[test]
    fn a_step_of_several_builds_is_told_and_counted_once() {
        let (kept, fellows) = (Arc::new(Kept::default()), Arc::new(Fellows::default()));
        for cached in [false, true] {
            let tracker = Tracker::new(kept.clone(), Some(fellows.clone()));
            let log =
                api::VertexLog { vertex: "a".into(), msg: b"once".to_vec(), ..api::VertexLog::default() };
            tracker.take(api::StatusResponse {
                vertexes: vec![vertex("a", cached)],
                logs: vec![log],
                ..api::StatusResponse::default()
            });
            assert_eq!(tracker.steps(), Steps::default().and(cached));
        }
        let is_log = |event: &&Event| matches!(event, Event::Log { .. });
        assert_eq!(kept.0.lock().unwrap().iter().filter(is_log).count(), 1);
        assert_eq!(fellows.steps(), Steps { run: 1, cached: 0 });
    }

    #[test]
    fn another_build_tells_of_the_steps_that_one_leaves_behind() {
        let (kept, fellows) = (Arc::new(Kept::default()), Arc::new(Fellows::default()));
        let [first, second] = [0, 1].map(|_| Tracker::new(kept.clone(), Some(fellows.clone())));
        let write = |tracker: &Tracker, text: &str, vertexes: Vec<api::Vertex>| {
            let log = |vertex: &str| api::VertexLog {
                vertex: vertex.into(),
                msg: format!("{text} {vertex}").into_bytes(),
                ..api::VertexLog::default()
            };
            let logs = ["done", "failed", "running"].map(log).to_vec();
            tracker.take(api::StatusResponse { vertexes, logs, ..api::StatusResponse::default() });
        };
        let failed = api::Vertex { error: "exit code: 1".into(), ..vertex("failed", false) };
        let running = api::Vertex { completed: None, ..vertex("running", false) };
        write(&first, "first", vec![vertex("done", false), failed, running]);
        write(&second, "unheard", Vec::new());
        drop(first);
        write(&second, "second", Vec::new());
        let kept = kept.0.lock().unwrap();
        let logs = kept.iter().filter_map(|event| match event {
            Event::Log { data, .. } => Some(String::from_utf8_lossy(data)),
            _ => None,
        });
        let logs: Vec<_> = logs.collect();
        assert_eq!(logs, ["first done", "first failed", "first running", "second failed", "second running"]);
    }
}
