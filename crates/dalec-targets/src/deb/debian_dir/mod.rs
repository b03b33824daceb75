//! The generated `debian/` directory.
//!
//! Each file is rendered by a function of its own from the spec to text; this module puts them together. Values of
//! the spec are quoted for the format they land in, or refused where it has no way to hold them.

mod changelog;
mod control;
mod copyright;
mod fix_perms;
mod install_script;
mod links;
mod manpages;
pub(in crate::deb) mod patches;
mod postinst;
mod rules;
mod units;

use std::collections::BTreeMap;

use dalec_llb::{File, ProgressGroup, State};
use dalec_spec::target_spec::TargetSpec;

use crate::build_script;
use crate::deb::distro::DebDistro;
use crate::deb::layout;
use crate::deb::names::Names;
use crate::error::PlanError;
use crate::golang;
use crate::marker::Marks;

/// One entry of the directory.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Entry {
    Text { mode: u32, text: String },
    Link { target: String },
}

/// The whole directory, and what its scripts may name when they fail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DebianDir {
    entries: BTreeMap<String, Entry>,
    /// Places that the binary build may name.
    pub build_marks: Marks,
    /// Places that patching may name.
    pub patch_marks: Marks,
}

/// Returns the directory for `spec`.
///
/// # Errors
/// [`PlanError`] for what a Debian package needs and the spec lacks, or what its formats cannot hold.
pub(super) fn render(spec: &TargetSpec, distro: &DebDistro, names: &Names) -> Result<DebianDir, PlanError> {
    let package = names.package();
    let placed = layout::placed(&spec.artifacts, package, distro);
    let patches = crate::patches::all(spec)?;
    let mut build_marks = Marks::default();
    let mut patch_marks = Marks::default();
    let mut files = Files::default();
    files.add("control", 0o640, control::render(spec, names)?);
    files.add("changelog", 0o644, changelog::render(spec, names, distro)?);
    files.add_some("copyright", 0o644, copyright::render(spec, package));
    files.add("source/format", 0o640, "3.0 (quilt)".into());
    let go_path = golang::debian_path(spec);
    let build = build_script::render(spec, &[], go_path.as_deref(), &mut build_marks)?;
    files.add("dalec/build.sh", 0o700, build);
    let install = install_script::render(spec, package, &placed, &mut build_marks);
    files.add(&format!("{package}.install"), 0o700, install);
    let fix_perms = fix_perms::render(spec, package, &placed);
    files.add("rules", 0o700, rules::render(spec, package, fix_perms.is_some()));
    files.add_some("dalec/fix_perms.sh", 0o700, fix_perms);
    files.add_some("postinst", 0o700, postinst::render(spec, &placed));
    files.add_some("prerm", 0o700, postinst::prerm(spec));
    files.add_some(&format!("{package}.links"), 0o644, links::render(&spec.artifacts.links)?);
    let pages = manpages::render(&layout::plain_manpages(&spec.artifacts))?;
    files.add_some(&format!("{package}.manpages"), 0o640, pages);
    if !patches.is_empty() {
        files.add("dalec/patch.sh", 0o700, patches::script(&patches, &mut patch_marks));
        let paths: String =
            patches.iter().map(|patch| format!("debian/dalec/patches/{}\n", patches::kept(patch))).collect();
        files.add("source/include-binaries", 0o640, paths);
        for (source, lines) in patches::series(&patches) {
            files.add(&format!("dalec/patches/{source}/series"), 0o644, lines);
        }
    }
    let mut entries = files.entries;
    for (path, target) in units::links(&spec.artifacts, package)? {
        entries.insert(path, Entry::Link { target });
    }
    Ok(DebianDir { entries, build_marks, patch_marks })
}

impl DebianDir {
    /// Returns a file system that holds the directory as `/debian`.
    pub(super) fn state(&self, group: &ProgressGroup) -> State {
        let mut file = File::new("Write packaging files").group(group).mkdir("/debian", 0o755, None);
        let mut made = std::collections::BTreeSet::from(["debian".to_owned()]);
        for (path, entry) in &self.entries {
            let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
            if made.insert(parent.to_owned()) {
                file = file.mkdir(&format!("/{parent}"), 0o755, None);
            }
            let path = format!("/{path}");
            file = match entry {
                Entry::Text { mode, text } => file.mkfile(&path, *mode, None, text.as_bytes()),
                Entry::Link { target } => file.symlink(target, &path, None),
            };
        }
        State::scratch().file(file)
    }
}

#[derive(Default)]
struct Files {
    entries: BTreeMap<String, Entry>,
}

impl Files {
    fn add(&mut self, path: &str, mode: u32, text: String) {
        self.entries.insert(format!("debian/{path}"), Entry::Text { mode, text });
    }

    fn add_some(&mut self, path: &str, mode: u32, text: Option<String>) {
        if let Some(text) = text {
            self.add(path, mode, text);
        }
    }
}

#[cfg(test)]
mod tests;
