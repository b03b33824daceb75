//! What one build leaves out of all sources, besides what the spec says.

use crate::contexts::Contexts;
use crate::error::FrontendError;
use crate::side_file::SideFile;

/// The file that says what is left out, and its context.
const CONFIG: SideFile = SideFile {
    path: "DALEC_SOURCE_FILTER_CONFIG_PATH",
    context: "DALEC_SOURCE_FILTER_CONFIG_CONTEXT_NAME",
    default_context: "dalec-source-options",
};

/// Returns the patterns of files that all sources which are directories leave out; `warn` takes what people should know.
///
/// # Errors
/// [`FrontendError::Spec`] for a file that is no source filter; as [`SideFile::read`].
pub fn excludes(contexts: &Contexts<'_>, warn: &mut dyn FnMut(String)) -> Result<Vec<String>, FrontendError> {
    let path = CONFIG.path_in(contexts);
    if path.is_empty() {
        return Ok(Vec::new());
    }
    let source_text = CONFIG.read(contexts)?;
    let (filter, diagnostics) = dalec_spec::load_source_filter(&source_text);
    let Some(filter) = filter else { return Err(FrontendError::Spec { source_text, diagnostics }) };
    diagnostics.into_iter().for_each(|diagnostic| warn(format!("{path}: {}", diagnostic.message)));
    Ok(filter.global_excludes)
}
