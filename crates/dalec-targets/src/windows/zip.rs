//! The zip file with the programs.

use dalec_llb::{Exec, Mount, Network, State};

use super::names;
use super::programs::group;
use crate::date::epoch;
use crate::error::PlanError;
use crate::request::Request;
use crate::worker::Worker;

const ZIP: &str = include_str!("scripts/zip.sh");

/// The first moment that a zip file can name, 1980-01-01.
const EARLIEST: i64 = 315_532_800;
/// The last one.
const LATEST: i64 = 4_354_819_198;

/// Returns a file system with the zip file at its top.
///
/// # Errors
/// As [`names::zip`].
pub(super) fn plan(request: &Request<'_>, worker: &Worker, files: &State) -> Result<State, PlanError> {
    let name = names::zip(request.spec, &request.platform.architecture)?;
    let epoch = epoch(request.spec).clamp(EARLIEST, LATEST).to_string();
    let exec = Exec::new(["/bin/sh", "-c", ZIP, "zip", &name, &epoch])
        .envs(worker.env.clone())
        .network(Network::None)
        .name(format!("Make {name}"))
        .group(&group())
        .mount(Mount::bind("/work/in", files).readonly())
        .mount(Mount::output("/work/out"));
    Ok(worker.root.run(exec).output("/work/out"))
}
