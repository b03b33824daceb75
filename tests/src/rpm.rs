//! Reads RPM packages with rpm itself.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// One entry of a package's file list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Type and permissions as `ls` shows them, for example `-rwxr-xr-x`.
    pub mode: String,
    /// `USER:GROUP`.
    pub owner: String,
    /// Letters of what the file is: `c` configuration, `d` documentation, `l` licence, `n` kept when it was changed.
    pub flags: String,
    /// Target of a link.
    pub link: String,
    /// Capabilities in text form.
    pub capabilities: String,
}

/// A binary or source package.
#[derive(Debug)]
pub struct Rpm {
    path: PathBuf,
}

impl Rpm {
    /// Names the package at `path`.
    pub fn at(path: &Path) -> Self {
        Self { path: path.to_path_buf() }
    }

    /// Returns what rpm says with `arguments` about the package.
    ///
    /// # Panics
    /// When rpm cannot read it.
    pub fn query(&self, arguments: &[&str]) -> String {
        let rpm = Command::new("rpm").args(["-qp", "--nosignature"]).args(arguments).arg(&self.path).output();
        let rpm = rpm.expect("rpm starts");
        assert!(rpm.status.success(), "{}", String::from_utf8_lossy(&rpm.stderr));
        String::from_utf8(rpm.stdout).expect("rpm speaks UTF-8")
    }

    /// Returns a tag of its header, for example `VERSION`.
    pub fn tag(&self, name: &str) -> String {
        self.query(&["--qf", &format!("%{{{name}}}")])
    }

    /// Returns its lines of `what`, for example `--requires`.
    pub fn list(&self, what: &str) -> Vec<String> {
        self.query(&[what]).lines().map(str::to_owned).collect()
    }

    /// Returns its files.
    pub fn files(&self) -> BTreeMap<String, Entry> {
        let tags = [
            "FILENAMES",
            "FILEMODES:perms",
            "FILEUSERNAME",
            "FILEGROUPNAME",
            "FILEFLAGS:fflags",
            "FILELINKTOS",
            "FILECAPS",
        ];
        let format = tags.map(|tag| format!("%{{{tag}}}")).join("\t");
        let listed = self.query(&["--qf", &format!("[{format}\n]")]);
        let entry = |line: &str| {
            let columns: Vec<&str> = line.split('\t').collect();
            let [name, mode, user, group, flags, link, capabilities] = columns[..] else {
                panic!("{line:?}");
            };
            let entry = Entry {
                mode: mode.to_owned(),
                owner: format!("{user}:{group}"),
                flags: flags.to_owned(),
                link: link.to_owned(),
                capabilities: capabilities.to_owned(),
            };
            (name.to_owned(), entry)
        };
        listed.lines().map(entry).collect()
    }
}

/// Returns what is wrong with the signature of the package at `path`, judged by rpm with nothing but the public key at
/// `key`.
///
/// # Errors
/// With what rpm says when the package is not signed by that key.
pub fn verify(path: &Path, key: &Path) -> Result<(), String> {
    let database = tempfile::TempDir::new().expect("folders can be made");
    let rpmkeys = |arguments: &[&str], file: &Path| {
        let mut command = Command::new("rpmkeys");
        command.arg("--dbpath").arg(database.path()).args(["--define", "_pkgverify_level all"]);
        let done = command.args(arguments).arg(file).output().expect("rpmkeys starts");
        let said = [done.stdout, done.stderr].concat();
        match done.status.success() {
            true => Ok(()),
            false => Err(String::from_utf8_lossy(&said).into_owned()),
        }
    };
    rpmkeys(&["--import"], key).unwrap_or_else(|said| panic!("the key cannot be read: {said}"));
    rpmkeys(&["--checksig", "--verbose"], path)
}
