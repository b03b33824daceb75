//! What the command line asks to be measured.

use std::collections::BTreeSet;
use std::path::PathBuf;

const HELP: &str = "\
Measures dalec and prints JSON.

usage: dalec-bench [--runs N] [--binary PATH]... [--signing] [--hosting] [--rpm] [--windows]
                   [--together] [--buildkit [--upstream DIR]] [--specs N]

  --runs N        how often each measurement is taken (default 3)
  --binary PATH   a dalec binary to measure; several take turns (default: a release build of this checkout)
  --signing       measure signing packages
  --hosting       measure what a signer that does nothing costs on the embedded engine
  --rpm           measure builds of RPM packages; needs root
  --windows       measure zip files of programs for Windows on the embedded engine; needs root
  --together      measure packages of several families of one spec, each alone and all in one run; needs root
  --buildkit      measure builds by our frontend image inside a real BuildKit; needs root and Go
  --upstream DIR  and by upstream's, of which DIR is a checkout
  --specs N       measure nothing but reading specs, N times each

Without any of the parts, those that do not need root are measured, and builds on the embedded engine.
";

/// What is measured, and how often.
#[derive(Debug, Default)]
pub struct Request {
    /// How often.
    pub runs: usize,
    /// How often specs are read.
    pub spec_runs: usize,
    /// The binaries; none for a release build.
    pub binaries: Vec<PathBuf>,
    /// A checkout of upstream.
    pub upstream: Option<PathBuf>,
    /// What is measured; empty for all that needs neither root nor BuildKit.
    parts: BTreeSet<Part>,
}

/// A part that can be measured alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Builds on the embedded engine, and what they are made of.
    Builds,
    /// Signing packages.
    Signing,
    /// A signer on the embedded engine.
    Hosting,
    /// Builds of RPM packages.
    Rpm,
    /// Programs for Windows.
    Windows,
    /// Packages of several families.
    Together,
    /// Builds inside a real BuildKit.
    Buildkit,
    /// Reading specs.
    Specs,
}

impl Request {
    /// Reads the arguments of the command line.
    ///
    /// # Errors
    /// When they make no sense, in words.
    pub fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut request = Self { runs: 3, spec_runs: 20, ..Self::default() };
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or(HELP);
            let number = |value: String| value.parse().map_err(|_| format!("{value:?} is no number of runs"));
            match argument.as_str() {
                "--runs" => request.runs = number(value()?)?,
                "--binary" => request.binaries.push(value()?.into()),
                "--upstream" => request.upstream = Some(value()?.into()),
                "--signing" => _ = request.parts.insert(Part::Signing),
                "--hosting" => _ = request.parts.insert(Part::Hosting),
                "--rpm" => _ = request.parts.insert(Part::Rpm),
                "--windows" => _ = request.parts.insert(Part::Windows),
                "--together" => _ = request.parts.insert(Part::Together),
                "--buildkit" => _ = request.parts.insert(Part::Buildkit),
                "--specs" => {
                    request.spec_runs = number(value()?)?;
                    request.parts.insert(Part::Specs);
                }
                _ => return Err(HELP.into()),
            }
        }
        Ok(request)
    }

    /// Returns whether `part` is measured.
    pub fn has(&self, part: Part) -> bool {
        let asked_for = [Part::Rpm, Part::Windows, Part::Together, Part::Buildkit];
        self.parts.contains(&part) || self.parts.is_empty() && !asked_for.contains(&part)
    }
}
