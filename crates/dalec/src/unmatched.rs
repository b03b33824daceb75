//! The step of a build that looks for patterns of sources that match nothing.
//!
//! It runs in a container of its own, where the source lies read-only. What it finds is a report; the frontend tells it.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use dalec_files::{BadPattern, Pattern};

/// Runs the step; `args` are as [`dalec_frontend::UNMATCHED`] says. Returns the exit code.
pub fn main(args: &[OsString]) -> i32 {
    let [source, report, patterns @ ..] = args else {
        eprintln!("dalec: error: looking for patterns takes two directories and the patterns");
        return 64;
    };
    let found = parse(patterns).map_err(|error| error.to_string()).and_then(|patterns| {
        let unmatched = unmatched(Path::new(source), &patterns).map_err(|error| error.to_string())?;
        let report = Path::new(report).join(dalec_frontend::UNMATCHED_REPORT);
        fs::write(report, serde_json::json!(unmatched).to_string()).map_err(|error| error.to_string())
    });
    match found {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("dalec: error: the patterns of a source cannot be looked for: {error}");
            1
        }
    }
}

fn parse(patterns: &[OsString]) -> Result<Vec<Option<Pattern>>, BadPattern> {
    patterns.iter().map(|pattern| Pattern::parse(&pattern.to_string_lossy())).collect()
}

/// Returns the numbers of the patterns that match nothing below `source`; an empty pattern matches nothing and is none.
fn unmatched(source: &Path, patterns: &[Option<Pattern>]) -> io::Result<Vec<usize>> {
    let mut open: Vec<(usize, &Pattern)> = patterns
        .iter()
        .enumerate()
        .filter_map(|(number, pattern)| Some((number, pattern.as_ref()?)))
        .collect();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop().filter(|_| !open.is_empty()) {
        for child in fs::read_dir(source.join(&folder))? {
            let child = child?;
            let path = folder.join(child.file_name());
            open.retain(|(_, pattern)| !pattern.matches(path.as_os_str().as_bytes()));
            if child.file_type()?.is_dir() {
                folders.push(path);
            }
        }
    }
    Ok(open.into_iter().map(|(number, _)| number).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_matches_nothing_is_named_by_its_number() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::create_dir_all(path("source/doc/empty")).unwrap();
        fs::create_dir(path("report")).unwrap();
        fs::write(path("source/doc/a.md"), "").unwrap();
        std::os::unix::fs::symlink("/etc", path("source/link")).unwrap();
        let patterns = ["*.md", "**/*.md", "doc", "doc/empty", "dok", "", "link/passwd", "link"];
        let folders = ["source", "report"].map(|name| path(name).into_os_string());
        let args: Vec<OsString> = folders.into_iter().chain(patterns.map(OsString::from)).collect();
        assert_eq!(main(&args), 0);
        let report = fs::read_to_string(path("report").join(dalec_frontend::UNMATCHED_REPORT)).unwrap();
        assert_eq!(report, "[0,4,6]");
        assert_eq!(main(&[]), 64);
    }
}
