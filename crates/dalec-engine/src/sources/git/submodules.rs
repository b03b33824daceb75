//! Where the submodules of a commit come from, as its file `.gitmodules` says.

use std::collections::BTreeMap;

use super::error::GitError;
use super::listing::LONGEST_MODULES;
use super::remote::Remote;
use super::repository::Repository;
use crate::error::Result;

/// Addresses of the submodules of one commit.
pub struct Addresses {
    parent: Remote,
    /// What is said of the submodule at each path.
    modules: BTreeMap<String, Module>,
}

#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Module {
    path: String,
    url: String,
    update: String,
}

impl Addresses {
    /// Reads them.
    ///
    /// # Errors
    /// When git cannot, or there is more of it than is taken.
    pub fn read(repository: &Repository<'_>, parent: &Remote, commit: &str) -> Result<Self> {
        let blob = format!("--blob={commit}:.gitmodules");
        let mut answer = Vec::new();
        let keys = r"^submodule\..*\.(path|url|update)$";
        // Without such a file, or with nothing in it, there is nothing to say; each submodule is missed later.
        repository.call().stream(&["config", &blob, "-z", "--get-regexp", keys], &mut |piece| {
            // A long name is repeated with each key.
            if (answer.len() + piece.len()) as u64 > LONGEST_MODULES {
                return Err(GitError::modules_too_large(parent, commit).into());
            }
            answer.extend_from_slice(piece);
            Ok(())
        })?;
        Ok(Self { parent: parent.clone(), modules: read(&String::from_utf8_lossy(&answer)) })
    }

    /// Returns the repository of the submodule at `path`; none when it is not to be fetched.
    ///
    /// # Errors
    /// When there is no address, or none that can be fetched from.
    pub fn of(&self, path: &str) -> Result<Option<Remote>> {
        let missing = "its commit has no address for it in .gitmodules";
        let module = self.modules.get(path).filter(|module| !module.url.is_empty());
        let module = module.ok_or_else(|| self.refused(path, missing))?;
        if module.update == "none" {
            return Ok(None);
        }
        Ok(Some(self.parent.submodule(&module.url).map_err(|error| self.refused(path, &error.to_string()))?))
    }

    /// Returns the error that the submodule at `path` is not taken.
    pub fn refused(&self, path: &str, reason: &str) -> GitError {
        GitError::Submodule {
            remote: self.parent.url().to_owned(),
            path: path.to_owned(),
            reason: reason.to_owned(),
        }
    }
}

/// Reads `submodule.NAME.KEY<LF>VALUE<NUL>`.
fn read(text: &str) -> BTreeMap<String, Module> {
    let mut modules: BTreeMap<&str, Module> = BTreeMap::new();
    for record in text.split('\0') {
        let Some((key, value)) = record.split_once('\n') else { continue };
        let Some((name, key)) = key.strip_prefix("submodule.").and_then(|key| key.rsplit_once('.')) else {
            continue;
        };
        let module = modules.entry(name).or_default();
        match key {
            "path" => value.trim_end_matches('/').clone_into(&mut module.path),
            "url" => value.clone_into(&mut module.url),
            "update" => value.clone_into(&mut module.update),
            _ => {}
        }
    }
    modules.into_values().map(|module| (module.path.clone(), module)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_belong_to_paths() {
        let text = "submodule.my.lib.path\nlib/my\0submodule.my.lib.url\n../lib.git\0\
                    submodule.off.path\noff\0submodule.off.url\nhttps://example.org/off\0submodule.off.update\nnone\0\
                    submodule.evil.path\nevil\0submodule.evil.url\nfile:///etc\0";
        let parent = Remote::parse("https://example.org/a/b.git").unwrap();
        let addresses = Addresses { parent, modules: read(text) };
        let found = addresses.of("lib/my").unwrap().unwrap();
        assert_eq!(found.url(), "https://example.org/a/lib.git");
        assert_eq!(addresses.of("off").unwrap(), None);
        let refused = |path: &str| addresses.of(path).unwrap_err().to_string();
        assert_eq!(
            refused("evil"),
            "the submodule \"evil\" of https://example.org/a/b.git: cannot fetch from \"file:///etc\": \"file\" is not \
             supported; https, http, ssh and git are"
        );
        assert_eq!(
            refused("other"),
            "the submodule \"other\" of https://example.org/a/b.git: its commit has no address for it in .gitmodules"
        );
    }
}
