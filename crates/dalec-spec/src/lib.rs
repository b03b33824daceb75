//! The Dalec spec language: text to raw spec with spans, raw spec to the spec of one target.
//!
//! This room does no I/O: it knows no files, no network, no LLB and no distribution's commands.

pub mod span;
pub mod target_spec;
