//! Which ids a user may map, and the programs that map them.
//!
//! Reads `/etc/passwd`, `/etc/subuid` and `/etc/subgid` (format: subuid(5)); does not enter any namespace.

use std::fmt;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::process::Pid;

/// The ids this process had before it entered a user namespace.
#[derive(Debug, Clone, Copy)]
pub(super) struct OuterIds {
    pub(super) user: u32,
    pub(super) group: u32,
}

/// Returns the ids outside. Must be called before the user namespace is entered: inside, they read as 65534.
pub(super) fn outer_ids() -> OuterIds {
    OuterIds { user: rustix::process::geteuid().as_raw(), group: rustix::process::getegid().as_raw() }
}

/// An id mapping in the kernel's form: `inside outside count` per line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct IdMap {
    own: u32,
    ranges: Vec<Range>,
}

/// Ids outside: the first and how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Range {
    start: u32,
    count: u32,
}

impl IdMap {
    /// Maps one id outside to 0.
    pub(super) fn single(own: u32) -> Self {
        IdMap { own, ranges: Vec::new() }
    }

    /// Returns how many ids are mapped.
    pub(super) fn size(&self) -> u64 {
        1 + self.ranges.iter().map(|range| u64::from(range.count)).sum::<u64>()
    }

    fn lines(&self) -> Vec<[u32; 3]> {
        let mut lines = vec![[0, self.own, 1]];
        let mut inside = 1_u32;
        for range in &self.ranges {
            lines.push([inside, range.start, range.count]);
            inside = inside.saturating_add(range.count);
        }
        lines
    }
}

impl fmt::Display for IdMap {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines()
            .iter()
            .try_for_each(|[inside, outside, count]| writeln!(out, "{inside} {outside} {count}"))
    }
}

/// What this user may map besides the own ids.
#[derive(Debug)]
pub(super) struct SubordinateRanges {
    pub(super) users: IdMap,
    pub(super) groups: IdMap,
}

/// Fewer ids than this do not hold the system users of a distribution.
const ENOUGH_IDS: u64 = 1000;

/// The kernel takes 340 lines per map; nobody has that many ranges, and the helpers' command line stays short.
const MOST_RANGES: usize = 32;

/// Looks up the ranges of the calling user.
///
/// # Errors
/// The reason in words why there is no use in trying.
pub(super) fn subordinate_ranges(outer: OuterIds) -> Result<SubordinateRanges, String> {
    for program in ["newuidmap", "newgidmap"] {
        if find_program(program).is_none() {
            return Err(format!("{program} is not installed (package uidmap or shadow-utils)"));
        }
    }
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = user_name(&passwd, outer.user);
    let read = |path: &str, own: u32| {
        let text = std::fs::read_to_string(path).map_err(|error| format!("cannot read {path}: {error}"))?;
        let map = IdMap { own, ranges: ranges_of(&text, name, outer.user) };
        let who = name.map_or_else(|| outer.user.to_string(), str::to_owned);
        if map.size() > ENOUGH_IDS { Ok(map) } else { Err(format!("{path} has no range of ids for {who}")) }
    };
    Ok(SubordinateRanges {
        users: read("/etc/subuid", outer.user)?,
        groups: read("/etc/subgid", outer.group)?,
    })
}

/// Maps the ids of `target` with one of the set-user-id helpers.
///
/// # Errors
/// The reason in words.
pub(super) fn run_mapper(program: &str, target: Pid, map: &IdMap) -> Result<(), String> {
    let path = find_program(program).ok_or_else(|| format!("{program} is not installed"))?;
    let output = Command::new(path)
        .arg(target.to_string())
        .args(map.lines().iter().flatten().map(u32::to_string))
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("cannot run {program}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let words = String::from_utf8_lossy(&output.stderr);
    Err(format!("{program} failed: {}", words.lines().next().unwrap_or("it gave no reason")))
}

/// Returns how many ids a map in the kernel's form covers.
pub(super) fn mapped(map: &str) -> u64 {
    map.lines().filter_map(|line| line.split_whitespace().nth(2)?.parse::<u64>().ok()).sum()
}

fn find_program(name: &str) -> Option<std::path::PathBuf> {
    let search = std::env::var_os("PATH").unwrap_or_default();
    let usual = ["/usr/bin", "/bin", "/usr/sbin", "/sbin"].map(Into::into);
    std::env::split_paths(&search)
        .filter(|directory: &std::path::PathBuf| directory.is_absolute())
        .chain(usual)
        .map(|directory| Path::new(&directory).join(name))
        .find(|path| path.is_file())
}

fn user_name(passwd: &str, uid: u32) -> Option<&str> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then_some(name)
    })
}

fn ranges_of(text: &str, name: Option<&str>, uid: u32) -> Vec<Range> {
    let uid = uid.to_string();
    text.lines()
        .filter_map(|line| {
            let mut fields = line.trim().splitn(3, ':');
            let owner = fields.next()?;
            let (start, count) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
            ((Some(owner) == name || owner == uid) && count > 0).then_some(Range { start, count })
        })
        .take(MOST_RANGES)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_found_by_name_or_number_and_mapped_one_after_the_other() {
        let text =
            "# comment\nother:1:2\nbuilder:100000:65536\n1000:300000:10\nbuilder:broken:5\nbuilder:7:0\n";
        let map = IdMap { own: 1000, ranges: ranges_of(text, Some("builder"), 1000) };
        assert_eq!(map.to_string(), "0 1000 1\n1 100000 65536\n65537 300000 10\n");
        assert_eq!(map.size(), 65547);
    }

    #[test]
    fn a_user_without_a_name_is_looked_up_by_number() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\nbuilder:x:1000:1000::/home/builder:/bin/sh\n";
        assert_eq!(user_name(passwd, 1000), Some("builder"));
        assert_eq!(user_name(passwd, 1001), None);
        assert_eq!(ranges_of("1001:5:6\n", None, 1001), [Range { start: 5, count: 6 }]);
    }

    #[test]
    fn the_size_of_a_map_counts_all_its_lines() {
        assert_eq!(mapped("         0          0 4294967295\n"), 4_294_967_295);
        assert_eq!(mapped("0 1000 1\n1 100000 65536\n"), 65537);
        assert_eq!(mapped(""), 0);
    }
}
