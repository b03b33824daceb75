//! Patterns of sources that match nothing: nearly always typing errors, and nothing else would say so.
//!
//! This program itself looks at the fetched sources, in a step of its own, so that it is the same on every engine and
//! cached like everything else. `includes` are held against what is taken, `excludes` against what there was. Those of a
//! build context are not looked at: what they leave out is never transferred, and is often not there, such as the
//! results of other builds.

use dalec_llb::{Exec, Location, Mount, Network, ProgressGroup, State};
use dalec_spec::span::Span;
use dalec_spec::target_spec::{Source, SourceKind};

use crate::error::PlanError;
use crate::locate::locate;
use crate::request::Request;
use crate::sources::{Planner, Tree};

/// First argument of this program where it runs as the step that looks.
///
/// A directory follows, the one in which [`UNMATCHED_REPORT`] is written, and the patterns.
pub const UNMATCHED: &str = "unmatched-patterns";

/// Name of the file that says which patterns match nothing: a JSON list of their numbers, from 0.
pub const UNMATCHED_REPORT: &str = "unmatched.json";

/// Everything that looking needs is mounted below this directory.
const DIRECTORY: &str = "/tmp/internal/dalec/patterns";

/// Patterns of one source whose report tells which of them match nothing.
#[derive(Debug, Clone)]
pub struct Patterns {
    /// Holds [`UNMATCHED_REPORT`].
    pub report: State,
    /// What is to be said of each pattern that matches nothing, with its place.
    pub warnings: Vec<(String, Option<Location>)>,
}

/// Plans to look at the patterns of the spec's sources.
///
/// # Errors
/// As [`Planner::plan`].
pub(crate) fn plan(request: &Request<'_>) -> Result<Vec<Patterns>, PlanError> {
    let mut plans = Vec::new();
    for (name, source) in &request.spec.sources {
        if !source.is_dir() {
            continue;
        }
        let includes = source.includes.iter().zip(&source.selectors.includes);
        let taken = |planner: &Planner<'_>| planner.plan(name, source);
        plans.extend(look(request, name, "includes", taken, includes)?);
        if !matches!(source.kind, SourceKind::Context(_)) {
            let whole = Source { includes: Vec::new(), excludes: Vec::new(), ..source.clone() };
            let excludes = source.excludes.iter().zip(&source.selectors.excludes);
            let there = |planner: &Planner<'_>| planner.plan_all(name, &whole);
            plans.extend(look(request, name, "excludes", there, excludes)?);
        }
    }
    Ok(plans)
}

/// Plans to look for `patterns`, the `key` of the source `name`, in what `tree` plans.
fn look<'a>(
    request: &Request<'_>,
    name: &str,
    key: &str,
    tree: impl FnOnce(&Planner<'_>) -> Result<Tree, PlanError>,
    patterns: impl Iterator<Item = (&'a String, &'a Span)>,
) -> Result<Option<Patterns>, PlanError> {
    // One that begins with `!` takes back, and a zero byte is in no name.
    let patterns: Vec<_> =
        patterns.filter(|(pattern, _)| !pattern.starts_with('!') && !pattern.contains('\0')).collect();
    if patterns.is_empty() {
        return Ok(None);
    }
    let group = ProgressGroup::new(format!("{}: sources", request.spec.target));
    let planner = Planner {
        answers: request.answers,
        source_map: &request.source_map,
        group: group.clone(),
        for_commands: false,
    };
    let tree = tree(&planner)?;
    let [looked_at, report] = ["source", "report"].map(|part| format!("{DIRECTORY}/{part}"));
    let fixed = ["/frontend", UNMATCHED, &looked_at, &report].map(str::to_owned);
    let exec = Exec::new(fixed.into_iter().chain(patterns.iter().map(|(pattern, _)| (*pattern).clone())))
        .network(Network::None)
        .readonly_root()
        .name(format!("Look for what `{key}` of source {name} match"))
        .group(&group)
        .mount(tree.mount(&looked_at))
        .mount(Mount::output(&report));
    let warning = |(pattern, span): &(&String, &Span)| {
        let what = if key == "includes" { "taken from" } else { "in" };
        let message = format!("`{pattern}` matches nothing that is {what} source `{name}`");
        (message, locate(&request.source_map, [**span]))
    };
    let warnings = patterns.iter().map(warning).collect();
    Ok(Some(Patterns { report: request.frontend.run(exec).output(&report), warnings }))
}

#[cfg(test)]
mod tests {

    use dalec_llb::{ImageRef, Platform, describe};
    use dalec_spec::target_spec::{ContextSource, GitSource, Selectors, TargetSpec};
    use expect_test::expect;

    use super::*;
    use crate::fixture;
    use crate::request::Answers;

    fn patterns(kind: SourceKind) -> Vec<Patterns> {
        let text = "*.c !x.c doc";
        let source = Source {
            kind,
            includes: vec!["*.c".into(), "!x.c".into()],
            excludes: vec!["doc".into()],
            selectors: Selectors {
                includes: vec![Span::new(0, 3), Span::new(4, 8)],
                excludes: vec![Span::new(9, 12)],
                ..Selectors::default()
            },
            ..Source::default()
        };
        let spec = TargetSpec { sources: [("src".to_owned(), source)].into(), ..fixture::spec() };
        let image =
            |reference: &str| State::image(ImageRef { reference: reference.into(), ..ImageRef::default() });
        let answers =
            Answers { contexts: [("context".into(), image("context"))].into(), ..Answers::default() };
        let own = fixture::request(&spec, &answers, text);
        plan(&Request { frontend: image("frontend"), ..own }).expect("a plan")
    }

    fn told(patterns: &[Patterns]) -> Vec<&str> {
        patterns.iter().flat_map(|one| &one.warnings).map(|(message, _)| message.as_str()).collect()
    }

    /// SRC-013: what is left out of a repository is looked for in all of it.
    #[test]
    fn patterns_are_held_against_what_they_choose_from() {
        let git =
            GitSource { url: "https://example.org/app".into(), commit: "v1".into(), ..GitSource::default() };
        let looked = patterns(SourceKind::Git(git));
        assert_eq!(
            told(&looked),
            [
                "`*.c` matches nothing that is taken from source `src`",
                "`doc` matches nothing that is in source `src`"
            ]
        );
        let location = looked[0].warnings[0].1.as_ref().expect("a place");
        assert_eq!((location.ranges[0].start.character, location.ranges[0].end.character), (0, 3));
        expect![[r##"
            #0 source docker-image://frontend
            #1 source git://example.org/app#v1
                git.authheadersecret = GIT_AUTH_HEADER
                git.authtokensecret = GIT_AUTH_TOKEN
                git.fullurl = https://example.org/app
                name Fetch source src
            #2 file
                scratch copy #1:/ -> /src/ include ["*.c", "!x.c"] exclude ["doc"]
                name Filter source src
            #3 exec network=NONE
                arg /frontend
                arg unmatched-patterns
                arg /tmp/internal/dalec/patterns/source
                arg /tmp/internal/dalec/patterns/report
                arg *.c
                cwd /
                mount / #0 ro
                mount /tmp/internal/dalec/patterns/source #2 [/src] ro
                mount /tmp/internal/dalec/patterns/report scratch
                name Look for what `includes` of source src match
            #4 result #3
        "##]]
        .assert_eq(&describe(&looked[0].report.marshal(&Platform::linux("amd64"))));
    }

    /// What a context leaves out is never transferred.
    #[test]
    fn what_is_left_out_of_a_context_is_not_looked_for() {
        let looked = patterns(SourceKind::Context(ContextSource::default()));
        assert_eq!(told(&looked), ["`*.c` matches nothing that is taken from source `src`"]);
    }
}
