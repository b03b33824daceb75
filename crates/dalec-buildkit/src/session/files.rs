//! Sends directories of this host to the daemon: the sending half of BuildKit's file transfer.
//!
//! Everything that passes the filter is announced in order, directories before what is in them. The daemon compares sizes
//! and times with what it has, and asks for what differs. Owners become root. Sockets, pipes and devices are left out, and
//! so are extended attributes; every link of a file is a file of its own.

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use dalec_files::{FollowError, PrivateKeys, Selection, Withheld, Without, follow_links};
use http::HeaderMap;
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, Stat as UnixStat};
use tokio::sync::{Semaphore, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::body::Body;
use tonic::{Response, Status, Streaming};

use super::packets::{Kind, Packet, Stat, mode};
use super::rpc::{self, Answer, Messages, Rpc};

/// Files that are read at the same time.
const READERS: usize = 4;
/// Packets on their way to the network.
const QUEUE: usize = 64;
/// Bytes of a file in one packet.
const PIECE: usize = 64 << 10;

/// What is served of this host, by name.
pub(super) struct Files {
    pub(super) dirs: BTreeMap<String, PathBuf>,
    /// What is left out of them.
    pub(super) withheld: Withheld,
    /// Takes the private keys among what is announced.
    pub(super) private_keys: PrivateKeys,
    /// Directories with nothing but one file.
    pub(super) files: BTreeMap<String, PathBuf>,
}

impl Rpc for Files {
    const NAME: &'static str = "moby.filesync.v1.FileSync";

    fn call(self: Arc<Self>, method: &str, request: http::Request<Body>) -> Answer {
        match method {
            "DiffCopy" => {
                let wanted = self.wanted(request.headers());
                rpc::streams(request, move |request| {
                    let wanted = wanted.clone();
                    async move { Ok(Response::new(transfer(wanted?, request.into_inner()))) }
                })
            }
            _ => rpc::unknown(),
        }
    }
}

/// What the daemon asks for.
#[derive(Debug, Clone)]
struct Wanted {
    root: PathBuf,
    /// The only name in it that is served.
    only: Option<Vec<u8>>,
    include: Vec<String>,
    exclude: Vec<String>,
    follow: Vec<String>,
    withheld: Withheld,
    private_keys: PrivateKeys,
}

impl Files {
    fn wanted(&self, headers: &HeaderMap) -> Result<Wanted, Status> {
        let name = list(headers, "dir-name").into_iter().next().unwrap_or_default();
        let file = self.files.get(&name).and_then(|path| Some((path.parent()?, path.file_name()?)));
        let (root, only) = match (self.dirs.get(&name), file) {
            (Some(dir), _) => (dir.as_path(), None),
            (None, Some((dir, file))) => (dir, Some(file.as_bytes().to_vec())),
            (None, None) => return Err(Status::not_found(format!("no directory called {name:?} was given"))),
        };
        Ok(Wanted {
            root: root.to_owned(),
            only,
            include: list(headers, "include-patterns"),
            exclude: list(headers, "exclude-patterns"),
            follow: list(headers, "followpaths"),
            withheld: self.withheld.clone(),
            private_keys: self.private_keys.clone(),
        })
    }
}

/// Returns the values of a header; those that are not plain ASCII come encoded like a form.
fn list(headers: &HeaderMap, name: &str) -> Vec<String> {
    let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let encoded = headers.get(format!("{name}-encoded")).is_some_and(|value| value == "1" || value == "true");
    let values = headers.get_all(name).iter().map(text);
    if encoded { values.map(|value| decode(&value)).collect() } else { values.collect() }
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let escaped = tail.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let escaped = escaped.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        rest = match (first, escaped) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                &tail[2..]
            }
            (b'+', _) => {
                bytes.push(b' ');
                tail
            }
            (byte, _) => {
                bytes.push(*byte);
                tail
            }
        };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

type Sender = mpsc::Sender<Result<Packet, Status>>;
/// Files that may be asked for, by number.
type Announced = Arc<Mutex<HashMap<u32, PathBuf>>>;

fn transfer(wanted: Wanted, incoming: Streaming<Packet>) -> Messages<Packet> {
    let (sender, receiver) = mpsc::channel(QUEUE);
    let announced = Announced::default();
    tokio::spawn(answer(incoming, sender.clone(), announced.clone()));
    tokio::task::spawn_blocking(move || {
        let mut walk = Walk::new(&sender, &announced, &wanted);
        match walk.run(&wanted) {
            Ok(()) => drop(sender.blocking_send(Ok(Packet::of(Kind::Stat)))),
            // The daemon went away; there is nobody to tell.
            Err(Stopped::Gone) => {}
            Err(Stopped::Failed(message)) => drop(sender.blocking_send(Ok(Packet::error(&message)))),
        }
    });
    Box::pin(ReceiverStream::new(receiver))
}

/// Sends what the daemon asks for, until it has everything.
async fn answer(mut incoming: Streaming<Packet>, sender: Sender, announced: Announced) {
    let readers = Arc::new(Semaphore::new(READERS));
    loop {
        let packet = match incoming.message().await {
            Ok(Some(packet)) => packet,
            // Broken off; what is still to be sent finds nobody.
            Ok(None) | Err(_) => return,
        };
        match packet.kind() {
            Kind::Request => {
                let path = announced.lock().unwrap_or_else(PoisonError::into_inner).remove(&packet.id);
                let Some(path) = path else {
                    let status = Status::invalid_argument(format!("there is no file number {}", packet.id));
                    let _ = sender.send(Err(status)).await;
                    return;
                };
                // It is never closed.
                let Ok(permit) = readers.clone().acquire_owned().await else { return };
                let sender = sender.clone();
                tokio::task::spawn_blocking(move || {
                    send_file(&sender, packet.id, &path);
                    drop(permit);
                });
            }
            Kind::Finished => {
                let _ = sender.send(Ok(Packet::of(Kind::Finished))).await;
                return;
            }
            Kind::Error => {
                let message = String::from_utf8_lossy(&packet.data).into_owned();
                let _ = sender.send(Err(Status::aborted(message))).await;
                return;
            }
            Kind::Stat | Kind::Data => {}
        }
    }
}

fn send_file(sender: &Sender, id: u32, path: &Path) {
    let send =
        |data: Vec<u8>| sender.blocking_send(Ok(Packet { id, data, ..Packet::of(Kind::Data) })).is_ok();
    let read = || -> std::io::Result<()> {
        let mut file = open(path)?;
        loop {
            let mut piece = vec![0; PIECE];
            let length = file.read(&mut piece)?;
            piece.truncate(length);
            // Nobody listens any more, or this was the empty piece that says so.
            if !send(piece) || length == 0 {
                return Ok(());
            }
        }
    };
    if let Err(error) = read() {
        let message = format!("cannot read {}: {error}", path.display());
        let _ = sender.blocking_send(Ok(Packet::error(&message)));
    }
}

/// Opens a file for reading, but no symbolic link, and without waiting for a pipe's writer.
fn open(path: &Path) -> std::io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    Ok(File::from(rustix::fs::openat(CWD, path, flags, Mode::empty())?))
}

enum Stopped {
    Gone,
    Failed(String),
}

impl From<FollowError> for Stopped {
    fn from(error: FollowError) -> Self {
        Self::Failed(error.to_string())
    }
}

struct Walk<'a> {
    sender: &'a Sender,
    announced: &'a Announced,
    without: Without<'a>,
    keys: &'a PrivateKeys,
    next: u32,
    /// Directories on the way here that are only announced when something in them is.
    above: Vec<Stat>,
}

impl<'a> Walk<'a> {
    fn new(sender: &'a Sender, announced: &'a Announced, wanted: &'a Wanted) -> Self {
        let without = wanted.withheld.within(&wanted.root);
        Self { sender, announced, without, keys: &wanted.private_keys, next: 0, above: Vec::new() }
    }

    fn run(&mut self, wanted: &Wanted) -> Result<(), Stopped> {
        let failed = |error: &dyn std::error::Error| Stopped::Failed(error.to_string());
        let mut include = wanted.include.clone();
        if let Some(name) = &wanted.only {
            let selection = Selection::new(&include, &wanted.exclude).map_err(|error| failed(&error))?;
            let host = wanted.root.join(OsStr::from_bytes(name));
            return self.entry(&selection, &host, &mut name.clone());
        }
        let check = || match self.sender.is_closed() {
            true => Err(Stopped::Gone),
            false => Ok(()),
        };
        for path in follow_links(&wanted.root, &wanted.follow, &check)? {
            if !include.contains(&path) {
                include.push(path);
            }
        }
        let selection = Selection::new(&include, &wanted.exclude).map_err(|error| failed(&error))?;
        self.dir(&selection, &wanted.root, &mut Vec::new())
    }

    fn dir(&mut self, selection: &Selection, dir: &Path, path: &mut Vec<u8>) -> Result<(), Stopped> {
        let failed =
            |error: std::io::Error| Stopped::Failed(format!("cannot read {}: {error}", dir.display()));
        let entries = std::fs::read_dir(dir).map_err(failed)?;
        let names = entries.map(|entry| entry.map(|entry| entry.file_name().into_vec()));
        let mut names = names.collect::<Result<Vec<_>, _>>().map_err(failed)?;
        names.sort_unstable();
        for name in names {
            let length = path.len();
            if length > 0 {
                path.push(b'/');
            }
            path.extend_from_slice(&name);
            self.entry(selection, &dir.join(OsStr::from_bytes(&name)), path)?;
            path.truncate(length);
        }
        Ok(())
    }

    fn entry(&mut self, selection: &Selection, host: &Path, path: &mut Vec<u8>) -> Result<(), Stopped> {
        let included = selection.includes(path);
        let below = selection.may_include_below(path);
        if !included && !below {
            return Ok(());
        }
        let failed =
            |error: std::io::Error| Stopped::Failed(format!("cannot read {}: {error}", host.display()));
        let found = match rustix::fs::statat(CWD, host, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(found) => found,
            // Removed since the directory was listed: then it is not there.
            Err(rustix::io::Errno::NOENT) => return Ok(()),
            Err(error) => return Err(failed(error.into())),
        };
        if self.without.holds(path, found.st_dev, found.st_ino) {
            return Ok(());
        }
        let mut stat = stat(path, &found);
        match FileType::from_raw_mode(found.st_mode) {
            FileType::Directory => {
                stat.mode |= mode::DIR;
                self.above.push(stat);
                let depth = self.above.len();
                if included && !self.without.is_above(path) {
                    self.announce_above()?;
                }
                if below {
                    self.dir(selection, host, path)?;
                }
                // It is still there when nothing in it was announced.
                if self.above.len() == depth {
                    self.above.pop();
                }
                Ok(())
            }
            _ if !included => Ok(()),
            FileType::RegularFile => {
                stat.size = found.st_size;
                self.keys.look(host, found.st_size as u64, open);
                self.announce_above()?;
                let id = self.next;
                self.announced.lock().unwrap_or_else(PoisonError::into_inner).insert(id, host.to_owned());
                self.announce(stat)
            }
            FileType::Symlink => {
                stat.mode |= mode::SYMLINK;
                stat.link = std::fs::read_link(host).map_err(failed)?.into_os_string().into_vec();
                stat.size = stat.link.len() as i64;
                self.announce_above()?;
                self.announce(stat)
            }
            _ => Ok(()),
        }
    }

    fn announce_above(&mut self) -> Result<(), Stopped> {
        std::mem::take(&mut self.above).into_iter().try_for_each(|stat| self.announce(stat))
    }

    fn announce(&mut self, stat: Stat) -> Result<(), Stopped> {
        self.next += 1;
        let packet = Packet { stat: Some(stat), ..Packet::of(Kind::Stat) };
        self.sender.blocking_send(Ok(packet)).map_err(|_| Stopped::Gone)
    }
}

fn stat(path: &[u8], found: &UnixStat) -> Stat {
    let modified = found.st_mtime.saturating_mul(1_000_000_000).saturating_add(found.st_mtime_nsec as i64);
    Stat { path: path.to_vec(), mode: mode::from_unix(found.st_mode), modified, ..Stat::default() }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn announced(wanted: &Wanted) -> Vec<String> {
        let (sender, mut receiver) = mpsc::channel(1000);
        let announced = Announced::default();
        let mut walk = Walk::new(&sender, &announced, wanted);
        if let Err(Stopped::Failed(message)) = walk.run(wanted) {
            return vec![message];
        }
        drop(sender);
        let mut lines = Vec::new();
        while let Ok(packet) = receiver.try_recv() {
            let stat = packet.unwrap().stat.unwrap();
            let path = String::from_utf8(stat.path).unwrap();
            let link = String::from_utf8(stat.link).unwrap();
            let arrow = if link.is_empty() { "" } else { " -> " };
            let kind = if stat.mode & mode::DIR != 0 { "/" } else { "" };
            lines.push(format!("{path}{kind}{arrow}{link}"));
        }
        lines
    }

    fn wanted(root: &Path, include: &[&str], exclude: &[&str], follow: &[&str]) -> Wanted {
        let list = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        Wanted {
            root: root.to_owned(),
            only: None,
            include: list(include),
            exclude: list(exclude),
            follow: list(follow),
            withheld: Withheld::default(),
            private_keys: PrivateKeys::default(),
        }
    }

    #[test]
    fn what_passes_the_patterns_is_announced_in_order_with_its_directories() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("a/deep/er")).unwrap();
        fs::create_dir_all(dir.path().join("empty")).unwrap();
        for name in ["a/deep/er/x.c", "a/y.h", "a-b", "z.c"] {
            fs::write(dir.path().join(name), name).unwrap();
        }
        symlink("a/y.h", dir.path().join("link")).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(dir.path().join("socket")).unwrap();
        let all = wanted(dir.path(), &[], &[], &[]);
        assert_eq!(
            announced(&all),
            [
                "a/",
                "a/deep/",
                "a/deep/er/",
                "a/deep/er/x.c",
                "a/y.h",
                "a-b",
                "empty/",
                "link -> a/y.h",
                "z.c"
            ]
        );
        let sources = wanted(dir.path(), &["**/*.c"], &[], &[]);
        assert_eq!(announced(&sources), ["a/", "a/deep/", "a/deep/er/", "a/deep/er/x.c", "z.c"]);
        let rest = wanted(dir.path(), &[], &["a", "!a/y.h", "link"], &[]);
        assert_eq!(announced(&rest), ["a/", "a/y.h", "a-b", "empty/", "z.c"]);
        let followed = wanted(dir.path(), &[], &[], &["link"]);
        assert_eq!(announced(&followed), ["a/", "a/y.h", "link -> a/y.h"]);
        let bad = wanted(dir.path(), &["["], &[], &[]);
        assert_eq!(announced(&bad), ["malformed pattern \"[\""]);
    }

    /// A key for signers may lie among the sources, under several names.
    #[test]
    fn what_is_withheld_is_not_announced() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::write(at("key.asc"), "secret").unwrap();
        fs::write(at("source.c"), "").unwrap();
        fs::hard_link(at("key.asc"), at("other")).unwrap();
        let mut all = wanted(dir.path(), &[], &[], &[]);
        all.withheld = Withheld::of([at("key.asc").as_path()]);
        assert_eq!(announced(&all), ["source.c"]);
        fs::create_dir(at("out")).unwrap();
        fs::write(at("out/a.deb"), "").unwrap();
        all.withheld = Withheld::default().with_places([at("out"), at("other")]);
        assert_eq!(announced(&all), ["key.asc", "source.c"]);
    }

    #[test]
    fn private_keys_that_are_sent_are_told() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::write(at("key.asc"), "-----BEGIN PGP PRIVATE KEY BLOCK-----\n").unwrap();
        fs::write(at("source.c"), "").unwrap();
        let some = wanted(dir.path(), &[], &["key.asc"], &[]);
        assert_eq!((announced(&some).len(), some.private_keys.met().len()), (1, 0));
        let all = wanted(dir.path(), &[], &[], &[]);
        assert_eq!((announced(&all).len(), all.private_keys.met()), (2, [at("key.asc")].into()));
    }

    #[test]
    fn files_keep_their_permissions_and_lose_their_owners() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tool");
        fs::write(&path, "#!/bin/sh\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o4755)).unwrap();
        let found = rustix::fs::stat(&path).unwrap();
        let stat = stat(b"tool", &found);
        assert_eq!((stat.uid, stat.gid, mode::to_unix(stat.mode)), (0, 0, 0o4755));
    }

    #[test]
    fn headers_may_be_encoded() {
        let mut headers = HeaderMap::new();
        headers.append("followpaths", "a%20b+c".parse().unwrap());
        assert_eq!(list(&headers, "followpaths"), ["a%20b+c"]);
        headers.append("followpaths-encoded", "1".parse().unwrap());
        headers.append("followpaths", "%C3%A4%zz".parse().unwrap());
        assert_eq!(list(&headers, "followpaths"), ["a b c", "ä%zz"]);
    }

    #[test]
    fn only_directories_that_were_given_are_served() {
        let files = Files {
            dirs: [("context".to_owned(), PathBuf::from("/src"))].into(),
            withheld: Withheld::default(),
            private_keys: PrivateKeys::default(),
            files: [("tool".to_owned(), PathBuf::from("/bin/sh"))].into(),
        };
        let mut headers = HeaderMap::new();
        headers.append("dir-name", "context".parse().unwrap());
        assert_eq!(files.wanted(&headers).unwrap().root, Path::new("/src"));
        headers.insert("dir-name", "tool".parse().unwrap());
        assert_eq!(announced(&files.wanted(&headers).unwrap()).len(), 1);
        headers.insert("dir-name", "../etc".parse().unwrap());
        assert_eq!(files.wanted(&headers).unwrap_err().code(), tonic::Code::NotFound);
    }
}
