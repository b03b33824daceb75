//! Windows programs: signatures and timestamps judged by `osslsigncode`, and those of `osslsigncode` judged by us.

use dalec_signer::{
    CertificateFault, CodeKey, Fault, Finding, Key, Kind, Purpose, Report, Request, Roots, SignError,
    SignatureFault, Signed, Timestamps, Trust, Verdict,
};

use dalec_signer::compare::Signature;

use crate::authority::{Authority, HONEST, YEAR, authority, now};
use crate::program::{Width, program};
use crate::world::{Onlooker, Place, ed25519, find, tamper};

const NAMES: [&str; 4] = ["linked.exe", "linked.dll", "plain.exe", "overlay.dll"];

/// Returns a folder with programs: two that a linker made, of 64 and of 32 bits, and two that are well-formed at least.
fn programs() -> Place {
    let place = Place::new();
    place.write("x.s", ".globl start\n.text\nstart: xor %eax, %eax\n ret\n.data\n .ascii \"hello\"\n");
    for (bits, emulation, name) in [("--64", "i386pep", NAMES[0]), ("--32", "i386pe", NAMES[1])] {
        place.succeed("as", &[bits, "x.s", "-o", "x.o"]);
        place.succeed("ld", &["-m", emulation, "-e", "start", "x.o", "-o", name]);
    }
    place.write(NAMES[2], program(Width::Bits32, b""));
    place.write(NAMES[3], program(Width::Bits64, b"an overlay of odd length."));
    place
}

fn sign_with(
    place: &Place,
    key: &CodeKey,
    timestamps: Option<&dyn Timestamps>,
    names: &[&str],
    replace: bool,
) -> Result<Vec<Signed>, SignError> {
    let files: Vec<_> = names.iter().map(|name| place.path(name)).collect();
    let key = Key::Code { key, timestamps };
    let request =
        Request { files: &files, key, time: now(), replace, detached: Default::default(), output: None };
    dalec_signer::sign(&request, &Onlooker::default())
}

#[track_caller]
fn sign(place: &Place, key: &str, names: &[&str]) {
    sign_with(place, &authority().key(key), None, names, false).unwrap();
}

fn verify_at(place: &Place, roots: &Roots, name: &str, at: u64) -> Report {
    let keyring = dalec_signer::Keyring::default();
    dalec_signer::verify(&place.path(name), Trust { keyring: &keyring, roots }, at).unwrap()
}

fn verify(place: &Place, name: &str) -> Report {
    verify_at(place, &authority().roots(&["root.pem"]), name, now())
}

/// Returns the fault of the only signature.
#[track_caller]
fn fault(report: Report) -> Option<Fault> {
    let [Finding { fault, .. }] = report.findings.as_slice() else { panic!("{report:?}") };
    assert_eq!(report.verdict == Verdict::Valid, fault.is_none());
    *fault
}

/// Returns the arguments with which osslsigncode checks a program.
fn osslsigncode<'a>(roots: &'a str, name: &'a str) -> [&'a str; 7] {
    ["verify", "-CAfile", roots, "-TSA-CAfile", roots, "-in", name]
}

fn roots_file(place: &Place, authority: &Authority) -> String {
    place.write("roots.pem", authority.read(&["root.pem"]));
    "roots.pem".to_owned()
}

#[test]
fn osslsigncode_accepts_all_kinds_of_keys_and_programs() {
    for key in ["rsa", "p256", "p384"] {
        let place = programs();
        let roots = roots_file(&place, authority());
        let before: Vec<_> = NAMES.iter().map(|name| place.read(name)).collect();
        let signed = sign_with(&place, &authority().key(key), None, &NAMES, false).unwrap();
        assert!(
            signed
                .iter()
                .all(|signed| signed.kind == Kind::Program && signed.written == [signed.path.clone()])
        );
        for (name, before) in NAMES.iter().zip(before) {
            let said = place.succeed("osslsigncode", &osslsigncode(&roots, name));
            assert!(said.contains("Signature verification: ok"), "{said}");
            // Were it wrong, the right one would be told as well.
            assert!(said.contains("PE checksum   : ") && !said.contains("Calculated PE checksum"), "{said}");
            let report = verify(&place, name);
            assert_eq!(report.verdict, Verdict::Valid, "{report:?}");
            let certificate = report.findings[0].certificate.as_ref().unwrap();
            assert_eq!(certificate.subject, format!("CN={key},O=Wren"));
            assert_eq!(certificate.issuer, "CN=middle,O=Wren");
            // Nothing but signature, checksum, and zeros at the end.
            place
                .succeed("osslsigncode", &["remove-signature", "-in", name, "-out", &format!("{name}.bare")]);
            let mut bare = place.read(&format!("{name}.bare"));
            bare.truncate(before.len());
            let header = usize::try_from(u32::from_le_bytes(before[0x3c..0x40].try_into().unwrap())).unwrap();
            bare[header + 88..header + 92].copy_from_slice(&before[header + 88..header + 92]);
            assert!(bare == before, "{name}");
        }
    }
}

#[test]
fn who_signed_is_what_openssl_says_of_the_certificate() {
    let place = programs();
    sign(&place, "rsa", &["plain.exe"]);
    let report = verify(&place, "plain.exe");
    let certificate = report.findings[0].certificate.clone().unwrap();
    let said = authority().openssl("x509 -in rsa.pem -noout -serial -fingerprint -sha256");
    assert!(said.contains(&format!("serial={}\n", certificate.serial)), "{said}");
    assert!(said.replace(':', "").contains(&certificate.fingerprint), "{said}");
    assert_eq!(certificate, authority().key("rsa").certificate());
}

#[test]
fn what_osslsigncode_signs_is_valid_for_us() {
    let place = programs();
    let authority = authority();
    for name in ["rsa.key", "rsa.pem", "middle.pem"] {
        place.write(name, authority.read(&[name]));
    }
    place.write("chain.pem", authority.read(&["rsa.pem", "middle.pem"]));
    for hash in ["sha256", "sha384", "sha512", "sha1"] {
        for page_hashes in [&[][..], &["-ph"]] {
            for name in NAMES {
                let args = [
                    "sign",
                    "-certs",
                    "chain.pem",
                    "-key",
                    "rsa.key",
                    "-h",
                    hash,
                    "-in",
                    name,
                    "-out",
                    "signed.exe",
                ];
                let _ = std::fs::remove_file(place.path("signed.exe"));
                place.succeed("osslsigncode", &[&args, page_hashes].concat());
                let expected =
                    if hash == "sha1" { Some(Fault::Signature(SignatureFault::Weak)) } else { None };
                assert_eq!(fault(verify(&place, "signed.exe")), expected, "{hash}, {name}");
            }
        }
    }
    // A second signature beside the first one: each of them is judged.
    sign(&place, "p256", &["plain.exe"]);
    let args =
        ["sign", "-nest", "-certs", "chain.pem", "-key", "rsa.key", "-in", "plain.exe", "-out", "two.exe"];
    place.succeed("osslsigncode", &args);
    let report = verify(&place, "two.exe");
    assert_eq!((report.verdict, report.findings.len()), (Verdict::Valid, 2), "{:?}", report.findings);
    // One of them by somebody unknown does not speak against the other; one that is bad does.
    let report = verify_at(&place, &authority.roots(&["p256.pem"]), "two.exe", now());
    assert_eq!(report.verdict, Verdict::Valid, "{:?}", report.findings);
    let bytes = place.read("two.exe");
    tamper(&place.path("two.exe"), bytes.len() - 30);
    assert_ne!(verify(&place, "two.exe").verdict, Verdict::Valid);
}

#[test]
fn a_signature_is_kept_or_replaced_on_request() {
    let place = programs();
    let roots = roots_file(&place, authority());
    for name in NAMES {
        sign(&place, "rsa", &[name]);
        let once = place.read(name);
        let error = sign_with(&place, &authority().key("p256"), None, &[name], false).unwrap_err();
        assert!(matches!(error, SignError::AlreadySigned { .. }), "{error}");
        assert!(place.read(name) == once);
        sign_with(&place, &authority().key("p256"), None, &[name], true).unwrap();
        let report = verify(&place, name);
        assert_eq!(report.findings.len(), 1);
        assert_eq!(report.findings[0].certificate.as_ref().unwrap().subject, "CN=p256,O=Wren");
        place.succeed("osslsigncode", &osslsigncode(&roots, name));
        // And back: the program itself has not changed.
        sign_with(&place, &authority().key("rsa"), None, &[name], true).unwrap();
        assert_eq!(place.read(name).len(), once.len());
    }
}

/// SOURCE_DATE_EPOCH users expect it.
#[test]
fn the_same_key_and_time_give_the_same_bytes() {
    for key in ["rsa", "p256", "p384"] {
        let place = programs();
        let file = place.path("plain.exe");
        let key = authority().key(key);
        let signed = |time| {
            let key = Key::Code { key: &key, timestamps: None };
            let files = std::slice::from_ref(&file);
            let request =
                Request { files, key, time, replace: true, detached: Default::default(), output: None };
            dalec_signer::sign(&request, &Onlooker::default()).unwrap();
            place.read("plain.exe")
        };
        let time = now();
        assert!(signed(time) == signed(time));
        assert!(signed(time) != signed(time + 1));
    }
}

#[test]
fn tampering_is_noticed() {
    for name in NAMES {
        let place = programs();
        let roots = roots_file(&place, authority());
        sign(&place, "p256", &[name]);
        let good = place.read(name);
        for at in [2, 0x180, 0x200, 0x3ff, good.len() / 4] {
            tamper(&place.path(name), at);
            place.fail("osslsigncode", &osslsigncode(&roots, name));
            assert_ne!(verify(&place, name).verdict, Verdict::Valid, "byte {at}");
            place.write(name, &good);
        }
        let table = find(&good, b"\x00\x02\x02\x00\x30");
        tamper(&place.path(name), good.len() - 40);
        assert_ne!(verify(&place, name).verdict, Verdict::Valid);
        // The signature of another program.
        let other = programs();
        sign(&other, "p256", &["plain.exe"]);
        let foreign = other.read("plain.exe");
        let from = find(&foreign, b"\x00\x02\x02\x00\x30");
        if good.len() - table == foreign.len() - from && name != "plain.exe" {
            place.write(name, [&good[..table], &foreign[from..]].concat());
            assert_eq!(fault(verify(&place, name)), Some(Fault::Signature(SignatureFault::Mismatch)));
        }
    }
}

/// Whatever is cut off or changed: no panic, and nothing is valid that is another program.
#[test]
fn no_change_goes_unnoticed() {
    let place = programs();
    let name = "overlay.dll";
    sign(&place, "p256", &[name]);
    let good = place.read(name);
    let roots = authority().roots(&["root.pem"]);
    let table = find(&good, b"\x00\x02\x02\x00\x30") - 4;
    // Checksum, and what lies in the table and is not signed: certificates are judged for themselves.
    let checksum = 0x80 + 24 + 64;
    for at in 0..good.len() {
        let mut bytes = good.clone();
        bytes[at] ^= 1 << (at % 8);
        place.write(name, &bytes);
        let report = verify_at(&place, &roots, name, now());
        let is_covered = at < table && !(checksum..checksum + 4).contains(&at);
        assert!(!is_covered || report.verdict != Verdict::Valid, "byte {at}");
    }
    for length in (0..good.len()).step_by(3) {
        place.write(name, &good[..length]);
        assert_ne!(
            verify_at(&place, &roots, name, now()).verdict,
            Verdict::Valid,
            "cut off after {length} bytes"
        );
    }
    place.write(name, [&good[..], b"more"].concat());
    let report = verify_at(&place, &roots, name, now());
    let Verdict::Broken(broken) = report.verdict else { panic!("{report:?}") };
    assert_eq!(broken.0, "there is data behind its certificate table");
}

/// What stands in the table behind the signed message is covered by nothing; malware has been carried there.
#[test]
fn nothing_hides_in_the_certificate_table() {
    let place = programs();
    let name = "plain.exe";
    sign(&place, "rsa", &[name]);
    let good = place.read(name);
    let table = find(&good, b"\x00\x02\x02\x00\x30") - 4;
    let directory = 0x80 + 24 + 96 + 32;
    let broken = |table_bytes: &[u8]| {
        let mut bytes = [&good[..table], table_bytes].concat();
        let size = u32::try_from(table_bytes.len()).unwrap();
        bytes[directory + 4..directory + 8].copy_from_slice(&size.to_le_bytes());
        place.write(name, bytes);
        match verify(&place, name).verdict {
            Verdict::Broken(broken) => broken.0,
            other => panic!("{other:?}"),
        }
    };
    let entry = good[table..].to_vec();
    let resized = |extra: &[u8]| {
        let mut entry = [&entry[..], extra].concat();
        let size = u32::try_from(entry.len()).unwrap();
        entry[..4].copy_from_slice(&size.to_le_bytes());
        entry
    };
    assert_eq!(broken(&resized(b"evildata")), "there is data hidden behind its signature");
    assert_eq!(
        broken(&[&entry[..], &[0; 8]].concat()),
        "its certificate table holds something that is no signature"
    );
    assert_eq!(broken(&[&entry[..], &[1, 0, 0]].concat()), "its certificate table is damaged");
    let mut long = entry.clone();
    long[..4].copy_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!(broken(&long), "its certificate table is damaged");
    let mut kind = entry.clone();
    kind[6] = 1;
    assert_eq!(broken(&kind), "its certificate table holds something that is no signature");
    assert_eq!(broken(&entry.repeat(17)), "it has more than 16 signatures");
    assert_eq!(broken(&vec![0; 5 << 20]), "its certificate table is larger than any is");
    // Sets with very many members, which would take forever to sort, and values nested without end.
    let wrapped = |tag: u8, content: &[u8]| {
        let length = u32::try_from(content.len()).unwrap().to_be_bytes();
        [&[tag, 0x84], &length[..], content].concat()
    };
    let small = [2, 1, 7].repeat(100_000);
    let many = wrapped(0x31, &small);
    let deep = (0..10_000).fold(Vec::new(), |inner, _| wrapped(0x30, &inner));
    for bytes in [many, deep] {
        let mut entry = vec![0; 4];
        entry.extend([0, 2, 2, 0]);
        entry.extend(&bytes);
        entry.resize(entry.len().next_multiple_of(8), 0);
        let size = u32::try_from(entry.len()).unwrap();
        entry[..4].copy_from_slice(&size.to_le_bytes());
        let reason = broken(&entry);
        assert!(
            reason == "its signature is damaged" || reason == "its certificate table is damaged",
            "{reason}"
        );
    }
    place.write(name, &good);
    assert_eq!(verify(&place, name).verdict, Verdict::Valid);
}

#[test]
fn who_is_not_trusted_does_not_count() {
    let place = programs();
    let authority = authority();
    sign(&place, "rsa", &["plain.exe"]);
    let at = |roots: &[&str], at| fault(verify_at(&place, &authority.roots(roots), "plain.exe", at));
    assert_eq!(at(&["root.pem"], now()), None);
    assert_eq!(at(&["stranger.pem", "root.pem"], now()), None);
    // Any certificate on the way may be the one that is trusted.
    assert_eq!(at(&["middle.pem"], now()), None);
    assert_eq!(at(&["rsa.pem"], now()), None);
    let untrusted = Some(Fault::Certificate(CertificateFault::Untrusted));
    assert_eq!(at(&["stranger.pem"], now()), untrusted);
    assert_eq!(at(&["p256.pem"], now()), untrusted);
    let Some(Fault::Certificate(CertificateFault::Authority)) = at(&["root.pem"], now() + 2 * YEAR) else {
        panic!()
    };
    let Some(Fault::Certificate(CertificateFault::Expired { .. })) = at(&["rsa.pem"], now() + 2 * YEAR)
    else {
        panic!()
    };
    let Some(Fault::Certificate(CertificateFault::Early { .. })) = at(&["rsa.pem"], now() - YEAR) else {
        panic!()
    };
    // Without the one in between there is no way up.
    let alone = authority.load("rsa.key", &["rsa.pem"], None).unwrap();
    sign_with(&place, &alone, None, &["linked.exe"], false).unwrap();
    assert_eq!(fault(verify(&place, "linked.exe")), untrusted);
    let strangers = dalec_signer::verify(&place.path("plain.exe"), &dalec_signer::Keyring::default(), now());
    assert_eq!(fault(strangers.unwrap()), untrusted);
    assert_eq!(verify(&place, "linked.dll").verdict, Verdict::Unsigned);
}

/// A certificate that is not for code signing signs nothing here; here somebody else's tool is made to use it.
#[test]
fn certificates_for_other_uses_do_not_count() {
    let place = programs();
    let authority = Authority { place: Place::new() };
    for name in ["extensions", "root.pem", "root.key", "middle.pem", "middle.key"] {
        authority.place.write(name, crate::authority::authority().read(&[name]));
    }
    authority.give("short", "short", "P-256", "root");
    authority.give("below", "ca", "P-256", "short");
    let code = CertificateFault::Purpose(Purpose::CodeSigning);
    for (number, (section, by, expected)) in [
        ("code", "root", None),
        ("server", "middle", Some(code)),
        ("nothing", "middle", Some(code)),
        ("vouches", "middle", Some(code)),
        ("strange", "middle", Some(CertificateFault::Unknown)),
        ("code", "short", None),
        ("code", "below", Some(CertificateFault::Authority)),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("leaf{number}");
        authority.give(&name, section, "P-256", by);
        place.write("key", authority.read(&[&format!("{name}.key")]));
        place.write(
            "chain",
            authority.read(&[&format!("{name}.pem"), "middle.pem", "short.pem", "below.pem"]),
        );
        let _ = std::fs::remove_file(place.path("out.exe"));
        place.succeed(
            "osslsigncode",
            &["sign", "-certs", "chain", "-key", "key", "-in", "plain.exe", "-out", "out.exe"],
        );
        let found = fault(verify(&place, "out.exe"));
        assert_eq!(found, expected.map(Fault::Certificate), "{section} by {by}");
        let loaded = authority.load(&format!("{name}.key"), &[&format!("{name}.pem")], None);
        let refused = expected.filter(|fault| *fault != CertificateFault::Authority);
        match (loaded, refused) {
            (Ok(_), None) => {}
            (Err(dalec_signer::CodeKeyError::Unfit { certificate, fault }), Some(expected)) => {
                assert_eq!((certificate.subject, fault), (format!("CN={name},O=Wren"), expected));
            }
            (Ok(_), Some(_)) => panic!("{section} was accepted"),
            (Err(error), _) => panic!("{error}"),
        }
    }
}

#[test]
fn each_kind_of_key_has_its_files() {
    let place = programs();
    place.write("data", "1");
    let error = place.sign(ed25519(), &["plain.exe"]).unwrap_err();
    assert!(matches!(error, SignError::NeedsCertificate { .. }), "{error}");
    let error = sign_with(&place, &authority().key("rsa"), None, &["plain.exe", "data"], false).unwrap_err();
    assert!(matches!(error, SignError::NeedsOpenPgp { .. }), "{error}");
    assert_eq!(verify(&place, "plain.exe").verdict, Verdict::Unsigned);
}

/// Drivers and programs for firmware have names that other files have as well.
#[test]
fn the_content_decides_where_the_name_does_not() {
    let place = programs();
    for name in ["driver.sys", "boot.EFI", "control.ocx"] {
        place.write(name, place.read("plain.exe"));
        sign(&place, "rsa", &[name]);
        assert_eq!(verify(&place, name).verdict, Verdict::Valid);
    }
    place.write("config.sys", "FILES=30\n");
    place.sign(ed25519(), &["config.sys"]).unwrap();
    assert!(place.path("config.sys.asc").exists());
}

#[test]
fn a_timestamp_lets_a_signature_outlive_its_certificate() {
    let place = programs();
    let roots = roots_file(&place, authority());
    let trusted = authority().roots(&["root.pem"]);
    let before = now();
    for (key, name) in ["rsa", "p256", "p384"].into_iter().zip(NAMES) {
        sign_with(&place, &authority().key(key), Some(&HONEST), &[name], false).unwrap();
        let said = place.succeed("osslsigncode", &osslsigncode(&roots, name));
        assert!(said.contains("Timestamp Server Signature verification: ok"), "{said}");
        let report = verify_at(&place, &trusted, name, now());
        assert_eq!(report.verdict, Verdict::Valid, "{report:?}");
        let timestamp = report.findings[0].timestamp.as_ref().unwrap();
        assert_eq!(
            (timestamp.by.as_ref().unwrap().subject.as_str(), timestamp.fault),
            ("CN=time,O=Wren", None)
        );
        assert!((before..=now()).contains(&timestamp.time));
        assert_eq!(report.findings[0].time, Some(timestamp.time));
        assert_eq!(verify_at(&place, &trusted, name, now() + 2 * YEAR).verdict, Verdict::Valid);
        // Who does not trust the service has only the certificate to go by.
        let without = authority().roots(&["middle.pem"]);
        let report = verify_at(&place, &without, name, now());
        let untrusted = Fault::Certificate(CertificateFault::Untrusted);
        assert_eq!(report.findings[0].timestamp.as_ref().unwrap().fault, Some(untrusted));
        assert_eq!(report.verdict, Verdict::Valid);
        assert_ne!(verify_at(&place, &without, name, now() + 2 * YEAR).verdict, Verdict::Valid);
    }
    // A timestamp of the past is of no use to one who signs: the certificate was not there yet.
    let report = verify_at(&place, &trusted, NAMES[0], before - 2 * 86_400);
    assert_eq!(
        report.findings[0].timestamp.as_ref().unwrap().fault,
        Some(Fault::Signature(SignatureFault::Future))
    );
}

/// SIGN-011 and SIGN-012, made stricter: whoever signs a program changes nothing else of it.
#[test]
fn comparing_takes_signatures_and_nothing_else() {
    let place = programs();
    let built = place.path("built");
    std::fs::create_dir(&built).unwrap();
    std::fs::copy(place.path("overlay.dll"), built.join("a.dll")).unwrap();
    sign(&place, "rsa", &["overlay.dll"]);
    let good = place.read("overlay.dll");
    let returned = |bytes: &[u8]| {
        place.write("signed/a.dll", bytes);
        dalec_signer::compare::compare(&built, &place.path("signed"))
    };
    let comparison = returned(&good).unwrap();
    let [artifact] = comparison.artifacts.as_slice() else { panic!("{comparison:?}") };
    let [Signature::X509 { subject, hash, .. }] = artifact.signatures.as_slice() else {
        panic!("{artifact:?}")
    };
    assert_eq!((artifact.kind.as_str(), subject.as_str(), hash.as_str()), ("pe", "CN=rsa,O=Wren", "SHA256"));
    assert_eq!(comparison.warnings(), Vec::<String>::new());
    let unsigned = returned(&std::fs::read(built.join("a.dll")).unwrap()).unwrap();
    assert_eq!(unsigned.warnings(), ["the signer returned everything without any signature"]);
    for (at, expected) in [
        (0x60, "a.dll: its header was changed"),
        (0x210, "a.dll: its section \".text\" was changed"),
        (0x602, "a.dll: its data behind the sections was changed"),
    ] {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        let error = returned(&bytes).unwrap_err().to_string();
        assert!(error.ends_with(expected), "{error}");
    }
    let error = returned(&[&good[..], b"x"].concat()).unwrap_err().to_string();
    assert!(error.ends_with("a.dll was damaged: there is data behind its certificate table"), "{error}");
}
