//! The members of an `ar` archive, as positions in a file.
//!
//! Only what Debian packages use, see deb(5): no tables of long names, few members. Sizes are checked against the file
//! before anything else is done with them, and no content is read.

use std::fs::File;
use std::os::unix::fs::FileExt;

use crate::error::ReadError;
use crate::parts::Range;

/// What an archive begins with.
pub(crate) const MAGIC: &[u8; 8] = b"!<arch>\n";
/// The length of what stands before each member.
pub(crate) const HEADER: u64 = 60;
/// No package has nearly as many members.
const MOST_MEMBERS: usize = 64;

/// A member of an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Member {
    /// Its name, without the spaces and the slash at its end.
    pub(crate) name: Vec<u8>,
    /// Its content.
    pub(crate) content: Range,
    /// Its header, its content, and the byte that makes its size even, as far as it is there.
    pub(crate) whole: Range,
}

/// Returns the members of `file`.
///
/// # Errors
/// [`ReadError`] when it cannot be read or is no such archive.
pub(crate) fn members(file: &File) -> Result<Vec<Member>, ReadError> {
    let length = file.metadata()?.len();
    let mut magic = [0; MAGIC.len()];
    if length < magic.len() as u64 {
        return Err(ReadError::broken("it is not a Debian package"));
    }
    file.read_exact_at(&mut magic, 0)?;
    if &magic != MAGIC {
        return Err(ReadError::broken("it is not a Debian package"));
    }
    let mut members = Vec::new();
    let mut at = magic.len() as u64;
    while at < length {
        if members.len() == MOST_MEMBERS {
            return Err(ReadError::broken(format!("it has more than {MOST_MEMBERS} members")));
        }
        if length - at < HEADER {
            return Err(ReadError::broken("it ends within the header of a member"));
        }
        let mut header = [0; HEADER as usize];
        file.read_exact_at(&mut header, at)?;
        let member = member(&header, at, length)?;
        at = member.whole.at + member.whole.size;
        members.push(member);
    }
    Ok(members)
}

fn member(header: &[u8; HEADER as usize], at: u64, length: u64) -> Result<Member, ReadError> {
    if &header[58..] != b"`\n" {
        return Err(ReadError::broken(format!("there is no member at byte {at}")));
    }
    let name = header[..16].trim_ascii_end();
    let name = name.strip_suffix(b"/").unwrap_or(name).to_vec();
    let shown = String::from_utf8_lossy(&name).into_owned();
    let digits = header[48..58].trim_ascii_end();
    let size = std::str::from_utf8(digits).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    let size: u64 = size
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| ReadError::broken(format!("the size of its member {shown:?} is not a number")))?;
    let content = Range { at: at + HEADER, size };
    // Ten digits cannot overflow.
    let end = content.at + size;
    if end > length {
        return Err(ReadError::broken(format!("its member {shown:?} is cut off")));
    }
    let whole = Range { at, size: (end + size % 2).min(length) - at };
    Ok(Member { name, content, whole })
}

/// Returns what stands before a member that belongs to root and is `size` bytes long.
pub(crate) fn header(name: &str, time: u64, size: usize) -> Vec<u8> {
    format!("{name:<16}{time:<12}{:<6}{:<6}{:<8}{size:<10}`\n", 0, 0, "100644").into_bytes()
}
