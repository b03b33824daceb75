//! Package repositories of the spec, for the length of one installation.
//!
//! Configuration, keys and data are mounted while packages are installed; nothing of them stays. They may be anywhere
//! in the file system and say anything to the package manager, so such an installation shares no cache with those
//! that know the distribution's repositories alone.

use std::collections::BTreeMap;

use dalec_llb::{Mount, ProgressGroup};
use dalec_spec::target_spec::{Repository, RepositoryUse, Source, TargetSpec};

use crate::error::PlanError;
use crate::family::Trust;
use crate::paths::base;
use crate::request::Request;
use crate::sources::Planner;

/// Where a package manager looks for repositories and their keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Places {
    /// Directory of configuration files.
    pub config: &'static str,
    /// Extensions of such files; a name with another one gets the first.
    pub extensions: &'static [&'static str],
    /// Directory of keys.
    pub keys: &'static str,
}

/// The repositories that one installation knows besides the distribution's.
#[derive(Debug, Clone, Default)]
pub(crate) struct Repositories {
    /// What is mounted.
    pub mounts: Vec<Mount>,
    /// Where the keys are.
    pub keys: Vec<String>,
}

impl Repositories {
    /// Returns whether there are none.
    pub fn is_empty(&self) -> bool {
        self.mounts.is_empty()
    }

    /// Returns whose word counts in an installation that would trust `trust` without them.
    pub fn trust(&self, trust: Trust) -> Trust {
        if self.is_empty() { trust } else { Trust::Spec }
    }
}

/// Returns the repositories of the spec for `phase`.
///
/// # Errors
/// As [`Planner::plan`]; [`PlanError::Invalid`] for a name that is no file's, and for two files at one place.
pub(crate) fn plan(
    request: &Request<'_>,
    places: &Places,
    phase: RepositoryUse,
) -> Result<Repositories, PlanError> {
    let planner = Planner {
        answers: request.answers,
        source_map: &request.source_map,
        group: ProgressGroup::new("Prepare package repositories"),
        for_commands: false,
    };
    let mut repositories = Repositories::default();
    let mut taken = BTreeMap::new();
    for repository in &request.spec.dependencies.extra_repos {
        if !repository.envs.contains(&phase) {
            continue;
        }
        for (name, source) in &repository.config {
            let has_extension = places.extensions.iter().any(|extension| name.ends_with(extension));
            let extension = if has_extension { "" } else { places.extensions[0] };
            let dest = format!("{}/{}{extension}", places.config, file_name(name, repository)?);
            take(&mut taken, &dest, repository)?;
            repositories.mounts.push(file(&planner, name, source, dest)?);
        }
        for (name, source) in &repository.keys {
            let dest = format!("{}/{}", places.keys, file_name(name, repository)?);
            take(&mut taken, &dest, repository)?;
            repositories.mounts.push(file(&planner, name, source, dest.clone())?);
            repositories.keys.push(dest);
        }
        for (index, data) in repository.data.iter().enumerate() {
            let tree = planner.plan(&format!("data{index}"), &data.source)?;
            repositories.mounts.push(tree.mount(&data.dest));
        }
    }
    Ok(repositories)
}

/// Returns the sources that repositories are made of.
pub(crate) fn sources(spec: &TargetSpec) -> impl Iterator<Item = &Source> {
    spec.dependencies.extra_repos.iter().flat_map(|repository| {
        let files = repository.config.values().chain(repository.keys.values());
        files.chain(repository.data.iter().map(|data| &data.source))
    })
}

/// Takes `dest` for a file of `repository`; of two files at one place only the later one would count.
fn take<'a>(
    taken: &mut BTreeMap<String, &'a Repository>,
    dest: &str,
    repository: &'a Repository,
) -> Result<(), PlanError> {
    match taken.insert(dest.to_owned(), repository) {
        None => Ok(()),
        Some(first) => Err(PlanError::Invalid {
            message: format!("two files of package repositories would both be {dest}"),
            spans: vec![repository.span, first.span],
            hint: Some("give one of them another name".into()),
        }),
    }
}

/// Plans one file: the source itself, or the one that the `path` of a directory names.
fn file(planner: &Planner<'_>, name: &str, source: &Source, dest: String) -> Result<Mount, PlanError> {
    let tree = planner.plan(name, source)?;
    if !tree.is_dir {
        return Ok(tree.mount(dest));
    }
    if source.path.trim_matches('/').is_empty() {
        return Err(PlanError::Invalid {
            message: format!("{name:?} must be one file, but its source is a directory"),
            spans: vec![source.span],
            hint: Some("name the file with `path`".into()),
        });
    }
    let path = format!("{}/{}", tree.path.trim_end_matches('/'), base(&source.path));
    Ok(Mount::bind(dest, &tree.state).selector(path).readonly())
}

fn file_name<'a>(name: &'a str, repository: &Repository) -> Result<&'a str, PlanError> {
    let bad = |char: char| char == '/' || char.is_control() || char.is_whitespace();
    if matches!(name, "" | "." | "..") || name.starts_with('-') || name.contains(bad) {
        let message = format!("{name:?} cannot be the name of a file of a package repository");
        return Err(PlanError::invalid(message, [repository.span]));
    }
    Ok(name)
}

#[cfg(test)]
mod tests {

    use dalec_llb::{Exec, ImageRef, Platform, State, describe};
    use dalec_spec::span::Span;
    use dalec_spec::target_spec::{ContextSource, Inline, InlineFile, SourceKind, SourceMount};
    use expect_test::expect;

    use super::*;
    use crate::deb::distro::REPOSITORIES;
    use crate::fixture::{self, inline_dir, source, spec};
    use crate::request::Answers;

    fn planned(spec: &TargetSpec, phase: RepositoryUse) -> Result<Repositories, PlanError> {
        let context = State::image(ImageRef { reference: "context".into(), ..ImageRef::default() });
        let answers = Answers { contexts: [("context".to_owned(), context)].into(), ..Answers::default() };
        plan(&fixture::request(spec, &answers, ""), &REPOSITORIES, phase)
    }

    fn text() -> Source {
        let file = InlineFile { contents: "text".into(), permissions: 0o644, uid: 0, gid: 0 };
        source(Inline::File(file))
    }

    fn in_context(path: &str) -> Source {
        let kind = SourceKind::Context(ContextSource { name: "context".into() });
        Source { kind, path: path.into(), ..Source::default() }
    }

    /// DEP-009 to DEP-011: files are mounted where apt looks for them, of the phase alone.
    #[test]
    fn files_have_their_places() {
        let mut spec = spec();
        let data = SourceMount { dest: "/srv".into(), source: in_context("debs"), ..SourceMount::default() };
        spec.dependencies.extra_repos = vec![
            Repository {
                config: [
                    ("a".to_owned(), text()),
                    ("b.list".to_owned(), text()),
                    ("c.sources".to_owned(), in_context("dir/c.sources")),
                ]
                .into(),
                keys: [("a.asc".to_owned(), in_context("/keys/x.asc"))].into(),
                data: vec![data],
                envs: vec![RepositoryUse::Build, RepositoryUse::Test],
                ..Repository::default()
            },
            Repository {
                config: [("other".to_owned(), text())].into(),
                envs: vec![RepositoryUse::Install],
                ..Repository::default()
            },
        ];
        let planned = planned(&spec, RepositoryUse::Test).expect("a plan");
        assert_eq!(planned.keys, ["/usr/share/keyrings/a.asc"]);
        assert_eq!(planned.trust(Trust::Distribution), Trust::Spec);
        let graph = State::scratch().run(Exec::new(["true"]).mounts(planned.mounts)).root();
        let graph = describe(&graph.marshal(&Platform::linux("amd64")));
        let mounts = graph.lines().filter_map(|line| line.strip_prefix("    mount "));
        let mounts: String = mounts.map(|mount| format!("{mount}\n")).collect();
        expect![[r#"
            / scratch
            /etc/apt/sources.list.d/a.list #0 [/a] ro
            /etc/apt/sources.list.d/b.list #1 [/b.list] ro
            /etc/apt/sources.list.d/c.sources #3 [/c.sources/c.sources] ro
            /usr/share/keyrings/a.asc #4 [/a.asc/x.asc] ro
            /srv #5 [/data0] ro
        "#]]
        .assert_eq(&mounts);
    }

    /// Each phase has files of its own; in one phase each has a place of its own.
    #[test]
    fn two_files_at_one_place_are_refused() {
        let text = |name: &str| (name.to_owned(), text());
        let one = |config: &[&str], keys: &[&str], phase, start| Repository {
            config: config.iter().map(|name| text(name)).collect(),
            keys: keys.iter().map(|name| text(name)).collect(),
            envs: vec![phase],
            span: Span::new(start, start + 1),
            ..Repository::default()
        };
        let planned = |repositories: &[Repository]| {
            let mut spec = spec();
            spec.dependencies.extra_repos = repositories.to_vec();
            planned(&spec, RepositoryUse::Build)
        };
        let (build, test) = (RepositoryUse::Build, RepositoryUse::Test);
        for (first, second) in [
            (one(&["a"], &[], build, 1), one(&["a"], &[], build, 2)),
            (one(&["a"], &[], build, 1), one(&["a.list"], &[], build, 2)),
            (one(&[], &["a.asc"], build, 1), one(&[], &["a.asc"], build, 2)),
        ] {
            let error = planned(&[first, second]).expect_err("a clash");
            assert_eq!(error.spans(), [Span::new(2, 3), Span::new(1, 2)]);
        }
        let error = planned(&[one(&["a", "a.list"], &[], build, 1)]).expect_err("a clash in one");
        assert!(error.to_string().ends_with("would both be /etc/apt/sources.list.d/a.list"), "{error}");
        let apart = [one(&["a"], &["a"], build, 1), one(&["b"], &["b"], build, 2), one(&["a"], &[], test, 3)];
        assert!(planned(&apart).is_ok());
    }

    #[test]
    fn what_is_no_file_is_refused() {
        for (name, source) in [
            ("../x", text()),
            ("a b", text()),
            ("", text()),
            ("-x", text()),
            ("x", inline_dir(&[])),
            ("x", in_context("/")),
        ] {
            let mut spec = spec();
            spec.dependencies.extra_repos = vec![Repository {
                config: [(name.to_owned(), source)].into(),
                envs: vec![RepositoryUse::Build],
                ..Repository::default()
            }];
            assert!(planned(&spec, RepositoryUse::Build).is_err(), "{name}");
        }
    }
}
