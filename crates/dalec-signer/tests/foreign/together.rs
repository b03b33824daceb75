//! Several files in one call: all or nothing, and nothing is left behind.

use std::os::unix::fs::{PermissionsExt, symlink};

use dalec_signer::SignError;

use crate::world::{How, Onlooker, Place, ed25519};

fn place() -> Place {
    let place = Place::new();
    place.deb("a.deb", "xz");
    place.write("b.tar", "b");
    place
}

#[test]
fn nothing_is_written_unless_all_can_be_signed() {
    for bad in
        ["broken.deb", "broken.rpm", "absent", "program.exe", "library.DLL", "old.sig", "folder", "a.deb"]
    {
        let place = place();
        for name in ["broken.deb", "broken.rpm", "program.exe", "library.DLL", "old.sig"] {
            place.write(name, "what is this");
        }
        std::fs::create_dir(place.path("folder")).unwrap();
        let (before, deb) = (place.names(), place.read("a.deb"));
        let error = place.sign(ed25519(), &["a.deb", "b.tar", bad]).unwrap_err();
        let as_expected = match bad {
            "broken.deb" | "broken.rpm" => matches!(error, SignError::Broken { .. }),
            "absent" => matches!(error, SignError::Read { .. }),
            "program.exe" | "library.DLL" => matches!(error, SignError::NeedsCertificate { .. }),
            "old.sig" => matches!(error, SignError::Signature { .. }),
            "folder" => matches!(error, SignError::NotAFile { .. }),
            _ => matches!(error, SignError::Twice { .. }),
        };
        assert!(as_expected, "{bad}: {error:?}");
        assert_eq!(place.names(), before, "{bad}");
        assert!(place.read("a.deb") == deb, "{bad}");
    }
}

#[test]
fn stopping_leaves_everything_as_it_was() {
    for stop_at in 0..3 {
        let place = place();
        let (before, deb) = (place.names(), place.read("a.deb"));
        let watch = Onlooker { stop_at: Some(stop_at), ..Onlooker::default() };
        let error = place.sign_watched(ed25519(), &["a.deb", "b.tar"], &How::default(), &watch).unwrap_err();
        assert!(matches!(error, SignError::Cancelled), "{error}");
        assert_eq!(place.names(), before);
        assert!(place.read("a.deb") == deb);
    }
}

/// A directory is in the way of the second file; the first one is signed by then, and the error says so.
#[test]
fn a_failure_at_the_very_end_says_what_was_signed() {
    let place = place();
    place.write("out/b.tar.asc/full", "");
    let how = How { output: Some(place.path("out")), ..How::default() };
    let error = place.sign_how(ed25519(), &["a.deb", "b.tar"], &how).unwrap_err();
    let SignError::Place { path, signed, .. } = error else { panic!("{error}") };
    assert_eq!((path, signed), (place.path("out/b.tar.asc"), vec![place.path("a.deb")]));
}

#[test]
fn mode_and_links_stay() {
    let place = place();
    let mode = |name: &str| place.path(name).metadata().unwrap().permissions().mode() & 0o7777;
    std::fs::set_permissions(place.path("a.deb"), PermissionsExt::from_mode(0o640)).unwrap();
    std::fs::create_dir(place.path("links")).unwrap();
    symlink("../a.deb", place.path("links/a.deb")).unwrap();
    let error = place.sign(ed25519(), &["a.deb", "links/a.deb"]).unwrap_err();
    assert!(matches!(error, SignError::Twice { .. }), "{error}");
    place.sign(ed25519(), &["links/a.deb"]).unwrap();
    assert!(place.path("links/a.deb").symlink_metadata().unwrap().is_symlink());
    assert_eq!(mode("a.deb"), 0o640);
    place.expect_valid(ed25519(), "a.deb");
}

#[test]
fn two_files_cannot_get_one_name() {
    let place = place();
    place.write("other/b.tar", "other");
    let how = How { output: Some(place.path("out")), ..How::default() };
    let error = place.sign_how(ed25519(), &["b.tar", "other/b.tar"], &how).unwrap_err();
    assert!(matches!(error, SignError::Twice { .. }), "{error}");
    assert!(!place.path("out").exists());
    place.sign(ed25519(), &["b.tar", "other/b.tar"]).unwrap();
}

/// However a file is reached, the list follows what becomes of it.
#[test]
fn lists_follow_links_and_files_that_come_together() {
    let list = |place: &Place| {
        place.succeed("sh", &["-c", "printf 'Checksums-Sha256:\n %s %s a.deb\n' $(sha256sum a.deb | cut -d' ' -f1) $(stat -Lc %s a.deb) > x.changes"]);
    };
    let place = place();
    std::fs::create_dir(place.path("pool")).unwrap();
    std::fs::rename(place.path("a.deb"), place.path("pool/a.deb")).unwrap();
    symlink("pool/a.deb", place.path("a.deb")).unwrap();
    list(&place);
    place.sign(ed25519(), &["a.deb", "x.changes"]).unwrap();
    place.expect_valid(ed25519(), "x.changes");
    list(&place);
    let how = How { replace: true, ..How::default() };
    place.sign_how(crate::world::rsa(), &["pool/a.deb", "x.changes"], &how).unwrap();
    place.expect_valid(crate::world::rsa(), "x.changes");
    // They come together only where they go.
    list(&place);
    std::fs::remove_file(place.path("a.deb")).unwrap();
    let how = How { output: Some(place.path("out")), ..how };
    place.sign_how(ed25519(), &["pool/a.deb", "x.changes"], &how).unwrap();
    place.expect_valid(ed25519(), "out/x.changes");
}

/// What lies where something new is written does not lead the way to another place, nor back to the originals.
#[test]
fn links_in_the_way_are_replaced() {
    let place = place();
    place.write("precious", "precious");
    let deb = place.read("a.deb");
    std::fs::create_dir(place.path("out")).unwrap();
    for (target, link) in [("../a.deb", "out/a.deb"), ("../precious", "out/b.tar"), ("precious", "b.tar.asc")]
    {
        symlink(target, place.path(link)).unwrap();
    }
    place
        .sign_how(ed25519(), &["a.deb"], &How { output: Some(place.path("out")), ..How::default() })
        .unwrap();
    place
        .sign_how(
            ed25519(),
            &["b.tar"],
            &How { replace: true, output: Some(place.path("out")), ..How::default() },
        )
        .unwrap();
    place.sign_how(ed25519(), &["b.tar"], &How { replace: true, ..How::default() }).unwrap();
    assert!(place.read("a.deb") == deb, "an original was changed");
    assert_eq!(place.read("precious"), b"precious");
    for name in ["out/a.deb", "out/b.tar", "b.tar"] {
        place.expect_valid(ed25519(), name);
    }
}
