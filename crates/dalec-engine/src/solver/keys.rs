//! Cache keys of ops.
//!
//! | op | key covers, besides the op's own bytes |
//! |---|---|
//! | exec | the key of the root's result; the content that other mounts show; nothing of cache mounts and secrets but their names |
//! | file | the key of what is changed; the content that copies read, by their patterns |
//! | merge, diff | the keys of the inputs |
//! | source | see [`crate::sources`] |

use bollard_buildkit_proto::pb;
use pb::file_action::Action;
use prost::Message;

use super::graph::{Edge, Vertex};
use crate::cachekey::{Hasher, Key};
use crate::error::Result;
use crate::ops::copy::CopySource;

/// What a key needs to know about the inputs of an op.
pub trait Inputs {
    /// Returns the key of the result behind `edge`; none when it is not known yet.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn key(&self, edge: Edge) -> Result<Option<Key>>;

    /// Returns the digest of a part of the file system behind `edge`; none when it is not known yet.
    ///
    /// # Errors
    /// When the file system cannot be read.
    fn content(&self, edge: Edge, part: &Part<'_>) -> Result<Option<Key>>;
}

/// A part of a file system.
#[derive(Debug, Clone)]
pub enum Part<'a> {
    /// What is at a path, with everything below it.
    Path(String),
    /// What a copy reads.
    Copy(&'a CopySource),
}

impl Part<'_> {
    /// Returns what names the part in the database.
    pub fn selector(&self) -> String {
        match self {
            Self::Path(path) => format!("path {path}"),
            Self::Copy(source) => format!("copy {}", source.selector()),
        }
    }
}

/// Returns the key of an op that is no source; none when something about its inputs is not known yet.
///
/// # Errors
/// When `inputs` says so, or a pattern is malformed.
pub fn op_key(vertex: &Vertex, inputs: &dyn Inputs) -> Result<Option<Key>> {
    let mut key = OpKey { vertex, inputs, hasher: Key::hasher("result") };
    let known = match &vertex.op {
        pb::op::Op::Exec(exec) => key.exec(exec)?,
        pb::op::Op::File(file) => key.file(file)?,
        _ => key.all_inputs()?,
    };
    Ok(known.then(|| key.hasher.finish()))
}

struct OpKey<'a> {
    vertex: &'a Vertex,
    inputs: &'a dyn Inputs,
    hasher: Hasher,
}

impl OpKey<'_> {
    fn all_inputs(&mut self) -> Result<bool> {
        self.hasher.field(&self.vertex.own.0);
        for index in 0..self.vertex.inputs.len() {
            if !self.by_key(index as i64)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn exec(&mut self, exec: &pb::ExecOp) -> Result<bool> {
        match exec.meta.as_ref().filter(|meta| meta.proxy_env.is_some()) {
            // How the network is reached says nothing about the result.
            Some(meta) => {
                let meta = pb::Meta { proxy_env: None, ..meta.clone() };
                let exec = pb::ExecOp { meta: Some(meta), ..exec.clone() };
                self.hasher.field(b"without proxy").field(&exec.encode_to_vec());
            }
            None => {
                self.hasher.field(&self.vertex.own.0);
            }
        }
        for mount in &exec.mounts {
            let known = if mount.input < 0 {
                true
            } else if mount.dest == "/" || mount.content_cache() == pb::MountContentCache::Off {
                self.by_key(mount.input)?
            } else {
                // An output holds all that went in, also what the selector leaves out.
                let path = if mount.output >= 0 { "/" } else { mount.selector.as_str() };
                self.by_content(mount.input, &Part::Path(path.to_owned()))?
            };
            if !known {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn file(&mut self, file: &pb::FileOp) -> Result<bool> {
        self.hasher.field(&self.vertex.own.0);
        for action in &file.actions {
            if !self.by_key(action.input)? {
                return Ok(false);
            }
            let known = match &action.action {
                Some(Action::Copy(copy)) => {
                    let source = CopySource::new(copy)?;
                    self.by_content(action.secondary_input, &Part::Copy(&source))?
                }
                _ => self.by_key(action.secondary_input)?,
            };
            if !known || !self.owner_inputs(action)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Names of owners are looked up in a file system of their own.
    fn owner_inputs(&mut self, action: &pb::FileAction) -> Result<bool> {
        for name in crate::ops::owner::named(action) {
            for path in ["/etc/passwd", "/etc/group"] {
                if !self.by_content(name.input, &Part::Path(path.to_owned()))? {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    fn by_key(&mut self, input: i64) -> Result<bool> {
        let Some(edge) = self.edge(input) else { return Ok(true) };
        let Some(key) = self.inputs.key(edge)? else { return Ok(false) };
        self.hasher.field(b"key").field(&key.0).field(&edge.output.to_le_bytes());
        Ok(true)
    }

    fn by_content(&mut self, input: i64, part: &Part<'_>) -> Result<bool> {
        let Some(edge) = self.edge(input) else { return Ok(true) };
        let Some(key) = self.inputs.content(edge, part)? else { return Ok(false) };
        self.hasher.field(b"content").field(&key.0);
        Ok(true)
    }

    /// Returns the input numbered `input`; none for the empty file system and for results of the op's own
    /// earlier actions.
    fn edge(&self, input: i64) -> Option<Edge> {
        self.vertex.inputs.get(usize::try_from(input).ok()?).copied()
    }
}
