//! What the folders are called that several results get. Their names come from a frontend, which nobody trusts.

use std::collections::BTreeMap;

use crate::error::{Error, Result};

/// Returns the folder of each result in `names`, which are platforms, such as `linux_amd64`; one alone needs none, which
/// is the empty name.
///
/// # Errors
/// When a name would lead elsewhere, or two results would get one folder.
pub fn folders<'a>(names: impl ExactSizeIterator<Item = &'a str>) -> Result<Vec<Vec<u8>>> {
    if names.len() == 1 {
        return Ok(vec![Vec::new()]);
    }
    let mut taken: BTreeMap<String, &str> = BTreeMap::new();
    let folder = |name: &'a str| {
        let folder = name.replace('/', "_");
        if matches!(folder.as_str(), "" | "." | "..") || folder.contains('\0') {
            let message = format!("{name:?} cannot be the name of a result among several");
            return Err(Error::Request(message));
        }
        if let Some(other) = taken.insert(folder.clone(), name) {
            let message = format!("the results {other:?} and {name:?} would both be written as {folder:?}");
            return Err(Error::Request(message));
        }
        Ok(folder.into_bytes())
    };
    names.map(folder).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(names: &[&str]) -> Result<Vec<String>, String> {
        let folders = folders(names.iter().copied()).map_err(|error| error.to_string())?;
        Ok(folders.into_iter().map(|folder| String::from_utf8(folder).unwrap()).collect())
    }

    #[test]
    fn folders_are_called_like_platforms_and_nothing_else() {
        assert_eq!(of(&["linux/amd64", "linux/arm/v7"]).unwrap(), ["linux_amd64", "linux_arm_v7"]);
        assert_eq!(of(&[".."]).unwrap(), [""]);
        for name in ["", ".", "..", "a\0"] {
            assert!(of(&["a", name]).unwrap_err().contains("cannot be the name"), "{name:?}");
        }
        assert!(of(&["a/b", "a_b"]).unwrap_err().contains("would both be written as"));
    }
}
