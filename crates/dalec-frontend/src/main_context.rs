//! Where the main context and the spec of a request are, as BuildKit's `frontend/dockerui` has it.
//!
//! Usually the client serves both as directories. When the main context is an address, or an input of the request, the
//! spec lies in it, unless the client says that it has the spec itself.

use dalec_gateway::{FileRange, Gateway, GatewayError, Reference, SolveRequest};
use dalec_llb::{Copy, File, Http, Local, Platform, State};
use dalec_spec::SourceText;

use crate::error::FrontendError;
use crate::options::Options;
use crate::remote;

/// Name of the main context, and of the directory that it usually is.
pub const MAIN: &str = "context";
/// Name of the context that holds the spec, as BuildKit's clients send it.
pub const SPEC: &str = "dockerfile";

/// How a file is called that a context's address yields.
const DOWNLOADED: &str = "context";
/// An archive can be told by this many bytes.
const HEAD: u64 = 1024;
/// More bytes than this are no spec.
const LARGEST_SPEC: u64 = 32 << 20;

/// Where the main context and the spec of one request are.
#[derive(Debug, Clone)]
pub struct MainContext {
    /// The main context, unless it is a directory that the client serves.
    pub state: Option<State>,
    /// What holds the spec, unless it is a directory that the client serves.
    spec: Option<State>,
    /// Name of the spec file.
    filename: String,
}

impl MainContext {
    /// Finds out where they are; an address is looked at.
    ///
    /// # Errors
    /// [`FrontendError::Option`] for an address that is none, gateway errors while looking at it.
    pub fn find(gateway: &dyn Gateway, options: &Options) -> Result<Self, FrontendError> {
        let mut filename = options.filename.clone();
        let (mut state, spec);
        if let Some(git) = remote::git(&options.main_context) {
            let mut git = git.map_err(|message| FrontendError::Option { option: MAIN.into(), message })?;
            git.keep_git_dir |= options.flag("BUILDKIT_CONTEXT_KEEP_GIT_DIR")?;
            state = Some(State::git(git));
            spec = state.clone();
        } else if options.main_context.starts_with("http://") || options.main_context.starts_with("https://")
        {
            let (downloaded, is_archive) = download(gateway, &options.main_context)?;
            if !is_archive && !options.names_spec_context {
                DOWNLOADED.clone_into(&mut filename);
            }
            state = Some(downloaded);
            spec = state.clone();
        } else {
            let input = |name: &str| {
                gateway.inputs()?.remove(name).map(|input| state_of_input(name, &input)).transpose()
            };
            state = input(MAIN)?;
            spec = input(SPEC)?;
        }
        if let (Some(whole), Some(subdir)) = (&state, &options.context_subdir) {
            let copy = Copy { contents_only: true, ..Copy::default() };
            let file = File::new("[internal] take a part of the main context").copy(whole, subdir, "/", copy);
            state = Some(State::scratch().file(file));
        }
        // A client that names the directory of its spec means that one.
        let spec = spec.filter(|_| !options.names_spec_context);
        Ok(Self { state, spec, filename })
    }

    /// Reads the spec.
    ///
    /// # Errors
    /// [`FrontendError::SpecFile`] when it is not there or no text, gateway errors otherwise.
    pub fn spec(&self, gateway: &dyn Gateway, options: &Options) -> Result<SourceText, FrontendError> {
        let name = &options.spec_context;
        let state = match &self.spec {
            Some(state) => state.clone(),
            None => State::local(Local {
                name: name.clone(),
                include: vec![escaped(&self.filename)],
                follow: vec![self.filename.clone()],
                label: format!("[internal] load {}", self.filename),
                session: options.session_of(name).to_owned(),
                ..Local::default()
            }),
        };
        let unreadable = |source: Box<dyn std::error::Error + Send + Sync>| FrontendError::SpecFile {
            filename: self.filename.clone(),
            source,
        };
        let content = read(gateway, &state, &self.filename, LARGEST_SPEC);
        let content = content.map_err(|error| match error {
            GatewayError::NotFound { .. } => unreadable(error.into()),
            other => other.into(),
        })?;
        SourceText::from_bytes(&self.filename, content).map_err(|error| unreadable(error.into()))
    }
}

/// Returns what the file `path` of `state` holds, which may not be more than `limit` bytes.
///
/// # Errors
/// What the gateway says; [`GatewayError::Request`] for a larger file.
pub fn read(gateway: &dyn Gateway, state: &State, path: &str, limit: u64) -> Result<Vec<u8>, GatewayError> {
    let missing = || GatewayError::NotFound { path: path.to_owned() };
    let reference = solve(gateway, state)?.ok_or_else(missing)?;
    let range = FileRange { offset: 0, length: limit + 1 };
    let content = gateway.read_file(&reference, path, Some(range))?;
    match content.len() as u64 > limit {
        true => Err(GatewayError::Request { message: format!("{path} is larger than {limit} bytes") }),
        false => Ok(content),
    }
}

/// Returns the pattern that matches the path `name` alone.
pub fn escaped(name: &str) -> String {
    let mut pattern = String::with_capacity(name.len());
    for char in name.chars() {
        if matches!(char, '*' | '?' | '[' | '\\') {
            pattern.push('\\');
        }
        pattern.push(char);
    }
    pattern
}

/// Returns the graph that the request has as its input `name`.
///
/// # Errors
/// [`FrontendError::Option`] when it is none.
pub fn state_of_input(name: &str, input: &dalec_llb::pb::Definition) -> Result<State, FrontendError> {
    State::from_definition(input).map_err(|error| FrontendError::Option {
        option: format!("input {name}"),
        message: format!("it is no graph: {error}"),
    })
}

/// Returns what is at `url`, unpacked if it is an archive, and whether it is one.
fn download(gateway: &dyn Gateway, url: &str) -> Result<(State, bool), FrontendError> {
    let file = State::http(Http {
        url: url.to_owned(),
        filename: DOWNLOADED.into(),
        label: "[internal] load remote build context".into(),
        ..Http::default()
    });
    let missing = || GatewayError::NotFound { path: DOWNLOADED.into() };
    let reference = solve(gateway, &file)?.ok_or_else(missing)?;
    let head = gateway.read_file(&reference, DOWNLOADED, Some(FileRange { offset: 0, length: HEAD }))?;
    if !is_archive(&head) {
        return Ok((file, false));
    }
    let copy = Copy { unpack: true, ..Copy::default() };
    let unpack = File::new("[internal] unpack the build context");
    Ok((State::scratch().file(unpack.copy(&file, &format!("/{DOWNLOADED}"), "/", copy)), true))
}

fn solve(gateway: &dyn Gateway, state: &State) -> Result<Option<Reference>, GatewayError> {
    gateway.solve(SolveRequest { definition: state.marshal(&Platform::host()), evaluate: false })
}

/// Returns whether a file that begins with `head` is a tar archive, compressed or not.
fn is_archive(head: &[u8]) -> bool {
    const COMPRESSED: [&[u8]; 4] = [b"\x1f\x8b\x08", b"BZh", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd"];
    COMPRESSED.iter().any(|magic| head.starts_with(magic)) || head.get(257..262) == Some(b"ustar")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_no_patterns() {
        assert_eq!(escaped("a[1]*.yml"), "a\\[1]\\*.yml");
        assert_eq!(escaped("dir/spec.yml"), "dir/spec.yml");
    }

    #[test]
    fn archives_are_known_by_their_first_bytes() {
        let mut tar = vec![0; 512];
        tar[257..262].copy_from_slice(b"ustar");
        for archive in [tar.as_slice(), b"\x1f\x8b\x08\0", b"BZh9", b"\xfd7zXZ\0"] {
            assert!(is_archive(archive));
        }
        assert!(!is_archive(b"name: hello\n"));
    }
}
