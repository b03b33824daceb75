//! Writes a result into a directory of this host: the receiving half of BuildKit's file transfer.
//!
//! The daemon is not trusted with the host: paths stay below the directory and pass through no symbolic link, whatever is
//! announced and whatever lies there.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use dalec_output::Unplaced;
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};
use tokio::sync::mpsc;
use tonic::Status;

use super::packets::{Kind, Packet, Stat, mode};
use super::target::{Place, Received, Target, WriteFailure};

/// No result has more files.
const MAX_FILES: u32 = 8_000_000;

type Answers = mpsc::UnboundedSender<Result<Packet, Status>>;

/// A transfer into one directory.
pub(super) struct Receiver<'a> {
    dest: &'a Path,
    root: OwnedFd,
    answers: &'a Answers,
    /// Number of the next file.
    next: u32,
    /// Files whose content was asked for, by number.
    wanted: HashMap<u32, Wanted>,
    /// Links to files, made once all of those are here.
    links: Vec<Stat>,
    received: Received,
}

struct Wanted {
    stat: Stat,
    /// Since the first piece.
    writing: Option<Unplaced>,
}

/// Why a transfer ended early.
enum Stopped {
    /// The other side went away, or says that it failed.
    Gone,
    /// It sends what makes no sense.
    Protocol(String),
    /// This host cannot take it.
    Write(WriteFailure),
}

impl Receiver<'_> {
    /// Takes packets until everything is here; the outcome is noted in `target`.
    pub(super) fn run(target: &Target, mut packets: mpsc::Receiver<Packet>, answers: &Answers) {
        let Place::Directory(dest) = &target.place else { return };
        let outcome = open_root(dest).and_then(|root| {
            let mut receiver = Receiver {
                dest,
                root,
                answers,
                next: 0,
                wanted: HashMap::new(),
                links: Vec::new(),
                received: Received::default(),
            };
            receiver.take(&mut packets).map(|()| receiver.received)
        });
        let message = match outcome {
            Ok(received) => return target.note(received),
            Err(Stopped::Gone) => return,
            Err(Stopped::Protocol(message)) => message,
            Err(Stopped::Write(failure)) => {
                let path = failure.path.as_deref().unwrap_or(dest).display();
                let message = format!("the client cannot write {path}: {}", failure.source);
                target.fail(failure);
                message
            }
        };
        // Nobody may be there to hear it.
        let _ = answers.send(Ok(Packet::error(&message)));
        let _ = answers.send(Err(Status::aborted(message)));
    }

    fn take(&mut self, packets: &mut mpsc::Receiver<Packet>) -> Result<(), Stopped> {
        let mut announced = false;
        let mut finished = false;
        while let Some(packet) = packets.blocking_recv() {
            match packet.kind() {
                Kind::Stat => match packet.stat {
                    Some(stat) => self.file(stat)?,
                    None => announced = true,
                },
                Kind::Data => self.data(packet.id, &packet.data)?,
                Kind::Finished => return Ok(()),
                Kind::Error => return Err(Stopped::Gone),
                Kind::Request => return Err(Stopped::Protocol("a client has no files to ask for".into())),
            }
            if announced && !finished && self.wanted.is_empty() {
                self.link_files()?;
                self.send(Packet::of(Kind::Finished))?;
                finished = true;
            }
        }
        if finished { Ok(()) } else { Err(Stopped::Gone) }
    }

    fn send(&self, packet: Packet) -> Result<(), Stopped> {
        self.answers.send(Ok(packet)).map_err(|_| Stopped::Gone)
    }

    fn file(&mut self, stat: Stat) -> Result<(), Stopped> {
        let id = self.next;
        self.next += 1;
        if self.next > MAX_FILES {
            return Err(Stopped::Protocol("the result has too many files".into()));
        }
        if !is_clean(&stat.path) {
            let path = String::from_utf8_lossy(&stat.path).into_owned();
            return Err(Stopped::Protocol(format!("{path:?} is no path of a file in the result")));
        }
        match stat.mode & mode::KIND {
            mode::DIR => self.directory(&stat).map_err(|error| self.failed(&stat.path, error)),
            mode::SYMLINK => self.symlink(&stat).map_err(|error| self.failed(&stat.path, error)),
            0 if !stat.link.is_empty() => {
                if !is_clean(&stat.link) {
                    let path = String::from_utf8_lossy(&stat.link).into_owned();
                    return Err(Stopped::Protocol(format!("{path:?} is no path of a file in the result")));
                }
                self.links.push(stat);
                Ok(())
            }
            0 => {
                self.wanted.insert(id, Wanted { stat, writing: None });
                self.send(Packet { id, ..Packet::of(Kind::Request) })
            }
            _ => {
                let path = String::from_utf8_lossy(&stat.path).into_owned();
                Err(Stopped::Protocol(format!("the result holds {path}, which is no file to write out")))
            }
        }
    }

    fn directory(&mut self, stat: &Stat) -> io::Result<()> {
        let (dir, name) = self.place(&stat.path)?;
        dalec_output::directory(dir, name, stat.mode).map(drop)
    }

    fn symlink(&mut self, stat: &Stat) -> io::Result<()> {
        let (dir, name) = self.place(&stat.path)?;
        self.received.files.push(PathBuf::from(OsStr::from_bytes(&stat.path)));
        let written = dalec_output::symlink(dir, name, OsStr::from_bytes(&stat.link))?;
        self.received.written += usize::from(written);
        Ok(())
    }

    fn data(&mut self, id: u32, data: &[u8]) -> Result<(), Stopped> {
        let Some(mut wanted) = self.wanted.remove(&id) else {
            return Err(Stopped::Protocol(format!("there is no file number {id}")));
        };
        let path = wanted.stat.path.clone();
        let mut write = || -> io::Result<Option<Unplaced>> {
            let mut writing = match wanted.writing.take() {
                Some(writing) => writing,
                None => Unplaced::create(self.place(&path)?.0)?,
            };
            writing.file().write_all(data)?;
            Ok(Some(writing))
        };
        let writing = write().map_err(|error| self.failed(&path, error))?;
        match writing {
            Some(writing) if data.is_empty() => {
                self.finish(&wanted.stat, writing).map_err(|error| self.failed(&path, error))
            }
            writing => {
                self.wanted.insert(id, Wanted { writing, ..wanted });
                Ok(())
            }
        }
    }

    fn finish(&mut self, stat: &Stat, mut writing: Unplaced) -> io::Result<()> {
        const SECOND: i64 = 1_000_000_000;
        let name = base_name(&stat.path);
        let bits = mode::to_unix(stat.mode);
        self.received.files.push(PathBuf::from(OsStr::from_bytes(&stat.path)));
        self.received.bytes += writing.file().metadata()?.len();
        if writing.is_at(name, bits)? {
            return Ok(());
        }
        let (seconds, rest) = (stat.modified.div_euclid(SECOND), stat.modified.rem_euclid(SECOND));
        writing.place(name, bits, (seconds, rest as u32))?;
        self.received.written += 1;
        Ok(())
    }

    /// Makes the links to files that were sent once.
    fn link_files(&mut self) -> Result<(), Stopped> {
        for stat in std::mem::take(&mut self.links) {
            let mut make = || -> io::Result<()> {
                let (from, file) = self.place(&stat.link)?;
                let (dir, name) = self.place(&stat.path)?;
                self.received.files.push(PathBuf::from(OsStr::from_bytes(&stat.path)));
                let written = dalec_output::link((from, file), dir, name)?;
                self.received.written += usize::from(written);
                Ok(())
            };
            make().map_err(|error| self.failed(&stat.path, error))?;
        }
        Ok(())
    }

    /// Returns the directory that `path` is in, and its name there.
    fn place<'p>(&self, path: &'p [u8]) -> io::Result<(OwnedFd, &'p OsStr)> {
        let end = path.iter().rposition(|byte| *byte == b'/');
        let dir = end.map_or(&b"."[..], |end| &path[..end]);
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let inside = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        let opened = rustix::fs::openat2(&self.root, OsStr::from_bytes(dir), flags, Mode::empty(), inside)?;
        Ok((opened, base_name(path)))
    }

    fn failed(&self, path: &[u8], source: io::Error) -> Stopped {
        Stopped::Write(WriteFailure { path: Some(self.dest.join(OsStr::from_bytes(path))), source })
    }
}

fn open_root(dest: &Path) -> Result<OwnedFd, Stopped> {
    let open = || -> io::Result<OwnedFd> {
        std::fs::create_dir_all(dest)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(rustix::fs::openat(CWD, dest, flags, Mode::empty())?)
    };
    open().map_err(|source| Stopped::Write(WriteFailure { path: Some(dest.to_owned()), source }))
}

/// Returns whether `path` is relative and made of plain names.
fn is_clean(path: &[u8]) -> bool {
    path.split(|byte| *byte == b'/').all(|name| !matches!(name, b"" | b"." | b"..") && !name.contains(&0))
}

fn base_name(path: &[u8]) -> &OsStr {
    OsStr::from_bytes(path.rsplit(|byte| *byte == b'/').next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    use super::*;

    fn announce(path: &str, mode: u32, link: &str) -> Packet {
        let stat = Stat {
            path: path.as_bytes().to_vec(),
            mode,
            link: link.as_bytes().to_vec(),
            modified: 1_500_000_000,
            ..Stat::default()
        };
        Packet { stat: Some(stat), ..Packet::of(Kind::Stat) }
    }

    fn data(id: u32, text: &str) -> Packet {
        Packet { id, data: text.as_bytes().to_vec(), ..Packet::of(Kind::Data) }
    }

    /// Sends the packets and returns what came of them, and the words of an error.
    fn receive(dest: &Path, sent: Vec<Packet>) -> (Received, Option<String>) {
        let target = Target::directory(dest);
        let (sender, packets) = mpsc::channel(100);
        sent.into_iter().for_each(|packet| sender.try_send(packet).unwrap());
        drop(sender);
        let (answers, mut said) = mpsc::unbounded_channel();
        Receiver::run(&target, packets, &answers);
        let mut error = None;
        while let Ok(answer) = said.try_recv() {
            error = answer.err().map(|status| status.message().to_owned()).or(error);
        }
        (target.received(), error)
    }

    fn whole(id: u32, text: &str) -> [Packet; 2] {
        [data(id, text), data(id, "")]
    }

    fn result() -> Vec<Packet> {
        let setuid = mode::from_unix(0o4750);
        let mut sent = vec![
            announce("link", mode::SYMLINK | 0o777, "/etc/passwd"),
            announce("sub", mode::DIR | 0o755, ""),
            announce("sub/file", setuid, ""),
            announce("twin", 0o644, "sub/file"),
            Packet::of(Kind::Stat),
        ];
        sent.extend(whole(2, "content"));
        sent.push(Packet::of(Kind::Finished));
        sent
    }

    #[test]
    fn files_are_merged_and_the_same_ones_left_alone() {
        let out = tempfile::tempdir().unwrap();
        let dest = out.path().join("new/dest");
        fs::create_dir_all(&dest).unwrap();
        fs::write(dest.join("other"), "stays").unwrap();
        let (received, error) = receive(&dest, result());
        assert_eq!(error, None);
        assert_eq!(received.files, ["link", "sub/file", "twin"].map(PathBuf::from));
        assert_eq!((received.written, received.bytes), (3, 7));
        let file = fs::metadata(dest.join("sub/file")).unwrap();
        assert_eq!((file.mode() & 0o7777, file.mtime()), (0o750, 1));
        assert_eq!(fs::metadata(dest.join("twin")).unwrap().ino(), file.ino());
        let (again, _) = receive(&dest, result());
        assert_eq!((again.written, again.bytes), (0, 7));
        assert_eq!(fs::metadata(dest.join("sub/file")).unwrap().ino(), file.ino());
        let mut names: Vec<_> =
            fs::read_dir(&dest).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["link", "other", "sub", "twin"]);
    }

    #[test]
    fn nothing_leaves_the_directory() {
        for path in ["../x", "/x", "a/../../x", "", "a//b", ".", "a/."] {
            let out = tempfile::tempdir().unwrap();
            let dest = out.path().join("dest");
            let (_, error) = receive(&dest, vec![announce(path, 0o644, "")]);
            assert!(error.unwrap().contains("is no path of a file in the result"), "{path}");
            let (_, error) = receive(&dest, vec![announce("twin", 0o644, path.trim_end_matches('x'))]);
            assert!(error.is_none_or(|error| error.contains("is no path")), "{path}");
        }
    }

    #[test]
    fn links_in_the_destination_are_not_followed() {
        let out = tempfile::tempdir().unwrap();
        let (dest, outside) = (out.path().join("dest"), out.path().join("outside"));
        fs::create_dir_all(&dest).unwrap();
        fs::create_dir_all(&outside).unwrap();
        symlink(&outside, dest.join("sub")).unwrap();
        let (_, error) = receive(&dest, result());
        assert!(error.unwrap().starts_with("the client cannot write"));
        // One that comes with the result is no way out either.
        let mut sent = vec![
            announce("out", mode::SYMLINK | 0o777, outside.to_str().unwrap()),
            announce("out/file", 0o644, ""),
            Packet::of(Kind::Stat),
        ];
        sent.extend(whole(1, "text"));
        let (_, error) = receive(&dest, sent);
        assert!(error.unwrap().starts_with("the client cannot write"));
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
    }

    #[test]
    fn a_broken_transfer_leaves_nothing_half_written() {
        let out = tempfile::tempdir().unwrap();
        let dest = out.path();
        fs::write(dest.join("file"), "old").unwrap();
        fs::set_permissions(dest.join("file"), fs::Permissions::from_mode(0o644)).unwrap();
        let sent = vec![announce("file", 0o644, ""), Packet::of(Kind::Stat), data(0, "ne")];
        let (received, _) = receive(dest, sent);
        assert_eq!(received, Received::default());
        assert_eq!(fs::read_to_string(dest.join("file")).unwrap(), "old");
        assert_eq!(fs::read_dir(dest).unwrap().count(), 1);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let out = tempfile::tempdir().unwrap();
        for packet in [data(7, "text"), Packet::of(Kind::Request), announce("fifo", 1 << 25, "")] {
            assert!(receive(out.path(), vec![packet]).1.is_some());
        }
    }
}
