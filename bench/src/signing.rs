//! Signing many packages with one key, as one run of the command.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::process::run;
use crate::scenarios::summary;

/// How many packages are signed.
const PACKAGES: usize = 200;
/// How large the content of each is.
const SIZE: usize = 1_000_000;

/// Signs the packages `runs` times with `binary` and a key of each kind; returns the seconds that it takes.
///
/// # Errors
/// When signing fails, with what it said.
pub fn measure(binary: &Path, runs: usize) -> Result<Value, String> {
    let binary = binary.canonicalize().map_err(|error| format!("{}: {error}", binary.display()))?;
    let folder = TempDir::with_prefix_in("dalec-bench-", "/var/tmp").map_err(|error| error.to_string())?;
    let names: Vec<String> = (0..PACKAGES).map(|number| format!("p{number}.deb")).collect();
    for (number, name) in names.iter().enumerate() {
        std::fs::write(folder.path().join(name), package(number)).map_err(|error| error.to_string())?;
    }
    let command = || {
        let mut command = Command::new(&binary);
        command.current_dir(folder.path());
        command
    };
    let mut report = serde_json::Map::new();
    for algorithm in ["ed25519", "rsa4096"] {
        let (key, public) = (format!("{algorithm}.asc"), format!("{algorithm}.public.asc"));
        let mut new = command();
        new.args(["key", "new", "--algorithm", algorithm, "-o", &key, "--public", &public]);
        run(new.arg("Bench <bench@example.org>"), false)?;
        let mut seconds = Vec::new();
        for _ in 0..runs {
            let mut sign = command();
            sign.args(["sign", "--replace", "--key", &key, "-o", "signed"]).args(&names);
            seconds.push(run(&mut sign, false)?.seconds);
        }
        report.insert(algorithm.to_owned(), summary(&seconds));
    }
    Ok(json!({ "packages": PACKAGES, "bytes": SIZE, "seconds": report }))
}

/// Returns a package whose content is no archive: it is hashed, and not read.
fn package(number: usize) -> Vec<u8> {
    let mut package = b"!<arch>\n".to_vec();
    let mut member = |name: &str, content: &[u8]| {
        let size = content.len();
        package.extend(format!("{name:<16}{:<12}{:<6}{:<6}{:<8}{size:<10}`\n", 0, 0, 0, "100644").bytes());
        package.extend(content);
        package.resize(package.len().next_multiple_of(2), b'\n');
    };
    member("debian-binary", b"2.0\n");
    member("control.tar", &[0; 1024]);
    let content: Vec<u8> =
        (0..SIZE).map(|at| u8::try_from((at ^ number) % 251).unwrap_or_default()).collect();
    member("data.tar", &content);
    package
}
