//! What a spec becomes on the way to packages, for a look: the resolved spec, its sources, and what is downloaded for them.
//!
//! None of it is of a distribution, so there are no overrides of a target. What has to run does so in Debian with the tools
//! that it takes, or in a worker of the client's.

mod plan;
pub(crate) mod routes;

#[cfg(test)]
mod tests;
