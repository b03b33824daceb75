//! Build contexts as sources.

use crate::decode::{Fallback, Template, object};
use crate::raw::rules::ContextName;

/// The main build context.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct MainContext;

impl Fallback for MainContext {
    const TEXT: &'static str = "context";
}

object! {
    /// Files of a build context.
    RawContext: "a context source", closed => ContextSource {
        /// Name of the context as given with `--build-context NAME=...`; `context` is the main one.
        /// Example: vendor
        "name" name: Template<ContextName, MainContext>,
    }
}
