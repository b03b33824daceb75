//! Files as the wire describes them: the type and permissions are bits of Go's `io/fs.FileMode`, not of `st_mode`.

use bollard_buildkit_proto::fsutil::types::Stat;

use dalec_gateway::FileStat;

const FILE_TYPE: u32 = 0o170_000;
const REGULAR: u32 = 0o100_000;
const PERMISSIONS: u32 = 0o777;

/// Types by their bits on the wire and in `st_mode`. A character device has the bit of devices, too, so it comes first.
const TYPES: &[(u32, u32)] = &[
    (1 << 31, 0o040_000),
    (1 << 27, 0o120_000),
    (1 << 26 | 1 << 21, 0o020_000),
    (1 << 26, 0o060_000),
    (1 << 25, 0o010_000),
    (1 << 24, 0o140_000),
];

/// Set-user-id, set-group-id and sticky, on the wire and in `st_mode`.
const SPECIAL: &[(u32, u32)] = &[(1 << 23, 0o4000), (1 << 22, 0o2000), (1 << 20, 0o1000)];

/// Returns what the wire says of a file.
pub fn from_wire(stat: Stat) -> FileStat {
    let kind = TYPES.iter().find(|(wire, _)| stat.mode & wire == *wire).map_or(REGULAR, |(_, mode)| *mode);
    let special = SPECIAL.iter().filter(|(wire, _)| stat.mode & wire != 0).map(|(_, mode)| mode);
    let name = stat.path.rsplit('/').find(|part| !part.is_empty()).unwrap_or("/");
    FileStat {
        mode: kind | special.sum::<u32>() | stat.mode & PERMISSIONS,
        name: name.to_owned(),
        size: u64::try_from(stat.size).unwrap_or_default(),
        link: stat.linkname,
        uid: stat.uid,
        gid: stat.gid,
        modified: stat.mod_time,
    }
}

/// Returns how the wire describes a file.
pub fn to_wire(stat: &FileStat) -> Stat {
    let kind = TYPES.iter().find(|(_, mode)| stat.mode & FILE_TYPE == *mode).map_or(0, |(wire, _)| *wire);
    let special = SPECIAL.iter().filter(|(_, mode)| stat.mode & mode != 0).map(|(wire, _)| wire);
    Stat {
        path: stat.name.clone(),
        mode: kind | special.sum::<u32>() | stat.mode & PERMISSIONS,
        uid: stat.uid,
        gid: stat.gid,
        size: i64::try_from(stat.size).unwrap_or(i64::MAX),
        mod_time: stat.modified,
        linkname: stat.link.clone(),
        ..Stat::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_and_permissions_survive() {
        for mode in [
            0o100_644, 0o104_755, 0o041_777, 0o120_777, 0o020_666, 0o060_660, 0o010_600, 0o140_700, 0o042_755,
        ] {
            let stat = FileStat {
                name: "a".into(),
                mode,
                size: 5,
                link: String::new(),
                uid: 1,
                gid: 2,
                modified: 3,
            };
            assert_eq!(from_wire(to_wire(&stat)), stat, "{mode:o}");
        }
    }

    /// `drwxrwxrwt` as Go has it.
    #[test]
    fn bits_are_those_of_go() {
        let stat = Stat { path: "srv/tmp".into(), mode: 1 << 31 | 1 << 20 | 0o777, ..Stat::default() };
        let read = from_wire(stat);
        assert_eq!((read.name.as_str(), read.mode), ("tmp", 0o041_777));
    }
}
