//! Layers of Windows hold the files of the image below `Files/`; beside that are parts of the registry (`Hives/`) and of
//! virtual machines, which mean nothing here.

use crate::tarball::{Entry, Kind};

const FILES: &[u8] = b"Files/";

/// Returns a member as it is in the image's file system, or nothing if it is none of the image's files.
pub fn unwrapped(entry: Entry) -> Option<Entry> {
    let path = inside(&entry.path)?.to_vec();
    let kind = match entry.kind {
        Kind::Hardlink(target) => Kind::Hardlink(inside(&target).unwrap_or(&target).to_vec()),
        kind => kind,
    };
    Some(Entry { path, kind, ..entry })
}

fn inside(path: &[u8]) -> Option<&[u8]> {
    let path = path.strip_prefix(b"./").unwrap_or(path);
    path.strip_prefix(FILES).filter(|rest| !rest.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_of_the_image_are_taken() {
        let path = |path: &str, kind: Kind| {
            let entry = unwrapped(Entry::new(path, kind, 0o755, 0))?;
            let target = match entry.kind {
                Kind::Hardlink(target) => format!(" == {}", String::from_utf8_lossy(&target)),
                _ => String::new(),
            };
            Some(format!("{}{target}", String::from_utf8_lossy(&entry.path)))
        };
        assert_eq!(path("Files/Windows/System32/", Kind::Directory).as_deref(), Some("Windows/System32/"));
        assert_eq!(path("./Files/a", Kind::File).as_deref(), Some("a"));
        assert_eq!(path("Files/b", Kind::Hardlink(b"Files/a".to_vec())).as_deref(), Some("b == a"));
        for other in ["Files", "Files/", "Hives", "Hives/System_Delta", "UtilityVM/Files/a", "File/a"] {
            assert_eq!(path(other, Kind::Directory), None, "{other}");
        }
    }
}
