//! `dalec key` as its users meet it. That other programs take the keys is tested in the signer.

use std::os::unix::fs::PermissionsExt;

use super::{Place, Run};

const OWNER: &str = "Hello Packages <packages@example.org>";

#[track_caller]
fn refused(run: Run, words: &str) {
    assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""));
    assert!(run.stderr.contains(words), "{}", run.stderr);
}

#[test]
fn a_new_key_signs_and_is_its_owners_alone() {
    let place = Place::with("data", "data\n");
    let run = place.run(&["key", "new", OWNER]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(0), ""), "{}", run.stderr);
    assert!(run.stderr.contains("key.asc: the secret key, not locked"), "{}", run.stderr);
    assert!(run.stderr.contains(OWNER), "{}", run.stderr);
    let mode = |name: &str| std::fs::metadata(place.path().join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("key.asc"), mode("public.asc")), (0o600, 0o644));
    let public = std::fs::read_to_string(place.path().join("public.asc")).unwrap();
    assert!(public.starts_with("-----BEGIN PGP PUBLIC KEY BLOCK-----"), "{public}");
    let signed = place.run(&["sign", "--key", "key.asc", "data"]);
    assert_eq!(signed.code, Some(0), "{}", signed.stderr);
    let verified = place.run(&["verify", "--keyring", "public.asc", "data"]);
    assert_eq!(verified.code, Some(0), "{}", verified.stdout);
    assert!(verified.stdout.contains(OWNER), "{}", verified.stdout);
}

#[test]
fn a_passphrase_locks_a_new_key() {
    let place = Place::with("data", "data\n");
    let new = ["key", "new", OWNER, "--passphrase-file", "-", "--expires", "never"];
    let run = place.run_with(&new, &[], "sesame\n");
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert!(run.stderr.contains("locked by the passphrase"), "{}", run.stderr);
    assert!(run.stderr.contains("good for ever"), "{}", run.stderr);
    refused(place.run(&["sign", "--key", "key.asc", "data"]), "passphrase");
    let sign = ["sign", "--key", "key.asc", "--passphrase-file", "env:PASSPHRASE", "data"];
    let signed = place.run_with(&sign, &[("PASSPHRASE", "sesame")], "");
    assert_eq!(signed.code, Some(0), "{}", signed.stderr);
}

/// A key that is overwritten is lost for good.
#[test]
fn nothing_that_is_there_is_overwritten() {
    for there in ["key.asc", "public.asc"] {
        let place = Place::with(there, "mine");
        refused(place.run(&["key", "new", OWNER]), &format!("{there} is there already"));
        assert_eq!(std::fs::read_to_string(place.path().join(there)).unwrap(), "mine");
        assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 1);
    }
}

#[test]
fn what_makes_no_key_is_refused() {
    let place = Place::new();
    refused(place.run(&["key", "new", " "]), "an owner is one line");
    refused(place.run(&["key", "new", "a\u{1b}[31m"]), "an owner is one line");
    refused(place.run(&["key", "new", OWNER, "--expires", "200y"]), "cannot be good for that long");
    refused(place.run(&["key", "new", OWNER, "--expires", "2"]), "write 90d, 8w, 6m, 2y or never");
    refused(place.run(&["key", "new", OWNER, "--passphrase-file", "-"]), "the passphrase is empty");
    assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 0);
    let run = place.run(&["key", "new", OWNER, "-o", "none/key.asc"]);
    assert_eq!(run.code, Some(3), "{}", run.stderr);
    assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 0);
}
