//! The spec that tests start from.

use std::collections::BTreeMap;
use std::sync::Arc;

use dalec_llb::{Platform, SourceMap, State};
use dalec_spec::span::Span;
use dalec_spec::target_spec::{
    Artifact, Capability, Inline, InlineDir, InlineFile, PackageConstraint, Source, SourceKind, TargetSpec,
};

use crate::request::{Answers, Options, Request};

/// Returns a spec with nothing but what a package needs.
pub(crate) fn spec() -> TargetSpec {
    TargetSpec {
        target: "bookworm".into(),
        name: "hello".into(),
        description: "Says hello".into(),
        version: "1.0".into(),
        revision: "1".into(),
        license: "MIT".into(),
        packager: "Ann <ann@example.org>".into(),
        ..TargetSpec::default()
    }
}

/// Returns a request for `spec`, whose spans point into `text`.
pub(crate) fn request<'a>(spec: &'a TargetSpec, answers: &'a Answers, text: &str) -> Request<'a> {
    Request {
        spec,
        source_map: Arc::new(SourceMap {
            filename: "spec.yml".into(),
            language: "yaml".into(),
            data: text.into(),
        }),
        platform: Platform::linux("amd64"),
        answers,
        frontend: State::scratch(),
        options: Options::default(),
    }
}

/// Returns a constraint on versions and architectures.
pub(crate) fn constraint(version: &[&str], arch: &[&str]) -> PackageConstraint {
    let own = |list: &[&str]| list.iter().map(|item| (*item).to_owned()).collect();
    PackageConstraint { version: own(version), arch: own(arch), ..PackageConstraint::default() }
}

/// Returns artifacts with these keys, each with a span of its own.
pub(crate) fn artifacts<const N: usize>(entries: [(&str, Artifact); N]) -> BTreeMap<String, Artifact> {
    let at = |index: usize| Span::new(10 * index + 1, 10 * index + 5);
    let entries = entries.into_iter().enumerate();
    entries
        .map(|(index, (key, artifact))| (key.to_owned(), Artifact { span: at(index), ..artifact }))
        .collect()
}

/// Returns an artifact that belongs to `user` and may do what `capability` allows.
pub(crate) fn owned(user: &str, group: &str, capability: Option<&str>) -> Artifact {
    let capability = capability.map(|name| Capability {
        name: name.into(),
        effective: true,
        permitted: true,
        inheritable: false,
    });
    Artifact {
        user: user.into(),
        group: group.into(),
        capabilities: capability.into_iter().collect(),
        ..Artifact::default()
    }
}

/// Returns an inline directory of files with these modes.
pub(crate) fn inline_dir(files: &[(&str, u32)]) -> Source {
    let file = |mode: u32| InlineFile { contents: "text\n".into(), permissions: mode, uid: 0, gid: 0 };
    let files = files.iter().map(|(name, mode)| ((*name).to_owned(), file(*mode))).collect();
    source(Inline::Dir(InlineDir { files, permissions: 0o755, uid: 0, gid: 0 }))
}

/// Returns an inline source.
pub(crate) fn source(inline: Inline) -> Source {
    Source { kind: SourceKind::Inline(inline), span: Span::new(1, 2), ..Source::default() }
}
