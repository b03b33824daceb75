//! Files by URL.

use dalec_llb::{Http, State};
use dalec_spec::target_spec::{HttpSource, Source};

use super::{Planner, Tree};
use crate::locate::locate;

/// Plans a download; the file is called like the source.
pub(super) fn plan(planner: &Planner<'_>, name: &str, source: &Source, http: &HttpSource) -> Tree {
    let state = State::http(Http {
        url: http.url.clone(),
        checksum: Some(http.digest.clone()).filter(|digest| !digest.is_empty()),
        filename: name.to_owned(),
        permissions: http.permissions,
        label: format!("Download source {name}"),
        locations: locate(planner.source_map, [source.span]).into_iter().collect(),
        group: Some(planner.group.clone()),
    });
    Tree { state, path: format!("/{name}"), is_dir: false }
}
