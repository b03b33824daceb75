//! A definition, decoded and checked.

use std::collections::HashMap;

use bollard_buildkit_proto::pb;
use prost::Message;
use sha2::{Digest, Sha256};

use crate::cachekey::Key;
use crate::error::{Error, Result};

/// More ops than this, or a longer chain, is taken for an attack on memory.
const MAX_OPS: usize = 50_000;
const MAX_DEPTH: usize = 4_000;

/// A graph of ops; inputs come before what reads them.
#[derive(Debug)]
pub struct Graph {
    /// The ops that the target needs.
    pub vertices: Vec<Vertex>,
    /// What the definition's last op points to; none is the empty file system.
    pub target: Option<Edge>,
    /// The source texts of the definition.
    source: pb::Source,
}

/// One op.
#[derive(Debug)]
pub struct Vertex {
    /// `sha256:` of the op's bytes as they were received.
    pub digest: String,
    /// The op.
    pub op: pb::op::Op,
    /// What it reads.
    pub inputs: Vec<Edge>,
    /// Where it runs; none for the preferred platform.
    pub platform: Option<pb::Platform>,
    /// Covers the op's bytes without its inputs.
    pub own: Key,
    /// Name to show.
    pub name: String,
    /// Phase it belongs to; empty for none.
    pub group: String,
    /// Runs even when its result is known.
    pub ignore_cache: bool,
    /// Whether this op or one it needs runs even when its result is known.
    pub tainted: bool,
    /// Length of the longest chain below, this op included.
    pub depth: usize,
}

/// One output of one op.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Edge {
    /// Position in [`Graph::vertices`].
    pub vertex: usize,
    /// Which output.
    pub output: usize,
}

impl Graph {
    /// Decodes and checks `definition`.
    ///
    /// # Errors
    /// [`Error::Request`] when it makes no sense, or holds an op that this engine does not know.
    pub fn new(definition: &pb::Definition) -> Result<Self> {
        if definition.def.len() > MAX_OPS {
            return Err(Error::Request(format!("the graph has more than {MAX_OPS} ops")));
        }
        let mut loader = Loader::new(definition)?;
        let target = match definition.def.last() {
            None => None,
            Some(last) => loader.terminal(&digest(last))?,
        };
        let vertices = loader.vertices;
        Ok(Self { vertices, target, source: definition.source.clone().unwrap_or_default() })
    }

    /// Returns the vertex that `edge` is an output of.
    pub fn vertex(&self, edge: Edge) -> &Vertex {
        &self.vertices[edge.vertex]
    }

    /// Returns the pieces of source text that caused the op called `digest`.
    pub fn excerpts(&self, digest: &str) -> Vec<dalec_gateway::Excerpt> {
        let Some(locations) = self.source.locations.get(digest) else { return Vec::new() };
        let excerpt = |location: &pb::Location| {
            let info = self.source.infos.get(usize::try_from(location.source_index).ok()?)?;
            Some(dalec_gateway::Excerpt { info: info.clone(), ranges: location.ranges.clone() })
        };
        locations.locations.iter().filter_map(excerpt).collect()
    }
}

struct Loader<'a> {
    definition: &'a pb::Definition,
    encoded: HashMap<String, &'a [u8]>,
    loaded: HashMap<String, usize>,
    vertices: Vec<Vertex>,
}

impl<'a> Loader<'a> {
    fn new(definition: &'a pb::Definition) -> Result<Self> {
        let encoded = definition.def.iter().map(|bytes| (digest(bytes), bytes.as_slice())).collect();
        Ok(Self { definition, encoded, loaded: HashMap::new(), vertices: Vec::new() })
    }

    fn terminal(&mut self, digest: &str) -> Result<Option<Edge>> {
        let op = self.decode(digest)?;
        if op.op.is_some() {
            return Err(Error::Request("the last op of the definition must only point to its result".into()));
        }
        match op.inputs.as_slice() {
            [] => Ok(None),
            [input] => {
                self.load(&input.digest)?;
                self.edge(input).map(Some)
            }
            _ => Err(Error::Request("the last op of the definition has more than one input".into())),
        }
    }

    fn decode(&self, digest: &str) -> Result<pb::Op> {
        let Some(bytes) = self.encoded.get(digest) else {
            return Err(Error::Request(format!("the definition lacks the op {digest}")));
        };
        pb::Op::decode(*bytes)
            .map_err(|error| Error::Request(format!("cannot decode the op {digest}: {error}")))
    }

    /// Loads an op after everything that it needs, without recursion: chains may be long.
    fn load(&mut self, digest: &str) -> Result<()> {
        let mut pending = vec![(digest.to_owned(), None)];
        while let Some((digest, decoded)) = pending.pop() {
            if self.loaded.contains_key(&digest) {
                continue;
            }
            let op = match decoded {
                Some(op) => op,
                None => {
                    let op = self.decode(&digest)?;
                    let inputs: Vec<_> = op.inputs.iter().map(|input| (input.digest.clone(), None)).collect();
                    // A digest covers those of its inputs, so this ends.
                    pending.push((digest, Some(op)));
                    pending.extend(inputs);
                    continue;
                }
            };
            let vertex = self.vertex(&digest, op)?;
            self.loaded.insert(digest, self.vertices.len());
            self.vertices.push(vertex);
        }
        Ok(())
    }

    fn vertex(&self, digest: &str, op: pb::Op) -> Result<Vertex> {
        let inputs = op.inputs.iter().map(|input| self.edge(input)).collect::<Result<Vec<_>>>()?;
        let metadata = self.definition.metadata.get(digest).cloned().unwrap_or_default();
        let own = own_key(self.encoded.get(digest).copied().unwrap_or_default())?;
        let Some(kind) = op.op else {
            return Err(Error::Request(format!(
                "the op {digest} is of a kind that this engine does not know"
            )));
        };
        check_indexes(&kind, inputs.len())?;
        let below = || inputs.iter().filter_map(|edge| self.vertices.get(edge.vertex));
        let depth = 1 + below().map(|vertex| vertex.depth).max().unwrap_or(0);
        if depth > MAX_DEPTH {
            return Err(Error::Request(format!("the graph is more than {MAX_DEPTH} ops deep")));
        }
        let custom = metadata.description.get("llb.customname").filter(|name| !name.is_empty());
        Ok(Vertex {
            digest: digest.to_owned(),
            name: custom.cloned().unwrap_or_else(|| super::name::default_name(&kind)),
            group: metadata.progress_group.map(|group| group.name).unwrap_or_default(),
            ignore_cache: metadata.ignore_cache,
            tainted: metadata.ignore_cache || below().any(|vertex| vertex.tainted),
            op: kind,
            platform: op.platform,
            own,
            depth,
            inputs,
        })
    }

    fn edge(&self, input: &pb::Input) -> Result<Edge> {
        let Some(&vertex) = self.loaded.get(&input.digest) else {
            return Err(Error::Request(format!("the definition lacks the op {}", input.digest)));
        };
        let outputs = outputs(&self.vertices[vertex].op);
        match usize::try_from(input.index) {
            Ok(output) if output < outputs => Ok(Edge { vertex, output }),
            _ => Err(Error::Request(format!("the op {} has no output {}", input.digest, input.index))),
        }
    }
}

/// Returns how many outputs `op` has.
pub fn outputs(op: &pb::op::Op) -> usize {
    let highest = match op {
        pb::op::Op::Exec(exec) => exec.mounts.iter().map(|mount| mount.output).max(),
        pb::op::Op::File(file) => file.actions.iter().map(|action| action.output).max(),
        _ => Some(0),
    };
    // An op that names fewer than none has none.
    usize::try_from(highest.unwrap_or(-1).saturating_add(1)).unwrap_or(0).min(MAX_OPS)
}

fn check_indexes(op: &pb::op::Op, inputs: usize) -> Result<()> {
    let inputs = inputs as i64;
    let fits = |index: i64| (-1..inputs).contains(&index);
    let valid = match op {
        pb::op::Op::Exec(exec) => {
            exec.mounts.iter().all(|mount| fits(mount.input) && mount.output < MAX_OPS as i64)
        }
        pb::op::Op::File(file) => file.actions.iter().enumerate().all(|(position, action)| {
            let earlier = -1..inputs + position as i64;
            earlier.contains(&action.input)
                && earlier.contains(&action.secondary_input)
                && action.output < MAX_OPS as i64
        }),
        pb::op::Op::Merge(merge) => merge.inputs.iter().all(|input| fits(input.input)),
        pb::op::Op::Diff(diff) => {
            fits(diff.lower.as_ref().map_or(-1, |lower| lower.input))
                && fits(diff.upper.as_ref().map_or(-1, |upper| upper.input))
        }
        _ => true,
    };
    if valid { Ok(()) } else { Err(Error::Request("an op refers to an input that it has not".into())) }
}

/// Returns a key of an encoded op without its inputs (field 1). Fields that this program does not know count
/// too, so the bytes are looked through instead of the decoded op.
fn own_key(encoded: &[u8]) -> Result<Key> {
    let malformed = || Error::Request("an op is not well encoded".into());
    let mut hasher = Key::hasher("op");
    let mut rest = encoded;
    while !rest.is_empty() {
        let start = rest;
        let tag = prost::encoding::decode_varint(&mut rest).map_err(|_| malformed())?;
        let length = match tag & 7 {
            0 => {
                prost::encoding::decode_varint(&mut rest).map_err(|_| malformed())?;
                0
            }
            1 => 8,
            2 => prost::encoding::decode_varint(&mut rest).map_err(|_| malformed())?,
            5 => 4,
            _ => return Err(malformed()),
        };
        rest = usize::try_from(length).ok().and_then(|length| rest.get(length..)).ok_or_else(malformed)?;
        if tag >> 3 != 1 {
            hasher.field(&start[..start.len() - rest.len()]);
        }
    }
    Ok(hasher.finish())
}

/// Returns what names an encoded op.
pub fn digest(encoded: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(encoded)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definition(ops: &[pb::Op]) -> pb::Definition {
        pb::Definition { def: ops.iter().map(Message::encode_to_vec).collect(), ..Default::default() }
    }

    fn source(identifier: &str) -> pb::Op {
        let source = pb::SourceOp { identifier: identifier.into(), ..Default::default() };
        pb::Op { op: Some(pb::op::Op::Source(source)), ..Default::default() }
    }

    fn pointer(op: &pb::Op, index: i64) -> pb::Op {
        let input = pb::Input { digest: digest(&op.encode_to_vec()), index };
        pb::Op { inputs: vec![input], ..Default::default() }
    }

    fn refused(ops: &[pb::Op]) -> String {
        Graph::new(&definition(ops)).unwrap_err().to_string()
    }

    #[test]
    fn definitions_that_make_no_sense_are_refused() {
        let local = source("local://context");
        assert!(refused(&[pointer(&local, 0)]).starts_with("the definition lacks the op sha256:"));
        assert!(refused(&[local.clone(), pointer(&local, 1)]).ends_with("has no output 1"));
        assert!(refused(&[local.clone(), pointer(&local, -1)]).ends_with("has no output -1"));
        assert!(refused(std::slice::from_ref(&local)).starts_with("the last op"));
        let unknown = pointer(&local, 0);
        assert!(
            refused(&[local.clone(), unknown.clone(), pointer(&unknown, 0)])
                .ends_with("is of a kind that this engine does not know")
        );
        let merge = pb::MergeOp { inputs: vec![pb::MergeInput { input: 0 }, pb::MergeInput { input: 1 }] };
        let merge = pb::Op { op: Some(pb::op::Op::Merge(merge)), ..pointer(&local, 0) };
        assert_eq!(
            refused(&[local, merge.clone(), pointer(&merge, 0)]),
            "an op refers to an input that it has not"
        );
    }

    #[test]
    fn the_own_key_leaves_out_inputs_alone() {
        let (one, two) = (source("local://a"), source("local://b"));
        let merge = |inputs: &[&pb::Op]| {
            let op = pb::Op {
                inputs: inputs.iter().flat_map(|input| pointer(input, 0).inputs).collect(),
                op: Some(pb::op::Op::Merge(pb::MergeOp { inputs: vec![pb::MergeInput { input: 0 }] })),
                ..Default::default()
            };
            own_key(&op.encode_to_vec()).unwrap()
        };
        assert_eq!(merge(&[&one]), merge(&[&two]));
        assert_ne!(own_key(&one.encode_to_vec()).unwrap(), own_key(&two.encode_to_vec()).unwrap());
        assert!(own_key(&[0xff]).is_err());
        assert!(own_key(&[0x0a, 0x7f]).is_err());
    }

    #[test]
    fn an_empty_definition_is_the_empty_file_system() {
        assert!(Graph::new(&pb::Definition::default()).unwrap().target.is_none());
    }
}
