//! Lists of files with a signature around them: the text stays, but for what it says about files that were signed.

use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::{CompareError, unreadable};
use crate::clearsign::Text;
use crate::control::{Facts, Lists};

/// Returns whether the text `after` says what `before` says, or what is true of the files that came back, which
/// `returned` finds by their names.
///
/// # Errors
/// [`CompareError::Read`] when a file that is listed cannot be read.
pub(super) fn is_same(
    before: &Text,
    after: &Text,
    returned: impl Fn(&Path) -> Option<PathBuf>,
) -> Result<bool, CompareError> {
    if said(&before.body) == said(&after.body) {
        return Ok(true);
    }
    let Ok(lists) = Lists::read(&before.body) else { return Ok(false) };
    let mut facts = Vec::new();
    for name in lists.names().filter(|name| !name.contains(&b'/')) {
        if let Some(path) = returned(Path::new(OsStr::from_bytes(name))) {
            let file = File::open(&path).map_err(unreadable(&path))?;
            facts.push((name, Facts::of(file).map_err(unreadable(&path))?));
        }
    }
    let changed: Vec<(&[u8], &Facts)> = facts.iter().map(|(name, facts)| (*name, facts)).collect();
    Ok(said(&lists.updated(&changed)) == said(&after.body))
}

/// Returns the lines of a text without white space at their ends and without empty ones at its end: no signature around
/// a text covers them.
fn said(body: &[u8]) -> Vec<&[u8]> {
    let mut lines: Vec<&[u8]> = body.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii_end).collect();
    while lines.last().is_some_and(|line| line.is_empty()) {
        lines.pop();
    }
    lines
}
