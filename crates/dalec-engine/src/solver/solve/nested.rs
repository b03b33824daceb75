//! Graphs within graphs: results of earlier solves as sources, and build ops.

use std::io::Read;
use std::sync::Arc;

use bollard_buildkit_proto::pb;
use dalec_gateway::Reference;
use prost::Message;

use super::{Made, Outcome, Peek, Seen, Solve, Within, on_large_stack};
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

/// Results on results: each of them takes a thread. Frontends that call each other are far fewer.
const MAX_RESULTS: usize = 64;

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
    /// Returns the result that `op` names, for the vertex called `name`.
    pub(super) fn made_before(&self, op: &pb::SourceOp, name: &str) -> Result<Made> {
        let solved = self.solved(&reference(op))?;
        let solve = self.of_result(&solved, name)?;
        let outcome = solve.outcome(solved.edge).map_err(Error::below)?;
        Ok(made(&outcome, solved.edge))
    }

    /// Returns what is known about the result that `op` names, for the vertex called `name`.
    pub(super) fn peek_made_before(
        &self,
        op: &pb::SourceOp,
        name: &str,
        seen: &mut Seen,
    ) -> Result<Peek, Failure> {
        let reference = reference(op);
        if let Some(peek) = seen.results.get(&reference) {
            return Ok(peek.clone());
        }
        let solved = self.solved(&reference)?;
        let solve = self.of_result(&solved, name)?;
        let mut below = Seen { results: std::mem::take(&mut seen.results), ..Seen::default() };
        let peek = on_large_stack(|| solve.peek(solved.edge.vertex, &mut below))?;
        seen.results = below.results;
        let peek = match peek {
            Peek::Hit(outcome) => {
                let Made { key, outputs, note, .. } = made(&outcome, solved.edge);
                Peek::Hit(Arc::new(Outcome { key, outputs, note }))
            }
            Peek::Miss(_) | Peek::Unknown => Peek::Unknown,
        };
        seen.results.insert(reference, peek.clone());
        Ok(peek)
    }

    fn solved(&self, reference: &Reference) -> Result<Arc<Solved>> {
        let known = super::locked(&self.core.references).get(reference).cloned();
        known.ok_or_else(|| Error::Request(format!("no solve yielded the reference {:?}", reference.0)))
    }

    /// Returns the solve of an earlier result, which the vertex called `name` is.
    fn of_result<'a>(&'a self, solved: &'a Solved, name: &str) -> Result<Solve<'a>> {
        let within =
            Within { results: self.within.results + 1, vertex: Some(name.to_owned()), ..self.within.clone() };
        if within.results > MAX_RESULTS {
            let message = format!("results are built on each other more than {MAX_RESULTS} deep");
            return Err(Error::Request(message));
        }
        Ok(Solve { within, ..Solve::new(self.core, &solved.graph, &solved.asker, &self.cancel) })
    }

    /// Builds the graph that a file of an input holds.
    pub(super) fn build(
        &self,
        (vertex, name): (&Vertex, &str),
        op: &pb::BuildOp,
        inputs: &[Arc<Outcome>],
    ) -> Result<Made> {
        if self.within.builds >= MAX_NESTING {
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
        let within =
            Within { builds: self.within.builds + 1, vertex: Some(name.to_owned()), ..self.within.clone() };
        let solve = Solve { within, ..Solve::new(self.core, &graph, &asker, &self.cancel) };
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

fn reference(op: &pb::SourceOp) -> Reference {
    Reference(op.identifier[RESULT.len()..].to_owned())
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
