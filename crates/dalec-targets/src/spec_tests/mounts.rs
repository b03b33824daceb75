//! What is mounted into the processes of a test.

use dalec_llb::{File, Mount, ProgressGroup, State};
use dalec_spec::target_spec::{SourceMount, Test};

use crate::error::PlanError;
use crate::request::Request;
use crate::sources::{Planner, Tree};

/// The sources that a test mounts.
#[derive(Debug)]
pub(super) struct TestMounts {
    trees: Vec<(String, Tree)>,
}

/// Plans the mounts of `test`.
///
/// # Errors
/// As [`Planner::plan`].
pub(super) fn plan(
    request: &Request<'_>,
    test: &Test,
    group: &ProgressGroup,
) -> Result<TestMounts, PlanError> {
    let planner = Planner {
        answers: request.answers,
        source_map: &request.source_map,
        group: group.clone(),
        for_commands: false,
    };
    let plan = |(index, mount): (usize, &SourceMount)| {
        let tree = planner.plan(&format!("mount{index}"), &mount.source)?;
        Ok((mount.dest.clone(), tree))
    };
    let trees: Result<Vec<_>, PlanError> = test.mounts.iter().enumerate().map(plan).collect();
    Ok(TestMounts { trees: trees? })
}

impl TestMounts {
    /// Returns the mounts of a step. A command may write into a mounted directory; the next one sees it as it was.
    pub fn for_steps(&self) -> impl Iterator<Item = Mount> {
        self.trees.iter().map(|(dest, tree)| tree.scratch_mount(dest))
    }

    /// Returns the mounts of a check.
    pub fn for_checks(&self) -> impl Iterator<Item = Mount> {
        self.trees.iter().map(|(dest, tree)| tree.mount(dest))
    }
}

/// Returns a read-only mount of one file with these bytes.
pub(super) fn file(dest: &str, data: &[u8], group: &ProgressGroup) -> Mount {
    let file = File::new("Write a file for the test runner").mkfile("/data", 0o444, None, data).group(group);
    Mount::bind(dest, &State::scratch().file(file)).selector("/data").readonly()
}
