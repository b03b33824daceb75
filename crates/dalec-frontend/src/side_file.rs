//! Files beside the spec that build arguments name: a file in a context.

use dalec_gateway::GatewayError;
use dalec_spec::SourceText;

use crate::contexts::Contexts;
use crate::error::FrontendError;

/// More bytes than this are no such file.
const LARGEST: u64 = 1 << 20;

/// How a file beside the spec is named.
#[derive(Debug, Clone, Copy)]
pub struct SideFile {
    /// Build argument that names the file.
    pub path: &'static str,
    /// Build argument that names its context.
    pub context: &'static str,
    /// The context where none is named.
    pub default_context: &'static str,
}

impl SideFile {
    /// Returns the path that the request names; empty where it names none.
    pub fn path_in<'a>(&self, contexts: &Contexts<'a>) -> &'a str {
        argument(contexts, self.path)
    }

    /// Returns the context that the request means.
    pub fn context_in<'a>(&self, contexts: &Contexts<'a>) -> &'a str {
        match argument(contexts, self.context) {
            "" => self.default_context,
            context => context,
        }
    }

    /// Reads the file that the request names.
    ///
    /// # Errors
    /// [`FrontendError::Option`] when it is not there or no text, and what looking it up says.
    pub fn read(&self, contexts: &Contexts<'_>) -> Result<SourceText, FrontendError> {
        let (path, context) = (self.path_in(contexts), self.context_in(contexts));
        let wrong =
            |name: &str, message| FrontendError::Option { option: format!("build-arg {name}"), message };
        let inside = path.trim_start_matches('/');
        if inside.split('/').any(|part| part == "..") {
            return Err(wrong(self.path, format!("{path:?} leaves the build context {context:?}")));
        }
        let content = match contexts.read(context, inside, LARGEST) {
            Ok(Some(content)) => content,
            Ok(None) => return Err(wrong(self.context, format!("there is no build context {context:?}"))),
            Err(FrontendError::Gateway(GatewayError::NotFound { .. })) => {
                let message = format!("there is no file {path:?} in the build context {context:?}");
                return Err(wrong(self.path, message));
            }
            Err(error) => return Err(error),
        };
        SourceText::from_bytes(path, content).map_err(|error| wrong(self.path, error.to_string()))
    }
}

fn argument<'a>(contexts: &Contexts<'a>, name: &str) -> &'a str {
    contexts.options.build_args.get(name).map_or("", String::as_str)
}
