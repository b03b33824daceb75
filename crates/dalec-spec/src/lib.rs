//! The Dalec spec language: text to raw spec with spans, raw spec to the spec of one target.
//!
//! This room does no I/O: it knows no files, no network, no LLB and no distribution's commands.
//!
//! ```
//! use dalec_spec::{ResolveOptions, SourceText, load};
//!
//! let source = SourceText::new("spec.yml", "name: hello\nversion: 1.10\n");
//! let loaded = load(&source);
//! let raw = loaded.raw.expect("a mapping");
//! let (spec, diagnostics) = raw.resolve(&ResolveOptions::default());
//! assert_eq!(spec.expect("no errors").version, "1.10");
//! assert!(diagnostics.is_empty());
//! ```

mod allow;
mod check;
pub mod codes;
mod decode;
mod diagnostic;
mod emit;
mod expand;
mod explain;
mod extensions;
mod findings;
#[cfg(any(fuzzing, test))]
pub mod fuzzing;
pub mod go_pattern;
mod gomod;
mod lint;
mod load;
mod manual;
mod platform;
mod raw;
mod render;
mod resolve;
mod schema;
mod shape;
pub mod shlex;
mod source_text;
pub mod span;
pub mod target_spec;
mod yaml;

pub use allow::{silence, silence_and_check};
pub use check::{Target, check};
pub use decode::suggest;
pub use diagnostic::{Diagnostic, Label, Severity, has_errors, sort};
pub use emit::{to_json, to_yaml};
pub use explain::{Argument, Explanation, NoSuchField, Origin};
pub use load::{Loaded, load};
pub use manual::manual;
pub use platform::{InvalidPlatform, Platform};
pub use raw::{RawSpec, load_signing_config, load_source_filter};
pub use render::{RenderOptions, render, render_github, render_json, render_sarif};
pub use resolve::{ArgOrigin, ResolveOptions, UnknownArgs};
pub use schema::schema;
pub use source_text::{NotUtf8, SourceText};
