//! [`State`]: one output of one vertex, or the empty file system.

use std::collections::BTreeMap;
use std::sync::Arc;

use bollard_buildkit_proto::pb;

use crate::location::Location;
use crate::platform::Platform;

/// A file system that a vertex of the graph produces; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct State {
    pub(crate) output: Option<Output>,
}

/// Output `index` of `vertex`.
#[derive(Debug, Clone)]
pub(crate) struct Output {
    pub vertex: Arc<Vertex>,
    pub index: i64,
}

/// One op with its inputs. Everything in `metadata` and `locations` stays outside the digest.
#[derive(Debug)]
pub(crate) struct Vertex {
    pub op: Body,
    pub inputs: Vec<Output>,
    /// Overrides the platform the graph is marshalled for.
    pub platform: Option<Platform>,
    pub metadata: Metadata,
}

/// What a vertex does.
#[derive(Debug)]
pub(crate) enum Body {
    /// Built here; encoded when the graph is marshalled.
    Op(Box<pb::op::Op>),
    /// Taken over from another definition, byte for byte, with its metadata.
    Encoded { bytes: Vec<u8>, metadata: pb::OpMetadata },
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Metadata {
    pub description: BTreeMap<String, String>,
    pub ignore_cache: bool,
    pub group: Option<ProgressGroup>,
    pub locations: Vec<Location>,
}

/// A named phase that progress displays show ops under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProgressGroup {
    /// Identity; ops with the same id are shown together.
    pub id: String,
    /// Words to show.
    pub name: String,
}

impl ProgressGroup {
    /// Returns the group called `name`, which is its identity too.
    pub fn new(name: impl Into<String>) -> Self {
        let name = name.into();
        Self { id: name.clone(), name }
    }
}

impl State {
    /// Returns the empty file system.
    pub fn scratch() -> Self {
        Self::default()
    }

    /// Returns whether this is the empty file system.
    pub fn is_scratch(&self) -> bool {
        self.output.is_none()
    }

    /// Lays `states` over each other, later ones on top. Scratch states drop out; nothing left is scratch.
    pub fn merge(states: &[State], name: &str) -> State {
        let inputs: Vec<Output> = states.iter().filter_map(|state| state.output.clone()).collect();
        match inputs.len() {
            0 => State::scratch(),
            1 => State { output: inputs.into_iter().next() },
            count => {
                let op = pb::op::Op::Merge(pb::MergeOp {
                    inputs: (0..count as i64).map(|input| pb::MergeInput { input }).collect(),
                });
                State::first_output(Vertex::named(op, inputs, name))
            }
        }
    }

    /// Returns what changed from `lower` to `upper`, deletions included.
    pub fn diff(lower: &State, upper: &State, name: &str) -> State {
        let Some(upper_output) = upper.output.clone() else {
            return State::scratch();
        };
        let Some(lower_output) = lower.output.clone() else {
            return upper.clone();
        };
        let op = pb::op::Op::Diff(pb::DiffOp {
            lower: Some(pb::LowerDiffInput { input: 0 }),
            upper: Some(pb::UpperDiffInput { input: 1 }),
        });
        State::first_output(Vertex::named(op, vec![lower_output, upper_output], name))
    }

    pub(crate) fn first_output(vertex: Vertex) -> State {
        State { output: Some(Output { vertex: Arc::new(vertex), index: 0 }) }
    }
}

impl Vertex {
    pub(crate) fn named(op: pb::op::Op, inputs: Vec<Output>, name: &str) -> Vertex {
        Vertex { op: Body::Op(Box::new(op)), inputs, platform: None, metadata: Metadata::named(name) }
    }
}

impl Metadata {
    pub(crate) fn named(name: &str) -> Self {
        let mut metadata = Self::default();
        if !name.is_empty() {
            metadata.description.insert("llb.customname".into(), name.into());
        }
        metadata
    }
}
