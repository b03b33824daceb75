//! The arguments a spec is expanded with.

use std::collections::BTreeMap;

use super::{ResolveOptions, UnknownArgs};
use crate::codes;
use crate::decode::{Decode, Map, Text, suggest};
use crate::diagnostic::Diagnostic;
use crate::platform::Platform;
use crate::raw::rules::ArgName;
use crate::span::Span;

/// Name of the argument that holds the target key.
const TARGET: &str = "DALEC_TARGET";

/// Name of the argument that fixes timestamps; it needs no declaration.
pub(crate) const SOURCE_DATE_EPOCH: &str = "SOURCE_DATE_EPOCH";

/// Arguments that the tool itself looks at: given undeclared, they are no mistake.
const KNOWN: &[&str] = &[
    "BUILDKIT_CONTEXT_KEEP_GIT_DIR",
    "BUILDKIT_MULTI_PLATFORM",
    "BUILDKIT_SYNTAX",
    "DALEC_DISABLE_DIFF_MERGE",
    "DALEC_DISABLE_EMULATION",
    "DALEC_DISABLE_PASSTHROUGH",
    "DALEC_DISABLE_PROXY_CONFIG",
    "DALEC_DISABLE_SYMLINK",
    "DALEC_GOMOD_PROXY",
    "DALEC_SIGNING_CONFIG_CONTEXT_NAME",
    "DALEC_SIGNING_CONFIG_PATH",
    "DALEC_SIGNING_UNVERIFIED",
    "DALEC_SIGN_BEFORE_TESTS",
    "DALEC_SKIP_SIGNING",
    "DALEC_SKIP_TESTS",
    "DALEC_SOURCE_FILTER_CONFIG_CONTEXT_NAME",
    "DALEC_SOURCE_FILTER_CONFIG_PATH",
    TARGET,
];

/// Arguments of this prefix are known too.
const KNOWN_PREFIX: &str = "DALEC_SYSEXT_";

/// Returns whether the tool itself looks at the argument `name`.
pub(crate) fn is_known(name: &str) -> bool {
    KNOWN.contains(&name) || name.starts_with(KNOWN_PREFIX) || is_platform(name)
}

/// Returns whether `name` tells a platform; such an argument must be declared to be used.
pub(crate) fn is_platform(name: &str) -> bool {
    let rest = name.strip_prefix("TARGET").or_else(|| name.strip_prefix("BUILD"));
    matches!(rest, Some("OS" | "ARCH" | "VARIANT" | "PLATFORM"))
}

/// Where the value of an argument comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArgOrigin {
    /// Its default in the spec, written there.
    Default(Span),
    /// It was given for the build.
    Given,
    /// The platform that builds, or is built for.
    Platform,
    /// The target that is built.
    Target,
}

/// The values of all arguments that may be referred to.
#[derive(Debug, Default)]
pub(super) struct Args {
    /// Declared arguments, and `SOURCE_DATE_EPOCH` when it was given.
    pub values: BTreeMap<String, (String, ArgOrigin)>,
    /// What is wrong with the arguments that were given.
    pub diagnostics: Vec<Diagnostic>,
}

/// Joins the `declared` arguments with those of `options`.
pub(super) fn collect(declared: &Map<Text, ArgName>, options: &ResolveOptions) -> Args {
    let mut args = Args::default();
    for entry in &declared.entries {
        let place = if entry.value.is_given() { entry.value.span } else { entry.key.span };
        let value = (entry.value.value.clone(), ArgOrigin::Default(place));
        args.values.insert(entry.key.value.clone(), value);
    }
    for (name, value) in &options.build_args {
        if name == SOURCE_DATE_EPOCH {
            args.values.insert(name.clone(), (value.clone(), ArgOrigin::Given));
        } else if let Some(slot) = args.values.get_mut(name) {
            *slot = (value.clone(), ArgOrigin::Given);
        } else if !is_known(name) && options.unknown_args == UnknownArgs::Reject {
            args.diagnostics.push(unknown(name, declared));
        }
    }
    let own = platform_args("TARGET", &options.platform)
        .into_iter()
        .chain(platform_args("BUILD", &options.build_platform))
        .map(|(name, value)| (name, value, ArgOrigin::Platform));
    let target = (TARGET.to_owned(), options.target.clone(), ArgOrigin::Target);
    let target = Some(target).filter(|_| !options.target.is_empty());
    for (name, value, origin) in own.chain(target) {
        if let Some(slot) = args.values.get_mut(&name) {
            *slot = (value, origin);
        }
    }
    args
}

fn platform_args(prefix: &str, platform: &Platform) -> [(String, String); 4] {
    [
        (format!("{prefix}OS"), platform.os.clone()),
        (format!("{prefix}ARCH"), platform.arch.clone()),
        (format!("{prefix}VARIANT"), platform.variant.clone()),
        (format!("{prefix}PLATFORM"), platform.to_string()),
    ]
}

fn unknown(name: &str, declared: &Map<Text, ArgName>) -> Diagnostic {
    let message = format!("the build argument `{name}` was given, but the spec does not declare it");
    let diagnostic = Diagnostic::error_outside(codes::UNKNOWN_BUILD_ARG, message);
    match suggest(name, declared.entries.iter().map(|entry| entry.key.value.as_str())) {
        Some(known) => diagnostic.help(format!("did you mean `{known}`?")),
        None => diagnostic.help(format!("declare it with its default under `args`: `{name}: \"\"`")),
    }
}
