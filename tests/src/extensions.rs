//! Images of system extensions, judged by the tools of others: erofs-utils reads them, systemd attaches them.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::binary::is_root;

/// Attaches the image to the system at `$ROOT`, lets systemd-tmpfiles do what `$NAME` wants of it, runs `$SCRIPT` there and
/// detaches the image again. systemd keeps its things in /run, and what it mounts elsewhere shows up here if that is shared.
const ATTACH: &str = r#"mount -t tmpfs tmpfs /run
mount --make-rshared /
systemd-sysext --root="$ROOT" merge
[ ! -e "$ROOT/usr/lib/tmpfiles.d/10-$NAME.conf" ] || systemd-tmpfiles --root="$ROOT" --create "10-$NAME.conf"
cd "$ROOT"
sh -ec "$SCRIPT"
cd /
systemd-sysext --root="$ROOT" unmerge >/dev/null
"#;

/// The spec of an extension with all that systemd does something with.
pub const KIT: &str = include_str!("../specs/kit.yml");

/// Systemd's name of this machine's processor.
pub const ARCHITECTURE: &str = if cfg!(target_arch = "aarch64") { "arm64" } else { "x86-64" };

/// What is in an image.
#[derive(Debug)]
pub struct Extension {
    files: TempDir,
    /// Everything below its root.
    entries: BTreeMap<String, Entry>,
}

/// A file, directory or link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Permission bits.
    pub mode: u32,
    /// Target of a link.
    pub link: String,
    /// Seconds since 1970.
    pub time: i64,
    /// User and group.
    pub owner: (u32, u32),
}

impl Extension {
    /// Checks and unpacks the image at `path`; as root, with its owners.
    ///
    /// # Panics
    /// When it is damaged.
    pub fn read(path: &Path) -> Self {
        let files = TempDir::with_prefix_in("dalec-extension-", "/var/tmp").expect("/var/tmp can be written");
        let root = files.path().join("root");
        let fsck = Command::new("fsck.erofs")
            .arg(format!("--extract={}", root.display()))
            .arg(if is_root() { "--preserve" } else { "--preserve-perms" })
            .arg(path)
            .output();
        let fsck = fsck.expect("fsck.erofs starts");
        assert!(fsck.status.success(), "{}", String::from_utf8_lossy(&fsck.stderr));
        let mut entries = BTreeMap::new();
        let mut open = vec![root.clone()];
        while let Some(folder) = open.pop() {
            for entry in std::fs::read_dir(folder).expect("it can be read").flatten() {
                let (path, meta) = (entry.path(), entry.metadata().expect("it is there"));
                if meta.is_dir() {
                    open.push(path.clone());
                }
                let link = std::fs::read_link(&path).map(|link| link.display().to_string());
                let name = path.strip_prefix(&root).expect("it is below").display().to_string();
                let entry = Entry {
                    mode: meta.mode() & 0o7777,
                    link: link.unwrap_or_default(),
                    time: meta.mtime(),
                    owner: (meta.uid(), meta.gid()),
                };
                entries.insert(name, entry);
            }
        }
        Self { files, entries }
    }

    /// Returns what is at `path`, relative to its root.
    pub fn entry(&self, path: &str) -> Option<&Entry> {
        self.entries.get(path)
    }

    /// Returns everything in it by path.
    pub fn entries(&self) -> &BTreeMap<String, Entry> {
        &self.entries
    }

    /// Checks that it is [`KIT`] as it should be, called `image`, with `release` in its release file.
    ///
    /// # Panics
    /// When it is not.
    #[track_caller]
    pub fn is_kit(&self, image: &str, release: &str) {
        let releases = "usr/lib/extension-release.d/extension-release";
        let expected = format!("ARCHITECTURE={ARCHITECTURE}\nEXTENSION_RELOAD_MANAGER=1\n");
        let text = self.text(&format!("{releases}.kit"));
        assert_eq!(text.replace(&expected, ""), release);
        assert_eq!(self.text(&format!("{releases}.{image}")), text);
        for path in ["usr/bin/kit", "usr/bin/file"] {
            assert_eq!(self.entry(path).map(|entry| entry.mode), Some(0o755), "{path}");
        }
        let needed = self.entries.keys().find(|path| path.contains("libmagic"));
        assert_eq!(needed, None, "what a dependency needs is not followed");
        assert_eq!(
            self.text("usr/lib/tmpfiles.d/10-kit.conf"),
            "C+ /etc/kit - - - - /usr/share/kit/etc/kit\n"
        );
        assert_eq!(self.text("usr/share/kit/etc/kit/kit.conf"), "a = b\n");
        let upheld = "usr/lib/systemd/system/multi-user.target.d";
        assert_eq!(self.text(&format!("{upheld}/10-kit-kit.conf")), "[Unit]\nUpholds=kit.service\n");
        let upheld: Vec<&String> =
            self.entries.keys().filter(|path| path.starts_with(&format!("{upheld}/"))).collect();
        assert_eq!(upheld.len(), 1, "{upheld:?}");
        let times: Vec<&String> = self.entries.keys().filter(|path| self.entries[*path].time != 0).collect();
        assert_eq!(times, Vec::<&String>::new());
        if is_root() {
            let owned: Vec<_> = self.entries.iter().filter(|(_, entry)| entry.owner != (0, 0)).collect();
            assert_eq!(owned, []);
        }
        let tops: Vec<&String> = self.entries.keys().filter(|path| !path.contains('/')).collect();
        assert_eq!(tops, ["usr"]);
    }

    /// Returns the text of the file at `path`.
    ///
    /// # Panics
    /// When there is none.
    pub fn text(&self, path: &str) -> String {
        let text = std::fs::read_to_string(self.files.path().join("root").join(path));
        text.unwrap_or_else(|error| panic!("{path}: {error}; there are {:?}", self.entries.keys()))
    }
}

/// Has systemd attach the image at `path`, made of the spec `name`, to a system whose `os-release` is `release`, and returns
/// what `script` says in the root of that. Needs root.
///
/// # Panics
/// When systemd or the script fails.
pub fn attached(path: &Path, name: &str, release: &str, script: &str) -> String {
    let root = TempDir::with_prefix_in("dalec-system-", "/var/tmp").expect("/var/tmp can be written");
    let at = |path: &str| root.path().join(path);
    for folder in ["etc", "usr/lib", "usr/bin", "var/lib/extensions"] {
        std::fs::create_dir_all(at(folder)).expect("folders can be made");
    }
    std::fs::write(at("usr/lib/os-release"), release).expect("it can be written");
    let image = path.file_name().expect("it is a file").to_string_lossy().into_owned();
    let place = at("var/lib/extensions").join(image);
    // An image takes a loop device, which not every machine has; systemd asks a directory the same questions.
    if Command::new("losetup").arg("--find").output().is_ok_and(|found| found.status.success()) {
        std::fs::copy(path, place).expect("it can be copied");
    } else {
        let extract = format!("--extract={}", place.with_extension("").display());
        let unpacked = Command::new("fsck.erofs").args([&extract, "--preserve"]).arg(path).output();
        assert!(unpacked.expect("fsck.erofs starts").status.success());
    }
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private", "sh", "-ec", ATTACH]);
    command.env("ROOT", root.path()).env("NAME", name).env("SCRIPT", script);
    let done = command.output().expect("unshare starts");
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(done.status.success(), "{said}");
    String::from_utf8(done.stdout).expect("it speaks UTF-8")
}
