//! The step of a build that holds what a signer returned against what was built.
//!
//! It runs in a container of its own, where both lie read-only. What it finds is a report; who called the signer decides.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File, FileTimes, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use dalec_signer::compare::{CompareError, compare};
use serde_json::json;

/// Runs the step; `args` are four directories, see [`dalec_frontend::COMPARE`]. Returns the exit code.
pub fn main(args: &[OsString]) -> i32 {
    let [built, answer, signed, report] = args else {
        eprintln!("dalec: error: comparing takes four directories");
        return 64;
    };
    let [built, answer, signed, report] = [built, answer, signed, report].map(Path::new);
    match run(built, answer, signed, report) {
        Ok(()) => 0,
        Err(error) => {
            let cause =
                std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
            eprintln!("dalec: error: @1: what the signer returned cannot be compared: {error}{cause}");
            1
        }
    }
}

/// Compares `answer` with `built`, writes what was found to `report` and what to go on with to `signed`: nothing when
/// more than signatures differs.
fn run(built: &Path, answer: &Path, signed: &Path, report: &Path) -> Result<(), CompareError> {
    let (found, is_good) = match compare(built, answer) {
        Ok(found) => (json!({ "artifacts": found.artifacts, "warnings": found.warnings() }), true),
        Err(CompareError::Different { differences }) => {
            let differences: Vec<String> = differences.iter().map(ToString::to_string).collect();
            (json!({ "differences": differences }), false)
        }
        Err(error) => return Err(error),
    };
    let report = report.join(dalec_frontend::REPORT);
    fs::write(&report, found.to_string()).map_err(|source| CompareError::Read { path: report, source })?;
    match is_good {
        true => take(built, answer, signed)
            .map_err(|source| CompareError::Read { path: signed.to_owned(), source }),
        false => Ok(()),
    }
}

/// Copies `answer` to `signed`. What was built keeps its permissions and time; what is new is as old as the youngest of
/// it, so that the time of signing is in no result.
pub fn take(built: &Path, answer: &Path, signed: &Path) -> io::Result<()> {
    let known = files(built)?;
    let youngest = known.values().filter_map(|metadata| metadata.modified().ok()).max();
    for (path, metadata) in files(answer)? {
        let (from, to) = (answer.join(&path), signed.join(&path));
        if metadata.is_dir() {
            fs::create_dir(&to)?;
            fs::set_permissions(&to, Permissions::from_mode(0o755))?;
        } else if metadata.is_symlink() {
            symlink(fs::read_link(&from)?, &to)?;
        } else {
            fs::copy(&from, &to)?;
            let before = known.get(&path);
            let mode = before.map_or(0o644, |metadata| metadata.permissions().mode() & 0o7777);
            fs::set_permissions(&to, Permissions::from_mode(mode))?;
            let time = before.and_then(|metadata| metadata.modified().ok()).or(youngest);
            let time = time.unwrap_or(SystemTime::UNIX_EPOCH);
            File::open(&to)?.set_times(FileTimes::new().set_modified(time))?;
        }
    }
    Ok(())
}

/// Returns everything below `root` by its path from there, directories before what is in them; links are not followed.
fn files(root: &Path) -> io::Result<BTreeMap<PathBuf, fs::Metadata>> {
    let mut found = BTreeMap::new();
    let mut open = vec![PathBuf::new()];
    while let Some(folder) = open.pop() {
        for child in fs::read_dir(root.join(&folder))? {
            let path = folder.join(child?.file_name());
            let metadata = fs::symlink_metadata(root.join(&path))?;
            if metadata.is_dir() {
                open.push(path.clone());
            }
            found.insert(path, metadata);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Trees(tempfile::TempDir);

    impl Trees {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            for name in ["built/sub", "answer/sub", "signed", "report"] {
                fs::create_dir_all(folder.path().join(name)).unwrap();
            }
            Self(folder)
        }

        fn path(&self, path: &str) -> PathBuf {
            self.0.path().join(path)
        }

        fn write(&self, path: &str, text: &str, seconds: u64) {
            fs::write(self.path(path), text).unwrap();
            let time = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
            File::open(self.path(path)).unwrap().set_times(FileTimes::new().set_modified(time)).unwrap();
        }

        fn report(&self) -> serde_json::Value {
            let report = fs::read(self.path("report").join(dalec_frontend::REPORT)).unwrap();
            serde_json::from_slice(&report).unwrap()
        }

        fn run(&self) -> i32 {
            main(&["built", "answer", "signed", "report"].map(|name| self.path(name).into_os_string()))
        }
    }

    /// What comes of an answer is what was built, with signatures, and nothing of the signer's clock or rights.
    #[test]
    fn an_answer_becomes_the_tree_to_go_on_with() {
        let trees = Trees::new();
        trees.write("built/sub/a.zip", "payload", 1000);
        fs::set_permissions(trees.path("built/sub/a.zip"), Permissions::from_mode(0o640)).unwrap();
        trees.write("answer/sub/a.zip", "payload", 7000);
        fs::set_permissions(trees.path("answer/sub/a.zip"), Permissions::from_mode(0o600)).unwrap();
        assert_eq!(trees.run(), 0);
        let metadata = fs::metadata(trees.path("signed/sub/a.zip")).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o7777, 0o640);
        let time = metadata.modified().unwrap().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        assert_eq!(time.as_secs(), 1000);
        let report = trees.report();
        assert_eq!(report["artifacts"][0]["path"], "sub/a.zip");
        assert_eq!(report["artifacts"][0]["before"], report["artifacts"][0]["after"]);
        assert_eq!(report["warnings"].as_array().unwrap().len(), 1, "nothing was signed");
    }

    #[test]
    fn a_changed_answer_is_refused_and_nothing_is_made_of_it() {
        let trees = Trees::new();
        trees.write("built/sub/a.zip", "payload", 1000);
        trees.write("answer/sub/a.zip", "PAYLOAD", 1000);
        assert_eq!(trees.run(), 0);
        assert_eq!(trees.report()["differences"], json!(["sub/a.zip: its content was changed"]));
        assert_eq!(fs::read_dir(trees.path("signed")).unwrap().count(), 0);
        assert_eq!(main(&[]), 64);
    }
}
