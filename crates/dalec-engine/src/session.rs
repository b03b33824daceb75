//! [`Session`]: the engine as the gateway of one frontend call.

use std::collections::BTreeMap;
use std::io::{Read, Seek, SeekFrom};

use bollard_buildkit_proto::pb;
use dalec_gateway::{
    BuildOptions, Event, FRONTEND_DIR, FileRange, FileStat, FrontendRequest, FrontendResult, Gateway,
    GatewayError, Purpose, Reference, ResolveImage, ResolvedImage, SolveRequest, Warning, executable_image,
};
use prost::Message;

use crate::engine::Engine;
use crate::error::{Error, IoContext, Result};
use crate::held::Held;
use crate::host::{self, CAPABILITIES, CacheNamespace};
use crate::shared::{Core, Solved};
use crate::snapshot::resolve::{Last, Resolved, resolve};
use crate::snapshot::{Kind, MergedNode, MergedTree, Meta, Snapshot, Tree, random_hex};
use crate::solver::graph::digest;
use crate::solver::{Asker, Graph, RESULT, Solve, locked};
use crate::{Cancel, sources};

/// The engine as the gateway of one frontend call.
pub struct Session {
    engine: Engine,
    options: BuildOptions,
    inputs: BTreeMap<String, pb::Definition>,
    asker: Asker,
    cancel: Cancel,
    /// How many frontends called each other to get here.
    depth: usize,
    held: Held,
    /// Where the caches of the frontend are; none for wherever it says.
    caches: Option<CacheNamespace>,
}

impl Session {
    pub(crate) fn new(engine: Engine, options: BuildOptions) -> Self {
        let cancel = engine.core.options.cancel.child();
        let inputs = BTreeMap::new();
        let (asker, held) = (Asker::default(), Held::default());
        Self { engine, options, inputs, asker, cancel, depth: 0, held, caches: None }
    }

    /// Returns the gateway of a frontend that this one calls.
    pub(crate) fn calling(&self, request: &FrontendRequest) -> Self {
        Self {
            engine: self.engine.clone(),
            options: BuildOptions { options: request.options.clone(), ..self.options.clone() },
            inputs: request.inputs.clone(),
            asker: self.asker.calling(request.purpose, &request.inputs),
            cancel: self.cancel.child(),
            depth: self.depth + 1,
            held: self.held.calling(),
            // Nobody gets out of a namespace by calling others.
            caches: self.caches.clone().or_else(|| CacheNamespace::of(request)),
        }
    }

    /// Takes over what is needed of what `called`, which has ended with `result`, has solved; the rest is forgotten.
    pub(crate) fn take_over(&self, called: &Self, result: Option<&FrontendResult>) {
        let refs = result.iter().flat_map(|result| &result.refs);
        let returned: Vec<&Reference> = refs.filter_map(|(_, reference)| reference.as_ref()).collect();
        let forgotten = self.held.take_over(&called.held, &returned);
        let mut references = locked(&self.engine.core.references);
        for reference in &forgotten {
            references.remove(reference);
        }
    }

    /// Returns what all parts of the engine share.
    pub(crate) fn core(&self) -> &Core {
        &self.engine.core
    }

    /// Returns the flag that stops this frontend and what it asked for.
    pub(crate) fn cancel(&self) -> &Cancel {
        &self.cancel
    }

    /// Returns what the frontend works for.
    pub(crate) fn purpose(&self) -> Purpose {
        self.asker.purpose()
    }

    /// Returns where the caches of the frontend are; none for wherever it says.
    pub(crate) fn caches(&self) -> Option<&CacheNamespace> {
        self.caches.as_ref()
    }

    /// Returns how many frontends called each other to get here.
    pub(crate) fn depth(&self) -> usize {
        self.depth
    }

    /// Returns the file system that a solve yielded, building it if need be.
    pub(crate) fn snapshot(&self, reference: &Reference) -> Result<Snapshot, GatewayError> {
        self.engine.snapshot(reference, &self.cancel)
    }

    fn tree(&self, reference: &Reference) -> Result<MergedTree, GatewayError> {
        Ok(self.snapshot(reference)?.tree(self.engine.core.store()))
    }

    /// Returns what is at `path`, following a symbolic link there or not.
    pub(crate) fn stat(
        &self,
        reference: &Reference,
        path: &str,
        last: Last,
    ) -> Result<FileStat, GatewayError> {
        let tree = self.tree(reference)?;
        let found = self.find(&tree, path, last)?;
        let name = found.path.last().map_or(&b"/"[..], Vec::as_slice);
        Ok(file_stat(name, tree.meta(&found.node)))
    }

    pub(crate) fn gateway<T>(&self, result: Result<T>) -> Result<T, GatewayError> {
        result.map_err(|error| error.into_gateway(self.engine.core.store().root()))
    }

    fn find(&self, tree: &MergedTree, path: &str, last: Last) -> Result<Resolved<MergedNode>, GatewayError> {
        let found = self.gateway(resolve(tree, path.as_bytes(), last))?;
        found.ok_or_else(|| GatewayError::NotFound { path: path.to_owned() })
    }
}

impl Gateway for Session {
    fn build_options(&self) -> &BuildOptions {
        &self.options
    }

    fn inputs(&self) -> Result<BTreeMap<String, pb::Definition>, GatewayError> {
        Ok(self.inputs.clone())
    }

    fn solve(&self, request: SolveRequest) -> Result<Option<Reference>, GatewayError> {
        let graph = self.gateway(Graph::new(&request.definition))?;
        let (definition, graph) = match &self.caches {
            Some(caches) => self.gateway(caches.confine(request.definition, graph))?,
            None => (request.definition, graph),
        };
        let Some(edge) = graph.target else { return Ok(None) };
        let reference = {
            let reference = Reference(self.gateway(random_hex(16))?);
            self.gateway(self.held.add(&reference, &definition))?;
            let asker = self.asker.clone();
            let solved = Solved { graph, edge, definition, asker };
            locked(&self.engine.core.references).insert(reference.clone(), solved.into());
            reference
        };
        if request.evaluate {
            self.snapshot(&reference)?;
        }
        Ok(Some(reference))
    }

    fn solve_frontend(&self, request: FrontendRequest) -> Result<FrontendResult, GatewayError> {
        let result = host::call(self, &request)?;
        if request.evaluate {
            for reference in result.refs.iter().filter_map(|(_, reference)| reference.as_ref()) {
                self.snapshot(reference)?;
            }
        }
        Ok(result)
    }

    fn definition(&self, reference: &Reference) -> Result<pb::Definition, GatewayError> {
        let solved = self.engine.solved(reference)?;
        let solve = Solve::new(&self.engine.core, &solved.graph, &solved.asker, &self.cancel);
        match solve.is_signing(solved.edge) {
            true => {
                self.held.name(reference);
                Ok(source_definition(&format!("{RESULT}{}", reference.0), "signed files"))
            }
            false => Ok(solved.definition.clone()),
        }
    }

    fn supports(&self, id: &str) -> bool {
        CAPABILITIES.contains(&id)
    }

    fn read_file(
        &self,
        reference: &Reference,
        path: &str,
        range: Option<FileRange>,
    ) -> Result<Vec<u8>, GatewayError> {
        let tree = self.tree(reference)?;
        let found = self.find(&tree, path, Last::Follow)?;
        if tree.meta(&found.node).kind != Kind::File {
            return Err(GatewayError::Request { message: format!("{path} is not a file") });
        }
        let read = || -> Result<Vec<u8>> {
            let mut content = Vec::new();
            let mut file = tree.open(&found.node)?;
            match range {
                None => file.read_to_end(&mut content),
                Some(FileRange { offset, length }) => file
                    .seek(SeekFrom::Start(offset))
                    .and_then(|_| file.take(length).read_to_end(&mut content)),
            }
            .at("read", path)?;
            Ok(content)
        };
        self.gateway(read())
    }

    fn read_dir(&self, reference: &Reference, path: &str) -> Result<Vec<FileStat>, GatewayError> {
        let tree = self.tree(reference)?;
        let found = self.find(&tree, path, Last::Follow)?;
        if !tree.meta(&found.node).is_dir() {
            return Err(GatewayError::Request { message: format!("{path} is not a directory") });
        }
        let entries = self.gateway(tree.children(&found.node))?;
        Ok(entries.iter().map(|(name, node)| file_stat(name, tree.meta(node))).collect())
    }

    fn stat_file(&self, reference: &Reference, path: &str) -> Result<FileStat, GatewayError> {
        self.stat(reference, path, Last::Keep)
    }

    fn resolve_image(&self, image: &ResolveImage) -> Result<ResolvedImage, GatewayError> {
        let core = &self.engine.core;
        self.gateway(sources::resolve_image(core, image, &self.cancel))
    }

    fn frontend_image(&self) -> Result<pb::Definition, GatewayError> {
        let path = self.engine.core.options.frontend.as_ref();
        let name = path.and_then(|path| path.file_name()).and_then(|name| name.to_str());
        match name {
            Some(name) => Ok(executable_image(FRONTEND_DIR, name)),
            None => {
                self.gateway(Err(Error::Request("the engine does not know the frontend's executable".into())))
            }
        }
    }

    fn warn(&self, warning: Warning) {
        self.engine.core.options.progress.event(Event::Warning(warning));
    }
}

fn file_stat(name: &[u8], meta: &Meta) -> FileStat {
    let link = match &meta.kind {
        Kind::Symlink(target) => String::from_utf8_lossy(target).into_owned(),
        _ => String::new(),
    };
    let (seconds, nanoseconds) = meta.mtime;
    FileStat {
        name: String::from_utf8_lossy(name).into_owned(),
        mode: meta.st_mode(),
        size: meta.size,
        link,
        uid: meta.uid,
        gid: meta.gid,
        modified: seconds.saturating_mul(1_000_000_000).saturating_add(i64::from(nanoseconds)),
    }
}

/// Returns the graph of one source, called `name` in progress.
pub(crate) fn source_definition(identifier: &str, name: &str) -> pb::Definition {
    let source = pb::SourceOp { identifier: identifier.to_owned(), ..pb::SourceOp::default() };
    let op = pb::Op { op: Some(pb::op::Op::Source(source)), ..pb::Op::default() }.encode_to_vec();
    let source_digest = digest(&op);
    let input = pb::Input { digest: source_digest.clone(), index: 0 };
    let end = pb::Op { inputs: vec![input], ..pb::Op::default() }.encode_to_vec();
    let described = pb::OpMetadata {
        description: [("llb.customname".to_owned(), name.to_owned())].into(),
        ..pb::OpMetadata::default()
    };
    pb::Definition {
        metadata: [(source_digest, described)].into(),
        def: vec![op, end],
        ..pb::Definition::default()
    }
}
