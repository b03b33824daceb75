//! The patches of a spec: what they apply to, and where they come from.

use std::borrow::Cow;
use std::collections::BTreeSet;

use dalec_spec::span::Span;
use dalec_spec::target_spec::TargetSpec;

use crate::error::PlanError;
use crate::generators::edits;
use crate::marker::Marks;
use crate::quote::shell;

/// The function `apply` of shell scripts: a patch that is not there, or does not apply, is named by its mark.
pub(crate) const APPLY: &str = r#"
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

/// One patch of the spec.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Patch<'a> {
    /// Source that is patched.
    pub target: &'a str,
    /// Whether that source is a directory.
    pub target_is_dir: bool,
    /// Source that holds the patch; those that edits of `go.mod` make are what [`edits::patch_name`] says.
    pub source: Cow<'a, str>,
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
            "" => self.source.clone().into_owned(),
            path => format!("{}/{path}", self.source),
        }
    }

    /// Returns words for people.
    pub fn title(&self) -> String {
        self.file()
    }
}

/// Returns the patches in the order of application: by patched source, last those that edits of `go.mod` make.
///
/// # Errors
/// [`PlanError::Invalid`] for a patch of or from a source that does not exist, and for a source that has the name of a
/// patch.
pub(crate) fn all(spec: &TargetSpec) -> Result<Vec<Patch<'_>>, PlanError> {
    let mut patches = Vec::new();
    let targets: BTreeSet<&String> = spec.patches.keys().chain(spec.sources.keys()).collect();
    for target in targets {
        let list = spec.patches.get(target).map(Vec::as_slice).unwrap_or_default();
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
                source: Cow::Borrowed(&patch.source),
                path: patch.path.trim_start_matches('/'),
                number: index + 1,
                strip: patch.strip,
                span: patch.span,
            });
        }
        let source = spec.sources.get(target);
        let Some((source, span)) = source.and_then(|source| Some((source, edits::wanted(source)?))) else {
            continue;
        };
        let name = edits::patch_name(target);
        if let Some(taken) = spec.sources.get(&name) {
            let message =
                format!("the patch by which {target:?} is edited is called {name:?}, and so is a source");
            return Err(PlanError::Invalid {
                message,
                spans: vec![taken.span],
                hint: Some("choose another name".into()),
            });
        }
        patches.push(Patch {
            target,
            target_is_dir: source.is_dir(),
            source: Cow::Owned(name),
            path: "",
            number: list.len() + 1,
            strip: 1,
            span,
        });
    }
    Ok(patches)
}

/// Returns one call of `apply`, a function of [`APPLY`], per patch; the sources are below `/work/sources`.
pub(crate) fn calls(patches: &[Patch<'_>], marks: &mut Marks) -> String {
    let mut text = String::new();
    for patch in patches {
        let how = if patch.target_is_dir { "-d " } else { "" };
        text.push_str(&format!(
            "apply {} {} {} {} -p{} {how}{}\n",
            shell(&marks.mark(patch.span)),
            shell(&patch.title()),
            shell(&format!("/work/sources/{}", patch.file())),
            shell(patch.target),
            patch.strip,
            shell(&format!("./{}", patch.target)),
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use dalec_spec::target_spec::{Generator, Gomod, GomodEdits, Patch as SpecPatch};

    use expect_test::expect;

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

    /// SRC-025: what edits make comes last, and nobody else is called so.
    #[test]
    fn edits_are_patches() {
        let mut spec = spec();
        let edits = GomodEdits { drop: vec!["example.org/m".into()], ..GomodEdits::default() };
        let gomod = Gomod { edits: Some(edits), ..Gomod::default() };
        let generator = Generator { gomod: Some(gomod), span: Span::new(5, 6), ..Generator::default() };
        for name in ["app", "tool"] {
            let mut source = inline_dir(&[("x", 0o644)]);
            source.generate.push(generator.clone());
            spec.sources.insert(name.into(), source);
        }
        let patch = SpecPatch { source: "tool".into(), path: "x".into(), strip: 0, span: Span::new(9, 10) };
        spec.patches.insert("tool".into(), vec![patch]);
        let patches = all(&spec).expect("valid");
        let lines = patches
            .iter()
            .map(|patch| format!("{} {} {} -p{}", patch.target, patch.number, patch.file(), patch.strip));
        let expected = ["app 1 __gomod_patch_app -p1", "tool 1 tool/x -p0", "tool 2 __gomod_patch_tool -p1"];
        assert_eq!(lines.collect::<Vec<_>>(), expected);
        spec.sources.insert("__gomod_patch_app".into(), inline_dir(&[("x", 0o644)]));
        let error = all(&spec).expect_err("the name is taken");
        assert!(
            error.to_string().ends_with(r#"is called "__gomod_patch_app", and so is a source"#),
            "{error}"
        );
    }

    #[test]
    fn a_patch_is_one_call() {
        let mut spec = spec();
        spec.sources.insert("src".into(), inline_dir(&[("a", 0o644)]));
        spec.sources.insert("fixes".into(), inline_dir(&[("a.patch", 0o644)]));
        let patch =
            SpecPatch { source: "fixes".into(), path: "a.patch".into(), strip: 1, span: Span::new(1, 2) };
        spec.patches.insert("src".into(), vec![patch]);
        expect![[r#"
            apply 'dalec: error: @1: ' fixes/a.patch /work/sources/fixes/a.patch src -p1 -d ./src
        "#]]
        .assert_eq(&calls(&all(&spec).expect("valid"), &mut Marks::default()));
    }
}
