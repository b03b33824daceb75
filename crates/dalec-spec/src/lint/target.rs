//! Settings for targets that nobody builds.

use crate::check::Target;
use crate::codes;
use crate::decode::suggest;
use crate::diagnostic::Diagnostic;
use crate::raw::RawRoot;

/// Returns a warning for each target of `root` that is not in `known` and names no frontend of its own.
pub(crate) fn unknown_targets(root: &RawRoot, known: &[Target]) -> Vec<Diagnostic> {
    let unknown = root.targets.entries.iter().filter(|target| {
        !known.iter().any(|known| known.key == target.key.value) && target.value.frontend().is_none()
    });
    unknown
        .map(|target| {
            let message =
                format!("there is no target `{}`, so nothing uses these settings", target.key.value);
            let diagnostic = Diagnostic::warning(codes::UNKNOWN_TARGET, target.key.span, message);
            match suggest(&target.key.value, known.iter().map(|known| known.key)) {
                Some(known) => diagnostic.help(format!("did you mean `{known}`?")),
                None => {
                    diagnostic.help("`dalec targets` lists the targets; one of your own needs a `frontend`")
                }
            }
        })
        .collect()
}
