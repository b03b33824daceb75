//! Where something that is to be nowhere was left.

use std::path::Path;
use std::process::Command;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

/// Returns the files below `folder` that hold `canary`, as it is, in hexadecimal or in base64, of those that were written
/// after `since` was.
///
/// # Panics
/// When they cannot be searched.
pub fn files_with(canary: &str, folder: &Path, since: &Path) -> Vec<String> {
    let base64 = BASE64_STANDARD.encode(canary);
    let mut find = Command::new("find");
    find.arg(folder).args(["-type", "f", "-cnewer"]).arg(since);
    find.args(["-exec", "grep", "--files-with-matches", "--text", "--fixed-strings"]);
    // The end of base64 depends on what follows.
    for text in [canary, &hex::encode(canary), &base64[..base64.len() - 4]] {
        find.args(["-e", text]);
    }
    let found = find.args(["{}", "+"]).output().expect("find starts");
    String::from_utf8_lossy(&found.stdout).lines().map(str::to_owned).collect()
}
