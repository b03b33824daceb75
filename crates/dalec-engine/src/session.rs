//! [`Session`]: the engine as the gateway of one frontend call.

use std::collections::BTreeMap;
use std::io::{Read, Seek, SeekFrom};

use bollard_buildkit_proto::pb;
use dalec_gateway::{
    BuildOptions, Event, FRONTEND_DIR, FileRange, FileStat, FrontendRequest, FrontendResult, Gateway,
    GatewayError, Reference, ResolveImage, ResolvedImage, SolveRequest, Warning, executable_image,
};

use crate::engine::Engine;
use crate::error::{Error, IoContext, Result};
use crate::shared::Solved;
use crate::snapshot::resolve::{Last, Resolved, resolve};
use crate::snapshot::{Kind, MergedNode, MergedTree, Meta, Tree};
use crate::solver::{Graph, locked};
use crate::sources;

/// What graphs may use, in the words of BuildKit's capabilities of low-level builds.
pub const CAPABILITIES: &[&str] = &["mergeop", "diffop", "file.base", "file.rm.symlinks", "exec.meta.base"];

/// The engine as the gateway of one frontend call.
pub struct Session {
    engine: Engine,
    options: BuildOptions,
}

impl Session {
    pub(crate) fn new(engine: Engine, options: BuildOptions) -> Self {
        Self { engine, options }
    }

    fn tree(&self, reference: &Reference) -> Result<MergedTree, GatewayError> {
        Ok(self.engine.snapshot(reference)?.tree(self.engine.core.store()))
    }

    fn gateway<T>(&self, result: Result<T>) -> Result<T, GatewayError> {
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
        Ok(BTreeMap::new())
    }

    fn solve(&self, request: SolveRequest) -> Result<Option<Reference>, GatewayError> {
        let definition = request.definition;
        let graph = self.gateway(Graph::new(&definition))?;
        let Some(edge) = graph.target else { return Ok(None) };
        let reference = {
            let mut references = locked(&self.engine.core.references);
            let reference = Reference(format!("result-{}", references.len()));
            references.insert(reference.clone(), Solved { graph, edge, definition }.into());
            reference
        };
        if request.evaluate {
            self.engine.snapshot(&reference)?;
        }
        Ok(Some(reference))
    }

    fn solve_frontend(&self, request: FrontendRequest) -> Result<FrontendResult, GatewayError> {
        let image = request.options.get("source").cloned().unwrap_or(request.frontend);
        self.gateway(Err(Error::Request(format!("this engine cannot run the frontend {image}"))))
    }

    fn definition(&self, reference: &Reference) -> Result<pb::Definition, GatewayError> {
        Ok(self.engine.solved(reference)?.definition.clone())
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
        let tree = self.tree(reference)?;
        let found = self.find(&tree, path, Last::Keep)?;
        let name = found.path.last().map_or(&b"/"[..], Vec::as_slice);
        Ok(file_stat(name, tree.meta(&found.node)))
    }

    fn resolve_image(&self, image: &ResolveImage) -> Result<ResolvedImage, GatewayError> {
        let core = &self.engine.core;
        self.gateway(sources::resolve_image(core, image, &core.options.cancel))
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
