//! Files of images, and what commands make in one.

use dalec_llb::{Exec, Mount, State};
use dalec_spec::target_spec::{BuildStep, ImageCommand, ImageSource, Source, SourceMount};

use super::Planner;
use crate::error::PlanError;
use crate::image_config::{ImageConfig, PATH};
use crate::image_reference::full_reference;
use crate::locate::locate;
use crate::paths::{change, join};
use crate::request::ImageQuestion;

/// Returns how to ask for the image of a source. Files are those for the platform of the result; commands run where the
/// build does.
pub(super) fn question(image: &ImageSource) -> ImageQuestion {
    ImageQuestion {
        reference: full_reference(&image.reference),
        packages: Vec::new(),
        of_result: image.command.is_none(),
    }
}

/// Returns the file system that holds what `source` takes of `image`, and which part of it that is.
///
/// Without commands that is the image itself; commands leave nothing else than what is taken.
pub(super) fn plan(
    planner: &Planner<'_>,
    name: &str,
    source: &Source,
    image: &ImageSource,
    path: &str,
) -> Result<(State, String), PlanError> {
    let question = question(image);
    let answer = planner.answers.images.get(&question).ok_or_else(|| PlanError::MissingImage {
        reference: question.reference.clone(),
        span: source.span,
    })?;
    let Some(command) = &image.command else { return Ok((answer.state.clone(), path.to_owned())) };
    let steps = Steps { planner, command, config: &answer.config, path };
    Ok((steps.run(name, &answer.state)?, String::new()))
}

/// Commands that run in an image, one after the other.
struct Steps<'a> {
    planner: &'a Planner<'a>,
    command: &'a ImageCommand,
    /// That of the image: its environment, user and working directory hold for the commands.
    config: &'a ImageConfig,
    /// What is taken, empty for all.
    path: &'a str,
}

impl Steps<'_> {
    /// Returns what the commands leave in `root`: all of it, or what they write below the path.
    ///
    /// The path starts empty, whatever the image has there, and what is below it goes from step to step beside the root
    /// file system. So nothing but what the commands make is taken.
    fn run(&self, name: &str, root: &State) -> Result<State, PlanError> {
        let shared = self.mounts(name, &self.command.mounts)?;
        let taken = (!self.path.is_empty()).then(|| format!("/{}", self.path));
        let (mut root, mut output) = (root.clone(), State::scratch());
        for step in &self.command.steps {
            let mut mounts = shared.clone();
            mounts.extend(self.mounts(name, &step.mounts)?);
            mounts.extend(taken.iter().map(|taken| (taken.clone(), Mount::bind(taken, &output))));
            // One mount may lie inside another; in this order it comes later.
            mounts.sort_by(|(one, _), (other, _)| one.cmp(other));
            let executed = root.run(self.exec(step).mounts(mounts.into_iter().map(|(_, mount)| mount)));
            root = executed.root();
            output = taken.as_ref().map_or(State::scratch(), |taken| executed.output(taken));
        }
        Ok(if taken.is_some() { output } else { root })
    }

    fn exec(&self, step: &BuildStep) -> Exec {
        let image = &self.config.config;
        Exec::shell(&step.command)
            .env("PATH", PATH)
            .envs(image.variables())
            .envs(self.command.env.clone())
            .envs(step.env.clone())
            .cwd(change(&image.working_dir, &self.command.dir))
            .user(&image.user)
            .name(&step.command)
            .at(locate(self.planner.source_map, [step.span]))
            .group(&self.planner.group)
    }

    /// Returns mounts with their normalized places.
    fn mounts(&self, name: &str, mounts: &[SourceMount]) -> Result<Vec<(String, Mount)>, PlanError> {
        let plan = |(index, mount): (usize, &SourceMount)| {
            let tree = self.planner.plan(&format!("{name}-mount{index}"), &mount.source)?;
            let dest = join("/", &mount.dest);
            Ok((dest.clone(), tree.scratch_mount(dest)))
        };
        mounts.iter().enumerate().map(plan).collect()
    }
}
