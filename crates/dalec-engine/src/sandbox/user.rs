//! Who runs a command: `user[:group]`, names or numbers, looked up in the root's own `/etc/passwd` and `/etc/group`.
//!
//! The rules are BuildKit's: two numbers are taken as they are; a user that is found brings the group of its
//! entry and the groups it is a member of; a number that is not found is fine, a name is not.

use std::io::Read;
use std::os::fd::BorrowedFd;

use rustix::fs::{Gid, Mode, OFlags, ResolveFlags, Uid};
use rustix::io::Errno;

use super::wire::{Failure, FailureKind};

/// A resolved user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct User {
    pub(super) uid: Uid,
    pub(super) gid: Gid,
    /// Supplementary groups, the main one included.
    pub(super) groups: Vec<Gid>,
    /// Home directory by `/etc/passwd`, else `/`.
    pub(super) home: String,
}

impl User {
    /// Resolves `text` in the root directory `root`.
    pub(super) fn resolve(root: BorrowedFd<'_>, text: &str) -> Result<Self, Failure> {
        let fail = |reason: String| Failure {
            kind: FailureKind::User,
            subject: text.to_owned(),
            errno: None,
            reason,
        };
        let passwd = read(root, "etc/passwd").map_err(fail)?;
        let group = read(root, "etc/group").map_err(fail)?;
        Ids::resolve(text, &passwd, &group).map_err(fail).map(|ids| ids.with_home(&passwd))
    }
}

/// Longer user databases are not looked at.
const MOST_BYTES: u64 = 10 << 20;

/// Reads a regular file of the root; a missing one counts as empty.
fn read(root: BorrowedFd<'_>, path: &str) -> Result<String, String> {
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = match rustix::fs::openat2(root, path, flags, Mode::empty(), resolve) {
        Ok(file) => std::fs::File::from(file),
        Err(Errno::NOENT | Errno::NOTDIR) => return Ok(String::new()),
        Err(errno) => return Err(format!("cannot open /{path}: {errno}")),
    };
    if !file.metadata().is_ok_and(|metadata| metadata.is_file()) {
        return Err(format!("/{path} is not a regular file"));
    }
    let mut bytes = Vec::new();
    file.take(MOST_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| format!("cannot read /{path}: {error}"))?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(format!("/{path} is larger than {MOST_BYTES} bytes"));
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[derive(Debug, PartialEq, Eq)]
struct Ids {
    uid: u32,
    gid: u32,
    groups: Vec<u32>,
}

impl Ids {
    fn resolve(text: &str, passwd: &str, group: &str) -> Result<Self, String> {
        let (user, wanted_group) = text.split_once(':').map_or((text, ""), |(user, group)| (user, group));
        if let (Some(uid), Some(gid)) = (number(user), number(wanted_group)) {
            return Ok(Ids { uid, gid, groups: vec![gid] });
        }
        let found = entries(passwd).find(|entry| entry.is(if user.is_empty() { "0" } else { user }));
        let (uid, main_group) = match (&found, number(user)) {
            (Some(entry), _) => (entry.id, entry.group),
            (None, Some(uid)) => (uid, 0),
            (None, None) if user.is_empty() => (0, 0),
            (None, None) => return Err(format!("there is no user {user} in /etc/passwd")),
        };
        if wanted_group.is_empty() {
            let name = if text.is_empty() { None } else { found.map(|entry| entry.name) };
            let groups = with_main(main_group, member_groups(group, name));
            return Ok(Ids { uid, gid: main_group, groups });
        }
        let listed = group_entries(group).find(|entry| entry.is(wanted_group)).map(|entry| entry.id);
        let gid = listed
            .or_else(|| number(wanted_group))
            .ok_or_else(|| format!("there is no group {wanted_group} in /etc/group"))?;
        Ok(Ids { uid, gid, groups: vec![gid] })
    }

    fn with_home(self, passwd: &str) -> User {
        let home = entries(passwd).find(|entry| entry.id == self.uid).map_or("", |entry| entry.home);
        User {
            uid: Uid::from_raw(self.uid),
            gid: Gid::from_raw(self.gid),
            groups: self.groups.into_iter().map(Gid::from_raw).collect(),
            home: if home.is_empty() { "/".to_owned() } else { home.to_owned() },
        }
    }
}

/// Ids up to 2^31 - 1; the ones above have special meanings here and there.
fn number(text: &str) -> Option<u32> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<i32>().ok()?.try_into().ok())?
}

fn with_main(main: u32, mut groups: Vec<u32>) -> Vec<u32> {
    if !groups.contains(&main) {
        groups.insert(0, main);
    }
    groups
}

/// A line of `/etc/passwd` or `/etc/group`.
struct Entry<'a> {
    name: &'a str,
    id: u32,
    group: u32,
    home: &'a str,
    members: &'a str,
}

impl Entry<'_> {
    fn is(&self, wanted: &str) -> bool {
        self.name == wanted || number(wanted) == Some(self.id)
    }
}

fn entries(passwd: &str) -> impl Iterator<Item = Entry<'_>> {
    passwd.lines().filter_map(|line| {
        let fields: Vec<&str> = line.trim().split(':').collect();
        let [name, _, id, group, _, home, ..] = fields[..] else { return None };
        Some(Entry { name, id: number(id)?, group: number(group)?, home, members: "" })
    })
}

fn group_entries(group: &str) -> impl Iterator<Item = Entry<'_>> {
    group.lines().filter_map(|line| {
        let fields: Vec<&str> = line.trim().split(':').collect();
        let [name, _, id, ref rest @ ..] = fields[..] else { return None };
        let id = number(id)?;
        Some(Entry { name, id, group: id, home: "", members: rest.first().copied().unwrap_or("") })
    })
}

fn member_groups(group: &str, name: Option<&str>) -> Vec<u32> {
    let Some(name) = name else { return Vec::new() };
    group_entries(group)
        .filter(|entry| entry.members.split(',').any(|member| member == name))
        .map(|entry| entry.id)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str =
        "root:x:0:0:root:/root:/bin/bash\nbad line\nman:x:6:12:man:/var/cache/man:/usr/sbin/nologin\n";
    const GROUP: &str = "root:x:0:\nadm:x:4:syslog,man\nman:x:12:\nstaff:x:50:man\n";

    #[track_caller]
    fn check(text: &str, expected: Result<(u32, u32, &[u32], &str), &str>) {
        let found = Ids::resolve(text, PASSWD, GROUP).map(|ids| ids.with_home(PASSWD));
        let expected = expected.map_err(str::to_owned).map(|(uid, gid, groups, home)| User {
            uid: Uid::from_raw(uid),
            gid: Gid::from_raw(gid),
            groups: groups.iter().copied().map(Gid::from_raw).collect(),
            home: home.to_owned(),
        });
        assert_eq!(found, expected);
    }

    #[test]
    fn nobody_named_is_root() {
        check("", Ok((0, 0, &[0], "/root")));
        check("root", Ok((0, 0, &[0], "/root")));
        assert_eq!(Ids::resolve("", "", ""), Ok(Ids { uid: 0, gid: 0, groups: vec![0] }));
    }

    #[test]
    fn a_found_user_brings_its_groups() {
        check("man", Ok((6, 12, &[12, 4, 50], "/var/cache/man")));
        check("6", Ok((6, 12, &[12, 4, 50], "/var/cache/man")));
        check("man:staff", Ok((6, 50, &[50], "/var/cache/man")));
        check("man:77", Ok((6, 77, &[77], "/var/cache/man")));
    }

    #[test]
    fn numbers_need_no_entry_but_names_do() {
        check("1000", Ok((1000, 0, &[0], "/")));
        check("1000:1001", Ok((1000, 1001, &[1001], "/")));
        check("builder", Err("there is no user builder in /etc/passwd"));
        check("0:wheel", Err("there is no group wheel in /etc/group"));
        check("4294967295", Err("there is no user 4294967295 in /etc/passwd"));
    }
}
