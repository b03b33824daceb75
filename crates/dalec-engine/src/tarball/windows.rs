//! What layers of Windows say of files beyond what other layers say.
//!
//! Follows hcsshim's `backuptar`: attributes of a file, the time of its creation and who may do what with it stand in PAX
//! records. Nothing of this is known of files that were made on Linux, so they get what BuildKit gives them: everything
//! for administrators and the system, reading for users.

use base64::prelude::{BASE64_STANDARD, Engine};

use super::{Entry, Kind};

/// Directory of an image's files, in every layer of Windows.
pub const FILES: &str = "Files/";
/// Directory of what changes in the registry, in every layer of Windows.
pub const HIVES: &str = "Hives/";

const ATTRIBUTES: &str = "MSWINDOWS.fileattr";
const SECURITY: &str = "MSWINDOWS.rawsd";
const CREATED: &str = "LIBARCHIVE.creationtime";

/// `FILE_ATTRIBUTE_DIRECTORY` and `FILE_ATTRIBUTE_ARCHIVE`.
const DIRECTORY: u32 = 16;
const ARCHIVE: u32 = 32;

/// Returns the records about `entry`.
pub fn records(entry: &Entry) -> Vec<(Vec<u8>, Vec<u8>)> {
    let (attributes, entries) = match entry.kind {
        Kind::Directory => (Some(DIRECTORY), Some(OF_DIRECTORIES)),
        Kind::File => (Some(ARCHIVE), Some(OF_FILES)),
        _ => (None, None),
    };
    let attributes = attributes.map(|attributes| (ATTRIBUTES, attributes.to_string()));
    let security = entries.map(|entries| (SECURITY, BASE64_STANDARD.encode(descriptor(entries))));
    let created = (CREATED, format!("{}.0", entry.mtime));
    let all = attributes.into_iter().chain(security).chain([created]);
    all.map(|(key, value)| (key.as_bytes().to_vec(), value.into_bytes())).collect()
}

/// Somebody or some group, in the words of `[MS-DTYP]`: an authority and numbers below it.
#[derive(Debug, Clone, Copy)]
struct Sid {
    authority: u8,
    numbers: &'static [u32],
}

const ADMINISTRATORS: Sid = Sid { authority: 5, numbers: &[32, 544] };
const USERS: Sid = Sid { authority: 5, numbers: &[32, 545] };
const SYSTEM: Sid = Sid { authority: 5, numbers: &[18] };
const CREATOR: Sid = Sid { authority: 3, numbers: &[0] };

/// What somebody may do with a file.
#[derive(Debug, Clone, Copy)]
struct Allowed {
    flags: u8,
    mask: u32,
    who: Sid,
}

/// Flags: files below inherit it, directories below do, and it counts for what is below alone.
const FILES_INHERIT: u8 = 1;
const DIRECTORIES_INHERIT: u8 = 2;
const INHERITED_ONLY: u8 = 8;
const ALL_INHERIT: u8 = FILES_INHERIT | DIRECTORIES_INHERIT;

/// Masks: everything; everything, in the words that counts for files and directories alike; to read and to run; to add a
/// file; to add a directory.
const EVERYTHING: u32 = 0x001f_01ff;
const GENERIC_ALL: u32 = 0x1000_0000;
const READ: u32 = 0x0012_00a9;
const ADD_FILE: u32 = 2;
const ADD_DIRECTORY: u32 = 4;

const OF_FILES: &[Allowed] = &[
    Allowed { flags: 0, mask: EVERYTHING, who: ADMINISTRATORS },
    Allowed { flags: 0, mask: EVERYTHING, who: SYSTEM },
    Allowed { flags: 0, mask: READ, who: USERS },
];

const OF_DIRECTORIES: &[Allowed] = &[
    Allowed { flags: ALL_INHERIT, mask: EVERYTHING, who: ADMINISTRATORS },
    Allowed { flags: ALL_INHERIT, mask: EVERYTHING, who: SYSTEM },
    Allowed { flags: 0, mask: EVERYTHING, who: ADMINISTRATORS },
    Allowed { flags: ALL_INHERIT | INHERITED_ONLY, mask: GENERIC_ALL, who: CREATOR },
    Allowed { flags: ALL_INHERIT, mask: READ, who: USERS },
    Allowed { flags: DIRECTORIES_INHERIT, mask: ADD_DIRECTORY, who: USERS },
    Allowed { flags: DIRECTORIES_INHERIT, mask: ADD_FILE, who: USERS },
];

/// Returns a security descriptor in its self-relative form: owner and group are administrators and the system.
fn descriptor(entries: &[Allowed]) -> Vec<u8> {
    /// It has a list of entries, and everything lies behind it.
    const CONTROL: u16 = 0x8004;
    const HEADER: u32 = 20;
    let (owner, group) = (ADMINISTRATORS.bytes(), SYSTEM.bytes());
    let group_at = HEADER + owner.len() as u32;
    let list_at = group_at + group.len() as u32;
    let mut bytes = vec![1, 0];
    bytes.extend(CONTROL.to_le_bytes());
    for offset in [HEADER, group_at, 0, list_at] {
        bytes.extend(offset.to_le_bytes());
    }
    bytes.extend(owner);
    bytes.extend(group);
    let listed: Vec<u8> = entries.iter().flat_map(Allowed::bytes).collect();
    bytes.extend([2, 0]);
    bytes.extend((listed.len() as u16 + 8).to_le_bytes());
    bytes.extend((entries.len() as u16).to_le_bytes());
    bytes.extend([0, 0]);
    bytes.extend(listed);
    bytes
}

impl Allowed {
    fn bytes(&self) -> Vec<u8> {
        let who = self.who.bytes();
        let mut bytes = vec![0, self.flags];
        bytes.extend((who.len() as u16 + 8).to_le_bytes());
        bytes.extend(self.mask.to_le_bytes());
        bytes.extend(who);
        bytes
    }
}

impl Sid {
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = vec![1, self.numbers.len() as u8, 0, 0, 0, 0, 0, self.authority];
        bytes.extend(self.numbers.iter().flat_map(|number| number.to_le_bytes()));
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Windows makes of `O:BAG:SYD:(A;;FA;;;BA)(A;;FA;;;SY)(A;;0x1200a9;;;BU)`, field by field.
    #[test]
    fn security_is_said_in_the_words_of_windows() {
        let expected = [
            "01000480 14000000 24000000 00000000 30000000",
            "0102000000000005 20000000 20020000",
            "0101000000000005 12000000",
            "0200 4c00 0300 0000",
            "0000 1800 ff011f00 0102000000000005 20000000 20020000",
            "0000 1400 ff011f00 0101000000000005 12000000",
            "0000 1800 a9001200 0102000000000005 20000000 21020000",
        ];
        assert_eq!(hex::encode(descriptor(OF_FILES)), expected.concat().replace(' ', ""));
        // `O:BAG:SYD:(A;OICI;FA;;;BA)(A;OICI;FA;;;SY)(A;;FA;;;BA)(A;OICIIO;GA;;;CO)(A;OICI;0x1200a9;;;BU)(A;CI;LC;;;BU)(A;CI;DC;;;BU)`
        let expected = [
            "01000480 14000000 24000000 00000000 30000000",
            "0102000000000005 20000000 20020000",
            "0101000000000005 12000000",
            "0200 a800 0700 0000",
            "0003 1800 ff011f00 0102000000000005 20000000 20020000",
            "0003 1400 ff011f00 0101000000000005 12000000",
            "0000 1800 ff011f00 0102000000000005 20000000 20020000",
            "000b 1400 00000010 0101000000000003 00000000",
            "0003 1800 a9001200 0102000000000005 20000000 21020000",
            "0002 1800 04000000 0102000000000005 20000000 21020000",
            "0002 1800 02000000 0102000000000005 20000000 21020000",
        ];
        assert_eq!(hex::encode(descriptor(OF_DIRECTORIES)), expected.concat().replace(' ', ""));
    }

    #[test]
    fn links_have_neither_attributes_nor_security() {
        let records = records(&Entry::new("Files/a", Kind::Hardlink(b"Files/b".to_vec()), 0o644, 7));
        assert_eq!(records, [(CREATED.as_bytes().to_vec(), b"7.0".to_vec())]);
    }
}
