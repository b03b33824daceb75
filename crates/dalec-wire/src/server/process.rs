//! Processes in containers: one stream of messages for any number of them, in both directions.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Write};
use std::sync::{Arc, Mutex};

use api::exec_message::Input;
use bollard_buildkit_proto::google::rpc;
use bollard_buildkit_proto::moby::buildkit::v1::frontend as api;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, Streaming};

use super::answers::locked;
use super::container::Containers;
use super::host::{Exit, ProcessControl, ProcessRequest, StartedProcess};
use crate::errors;
use dalec_gateway::GatewayError;

/// Messages that may wait on the way from a process.
const WAITING: usize = 16;

/// Bytes that may wait for a process to read them. Until then its frontend is listened to, for it may want to end a
/// process that reads nothing.
const MAX_INPUT: usize = 4 << 20;

/// Bytes that a piece of input takes beside its content.
const PIECE_COST: usize = 128;

/// Most bytes of the name of a process, which is kept after its end.
const MAX_NAME: usize = 256;

const PIECE: usize = 32 << 10;

/// What BuildKit's clients take for a process whose status is not known.
const UNKNOWN_STATUS: u32 = 255;

type Sender = mpsc::Sender<Result<api::ExecMessage, Status>>;

/// Runs what `messages` ask for in `containers`, and returns what is said about it.
///
/// The processes end with the messages, or when nobody listens any more.
pub fn converse(
    containers: Arc<Containers>,
    messages: Streaming<api::ExecMessage>,
) -> ReceiverStream<Result<api::ExecMessage, Status>> {
    let (sender, receiver) = mpsc::channel(WAITING);
    tokio::spawn(async move {
        let mut conversation = Conversation { containers, sender: sender.clone(), processes: Arc::default() };
        let followed = tokio::select! {
            followed = conversation.follow(messages) => followed,
            () = sender.closed() => Ok(()),
        };
        drop(conversation);
        if let Err(status) = followed {
            // The frontend may be gone, and with it whoever would hear of it.
            let _ = sender.send(Err(status)).await;
        }
    });
    ReceiverStream::new(receiver)
}

/// Dropped, its processes are killed.
struct Conversation {
    containers: Arc<Containers>,
    sender: Sender,
    processes: Arc<Mutex<Processes>>,
}

/// Processes by name; none for those that have ended, whose names are not given again.
type Processes = BTreeMap<String, Option<Process>>;

/// A process as its frontend reaches it.
struct Process {
    /// Takes what it reads; gone when the frontend said that there is no more.
    input: Option<ProcessInput>,
    control: Arc<dyn ProcessControl>,
}

/// The way to the input of a process.
#[derive(Clone)]
struct ProcessInput {
    pieces: mpsc::UnboundedSender<Piece>,
    /// Bytes that may still be put into `pieces`.
    room: Arc<Semaphore>,
}

/// A piece of input, with the room that it takes until it is written.
struct Piece {
    data: Vec<u8>,
    _room: OwnedSemaphorePermit,
}

impl Drop for Conversation {
    fn drop(&mut self) {
        for process in locked(&self.processes).values().flatten() {
            // The only failure is a signal that does not exist.
            let _ = process.control.signal("KILL");
        }
    }
}

impl Conversation {
    async fn follow(&mut self, mut messages: Streaming<api::ExecMessage>) -> Result<(), Status> {
        while let Some(message) = messages.message().await? {
            let id = message.process_id;
            if id.is_empty() {
                return Err(Status::invalid_argument("a message belongs to no process"));
            }
            match message.input {
                Some(Input::Init(init)) => self.start(id, init).await?,
                Some(Input::File(file)) => self.write(&id, file).await?,
                Some(Input::Resize(size)) => {
                    let side = |length: u32| u16::try_from(length).unwrap_or(u16::MAX);
                    self.with(&id, |process| process.control.resize(side(size.rows), side(size.cols)))?;
                }
                Some(Input::Signal(signal)) => {
                    let sent = self.with(&id, |process| process.control.signal(&signal.name))?;
                    sent.unwrap_or(Ok(())).map_err(|error| errors::to_status(&error))?;
                }
                Some(Input::Started(_) | Input::Exit(_) | Input::Done(_)) | None => {}
            }
        }
        Ok(())
    }

    /// Does something with a process; nothing when it has ended, which its frontend may not have heard of yet.
    fn with<T>(&self, id: &str, work: impl FnOnce(&mut Process) -> T) -> Result<Option<T>, Status> {
        match locked(&self.processes).get_mut(id) {
            Some(process) => Ok(process.as_mut().map(work)),
            None => Err(Status::not_found(format!("there is no process {id:?}"))),
        }
    }

    async fn start(&mut self, id: String, mut init: api::InitMessage) -> Result<(), Status> {
        if id.len() > MAX_NAME {
            return Err(Status::invalid_argument(format!(
                "a process has a name of more than {MAX_NAME} bytes"
            )));
        }
        if locked(&self.processes).contains_key(&id) {
            return Err(Status::already_exists(format!("there is a process {id:?} already")));
        }
        let Some(meta) = init.meta.take() else {
            return Err(Status::invalid_argument(format!("nothing says what the process {id:?} runs")));
        };
        let request = ProcessRequest {
            meta,
            security: init.security(),
            terminal: init.tty,
            input: init.fds.contains(&0),
            secret_env: std::mem::take(&mut init.secretenv),
        };
        let containers = self.containers.clone();
        let container = init.container_id;
        let started = blocking(move || containers.get(&container)?.start(request)).await?;
        let StartedProcess { streams, control, wait } = started;
        // Before anything that it writes.
        self.say(&id, Input::Started(api::StartedMessage {})).await;
        let mut readers = tokio::task::JoinSet::new();
        for (fd, file) in [(1, streams.stdout), (2, streams.stderr)] {
            let wanted = init.fds.contains(&fd);
            let (sender, id) = (self.sender.clone(), id.clone());
            readers.spawn_blocking(move || read(file, wanted.then_some((&sender, &id, fd))));
        }
        let input = streams.stdin.map(|stdin| {
            let (pieces, receiver) = mpsc::unbounded_channel();
            tokio::task::spawn_blocking(move || feed(stdin, receiver));
            ProcessInput { pieces, room: Arc::new(Semaphore::new(MAX_INPUT)) }
        });
        locked(&self.processes).insert(id.clone(), Some(Process { input, control }));
        let (sender, processes) = (self.sender.clone(), self.processes.clone());
        tokio::spawn(async move {
            let exit = blocking(wait).await;
            locked(&processes).insert(id.clone(), None);
            let sent = sender.send(Ok(message(&id, Input::Exit(exit_message(exit))))).await;
            while readers.join_next().await.is_some() {}
            if sent.is_ok() {
                let _ = sender.send(Ok(message(&id, Input::Done(api::DoneMessage {})))).await;
            }
        });
        Ok(())
    }

    async fn write(&mut self, id: &str, file: api::FdMessage) -> Result<(), Status> {
        let input = self.with(id, |process| match file.eof {
            true => process.input.take(),
            false => process.input.clone(),
        })?;
        if file.fd != 0 {
            return Err(Status::out_of_range(format!("nothing can be written to descriptor {}", file.fd)));
        }
        let Some(input) = input.flatten().filter(|_| !file.data.is_empty()) else { return Ok(()) };
        let wanted = file.data.len().saturating_add(PIECE_COST).min(MAX_INPUT);
        let wanted = u32::try_from(wanted).unwrap_or(u32::MAX);
        if let Ok(room) = input.room.acquire_many_owned(wanted).await {
            // A process that has closed its input does not want it.
            let _ = input.pieces.send(Piece { data: file.data, _room: room });
        }
        Ok(())
    }

    async fn say(&self, id: &str, input: Input) {
        // The end of the stream is seen where messages come in.
        let _ = self.sender.send(Ok(message(id, input))).await;
    }
}

/// Reads what a process writes to its end, and passes it on to whoever wants it.
fn read(file: Option<File>, listener: Option<(&Sender, &str, u32)>) {
    let mut buffer = vec![0; PIECE];
    let mut listening = listener;
    if let Some(mut file) = file {
        // A terminal that nobody runs on any more gives an error instead of an end.
        while let Ok(length @ 1..) = file.read(&mut buffer) {
            let Some((sender, id, fd)) = listening else { continue };
            let piece = api::FdMessage { fd, eof: false, data: buffer[..length].to_vec() };
            if sender.blocking_send(Ok(message(id, Input::File(piece)))).is_err() {
                listening = None;
            }
        }
    }
    if let Some((sender, id, fd)) = listening {
        let end = api::FdMessage { fd, eof: true, data: Vec::new() };
        let _ = sender.blocking_send(Ok(message(id, Input::File(end))));
    }
}

/// Writes what comes to the input of a process until it reads no more.
fn feed(mut stdin: File, mut pieces: mpsc::UnboundedReceiver<Piece>) {
    while let Some(piece) = pieces.blocking_recv() {
        if stdin.write_all(&piece.data).is_err() {
            return;
        }
    }
}

fn exit_message(exit: Result<Exit, Status>) -> api::ExitMessage {
    match exit {
        Ok(Exit(0)) => api::ExitMessage { code: 0, error: None },
        Ok(Exit(code)) => {
            let error = rpc::Status {
                code: Code::Unknown as i32,
                message: format!("exit code: {code}"),
                details: Vec::new(),
            };
            api::ExitMessage { code, error: Some(error) }
        }
        Err(status) => {
            let error = errors::to_rpc(&errors::from_status(&status));
            api::ExitMessage { code: UNKNOWN_STATUS, error: Some(error) }
        }
    }
}

fn message(id: &str, input: Input) -> api::ExecMessage {
    api::ExecMessage { process_id: id.to_owned(), input: Some(input) }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, GatewayError> + Send + 'static,
) -> Result<T, Status> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done.map_err(|error| errors::to_status(&error)),
        Err(error) => Err(Status::internal(format!("the call was not finished: {error}"))),
    }
}
