//! What building Go programs takes: how a spec shows that it does, and where Debian keeps the compiler.

use std::collections::BTreeMap;

use dalec_spec::target_spec::TargetSpec;

use crate::generators;

/// Returns whether `spec` builds Go programs, as far as its sources and build dependencies tell.
pub(crate) fn is_built(spec: &TargetSpec) -> bool {
    generators::wants_gomod(spec) || spec.dependencies.build.keys().any(|name| is_compiler(name))
}

/// Returns whether the package `name` is a Go compiler.
pub(crate) fn is_compiler(name: &str) -> bool {
    matches!(name, "golang" | "msft-golang") || name.starts_with("golang-")
}

/// Returns the directories, joined by colons, in which Debian keeps the compilers of the versions that `spec` names
/// as build dependencies, such as `golang-1.22`; those are not in the search path. None when the spec has no modules
/// to build with them, or names the package that is.
pub(crate) fn debian_path(spec: &TargetSpec) -> Option<String> {
    let packages = &spec.dependencies.build;
    if !generators::wants_gomod(spec) || packages.contains_key("golang") {
        return None;
    }
    let versions = packages.keys().filter_map(|name| name.strip_prefix("golang-")?.split('-').next());
    let is_version = |version: &&str| {
        version.starts_with(|char: char| char.is_ascii_digit())
            && version.chars().all(|char| char.is_ascii_digit() || char == '.')
    };
    let mut directories: Vec<String> =
        versions.filter(is_version).map(|version| format!("/usr/lib/go-{version}/bin")).collect();
    // `golang-1.22` and `golang-1.22-go` are neighbours in the map.
    directories.dedup();
    (!directories.is_empty()).then(|| directories.join(":"))
}

/// Returns the environment `env` with [`debian_path`] in its search path, for downloads.
pub(crate) fn debian_env(spec: &TargetSpec, env: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut env = env.clone();
    if let Some(path) = debian_path(spec) {
        env.entry("PATH".into()).and_modify(|known| *known = format!("{path}:{known}"));
    }
    env
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{constraint, inline_dir, spec};
    use dalec_spec::target_spec::{Generator, Gomod, Source};

    fn with(modules: bool, packages: &[&str]) -> TargetSpec {
        let mut spec = spec();
        let gomod = modules.then(Gomod::default);
        let generate = vec![Generator { gomod, ..Generator::default() }];
        spec.sources.insert("src".into(), Source { generate, ..inline_dir(&[]) });
        spec.dependencies.build =
            packages.iter().map(|name| ((*name).to_owned(), constraint(&[], &[]))).collect();
        spec
    }

    /// BLD-008.
    #[test]
    fn go_is_seen() {
        for (modules, packages) in [
            (true, vec![]),
            (false, vec!["golang"]),
            (false, vec!["msft-golang"]),
            (false, vec!["golang-1.22"]),
        ] {
            assert!(is_built(&with(modules, &packages)), "{packages:?}");
        }
        assert!(!is_built(&with(false, &["gcc", "golangci-lint"])));
    }

    /// BLD-012.
    #[test]
    fn compilers_of_a_version_are_where_debian_has_them() {
        let path = |modules, packages: &[&str]| debian_path(&with(modules, packages));
        let both = "/usr/lib/go-1.19/bin:/usr/lib/go-1.22/bin";
        assert_eq!(path(true, &["golang-1.19", "golang-1.22-doc", "golang-1.22-go"]).as_deref(), Some(both));
        assert_eq!(path(true, &["golang-1.22", "golang"]), None);
        assert_eq!(path(true, &["golang-go", "golang-$(id)-go", "golang-1/..", "golang-"]), None);
        assert_eq!(path(false, &["golang-1.22"]), None);
    }
}
