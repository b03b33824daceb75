//! YAML text to a tree of nodes that know where they were written.
//!
//! The event parser is an outside crate and its types stay in here. This module knows nothing about the spec
//! language: no key names, no field types. Aliases share one value; limits on depth and on the size of the
//! tree with all aliases written out make later recursion and copying safe.

mod comments;
mod node;
mod parse;
mod syntax_error;

pub(crate) use comments::comments;
pub(crate) use node::{Entry, Kind, Node, Scalar, Style};
pub(crate) use parse::parse;
