//! The caches of frontends that have a namespace for them.
//!
//! Such a frontend was told by the build argument that BuildKit's own frontend for Dockerfiles reads. It is a stranger's
//! program, so it is not only told: names that are not in the namespace are put there. What it was handed stays as it is.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use bollard_buildkit_proto::pb;
use dalec_gateway::FrontendRequest;
use prost::Message;

use crate::error::{Error, Result};
use crate::solver::Graph;
use crate::solver::graph::digest;

/// The option that names the namespace.
const OPTION: &str = "build-arg:BUILDKIT_CACHE_MOUNT_NS";

/// Where the caches of a frontend are; cheap to clone.
#[derive(Debug, Clone)]
pub struct CacheNamespace {
    prefix: String,
    /// Digests of the ops that the frontend was handed.
    handed: Arc<HashSet<String>>,
}

impl CacheNamespace {
    /// Returns the namespace that `request` gives the frontend which it calls.
    pub fn of(request: &FrontendRequest) -> Option<Self> {
        let name = request.options.get(OPTION).filter(|name| !name.is_empty())?;
        let ops = request.inputs.values().flat_map(|definition| &definition.def);
        Some(Self { prefix: format!("{name}/"), handed: Arc::new(ops.map(|op| digest(op)).collect()) })
    }

    /// Returns `graph` with its `definition`, the caches in the namespace.
    ///
    /// # Errors
    /// When what is in the graph is known too late: graphs in files.
    pub fn confine(&self, definition: pb::Definition, graph: Graph) -> Result<(pb::Definition, Graph)> {
        let own = || graph.vertices.iter().filter(|vertex| !self.handed.contains(&vertex.digest));
        if own().any(|vertex| matches!(vertex.op, pb::op::Op::Build(_))) {
            let message = "a frontend whose caches have a namespace cannot build graphs out of files";
            return Err(Error::Request(message.into()));
        }
        let is_outside = |op: &pb::op::Op| match op {
            pb::op::Op::Exec(exec) => exec.mounts.iter().any(|mount| self.is_outside(mount)),
            _ => false,
        };
        if !own().any(|vertex| is_outside(&vertex.op)) {
            return Ok((definition, graph));
        }
        let confined = self.rewrite(definition, &graph)?;
        let graph = Graph::new(&confined)?;
        Ok((confined, graph))
    }

    /// Puts the cache that `mount` may be into the namespace; returns whether it was outside.
    pub fn put(&self, mount: &mut pb::Mount) -> bool {
        let is_outside = self.is_outside(mount);
        if is_outside {
            let options = mount.cache_opt.get_or_insert_default();
            // A cache without a name is called like its place.
            let id = if options.id.is_empty() { &mount.dest } else { &options.id };
            options.id = format!("{}{id}", self.prefix);
        }
        is_outside
    }

    fn is_outside(&self, mount: &pb::Mount) -> bool {
        let is_inside = |options: &pb::CacheOpt| options.id.starts_with(&self.prefix);
        mount.mount_type() == pb::MountType::Cache && !mount.cache_opt.as_ref().is_some_and(is_inside)
    }

    /// Returns `definition`, of which `graph` was made, with other names of caches, and so with other digests of everything
    /// above them.
    fn rewrite(&self, definition: pb::Definition, graph: &Graph) -> Result<pb::Definition> {
        let pb::Definition { def, mut metadata, mut source } = definition;
        let end = def.last().map(|end| digest(end));
        let encoded: HashMap<String, &[u8]> = def.iter().map(|op| (digest(op), op.as_slice())).collect();
        let mut renamed: HashMap<String, String> = HashMap::new();
        let mut confined = pb::Definition::default();
        for old in graph.vertices.iter().map(|vertex| &vertex.digest).chain(&end) {
            let bytes = encoded.get(old).copied().unwrap_or_default();
            let mut op = pb::Op::decode(bytes).map_err(|error| Error::Request(error.to_string()))?;
            let mut changed = false;
            for input in &mut op.inputs {
                if let Some(new) = renamed.get(&input.digest).filter(|new| **new != input.digest) {
                    input.digest.clone_from(new);
                    changed = true;
                }
            }
            if let Some(pb::op::Op::Exec(exec)) = &mut op.op
                && !self.handed.contains(old)
            {
                for mount in &mut exec.mounts {
                    changed |= self.put(mount);
                }
            }
            let bytes = if changed { op.encode_to_vec() } else { bytes.to_vec() };
            let new = digest(&bytes);
            if let Some(about) = metadata.remove(old) {
                confined.metadata.insert(new.clone(), about);
            }
            if let Some(source) = &mut source
                && let Some(places) = source.locations.remove(old)
            {
                source.locations.insert(new.clone(), places);
            }
            renamed.insert(old.clone(), new);
            confined.def.push(bytes);
        }
        confined.source = source;
        Ok(confined)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(op: pb::op::Op, below: Option<&[u8]>) -> Vec<u8> {
        let inputs = below.map(|below| pb::Input { digest: digest(below), index: 0 });
        pb::Op { op: Some(op), inputs: inputs.into_iter().collect(), ..pb::Op::default() }.encode_to_vec()
    }

    fn exec(cache: &str, below: Option<&[u8]>) -> Vec<u8> {
        let root = pb::Mount { dest: "/".into(), input: below.map_or(-1, |_| 0), ..pb::Mount::default() };
        let cache = pb::Mount {
            dest: "/c".into(),
            input: -1,
            output: -1,
            mount_type: pb::MountType::Cache.into(),
            cache_opt: Some(pb::CacheOpt { id: cache.into(), sharing: 0 }),
            ..pb::Mount::default()
        };
        encoded(pb::op::Op::Exec(pb::ExecOp { mounts: vec![root, cache], ..pb::ExecOp::default() }), below)
    }

    fn definition(mut ops: Vec<Vec<u8>>) -> pb::Definition {
        let input = pb::Input { digest: digest(ops.last().unwrap()), index: 0 };
        ops.push(pb::Op { inputs: vec![input], ..pb::Op::default() }.encode_to_vec());
        pb::Definition { def: ops, ..pb::Definition::default() }
    }

    fn namespace(handed: &pb::Definition) -> CacheNamespace {
        CacheNamespace::of(&FrontendRequest {
            options: [(OPTION.to_owned(), "ns".to_owned())].into(),
            inputs: [("context".to_owned(), handed.clone())].into(),
            ..FrontendRequest::default()
        })
        .unwrap()
    }

    fn confine(namespace: &CacheNamespace, definition: &pb::Definition) -> Result<pb::Definition> {
        let graph = Graph::new(definition)?;
        namespace.confine(definition.clone(), graph).map(|(confined, _)| confined)
    }

    fn names(definition: &pb::Definition) -> Vec<String> {
        let graph = Graph::new(definition).unwrap();
        let name = |vertex: &crate::solver::graph::Vertex| match &vertex.op {
            pb::op::Op::Exec(exec) => exec.mounts[1].cache_opt.as_ref().unwrap().id.clone(),
            other => panic!("{other:?}"),
        };
        graph.vertices.iter().map(name).collect()
    }

    #[test]
    fn caches_are_put_into_the_namespace_and_what_is_known_of_ops_goes_along() {
        let first = exec("apt", None);
        let second = exec("", Some(&first));
        let mut graph = definition(vec![first.clone(), second.clone()]);
        let about = |text: &str| pb::OpMetadata {
            description: [("llb.customname".to_owned(), text.to_owned())].into(),
            ..pb::OpMetadata::default()
        };
        graph.metadata = [(digest(&first), about("one")), (digest(&second), about("two"))].into();
        let locations = [(digest(&second), pb::Locations::default())].into();
        graph.source = Some(pb::Source { locations, ..pb::Source::default() });
        let confined = confine(&namespace(&pb::Definition::default()), &graph).unwrap();
        assert_eq!(names(&confined), ["ns/apt", "ns//c"]);
        let graph = Graph::new(&confined).unwrap();
        assert_eq!([&*graph.vertices[0].name, &*graph.vertices[1].name], ["one", "two"]);
        let places = confined.source.unwrap().locations;
        assert_eq!(places.keys().collect::<Vec<_>>(), [&graph.vertices[1].digest]);
    }

    #[test]
    fn what_is_there_already_and_what_was_handed_stays() {
        let handed = exec("dalec-gomod-proxy-cache", None);
        let own = exec("ns/x", Some(&handed));
        let inputs = definition(vec![handed.clone()]);
        let graph = definition(vec![handed.clone(), own]);
        assert_eq!(confine(&namespace(&inputs), &graph).unwrap(), graph);
        // One that looks alike, and is the frontend's own.
        let copied = exec("dalec-gomod-proxy-cache", Some(&handed));
        let confined = confine(&namespace(&inputs), &definition(vec![handed, copied])).unwrap();
        assert_eq!(names(&confined), ["dalec-gomod-proxy-cache", "ns/dalec-gomod-proxy-cache"]);
    }

    #[test]
    fn graphs_in_files_are_refused() {
        let build = pb::op::Op::Build(pb::BuildOp { builder: -1, ..pb::BuildOp::default() });
        let error = confine(&namespace(&pb::Definition::default()), &definition(vec![encoded(build, None)]));
        assert!(error.unwrap_err().to_string().contains("cannot build graphs out of files"));
    }
}
