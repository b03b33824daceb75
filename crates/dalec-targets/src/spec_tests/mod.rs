//! The spec's tests as a graph: one process per step, one per check.
//!
//! Every step and every check is an op with its own place in the spec, so a failure points at the line that
//! asked for it, and several checks can fail at once. Nothing that a test does is part of any result; the ops
//! only have to be evaluated.
//!
//! Steps of one test follow each other in one file system, and a step waits for the checks of the output of the
//! one before. Files are checked when all steps are done. Tests know nothing of each other.
//!
//! Steps have the network of the sandbox, as specs written for other builders expect; checks only look at files
//! and have none.

mod checks;
mod mounts;

use std::collections::BTreeMap;

use dalec_llb::{Exec, Location, Mount, Network, ProgressGroup, State};
use dalec_spec::span::Span;
use dalec_spec::target_spec::{Source, SourceMount, TargetSpec, Test, TestStep};
use dalec_testrunner::protocol::{Command, OUTPUT_DIR, STDERR, STDOUT, Step, StepPaths};

use crate::containers::Container;
use crate::error::PlanError;
use crate::image_config::{PATH, RunConfig};
use crate::locate::locate;
use crate::paths::change;
use crate::request::Request;
use checks::Check;

/// Cache key that makes tests run again.
pub const CACHE_KEY: &str = "dalec.tests";

/// Everything the runner needs is mounted below this directory.
const DIRECTORY: &str = "/tmp/internal/dalec/testrunner";

/// Returns what must be evaluated for the spec's tests to have run in `container`, at least one state per test.
///
/// Empty when the spec has no tests or they are skipped; the container is then not required by anything here.
///
/// # Errors
/// [`PlanError::MissingContext`] for a mounted context that the client did not give; [`PlanError::Invalid`] for
/// a mounted source or a check that cannot be expressed.
pub fn plan(request: &Request<'_>, container: &Container) -> Result<Vec<State>, PlanError> {
    if !request.options.runs_tests() {
        return Ok(Vec::new());
    }
    let base = container.base.as_ref().map(|config| &config.config);
    let mut leaves = Vec::new();
    for (index, test) in request.spec.tests.iter().enumerate() {
        let planner = TestPlanner::new(request, base, test, index)?;
        leaves.extend(planner.plan(&container.test_root)?);
    }
    Ok(leaves)
}

/// Returns the warning that tests are not run, if the spec has any and they are not.
pub fn skip_warning(request: &Request<'_>) -> Option<String> {
    if request.spec.tests.is_empty() {
        return None;
    }
    if request.options.skip_tests {
        return Some(
            "the spec's tests are skipped because of the build argument DALEC_SKIP_TESTS".to_owned(),
        );
    }
    let platform = request.options.foreign.as_ref()?;
    Some(format!("the spec's tests are not run: nothing here runs programs for {platform}"))
}

/// Returns the sources that tests mount.
pub(crate) fn mounted(spec: &TargetSpec) -> impl Iterator<Item = &Source> {
    let mounts = spec.tests.iter().flat_map(|test| &test.mounts);
    mounts.map(|mount: &SourceMount| &mount.source)
}

/// Plans one test.
struct TestPlanner<'a> {
    request: &'a Request<'a>,
    test: &'a Test,
    group: ProgressGroup,
    /// Environment and working directory: the test's, or those of the base image.
    env: BTreeMap<String, String>,
    cwd: String,
    mounts: mounts::TestMounts,
}

impl<'a> TestPlanner<'a> {
    fn new(
        request: &'a Request<'a>,
        base: Option<&RunConfig>,
        test: &'a Test,
        index: usize,
    ) -> Result<Self, PlanError> {
        let name = format!("Test: {}/{}", request.spec.target, test.name);
        // Names need not be unique.
        let group = ProgressGroup { id: format!("test {index}"), name };
        let mut env = BTreeMap::from([("PATH".to_owned(), PATH.to_owned())]);
        env.extend(base.map(RunConfig::variables).unwrap_or_default());
        env.extend(test.env.clone());
        let of_base = base.map_or("", |base| base.working_dir.as_str());
        let cwd = change(of_base, &test.dir);
        let mounts = mounts::plan(request, test, &group)?;
        Ok(Self { request, test, group, env, cwd, mounts })
    }

    /// Returns the states that must be evaluated.
    fn plan(&self, start: &State) -> Result<Vec<State>, PlanError> {
        let mut root = start.clone();
        let mut checked = Vec::new();
        for step in &self.test.steps {
            (root, checked) = self.step(&root, step, &checked)?;
        }
        let mut leaves = checked;
        for (path, check) in &self.test.files {
            for check in checks::of_file(path, check) {
                let mounts = self.mounts.for_checks().chain([self.frontend()]);
                leaves.push(self.check(&root, &runner_path(), mounts.collect(), &check)?);
            }
        }
        if leaves.is_empty() && !self.test.steps.is_empty() {
            leaves.push(root);
        }
        Ok(leaves)
    }

    /// Returns the file system after `step` and the checks of its output. `before` must hold first.
    ///
    /// The step keeps the network of the sandbox: what it tests may well be a client of something.
    fn step(
        &self,
        root: &State,
        step: &TestStep,
        before: &[State],
    ) -> Result<(State, Vec<State>), PlanError> {
        let stdout = checks::of_output(STDOUT, &step.stdout, step.span);
        let stderr = checks::of_output(STDERR, &step.stderr, step.span);
        let description = Step {
            command: step.command.clone(),
            stdin: step.stdin.clone(),
            capture_stdout: !stdout.is_empty(),
            capture_stderr: !stderr.is_empty(),
        };
        let captures = description.capture_stdout || description.capture_stderr;
        let description_path = format!("{DIRECTORY}/step/step.json");
        let command =
            Command::Step(StepPaths { step: description_path.clone().into(), output: OUTPUT_DIR.into() });
        let gates = before.iter().enumerate();
        let gates =
            gates.map(|(index, state)| Mount::bind(format!("{DIRECTORY}/checked/{index}"), state).readonly());
        let exec = self
            .exec(&runner_path(), &command, [step.span])?
            .network(Network::Sandbox)
            .name(&step.command)
            .envs(self.env.clone())
            .envs(step.env.clone())
            .cwd(&self.cwd)
            .mounts(self.mounts.for_steps())
            .mount(self.frontend())
            .mount(mounts::file(&description_path, &json(&description), &self.group))
            .mounts(gates)
            .mounts(captures.then(|| Mount::output(OUTPUT_DIR)));
        let executed = root.run(exec);
        let mut checked = Vec::new();
        if captures {
            let output = executed.output(OUTPUT_DIR);
            for check in stdout.iter().chain(&stderr) {
                // What was printed is all that such a check looks at, so it needs no container around it.
                let mounts = vec![Mount::bind(OUTPUT_DIR, &output).readonly()];
                checked.push(self.check(&self.request.frontend, FRONTEND, mounts, check)?);
            }
        }
        Ok((executed.root(), checked))
    }

    /// Returns the state that exists once `check` holds in `root`; it runs without network.
    fn check(
        &self,
        root: &State,
        runner: &str,
        mounts: Vec<Mount>,
        check: &Check,
    ) -> Result<State, PlanError> {
        let result = format!("{DIRECTORY}/result");
        let value_path = format!("{DIRECTORY}/value");
        let (command, value) = check.command(&value_path);
        let spans = [check.span, check.whole];
        let span = spans.into_iter().find(|span| span.end > span.start);
        let exec = self
            .exec(runner, &command, span)?
            .network(Network::None)
            .name(shown(&command))
            .readonly_root()
            .mounts(mounts)
            .mounts(value.map(|value| mounts::file(&value_path, value.as_bytes(), &self.group)))
            // Without an output nobody could ask for the check.
            .mount(Mount::output(&result));
        Ok(root.run(exec).output(&result))
    }

    fn exec(
        &self,
        runner: &str,
        command: &Command,
        spans: impl IntoIterator<Item = Span>,
    ) -> Result<Exec, PlanError> {
        let spans: Vec<Span> = spans.into_iter().collect();
        let mut args = vec![runner.to_owned(), "test-runner".to_owned()];
        for argument in words(command) {
            if argument.contains('\0') {
                return Err(PlanError::invalid("a path in a test holds a NUL character", spans));
            }
            args.push(argument);
        }
        let locations: Option<Location> = locate(&self.request.source_map, spans);
        Ok(Exec::new(args)
            .group(&self.group)
            .at(locations)
            .ignore_cache(self.request.options.ignores_cache(CACHE_KEY)))
    }

    fn frontend(&self) -> Mount {
        Mount::bind(runner_path(), &self.request.frontend).selector(FRONTEND).readonly()
    }
}

/// Path of the runner in [`Request::frontend`].
const FRONTEND: &str = "/frontend";

/// Path of the runner in the tested container.
fn runner_path() -> String {
    format!("{DIRECTORY}/frontend")
}

/// Returns the arguments of `command`, all of which come from text.
fn words(command: &Command) -> Vec<String> {
    command.to_args().into_iter().map(|word| word.to_string_lossy().into_owned()).collect()
}

/// Returns `command`, a check, as progress displays show it: `Check /etc/hello.conf: perms 644`.
fn shown(command: &Command) -> String {
    let words = words(command);
    let Command::Check(subject) = command else { return words.join(" ") };
    let name = words.first().map(String::as_str).unwrap_or_default();
    let question = match name.trim_start_matches("check-").trim_start_matches("file-") {
        "isdir" if words.iter().any(|word| word == "--not=true") => "is no directory",
        "isdir" => "is a directory",
        question => question,
    };
    let path = subject.path.to_string_lossy();
    let value = words.iter().skip(1).filter(|word| !word.starts_with("--") && **word != path);
    let value: String = value.map(|word| format!(" {word}")).collect();
    let shown = path.strip_prefix(&format!("{OUTPUT_DIR}/")).unwrap_or(&path).to_owned();
    format!("Check {shown}: {question}{value}")
}

fn json(step: &Step) -> Vec<u8> {
    // Texts and booleans always become JSON.
    serde_json::to_vec(step).unwrap_or_default()
}

#[cfg(test)]
mod tests;
