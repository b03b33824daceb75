//! The source op of a file by URL.

use std::fs::File;
use std::os::fd::AsFd;

use bollard_buildkit_proto::pb;

use super::http::{FetchedFile, HttpRequest, fetch};
use super::transfer::{Step, Transfer};
use super::{http_error, stored_or};
use crate::CONSTANT_MTIME;
use crate::cachekey::Key;
use crate::error::{Error, IoContext, Result};
use crate::ops::{OpContext, secret_value};
use crate::snapshot::Snapshot;
use crate::snapshot::write::{self, Attributes};
use crate::solver::Made;

/// Permission bits of a file that names none, as under BuildKit.
const DEFAULT_MODE: u32 = 0o600;

/// Returns the key of a file whose checksum is known.
pub fn key(op: &pb::SourceOp) -> Result<Option<Key>> {
    let Some(checksum) = attribute(op, "http.checksum") else { return Ok(None) };
    // Whatever its server calls the file, it is that of this address.
    file_key(op, checksum, ("url", &op.identifier)).map(Some)
}

/// Downloads the file, unless the store has it, and makes a layer of it.
pub fn run(context: &OpContext<'_>, op: &pb::SourceOp) -> Result<Made> {
    match key(op)? {
        Some(key) => stored_or(context, key, || {
            let file = download(context, op)?;
            layer(context, op, key, &file)
        }),
        None => {
            let file = download(context, op)?;
            let key = file_key(op, file.digest.as_str(), ("name", &file.filename))?;
            stored_or(context, key, || layer(context, op, key, &file))
        }
    }
}

/// Returns the key of a file, which is known by what is `known` of it unless the op says its name.
fn file_key(op: &pb::SourceOp, checksum: &str, known: (&str, &str)) -> Result<Key> {
    let attributes = attributes(op)?;
    let (kind, text) = attribute(op, "http.filename").map_or(known, |name| ("name", name));
    let mut hasher = Key::hasher("http");
    hasher.field(checksum.as_bytes()).field(kind.as_bytes()).field(text.as_bytes());
    for number in [attributes.mode, attributes.uid, attributes.gid] {
        hasher.field(&number.to_le_bytes());
    }
    Ok(hasher.finish())
}

fn download(context: &OpContext<'_>, op: &pb::SourceOp) -> Result<FetchedFile> {
    context.progress.start();
    let attribute = |name: &str| attribute(op, name).map(str::to_owned);
    let request = HttpRequest {
        url: op.identifier.clone(),
        checksum: attribute("http.checksum"),
        filename: attribute("http.filename"),
        headers: headers(context, op)?,
        max_bytes: None,
    };
    let progress =
        |step: Step<'_>| context.progress.status(step.id, step.current, step.total, step.completed);
    let transfer = Transfer { cancel: context.cancel, progress: &progress };
    let tools = context.core.sources.tools(context.core)?;
    fetch(&request, &tools.http, &tools.files, &transfer).map_err(http_error)
}

/// Returns what the op says; an empty text says nothing.
fn attribute<'a>(op: &'a pb::SourceOp, name: &str) -> Option<&'a str> {
    op.attrs.get(name).map(String::as_str).filter(|value| !value.is_empty())
}

fn headers(context: &OpContext<'_>, op: &pb::SourceOp) -> Result<Vec<(String, String)>> {
    let given = op
        .attrs
        .iter()
        .filter_map(|(name, value)| Some((name.strip_prefix("http.header.")?.to_owned(), value.clone())));
    let mut headers: Vec<(String, String)> = given.collect();
    if let Some(id) = op.attrs.get("http.authheadersecret")
        && let Some(value) = secret_value(context, id, false)?
    {
        let value = String::from_utf8(value)
            .map_err(|_| Error::op(format!("the secret {id:?} is no text for a header")))?;
        headers.push(("Authorization".into(), value));
    }
    Ok(headers)
}

fn layer(context: &OpContext<'_>, op: &pb::SourceOp, key: Key, file: &FetchedFile) -> Result<Made> {
    let core = context.core;
    let work = core.store().work_dir()?;
    let dir = File::open(work.path()).at("open", work.path())?;
    let mut content = File::open(&file.path).at("open", &file.path)?;
    write::file(&dir, file.filename.as_bytes(), &mut content, &attributes(op)?, core.owners())
        .at("write", &file.filename)?;
    let root = Attributes { mode: 0o755, uid: 0, gid: 0, ..attributes(op)? };
    write::set_on_file(dir.as_fd(), &root, core.owners()).at("set the attributes of", work.path())?;
    let layer = core.store().publish_layer(work.path(), false)?;
    Ok(Made { key, outputs: vec![Snapshot::from_iter([layer])], note: String::new(), known: false })
}

fn attributes(op: &pb::SourceOp) -> Result<Attributes> {
    let number = |name: &str, radix: u32, default: u32| match op.attrs.get(name) {
        Some(text) => u32::from_str_radix(text, radix)
            .map_err(|_| Error::Request(format!("{name} is no number: {text:?}"))),
        None => Ok(default),
    };
    Ok(Attributes {
        mode: number("http.perm", 8, DEFAULT_MODE)? & 0o7777,
        uid: number("http.uid", 10, 0)?,
        gid: number("http.gid", 10, 0)?,
        mtime: (CONSTANT_MTIME, 0),
        xattrs: Default::default(),
    })
}
