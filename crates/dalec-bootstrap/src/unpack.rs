//! Unpacks the packages of a recipe into a root, several at a time.
//!
//! Takes the place of `dpkg --unpack`: files, links, directories, the package database and the
//! few settings that a container image has. Runs nothing. The result does not depend on the order
//! in which packages get their turn: see [`crate::claims`] for files and directories; symbolic
//! links are made last, one package after the other, so an existing directory always wins over a
//! link of the same name, as with dpkg. Only `base-files`, whose links others go through, comes
//! first as a whole.

use std::fs;
use std::io::{self, Read};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use md5::{Digest, Md5};

use crate::claims::{Claims, Verdict, canonical, is_merged};
use crate::deb::{self, ControlFile, DebError, Kind, Member, MemberPath, Visitor};
use crate::dpkg_database::{self, Conffile, Control, Record, parse_conffiles};
use crate::error::BootstrapError;
use crate::progress::{self, Event, Progress};
use crate::recipe::{Package, Recipe};
use crate::tree::{Attributes, Directory, Tree};

const BUFFER: usize = 128 << 10;

/// How to unpack.
#[derive(Debug, Clone, Copy)]
pub struct UnpackOptions {
    /// Whether files get the numeric owners that their packages say; otherwise all belong to the
    /// caller, which is all there is in a namespace with a single id.
    pub map_ids: bool,
    /// How many packages are unpacked at once; at least one.
    pub threads: usize,
}

impl Default for UnpackOptions {
    fn default() -> Self {
        let threads = std::thread::available_parallelism().map_or(2, usize::from);
        Self { map_ids: true, threads: threads.clamp(2, 8) }
    }
}

/// A root being filled.
pub(crate) struct Unpacker<'a> {
    recipe: &'a Recipe,
    tree: Tree,
    claims: Claims<'a>,
    symlinks: Mutex<Vec<(usize, Member)>>,
    records: Mutex<Vec<Option<Record>>>,
    newest: AtomicU64,
    progress: &'a dyn Progress,
}

impl<'a> Unpacker<'a> {
    /// Prepares `root`, an existing and empty directory.
    pub(crate) fn new(
        recipe: &'a Recipe,
        root: &Path,
        options: UnpackOptions,
        progress: &'a dyn Progress,
    ) -> Result<Self, BootstrapError> {
        let is_empty = fs::read_dir(root).map_err(BootstrapError::io("read", root))?.next().is_none();
        if !is_empty {
            let source = io::Error::from(io::ErrorKind::DirectoryNotEmpty);
            return Err(BootstrapError::io("unpack into", root)(source));
        }
        let tree = Tree::open(root, options.map_ids).map_err(BootstrapError::io("open", root))?;
        tree.directory(b"")
            .and_then(|directory| tree.set_directory(&directory, Attributes::directory()))
            .map_err(BootstrapError::io("change", root))?;
        dpkg_database::create(&tree)?;
        let mut records = Vec::new();
        records.resize_with(recipe.packages.len(), || None);
        Ok(Self {
            recipe,
            tree,
            claims: Claims::new(recipe),
            symlinks: Mutex::default(),
            records: Mutex::new(records),
            newest: AtomicU64::new(0),
            progress,
        })
    }

    /// Unpacks one package; may be called from several threads, once for each package.
    pub(crate) fn unpack(&self, position: usize, deb: &Path) -> Result<(), BootstrapError> {
        progress::check(self.progress)?;
        let package = &self.recipe.packages[position];
        let mut visitor = PackageVisitor {
            unpacker: self,
            position,
            package,
            record: None,
            open: None,
            symlinks: Vec::new(),
            buffer: vec![0; BUFFER],
        };
        deb::read(deb, &mut visitor).map_err(|failure| failure.about(package))?;
        let symlinks = visitor.symlinks;
        let Some(record) = visitor.record else {
            return Err(Failure::Reason("it has no control files".to_owned()).about(package));
        };
        if Some(position) == self.recipe.skeleton() {
            self.make_symlinks(symlinks)?;
        } else {
            lock(&self.symlinks).extend(symlinks);
        }
        lock(&self.records)[position] = Some(record);
        self.progress.report(Event::Unpacked { package: package.name.clone() });
        Ok(())
    }

    /// Writes what needs all packages to be there; returns the time of the newest file in them.
    pub(crate) fn finish(self) -> Result<u64, BootstrapError> {
        let mut symlinks = std::mem::take(&mut *lock(&self.symlinks));
        // Within a package, the order of its archive stays.
        symlinks.sort_by_key(|(position, _)| *position);
        self.make_symlinks(symlinks)?;
        let records: Vec<Record> = std::mem::take(&mut *lock(&self.records)).into_iter().flatten().collect();
        if records.len() != self.recipe.packages.len() {
            // A worker that gave up has said why, so nobody gets here with one missing.
            return Err(BootstrapError::Cancelled);
        }
        let lost = self.claims.lost();
        dpkg_database::finish(&self.tree, &records, |position, path| {
            !lost.contains(&(position, canonical(path.as_bytes())))
        })?;
        Ok(self.newest.into_inner())
    }

    fn make_symlinks(&self, symlinks: Vec<(usize, Member)>) -> Result<(), BootstrapError> {
        for (position, member) in symlinks {
            let about = |failure: Failure| failure.about(&self.recipe.packages[position]);
            self.make_symlink(position, &member).map_err(about)?;
        }
        Ok(())
    }

    fn make_symlink(&self, position: usize, member: &Member) -> Result<(), Failure> {
        let (Kind::Symlink(target), Some((parent, name))) = (&member.kind, member.path.split()) else {
            return Ok(());
        };
        let path = &member.path;
        let parent = self.parent(parent)?;
        if self.claims.file(position, path)? == Verdict::Theirs {
            return Ok(());
        }
        let create = || self.tree.write_symlink(&parent, name, target, attributes(member));
        match create() {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let is_same = parent.link_target(name).as_ref() == Some(target);
                let is_directory = self.tree.directory(path.as_bytes()).is_ok();
                if is_same || is_directory {
                    return Ok(());
                }
                parent.remove(name).and_then(|()| create()).map_err(|error| self.at(path, error))
            }
            outcome => outcome.map_err(|error| self.at(path, error)),
        }
    }

    /// Opens a directory, which is made if no package has done so yet.
    fn parent(&self, path: &[u8]) -> Result<Directory, Failure> {
        match self.tree.directory(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && !path.is_empty() => {}
            outcome => return outcome.map_err(|error| self.at_bytes(path, error)),
        }
        let ends = path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| at);
        for end in ends.chain([path.len()]) {
            // Any package that has the directory itself decides better than this guess.
            self.make_directory(usize::MAX, &path[..end], Attributes::directory())?;
        }
        self.tree.directory(path).map_err(|error| self.at_bytes(path, error))
    }

    fn make_directory(&self, position: usize, path: &[u8], attributes: Attributes) -> Result<(), Failure> {
        if is_merged(path) {
            return self.make_merged(path);
        }
        let Some((parent, name)) = deb::split(path) else { return Ok(()) };
        self.claims
            .directory(position, &canonical(path), || {
                let directory = self.tree.directory(parent)?;
                match directory.make_directory(name) {
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                        // A link to a directory stays what it is, and so does the directory.
                        if directory.link_target(name).is_some() {
                            return self.tree.directory(path).map(drop);
                        }
                    }
                    outcome => outcome?,
                }
                self.tree.set_directory(&self.tree.directory(path)?, attributes)
            })
            .map_err(|error| self.at_bytes(path, error))
    }

    /// Makes `/bin` and the like: a link into `/usr`.
    fn make_merged(&self, name: &[u8]) -> Result<(), Failure> {
        let target = [b"usr/", name].concat();
        self.make_directory(usize::MAX, b"usr", Attributes::directory())?;
        self.make_directory(usize::MAX, &target, Attributes::directory())?;
        self.claims
            .directory(0, name, || {
                let root = self.tree.directory(b"")?;
                if root.link_target(name).as_ref() == Some(&target) {
                    return Ok(());
                }
                self.tree.write_symlink(&root, name, &target, Attributes::directory())
            })
            .map_err(|error| self.at_bytes(name, error))
    }

    fn at(&self, path: &MemberPath, error: io::Error) -> Failure {
        self.at_bytes(path.as_bytes(), error)
    }

    fn at_bytes(&self, path: &[u8], error: io::Error) -> Failure {
        Failure::Error(BootstrapError::io("write", self.tree.host_path(path))(error))
    }
}

/// Why a package could not be unpacked: a clause about it, or an error of its own standing.
enum Failure {
    Reason(String),
    Error(BootstrapError),
}

impl Failure {
    fn about(self, package: &Package) -> BootstrapError {
        match self {
            Self::Reason(reason) => BootstrapError::Package { package: package.name.clone(), reason },
            Self::Error(error) => error,
        }
    }
}

impl From<DebError> for Failure {
    fn from(error: DebError) -> Self {
        Self::Reason(error.0)
    }
}

impl From<BootstrapError> for Failure {
    fn from(error: BootstrapError) -> Self {
        Self::Error(error)
    }
}

/// Writes one package.
struct PackageVisitor<'u, 'a> {
    unpacker: &'u Unpacker<'a>,
    position: usize,
    package: &'a Package,
    record: Option<Record>,
    /// The directory of the file before, which is mostly that of the next as well.
    open: Option<(Vec<u8>, Directory)>,
    symlinks: Vec<(usize, Member)>,
    buffer: Vec<u8>,
}

impl Visitor for PackageVisitor<'_, '_> {
    type Error = Failure;

    fn control(&mut self, files: Vec<ControlFile>) -> Result<(), Failure> {
        let control = Control::parse(self.package, &files).map_err(Failure::Reason)?;
        let text = |name: &str| -> String {
            let file = files.iter().find(|file| file.name == name);
            file.map(|file| String::from_utf8_lossy(&file.content).into_owned()).unwrap_or_default()
        };
        let conffiles = parse_conffiles(&text("conffiles")).map_err(Failure::Reason)?;
        self.unpacker.claims.set_replaces(self.position, &control.replaces);
        dpkg_database::keep(&self.unpacker.tree, &control, &files)?;
        self.record = Some(Record {
            control,
            paths: Vec::new(),
            conffiles: conffiles.into_iter().map(|conffile| (conffile, None)).collect(),
            triggers: text("triggers"),
        });
        Ok(())
    }

    fn member(&mut self, member: Member, content: &mut dyn Read) -> Result<(), Failure> {
        progress::check(self.unpacker.progress)?;
        self.unpacker.newest.fetch_max(member.mtime, Ordering::Relaxed);
        if let Some(record) = &mut self.record {
            record.paths.push(member.path.clone());
        }
        match &member.kind {
            Kind::Directory if member.path.as_bytes().is_empty() => Ok(()),
            Kind::Directory => {
                self.unpacker.make_directory(self.position, member.path.as_bytes(), attributes(&member))
            }
            Kind::File => self.write_file(&member, content),
            Kind::HardLink(target) => self.write_hard_link(&member, target),
            Kind::Symlink(_) => {
                self.symlinks.push((self.position, member));
                Ok(())
            }
        }
    }
}

impl PackageVisitor<'_, '_> {
    fn write_file(&mut self, member: &Member, content: &mut dyn Read) -> Result<(), Failure> {
        let mut digest = self.conffile(&member.path).map(|_| Md5::new());
        let mut buffer = std::mem::take(&mut self.buffer);
        let tree = &self.unpacker.tree;
        self.create(&member.path, |directory, name| {
            let copy = &mut |bytes: &[u8]| {
                if let Some(digest) = &mut digest {
                    digest.update(bytes);
                }
            };
            tree.write_file(directory, name, attributes(member), content, copy, &mut buffer)
        })?;
        self.buffer = buffer;
        if let Some((entry, digest)) = self.conffile(&member.path).zip(digest) {
            *entry = Some(hex::encode(digest.finalize()));
        }
        Ok(())
    }

    fn write_hard_link(&mut self, member: &Member, target: &MemberPath) -> Result<(), Failure> {
        let Some((parent, old)) = target.split() else {
            return Err(Failure::Reason(format!("{} is a link to a directory", member.path)));
        };
        let from = self.unpacker.parent(parent)?;
        self.create(&member.path, |directory, name| directory.make_hard_link(name, &from, old))
    }

    /// Calls `create` for a file that is this package's, after removing what was in the way.
    fn create(
        &mut self,
        path: &MemberPath,
        mut create: impl FnMut(&Directory, &[u8]) -> io::Result<()>,
    ) -> Result<(), Failure> {
        let Some((parent, name)) = path.split() else {
            return Err(Failure::Reason("a file has no name".to_owned()));
        };
        loop {
            if self.unpacker.claims.file(self.position, path)? == Verdict::Theirs {
                return Ok(());
            }
            let (unpacker, position) = (self.unpacker, self.position);
            let directory = self.open(parent)?;
            let outcome = create(directory, name);
            match outcome {
                // Another package was here and lost, or this one has the name twice.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    unpacker
                        .claims
                        .clear(position, path, || directory.remove_if_there(name))
                        .map_err(|error| unpacker.at(path, error))?;
                }
                outcome => return outcome.map_err(|error| unpacker.at(path, error)),
            }
        }
    }

    fn open(&mut self, path: &[u8]) -> Result<&Directory, Failure> {
        if self.open.as_ref().is_none_or(|(open, _)| open != path) {
            self.open = Some((path.to_owned(), self.unpacker.parent(path)?));
        }
        // Just set, if it was not there.
        Ok(&self.open.as_ref().expect("the directory is open").1)
    }

    /// Returns where the digest of a configuration file goes, if `path` is one.
    fn conffile(&mut self, path: &MemberPath) -> Option<&mut Option<String>> {
        let conffiles = &mut self.record.as_mut()?.conffiles;
        let is_it = |conffile: &Conffile| !conffile.is_obsolete && conffile.path == *path;
        conffiles.iter_mut().find(|(conffile, _)| is_it(conffile)).map(|(_, digest)| digest)
    }
}

fn attributes(member: &Member) -> Attributes {
    Attributes { mode: member.mode, uid: member.uid, gid: member.gid, mtime: member.mtime }
}

/// Locks; a panic elsewhere is reported by its own thread, and leaves no half-made entry here.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
