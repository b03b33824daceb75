//! Who asks for ops, which decides which secrets they are served.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use bollard_buildkit_proto::pb;
use dalec_gateway::Purpose;

use super::graph::digest;

/// Who asks for the ops of a graph; cheap to clone.
///
/// A signer asks for its own ops, and for those of the graphs that it was handed to sign. The latter are the
/// build's, whoever solves them first.
#[derive(Debug, Clone, Default)]
pub struct Asker {
    purpose: Purpose,
    /// Digests of the ops that a signer was handed.
    handed: Arc<HashSet<String>>,
}

impl Asker {
    /// Returns who asks for what a frontend asks for that this one calls with `inputs`.
    pub fn calling(&self, purpose: Purpose, inputs: &BTreeMap<String, pb::Definition>) -> Self {
        match (self.purpose, purpose) {
            (Purpose::Build, Purpose::Sign) => {
                let ops = inputs.values().flat_map(|definition| &definition.def);
                Self { purpose, handed: Arc::new(ops.map(|op| digest(op)).collect()) }
            }
            // What a signer calls works for the signer, and the build calls nobody but signers so.
            _ => self.clone(),
        }
    }

    /// Returns what the frontend as a whole works for.
    pub fn purpose(&self) -> Purpose {
        self.purpose
    }

    /// Returns what the op called `digest` works for.
    pub fn purpose_of(&self, digest: &str) -> Purpose {
        if self.handed.contains(digest) { Purpose::Build } else { self.purpose }
    }

    /// Returns who asks for the ops of a graph that the op called `digest` brings along.
    pub fn within(&self, digest: &str) -> Self {
        match self.purpose_of(digest) {
            Purpose::Build => Self::default(),
            Purpose::Sign => self.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_signer_is_handed_stays_the_builds() {
        let definition = |op: &[u8]| pb::Definition { def: vec![op.to_vec()], ..pb::Definition::default() };
        let inputs = |op| BTreeMap::from([("context".to_owned(), definition(op))]);
        let build = Asker::default();
        let signer = build.calling(Purpose::Sign, &inputs(b"package"));
        assert_eq!(signer.purpose_of(&digest(b"package")), Purpose::Build);
        assert_eq!(signer.purpose_of(&digest(b"signature")), Purpose::Sign);
        assert_eq!(signer.within(&digest(b"package")).purpose(), Purpose::Build);
        // A frontend that the signer calls works for it, with whatever it is given.
        let helper = signer.calling(Purpose::Build, &inputs(b"signature"));
        assert_eq!(helper.purpose_of(&digest(b"signature")), Purpose::Sign);
        assert_eq!(helper.purpose_of(&digest(b"package")), Purpose::Build);
        assert_eq!(build.calling(Purpose::Build, &inputs(b"x")).purpose(), Purpose::Build);
    }
}
