//! Packages that try to write where they should not, or to be more than they are.

use std::fs;

use dalec_bootstrap::BootstrapError;
use expect_test::{Expect, expect};

use crate::support::deb::{Deb, Entry};
use crate::support::world::{World, list};

fn evil() -> Deb {
    Deb::new("evil", "1.0").field("Essential: yes\n")
}

#[track_caller]
fn check_refused(deb: Deb, expected: Expect) {
    let world = World::with(&[deb]);
    let error = world.assemble(&[]).unwrap_err();
    assert!(matches!(error, BootstrapError::Package { .. }), "{error}");
    expected.assert_eq(&error.to_string());
}

#[test]
fn names_that_climb_are_refused() {
    check_refused(
        evil().file("./../escape", 0o644, "x"),
        expect!["package evil cannot be unpacked: the name `./../escape` leads out of the package"],
    );
    check_refused(
        evil().file("usr/../../escape", 0o644, "x"),
        expect!["package evil cannot be unpacked: the name `usr/../../escape` leads out of the package"],
    );
    check_refused(
        evil().hard_link("./x", "../../../etc/passwd"),
        expect!["package evil cannot be unpacked: the name `../../../etc/passwd` leads out of the package"],
    );
    check_refused(
        evil().file("./new\nline", 0o644, "x"),
        expect![[r#"package evil cannot be unpacked: the name `./new\nline` has a line break in it"#]],
    );
}

#[test]
fn an_absolute_name_stays_inside() {
    let world = World::new();
    let name = format!("{}/x", world.outside().display());
    world.mirror.publish_bookworm(&[evil().file(&name, 0o644, "x")], &world.key);
    let (_, root, _) = world.assemble(&[]).unwrap();
    assert!(!world.outside().join("x").exists());
    assert_eq!(fs::read_to_string(root.join(&name[1..])).unwrap(), "x");
}

#[test]
fn a_file_through_a_link_of_the_same_package_stays_inside() {
    let world = World::new();
    let outside = world.outside();
    let deb = evil()
        .symlink("./link", outside.to_str().unwrap())
        .file("./link/x", 0o644, "x")
        .symlink("./up", "../../../../../..")
        .file("./up/tmp-escape", 0o644, "x");
    world.mirror.publish_bookworm(&[deb], &world.key);
    let (_, root, _) = world.assemble(&[]).unwrap();
    assert_eq!(fs::read_dir(outside).unwrap().count(), 0);
    assert_eq!(fs::read_to_string(root.join("link/x")).unwrap(), "x");
    assert_eq!(fs::read_to_string(root.join("up/tmp-escape")).unwrap(), "x");
}

#[test]
fn a_file_through_a_link_of_the_first_package_stays_inside() {
    let world = World::new();
    let outside = world.outside();
    let skeleton = Deb::new("base-files", "1")
        .field("Essential: yes\n")
        .symlink("./link", "/target")
        .symlink("./up", "../../../../../../target")
        .symlink("./away", outside.to_str().unwrap())
        .directory("./target/", 0o755);
    let deb = evil().file("./link/x", 0o644, "x").file("./up/y", 0o644, "y");
    world.mirror.publish_bookworm(&[skeleton.clone(), deb], &world.key);
    let (_, root, _) = world.assemble(&[]).unwrap();
    assert_eq!(fs::read_to_string(root.join("target/x")).unwrap(), "x");
    assert_eq!(fs::read_to_string(root.join("target/y")).unwrap(), "y");

    let deb = evil().file("./away/x", 0o644, "x");
    world.mirror.publish_bookworm(&[skeleton, deb], &world.key);
    let error = world.assemble(&[]).unwrap_err();
    assert!(matches!(error, BootstrapError::Io { .. }), "{error}");
    assert_eq!(fs::read_dir(outside).unwrap().count(), 0);
}

#[test]
fn records_and_settings_are_not_written_through_links() {
    let world = World::new();
    let victim = world.outside().join("victim");
    fs::write(&victim, "untouched").unwrap();
    let target = victim.to_str().unwrap();
    let deb = evil()
        .symlink("./var/lib/dpkg/status", target)
        .symlink("./var/lib/dpkg/info/evil.list", target)
        .symlink("./etc/apt/sources.list.d/debian.sources", target)
        .symlink("./usr/sbin/policy-rc.d", target);
    world.mirror.publish_bookworm(&[deb], &world.key);
    let (_, root, _) = world.assemble(&[]).unwrap();
    assert_eq!(fs::read_to_string(&victim).unwrap(), "untouched");
    assert!(fs::read_to_string(root.join("var/lib/dpkg/status")).unwrap().contains("evil"));
    assert!(!list(&root, "usr/sbin").contains("->"));
}

#[test]
fn a_size_that_is_not_there_is_refused() {
    let entry = Entry { name: b"./big", size: Some(7 << 30), content: b"small", ..Entry::default() };
    check_refused(evil().raw(entry), expect!["package evil cannot be unpacked: unexpected EOF during skip"]);
}

#[test]
fn a_name_longer_than_any_path_is_refused() {
    let content = vec![b'a'; 1 << 20];
    let entry = Entry { name: b"././@LongLink", kind: b'L', content: &content, ..Entry::default() };
    check_refused(
        evil().raw(entry).file("./x", 0o644, ""),
        expect!["package evil cannot be unpacked: it has a name longer than any path"],
    );
}

#[test]
fn long_names_are_read() {
    let name = format!("./usr/{}/x", "long/".repeat(40));
    let entry = Entry { name: b"././@LongLink", kind: b'L', content: name.as_bytes(), ..Entry::default() };
    let world = World::with(&[evil().raw(entry).file("./usr/long", 0o644, "x")]);
    let (_, root, _) = world.assemble(&[]).unwrap();
    assert_eq!(fs::read_to_string(root.join(name)).unwrap(), "x");
}

#[test]
fn devices_and_unknown_kinds_are_refused() {
    let device = Entry { name: b"./dev/sda", kind: b'4', ..Entry::default() };
    check_refused(
        evil().raw(device),
        expect!["package evil cannot be unpacked: /dev/sda is of an unsupported kind `4`"],
    );
    let extended = Entry { name: b"./x", kind: b'x', content: b"20 path=/etc/passwd\n", ..Entry::default() };
    check_refused(
        evil().raw(extended),
        expect!["package evil cannot be unpacked: /x is of an unsupported kind `x`"],
    );
}

#[test]
fn control_files_must_be_plain_names() {
    check_refused(
        evil().script("../../x", ""),
        expect!["package evil cannot be unpacked: the name `./../../x` leads out of the package"],
    );
    check_refused(
        evil().script("sub/postinst", ""),
        expect!["package evil cannot be unpacked: its control archive has /sub/postinst"],
    );
}

#[test]
fn a_package_must_be_what_the_index_says() {
    let world = World::with(&[evil()]);
    let mut recipe = world.recipe(&[]);
    world.fetch(&recipe).unwrap();
    recipe.packages[0].version = "2.0".to_owned();
    let error = world.unpack(&recipe, &world.root()).unwrap_err();
    expect!["package evil cannot be unpacked: its Version is `1.0`, but the index says `2.0`"]
        .assert_eq(&error.to_string());
}

#[test]
fn a_damaged_archive_is_refused() {
    for (content, expected) in [
        (
            b"not an archive".to_vec(),
            expect!["package evil cannot be unpacked: Not an archive file (invalid global header)"],
        ),
        (b"!<arch>\n".to_vec(), expect!["package evil cannot be unpacked: it has no member `debian-binary`"]),
        (
            {
                let mut content = evil().build();
                content.truncate(content.len() - 40);
                content
            },
            expect!["package evil cannot be unpacked: premature eof"],
        ),
    ] {
        let world = World::with(&[evil()]);
        let recipe = world.recipe(&[]);
        world.fetch(&recipe).unwrap();
        fs::write(world.cached_file(&recipe.packages[0].sha256), content).unwrap();
        let error = world.unpack(&recipe, &world.root()).unwrap_err();
        expected.assert_eq(&error.to_string());
    }
}
