//! `dalec lint`: what is wrong or doubtful in specs. Starts no engine, no thread, and reads nothing but the specs.

use dalec_spec::{Diagnostic, RenderOptions, ResolveOptions, Severity, SourceText, codes};

use super::{host, say};
use crate::errors::{CommandError, Exit};
use crate::options::build_args;
use crate::progress::words;
use crate::spec_file::{self, SpecFile};
use crate::terminal::{self, Stream};

/// Says what is wrong or doubtful in specs
///
/// Checks the whole language: YAML, keys, values, arguments, and every target with its overrides. Findings go to
/// standard output with file, line and column. The exit code is 0 when there are only warnings and 2 when there are
/// errors; with --strict, warnings count as errors do.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  dalec lint                        # dalec.yml or dalec.yaml here
  dalec lint --strict specs/*.yml
  dalec lint --format json hello.yml | jq -r '.[].message'
  dalec lint --format sarif specs/*.yml > dalec.sarif
  generate-spec | dalec lint -
  dalec lint --explain unused-arg

Comments in a spec silence warnings, by the code that stands in brackets:
  WRAPPER: 1   # dalec: allow unused-arg (the wrapper reads it)
  # dalec: allow unused-arg, missing-digest -- on a line of its own: the next line
  # dalec: allow-file unused-arg")]
pub struct Args {
    /// Specs to check; `-` for standard input [default: dalec.yml or dalec.yaml]
    #[arg(value_name = "FILE")]
    files: Vec<String>,
    /// Spec to check, as other commands take it
    #[arg(short, long, value_name = "FILE")]
    file: Vec<String>,
    /// Build argument to check with, NAME=VALUE
    ///
    /// NAME alone takes its value from the environment.
    #[arg(long, value_name = "NAME[=VALUE]")]
    build_arg: Vec<String>,
    /// How to print the findings
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    /// Exit with 2 when there are warnings, too
    #[arg(long)]
    strict: bool,
    /// Print the page about findings of one kind instead: why they are said and what to do
    ///
    /// CODE is what stands in brackets, as in error[unknown-key].
    #[arg(long, value_name = "CODE", exclusive = true)]
    explain: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// for people
    Text,
    /// for programs: a list of findings
    Json,
    /// for code scanning services: one SARIF 2.1.0 log
    Sarif,
    /// for GitHub Actions: commands that show findings beside the lines of a change
    Github,
}

/// Prints the findings.
///
/// # Errors
/// When a spec cannot be read, or there are errors in one, or warnings where these count too; when there is no code of
/// the name that is to be explained.
pub fn run(args: &Args) -> Result<(), CommandError> {
    if let Some(code) = &args.explain {
        return explain(code);
    }
    let options = ResolveOptions {
        platform: host(),
        build_platform: host(),
        build_args: build_args::collect(&args.build_arg, build_args::environment)?,
        ..ResolveOptions::default()
    };
    let mut files = args
        .files
        .iter()
        .chain(&args.file)
        .map(|file| SpecFile::find(Some(file), None))
        .collect::<Result<Vec<_>, _>>()?;
    if files.is_empty() {
        files.push(SpecFile::find(None, None)?);
    }
    let targets = dalec_frontend::known_targets();
    let (mut found, mut unread) = (Vec::new(), None);
    for file in &files {
        match spec_file::read(file) {
            Ok(source) => {
                let diagnostics = dalec_spec::check(&source, &options, &targets);
                found.push((source, diagnostics));
            }
            // What there is to say about the others is not lost.
            Err(error) => {
                super::report(&error);
                unread = Some(error.exit());
            }
        }
    }
    let printed = match args.format {
        Format::Text => text(&found),
        Format::Json => json(&found)?,
        Format::Sarif => super::to_json(&dalec_spec::render_sarif(&found))?,
        Format::Github => {
            found.iter().map(|(source, diagnostics)| dalec_spec::render_github(source, diagnostics)).collect()
        }
    };
    super::print(&printed)?;
    let count = |severity| {
        let all = found.iter().flat_map(|(_, diagnostics)| diagnostics);
        all.filter(|diagnostic| diagnostic.severity == severity).count() as u64
    };
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    // The log of a workflow is read by people as well.
    if matches!(args.format, Format::Text | Format::Github) && !found.is_empty() {
        let files = words::count(found.len() as u64, "file");
        match (errors, warnings) {
            (0, 0) => say(&format!("nothing to say about {files}\n")),
            (errors, warnings) => say(&format!(
                "{} and {} in {files}\n",
                words::count(errors, "error"),
                words::count(warnings, "warning")
            )),
        }
    }
    let first = found.iter().find_map(|(_, diagnostics)| diagnostics.first());
    if let Some(first) =
        first.filter(|_| args.format == Format::Text && terminal::is_terminal(Stream::Stderr))
    {
        say(&format!("`dalec lint --explain {}` says more\n", first.code));
    }
    match unread {
        Some(exit) => Err(CommandError::Said(exit)),
        None if errors > 0 || args.strict && warnings > 0 => Err(CommandError::Said(Exit::Usage)),
        None => Ok(()),
    }
}

fn explain(name: &str) -> Result<(), CommandError> {
    // Pasted with its brackets, it is meant as well.
    let bare = name.rsplit('[').next().unwrap_or(name).trim_end_matches(']');
    if let Some(code) = codes::find(bare) {
        return super::print(code.page);
    }
    let help = match dalec_spec::suggest(bare, codes::ALL.iter().map(|code| code.name)) {
        Some(code) => format!("did you mean `{code}`?"),
        None => "the code is what stands in brackets, as in `error[unknown-key]`".to_owned(),
    };
    Err(CommandError::usage_help(format!("there is no code `{name}`"), help))
}

fn text(found: &[(SourceText, Vec<Diagnostic>)]) -> String {
    let options = RenderOptions {
        color: terminal::takes_color(Stream::Stdout),
        width: terminal::text_width(Stream::Stdout),
    };
    let rendered = found.iter().map(|(source, diagnostics)| dalec_spec::render(source, diagnostics, options));
    rendered.filter(|text| !text.is_empty()).collect::<Vec<_>>().join("\n")
}

fn json(found: &[(SourceText, Vec<Diagnostic>)]) -> Result<String, CommandError> {
    let mut all = Vec::new();
    for (source, diagnostics) in found {
        if let serde_json::Value::Array(entries) = dalec_spec::render_json(source, diagnostics) {
            all.extend(entries);
        }
    }
    super::to_json(&all)
}
