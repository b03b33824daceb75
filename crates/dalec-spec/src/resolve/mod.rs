//! [`RawSpec`](crate::RawSpec) to [`TargetSpec`](crate::target_spec::TargetSpec): arguments expanded, defaults filled, target overrides applied.

use std::collections::BTreeMap;

use crate::platform::Platform;

/// What to do with arguments and references that the spec does not declare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UnknownArgs {
    /// They are errors.
    #[default]
    Reject,
    /// Arguments are ignored and references stay as text: for routing, before the real arguments are known.
    Allow,
}

/// What a spec is resolved for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ResolveOptions {
    /// Target key such as `bookworm`: the first segment of the route. Empty resolves the root alone.
    pub target: String,
    /// Platform that is built for: `TARGETOS`, `TARGETARCH`, `TARGETVARIANT`, `TARGETPLATFORM`.
    pub platform: Platform,
    /// Platform that builds: `BUILDOS`, `BUILDARCH`, `BUILDVARIANT`, `BUILDPLATFORM`.
    pub build_platform: Platform,
    /// Arguments given by the user.
    pub build_args: BTreeMap<String, String>,
    /// What happens to undeclared ones.
    pub unknown_args: UnknownArgs,
}
