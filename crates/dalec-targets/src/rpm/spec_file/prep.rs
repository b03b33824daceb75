//! `%prep`: sources are unpacked beside each other, then patched.
//!
//! Patches apply in the order of the patched sources' names, those of one source as written.

use dalec_spec::target_spec::TargetSpec;

use super::preamble::file_name;
use crate::error::PlanError;
use crate::generators::{self, edits};
use crate::marker::Marks;
use crate::patches;
use crate::rpm::escape::word;

/// Returns the section, or nothing without sources; a patch that does not apply is named by its mark.
///
/// # Errors
/// [`PlanError::Invalid`] for a patch of or from a source that does not exist.
pub(super) fn render(spec: &TargetSpec, marks: &mut Marks) -> Result<String, PlanError> {
    if spec.sources.is_empty() {
        return Ok(String::new());
    }
    let mut text = String::from("%prep\n");
    for (name, source) in &spec.sources {
        let file = word(&file_name(name, source.is_dir()));
        text.push_str(&if source.is_dir() {
            format!("tar -C %{{_builddir}} -xzf %{{_sourcedir}}/{file}\n")
        } else {
            format!("cp -a %{{_sourcedir}}/{file} %{{_builddir}}/{file}\n")
        });
    }
    for kind in generators::wanted(spec) {
        let file = file_name(kind.directory, true);
        text.push_str(&format!("tar -C %{{_builddir}} -xzf %{{_sourcedir}}/{file}\n"));
    }
    for name in edits::patch_names(spec) {
        let file = word(&name);
        text.push_str(&format!("cp -a %{{_sourcedir}}/{file} %{{_builddir}}/{file}\n"));
    }
    let patches = patches::all(spec)?;
    if !patches.is_empty() {
        text.push_str(patches::APPLY);
    }
    for patch in &patches {
        let title = patch.title();
        if title.contains(char::is_control) {
            let message = format!("{title:?} cannot be the path of a patch");
            return Err(PlanError::invalid(message, [patch.span]));
        }
        let how = if patch.target_is_dir { "-d " } else { "" };
        text.push_str(&format!(
            "apply {mark} {title} %{{_builddir}}/{file} {target} -p{strip} {how}{path_of_target}\n",
            mark = word(&marks.mark(patch.span)),
            title = word(&title),
            file = word(&patch.file()),
            target = word(patch.target),
            strip = patch.strip,
            path_of_target = word(&format!("./{}", patch.target)),
        ));
    }
    Ok(text)
}
