//! Programs that contradict themselves, and what a signature leaves alone.

use std::fs::File;
use std::io::Write;

use super::sample::{BLOCK, HEADER, Width, program};
use super::{Checksum, Identity, Image};
use crate::error::ReadError;

fn file(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file
}

fn identity(bytes: &[u8]) -> Identity {
    Identity::of(&file(bytes)).unwrap()
}

#[track_caller]
fn refused(bytes: &[u8]) -> String {
    match Image::read(&file(bytes)) {
        Err(ReadError::Broken(broken)) => broken.0,
        other => panic!("{other:?}"),
    }
}

fn patched(at: usize, value: &[u8]) -> Vec<u8> {
    let mut bytes = program(Width::Bits64, b"");
    bytes[at..at + value.len()].copy_from_slice(value);
    bytes
}

const OPTIONAL: usize = HEADER + 24;
const SECURITY: usize = OPTIONAL + 112 + 32;
const SECTIONS: usize = OPTIONAL + 240;

#[test]
fn a_program_is_the_same_whatever_its_signature() {
    for (width, overlay) in [(Width::Bits32, &b""[..]), (Width::Bits64, b"overlay, not aligned")] {
        let plain = program(width, overlay);
        let mut signed = plain.clone();
        signed.resize(plain.len().next_multiple_of(8), 0);
        let table = u32::try_from(signed.len()).unwrap();
        let directory = if width == Width::Bits32 { SECURITY - 16 } else { SECURITY };
        signed[directory..directory + 4].copy_from_slice(&table.to_le_bytes());
        signed[directory + 4..directory + 8].copy_from_slice(&16_u32.to_le_bytes());
        signed[OPTIONAL + 64..OPTIONAL + 68].copy_from_slice(b"summ");
        signed.extend([7; 16]);
        assert_eq!(identity(&plain), identity(&signed));
        assert_eq!(identity(&plain).difference(&identity(&signed)), None);
    }
}

#[test]
fn what_differs_is_named() {
    let plain = program(Width::Bits64, b"overlay!");
    for (at, expected) in [
        (0x3b, "header"),
        (OPTIONAL + 16, "header"),
        (SECTIONS + 1, "header"),
        (BLOCK, "section \".text\""),
        (3 * BLOCK - 1, "section \".data\""),
        (3 * BLOCK, "data behind the sections"),
    ] {
        let mut other = plain.clone();
        other[at] ^= 0x20;
        assert_eq!(identity(&plain).difference(&identity(&other)).as_deref(), Some(expected), "{at}");
    }
    let longer = [plain.as_slice(), b"x"].concat();
    assert_eq!(identity(&plain).difference(&identity(&longer)).as_deref(), Some("data behind the sections"));
}

#[test]
fn contradictions_are_refused() {
    let good = program(Width::Bits64, b"");
    assert_eq!(refused(b""), "it is not a Windows program");
    assert_eq!(refused(b"MZ"), "it is not a Windows program");
    assert_eq!(refused(&patched(0, b"ZM")), "it is not a Windows program");
    assert_eq!(refused(&patched(HEADER, b"NE")), "it is not a Windows program");
    assert_eq!(refused(&patched(0x3c, &4_u32.to_le_bytes())), "its PE header is not where one can be");
    assert_eq!(refused(&patched(0x3c, &0x81_u32.to_le_bytes())), "its PE header is not where one can be");
    assert_eq!(refused(&patched(0x3c, &u32::MAX.to_le_bytes()[..])), "its PE header is not where one can be");
    assert_eq!(refused(&patched(0x3c, &0xffff_fffc_u32.to_le_bytes())), "it is not a Windows program");
    assert_eq!(refused(&patched(OPTIONAL, b"\x07\x01")), "it is of an unknown kind of PE files");
    assert_eq!(refused(&patched(OPTIONAL + 108, &[4])), "its headers have no place for a signature");
    assert_eq!(refused(&patched(HEADER + 20, &[0x90, 0])), "its headers have no place for a signature");
    assert_eq!(refused(&patched(HEADER + 6, &[97])), "it has more than 96 sections");
    assert_eq!(refused(&patched(HEADER + 6, &[90])), "its headers are cut off");
    assert_eq!(refused(&patched(OPTIONAL + 60, &u32::MAX.to_le_bytes())), "its headers are cut off");
    assert_eq!(
        refused(&patched(SECTIONS + 20, &0x100_u32.to_le_bytes())),
        "its section \".text\" overlaps what is before it"
    );
    assert_eq!(
        refused(&patched(SECTIONS + 60, &0x300_u32.to_le_bytes())),
        "its section \".data\" overlaps what is before it"
    );
    assert_eq!(
        refused(&patched(SECTIONS + 56, &0x201_u32.to_le_bytes())),
        "its section \".data\" is cut off"
    );
    let table =
        |at: u32, size: u32| refused(&patched(SECURITY, &[at.to_le_bytes(), size.to_le_bytes()].concat()));
    let end = u32::try_from(good.len()).unwrap();
    assert_eq!(table(end, 0), "its certificate table is not where one can be");
    assert_eq!(table(0, 16), "its certificate table is not where one can be");
    assert_eq!(table(end - 4, 4), "its certificate table is not where one can be");
    assert_eq!(table(end, 8), "its certificate table is cut off");
    assert_eq!(table(end - 8, u32::MAX), "its certificate table is cut off");
    assert_eq!(table(end - 16, 8), "there is data behind its certificate table");
    assert_eq!(table(end - 8, 8), "its section \".data\" is cut off");
    for length in 0..good.len() {
        assert!(Image::read(&file(&good[..length])).is_err(), "cut off after {length} bytes");
    }
}

/// By the definition: words added up with their carries, the size on top. Independent of how the bytes come.
#[test]
fn checksums() {
    let pieces = |pieces: &[&[u8]]| {
        let mut checksum = Checksum::default();
        pieces.iter().for_each(|piece| checksum.update(piece));
        checksum.finish()
    };
    let sum = |bytes: &[u8]| pieces(&[bytes]);
    assert_eq!(pieces(&[b"a", b"", b"bcd", b"e"]), sum(b"abcde"));
    assert_eq!(sum(b""), 0);
    assert_eq!(sum(&[1, 2, 3]), 0x0201 + 3 + 3);
    assert_eq!(sum(&[0xff, 0xff, 2, 0]), 2 + 4);
    assert_eq!(sum(&vec![0xff; 600_000]), 0xffff + 600_000);
}
