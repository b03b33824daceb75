//! The build section.

use crate::codes;
use crate::decode::{Decode, Decoder, Keyword, List, Map, Template, Text, Word, object};
use crate::diagnostic::Diagnostic;
use crate::raw::cache::{self, RawCache};
use crate::raw::rules::{EnvName, Script};
use crate::raw::source::RawMount;
use crate::resolve::SOURCE_DATE_EPOCH;
use crate::target_spec::NetworkMode;

object! {
    /// How the sources become artifacts.
    RawBuild: "the build section", open, check check_build => Build {
        /// Environment of all steps.
        /// Example: {CFLAGS: -O2}
        "env" env: Map<Template, EnvName>,
        /// Whether the steps reach the network.
        /// Example: sandbox
        "network_mode" network_mode: Word<NetworkMode, true>,
        /// Directories that survive from one build to the next.
        /// Example: [{gobuild: {}}]
        "caches" caches: List<RawCache>,
        /// What is run, in order. Each step has a shell of its own and starts in the build directory.
        /// Example: [{command: make}]
        "steps" steps: List<RawBuildStep>,
    }
}

object! {
    /// One step: a shell script.
    RawBuildStep: "a build step", closed, needs ["command"], check check_step => BuildStep, span command {
        /// The script.
        /// Example: "cd src && make"
        "command" command: Text<Script>,
        /// Environment of this step.
        /// Example: {V: "1"}
        "env" env: Map<Template, EnvName>,
        /// Sources mounted for this step.
        /// Example: [{dest: /data, spec: {context: {}}}]
        "mounts" mounts: List<RawMount>,
    }
}

impl Keyword for NetworkMode {
    const TAKES: &'static str = "a network mode";
    const WORDS: &'static [(&'static str, Self)] = &[("none", Self::None), ("sandbox", Self::Sandbox)];
}

fn check_build(build: &mut RawBuild, decoder: &mut Decoder<'_>) {
    cache::check_caches(&build.caches, decoder);
    for mount in build.steps.items.iter().filter_map(|step| step.mounts.items.first()) {
        let message = "mounts of build steps have no effect, here and in upstream Dalec";
        let span = decoder.first_line(mount.span);
        let diagnostic = Diagnostic::warning(codes::NO_EFFECT, span, message);
        decoder.doubt(diagnostic.help("make it a source: sources stand side by side in the build directory"));
    }
    if build.network_mode.is_given_as_template() {
        let message = "upstream Dalec refuses arguments in `network_mode`";
        let diagnostic = Diagnostic::warning(codes::UPSTREAM_DIFFERS, build.network_mode.span, message);
        decoder.doubt(diagnostic.help("write `none` or `sandbox` if the spec must load there"));
    }
    if !build.steps.items.is_empty() || decoder.findings.error_within(build.span) {
        return;
    }
    let env = build.env.entries.iter().find(|entry| entry.key.value != SOURCE_DATE_EPOCH);
    let network = build.network_mode.is_given().then_some(build.network_mode.span);
    let useless = env
        .map(|entry| ("env", entry.key.span))
        .or(network.map(|span| ("network_mode", span)))
        .or(build.caches.items.first().map(|cache| ("caches", decoder.first_line(cache.span))));
    if let Some((key, span)) = useless {
        let message = format!("`{key}` has no effect: there are no build steps");
        decoder
            .report(Diagnostic::error(codes::MISSING_KEY, span, message).help("add `steps`, or remove it"));
    }
}

fn check_step(step: &mut RawBuildStep, decoder: &mut Decoder<'_>) {
    let command = &step.command;
    if !command.value.is_empty() && command.value.trim().is_empty() {
        let message = "this command holds nothing but blanks";
        decoder.report(Diagnostic::error(codes::MISSING_KEY, step.span, message).help("write what to run"));
    }
}
