//! Arguments that nothing refers to.

use std::collections::BTreeSet;

use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::raw::RawRoot;
use crate::resolve::{SOURCE_DATE_EPOCH, is_known};

/// Returns a warning for each argument of `root` that is not in `used`.
pub(super) fn check(root: &RawRoot, used: &BTreeSet<String>) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for arg in &root.args.entries {
        let name = &arg.key.value;
        // Declaring a known argument may be all there is to do with it.
        if !used.contains(name) && !is_known(name) && name != SOURCE_DATE_EPOCH {
            let message = format!("the argument `{name}` is declared and never used");
            let diagnostic = Diagnostic::warning(codes::UNUSED_ARG, arg.key.span, message);
            found.push(diagnostic.help(format!("remove it, or refer to it as `${{{name}}}`")));
        }
    }
    found
}
