//! Blobs that the daemon writes into a cache directory.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::sync::{Arc, MutexGuard, PoisonError};

use dalec_wire::random_hex;
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

use super::messages::{Action, Ingest, WriteRequest, WriteResponse};
use super::store::{Digest, Store, failed};
use crate::session::rpc::Messages;

/// Messages from the network that wait for the disk.
const QUEUE: usize = 16;

/// Returns how far the blob called `reference` is: a broken one begins anew.
pub(super) fn status(store: &Store, reference: &str) -> Result<Ingest, Status> {
    match writing(store).contains(reference) {
        true => Ok(Ingest { reference: reference.to_owned(), ..Ingest::default() }),
        false => Err(Status::not_found(format!("nothing is written as {reference}"))),
    }
}

/// Forgets the blob called `reference`; what is written of it goes with its call.
pub(super) fn abort(store: &Store, reference: &str) -> Result<(), Status> {
    match writing(store).remove(reference) {
        true => Ok(()),
        false => Err(Status::not_found(format!("nothing is written as {reference}"))),
    }
}

fn writing(store: &Store) -> MutexGuard<'_, BTreeSet<String>> {
    store.writing.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Writes one blob.
pub(super) fn write(store: Arc<Store>, mut incoming: Streaming<WriteRequest>) -> Messages<WriteResponse> {
    let (requests, waiting) = mpsc::channel(QUEUE);
    let (answers, outgoing) = mpsc::channel(QUEUE);
    tokio::spawn(async move {
        while let Ok(Some(request)) = incoming.message().await {
            if requests.send(request).await.is_err() {
                return;
            }
        }
    });
    tokio::task::spawn_blocking(move || {
        if let Err(status) = run(&store, waiting, &answers) {
            // Nobody may be there to hear it.
            let _ = answers.blocking_send(Err(status));
        }
    });
    Box::pin(ReceiverStream::new(outgoing))
}

fn run(
    store: &Store,
    mut requests: mpsc::Receiver<WriteRequest>,
    answers: &mpsc::Sender<Result<WriteResponse, Status>>,
) -> Result<(), Status> {
    let Some(first) = requests.blocking_recv() else { return Ok(()) };
    if first.reference.is_empty() {
        return Err(Status::invalid_argument("the first message has no reference"));
    }
    let mut blob = Blob::begin(store, &first)?;
    let mut next = Some(first);
    while let Some(request) = next.take().or_else(|| requests.blocking_recv()) {
        let action = request.action();
        blob.take(&request)?;
        if action == Action::Commit {
            blob.commit()?;
        }
        // The daemon may have gone; what is committed stays.
        let _ = answers.blocking_send(Ok(blob.answer(action)));
        if action == Action::Commit {
            break;
        }
    }
    Ok(())
}

/// A blob that is being written; without a commit nothing is left of it.
struct Blob<'a> {
    store: &'a Store,
    reference: String,
    path: PathBuf,
    file: File,
    hash: Sha256,
    offset: u64,
    total: u64,
    expected: Option<Digest>,
}

impl<'a> Blob<'a> {
    fn begin(store: &'a Store, first: &WriteRequest) -> Result<Self, Status> {
        let dir = store.ingest_dir()?;
        let name = random_hex(16).map_err(|error| failed(&dir, &error))?;
        let path = dir.join(name);
        if !writing(store).insert(first.reference.clone()) {
            return Err(Status::unavailable(format!("{} is being written already", first.reference)));
        }
        let file = File::create_new(&path).map_err(|error| {
            writing(store).remove(&first.reference);
            failed(&path, &error)
        })?;
        Ok(Self {
            store,
            reference: first.reference.clone(),
            path,
            file,
            hash: Sha256::new(),
            offset: 0,
            total: 0,
            expected: None,
        })
    }

    fn take(&mut self, request: &WriteRequest) -> Result<(), Status> {
        if !request.expected.is_empty() {
            let expected: Digest = request.expected.parse()?;
            if self.store.has(&expected) {
                return Err(Status::already_exists(format!("{expected} is there already")));
            }
            self.expected = Some(expected);
        }
        if let Ok(total @ 1..) = u64::try_from(request.total) {
            self.total = total;
        }
        if request.action() == Action::Stat {
            return Ok(());
        }
        let at = u64::try_from(request.offset).unwrap_or(0);
        if at == 0 && self.offset > 0 && request.action() == Action::Write {
            self.file.set_len(0).map_err(|error| failed(&self.path, &error))?;
            self.file = File::create(&self.path).map_err(|error| failed(&self.path, &error))?;
            (self.hash, self.offset) = (Sha256::new(), 0);
        } else if at > 0 && at != self.offset {
            return Err(Status::out_of_range(format!("byte {at} does not follow byte {}", self.offset)));
        }
        self.file.write_all(&request.data).map_err(|error| failed(&self.path, &error))?;
        self.hash.update(&request.data);
        self.offset += request.data.len() as u64;
        Ok(())
    }

    fn digest(&self) -> Digest {
        Digest::finished(self.hash.clone())
    }

    fn commit(&mut self) -> Result<(), Status> {
        let digest = self.digest();
        if self.total > 0 && self.total != self.offset {
            let message = format!("{} bytes came, not {}", self.offset, self.total);
            return Err(Status::failed_precondition(message));
        }
        if let Some(expected) = self.expected.as_ref().filter(|expected| **expected != digest) {
            return Err(Status::failed_precondition(format!("{digest} came, not {expected}")));
        }
        self.file.sync_all().map_err(|error| failed(&self.path, &error))?;
        let place = self.store.path(&digest);
        std::fs::rename(&self.path, &place).map_err(|error| failed(&place, &error))
    }

    fn answer(&self, action: Action) -> WriteResponse {
        WriteResponse {
            action: action.into(),
            offset: self.offset as i64,
            total: self.total as i64,
            digest: self.digest().to_string(),
        }
    }
}

impl Drop for Blob<'_> {
    fn drop(&mut self) {
        writing(self.store).remove(&self.reference);
        // Gone already when it was committed.
        let _ = std::fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(action: Action, data: &str, expected: &str) -> WriteRequest {
        WriteRequest {
            action: action.into(),
            reference: "ref".into(),
            expected: expected.into(),
            data: data.as_bytes().to_vec(),
            ..WriteRequest::default()
        }
    }

    fn write_all(store: &Store, sent: Vec<WriteRequest>) -> Result<(), Status> {
        let (sender, requests) = mpsc::channel(10);
        sent.into_iter().for_each(|request| sender.try_send(request).unwrap());
        drop(sender);
        run(store, requests, &mpsc::channel(10).0)
    }

    #[test]
    fn a_blob_is_there_when_it_is_committed_and_right() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::cache(dir.path());
        let digest = Digest::of(b"content");
        let expected = digest.to_string();
        let first = request(Action::Write, "con", "");
        let rest = WriteRequest { offset: 3, ..request(Action::Commit, "tent", &expected) };
        write_all(&store, vec![first.clone()]).unwrap();
        assert!(!store.has(&digest));
        write_all(&store, vec![first.clone(), rest.clone()]).unwrap();
        assert_eq!(std::fs::read(store.path(&digest)).unwrap(), b"content");
        let again = write_all(&store, vec![first, rest]).unwrap_err();
        assert_eq!(again.code(), tonic::Code::AlreadyExists);
        let wrong = request(Action::Commit, "other", &Digest::of(b"else").to_string());
        assert_eq!(write_all(&store, vec![wrong]).unwrap_err().code(), tonic::Code::FailedPrecondition);
        assert_eq!(std::fs::read_dir(dir.path().join("ingest")).unwrap().count(), 0);
    }

    #[test]
    fn layouts_are_for_reading() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::layout(dir.path(), vec![b"index".to_vec()]);
        assert!(store.has(&Digest::of(b"index")));
        assert!(write_all(&store, vec![request(Action::Write, "x", "")]).is_err());
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn digests_are_no_paths() {
        for text in ["sha256:../../etc/passwd", "sha256:", "sha512:00", "", "sha256:ABCD"] {
            assert!(text.parse::<Digest>().is_err(), "{text}");
        }
    }
}
