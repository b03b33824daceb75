//! What to write instead: keys that people write by mistake, and how each object is written.

use crate::emit::quoted;

/// What to write instead of keys that people write by mistake, by the name of their object.
pub(super) const HINTS: &[(&str, &str, &str)] = &[
    ("a spec", "steps", "steps stand under `build`"),
    ("a spec", "env", "the environment stands under `build`"),
    ("a spec", "caches", "caches stand under `build`"),
    ("a spec", "network_mode", "`network_mode` stands under `build`"),
    ("a spec", "files", "files in the package stand under `artifacts`, checks of files under `tests`"),
    ("a spec", "runtime", "runtime dependencies stand under `dependencies`"),
    ("a spec", "depends", "dependencies stand under `dependencies`: `build`, `runtime`, `test`"),
    ("a spec", "maintainer", "the maintainer of the package is written as `packager`"),
    ("a spec", "homepage", "the home page is written as `website`"),
    ("a spec", "summary", "the first line of `description` is the summary"),
    ("a spec", "release", "the packaging revision is written as `revision`"),
    ("a target", "build", "`build` can only be written at the top level, for all targets"),
    ("a target", "sources", "`sources` can only be written at the top level, for all targets"),
    ("a target", "patches", "`patches` can only be written at the top level, for all targets"),
    ("a target", "args", "`args` can only be written at the top level, for all targets"),
    ("a target", "version", "`version` can only be written at the top level; use an argument to change it"),
    ("a target", "revision", "`revision` can only be written at the top level; use an argument to change it"),
    ("the image settings", "workdir", "write `working_dir`"),
    ("an artifact", "mode", "permissions of an artifact are written as `permissions`"),
    ("an artifact", "path", "the directory below the kind's directory is `subpath`, the file name is `name`"),
    ("an artifact", "owner", "write `user` and `group`"),
    ("a directory", "permissions", "permissions of a directory are written as `mode`"),
    ("a systemd drop-in", "enable", "`enable` belongs to the unit, under `units`"),
    ("a systemd drop-in", "start", "`start` belongs to the unit, under `units`"),
    ("a test step", "cmd", "write `command`"),
    ("a test step", "run", "write `command`"),
    ("a build step", "cmd", "write `command`"),
    ("a build step", "run", "write `command`"),
    ("a file check", "mode", "write `permissions`"),
    ("a file check", "exists", "a listed file must exist; write `not_exist: true` for the opposite"),
    ("a file check", "exist", "a listed file must exist; write `not_exist: true` for the opposite"),
    ("an http source", "sha256", "write `digest: sha256:...`"),
    ("an http source", "checksum", "write `digest: sha256:...`"),
    (
        "a source",
        "url",
        "the address stands under the kind of the source: `git: {url: ...}` or `http: {url: ...}`",
    ),
    ("a source", "local", "files of the build context are `context: {}`"),
    ("a source", "docker_image", "write `image`"),
    ("a source", "generators", "write `generate`, a list"),
    ("a git source", "ref", "write `commit`: a hash, tag or branch"),
    ("a git source", "tag", "write `commit`: a hash, tag or branch"),
    ("a git source", "branch", "write `commit`: a hash, tag or branch"),
    ("a git source", "repo", "write `url`"),
    ("an image source", "path", "`path` stands beside `image`, not in it"),
    ("an image source", "image", "write `ref`"),
    ("an image source", "steps", "steps stand under `cmd`"),
    ("a build source", "dockerfile", "write `dockerfile_path`"),
    ("a build source", "context", "what is built stands under `source`: `source: {context: {}}`"),
    ("a build source", "build_args", "write `args`"),
    ("a generator", "cargo", "write `cargohome`"),
    ("a generator", "go", "write `gomod`"),
    ("a generator", "npm", "write `nodemod`"),
    ("the gomod generator", "replace", "replacements stand under `edits`"),
    ("the gomod generator", "drop", "modules to drop stand under `edits`"),
    ("a package constraint", "versions", "write `version`, a list"),
    ("a package constraint", "architectures", "write `arch`, a list"),
    ("the build section", "network", "write `network_mode`"),
    ("the build section", "cache", "write `caches`, a list"),
    ("a cache", "cargo", "write `rustsccache`"),
    ("a cache directory", "path", "write `dest`"),
    ("a cache directory", "id", "write `key`"),
    ("a repository", "gpg_keys", "write `keys`"),
    ("a repository", "env", "write `envs`, a list"),
    ("the package settings", "image", "the image stands under `signer`"),
    ("a signer", "ref", "write `image`"),
    ("an inline file", "content", "write `contents`"),
    ("an inline source", "contents", "the text stands under `file`: `file: {contents: ...}`"),
    ("an inline source", "content", "the text stands under `file`: `file: {contents: ...}`"),
    ("an inline source", "files", "files stand under `dir`: `dir: {files: ...}`"),
];

/// How an object is written, for those who wrote something else, by its name.
const SHAPES: &[(&str, &str)] = &[
    ("a spec", "a spec begins with keys such as `name: hello`"),
    ("a package constraint", "write `{version: [TEXTS]}`, or nothing for any version"),
    ("a build step", "write `command: ...`"),
    ("a test step", "write `command: ...`"),
    ("an output check", "write `equals: ...`, or `contains: [...]`"),
    ("a file check", "write `contains: [...]`, or nothing to check that the file is there"),
    ("an inline file", "write `contents: ...`"),
    ("an inline source", "write `file: {contents: ...}`"),
    ("an http source", "write `url: ...` and `digest: ...`"),
    ("a context source", "write `{}` for the main context, or `name: ...`"),
    ("a user", "write `name: ...`"),
    ("a group", "write `name: ...`"),
    ("an artifact", "write `name: ...` to rename it, or nothing"),
    ("a patch", "write `source: ...`"),
    (
        "a source",
        "write for example `context: {}` for the main build context, or `git: {url: ..., commit: ...}`",
    ),
    ("a git source", "write `url: ...` and `commit: ...`"),
    ("an image source", "write `ref: ...`"),
    ("a build source", "write `source: {context: {}}`"),
    ("a mount", "write `dest: /path` and `spec: {context: {}}`"),
    ("a generator", "write for example `gomod: {}`"),
    ("a cache", "write for example `gobuild: {}` or `dir: {dest: /path}`"),
    ("a cache directory", "write `dest: /path`"),
    ("a repository", "write `config: {name.repo: {...}}`, with a source as value"),
    ("a signer", "write `image: ...`"),
    ("a target frontend", "write `image: ...`"),
    ("a base", "write `rootfs: {image: {ref: ...}}`"),
    ("a symlink", "write `path: /link`, or `paths: [...]` for several"),
    ("a systemd unit", "write `enable: true`, or nothing"),
    ("a systemd drop-in", "write `unit: NAME.service`"),
    ("a link", "write `source: ...` and `dest: ...`"),
    ("a changelog entry", "write `date: ...`, `author: ...` and `changes: [...]`"),
    ("a test", "write `name: ...` and `steps: [...]`"),
];

/// What to do about a key that is missing, by the names of the object and the key.
const MISSING: &[(&str, &str, &str)] = &[
    ("a git source", "commit", "write the hash of the commit: `git ls-remote URL` lists them"),
    ("a git source", "url", "write `url: https://...`"),
    ("an http source", "url", "write `url: https://...`"),
    ("an image source", "ref", "write `ref: registry.example.org/name:tag@sha256:...`"),
    ("the commands of an image source", "steps", "write `steps: [{command: ...}]`"),
    ("a build source", "source", "write `source: {context: {}}` for the main build context"),
    ("a build step", "command", "write `command: ...`"),
    ("a test step", "command", "write `command: ...`"),
    ("a patch", "source", "write the name of the source that holds the patch"),
    ("a mount", "dest", "write where it is mounted: `dest: /path`"),
    ("a mount", "spec", "write what is mounted, a source: `spec: {context: {}}`"),
    ("a systemd drop-in", "unit", "write the unit it belongs to: `unit: NAME.service`"),
    ("a base", "rootfs", "write `rootfs: {image: {ref: ...}}`"),
    ("a cache directory", "dest", "write where it is mounted: `dest: /path`"),
    ("a changelog entry", "date", "write `date: 2026-01-31`"),
    ("a link", "source", "write what the link points to: `source: /usr/bin/tool`"),
    ("a link", "dest", "write the path of the link: `dest: /usr/bin/t`"),
    ("a user", "name", "write `name: tool`"),
    ("a group", "name", "write `name: tool`"),
    ("a capability", "name", "write for example `name: cap_net_bind_service`"),
    ("a gomod replacement", "old", "write the module that is replaced: `old: example.org/module`"),
    ("a gomod replacement", "new", "write what replaces it: `new: example.org/other@v1.2.3`"),
    ("a target frontend", "image", "write the image of the frontend, or remove `frontend`"),
];

/// What to do when both keys that exclude each other are wanted, by the name of the object.
const BOTH: &[(&str, &str)] = &[
    ("a source", "make two sources of it"),
    ("an inline source", "make two sources of it, or put the file under `dir`"),
    ("a cache", "make two entries of it"),
    ("a symlink", "move it into `paths`"),
    ("the image settings", "move it into `bases`"),
];

/// Returns what to do about `key`, which is missing in `object`.
pub(crate) fn missing(object: &str, key: &str) -> Option<&'static str> {
    MISSING.iter().find(|(name, missing, _)| *name == object && *missing == key).map(|(_, _, help)| *help)
}

/// Returns what to do when `object` has two keys that exclude each other.
pub(crate) fn both(object: &str) -> &'static str {
    BOTH.iter().find(|(name, _)| *name == object).map_or("keep one of them", |(_, help)| help)
}

/// Stands in a shape for the texts that the author wrote instead of the object.
const TEXTS: &str = "TEXTS";

/// Returns how `object` is written.
pub(crate) fn shape(object: &str) -> String {
    shape_with(object, &[])
}

/// Returns how `object` is written for an author who wrote `texts` instead.
pub(crate) fn shape_with(object: &str, texts: &[&str]) -> String {
    let Some((_, shape)) = SHAPES.iter().find(|(name, _)| *name == object) else {
        return format!("this is {object}: write its keys below, one per line");
    };
    let texts = if texts.is_empty() { &[">= 1.2"] } else { texts };
    let texts: Vec<String> = texts.iter().map(|text| quoted(text)).collect();
    shape.replace(TEXTS, &texts.join(", "))
}

/// Returns what to write instead of `key` in `object`.
pub(crate) fn hint(object: &str, key: &str) -> Option<&'static str> {
    HINTS.iter().find(|(name, wrong, _)| *name == object && *wrong == key).map(|(_, _, hint)| *hint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::Decode;
    use crate::raw::RawRoot;
    use crate::shape::{ObjectShape, objects};

    fn object(name: &str) -> ObjectShape {
        let found = objects(RawRoot::shape()).into_iter().find(|object| object.name == name);
        found.unwrap_or_else(|| panic!("there is no object called {name:?}"))
    }

    fn has(name: &str, key: &str) -> bool {
        object(name).keys.iter().any(|known| known.name == key)
    }

    #[test]
    fn hints_speak_of_what_there_is() {
        for (name, key, _) in HINTS {
            assert!(!has(name, key), "`{key}` of {name} is a key after all");
        }
        for (name, key, _) in MISSING {
            assert!(has(name, key), "{name} has no `{key}`");
            assert!(object(name).needs.contains(key), "`{key}` of {name} is not needed");
        }
        for (name, _) in SHAPES {
            object(name);
        }
        for (name, _) in BOTH {
            assert!(object(name).choice.is_some_and(|choice| choice.exclusive), "{name}");
        }
    }

    #[test]
    fn every_needed_key_has_a_hint() {
        for object in objects(RawRoot::shape()) {
            for key in object.needs {
                assert!(missing(object.name, key).is_some(), "`{key}` of {}", object.name);
            }
        }
    }
}
