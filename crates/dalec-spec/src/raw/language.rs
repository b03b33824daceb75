//! Keys that are not simply keys: those this version does not support yet, and those people write by mistake.

/// Keys of the Dalec language that this version does not support yet, by the name of their object.
const UNSUPPORTED: &[(&str, &[&str])] = &[
    ("a spec", &["package_config"]),
    ("a target", &["frontend", "package_config"]),
    ("a source", &["git", "image", "build", "generate"]),
    ("a base image", &["path", "includes", "excludes", "generate"]),
    ("a base image reference", &["cmd"]),
    ("the build section", &["caches"]),
    ("a build step", &["mounts"]),
    ("the dependencies", &["sysext", "extra_repos"]),
    ("a test", &["dir"]),
];

const ONLY_IMAGE: &str = "a base is an image: write `image: {ref: ...}`";

/// What to write instead of keys that people write by mistake, by the name of their object.
const HINTS: &[(&str, &str, &str)] = &[
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
    ("a base image", "git", ONLY_IMAGE),
    ("a base image", "http", ONLY_IMAGE),
    ("a base image", "context", ONLY_IMAGE),
    ("a base image", "build", ONLY_IMAGE),
    ("a base image", "inline", ONLY_IMAGE),
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
    ("an inline file", "content", "write `contents`"),
    ("an inline source", "contents", "the text stands under `file`: `file: {contents: ...}`"),
    ("an inline source", "content", "the text stands under `file`: `file: {contents: ...}`"),
    ("an inline source", "files", "files stand under `dir`: `dir: {files: ...}`"),
];

/// How an object is written, for those who wrote something else, by its name.
const SHAPES: &[(&str, &str)] = &[
    ("a spec", "a spec begins with keys such as `name: hello`"),
    ("a package constraint", "write `{version: [\">= 1.2\"]}`, or nothing for any version"),
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
];

/// Returns how `object` is written.
pub(crate) fn shape(object: &str) -> String {
    let shape = SHAPES.iter().find(|(name, _)| *name == object);
    shape.map_or_else(
        || format!("this is {object}: write its keys below, one per line"),
        |(_, shape)| (*shape).to_owned(),
    )
}

/// Returns whether `key` belongs to `object` in the full language.
pub(crate) fn is_unsupported(object: &str, key: &str) -> bool {
    UNSUPPORTED.iter().any(|(name, keys)| *name == object && keys.contains(&key))
}

/// Returns what to write instead of `key` in `object`.
pub(crate) fn hint(object: &str, key: &str) -> Option<&'static str> {
    HINTS.iter().find(|(name, wrong, _)| *name == object && *wrong == key).map(|(_, _, hint)| *hint)
}
