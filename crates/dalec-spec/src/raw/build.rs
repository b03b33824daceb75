//! The build section.

use crate::codes;
use crate::decode::{Complaint, Decoder, Field, List, Map, Object, Rule, Template, Text, object};
use crate::diagnostic::Diagnostic;
use crate::emit::{Tree, entry};
use crate::raw::rules::EnvName;
use crate::resolve::{Resolver, SOURCE_DATE_EPOCH};
use crate::target_spec::{Build, BuildStep, NetworkMode};

object! {
    /// How the sources become artifacts.
    RawBuild: "the build section", open, check check_build {
        /// Steps, each run in a shell of its own.
        "steps" steps: List<RawBuildStep>,
        /// Environment of all steps.
        "env" env: Map<Template, EnvName>,
        /// Network of the steps.
        "network_mode" network_mode: Template<NetworkModeName>,
    }
}

object! {
    /// One build step.
    RawBuildStep: "a build step", closed, check check_step {
        /// Shell script.
        "command" command: Text,
        /// Environment of this step.
        "env" env: Map<Template, EnvName>,
    }
}

/// The names of network modes.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct NetworkModeName;

impl Rule for NetworkModeName {
    fn check(text: &str) -> Result<(), Complaint> {
        match text {
            "none" | "sandbox" => Ok(()),
            _ => Err(Complaint::new(format!("there is no network mode `{text}`"))
                .help("write `none` for no network, or `sandbox` for a network while the steps run")),
        }
    }
}

fn check_build(build: &RawBuild, decoder: &mut Decoder<'_>) {
    if !build.steps.items.is_empty() || decoder.findings.error_within(build.span) {
        return;
    }
    let env = build.env.entries.iter().find(|entry| entry.key.value != SOURCE_DATE_EPOCH);
    let network = (!build.network_mode.value.is_empty()).then_some(build.network_mode.span);
    let useless = env.map(|entry| ("env", entry.key.span)).or(network.map(|span| ("network_mode", span)));
    if let Some((key, span)) = useless {
        let message = format!("`{key}` has no effect: there are no build steps");
        decoder
            .report(Diagnostic::error(codes::MISSING_KEY, span, message).help("add `steps`, or remove it"));
    }
}

fn check_step(step: &RawBuildStep, decoder: &mut Decoder<'_>) {
    decoder.need(step.command.value.trim(), "command", RawBuildStep::NAME, step.span);
}

impl Field for RawBuild {
    type Output = Build;

    fn resolve(&self, resolver: &mut Resolver<'_>) -> Build {
        let network = match self.network_mode.resolve(resolver).as_str() {
            "sandbox" => NetworkMode::Sandbox,
            _ => NetworkMode::None,
        };
        Build { steps: self.steps.resolve(resolver), env: self.env.resolve(resolver), network }
    }

    fn emit(output: &Build) -> Tree {
        let mut entries = Vec::new();
        entry::<Map<Template, EnvName>>(&mut entries, "env", &output.env);
        if output.network == NetworkMode::Sandbox {
            entries.push(("network_mode".to_owned(), Tree::Text("sandbox".to_owned())));
        }
        entry::<List<RawBuildStep>>(&mut entries, "steps", &output.steps);
        Tree::Map(entries)
    }

    fn is_absent(output: &Build) -> bool {
        // Without steps there is no network to choose.
        output.steps.is_empty() && output.env.is_empty()
    }
}

impl Field for RawBuildStep {
    type Output = BuildStep;

    fn resolve(&self, resolver: &mut Resolver<'_>) -> BuildStep {
        BuildStep {
            command: self.command.resolve(resolver),
            env: self.env.resolve(resolver),
            span: self.command.span,
        }
    }

    fn emit(output: &BuildStep) -> Tree {
        let mut entries = Vec::new();
        entry::<Text>(&mut entries, "command", &output.command);
        entry::<Map<Template, EnvName>>(&mut entries, "env", &output.env);
        Tree::Map(entries)
    }
}
