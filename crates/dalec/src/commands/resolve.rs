//! `dalec resolve`: a spec as one target sees it. Starts no engine.

mod explain;

use dalec_frontend::FrontendError;
use dalec_spec::{Platform, RenderOptions, ResolveOptions, UnknownArgs};

use super::{host, say};
use crate::errors::CommandError;
use crate::options::build_args;
use crate::spec_file::{self, SpecFile};
use crate::terminal::{self, Stream};

/// Prints a spec as one target sees it
///
/// Arguments are expanded, defaults filled in, and the overrides of the target applied. The output is a spec again.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  dalec resolve -f hello.yml --target bookworm
  dalec resolve -f hello.yml --target bookworm --explain dependencies.runtime
  dalec resolve -f hello.yml --target trixie/deb --build-arg VERSION=1.2 --format json")]
pub struct Args {
    /// Spec to read; `-` for standard input [default: dalec.yml or dalec.yaml]
    #[arg(short, long, value_name = "FILE")]
    file: Option<String>,
    /// Target to resolve for, such as bookworm or bookworm/deb; without one, no target's overrides are applied
    #[arg(long)]
    target: Option<String>,
    /// Platform to resolve for, such as linux/arm64 [default: this machine's; for windowscross, Windows]
    #[arg(long)]
    platform: Option<String>,
    /// Build argument, NAME=VALUE
    ///
    /// NAME alone takes its value from the environment.
    #[arg(long, value_name = "NAME[=VALUE]")]
    build_arg: Vec<String>,
    /// Say where the values of FIELD come from instead: a default, the root, the target, an argument
    ///
    /// FIELD is a path such as `version`, `build.env.CFLAGS`, `tests[0].steps` or `sources`; everything below it is
    /// explained.
    #[arg(long, value_name = "FIELD")]
    explain: Option<String>,
    /// How to print the spec
    #[arg(long, value_enum, default_value = "yaml")]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// in the language of specs
    Yaml,
    /// the same keys, as JSON
    Json,
}

/// Prints the spec.
///
/// # Errors
/// When it cannot be read or has errors, or the target does not exist.
pub fn run(args: &Args) -> Result<(), CommandError> {
    let platform = match &args.platform {
        Some(text) => {
            text.parse::<Platform>().map_err(|error| CommandError::usage(format!("--platform: {error}")))?
        }
        None => dalec_frontend::default_platform(args.target.as_deref().unwrap_or_default(), &host()),
    };
    let build_args = build_args::collect(&args.build_arg, build_args::environment)?;
    let source_text = spec_file::read(&SpecFile::find(args.file.as_deref(), None)?)?;
    let loaded = dalec_spec::load(&source_text);
    let mut diagnostics = loaded.diagnostics;
    let Some(raw) = loaded.raw else {
        return Err(CommandError::Spec { source_text, diagnostics });
    };
    let mut options = ResolveOptions {
        platform,
        build_platform: host(),
        build_args,
        unknown_args: UnknownArgs::Reject,
        ..ResolveOptions::default()
    };
    if let Some(target) = &args.target {
        options.target = match key(target, &raw.target_keys()) {
            // The target may be among what could not be read.
            Err(_) if dalec_spec::has_errors(&diagnostics) => {
                return Err(CommandError::Spec { source_text, diagnostics });
            }
            key => key?,
        };
        // What a build for this target is told.
        options.build_args.insert("DALEC_TARGET".into(), options.target.clone());
    }
    let (spec, found) = raw.resolve(&options);
    diagnostics.extend(found);
    let Some(spec) = spec.filter(|_| !dalec_spec::has_errors(&diagnostics)) else {
        return Err(CommandError::Spec { source_text, diagnostics });
    };
    let style = RenderOptions {
        color: terminal::takes_color(Stream::Stderr),
        width: terminal::text_width(Stream::Stderr),
    };
    let diagnostics = dalec_spec::silence(&source_text, diagnostics);
    say(&dalec_spec::render(&source_text, &diagnostics, style));
    if let Some(field) = &args.explain {
        let explanations = raw.explain(&options, field).map_err(|error| CommandError::Usage {
            message: format!("--explain: {error}"),
            help: error.help.clone(),
            source: None,
        })?;
        return super::print(&match args.format {
            Format::Yaml => explain::text(&source_text, &options.target, &explanations),
            Format::Json => super::to_json(&explain::json(&source_text, &explanations))?,
        });
    }
    let text = match args.format {
        Format::Yaml => dalec_spec::to_yaml(&spec),
        Format::Json => super::to_json(&dalec_spec::to_json(&spec))?,
    };
    super::print(&text)
}

/// Returns the target key in `target`, a key or a route; it must be a key of the spec or of the language.
fn key(target: &str, in_spec: &[&str]) -> Result<String, CommandError> {
    let routes = dalec_frontend::targets(None);
    let key = target.split('/').next().unwrap_or_default();
    let names: Vec<String> = routes.iter().map(|route| route.name.clone()).collect();
    // What cannot be built yet can be looked at all the same.
    let keys: Vec<String> = dalec_frontend::TARGET_KEYS.iter().map(|key| (*key).to_owned()).collect();
    let known = match target.contains('/') {
        true => names.iter().any(|name| name == target),
        false => keys.iter().any(|known| known == key) || in_spec.contains(&key),
    };
    match known {
        true => Ok(key.to_owned()),
        false => {
            let mut candidates = if target.contains('/') { names } else { keys };
            candidates.extend(in_spec.iter().map(|key| (*key).to_owned()));
            Err(CommandError::target(FrontendError::UnknownTarget {
                target: target.to_owned(),
                routes: candidates,
            }))
        }
    }
}
