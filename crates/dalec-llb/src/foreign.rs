//! Graphs that came over a wire, as states to build on. Their bytes stay as they were, so their digests do too.

use std::collections::HashMap;
use std::sync::Arc;

use bollard_buildkit_proto::pb;
use prost::Message;

use crate::marshal::digest_of;
use crate::state::{Body, Metadata, Output, State, Vertex};

/// Why a definition is no graph.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ForeignError {
    /// A vertex is not a protobuf message of an op.
    Undecodable {
        /// Its place in the definition.
        index: usize,
    },
    /// A vertex reads one that does not come before it.
    MissingInput {
        /// Its place in the definition.
        index: usize,
        /// Digest of the vertex it reads.
        digest: String,
    },
}

impl std::error::Error for ForeignError {}

impl std::fmt::Display for ForeignError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Undecodable { index } => write!(formatter, "vertex {index} cannot be decoded"),
            Self::MissingInput { index, digest } => {
                write!(formatter, "vertex {index} reads {digest}, which does not come before it")
            }
        }
    }
}

impl State {
    /// Returns the state that `definition` describes; an empty definition is scratch.
    ///
    /// # Errors
    /// [`ForeignError`] when it is no graph in topological order.
    pub fn from_definition(definition: &pb::Definition) -> Result<State, ForeignError> {
        let mut vertices: HashMap<String, Arc<Vertex>> = HashMap::new();
        let mut last = Vec::new();
        for (index, bytes) in definition.def.iter().enumerate() {
            let op = pb::Op::decode(bytes.as_slice()).map_err(|_| ForeignError::Undecodable { index })?;
            let inputs = op.inputs.iter().map(|input| match vertices.get(&input.digest) {
                Some(vertex) => Ok(Output { vertex: vertex.clone(), index: input.index }),
                None => Err(ForeignError::MissingInput { index, digest: input.digest.clone() }),
            });
            let inputs = inputs.collect::<Result<Vec<_>, _>>()?;
            last = inputs.clone();
            let digest = digest_of(bytes);
            let metadata = definition.metadata.get(&digest).cloned().unwrap_or_default();
            let body = Body::Encoded { bytes: bytes.clone(), metadata };
            let vertex = Vertex { op: body, inputs, platform: None, metadata: Metadata::default() };
            vertices.insert(digest, Arc::new(vertex));
        }
        Ok(State { output: last.into_iter().next() })
    }
}
