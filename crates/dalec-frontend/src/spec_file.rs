//! Reads the spec of a request through its gateway.

use dalec_gateway::{Gateway, GatewayError, SolveRequest};
use dalec_llb::{Local, Platform, State};
use dalec_spec::SourceText;

use crate::error::FrontendError;
use crate::options::Options;

/// Name of the context that holds the spec, as BuildKit clients send it.
const CONTEXT: &str = "dockerfile";

/// Reads the spec file that `options` names.
///
/// # Errors
/// [`FrontendError::SpecFile`] when it is not there or no text, gateway errors otherwise.
pub fn read(gateway: &dyn Gateway, options: &Options) -> Result<SourceText, FrontendError> {
    let unreadable = |source: Box<dyn std::error::Error + Send + Sync>| FrontendError::SpecFile {
        filename: options.filename.clone(),
        source,
    };
    let definition = match gateway.inputs()?.remove(CONTEXT) {
        Some(input) => input,
        None => State::local(Local {
            name: CONTEXT.into(),
            include: vec![escaped(&options.filename)],
            follow: vec![options.filename.clone()],
            label: format!("[internal] load {}", options.filename),
            session: gateway.build_options().session.clone(),
            ..Local::default()
        })
        .marshal(&Platform::host()),
    };
    let solved = gateway.solve(SolveRequest { definition, evaluate: false })?;
    let content = match solved {
        Some(reference) => gateway.read_file(&reference, &options.filename, None),
        None => Err(GatewayError::NotFound { path: options.filename.clone() }),
    };
    let content = content.map_err(|error| match error {
        GatewayError::NotFound { .. } => unreadable(error.into()),
        other => other.into(),
    })?;
    SourceText::from_bytes(&options.filename, content).map_err(|error| unreadable(error.into()))
}

/// Returns the pattern that matches `name` alone.
fn escaped(name: &str) -> String {
    let mut pattern = String::with_capacity(name.len());
    for char in name.chars() {
        if matches!(char, '*' | '?' | '[' | '\\') {
            pattern.push('\\');
        }
        pattern.push(char);
    }
    pattern
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn names_are_no_patterns() {
        assert_eq!(escaped("a[1]*.yml"), "a\\[1]\\*.yml");
        assert_eq!(escaped("dir/spec.yml"), "dir/spec.yml");
    }
}
