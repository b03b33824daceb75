//! Signing several files as one piece of work: first all are checked, then all are written beside their places, and only
//! then does the first one take its place.
//!
//! The order is that of `debsign`: what a control file lists is signed before the control file, whose sizes and hashes
//! then follow.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{File, Metadata};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use pgp::packet::SignatureType;

use crate::clearsign::{self, Text};
use crate::control::{Facts, Lists};
use crate::deb::Layout;
use crate::error::{Broken, ReadError, SignError};
use crate::key::SigningKey;
use crate::kind::{self, Kind, Named};
use crate::parts::Parts;
use crate::pe::Image;
use crate::place::{Copy, Staged, keep_names};
use crate::rpm::Package;
use crate::timestamp::Timestamps;
use crate::x509::key::CodeKey;
use crate::{armor, authenticode, deb, rpm};

/// How a signature beside a file looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Detached {
    /// Text, in `FILE.asc`.
    #[default]
    Armored,
    /// Bytes, in `FILE.sig`.
    Binary,
}

impl Detached {
    fn extension(self) -> &'static str {
        match self {
            Self::Armored => ".asc",
            Self::Binary => ".sig",
        }
    }
}

/// What signs. Programs take a certificate, everything else takes OpenPGP.
#[derive(Clone, Copy)]
pub enum Key<'a> {
    /// An OpenPGP key.
    OpenPgp(&'a SigningKey),
    /// A private key with a certificate.
    Code {
        /// The key.
        key: &'a CodeKey,
        /// Who says when that was; nobody if the certificate is to count only as long as it lasts.
        timestamps: Option<&'a dyn Timestamps>,
    },
}

impl<'a> From<&'a SigningKey> for Key<'a> {
    fn from(key: &'a SigningKey) -> Self {
        Self::OpenPgp(key)
    }
}

impl<'a> Key<'a> {
    fn check_time(&self, time: u64) -> Result<(), SignError> {
        match self {
            Self::OpenPgp(key) => Ok(key.check_time(time)?),
            Self::Code { key, .. } => Ok(key.check_time(time)?),
        }
    }

    /// Returns the OpenPGP key that signs `path`.
    fn open_pgp(&self, path: &Path) -> Result<&'a SigningKey, SignError> {
        match self {
            Self::OpenPgp(key) => Ok(key),
            Self::Code { .. } => Err(SignError::NeedsOpenPgp { path: path.to_owned() }),
        }
    }

    /// Returns what signs the program `path`.
    fn code(&self, path: &Path) -> Result<(&'a CodeKey, Option<&'a dyn Timestamps>), SignError> {
        match *self {
            Self::OpenPgp(_) => Err(SignError::NeedsCertificate { path: path.to_owned() }),
            Self::Code { key, timestamps } => Ok((key, timestamps)),
        }
    }
}

/// What is to be signed, and how.
pub struct Request<'a> {
    /// The files.
    pub files: &'a [PathBuf],
    /// What signs them.
    pub key: Key<'a>,
    /// The time of the signatures, in seconds since 1970.
    pub time: u64,
    /// Whether signatures that are there make room for the new ones.
    pub replace: bool,
    /// How signatures beside files look.
    pub detached: Detached,
    /// A directory that gets the signed files, with those that have a signature beside them; none to sign in place.
    pub output: Option<&'a Path>,
}

/// A file that was signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// As it was given.
    pub path: PathBuf,
    /// How it was signed.
    pub kind: Kind,
    /// What was written.
    pub written: Vec<PathBuf>,
}

/// Who looks on while files are written.
pub trait Watch {
    /// Returns whether somebody asked to stop.
    fn should_stop(&self) -> bool;
    /// Is told of each temporary file, which goes away by itself unless the process is killed.
    fn will_write(&self, temporary: &Path);
}

/// A file that can be signed.
struct Input<'a> {
    path: &'a Path,
    /// Where it really is.
    real: PathBuf,
    name: &'a OsStr,
    kind: Kind,
    metadata: Metadata,
}

/// A file that is signed, under a temporary name.
struct Done<'a> {
    input: Input<'a>,
    staged: Vec<Staged>,
    /// What control files may say of it, and what is true now.
    facts: Option<Change>,
}

struct Change {
    /// As it was given, and without a signature.
    before: [Facts; 2],
    after: Facts,
}

/// Signs files; returns them in the order given.
///
/// # Errors
/// [`SignError`]; no file was changed unless it is [`SignError::Place`], which names those that were.
pub fn sign(request: &Request<'_>, watch: &dyn Watch) -> Result<Vec<Signed>, SignError> {
    request.key.check_time(request.time)?;
    let mut inputs = Vec::new();
    let mut known = BTreeSet::new();
    for path in request.files {
        let input = check(path, request)?;
        let twice = match request.output {
            None => !known.insert(input.real.clone()),
            Some(_) => !known.insert(input.name.into()),
        };
        if twice {
            return Err(SignError::Twice { path: path.clone() });
        }
        inputs.push(input);
    }
    if let Some(output) = request.output {
        std::fs::create_dir_all(output).map_err(SignError::write(output))?;
    }
    let follows = inputs.iter().any(|input| input.kind.is_control());
    inputs.sort_by_key(|input| input.kind);
    let mut done: Vec<Done<'_>> = Vec::new();
    for input in inputs {
        let next = stage(input, request, &done, follows, watch)?;
        done.push(next);
    }
    place(done, request.files)
}

/// Checks that `path` can be signed.
fn check<'a>(path: &'a Path, request: &Request<'_>) -> Result<Input<'a>, SignError> {
    let metadata = std::fs::metadata(path).map_err(SignError::read(path))?;
    let Some(name) = path.file_name().filter(|_| metadata.is_file()) else {
        return Err(SignError::NotAFile { path: path.to_owned() });
    };
    let real = path.canonicalize().map_err(SignError::read(path))?;
    let file = File::open(path).map_err(SignError::read(path))?;
    let kind = match kind::of(path, &file).map_err(SignError::read(path))? {
        Named::Signable(kind) => kind,
        Named::Signature => return Err(SignError::Signature { path: path.to_owned() }),
    };
    match kind {
        Kind::Program => drop(request.key.code(path)?),
        Kind::Rpm if !request.key.open_pgp(path)?.suits_rpm() => {
            return Err(SignError::RpmKey { path: path.to_owned() });
        }
        _ => drop(request.key.open_pgp(path)?),
    }
    let is_signed = match kind {
        Kind::Program => Image::read(&file).map_err(ReadError::of(path))?.table.is_some(),
        Kind::Deb => Layout::read(&file).map_err(ReadError::of(path))?.is_signed(),
        Kind::Rpm => Package::read(&file).map_err(ReadError::of(path))?.is_signed(),
        Kind::Detached => beside(path, request.detached).symlink_metadata().is_ok(),
        Kind::Dsc | Kind::Buildinfo | Kind::Changes => {
            let text = read_text(&file).map_err(ReadError::of(path))?;
            Lists::read(&text.body).map_err(SignError::broken(path))?;
            !text.signatures.is_empty()
        }
    };
    match is_signed && !request.replace {
        true => Err(SignError::AlreadySigned { path: path.to_owned() }),
        false => Ok(Input { path, real, name, kind, metadata }),
    }
}

/// Writes what comes of `input` beside its place.
fn stage<'a>(
    input: Input<'a>,
    request: &Request<'_>,
    done: &[Done<'_>],
    follows: bool,
    watch: &dyn Watch,
) -> Result<Done<'a>, SignError> {
    let path = input.path;
    let file = File::open(path).map_err(SignError::read(path))?;
    let target = request.output.map_or_else(|| path.to_owned(), |output| output.join(input.name));
    // In place, a link stays, and what it points to is replaced. Nothing else that is in the way is followed.
    let place = request.output.map_or(input.real.as_path(), |_| target.as_path());
    let begin = |called: &Path, place: &Path| Copy::begin(path, input.metadata.clone(), called, place, watch);
    let time = request.time;
    let open_pgp = || request.key.open_pgp(path);
    let mut staged = Vec::new();
    match input.kind {
        Kind::Program => {
            let (key, timestamps) = request.key.code(path)?;
            let mut copy = begin(&target, place)?;
            authenticode::sign(&file, &mut copy, key, timestamps, time)?;
            staged.push(copy.end()?);
        }
        Kind::Deb => {
            let mut copy = begin(&target, place)?;
            deb::sign(&file, &mut copy, open_pgp()?, time)?;
            staged.push(copy.end()?);
        }
        Kind::Rpm => {
            let mut copy = begin(&target, place)?;
            rpm::sign(&file, &mut copy, open_pgp()?, time)?;
            staged.push(copy.end()?);
        }
        Kind::Detached => {
            let mut data = open_pgp()?.begin(SignatureType::Binary, time)?;
            let beside = beside(&target, request.detached);
            let mut signature = begin(&beside, &beside)?;
            let all = |file| Parts::all(file).map_err(SignError::read(path));
            if request.output.is_some() {
                let mut copy = begin(&target, place)?;
                copy.take(&mut all(&file)?)?;
                copy.read(all(copy.file())?, &mut data)?;
                staged.push(copy.end()?);
            } else {
                signature.read(all(&file)?, &mut data)?;
            }
            let packet = data.finish()?;
            match request.detached {
                Detached::Armored => signature.append(&armor::encode(&packet))?,
                Detached::Binary => signature.append(&packet)?,
            }
            staged.push(signature.end()?);
        }
        Kind::Dsc | Kind::Buildinfo | Kind::Changes => {
            let text = read_text(&file).map_err(ReadError::of(path))?;
            let body = follow(&input, &text.body, done, request.output, watch)?;
            let mut copy = begin(&target, place)?;
            copy.append(&clearsign::sign(&body, open_pgp()?, time)?)?;
            staged.push(copy.end()?);
        }
    }
    let facts = match follows {
        true => change(&input, &file, &staged).map_err(ReadError::of(path))?,
        false => None,
    };
    Ok(Done { input, staged, facts })
}

/// Returns the text of a control file, with what it says about files brought up to date.
fn follow(
    input: &Input<'_>,
    body: &[u8],
    done: &[Done<'_>],
    output: Option<&Path>,
    watch: &dyn Watch,
) -> Result<Vec<u8>, SignError> {
    let lists = Lists::read(body).map_err(SignError::broken(input.path))?;
    let folder = input.real.parent().unwrap_or(Path::new("/"));
    let mut changed = Vec::new();
    for name in lists.names() {
        if watch.should_stop() {
            return Err(SignError::Cancelled);
        }
        let listed = folder.join(OsStr::from_bytes(name)).canonicalize().ok();
        let is_listed = |done: &&Done<'_>| match output {
            // There they come together, wherever they are now.
            Some(_) => done.input.name.as_bytes() == name,
            None => !name.contains(&b'/') && listed.as_ref() == Some(&done.input.real),
        };
        let is_true = match done.iter().find(is_listed).and_then(|done| done.facts.as_ref()) {
            Some(change) => {
                changed.push((name, &change.after));
                change.before.iter().any(|facts| lists.agree(name, facts))
            }
            None => is_true(&lists, name, folder)?,
        };
        if !is_true {
            let listed = String::from_utf8_lossy(name).into_owned();
            return Err(SignError::Stale { path: input.path.to_owned(), listed });
        }
    }
    Ok(lists.updated(&changed))
}

/// Returns whether what a control file in `folder` says about `name` is true; so it is when there is no such file.
pub(crate) fn is_true(lists: &Lists<'_>, name: &[u8], folder: &Path) -> Result<bool, SignError> {
    if name.contains(&b'/') {
        return Ok(false);
    }
    let path = folder.join(OsStr::from_bytes(name));
    match std::fs::metadata(&path) {
        Ok(found) if found.is_file() => {
            let file = File::open(&path).map_err(SignError::read(&path))?;
            let facts = Facts::of(file).map_err(SignError::read(&path))?;
            Ok(lists.agree(name, &facts))
        }
        Ok(_) => Ok(false),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(SignError::read(&path)(error)),
    }
}

/// Returns what control files have to follow; nothing where the file itself stays as it is.
fn change(input: &Input<'_>, file: &File, staged: &[Staged]) -> Result<Option<Change>, ReadError> {
    let unsigned = match input.kind {
        Kind::Deb => Facts::of(Parts::new(file, Layout::read(file)?.unsigned()))?,
        Kind::Dsc | Kind::Buildinfo | Kind::Changes => Facts::of(read_text(file)?.body.as_slice())?,
        Kind::Rpm | Kind::Program => Facts::of(Parts::all(file)?)?,
        Kind::Detached => return Ok(None),
    };
    let [staged, ..] = staged else { return Ok(None) };
    let after = Facts::of(File::open(&staged.path)?)?;
    Ok(Some(Change { before: [Facts::of(Parts::all(file)?)?, unsigned], after }))
}

/// Gives all files their names.
fn place(done: Vec<Done<'_>>, order: &[PathBuf]) -> Result<Vec<Signed>, SignError> {
    let mut signed: Vec<Signed> = Vec::new();
    let mut folders = BTreeSet::new();
    for Done { input, staged, .. } in done {
        let mut written = Vec::new();
        for file in staged {
            let path = file.called.clone();
            match file.place() {
                Ok(folder) => folders.insert(folder),
                Err(source) => {
                    keep_names(&folders);
                    let signed = signed.into_iter().map(|signed| signed.path).collect();
                    return Err(SignError::Place { path, signed, source });
                }
            };
            written.push(path);
        }
        signed.push(Signed { path: input.path.to_owned(), kind: input.kind, written });
    }
    keep_names(&folders);
    signed.sort_by_key(|signed| order.iter().position(|path| *path == signed.path));
    Ok(signed)
}

/// Returns the name of the signature beside `path`.
fn beside(path: &Path, detached: Detached) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(detached.extension());
    name.into()
}

/// Reads a control file.
pub(crate) fn read_text(file: &File) -> Result<Text, ReadError> {
    let mut bytes = Vec::new();
    if file.metadata()?.len() > clearsign::LIMIT {
        return Err(Broken("it is larger than any list of files".to_owned()).into());
    }
    Parts::all(file)?.read_to_end(&mut bytes)?;
    Ok(Text::parse(&bytes)?)
}
