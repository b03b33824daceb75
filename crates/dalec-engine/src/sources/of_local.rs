//! The source op of a local directory.

use std::path::Path;
use std::sync::Arc;

use bollard_buildkit_proto::pb;

use super::local::{Copied, LocalRequest, copy, scan};
use super::{Scan, stored_or};
use crate::cachekey::Key;
use crate::error::{Error, Result};
use crate::ops::OpContext;
use crate::snapshot::{Snapshot, Tree, digest};
use crate::solver::graph::Vertex;
use crate::solver::{Made, locked};

/// How often a directory that changes while it is copied is looked at again.
const ATTEMPTS: usize = 3;

/// Returns the key of the directory, looking at it when nobody did yet.
pub fn key(context: &OpContext<'_>, vertex: &Vertex, op: &pb::SourceOp) -> Result<Key> {
    Ok(scanned(context, vertex, op, false)?.key)
}

/// Copies the directory into a layer, unless the store has it.
pub fn run(context: &OpContext<'_>, vertex: &Vertex, op: &pb::SourceOp) -> Result<Made> {
    let mut attempt = 0;
    loop {
        let scan = scanned(context, vertex, op, attempt > 0)?;
        let mut has_changed = false;
        let made = stored_or(context, scan.key, || {
            context.progress.start();
            let core = context.core;
            let work = core.store().work_dir()?;
            if let Copied::Changed(path) = copy(&scan.tree, work.path(), core.owners(), &|| context.check())?
            {
                has_changed = true;
                return Err(changes(&path));
            }
            let outputs = vec![Snapshot::from_iter([core.store().publish_layer(work.path(), false)?])];
            Ok(Made { key: scan.key, outputs, note: String::new(), known: false })
        });
        attempt += 1;
        if !has_changed || attempt == ATTEMPTS {
            return made;
        }
    }
}

fn changes(path: &Path) -> Error {
    Error::Op {
        message: format!("{} changes while it is read", path.display()),
        hint: "stop what writes to it, or leave it out with `excludes` in the source of the spec".into(),
        source: None,
    }
}

fn scanned(context: &OpContext<'_>, vertex: &Vertex, op: &pb::SourceOp, again: bool) -> Result<Scan> {
    let slot = context.core.sources.slot(&vertex.digest);
    // Held during the look, so that two who ask at once look once.
    let mut slot = locked(&slot);
    if let Some(scan) = slot.as_ref().filter(|_| !again) {
        return Ok(scan.clone());
    }
    let request = LocalRequest::new(op, &context.core.options.local_dirs, &context.core.options.withheld)?;
    let check = || context.check();
    let keys = &context.core.options.private_keys;
    let tree = Arc::new(scan(context.core.store(), &request, keys, &check)?);
    let mut hasher = Key::hasher("local");
    hasher.field(&digest::digest(&*tree, &tree.root()?, &check)?.0);
    let scan = Scan { tree, key: hasher.finish() };
    *slot = Some(scan.clone());
    Ok(scan)
}
