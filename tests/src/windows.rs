//! What builds for Windows start from and what judges them: images of Windows, zip files, certificates.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::json;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::binary::kept;
use crate::layout::{Layer, Layout};

/// Two versions of Windows.
pub const VERSIONS: [&str; 2] = ["10.0.17763.1", "10.0.20348.2"];

/// Returns the images of [`VERSIONS`]: each of one layer, as layers of Windows are, with a few files and a piece of a
/// registry that no Linux could use. They are kept for the next run.
///
/// # Panics
/// When they cannot be written.
pub fn bases() -> &'static [Layout; 2] {
    static IMAGES: OnceLock<[Layout; 2]> = OnceLock::new();
    IMAGES.get_or_init(|| VERSIONS.map(base))
}

fn base(version: &str) -> Layout {
    let layer = layer(version);
    let platform = json!({ "architecture": "amd64", "os": "windows", "os.version": version });
    let config = json!({
        "Env": ["TEMP=C:\\Temp"],
        "Cmd": ["c:\\windows\\system32\\cmd.exe"],
        "WorkingDir": "C:\\",
        "User": "ContainerUser",
    });
    let key = Sha256::new_with_prefix(&layer).chain_update(format!("{platform}{config}")).finalize();
    let images = kept().join("images");
    let folder = images.join(format!("windows-{version}-{}", &hex::encode(key)[..16]));
    if !folder.exists() {
        let scratch = TempDir::new_in(kept()).expect("folders can be made");
        let archive = scratch.path().join("layer.tar");
        std::fs::write(&archive, layer).expect("the layer can be written");
        std::fs::create_dir_all(&images).expect("folders can be made");
        let image = scratch.path().join("image");
        Layout::write_for(&platform, &image, &[&Layer::read(&archive)], config);
        match std::fs::rename(&image, &folder) {
            Ok(()) => {}
            // Another process was faster.
            Err(_) if folder.exists() => {}
            Err(error) => panic!("{}: {error}", folder.display()),
        }
    }
    Layout::open(&folder)
}

fn layer(version: &str) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    let mut add = |path: &str, content: &str| {
        let is_directory = path.ends_with('/');
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(if is_directory { tar::EntryType::Directory } else { tar::EntryType::Regular });
        header.set_mode(if is_directory { 0o755 } else { 0o644 });
        header.set_size(content.len() as u64);
        header.set_mtime(1_000_000_000);
        archive.append_data(&mut header, path, content.as_bytes()).expect("memory can be written");
    };
    for directory in ["Files/", "Files/Windows/", "Files/Windows/System32/", "Hives/"] {
        add(directory, "");
    }
    add("Files/License.txt", "Read this.\n");
    add("Files/Windows/System32/version.txt", version);
    add("Hives/System_Base", "registry");
    archive.into_inner().expect("memory can be written")
}

/// Returns the names in a zip file, in its order, as Info-ZIP reads it; a damaged one is an error.
///
/// # Panics
/// When it is damaged or not there.
pub fn names_in(zip: &Path) -> Vec<String> {
    succeed(Command::new("unzip").arg("-tqq").arg(zip));
    succeed(Command::new("zipinfo").arg("-1").arg(zip)).lines().map(str::to_owned).collect()
}

/// Unpacks a zip file beside it and returns the folder.
///
/// # Panics
/// When it cannot be unpacked.
pub fn unpacked(zip: &Path) -> PathBuf {
    let folder = zip.with_extension("unpacked");
    succeed(Command::new("unzip").args(["-qq", "-o", "-d"]).arg(&folder).arg(zip));
    folder
}

/// Makes a key for programs, `code.key`, and its certificate, `code.pem`, in `folder`.
///
/// # Panics
/// When `openssl` is not there or fails.
pub fn certificate(folder: &Path) {
    let request = "req -x509 -newkey rsa:2048 -noenc -keyout code.key -out code.pem -days 3650";
    let mut command = Command::new("openssl");
    command.args(request.split(' ')).args(["-subj", "/CN=Tests of programs"]).current_dir(folder);
    succeed(command.args(["-addext", "extendedKeyUsage=codeSigning"]));
}

/// Returns whether the signature of a program counts for those who trust the certificate in `authority`, as `osslsigncode`
/// says.
///
/// # Panics
/// When `osslsigncode` does not start.
pub fn is_signed(program: &Path, authority: &Path) -> bool {
    let mut command = Command::new("osslsigncode");
    let output = command.args(["verify", "-CAfile"]).arg(authority).arg("-in").arg(program).output();
    output.expect("osslsigncode starts").status.success()
}

/// Returns what `objdump -p` says of a program: how its headers are read, and which libraries it wants.
///
/// # Panics
/// When it is no program.
pub fn headers(program: &Path) -> String {
    succeed(Command::new("objdump").arg("-p").arg(program))
}

fn succeed(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{command:?}: {said}{}", String::from_utf8_lossy(&output.stderr));
    said
}
