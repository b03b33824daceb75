//! What a copy reads.

use bollard_buildkit_proto::pb;
use dalec_files::{Pattern, Selection};

use crate::cachekey::Key;
use crate::error::{Error, Result};
use crate::snapshot::resolve::{Last, clean, components, resolve};
use crate::snapshot::{Tree, digest};

/// What a copy reads.
#[derive(Debug, Clone)]
pub struct CopySource {
    /// Path, or pattern, of what is copied.
    pub path: String,
    /// Whether the path is a pattern.
    wildcard: bool,
    /// Whether the pattern may match nothing.
    pub allow_empty: bool,
    follow: bool,
    include: Vec<String>,
    exclude: Vec<String>,
}

/// Something to copy.
#[derive(Debug, Clone)]
pub struct Match<N> {
    /// The last name of its path as it was asked for; empty for the top directory.
    pub name: Vec<u8>,
    /// The file or directory.
    pub node: N,
}

impl CopySource {
    /// Reads the action.
    ///
    /// # Errors
    /// When it asks for something that this engine cannot do.
    pub fn new(copy: &pb::FileActionCopy) -> Result<Self> {
        if !copy.required_paths.is_empty() {
            return Err(Error::op("copying with required paths is not supported"));
        }
        Ok(Self {
            path: copy.src.clone(),
            wildcard: copy.allow_wildcard,
            allow_empty: copy.allow_wildcard && copy.allow_empty_wildcard,
            follow: copy.follow_symlink,
            include: copy.include_patterns.clone(),
            exclude: copy.exclude_patterns.clone(),
        })
    }

    /// Returns what names this way of reading among all others.
    pub fn selector(&self) -> String {
        let flags = (self.wildcard, self.follow);
        serde_json::json!([self.path, flags, self.include, self.exclude]).to_string()
    }

    /// Returns what passes, below a directory that is copied.
    ///
    /// # Errors
    /// When a pattern is malformed.
    pub fn selection(&self) -> Result<Selection> {
        Ok(Selection::new(&self.include, &self.exclude)?)
    }

    /// Returns what is to be copied, in order of the paths.
    ///
    /// # Errors
    /// When the tree cannot be read.
    pub fn matches<T: Tree>(&self, tree: &T) -> Result<Vec<Match<T::Node>>> {
        let path = clean(self.path.as_bytes());
        let names: Vec<&[u8]> = components(&path).collect();
        let plain = match self.wildcard {
            true => names.iter().take_while(|name| !has_wildcard(name)).count(),
            false => names.len(),
        };
        let last = if self.follow || plain < names.len() { Last::Follow } else { Last::Keep };
        let Some(start) = resolve(tree, &names[..plain].join(&b'/'), last)? else { return Ok(Vec::new()) };
        let name = if plain == 0 { Vec::new() } else { names[plain - 1].to_vec() };
        let mut found = vec![Match { name, node: start.node }];
        for pattern in &names[plain..] {
            found = self.step(tree, found, pattern)?;
        }
        if plain < names.len() && self.follow {
            found = self.followed(tree, &names[..plain], found)?;
        }
        Ok(found)
    }

    fn step<T: Tree>(
        &self,
        tree: &T,
        found: Vec<Match<T::Node>>,
        pattern: &[u8],
    ) -> Result<Vec<Match<T::Node>>> {
        let text = String::from_utf8_lossy(pattern);
        // A name that begins with `!` is no negation here.
        let text = text.strip_prefix('!').map_or_else(|| text.to_string(), |rest| format!("\\!{rest}"));
        let Some(pattern) = Pattern::parse(&text)? else { return Ok(Vec::new()) };
        let mut next = Vec::new();
        for parent in found {
            for (name, node) in tree.children(&parent.node)? {
                if pattern.matches(&name) {
                    next.push(Match { name, node });
                }
            }
        }
        Ok(next)
    }

    /// Follows the links among matches of a pattern's last name, as far as it has only one.
    fn followed<T: Tree>(
        &self,
        tree: &T,
        base: &[&[u8]],
        found: Vec<Match<T::Node>>,
    ) -> Result<Vec<Match<T::Node>>> {
        let mut followed = Vec::with_capacity(found.len());
        for found in found {
            let path = base.iter().copied().chain([found.name.as_slice()]).collect::<Vec<_>>().join(&b'/');
            let is_link = matches!(tree.meta(&found.node).kind, crate::snapshot::Kind::Symlink(_));
            match is_link.then(|| resolve(tree, &path, Last::Follow)).transpose()?.flatten() {
                Some(target) => followed.push(Match { node: target.node, ..found }),
                None => followed.push(found),
            }
        }
        Ok(followed)
    }

    /// Returns the digest of everything that the copy can see.
    ///
    /// # Errors
    /// When the tree cannot be read, or `check` says to stop.
    pub fn digest<T: Tree>(&self, tree: &T, check: &dyn Fn() -> Result<()>) -> Result<Key> {
        let selection = self.selection()?;
        let mut hasher = Key::hasher("copy");
        for found in self.matches(tree)? {
            let digest = match tree.meta(&found.node).is_dir() && !selection.is_everything() {
                true => digest::filtered(tree, &found.node, &selection, check)?,
                false => digest::digest(tree, &found.node, check)?,
            };
            hasher.field(&found.name).field(&digest.0);
        }
        Ok(hasher.finish())
    }
}

fn has_wildcard(name: &[u8]) -> bool {
    name.iter().any(|byte| b"*?[\\".contains(byte))
}
