//! The op that builds the programs, and what of it is signed.

use std::collections::BTreeMap;

use dalec_llb::{Exec, File, Mount, Network, ProgressGroup, State};
use dalec_spec::target_spec::{Artifact, NetworkMode, TargetSpec};

use super::worker::{DISTRO, KEY};
use crate::build_script;
use crate::caches;
use crate::date::epoch;
use crate::deb::worker::with_build_dependencies;
use crate::error::PlanError;
use crate::family::BINARY_CACHE_KEY;
use crate::generators::{self, Generators, KINDS};
use crate::golang;
use crate::marker::Marks;
use crate::patches::{self, APPLY};
use crate::paths::{base, join};
use crate::quote::{is_pattern, shell, shell_pattern};
use crate::request::Request;
use crate::signing;
use crate::sources::{Planner, Tree};
use crate::worker::Worker;

const PROGRAMS: &str = include_str!("scripts/programs.sh");

/// What was built.
pub(super) struct Programs {
    /// The programs, and what a signer put beside them.
    pub files: State,
    /// What a signer gets; none when the programs are signed.
    pub to_sign: Option<State>,
}

/// Returns the programs of the spec; the signed ones once they are known.
///
/// A signer's answer is everything there is then, as it is for nothing else: what the signer adds is packaged, too.
///
/// # Errors
/// [`PlanError`] for what the request lacks.
pub(super) fn plan(request: &Request<'_>, worker: &Worker) -> Result<Programs, PlanError> {
    if let Some(signed) = &request.answers.signed {
        return Ok(Programs { files: signed.clone(), to_sign: None });
    }
    let spec = request.spec;
    let sources = sources(request)?;
    let mut marks = Marks::default();
    let scripts = scripts(spec, &mut marks)?;
    let network = match spec.build.network_mode {
        NetworkMode::None => Network::None,
        NetworkMode::Sandbox => Network::Sandbox,
    };
    let group = group();
    let namespace = format!("{}/{KEY}", DISTRO.version_id);
    let caches = caches::plan(request, &caches::Place { namespace: &namespace, worker, group: &group })?;
    let root = with_build_dependencies(worker, request, &DISTRO, KEY)?;
    let group_of_sources = ProgressGroup::new(format!("{KEY}: sources"));
    let env = golang::debian_env(spec, &worker.env);
    let generators =
        Generators { request, root: root.clone(), env, group: group_of_sources, trees: &sources };
    let downloads = generators.downloads();
    let downloads = downloads.iter().map(|(kind, downloads)| {
        Mount::bind(format!("/work/sources/{}", kind.directory), downloads).readonly()
    });
    let edits = generators.edits();
    let filled = generators.filled();
    let given = sources.iter().map(|(name, tree)| (*name, filled.get(name).unwrap_or(tree)));
    let given = given.chain(edits.iter().map(|(name, tree)| (name.as_str(), tree)));
    let exec = Exec::new(["/bin/sh", "-c", &[caches.setup(), APPLY, PROGRAMS].concat(), "programs"])
        .envs(worker.env.clone())
        // Most programs in Go need no more than this. The spec's environment comes later and wins.
        .env("GOOS", "windows")
        .env("SOURCE_DATE_EPOCH", epoch(spec).to_string())
        .name(format!("Build programs of {} {}", spec.name, spec.version))
        .group(&group)
        .at(marks.location(&request.source_map))
        .ignore_cache(request.options.ignores_cache(BINARY_CACHE_KEY))
        .network(network)
        .mounts(given.map(|(name, tree)| tree.mount(format!("/work/sources/{name}"))))
        .mounts(downloads)
        .mount(Mount::bind("/work/scripts", &scripts).readonly())
        .mount(Mount::output("/work/out"));
    let files = root.run(caches.give(exec)).output("/work/out");
    let to_sign = signing::WINDOWS.to_sign(&files);
    Ok(Programs { files, to_sign: Some(to_sign) })
}

/// Returns the phase that ops of a build belong to.
pub(super) fn group() -> ProgressGroup {
    ProgressGroup::new(format!("{KEY}: build"))
}

fn sources<'a>(request: &Request<'a>) -> Result<BTreeMap<&'a str, Tree>, PlanError> {
    let planner = Planner {
        answers: request.answers,
        source_map: &request.source_map,
        group: ProgressGroup::new(format!("{KEY}: sources")),
        for_commands: false,
    };
    let mut trees = BTreeMap::new();
    for (name, source) in &request.spec.sources {
        let is_taken = KINDS.iter().any(|kind| kind.directory == name);
        if name.contains('/') || matches!(name.as_str(), "." | "..") || is_taken {
            return Err(PlanError::invalid(format!("a source cannot be called {name:?}"), [source.span]));
        }
        trees.insert(name.as_str(), planner.plan(name, source)?);
    }
    Ok(trees)
}

/// Returns a file system with the scripts that the spec has a say in.
fn scripts(spec: &TargetSpec, marks: &mut Marks) -> Result<State, PlanError> {
    let patches = patches::calls(&patches::all(spec)?, marks);
    let directories: Vec<_> = generators::wanted(spec).map(|kind| (kind.variable, kind.directory)).collect();
    let build = build_script::render(spec, &directories, golang::debian_path(spec).as_deref(), marks)?;
    let programs = put(&spec.artifacts.binaries, marks);
    let file = File::new("Write scripts")
        .group(&group())
        .mkfile("/patches", 0o644, None, patches)
        .mkfile("/build.sh", 0o755, None, build)
        .mkfile("/programs", 0o644, None, programs);
    Ok(State::scratch().file(file))
}

/// Returns one call of `put` per program.
fn put(binaries: &BTreeMap<String, Artifact>, marks: &mut Marks) -> String {
    let mut text = String::new();
    for (key, artifact) in binaries {
        let key = key.trim_end_matches('/');
        let own = base(key);
        let name = match artifact.name.as_str() {
            "" if is_pattern(own) => "",
            "" => own,
            written => written,
        };
        // A name may hold directories.
        let path = join(&artifact.subpath, name);
        let (dir, name) = match name {
            "" => (path.as_str(), ""),
            _ => path.rsplit_once('/').unwrap_or(("", &path)),
        };
        let mode = artifact.permissions.map(|mode| format!("{mode:o}")).unwrap_or_default();
        text.push_str(&format!(
            "put {} {} {} {} {} {}\n",
            shell(&marks.mark(artifact.span)),
            shell(key),
            shell(&mode),
            shell(dir.trim_end_matches('/')),
            shell(name),
            shell_pattern(key),
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::fixture::artifacts;

    /// ART-001, ART-013
    #[test]
    fn programs_go_where_the_spec_says() {
        let named = |name: &str, subpath: &str| Artifact {
            name: name.into(),
            subpath: subpath.into(),
            ..Artifact::default()
        };
        let binaries = artifacts([
            ("out/a.exe", Artifact::default()),
            ("out/b", Artifact { permissions: Some(0o640), ..named("bin/b.exe", "tools") }),
            ("out/*.dll", named("", "../../lib")),
            ("it's; id", named("", "")),
            ("-rf", named("", "")),
        ]);
        expect![[r#"
            put 'dalec: error: @1: ' -rf '' '' -rf ./-rf
            put 'dalec: error: @2: ' 'it'\''s; id' '' '' 'it'\''s; id' it''\'''s'; 'id
            put 'dalec: error: @3: ' 'out/*.dll' '' /lib '' out/*.dll
            put 'dalec: error: @4: ' out/a.exe '' '' a.exe out/a.exe
            put 'dalec: error: @5: ' out/b 640 /tools/bin b.exe out/b
        "#]]
        .assert_eq(&put(&binaries, &mut Marks::default()));
    }

    #[test]
    fn the_script_is_one() {
        for script in [PROGRAMS, include_str!("scripts/zip.sh")] {
            let status = std::process::Command::new("sh").args(["-n", "-c", script]).status();
            assert!(status.expect("a shell").success());
        }
    }
}
