//! `%prep`: sources are unpacked beside each other, then patched.
//!
//! Patches apply in the order of the patched sources' names, those of one source as written.

use dalec_spec::target_spec::TargetSpec;

use super::MODULES;
use super::preamble::file_name;
use crate::error::PlanError;
use crate::generators::wants_gomod;
use crate::marker::Marks;
use crate::rpm::escape::word;

pub(super) const APPLY: &str = r#"
# apply MARK TITLE FILE SOURCE ARGUMENT...: applies one patch with these arguments of patch.
apply() {
    mark=$1 title=$2 file=$3 source=$4
    shift 4
    if [ ! -f "$file" ]; then
        echo "${mark}there is no patch \"$title\"" >&2
        exit 1
    fi
    if ! patch -s -f --no-backup-if-mismatch "$@" <"$file"; then
        echo "${mark}patch \"$title\" does not apply to source \"$source\"" >&2
        exit 1
    fi
}
"#;

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
    if wants_gomod(spec) {
        text.push_str(&format!("tar -C %{{_builddir}} -xzf %{{_sourcedir}}/{}\n", file_name(MODULES, true)));
    }
    if spec.patches.values().any(|list| !list.is_empty()) {
        text.push_str(APPLY);
    }
    for (target, list) in &spec.patches {
        for patch in list {
            let known = |name: &str| {
                let missing =
                    || PlanError::invalid(format!("there is no source {name:?} to patch"), [patch.span]);
                spec.sources.get(name).ok_or_else(missing)
            };
            known(&patch.source)?;
            let how = if known(target)?.is_dir() { "-d " } else { "" };
            let path_of_target = word(&format!("./{target}"));
            let path = patch.path.trim_start_matches('/');
            let title =
                if path.is_empty() { patch.source.clone() } else { format!("{}/{path}", patch.source) };
            if title.contains(char::is_control) {
                let message = format!("{title:?} cannot be the path of a patch");
                return Err(PlanError::invalid(message, [patch.span]));
            }
            text.push_str(&format!(
                "apply {mark} {file} %{{_builddir}}/{file} {target} -p{strip} {how}{path_of_target}\n",
                mark = word(&marks.mark(patch.span)),
                file = word(&title),
                target = word(target),
                strip = patch.strip,
            ));
        }
    }
    Ok(text)
}
