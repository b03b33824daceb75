//! Layers, well-meant and hostile, unpacked into a directory.

use std::collections::BTreeMap;
use std::os::unix::fs::{FileTypeExt, MetadataExt, symlink};

use super::*;
use crate::CONSTANT_MTIME;
use crate::tarball::{Entry, Kind, Times, TreeOptions, Writer, write_tree};

/// Whether files can be given to others here: as root, unless in a user namespace with one id.
fn is_root() -> bool {
    let map = std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    let ids = map.split_whitespace().nth(2).and_then(|count| count.parse::<u64>().ok());
    rustix::process::geteuid().is_root() && ids.is_none_or(|count| count > 1)
}

fn file(path: &str, content: &str) -> (Entry, String) {
    (Entry::file(path, 0o644, 7, content.len() as u64), content.to_owned())
}

fn plain(path: &str, kind: Kind) -> (Entry, String) {
    (Entry::new(path, kind, 0o755, 7), String::new())
}

fn dir(path: &str) -> (Entry, String) {
    plain(path, Kind::Directory)
}

fn link(path: &str, text: &str) -> (Entry, String) {
    plain(path, Kind::Symlink(text.into()))
}

fn hard(path: &str, target: &str) -> (Entry, String) {
    plain(path, Kind::Hardlink(target.into()))
}

fn archive(members: &[(Entry, String)]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new());
    for (entry, content) in members {
        let mut entry = entry.clone();
        if is_root() && entry.uid == 0 {
            (entry.uid, entry.gid) = (3, 4);
        }
        writer.append(&entry, &mut content.as_bytes()).unwrap();
    }
    writer.finish().unwrap()
}

struct World {
    dir: tempfile::TempDir,
    cancel: Cancel,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        use std::os::unix::fs::DirBuilderExt;
        std::fs::DirBuilder::new().mode(0o700).create(dir.path().join("layer")).unwrap();
        std::fs::write(dir.path().join("outside"), "untouched").unwrap();
        Self { dir, cancel: Cancel::new() }
    }

    fn layer(&self) -> PathBuf {
        self.dir.path().join("layer")
    }

    fn options(&self) -> UnpackOptions<'_> {
        UnpackOptions { user_xattr: true, single_id: !is_root(), ..UnpackOptions::new(&self.cancel) }
    }

    fn unpack(&self, members: &[(Entry, String)]) -> Result<Unpacked, UnpackError> {
        unpack(&archive(members)[..], None, &self.layer(), &self.options())
    }

    /// Lists what was unpacked, and checks that nothing else was touched.
    fn tree(&self) -> String {
        assert_eq!(std::fs::read_to_string(self.dir.path().join("outside")).unwrap(), "untouched");
        assert_eq!(std::fs::read_dir(self.dir.path()).unwrap().count(), 2);
        let mut lines = String::new();
        list(&self.layer(), "", &mut lines);
        lines
    }
}

fn list(directory: &Path, prefix: &str, lines: &mut String) {
    let entries = std::fs::read_dir(directory).unwrap();
    let mut names: Vec<String> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    for name in names {
        let path = directory.join(&name);
        let metadata = path.symlink_metadata().unwrap();
        let kind = metadata.file_type();
        let opaque = {
            let mut value = [0; 8];
            kind.is_dir() && rustix::fs::lgetxattr(&path, "user.overlay.opaque", &mut value) == Ok(1)
        };
        let what = if kind.is_symlink() {
            format!("-> {}", std::fs::read_link(&path).unwrap().display())
        } else if kind.is_char_device() {
            format!("hides ({})", metadata.rdev())
        } else if kind.is_fifo() {
            "fifo".to_owned()
        } else if kind.is_dir() {
            format!("{:o}{}", metadata.mode() & 0o7777, if opaque { " opaque" } else { "" })
        } else {
            format!("{:o} {:?}", metadata.mode() & 0o7777, std::fs::read_to_string(&path).unwrap())
        };
        *lines += &format!("{prefix}{name} {what}\n");
        if kind.is_dir() {
            list(&path, &format!("{prefix}{name}/"), lines);
        }
    }
}

#[test]
fn a_layer_is_unpacked_with_its_attributes() {
    let world = World::new();
    let mut program = file("usr/bin/su", "program");
    program.0.mode = 0o4755;
    program.0.xattrs = BTreeMap::from([
        (b"user.note".to_vec(), b"a\nb".to_vec()),
        (b"user.overlay.redirect".to_vec(), b"/etc".to_vec()),
        (b"trusted.overlay.metacopy".to_vec(), b"".to_vec()),
    ]);
    let members = [
        dir("usr/"),
        dir("usr/bin/"),
        program,
        hard("usr/bin/sudo", "usr/bin/su"),
        link("bin", "usr/bin"),
        plain("run/pipe", Kind::Fifo),
        plain("dev/sda", Kind::Block(8, 0)),
        plain("dev/null", Kind::Char(1, 3)),
        plain("dev/hidden", Kind::Char(0, 0)),
    ];
    let unpacked = world.unpack(&members).unwrap();
    expect_test::expect![[r#"
        bin -> usr/bin
        dev 755
        run 755
        run/pipe fifo
        usr 755
        usr/bin 755
        usr/bin/su 4755 "program"
        usr/bin/sudo 4755 "program"
    "#]]
    .assert_eq(&world.tree());
    assert_eq!((unpacked.entries, unpacked.skipped_devices, unpacked.skipped_xattrs), (9, 3, 2));
    assert_eq!(unpacked.diff_id, Digest::sha256_of(&archive(&members)));
    let layer = world.layer();
    let program = layer.join("usr/bin/su").metadata().unwrap();
    assert_eq!((program.mtime(), program.nlink()), (7, 2));
    assert_eq!(layer.join("bin").symlink_metadata().unwrap().mtime(), 7);
    assert_eq!(layer.join("usr").metadata().unwrap().mtime(), 7);
    assert_eq!(layer.join("dev").metadata().unwrap().mtime(), CONSTANT_MTIME);
    assert_eq!(layer.metadata().unwrap().mtime(), CONSTANT_MTIME);
    assert_eq!(layer.metadata().unwrap().mode() & 0o7777, 0o755);
    let mut value = [0; 16];
    let length = rustix::fs::getxattr(layer.join("usr/bin/su"), "user.note", &mut value).unwrap();
    assert_eq!(&value[..length], b"a\nb");
    if is_root() {
        for path in ["usr/bin/su", "usr", "bin", "run/pipe"] {
            let metadata = layer.join(path).symlink_metadata().unwrap();
            assert_eq!((metadata.uid(), metadata.gid()), (3, 4), "{path}");
        }
    }
}

#[test]
fn capabilities_are_kept() {
    if !is_root() {
        return;
    }
    let world = World::new();
    let mut ping = file("ping", "x");
    let capability = [1, 0, 0, 2, 0, 32, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    ping.0.xattrs.insert(b"security.capability".to_vec(), capability.to_vec());
    world.unpack(&[ping]).unwrap();
    let mut value = [0; 32];
    let path = world.layer().join("ping");
    let length = rustix::fs::getxattr(path, "security.capability", &mut value).unwrap();
    assert_eq!(value[..length], capability);
}

#[test]
fn marks_become_what_overlayfs_understands() {
    let world = World::new();
    let members = [
        dir("etc"),
        file("etc/.wh.gone", ""),
        file("etc/.wh..wh.plnk", ""),
        file(".wh..wh.orph/x", ""),
        dir("var"),
        file("var/.wh..wh..opq", ""),
        // A mark before and after a directory of the same layer: only the lower one is hidden.
        file(".wh.before", ""),
        dir("before"),
        dir("after"),
        file("after/f", "1"),
        file(".wh.after", ""),
        file("own", "2"),
        file(".wh.own", ""),
        file(".wh.later", ""),
        file("later", "3"),
    ];
    world.unpack(&members).unwrap();
    expect_test::expect![[r#"
        after 755 opaque
        after/f 644 "1"
        before 755 opaque
        etc 755
        etc/gone hides (0)
        later 644 "3"
        own 644 "2"
        var 755 opaque
    "#]]
    .assert_eq(&world.tree());
}

#[test]
fn later_members_replace_earlier_ones() {
    let world = World::new();
    let members = [
        dir("a"),
        file("a/f", "1"),
        file("a", "now a file"),
        file("b", "1"),
        dir("b"),
        file("b/f", "2"),
        link("c", "b"),
        dir("c"),
        file("c/f", "3"),
        file("d", "1"),
        hard("d", "d"),
    ];
    world.unpack(&members).unwrap();
    expect_test::expect![[r#"
        a 644 "now a file"
        b 755
        b/f 644 "2"
        c 755
        c/f 644 "3"
        d 644 "1"
    "#]]
    .assert_eq(&world.tree());
}

#[test]
fn nothing_leads_out_of_the_directory() {
    let attacks: Vec<Vec<(Entry, String)>> = vec![
        vec![file("../outside", "x")],
        vec![file("a/../../outside", "x")],
        vec![hard("a", "../outside")],
        vec![link("a", ".."), hard("b", "a/outside")],
        vec![hard("a", "nowhere")],
        vec![dir("d"), hard("a", "d")],
        vec![hard("a", "/")],
        vec![file(".wh...", "")],
        vec![file(".wh.", "")],
        vec![file(".wh.x/y", "")],
        vec![file("", "x")],
        vec![file("a", "x"), file("a/b", "y")],
        vec![link("a", "a"), file("a/b", "x")],
        vec![link("a", "missing"), file("a/b", "x")],
    ];
    for attack in attacks {
        let world = World::new();
        let paths: Vec<_> = attack.iter().map(|(entry, _)| String::from_utf8_lossy(&entry.path)).collect();
        assert!(world.unpack(&attack).is_err(), "{paths:?}");
        world.tree();
    }
}

#[test]
fn links_that_lead_out_lead_back_in() {
    let world = World::new();
    let outside = world.dir.path().display().to_string();
    let members = [
        dir("etc"),
        link("abs", "/etc"),
        file("abs/passwd", "inside"),
        link("up", "../../../../.."),
        file("up/top", "inside"),
        link("file", &format!("{outside}/outside")),
        file("file", "replaced"),
        link("etc/sneaky", "/../../../outside"),
        hard("hard", "etc/sneaky"),
        file("/absolute", "inside"),
    ];
    world.unpack(&members).unwrap();
    expect_test::expect![[r#"
        abs -> /etc
        absolute 644 "inside"
        etc 755
        etc/passwd 644 "inside"
        etc/sneaky -> /../../../outside
        file 644 "replaced"
        hard -> /../../../outside
        top 644 "inside"
        up -> ../../../../..
    "#]]
    .assert_eq(&world.tree());
    let error = world.unpack(&[link("proc", "/proc/self/root"), file("proc/outside", "x")]);
    assert!(error.is_err());
    world.tree();
}

#[test]
fn directories_nobody_describes_look_like_those_below() {
    let world = World::new();
    let lowers = tempfile::tempdir().unwrap();
    let (upper, lower) = (lowers.path().join("upper"), lowers.path().join("lower"));
    std::fs::create_dir_all(upper.join("other")).unwrap();
    std::fs::create_dir_all(lower.join("tmp/deep")).unwrap();
    symlink("/etc", upper.join("link")).unwrap();
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(lower.join("tmp"), std::fs::Permissions::from_mode(0o1777)).unwrap();
    let lowers = [upper, lower];
    let options = UnpackOptions { lowers: &lowers, ..world.options() };
    let members = [file("tmp/deep/f", "1"), file("link/f", "2"), file("new/f", "3")];
    unpack(&archive(&members)[..], None, &world.layer(), &options).unwrap();
    expect_test::expect![[r#"
        link 755
        link/f 644 "2"
        new 755
        new/f 644 "3"
        tmp 1777
        tmp/deep 755
        tmp/deep/f 644 "1"
    "#]]
    .assert_eq(&world.tree());
}

#[test]
fn every_compression_gives_the_same_layer_and_the_digest_is_checked() {
    use std::io::Write;
    let bytes = archive(&[file("f", "content")]);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&bytes).unwrap();
    let zstd = zstd::encode_all(&bytes[..], 1).unwrap();
    let good = Digest::sha256_of(&bytes);
    for blob in [bytes.clone(), gzip.finish().unwrap(), zstd] {
        let world = World::new();
        let unpacked = unpack(&blob[..], Some(&good), &world.layer(), &world.options()).unwrap();
        assert_eq!((unpacked.diff_id, unpacked.bytes), (good.clone(), bytes.len() as u64));
        let bad = Digest::sha256_of(b"other");
        let other = World::new();
        let error = unpack(&blob[..], Some(&bad), &other.layer(), &other.options()).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("the layer has digest {good} before compression, expected {bad}")
        );
        // Cut off anywhere, it is an error and not a smaller layer.
        let other = World::new();
        let cut = unpack(&blob[..blob.len() / 2], Some(&good), &other.layer(), &other.options());
        assert!(cut.is_err());
    }
    // Bytes behind the end belong to the digest.
    let world = World::new();
    let longer = [&bytes[..], &[0; 512]].concat();
    assert!(unpack(&longer[..], Some(&good), &world.layer(), &world.options()).is_err());
}

#[test]
fn limits_hold() {
    let world = World::new();
    let bytes = archive(&[file("a", "1"), file("b", "2")]);
    let options = UnpackOptions { max_entries: 1, ..world.options() };
    let error = unpack(&bytes[..], None, &world.layer(), &options).unwrap_err();
    assert_eq!(error.to_string(), "the layer has more than 1 members");
    let bomb = zstd::encode_all(&vec![0; 10 << 20][..], 1).unwrap();
    let options = UnpackOptions { max_bytes: 1 << 20, ..world.options() };
    let error = unpack(&bomb[..], None, &world.layer(), &options).unwrap_err();
    assert!(matches!(error, UnpackError::Archive(ReadError::Io(_))), "{error}");
    world.cancel.cancel();
    let error = unpack(&bytes[..], None, &world.layer(), &world.options()).unwrap_err();
    assert!(matches!(error, UnpackError::Cancelled));
}

#[test]
fn an_owner_that_does_not_exist_here_is_said_so() {
    if !is_root() {
        return;
    }
    let world = World::new();
    let mut strange = file("f", "");
    strange.0.uid = u64::from(u32::MAX);
    let error = world.unpack(&[strange]).unwrap_err();
    assert_eq!(error.to_string(), "cannot give f to user 4294967295 and group 0");
    assert!(error.hint().is_some());
}

#[test]
fn what_is_unpacked_is_written_the_same_again() {
    let members = [
        dir("a/"),
        file("a/.wh..wh..opq", ""),
        file("a/f", "1"),
        file("b", "2"),
        file(".wh.c", ""),
        link("z", "b"),
    ];
    let again = |bytes: &[u8]| {
        let world = World::new();
        unpack(bytes, None, &world.layer(), &world.options()).unwrap();
        let cancel = Cancel::new();
        let options = TreeOptions {
            prefix: "",
            times: Times::Keep,
            owner: None,
            whiteouts: true,
            xattrs: true,
            cancel: &cancel,
        };
        let mut writer = Writer::new(Vec::new());
        write_tree(&mut writer, &world.layer(), &options).unwrap();
        writer.finish().unwrap()
    };
    let first = again(&archive(&members));
    assert_eq!(again(&first), first);
    let world = World::new();
    unpack(&first[..], None, &world.layer(), &world.options()).unwrap();
    expect_test::expect![[r#"
        a 755 opaque
        a/f 644 "1"
        b 644 "2"
        c hides (0)
        z -> b
    "#]]
    .assert_eq(&world.tree());
}

/// Zeros without end, which say that nobody wants them any more after a while.
struct Endless<'a> {
    start: &'a [u8],
    cancel: &'a Cancel,
    reads: u32,
}

impl Read for Endless<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if !self.start.is_empty() {
            return self.start.read(buffer);
        }
        self.reads += 1;
        match self.reads {
            0..10 => {}
            10 => self.cancel.cancel(),
            11..1000 => {}
            _ => return Err(std::io::Error::other("it was read on and on")),
        }
        buffer.fill(0);
        Ok(buffer.len())
    }
}

#[test]
fn what_follows_the_last_member_does_not_keep_anybody_waiting() {
    let world = World::new();
    let bytes = archive(&[file("f", "content")]);
    let input = Endless { start: &bytes, cancel: &world.cancel, reads: 0 };
    let unpacked = unpack(input, None, &world.dir.path().join("layer"), &UnpackOptions::new(&world.cancel));
    assert!(matches!(unpacked, Err(UnpackError::Cancelled)), "{unpacked:?}");
}
