//! The targets of one run: which there are, and how they are built side by side.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use dalec_spec::RawSpec;

use super::spec::Spec;
use crate::errors::CommandError;

/// Stands for every target that a spec supports.
const ALL: &str = "all";
/// Parts of the names of targets that others are made in or from, or that show a build from inside.
const ON_THE_WAY: [&str; 3] = ["worker", "depsonly", "debug"];
/// At least so many targets are built side by side: they wait for each other's work more than they work.
const SIDE_BY_SIDE: usize = 4;

/// What is known of a spec before anything is fetched.
pub(super) enum Known {
    /// It is here; none when it cannot be read.
    Here(Option<Box<RawSpec>>),
    /// It is where the main context is fetched from.
    Elsewhere,
}

impl Known {
    /// Returns what is known of `spec`.
    pub(super) fn of(spec: Option<&Spec>) -> Self {
        match spec {
            Some(spec) if !spec.is_here() => Self::Elsewhere,
            spec => Self::Here(spec.and_then(Spec::raw).map(Box::new)),
        }
    }
}

/// Returns the targets to build, each once; all of them must exist, here or in what `spec` returns. One that is not here
/// says itself what it has.
pub(super) fn read(given: &[String], spec: impl FnOnce() -> Known) -> Result<Vec<String>, CommandError> {
    let mut targets: Vec<String> = Vec::new();
    let is_ours = |target: &String| dalec_frontend::check_target(target.trim_end_matches('/'), None).is_ok();
    let spec = if given.iter().all(is_ours) { Known::Here(None) } else { spec() };
    for target in given {
        let name = target.trim_end_matches('/').to_owned();
        let names = match &spec {
            Known::Elsewhere if name == ALL => {
                return Err(CommandError::usage_help(
                    "--target all: the spec is not on this machine, so its targets are not known yet",
                    "name the targets, or fetch the spec first",
                ));
            }
            Known::Elsewhere => vec![name],
            Known::Here(spec) => match dalec_frontend::check_target(&name, spec.as_deref()) {
                Err(_) if name == ALL => every(spec.as_deref()),
                checked => checked.map_err(CommandError::target).map(|()| vec![name])?,
            },
        };
        for name in names {
            if !targets.contains(&name) {
                targets.push(name);
            }
        }
    }
    match targets.is_empty() {
        true => dalec_frontend::check_target("", None).map_err(CommandError::target).map(|()| targets),
        false => Ok(targets),
    }
}

/// Returns whether `given`, which stands for `targets`, says to build all that a spec supports.
pub(super) fn has_all(given: &[String], targets: &[String]) -> bool {
    given.iter().any(|target| target == ALL) && !targets.iter().any(|target| target == ALL)
}

/// Returns every target that `spec` supports: those that it has settings for, or all there are when it has none.
///
/// What is built on the way there is left out: see [`ON_THE_WAY`].
fn every(spec: Option<&RawSpec>) -> Vec<String> {
    let mut listed = dalec_frontend::targets(spec);
    if listed.iter().any(|target| target.spec_defined) {
        listed.retain(|target| target.spec_defined);
    }
    // A name with one part is a key of the spec, whatever it is called.
    let is_result =
        |name: &String| !name.contains('/') || !name.split('/').any(|part| ON_THE_WAY.contains(&part));
    listed.into_iter().map(|target| target.name).filter(is_result).collect()
}

/// Calls `build` for every target, several at a time, and returns what came of each, in the order of `targets`.
pub(super) fn side_by_side<T: Send>(targets: &[String], build: impl Fn(&str) -> T + Sync) -> Vec<T> {
    if let [only] = targets {
        return vec![build(only)];
    }
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::with_capacity(targets.len())));
    thread::scope(|scope| {
        for _ in 0..targets.len().min(cores.max(SIDE_BY_SIDE)) {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some(target) = targets.get(number) else { return };
                    let outcome = build(target);
                    done.lock().unwrap_or_else(PoisonError::into_inner).push((number, outcome));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(number, _)| *number);
    done.into_iter().map(|(_, outcome)| outcome).collect()
}

#[cfg(test)]
mod tests {
    use dalec_spec::SourceText;

    use super::*;

    fn all_of(spec: &str) -> Vec<String> {
        let text = SourceText::new("spec.yml", spec);
        read(&["all".to_owned()], || Known::Here(dalec_spec::load(&text).raw.map(Box::new))).unwrap()
    }

    #[test]
    fn all_targets_are_those_of_the_spec_or_else_every_one() {
        let some = all_of("name: a\ntargets:\n  bookworm: {}\n");
        assert_eq!(
            some,
            ["bookworm/container", "bookworm/deb", "bookworm/dsc", "bookworm/testing/container"]
        );
        let every = all_of("name: a\n");
        assert!(every.len() > some.len() && some.iter().all(|target| every.contains(target)), "{every:?}");
        assert!(!every.iter().any(|target| target.ends_with("/worker")), "{every:?}");
        assert!(!every.iter().any(|target| target.starts_with("debug/")), "{every:?}");
        let theirs =
            all_of("name: a\ntargets:\n  other:\n    frontend:\n      image: example.org/frontend:1\n");
        assert_eq!(theirs, ["other"]);
    }

    #[test]
    fn a_target_is_built_once() {
        let given = ["bookworm/deb", "bookworm/deb/", "all"].map(str::to_owned);
        let text = SourceText::new("spec.yml", "targets:\n  bookworm: {}\n");
        let targets = read(&given, || Known::Here(dalec_spec::load(&text).raw.map(Box::new))).unwrap();
        assert_eq!(targets.iter().filter(|target| *target == "bookworm/deb").count(), 1);
        assert!(
            read(&[], || Known::Here(None)).is_err()
                && read(&["al".to_owned()], || Known::Here(None)).is_err()
                && read(&["all".to_owned()], || Known::Elsewhere).is_err()
        );
    }

    #[test]
    fn outcomes_come_in_the_order_of_the_targets() {
        let targets: Vec<String> = (0..20).map(|number| number.to_string()).collect();
        assert_eq!(side_by_side(&targets, str::to_owned), targets);
    }
}
