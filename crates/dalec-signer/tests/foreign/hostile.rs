//! Files that somebody made to do harm: a clear refusal, no panic, and memory that follows the file's real size.

use dalec_signer::{Keyring, SignError, Verdict};
use pgp::crypto::hash::HashAlgorithm;
use pgp::packet::{PacketTrait, SignatureConfig, SignatureType, Subpacket, SubpacketData};
use pgp::types::{KeyDetails, Password};

use crate::world::{Place, day_before, ed25519, find, tamper};

/// Checks that `name` is refused both by signing and by checking, and returns why.
#[track_caller]
fn refused(place: &Place, name: &str) -> String {
    let before = place.names();
    let error = place.sign(ed25519(), &[name]).unwrap_err();
    let SignError::Broken { broken, .. } = error else { panic!("{error}") };
    assert_eq!(place.names(), before);
    let report = place.verify(ed25519(), name);
    assert_eq!(report.verdict, Verdict::Broken(broken.clone()));
    broken.0
}

fn member(name: &str, size: &str, content: &[u8]) -> Vec<u8> {
    let mut bytes = format!("{name:<16}{:<12}{:<6}{:<6}{:<8}{size:<10}`\n", 0, 0, 0, "100644").into_bytes();
    bytes.extend(content);
    if content.len() % 2 == 1 {
        bytes.push(b'\n');
    }
    bytes
}

fn deb(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut bytes = b"!<arch>\n".to_vec();
    for (name, content) in members {
        bytes.extend(member(name, &content.len().to_string(), content));
    }
    bytes
}

const BINARY: (&str, &[u8]) = ("debian-binary", b"2.0\n");
const CONTROL: (&str, &[u8]) = ("control.tar.gz", b"control");
const DATA: (&str, &[u8]) = ("data.tar.gz", b"data");

#[test]
fn archives_that_lie() {
    let place = Place::new();
    let check = |bytes: &[u8]| {
        place.write("x.deb", bytes);
        refused(&place, "x.deb")
    };
    let good = deb(&[BINARY, CONTROL, DATA]);
    place.write("x.deb", &good);
    place.sign(ed25519(), &["x.deb"]).unwrap();
    assert_eq!(check(b""), "it is not a Debian package");
    assert_eq!(check(b"!<arch>\n"), "it has no debian-binary where that belongs");
    assert_eq!(check(&good[..30]), "it ends within the header of a member");
    assert_eq!(check(&good[..good.len() - 1]), "its member \"data.tar.gz\" is cut off");
    let claims = |size| [b"!<arch>\n".to_vec(), member("debian-binary", size, b"2.0\n")].concat();
    assert_eq!(check(&claims("9999999999")), "its member \"debian-binary\" is cut off");
    for size in ["-4", "+4", "0x4", "", "4 4", "99999999999999"] {
        assert!(check(&claims(size)).contains(" is not a number") || size.len() > 10, "{size}");
    }
    assert_eq!(check(&deb(&[CONTROL, BINARY, DATA])), "it has no debian-binary where that belongs");
    assert_eq!(check(&deb(&[BINARY, DATA, CONTROL])), "it has no control.tar where that belongs");
    assert_eq!(check(&deb(&[BINARY, CONTROL])), "it has no data.tar where that belongs");
    assert_eq!(check(&deb(&[("debian-binary", b"3.0\n"), CONTROL, DATA])), "its format is not version 2");
    for version in [&b"2.0"[..], b"2.\n", b"2.x\n", b"2.0\n\n", b"2.0\ncontrol"] {
        let reason = check(&deb(&[("debian-binary", version), CONTROL, DATA]));
        assert_eq!(reason, "its format is not version 2");
    }
    assert_eq!(check(&deb(&[("_x", b""), BINARY, CONTROL, DATA])), "it does not begin with debian-binary");
    let twice = deb(&[BINARY, CONTROL, DATA, DATA]);
    assert_eq!(check(&twice), "it has a member \"data.tar.gz\", which no signature would cover");
    let signed = deb(&[BINARY, CONTROL, DATA, ("_gpgorigin", b"x"), ("_gpgorigin", b"x")]);
    assert_eq!(check(&signed), "it has several signatures of its origin");
    let many = vec![("_x", &b""[..]); 100];
    assert_eq!(check(&deb(&many)), "it has more than 64 members");
    let mut raw = good.clone();
    raw[8..12].copy_from_slice(b"\xff\x00\x1b[");
    assert!(check(&raw).starts_with("it has no debian-binary"));
}

/// A package within a package does not become the package: the signed bytes, cut up in other places, are refused.
#[test]
fn members_cannot_be_cut_up_anew() {
    for outer in ["none", "gzip", "xz", "zstd"] {
        let place = Place::new();
        place.deb("inner.deb", "gzip");
        place.deb("outer.deb", outer);
        let content = |package: &str, member: &str| {
            place.succeed("sh", &["-c", &format!("ar p {package} {member} > member")]);
            place.read("member")
        };
        let names = place.succeed("ar", &["t", "outer.deb"]);
        let control_name = names.lines().nth(1).unwrap();
        let control = content("outer.deb", control_name);
        // Whatever else is in the data archive, this is in it as it is.
        let inner = [content("inner.deb", "control.tar.gz"), content("inner.deb", "data.tar.gz")];
        place.write("x.deb", deb(&[BINARY, (control_name, &control), ("data.tar", &inner.concat())]));
        place.sign(ed25519(), &["x.deb"]).unwrap();
        place.expect_valid(ed25519(), "x.deb");
        let signature = content("x.deb", "_gpgorigin");
        let (version, longer) = ([BINARY.1, &control].concat(), [&control[..], &inner[0]].concat());
        let (shorter, rest) = control.split_at(control.len() - 512.min(control.len() / 2));
        let rest = [rest, &inner.concat()].concat();
        let cuts = [
            (&version[..], "control.tar.gz", &inner[0][..], &inner[1][..]),
            (BINARY.1, control_name, &longer, &inner[1]),
            (BINARY.1, control_name, shorter, &rest),
        ];
        for (number, (version, name, control, data)) in cuts.into_iter().enumerate() {
            let members =
                [(BINARY.0, version), (name, control), ("data.tar.gz", data), ("_gpgorigin", &signature[..])];
            place.write("cut.deb", deb(&members));
            let verdict = place.verify(ed25519(), "cut.deb").verdict;
            assert!(matches!(verdict, Verdict::Broken(_)), "{outer}, {number}: {verdict:?}");
            // dpkg would install it.
            if number == 0 || number == 1 && outer != "gzip" {
                place.succeed("dpkg-deb", &["--info", "cut.deb"]);
                place.succeed("dpkg-deb", &["--contents", "cut.deb"]);
            }
        }
    }
}

/// A signature over text lets the ends of lines be anything, and might have been made for a text of somebody else.
#[test]
fn packages_are_not_signed_as_text() {
    let place = Place::new();
    let covered = b"2.0\ncontroldata";
    let mut config =
        SignatureConfig::v4(SignatureType::Text, ed25519().secret.algorithm(), HashAlgorithm::Sha256);
    config.hashed_subpackets = vec![
        Subpacket::regular(SubpacketData::IssuerFingerprint(ed25519().secret.fingerprint())).unwrap(),
        Subpacket::regular(SubpacketData::SignatureCreationTime(day_before())).unwrap(),
    ];
    let signature = config.sign(&ed25519().secret.primary_key, &Password::empty(), &covered[..]).unwrap();
    let mut bytes = Vec::new();
    signature.to_writer_with_header(&mut bytes).unwrap();
    place.write("data", covered);
    place.write("data.sig", &bytes);
    assert_eq!(place.verify(ed25519(), "data").verdict, Verdict::Valid);
    place.write("x.deb", deb(&[BINARY, CONTROL, DATA, ("_gpgorigin", &bytes)]));
    assert_ne!(place.verify(ed25519(), "x.deb").verdict, Verdict::Valid);
}

#[test]
fn signatures_that_are_none() {
    let place = Place::new();
    let mut many = Vec::new();
    place.write("data", "1");
    place
        .sign_how(
            ed25519(),
            &["data"],
            &crate::world::How { detached: dalec_signer::Detached::Binary, ..Default::default() },
        )
        .unwrap();
    for _ in 0..17 {
        many.extend(place.read("data.sig"));
    }
    let mut junk: Vec<Vec<u8>> =
        vec![b"".to_vec(), b"junk".to_vec(), vec![0xff; 1000], many, vec![b'\n'; 2 << 20]];
    junk.push(b"-----BEGIN PGP SIGNATURE-----\n\n".to_vec());
    junk.push(b"-----BEGIN PGP SIGNATURE-----\n\n!!!!\n-----END PGP SIGNATURE-----\n".to_vec());
    // A packet that claims four gigabytes.
    junk.push(vec![0xc2, 0xff, 0xff, 0xff, 0xff, 0xff, 4, 0, 1, 8]);
    junk.push(ed25519().public_bytes());
    for bytes in junk {
        place.write("data.sig", &bytes);
        let report = place.verify(ed25519(), "data");
        assert!(matches!(report.verdict, Verdict::Broken(_)), "{report:?}");
        place.write("x.deb", deb(&[BINARY, CONTROL, DATA, ("_gpgorigin", &bytes)]));
        let report = place.verify(ed25519(), "x.deb");
        assert!(matches!(report.verdict, Verdict::Broken(_)), "{report:?}");
    }
    assert!(Keyring::default().add(b"junk").is_err());
    assert!(Keyring::default().add(&[0xc6, 0xff, 0xff, 0xff, 0xff, 0xff, 4]).is_err());
}

#[test]
fn texts_that_lie() {
    let place = Place::new();
    let body = "Format: 1.8\nFiles:\n 098f6bcd4621d373cade4e832627b4f6 4 misc optional x\n";
    let check = |text: &[u8]| {
        place.write("x.changes", text);
        refused(&place, "x.changes")
    };
    place.write("x.changes", body);
    place.sign(ed25519(), &["x.changes"]).unwrap();
    let signed = String::from_utf8(place.read("x.changes")).unwrap();
    let check = |text: String| {
        let reason = check(text.as_bytes());
        assert!(!reason.is_empty());
        reason
    };
    assert_eq!(check(String::new()), "it is empty");
    assert_eq!(check("a\0b".into()), "it is not text");
    assert_eq!(check(format!("Extra: line\n{signed}")), "there is text before its signature");
    assert_eq!(check(format!("{signed}Extra: line\n")), "there is text after its signature");
    assert_eq!(check(signed[..signed.len() / 2].into()), "its signature is cut off");
    assert_eq!(check(signed.replace("\nHash: ", "\nTrust: ")), "its signature begins with an unknown header");
    assert_eq!(check(signed.replace("\nFiles:", "\n-Files:")), "a line of its text is not escaped");
    assert!(check("Files:\n x\n".into()).starts_with("its list of files has a line that is none"));
    assert!(check("Files:\n x -1 y\n".into()).starts_with("its list of files has a line that is none"));
    assert!(check("Files: x\n".into()).starts_with("its list of files has a line that is none"));
    assert!(check("Checksums-Sha3 : x 1 y\n".into()).contains("is not known"));
    assert_eq!(check(signed.replacen("\n\n", "\n \n", 1)), "its signature begins with an unknown header");
    assert!(check("Checksums-Sha3:\n x 1 y\n".into()).contains("is not known"));
    assert_eq!(check("x".repeat((16 << 20) + 1)), "it is larger than any list of files");
    // Paths that lead elsewhere are never opened.
    place.write("x.changes", "Files:\n 098f6bcd4621d373cade4e832627b4f6 4 misc optional ../../etc/passwd\n");
    let error = place.sign(ed25519(), &["x.changes"]).unwrap_err();
    assert!(matches!(error, SignError::Stale { .. }), "{error}");
    // Lists are found wherever dpkg finds them.
    place.write("x", "other");
    for lie in [body.replace("Files:\n", "Files:"), body.replace("Files:", "Files :")] {
        place.write("x.changes", lie);
        let error = place.sign(ed25519(), &["x.changes"]).unwrap_err();
        assert!(matches!(error, SignError::Stale { .. }), "{error}");
    }
    // As many lines as fit: reading them takes linear time.
    let mut long = String::from("Files:\n");
    for line in 0..200_000 {
        long.push_str(&format!(" 098f6bcd4621d373cade4e832627b4f6 4 misc optional file-{line}\n"));
    }
    place.write("x.changes", long);
    place.sign(ed25519(), &["x.changes"]).unwrap();
    place.expect_valid(ed25519(), "x.changes");
}

/// An intro of a header: how many entries, how long the store.
fn intro(entries: u32, store: u32) -> Vec<u8> {
    let mut bytes = vec![0x8e, 0xad, 0xe8, 1, 0, 0, 0, 0];
    bytes.extend(entries.to_be_bytes());
    bytes.extend(store.to_be_bytes());
    bytes
}

fn entry(tag: u32, kind: u32, offset: u32, count: u32) -> Vec<u8> {
    [tag, kind, offset, count].into_iter().flat_map(u32::to_be_bytes).collect()
}

#[test]
fn headers_that_lie() {
    let place = Place::new();
    let mut lead = vec![0; 96];
    lead[..4].copy_from_slice(&[0xed, 0xab, 0xee, 0xdb]);
    lead[79] = 5;
    let check = |parts: &[Vec<u8>]| {
        place.write("x.rpm", [&[lead.clone()], parts].concat().concat());
        refused(&place, "x.rpm")
    };
    assert_eq!(check(&[]), "its signature header is cut off");
    assert_eq!(check(&[vec![0; 16]]), "its signature header is missing");
    for (entries, store) in [(0, 0), (u32::MAX, 0), (1, u32::MAX), (65, 16)] {
        assert_eq!(check(&[intro(entries, store)]), "its signature header claims an impossible size");
    }
    assert_eq!(check(&[intro(1, 64 << 20)]), "its signature header is cut off");
    let damaged = |entries: &[Vec<u8>], store: &[u8]| {
        let intro = intro(u32::try_from(entries.len()).unwrap(), u32::try_from(store.len()).unwrap());
        let reason = check(&[intro, entries.concat(), store.to_vec()]);
        reason.strip_prefix("its signature header is damaged: ").map(str::to_owned).unwrap_or(reason)
    };
    let cut_off = "a value is of no known kind, or cut off";
    assert_eq!(damaged(&[entry(1, 7, 0, 17)], &[0; 16]), cut_off);
    assert_eq!(damaged(&[entry(1, 7, u32::MAX, 1)], &[0; 16]), cut_off);
    assert_eq!(damaged(&[entry(1, 5, 8, u32::MAX)], &[0; 16]), cut_off);
    assert_eq!(damaged(&[entry(1, 8, 0, u32::MAX)], &[0; 16]), cut_off);
    assert_eq!(damaged(&[entry(1, 6, 0, 1)], &[1; 16]), cut_off);
    assert_eq!(damaged(&[entry(1, 99, 0, 1)], &[0; 16]), cut_off);
    assert_eq!(
        damaged(&[entry(2, 7, 0, 8), entry(1, 7, 8, 4), entry(2, 7, 12, 4)], &[0; 16]),
        "a tag is there twice"
    );
    assert_eq!(damaged(&[entry(1, 4, 2, 1)], &[0; 16]), "a number is not aligned");
    assert_eq!(damaged(&[entry(1, 7, 0, 8), entry(2, 7, 4, 8)], &[0; 16]), "values overlap");
    let empty = [intro(1, 16), entry(62, 7, 0, 16), entry(62, 7, 0xffff_fff0, 16)].concat();
    assert_eq!(check(&[empty.clone(), intro(65_536, 0)]), "its header claims an impossible size");
    let loose = [intro(1, 16), entry(1000, 7, 0, 16), vec![0; 16]].concat();
    assert_eq!(check(&[empty, loose]), "its header has parts that no signature would cover");
    lead_is_checked(&place);
}

fn lead_is_checked(place: &Place) {
    place.write("x.rpm", "");
    assert_eq!(refused(place, "x.rpm"), "it is not an RPM package");
    place.write("x.rpm", vec![0; 200]);
    assert_eq!(refused(place, "x.rpm"), "it is not an RPM package");
}

/// Whatever single byte is changed in a signed package: no panic, and never a good signature over other content.
#[test]
fn no_flipped_bit_goes_unnoticed() {
    let place = Place::new();
    // An archive with nothing in it.
    let control = ("control.tar", &[0; 1024][..]);
    place.write("x.deb", deb(&[BINARY, control, DATA]));
    place.sign(ed25519(), &["x.deb"]).unwrap();
    let path = place.path("x.deb");
    let good = place.read("x.deb");
    let signature = find(&good, b"_gpgorigin");
    for at in 0..good.len() {
        tamper(&path, at);
        let report = place.verify(ed25519(), "x.deb");
        let covers = [BINARY, control, DATA].iter().any(|(_, content)| {
            let start = find(&good, content);
            (start..start + content.len()).contains(&at)
        });
        assert!(!covers || report.verdict != Verdict::Valid, "byte {at} of {signature}");
        tamper(&path, at);
    }
    assert_eq!(place.verify(ed25519(), "x.deb").verdict, Verdict::Valid);
    for length in 0..good.len() - 1 {
        place.write("x.deb", &good[..length]);
        assert_ne!(place.verify(ed25519(), "x.deb").verdict, Verdict::Valid, "cut off after {length} bytes");
    }
}
