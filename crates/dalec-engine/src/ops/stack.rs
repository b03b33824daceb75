//! Merge and diff: layers put together and taken apart, mostly without touching a file.

use bollard_buildkit_proto::pb;

use super::active::shorten;
use super::{OpContext, input};
use crate::error::Result;
use crate::snapshot::{LayerId, Snapshot, changes, rebase};

/// Lays the inputs over each other, later ones on top, deletions included.
///
/// # Errors
/// When layers cannot be read or written.
pub fn merge(context: &OpContext<'_>, op: &pb::MergeOp, inputs: &[Snapshot]) -> Result<Snapshot> {
    let mut merged = Snapshot::default();
    for part in &op.inputs {
        let part = input(inputs, part.input);
        if part.layers().starts_with(merged.layers()) {
            merged = part;
            continue;
        }
        // What a layer deletes it deletes here, too, but not everything need be here.
        let layers = part.layers().iter().map(LayerId::detached);
        merged = merged.layers().iter().cloned().chain(layers).collect();
    }
    let merged = rebase(context.core.store(), &merged, context.core.owners())?;
    shorten(context.core, merged)
}

/// Returns what makes the upper input out of the lower one.
///
/// # Errors
/// When layers cannot be read or written.
pub fn diff(context: &OpContext<'_>, op: &pb::DiffOp, inputs: &[Snapshot]) -> Result<Snapshot> {
    let lower = input(inputs, op.lower.as_ref().map_or(-1, |lower| lower.input));
    let upper = input(inputs, op.upper.as_ref().map_or(-1, |upper| upper.input));
    if let Some(layers) = upper.layers().strip_prefix(lower.layers()) {
        let taken =
            |layer: &LayerId| if lower.layers().is_empty() { layer.clone() } else { layer.detached() };
        return Ok(layers.iter().map(taken).collect());
    }
    let store = context.core.store();
    let work = store.work_dir()?;
    let deletes = changes(&lower.tree(store), &upper.tree(store), work.path(), context.core.owners())?;
    let layer = store.publish_layer(work.path(), deletes)?;
    Ok([layer.detached()].into_iter().collect())
}
