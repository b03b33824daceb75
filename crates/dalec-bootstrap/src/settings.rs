//! The few files that a container's root has and no package brings.

use std::path::Path;

use crate::error::BootstrapError;
use crate::recipe::Recipe;
use crate::tree::{Attributes, Tree};

/// What is written, beside the source list, where nothing of that name is there.
///
/// - Translated package descriptions would be most of what `apt-get update` downloads.
/// - Syncing every file makes installing many times slower, and a container that did not
///   survive a power cut is made again.
/// - A build must not start services: 101 is "forbidden by policy" to `invoke-rc.d`.
const FILES: &[(&str, u32, &str)] = &[
    (
        "etc/apt/apt.conf.d/90container",
        0o644,
        "Acquire::Languages \"none\";\nAPT::AutoRemove::SuggestsImportant \"false\";\n",
    ),
    ("etc/dpkg/dpkg.cfg.d/90container", 0o644, "force-unsafe-io\n"),
    ("usr/sbin/policy-rc.d", 0o755, "#!/bin/sh\nexit 101\n"),
];

/// Writes the settings into an unpacked root.
///
/// # Errors
/// [`BootstrapError::Io`] if that fails.
pub(crate) fn write(recipe: &Recipe, root: &Path, map_ids: bool) -> Result<(), BootstrapError> {
    let tree = Tree::open(root, map_ids).map_err(BootstrapError::io("open", root))?;
    let put = |path: &str, mode: u32, content: &str| {
        let attributes = Attributes { mode, ..Attributes::file() };
        tree.put(path.as_bytes(), attributes, content.as_bytes())
            .map_err(BootstrapError::io("write", root.join(path)))
    };
    for (path, mode, content) in FILES {
        put(path, *mode, content)?;
    }
    put("etc/apt/sources.list.d/debian.sources", 0o644, &recipe.sources())?;
    link_awk(&tree).map_err(BootstrapError::io("write", root.join("usr/bin/awk")))
}

/// Makes the link that scripts need before the package that is called `awk` has been set up.
///
/// It is the one that `update-alternatives` will make, so nothing is left to be undone.
fn link_awk(tree: &Tree) -> std::io::Result<()> {
    let programs = tree.make_directories(b"usr/bin")?;
    let alternatives = tree.make_directories(b"etc/alternatives")?;
    if programs.exists(b"awk") || !programs.exists(b"mawk") {
        return Ok(());
    }
    let attributes = Attributes::file();
    tree.write_symlink(&alternatives, b"awk", b"/usr/bin/mawk", attributes)?;
    tree.write_symlink(&programs, b"awk", b"/etc/alternatives/awk", attributes)
}
