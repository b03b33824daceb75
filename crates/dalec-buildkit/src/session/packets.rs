//! Messages of BuildKit's file transfer, and file modes in its words.
//!
//! Follows `github.com/tonistiigi/fsutil` (`types/wire.proto`, `types/stat.proto`). Paths are bytes here: file names need
//! not be UTF-8, and on the wire the two are the same.

use std::collections::BTreeMap;

/// One message of a file transfer.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Packet {
    #[prost(enumeration = "Kind", tag = "1")]
    pub(super) kind: i32,
    #[prost(message, optional, tag = "2")]
    pub(super) stat: Option<Stat>,
    /// Number of a file: its place among the packets with a stat.
    #[prost(uint32, tag = "3")]
    pub(super) id: u32,
    #[prost(bytes = "vec", tag = "4")]
    pub(super) data: Vec<u8>,
}

/// What a packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
pub(super) enum Kind {
    /// A file is there; without a stat, there are no more.
    Stat = 0,
    /// The content of a file is wanted.
    Request = 1,
    /// A piece of a file; an empty one is its end.
    Data = 2,
    /// Everything that was wanted is here.
    Finished = 3,
    /// Something failed; the data say what.
    Error = 4,
}

/// A file as the other side should make it.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Stat {
    /// Relative, with `/` between names.
    #[prost(bytes = "vec", tag = "1")]
    pub(super) path: Vec<u8>,
    /// As Go's `fs.FileMode` has it.
    #[prost(uint32, tag = "2")]
    pub(super) mode: u32,
    #[prost(uint32, tag = "3")]
    pub(super) uid: u32,
    #[prost(uint32, tag = "4")]
    pub(super) gid: u32,
    #[prost(int64, tag = "5")]
    pub(super) size: i64,
    /// Nanoseconds since 1970.
    #[prost(int64, tag = "6")]
    pub(super) modified: i64,
    /// Text of a symbolic link, or the path of the same file seen before.
    #[prost(bytes = "vec", tag = "7")]
    pub(super) link: Vec<u8>,
    #[prost(int64, tag = "8")]
    pub(super) device_major: i64,
    #[prost(int64, tag = "9")]
    pub(super) device_minor: i64,
    #[prost(btree_map = "string, bytes", tag = "10")]
    pub(super) xattrs: BTreeMap<String, Vec<u8>>,
}

impl Packet {
    pub(super) fn of(kind: Kind) -> Self {
        Self { kind: kind.into(), ..Self::default() }
    }

    pub(super) fn error(message: &str) -> Self {
        Self { data: message.as_bytes().to_vec(), ..Self::of(Kind::Error) }
    }
}

/// Bits of Go's `fs.FileMode`.
pub(super) mod mode {
    pub(in crate::session) const DIR: u32 = 1 << 31;
    pub(in crate::session) const SYMLINK: u32 = 1 << 27;
    const SETUID: u32 = 1 << 23;
    const SETGID: u32 = 1 << 22;
    const STICKY: u32 = 1 << 20;
    /// Everything that makes a file other than regular.
    pub(in crate::session) const KIND: u32 = DIR | SYMLINK | 1 << 26 | 1 << 25 | 1 << 24 | 1 << 21 | 1 << 19;

    /// Returns the permission bits of `st_mode` in Go's words.
    pub(in crate::session) fn from_unix(mode: u32) -> u32 {
        let bit = |unix: u32, go: u32| if mode & unix != 0 { go } else { 0 };
        mode & 0o777 | bit(0o4000, SETUID) | bit(0o2000, SETGID) | bit(0o1000, STICKY)
    }

    /// Returns the permission bits as `chmod` takes them.
    pub(in crate::session) fn to_unix(mode: u32) -> u32 {
        let bit = |go: u32, unix: u32| if mode & go != 0 { unix } else { 0 };
        mode & 0o777 | bit(SETUID, 0o4000) | bit(SETGID, 0o2000) | bit(STICKY, 0o1000)
    }
}

#[cfg(test)]
mod tests {
    use super::mode;

    #[test]
    fn permission_bits_survive_both_ways() {
        for bits in [0o644, 0o4755, 0o2711, 0o1777, 0o7777, 0] {
            assert_eq!(mode::to_unix(mode::from_unix(bits)), bits);
        }
        assert_eq!(mode::from_unix(0o4755), 0o755 | 1 << 23);
    }
}
