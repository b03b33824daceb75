//! Graphs within graphs: results of earlier solves as sources, and build ops.

use std::collections::HashMap;
use std::io::Read;
use std::sync::Arc;

use bollard_buildkit_proto::pb;
use prost::Message;

use super::{Made, Outcome, Peek, Solve};
use crate::cachekey::Key;
use crate::error::{Error, IoContext, Result};
use crate::shared::Solved;
use crate::snapshot::resolve::{Last, resolve};
use crate::snapshot::{Kind, Tree};
use crate::solver::failure::Failure;
use crate::solver::graph::{Edge, Graph, Vertex};

/// Scheme of sources that are results of earlier solves, followed by the reference.
///
/// The graph of a result that a signer's own secret went into does not leave the signer: whoever builds on the
/// result gets this source instead, and need not be served the secret.
pub const RESULT: &str = "dalec-result://";

/// Builds within builds within builds: deeper than this is taken for a mistake without end.
const MAX_NESTING: usize = 8;

/// Most bytes of a graph that is read from a file.
const MAX_DEFINITION: u64 = 64 << 20;

/// The input of a build op that holds the graph, and the file in it, unless another is named.
const DEFINITION: &str = "buildkit.llb.definition";
const DEFINITION_FILE: &str = "llbbuild.filename";
/// The number of the one builder there is, which builds graphs.
const LLB_BUILDER: i64 = -1;

/// Returns whether `op` is the result of an earlier solve.
pub fn is_result(op: &pb::SourceOp) -> bool {
    op.identifier.starts_with(RESULT)
}

impl Solve<'_> {
    /// Returns the result that `op` names.
    pub(super) fn made_before(&self, op: &pb::SourceOp) -> Result<Made> {
        let solved = self.solved(op)?;
        let solve = Solve::new(self.core, &solved.graph, &solved.asker, &self.cancel);
        let outcome = solve.outcome(solved.edge).map_err(Error::below)?;
        Ok(made(&outcome, solved.edge))
    }

    /// Returns what is known about the result that `op` names.
    pub(super) fn peek_made_before(&self, op: &pb::SourceOp) -> Result<Peek, Failure> {
        let solved = self.solved(op)?;
        let solve = Solve::new(self.core, &solved.graph, &solved.asker, &self.cancel);
        Ok(match solve.peek(solved.edge.vertex, &mut HashMap::new())? {
            Peek::Hit(outcome) => {
                let Made { key, outputs, note, .. } = made(&outcome, solved.edge);
                Peek::Hit(Arc::new(Outcome { key, outputs, note }))
            }
            Peek::Miss(_) | Peek::Unknown => Peek::Unknown,
        })
    }

    fn solved(&self, op: &pb::SourceOp) -> Result<Arc<Solved>> {
        let reference = dalec_gateway::Reference(op.identifier[RESULT.len()..].to_owned());
        let known = super::locked(&self.core.references).get(&reference).cloned();
        known.ok_or_else(|| Error::Request(format!("no solve yielded the reference {:?}", reference.0)))
    }

    /// Builds the graph that a file of an input holds.
    pub(super) fn build(&self, vertex: &Vertex, op: &pb::BuildOp, inputs: &[Arc<Outcome>]) -> Result<Made> {
        if self.nesting >= MAX_NESTING {
            let message = format!("builds are nested more than {MAX_NESTING} deep");
            return Err(Error::Request(message));
        }
        let definition = self.nested_definition(vertex, op, inputs)?;
        let graph = Graph::new(&definition)?;
        let Some(edge) = graph.target else {
            let key = Key::hasher("the empty file system").finish();
            return Ok(Made { key, outputs: vec![Default::default()], note: String::new(), known: true });
        };
        let asker = self.asker.within(&vertex.digest);
        let mut solve = Solve::new(self.core, &graph, &asker, &self.cancel);
        solve.nesting = self.nesting + 1;
        let outcome = solve.outcome(edge).map_err(Error::below)?;
        Ok(made(&outcome, edge))
    }

    fn nested_definition(
        &self,
        vertex: &Vertex,
        op: &pb::BuildOp,
        inputs: &[Arc<Outcome>],
    ) -> Result<pb::Definition> {
        if op.builder != LLB_BUILDER {
            return Err(Error::Request(
                "a build op names a builder, but there is only that of graphs".into(),
            ));
        }
        let number = op.inputs.get(DEFINITION).map(|input| input.input);
        let position = number.and_then(|number| usize::try_from(number).ok());
        let found = position.and_then(|position| Some((vertex.inputs.get(position)?, inputs.get(position)?)));
        let Some((edge, outcome)) = found else {
            return Err(Error::Request(format!("a build op has no input called {DEFINITION}")));
        };
        let path = op.attrs.get(DEFINITION_FILE).map_or(DEFINITION, String::as_str);
        let tree = outcome.outputs.get(edge.output).cloned().unwrap_or_default().tree(self.core.store());
        let node = resolve(&tree, path.as_bytes(), Last::Follow)?.map(|found| found.node);
        let Some(node) = node.filter(|node| tree.meta(node).kind == Kind::File) else {
            return Err(Error::op(format!("there is no file {path} with the graph to build")));
        };
        if tree.meta(&node).size > MAX_DEFINITION {
            return Err(Error::op(format!("the graph in {path} has more than {MAX_DEFINITION} bytes")));
        }
        let mut encoded = Vec::new();
        tree.open(&node)?.read_to_end(&mut encoded).at("read", path)?;
        pb::Definition::decode(encoded.as_slice())
            .map_err(|error| Error::op(format!("{path} holds no graph: {error}")))
    }
}

/// Returns one output of a vertex of another graph as what a vertex made.
fn made(outcome: &Outcome, edge: Edge) -> Made {
    let mut key = Key::hasher("output");
    key.field(&outcome.key.0).field(&edge.output.to_le_bytes());
    Made {
        key: key.finish(),
        outputs: vec![outcome.outputs.get(edge.output).cloned().unwrap_or_default()],
        note: outcome.note.clone(),
        known: true,
    }
}
