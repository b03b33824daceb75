//! The wire form: vertices encoded in topological order, with metadata and source locations beside them.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use bollard_buildkit_proto::pb;
use prost::Message;
use sha2::{Digest, Sha256};

use crate::location::{Location, SourceMap};
use crate::platform::Platform;
use crate::state::{Body, Metadata, Output, State, Vertex};

/// Returns the digest (`sha256:hex`) of an encoded op, which names its vertex.
pub fn digest_of(encoded: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(encoded)))
}

impl State {
    /// Returns the definition whose last vertex has this state as its only input.
    ///
    /// Ops without a platform of their own get `platform`. Equal vertices appear once, inputs come before
    /// what reads them, and the same graph gives the same bytes. Scratch gives an empty definition.
    pub fn marshal(&self, platform: &Platform) -> pb::Definition {
        let mut marshaller = Marshaller::new(platform);
        if let Some(output) = &self.output {
            let input = marshaller.input(output);
            let terminal = pb::Op { inputs: vec![input], ..pb::Op::default() }.encode_to_vec();
            let digest = digest_of(&terminal);
            marshaller.definition.metadata.insert(digest, pb::OpMetadata::default());
            marshaller.definition.def.push(terminal);
        }
        marshaller.finish()
    }
}

struct Marshaller<'a> {
    platform: &'a Platform,
    definition: pb::Definition,
    digests: HashMap<*const Vertex, String>,
    maps: Vec<Arc<SourceMap>>,
    locations: BTreeMap<String, pb::Locations>,
}

impl<'a> Marshaller<'a> {
    fn new(platform: &'a Platform) -> Self {
        Self {
            platform,
            definition: pb::Definition::default(),
            digests: HashMap::new(),
            maps: Vec::new(),
            locations: BTreeMap::new(),
        }
    }

    fn input(&mut self, output: &Output) -> pb::Input {
        pb::Input { digest: self.vertex(&output.vertex), index: output.index }
    }

    fn vertex(&mut self, vertex: &Arc<Vertex>) -> String {
        if let Some(digest) = self.digests.get(&Arc::as_ptr(vertex)) {
            return digest.clone();
        }
        let inputs: Vec<pb::Input> = vertex.inputs.iter().map(|input| self.input(input)).collect();
        let (encoded, metadata) = match &vertex.op {
            Body::Op(op) => (self.encode(vertex, op, inputs), metadata(&vertex.metadata)),
            Body::Encoded { bytes, metadata } => (bytes.clone(), metadata.clone()),
        };
        let digest = digest_of(&encoded);
        if !self.definition.metadata.contains_key(&digest) {
            self.definition.metadata.insert(digest.clone(), metadata);
            self.definition.def.push(encoded);
        }
        for location in &vertex.metadata.locations {
            self.locate(&digest, location);
        }
        self.digests.insert(Arc::as_ptr(vertex), digest.clone());
        digest
    }

    fn encode(&self, vertex: &Vertex, op: &pb::op::Op, inputs: Vec<pb::Input>) -> Vec<u8> {
        // Merge and diff are the same on every platform, as in BuildKit.
        let neutral = matches!(op, pb::op::Op::Merge(_) | pb::op::Op::Diff(_));
        let platform = vertex.platform.as_ref().unwrap_or(self.platform);
        let around = pb::Op {
            inputs,
            platform: (!neutral).then(|| platform.to_pb()),
            constraints: Some(pb::WorkerConstraints::default()),
            op: None,
        };
        // BuildKit encodes every op anew, in the order of its own library, which has the kind of an op last, and names
        // vertices by that. Other bytes would mean other names there than here, and source locations go by name.
        let kind = pb::Op { op: Some(op.clone()), ..pb::Op::default() };
        [around.encode_to_vec(), kind.encode_to_vec()].concat()
    }

    fn locate(&mut self, digest: &str, location: &Location) {
        let known = self.maps.iter().position(|map| *map == location.map);
        let source_index = known.unwrap_or_else(|| {
            self.maps.push(location.map.clone());
            self.maps.len() - 1
        });
        let location = pb::Location {
            source_index: source_index as i32,
            ranges: location.ranges.iter().map(|range| range.to_pb()).collect(),
        };
        let locations = &mut self.locations.entry(digest.to_owned()).or_default().locations;
        if !locations.contains(&location) {
            locations.push(location);
        }
    }

    fn finish(mut self) -> pb::Definition {
        if !self.maps.is_empty() {
            self.definition.source = Some(pb::Source {
                locations: self.locations,
                infos: self.maps.iter().map(|map| map.to_pb()).collect(),
            });
        }
        self.definition
    }
}

fn metadata(metadata: &Metadata) -> pb::OpMetadata {
    pb::OpMetadata {
        ignore_cache: metadata.ignore_cache,
        description: metadata.description.clone(),
        progress_group: metadata.group.as_ref().map(|group| pb::ProgressGroup {
            id: group.id.clone(),
            name: group.name.clone(),
            weak: false,
        }),
        ..pb::OpMetadata::default()
    }
}
