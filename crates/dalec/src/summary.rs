//! What came of a build: as words for people, as a record for `--metadata-file` and for `--progress json`.

use std::fmt::Write;
use std::time::Duration;

use dalec_engine::Stats;
use serde::Serialize;
use serde_json::Value;

use crate::errors::Style;
use crate::observe::Base;
use crate::outputs::Output;
use crate::progress::words;

/// More files than this are counted, not listed.
const LISTED: usize = 24;

/// What came of a build. Times and counts are per run and no part of the record.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    /// How the engine runs.
    pub engine: Value,
    /// What was built, in the order asked for.
    pub builds: Vec<Built>,
    /// How long it took.
    #[serde(skip)]
    pub elapsed: Duration,
    /// What the engine did.
    #[serde(skip)]
    pub stats: Stats,
}

/// What came of one target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Built {
    /// The target.
    pub target: String,
    /// The platforms it was built for.
    pub platforms: Vec<String>,
    /// The images it started from.
    pub bases: Vec<Base>,
    /// What was written.
    pub outputs: Vec<Output>,
}

impl Summary {
    /// Returns the record as one value.
    pub fn record(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }

    /// Returns the words.
    pub fn text(&self, style: Style) -> String {
        let mut text = String::new();
        let targets: Vec<&str> = self.builds.iter().map(|built| built.target.as_str()).collect();
        let head = format!("built {} in {}", targets.join(", "), words::short_time(self.elapsed));
        let head = if style.color { format!("\x1b[1;32m{head}\x1b[0m") } else { head };
        // Writing to a string cannot fail, here and below.
        let _ = match self.stats.ops_run {
            0 => writeln!(
                text,
                "{head}: nothing has changed, all {} cached",
                words::count(self.stats.ops_cached, "step")
            ),
            run => {
                writeln!(text, "{head}: {} run, {} cached", words::count(run, "step"), self.stats.ops_cached)
            }
        };
        for base in self.bases() {
            let _ = writeln!(text, "base {}: {}", base.reference, base.origin);
        }
        for built in &self.builds {
            for output in &built.outputs {
                write_output(&mut text, output);
            }
            if built.outputs.is_empty() {
                let _ = writeln!(text, "nothing was written: name a directory with -o to get the result");
            }
        }
        text
    }

    /// Returns the images that were started from, each way they came once.
    fn bases(&self) -> Vec<&Base> {
        let mut bases: Vec<&Base> = Vec::new();
        for base in self.builds.iter().flat_map(|built| &built.bases) {
            if !bases.iter().any(|known| known.reference == base.reference && known.origin == base.origin) {
                bases.push(base);
            }
        }
        bases
    }
}

fn write_output(text: &mut String, output: &Output) {
    let dest = if output.dest == "-" { "standard output" } else { &output.dest };
    if output.kind == "tar" {
        let _ = writeln!(text, "wrote {} to {dest}", words::bytes(output.size));
        return;
    }
    let files = words::count(output.files.len() as u64, "file");
    let size = words::bytes(output.size);
    let _ = match output.written {
        0 => writeln!(text, "{files}, {size}, in {dest}, as they were:"),
        all if all == output.files.len() => writeln!(text, "wrote {files}, {size}, to {dest}:"),
        some => writeln!(text, "{files}, {size}, in {dest}, {some} of them new or changed:"),
    };
    let listed = if output.files.len() > LISTED { &output.files[..LISTED / 2] } else { &output.files };
    let width = listed.iter().map(|file| file.path.chars().count()).max().unwrap_or_default();
    for file in listed {
        let size = file.size.map(words::bytes).unwrap_or_default();
        let _ = writeln!(text, "{}", format!("  {:width$}  {size:>9}", file.path).trim_end());
    }
    if listed.len() < output.files.len() {
        let _ = writeln!(text, "  … and {} more", output.files.len() - listed.len());
    }
}
