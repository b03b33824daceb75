//! The patches of a spec: what they apply to, and where they come from.

use dalec_spec::span::Span;
use dalec_spec::target_spec::TargetSpec;

use crate::error::PlanError;

/// One patch of the spec.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Patch<'a> {
    /// Source that is patched.
    pub target: &'a str,
    /// Whether that source is a directory.
    pub target_is_dir: bool,
    /// Source that holds the patch.
    pub source: &'a str,
    /// File in that source; empty if it is a file itself.
    pub path: &'a str,
    /// Which patch of `target` it is, from 1.
    pub number: usize,
    /// Path components to strip.
    pub strip: u32,
    /// The path in the spec, or the entry where it has none.
    pub span: Span,
}

impl Patch<'_> {
    /// Returns where it is in a directory that holds every source under its name.
    pub fn file(&self) -> String {
        match self.path {
            "" => self.source.to_owned(),
            path => format!("{}/{path}", self.source),
        }
    }

    /// Returns words for people.
    pub fn title(&self) -> String {
        self.file()
    }
}

/// Returns the patches in the order of application.
///
/// # Errors
/// [`PlanError::Invalid`] for a patch of or from a source that does not exist.
pub(crate) fn all(spec: &TargetSpec) -> Result<Vec<Patch<'_>>, PlanError> {
    let mut patches = Vec::new();
    for (target, list) in &spec.patches {
        for (index, patch) in list.iter().enumerate() {
            let known = |name: &String| {
                let missing =
                    || PlanError::invalid(format!("there is no source {name:?} to patch"), [patch.span]);
                spec.sources.get(name).ok_or_else(missing)
            };
            known(&patch.source)?;
            patches.push(Patch {
                target,
                target_is_dir: known(target)?.is_dir(),
                source: &patch.source,
                path: patch.path.trim_start_matches('/'),
                number: index + 1,
                strip: patch.strip,
                span: patch.span,
            });
        }
    }
    Ok(patches)
}

#[cfg(test)]
mod tests {
    use dalec_spec::target_spec::Patch as SpecPatch;

    use super::*;
    use crate::fixture::{inline_dir, spec};

    #[test]
    fn sources_must_exist() {
        let mut spec = spec();
        spec.sources.insert("fixes".into(), inline_dir(&[("x", 0o644)]));
        let patch = SpecPatch { source: "fixes".into(), path: "x".into(), strip: 0, span: Span::new(9, 10) };
        spec.patches.insert("nope".into(), vec![patch]);
        let error = all(&spec).expect_err("no such source");
        assert_eq!(error.to_string(), r#"there is no source "nope" to patch"#);
        assert_eq!(error.spans(), [Span::new(9, 10)]);
    }
}
