//! Generators: what is downloaded for a build beside its sources.

use crate::codes;
use crate::decode::{
    Decode, Decoder, Fallback, Field, List, Map, Object, Rule, Text, Tracer, Whole, Wording, object,
};
use crate::diagnostic::Diagnostic;
use crate::emit::Tree;
use crate::raw::rules::{GoModule, GoModulePath, HostName, IndexUrl, InnerPath, SecretName, SshUser};
use crate::resolve::Resolver;
use crate::shape::{Shape, TextShape};
use crate::span::Span;
use crate::target_spec::{Generator, GitSource, GomodAuth, GomodReplace, GomodSsh};
use crate::yaml::{Kind, Node};

object! {
    /// What is downloaded for the build beside the source. One entry can have several kinds.
    RawGenerator: "a generator", closed, some_of ["gomod", "cargohome", "pip", "nodemod"]
        => Generator, span self {
        /// Directory of the source to work in.
        /// Example: cmd/tool
        "subpath" subpath: Text<InnerPath>,
        /// The Go modules that `go.mod` asks for.
        /// Example: {}
        "gomod" gomod: Option<RawGomod>,
        /// The crates that `Cargo.lock` asks for.
        /// Example: {}
        "cargohome" cargohome: Option<RawCargohome>,
        /// The Python packages that the requirements ask for.
        /// Example: {requirements_file: requirements-build.txt}
        "pip" pip: Option<RawPip>,
        /// The npm packages that `package.json` asks for; they are put into the source.
        /// Example: {}
        "nodemod" nodemod: Option<RawNodemod>,
    }
}

object! {
    /// The Go modules that `go.mod` asks for.
    RawGomod: "the gomod generator", closed => Gomod {
        /// Directories with a `go.mod`, below `subpath`.
        /// Default: ["."]
        /// Example: [".", tools]
        "paths" paths: PathList,
        /// How to log in to hosts of private modules, by host.
        /// Default: the credentials of the git source, for its host
        /// Example: {github.com: {token: GITHUB_TOKEN}}
        "auth" auth: Map<RawGomodAuth, HostName>,
        /// Changes to `go.mod` before anything is downloaded.
        /// Example: {drop: [github.com/octo/unused]}
        "edits" edits: Option<RawGomodEdits>,
    }
}

object! {
    /// How to log in to the host of private Go modules. The values are names of secrets and sockets.
    RawGomodAuth: "the credentials of a module host", open => GomodAuth {
        /// Name of the secret that holds a token. It comes before the others.
        /// Example: GITHUB_TOKEN
        "token" token: Text<SecretName>,
        /// Name of the secret that holds an `Authorization` header.
        /// Example: GIT_AUTH_HEADER
        "header" header: Text<SecretName>,
        /// An ssh socket.
        /// Example: {id: default}
        "ssh" ssh: Option<RawGomodSsh>,
    }
}

/// The user that git servers know.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct GitUser;

impl Fallback for GitUser {
    const TEXT: &'static str = "git";
}

object! {
    /// An ssh socket and the user to log in as.
    RawGomodSsh: "the ssh login", open => GomodSsh {
        /// Name of the ssh socket.
        /// Example: default
        "id" id: Text<SecretName>,
        /// User to log in as.
        /// Example: git
        "username" username: Text<SshUser, GitUser>,
    }
}

object! {
    /// Changes to `go.mod`.
    RawGomodEdits: "the gomod edits", open => GomodEdits {
        /// Modules to replace: `old => new`, or a mapping of `old` and `new`.
        /// Example: ["golang.org/x/net => golang.org/x/net@v0.33.0"]
        "replace" replace: List<RawReplace>,
        /// Modules that are no longer required.
        /// Example: [github.com/octo/unused]
        "drop" drop: List<Text<GoModulePath>>,
    }
}

object! {
    /// A Go module and what replaces it.
    RawReplacePair: "a gomod replacement", closed, needs ["old", "new"] {
        /// The module, with or without version.
        /// Example: golang.org/x/net
        "old" old: Text<GoModule>,
        /// The module with its version, or a directory.
        /// Example: golang.org/x/net@v0.33.0
        "new" new: Text<GoModule>,
    }
}

object! {
    /// The crates that `Cargo.lock` asks for.
    RawCargohome: "the cargohome generator", closed => Cargohome {
        /// Directories with a `Cargo.lock`, below `subpath`.
        /// Default: ["."]
        /// Example: [".", cli]
        "paths" paths: PathList,
    }
}

/// The file that Python projects list their requirements in.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct RequirementsFile;

impl Fallback for RequirementsFile {
    const TEXT: &'static str = "requirements.txt";
}

object! {
    /// The Python packages that the requirements ask for, as sources.
    RawPip: "the pip generator", closed => Pip {
        /// Directories with a requirements file, below `subpath`.
        /// Default: ["."]
        /// Example: [".", docs]
        "paths" paths: PathList,
        /// Name of the requirements file.
        /// Example: requirements-build.txt
        "requirements_file" requirements_file: Text<InnerPath, RequirementsFile>,
        /// Package index to use instead of pip's own.
        /// Example: "https://packages.example.org/simple"
        "index_url" index_url: Text<IndexUrl>,
        /// Further package indexes.
        /// Example: ["https://packages.example.org/extra"]
        "extra_index_urls" extra_index_urls: List<Text<IndexUrl>>,
    }
}

object! {
    /// The npm packages that `package.json` asks for.
    RawNodemod: "the nodemod generator", closed => Nodemod {
        /// Directories with a `package.json`, below `subpath`.
        /// Default: ["."]
        /// Example: [".", web]
        "paths" paths: PathList,
        /// Package registry to use instead of npm's own.
        /// Example: "https://packages.example.org/npm"
        "registry" registry: Text<IndexUrl>,
    }
}

type Paths = Whole<List<Text<InnerPath>>>;

/// Directories to work in; absent means the generator's directory itself, an empty list none.
#[derive(Debug, Clone, Default)]
pub(crate) struct PathList(Paths);

impl Decode for PathList {
    const TAKES: &'static str = Paths::TAKES;

    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Self {
        Self(Paths::decode(node, decoder))
    }

    fn shape() -> Shape {
        Paths::shape()
    }

    fn is_given(&self) -> bool {
        self.0.is_given()
    }

    fn trace(&self, tracer: &mut Tracer<'_>) {
        self.0.trace(tracer);
    }
}

impl Field for PathList {
    type Output = Vec<String>;

    fn resolve(&self, resolver: &mut Resolver<'_>) -> Vec<String> {
        if self.0.is_given() { self.0.resolve(resolver) } else { vec![".".to_owned()] }
    }

    fn emit(output: &Vec<String>) -> Tree {
        Paths::emit(output)
    }
}

/// A replacement in one of its two forms.
#[derive(Debug, Clone, Default)]
pub(crate) struct RawReplace {
    old: String,
    new: String,
    span: Span,
}

/// What separates the two sides of a replacement.
const ARROW: &str = " => ";

impl Decode for RawReplace {
    const TAKES: &'static str = "`old => new`, or a mapping of `old` and `new`";

    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Self {
        let span = node.span();
        match &node.value.kind {
            Kind::Mapping(_) => {
                let pair = RawReplacePair::decode(node, decoder);
                Self { old: pair.old.value, new: pair.new.value, span: pair.span }
            }
            Kind::Scalar(scalar) if !node.is_null() => {
                let Some([(old_at, old), (new_at, new)]) = sides(&scalar.text) else {
                    let message = format!("`{}` does not say what replaces what", scalar.text);
                    let diagnostic = Diagnostic::error(codes::INVALID_VALUE, span, message);
                    decoder.report(diagnostic.help("write `old => new`, with blanks around the arrow"));
                    return Self::default();
                };
                for (start, side) in [(old_at, old), (new_at, new)] {
                    if let Err(mut complaint) = GoModule::check(side) {
                        let part = complaint.part.unwrap_or(0..side.len());
                        complaint.part = Some(start + part.start..start + part.end);
                        decoder.report(complaint.at(decoder.source, span, &scalar.text));
                        return Self::default();
                    }
                }
                Self { old: old.to_owned(), new: new.to_owned(), span }
            }
            _ => {
                decoder.wrong_type(node, Self::TAKES, None);
                Self::default()
            }
        }
    }

    fn shape() -> Shape {
        let text = TextShape {
            takes: "`old => new`",
            pattern: Some("^ *([./].*|[^ ]+) +=> +([./].*|[^ ]+) *$"),
            code: codes::INVALID_VALUE,
            expanded: false,
            words: Vec::new(),
            default: "",
        };
        Shape::Either(vec![Shape::Text(text), Shape::Object(RawReplacePair::object_shape)])
    }

    fn is_given(&self) -> bool {
        !self.old.is_empty()
    }

    fn trace(&self, tracer: &mut Tracer<'_>) {
        tracer.value(self.span, Wording::Literal(&self.new));
    }
}

impl Field for RawReplace {
    type Output = GomodReplace;

    fn resolve(&self, _resolver: &mut Resolver<'_>) -> GomodReplace {
        GomodReplace { old: self.old.clone(), new: self.new.clone(), span: self.span }
    }

    fn emit(output: &GomodReplace) -> Tree {
        Tree::Text(format!("{}{ARROW}{}", output.old, output.new))
    }
}

/// Returns what stands on the two sides of the arrow in `text`, without blanks around it, and at which byte it begins.
fn sides(text: &str) -> Option<[(usize, &str); 2]> {
    let (old, new) = text.split_once(ARROW)?;
    let begin = |start: usize, side: &str| start + side.len() - side.trim_start().len();
    let sides = [(begin(0, old), old.trim()), (begin(old.len() + ARROW.len(), new), new.trim())];
    sides.iter().all(|(_, side)| !side.is_empty()).then_some(sides)
}

/// Lets the modules on the host of `git` be downloaded with the credentials of the source itself.
///
/// Upstream derives the host before arguments are expanded, and takes the whole address where it is not a URL.
pub(crate) fn default_auth(git: &GitSource, generators: &mut [Generator]) {
    let text = |name: &String| Some(name.clone()).filter(|name| !name.is_empty());
    let Some(host) = host(&git.url) else { return };
    let auth = match (text(&git.auth.token), text(&git.auth.header), text(&git.auth.ssh)) {
        (Some(token), ..) => GomodAuth { token, ..GomodAuth::default() },
        (_, Some(header), _) => GomodAuth { header, ..GomodAuth::default() },
        (.., Some(id)) => {
            let ssh = GomodSsh { id, username: GitUser::TEXT.to_owned() };
            GomodAuth { ssh: Some(ssh), ..GomodAuth::default() }
        }
        _ => return,
    };
    for gomod in generators.iter_mut().filter_map(|generator| generator.gomod.as_mut()) {
        gomod.auth.entry(host.to_owned()).or_insert_with(|| auth.clone());
    }
}

/// Returns the host of a git URL, with its port where it has one.
fn host(url: &str) -> Option<&str> {
    let (authority, _) = match url.split_once("://") {
        Some((_, rest)) => rest.split_once('/').unwrap_or((rest, "")),
        None => url.split_once(':')?,
    };
    let host = authority.rsplit('@').next()?;
    (!host.is_empty()).then_some(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_host_of_a_repository() {
        for (url, expected) in [
            ("https://github.com/o/r", Some("github.com")),
            ("https://user:pass@h:8080/r", Some("h:8080")),
            ("ssh://git@h/r", Some("h")),
            ("git@github.com:o/r.git", Some("github.com")),
            ("r", None),
        ] {
            assert_eq!(host(url), expected, "{url}");
        }
    }
}
