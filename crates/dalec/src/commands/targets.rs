//! `dalec targets`: what can be built.

use dalec_frontend::Target;

use super::DataFormat;
use crate::errors::CommandError;
use crate::spec_file::{self, SpecFile};

/// Lists what can be built
///
/// Prints every target with one line about its result. With a spec, targets that the spec has settings for
/// are marked; without one, the list is the same for every spec.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  dalec targets
  dalec targets -f hello.yml
  dalec targets --format json | jq -r '.targets[].name'")]
pub struct Args {
    /// Spec to read; `-` for standard input
    #[arg(short, long, value_name = "FILE")]
    file: Option<String>,
    /// How to print the list
    #[arg(long, value_enum, default_value = "text")]
    format: DataFormat,
}

/// Prints the list.
///
/// # Errors
/// When the spec cannot be read.
pub fn run(args: &Args) -> Result<(), CommandError> {
    let mut raw = None;
    if args.file.is_some() {
        let source_text = spec_file::read(&SpecFile::find(args.file.as_deref(), None)?)?;
        let loaded = dalec_spec::load(&source_text);
        if loaded.has_errors() {
            return Err(CommandError::Spec { source_text, diagnostics: loaded.diagnostics });
        }
        raw = loaded.raw;
    }
    let targets = dalec_frontend::targets(raw.as_ref());
    let text = match args.format {
        DataFormat::Json => super::to_json(&serde_json::json!({ "targets": targets }))?,
        DataFormat::Text => table(&targets),
    };
    super::print(&text)
}

fn table(targets: &[Target]) -> String {
    let rows: Vec<(String, &str)> =
        targets.iter().map(|target| (label(target), target.description.as_str())).collect();
    let width = rows.iter().map(|(label, _)| label.chars().count()).max().unwrap_or_default();
    let lines = rows.iter().map(|(label, description)| format!("{label:width$}  {description}"));
    lines.map(|line| format!("{}\n", line.trim_end())).collect()
}

fn label(target: &Target) -> String {
    let mut label = target.name.clone();
    if target.default {
        label.push_str(" (default)");
    }
    if target.spec_defined {
        label.push_str(" (in the spec)");
    }
    label
}
