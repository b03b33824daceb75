//! Files by URL.

use dalec_llb::{Http, State};
use dalec_spec::target_spec::{Source, SourceKind};

use super::{Planner, Tree};
use crate::locate::locate;

/// Plans a download; the file is called like the source.
pub(super) fn plan(planner: &Planner<'_>, name: &str, source: &Source) -> Tree {
    let SourceKind::Http { url, digest, permissions } = &source.kind else {
        unreachable!("only called for downloads");
    };
    let state = State::http(Http {
        url: url.clone(),
        checksum: digest.clone(),
        filename: name.to_owned(),
        permissions: *permissions,
        label: format!("Download source {name}"),
        locations: locate(planner.source_map, [source.span]).into_iter().collect(),
        group: Some(planner.group.clone()),
    });
    Tree { state, path: format!("/{name}"), is_dir: false }
}
