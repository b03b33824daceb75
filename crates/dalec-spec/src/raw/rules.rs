//! What names, versions and paths may look like.
//!
//! These texts end up in file names, shell scripts, systemd and package control files. What is refused here depends on
//! the rule:
//!
//! - Versions, revisions, version constraints, architectures, capabilities, accounts, digests and names of variables and
//!   packages consist of characters that are listed here, none of which a quoted word of a shell reads as syntax.
//! - Names of files, sources and targets are one component of a path; inner paths and mount points have no `..`.
//! - Control characters, and with them line breaks, which could begin another line of a control file, are let through only
//!   in scripts, command lines, patterns, values of variables and names of arguments; [`Prose`] has line breaks and tabs.
//!
//! That is not all that a format may read: `%`, `(`, `)` and `|` pass in names of dependencies, `%` passes in [`Line`] and
//! [`Prose`], and quotes, blanks and `$` pass in paths, URLs and names of sources. Whoever writes an RPM spec file, a list
//! of dependencies or a shell script escapes what that format reads, or refuses it.

use regex::bytes::RegexBuilder;

use crate::codes;
use crate::decode::{AnyText, Complaint, Rule};
use crate::go_pattern;
use crate::shlex::{self, ShlexError};

type Checked = Result<(), Complaint>;

/// A rule with its name, its pattern and its check.
#[cfg(test)]
type Known = (&'static str, Option<&'static str>, fn(&str) -> Checked);

/// Declares rules whose checks are plain functions: a name, what the text is, and optionally a pattern for the
/// schema and the code of the finding.
macro_rules! rules {
    ($(
        $(#[$doc:meta])* $name:ident: $takes:literal $(like $pattern:tt)? $(code $code:path)? = $check:expr;
    )*) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, Copy, Default)]
            pub(crate) struct $name;

            impl Rule for $name {
                const TAKES: &'static str = $takes;
                $( const PATTERN: Option<&'static str> = Some($pattern); )?
                $( const CODE: &'static str = $code; )?

                fn check(text: &str) -> Checked {
                    let check: fn(&str) -> Checked = $check;
                    check(text)
                }
            }
        )*

        /// The rules with their patterns.
        #[cfg(test)]
        const ALL: &[Known] =
            &[$((stringify!($name), <$name as Rule>::PATTERN, <$name as Rule>::check)),*];
    };
}

/// A component of a path other than `.` and `..`, as a pattern.
macro_rules! component {
    () => {
        r"([^/.][^/]*|\.[^/.][^/]*|\.\.[^/]+)"
    };
}

const FILE_NAME: &str = concat!("^", component!(), "$");
const INNER_PATH: &str = concat!(r"^(\.|", component!(), r")?(/(\.|", component!(), r")?)*$");
const MOUNT_POINT: &str = concat!(r"^/(\.?/)*", component!(), r"(/(\.|", component!(), r")?)*$");

rules! {
    /// Name of the package.
    PackageName: "a package name" like "^[A-Za-z0-9][A-Za-z0-9+._ -]*$" = package_name;
    /// Upstream version.
    Version: "a version" like "^[A-Za-z0-9][A-Za-z0-9.+~^_-]*$"
        = |text| version(text, "a version", "letters, digits, `.`, `+`, `~`, `^`, `_` and `-`", ".+~^_-");
    /// Packaging revision.
    Revision: "a revision" like "^[A-Za-z0-9][A-Za-z0-9.+~^_]*$"
        = |text| version(text, "a revision", "letters, digits, `.`, `+`, `~`, `^` and `_`", ".+~^_");
    /// Text of several lines for people.
    Prose: "text of one or more lines" = prose;
    /// Name of a package in a dependency list.
    Dependency: "the name of a package" like r#"^[^"'`\\$;&<>,{}!*# -][^"'`\\$;&,{}!*#]*$"# = dependency;
    /// Version constraint of a dependency.
    Constraint: "a version constraint such as `>= 1.2`" like "^[A-Za-z0-9<>=.+~^_: -]+$" = constraint;
    /// Processor name.
    Arch: "an architecture" like "^[A-Za-z0-9_.-]+$" = |text| word(text, "an architecture", "_-.");
    /// Name of an argument.
    ArgName: "the name of an argument" = AnyText::check;
    /// Name of an environment variable.
    EnvName: "the name of a variable" like "^[A-Za-z_][A-Za-z0-9_]*$" = env_name;
    /// `NAME=value` entry of an image's environment.
    EnvEntry: "`NAME=value`" like "^[A-Za-z_][A-Za-z0-9_]*=" = env_entry;
    /// Name of a source.
    SourceName: "the name of a source" like r"^([^/.-][^/]*|\.[^/.][^/]*|\.\.[^/]+)$" = source_name;
    /// Name of a file in an inline directory.
    FileName: "the name of a file" like FILE_NAME = file_name;
    /// Key of a target.
    TargetKey: "the key of a target" like FILE_NAME = target_key;
    /// Name of a user or group, or its number.
    Account: "the name of a user or group, or a number" like "^([0-9]+|[A-Za-z_][A-Za-z0-9_.-]*[$]?)$" = account;
    /// Name of a user or group to create.
    NewAccount: "the name of a user or group" like "^[A-Za-z_][A-Za-z0-9_.-]*[$]?$" = new_account;
    /// Linux capability.
    CapabilityName: "the name of a capability" like "^[A-Za-z0-9_]+$"
        = |text| word(text, "a capability", "_");
    /// Path in the build root or on the target; no line breaks.
    Path: "a path" like r"^[^\x00-\x1f]+$" = path;
    /// Path that stays below where it is put.
    InnerPath: "a path without `..`" like INNER_PATH = inner_path;
    /// Absolute path other than the root.
    MountPoint: "an absolute path other than `/`" like MOUNT_POINT = mount_point;
    /// Path of a file or directory to take, or a pattern of such paths.
    FilePattern: "a path or a pattern such as `**/*.md`" like r"^[^\x00-\x1f]+$" = path;
    /// Address of a file.
    Url: "an http or https URL" like "^https?://[^ ]+$" = url;
    /// Address of a package index.
    IndexUrl: "an http or https URL" like "^https?://[^ ]+$" = url;
    /// Commit, tag or branch of a git repository.
    Commit: "a commit, tag or branch" like "^[^- ][^ ]*$" = commit;
    /// Start of the hash of a commit.
    CommitHash: "the hash of a commit" like "^[0-9a-f]{4,64}$" = commit_hash;
    /// Name of a secret, or of an ssh socket.
    SecretName: "the name of a secret or ssh socket" like "^[^ ]+$" code codes::SECRET_IN_SPEC = secret_name;
    /// User to log in as with ssh.
    SshUser: "the name of a user" like "^[^ ]+$" = |text| no_blanks(text, "the name of a user");
    /// Name of a build context.
    ContextName: "the name of a build context" like r"^[^\x00-\x1f]+$" = context_name;
    /// Digest of a file.
    Digest: "a digest such as `sha256:` and 64 hexadecimal digits"
        like "^(sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128})$" = digest;
    /// Image reference.
    ImageRef: "an image reference" like "^[^ ]+$" = |text| no_blanks(text, "an image reference");
    /// Go module, with or without version, or a directory.
    GoModule: "a Go module, with or without `@version`" = go_module;
    /// Go module path without a version.
    GoModulePath: "the path of a Go module" like "^[^-./@ ][^@ ]*$" = go_module_path;
    /// Part of the name of a cache.
    CacheKey: "a name" = |text| characters(
        text,
        |char| !char.is_control(),
        |what| Complaint::new(format!("the name of a cache cannot hold {what}")).help("remove it"),
    );
    /// Shell script.
    Script: "a shell script" = AnyText::check;
    /// Command line without a shell.
    CommandLine: "a command line" code codes::COMMAND_SYNTAX = command_line;
}

/// Complains about the first character of `text` for which `ok` is false.
fn characters(text: &str, ok: impl Fn(char) -> bool, complain: impl Fn(String) -> Complaint) -> Checked {
    match text.char_indices().find(|(_, char)| !ok(*char)) {
        Some((at, char)) => Err(complain(show(char)).part(at..at + char.len_utf8())),
        None => Ok(()),
    }
}

fn show(char: char) -> String {
    match char {
        '\n' => "a line break".to_owned(),
        '\r' => "a carriage return".to_owned(),
        '\t' => "a tab".to_owned(),
        ' ' => "a blank".to_owned(),
        '`' => "a backtick".to_owned(),
        char if char.is_control() => format!("the control character U+{:04X}", u32::from(char)),
        char => format!("`{char}`"),
    }
}

fn package_name(text: &str) -> Checked {
    let help = "use letters, digits, `+`, `-` and `.`; Debian packages need lower case";
    // Upstream loads names with blanks; whoever makes packages refuses them.
    let ok = |char: char| char.is_ascii_alphanumeric() || "+-._ ".contains(char);
    characters(text, ok, |what| Complaint::new(format!("a package name cannot hold {what}")).help(help))?;
    if !text.starts_with(|char: char| char.is_ascii_alphanumeric()) {
        return Err(Complaint::new("a package name begins with a letter or a digit").part(0..1).help(help));
    }
    Ok(())
}

fn version(text: &str, what: &str, allowed: &str, punctuation: &str) -> Checked {
    let ok = |char: char| char.is_ascii_alphanumeric() || punctuation.contains(char);
    let help = format!("it becomes part of file names: use {allowed}");
    characters(text, ok, |found| Complaint::new(format!("{what} cannot hold {found}")).help(help.as_str()))?;
    if !text.starts_with(|char: char| char.is_ascii_alphanumeric()) {
        let complaint = Complaint::new(format!("{what} begins with a letter or a digit")).part(0..1);
        return Err(complaint.help("leave out what stands before it"));
    }
    Ok(())
}

/// Address of a git repository.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct GitUrl;

impl Rule for GitUrl {
    const TAKES: &'static str = "a git URL";

    const PATTERN: Option<&'static str> = Some(
        r"^((https|http|ssh|git|git\+ssh)://[^/ ]+/[^ ]*|[^-: ][^: ]*:(/|/?[^/ ][^ ]*)|[^-./: ][^/: ]*(:[0-9]+)?/[^ ]+)$",
    );

    fn check(text: &str) -> Checked {
        git_url(text)
    }

    fn normalize(text: String) -> String {
        if is_of_no_scheme(&text) { format!("https://{text}") } else { text }
    }
}

/// Text for one line of a control file; line breaks at its end, as blocks have them, do not count.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Line;

impl Rule for Line {
    const TAKES: &'static str = "text on one line";

    const PATTERN: Option<&'static str> = Some(r"^[^\x00-\x1f]*[\r\n]*$");

    fn check(text: &str) -> Checked {
        line(text)
    }

    fn normalize(text: String) -> String {
        text.trim_end_matches(['\n', '\r']).to_owned()
    }
}

/// Path of a file to check in the tested container; checks run with `/` as working directory.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct CheckedPath;

impl Rule for CheckedPath {
    const TAKES: &'static str = "a path in the tested container";

    const PATTERN: Option<&'static str> = Path::PATTERN;

    fn check(text: &str) -> Checked {
        path(text)
    }

    fn normalize(text: String) -> String {
        format!("/{}", text.trim_start_matches('/'))
    }
}

/// Host name, with its port where it has one; arguments are expanded in it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct HostName;

impl Rule for HostName {
    const TAKES: &'static str = "a host name";

    const PATTERN: Option<&'static str> = Some("^[^/ ]+$");

    const EXPANDED_KEY: bool = true;

    fn check(text: &str) -> Checked {
        host_name(text)
    }
}

fn line(text: &str) -> Checked {
    let text = text.trim_end_matches(['\n', '\r']);
    characters(
        text,
        |char| !char.is_control(),
        |what| {
            Complaint::new(format!("this text must fit on one line, but holds {what}"))
                .help("write it on one line; long texts belong in `description`")
        },
    )
}

fn prose(text: &str) -> Checked {
    characters(
        text,
        |char| matches!(char, '\n' | '\t') || !char.is_control(),
        |what| Complaint::new(format!("this text cannot hold {what}")).help("remove it"),
    )
}

fn dependency(text: &str) -> Checked {
    // `name (>= 1.2)`, as in Debian's control files, is split later.
    let end = text.find(" (").filter(|_| text.ends_with(')')).unwrap_or(text.len());
    let ok = |char: char| char.is_ascii_graphic() && !"\"'`\\$;&,{}!*#".contains(char) || char == ' ';
    let relation = text;
    let text = &text[..end];
    if let Some((at, char)) =
        relation.char_indices().skip_while(|(at, _)| *at < end).find(|(_, char)| !ok(*char))
    {
        let message = format!("the version behind a package name cannot hold {}", show(char));
        let complaint = Complaint::new(message).part(at..at + char.len_utf8());
        return Err(complaint.help(format!("write `{text}: {{version: [\">= 1.2\"]}}`")));
    }
    let ok = |char: char| ok(char) && !matches!(char, '<' | '>');
    characters(text, ok, |what| {
        Complaint::new(format!("a package name cannot hold {what}"))
            .help("versions stand in the value: `name: {version: [\">= 1.2\"]}`")
    })?;
    if text.starts_with('-') || text.trim() != text {
        return Err(Complaint::new(format!("`{text}` is no package name"))
            .help("begin it with a letter or a digit, without blanks around it"));
    }
    Ok(())
}

fn constraint(text: &str) -> Checked {
    let ok = |char: char| char.is_ascii_alphanumeric() || "<>=.+~^_:- ".contains(char);
    characters(text, ok, |what| {
        Complaint::new(format!("a version constraint cannot hold {what}"))
            .help("write an operator, a blank and a version: `>= 1.2`")
    })
}

fn word(text: &str, what: &str, punctuation: &str) -> Checked {
    let ok = |char: char| char.is_ascii_alphanumeric() || punctuation.contains(char);
    let marks: Vec<String> = punctuation.chars().map(|char| format!("`{char}`")).collect();
    let help = format!("use only letters, digits and these: {}", marks.join(" "));
    characters(text, ok, |found| Complaint::new(format!("{what} cannot hold {found}")).help(help.as_str()))
}

fn env_name(text: &str) -> Checked {
    let complain = |what: String| {
        Complaint::new(format!("the name of a variable cannot hold {what}"))
            .help("use letters, digits and `_`")
    };
    if text.is_empty() {
        return Err(
            Complaint::new("the name of a variable is missing").help("write the name, or remove the entry")
        );
    }
    characters(text, |char| char.is_ascii_alphanumeric() || char == '_', complain)?;
    if text.starts_with(|char: char| char.is_ascii_digit()) {
        let complaint = Complaint::new("the name of a variable cannot begin with a digit").part(0..1);
        return Err(complaint.help("put a letter or `_` before it"));
    }
    Ok(())
}

fn env_entry(text: &str) -> Checked {
    match text.split_once('=') {
        Some((name, value)) => env_name(name).and_then(|()| AnyText::check(value)),
        None => Err(Complaint::new("an environment entry needs a `=`").help(format!("write `{text}=value`"))),
    }
}

fn file_name(text: &str) -> Checked {
    component(text, "a file name", "write the name alone: there are no directories here")
}

fn target_key(text: &str) -> Checked {
    component(text, "the key of a target", "write the part before the first `/`, such as `bookworm`")
}

fn source_name(text: &str) -> Checked {
    let help = "a source becomes the file or directory of its name: write a name without `/`, such as `src`";
    component(text, "the name of a source", help)?;
    if text.starts_with('-') {
        let complaint = Complaint::new("the name of a source cannot begin with `-`").part(0..1);
        return Err(complaint.help("begin it with another character"));
    }
    Ok(())
}

/// Checks a name that is one component of a path.
fn component(text: &str, what: &str, help: &str) -> Checked {
    if matches!(text, "" | "." | "..") {
        return Err(Complaint::new(format!("{what} cannot be `{text}`")).help(help));
    }
    characters(
        text,
        |char| char != '/' && !char.is_control(),
        |found| Complaint::new(format!("{what} cannot hold {found}")).help(help),
    )
}

fn account(text: &str) -> Checked {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { Ok(()) } else { new_account(text) }
}

fn new_account(text: &str) -> Checked {
    let ok = |char: char| char.is_ascii_alphanumeric() || "_-.$".contains(char);
    let help = "use letters, digits, `_`, `-` and `.`";
    characters(text, ok, |what| {
        Complaint::new(format!("the name of a user or group cannot hold {what}")).help(help)
    })?;
    let tail = text.strip_suffix('$').unwrap_or(text);
    if tail.contains('$') || !text.starts_with(|char: char| char.is_ascii_alphabetic() || char == '_') {
        return Err(Complaint::new(format!("`{text}` is no name of a user or group")).help(help));
    }
    Ok(())
}

fn path(text: &str) -> Checked {
    if text.is_empty() {
        return Err(Complaint::new("a path is missing").help("write the path, or remove the entry"));
    }
    let complain = |what| Complaint::new(format!("a path cannot hold {what}")).help("remove it");
    characters(text, |char| !char.is_control(), complain)
}

fn context_name(text: &str) -> Checked {
    if text.is_empty() {
        return Err(Complaint::new("the name of the build context is missing")
            .help("write the name, or remove the entry for the main context"));
    }
    let complain =
        |what| Complaint::new(format!("the name of a build context cannot hold {what}")).help("remove it");
    characters(text, |char| !char.is_control(), complain)
}

fn inner_path(text: &str) -> Checked {
    path(text)?;
    if text.split('/').any(|component| component == "..") {
        return Err(Complaint::new("`..` leads out of the directory this path belongs to")
            .help("write the path without `..`"));
    }
    Ok(())
}

fn mount_point(text: &str) -> Checked {
    inner_path(text)?;
    if !text.starts_with('/') {
        return Err(Complaint::new("a mount needs an absolute path").help(format!("write `/{text}`")));
    }
    if text.split('/').all(|component| matches!(component, "" | ".")) {
        return Err(Complaint::new("nothing can be mounted over `/`").help("choose a directory below it"));
    }
    Ok(())
}

/// How the tokens of well-known services begin.
const TOKENS: &[&str] = &["ghp_", "gho_", "ghs_", "ghu_", "github_pat_", "glpat-", "Basic ", "Bearer "];

/// A secret itself is refused without showing it: logs are read by many.
fn secret_name(text: &str) -> Checked {
    let is_secret = TOKENS.iter().any(|token| text.starts_with(token));
    if is_secret || text.chars().any(|char| char.is_whitespace() || char.is_control()) {
        return Err(Complaint::new("here stands the name of a secret, not the secret itself")
            .code(codes::SECRET_IN_SPEC)
            .help("write a name such as `GIT_AUTH_TOKEN`, and give the secret with `--secret id=GIT_AUTH_TOKEN,...`"));
    }
    Ok(())
}

fn no_blanks(text: &str, what: &str) -> Checked {
    characters(
        text,
        |char| !char.is_whitespace() && !char.is_control(),
        |found| {
            Complaint::new(format!("{what} cannot hold {found}"))
                .help("write it without blanks and line breaks")
        },
    )
}

fn url(text: &str) -> Checked {
    no_blanks(text, "a URL")?;
    let has_host = ["https://", "http://"]
        .iter()
        .any(|scheme| text.strip_prefix(scheme).is_some_and(|rest| !rest.is_empty()));
    if !has_host {
        return Err(Complaint::new(format!("`{text}` is no http address")).help("write https://host/path"));
    }
    Ok(())
}

/// Takes what `git` itself takes: a URL, or the short form of ssh; and a host with a path, which https is meant by.
fn git_url(text: &str) -> Checked {
    no_blanks(text, "a git URL")?;
    let help = "write https://host/path, ssh://user@host/path or user@host:path";
    if text.starts_with('-') {
        return Err(Complaint::new("a git URL cannot begin with `-`").part(0..1).help(help));
    }
    let is_url = match text.split_once("://") {
        Some(("https" | "http" | "ssh" | "git" | "git+ssh", rest)) => {
            !rest.starts_with('/') && rest.trim_end_matches('/').contains('/')
        }
        Some(_) => false,
        None => is_of_no_scheme(text) || is_short_ssh(text),
    };
    if is_url {
        return Ok(());
    }
    let is_here = text.starts_with("file:") || text.starts_with(['/', '.']);
    Err(Complaint::new(format!("`{text}` is no address of a git repository")).help(match is_here {
        true => "for a directory of this machine write `context: {name: NAME}`, and give it with `--build-context NAME=DIR`",
        false => help,
    }))
}

/// Returns whether `text` is `user@host:path`.
fn is_short_ssh(text: &str) -> bool {
    text.split_once(':').is_some_and(|(place, path)| {
        let names = place.split_once('@').map(|(user, host)| [user, host]);
        let is_name = |name: &str| !name.is_empty() && !name.contains(['/', '@']);
        names.is_some_and(|names| names.into_iter().all(is_name)) && !path.is_empty()
    })
}

/// Returns whether `text` is a host, perhaps with a port, and a path.
fn is_of_no_scheme(text: &str) -> bool {
    let Some((authority, path)) = text.split_once('/') else { return false };
    let (host, port) = authority.split_once(':').unwrap_or((authority, "0"));
    let is_host = !host.is_empty() && !host.starts_with('.') && !host.contains('@');
    is_host && !path.is_empty() && !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit())
}

fn commit(text: &str) -> Checked {
    no_blanks(text, "a commit")?;
    if text.starts_with('-') {
        let complaint = Complaint::new("a commit cannot begin with `-`").part(0..1);
        return Err(complaint.help("write a hash, a tag or a branch"));
    }
    Ok(())
}

fn commit_hash(text: &str) -> Checked {
    let help = "write the hash as `git log` shows it, at least 4 digits of it";
    characters(
        text,
        |char| matches!(char, '0'..='9' | 'a'..='f'),
        |what| Complaint::new(format!("{what} is no hexadecimal digit in lower case")).help(help),
    )?;
    if !(4..=64).contains(&text.len()) {
        return Err(Complaint::new(format!("`{text}` is no hash of a commit")).help(help));
    }
    Ok(())
}

fn host_name(text: &str) -> Checked {
    no_blanks(text, "a host name")?;
    if let Some(at) = text.find('/') {
        let complaint = Complaint::new("a host name ends before the first `/`").part(at..text.len());
        return Err(complaint.help("write the host alone, with its port where it has one"));
    }
    Ok(())
}

fn go_module(text: &str) -> Checked {
    // A directory may be called anything.
    if text.starts_with(['.', '/']) {
        return path(text);
    }
    no_blanks(text, "a Go module").map_err(|complaint| match text.split_once(' ') {
        Some((path, version)) if !version.contains(' ') => {
            complaint.help(format!("write `{path}@{version}`"))
        }
        _ => complaint.help("write the path of the module, or `path@version`"),
    })
}

fn go_module_path(text: &str) -> Checked {
    no_blanks(text, "the path of a Go module")?;
    if let Some(at) = text.find('@') {
        let complaint =
            Complaint::new("this names a version, but a whole module is meant").part(at..text.len());
        return Err(complaint.help("write the path of the module alone"));
    }
    let is_wrong = |part: &str| part.is_empty() || part.starts_with('.') || part.ends_with('.');
    if text.starts_with('-') || text.split('/').any(is_wrong) {
        return Err(Complaint::new(format!("`{text}` is no path of a Go module"))
            .help("write it as in go.mod: host.example/team/module"));
    }
    Ok(())
}

fn digest(text: &str) -> Checked {
    let help = "write `sha256:` and 64 hexadecimal digits";
    let Some((algorithm, hex)) = text.split_once(':') else {
        return Err(Complaint::new("a digest begins with its algorithm").help(help));
    };
    let length = match algorithm {
        "sha256" => 64,
        "sha384" => 96,
        "sha512" => 128,
        _ => {
            return Err(Complaint::new(format!("the digest algorithm `{algorithm}` is not known"))
                .part(0..algorithm.len())
                .help(help));
        }
    };
    let start = algorithm.len() + 1;
    if let Some((at, char)) = hex.char_indices().find(|(_, char)| !matches!(char, '0'..='9' | 'a'..='f')) {
        let part = start + at..start + at + char.len_utf8();
        let complaint = Complaint::new(format!("{} is no hexadecimal digit in lower case", show(char)));
        let help = if char.is_ascii_hexdigit() { "write the digest in lower case" } else { help };
        return Err(complaint.part(part).help(help));
    }
    if hex.len() != length {
        let message =
            format!("a {algorithm} digest has {length} hexadecimal digits, this one has {}", hex.len());
        return Err(Complaint::new(message).help(format!("copy all of it: `{algorithm}sum FILE` prints it")));
    }
    Ok(())
}

fn command_line(text: &str) -> Checked {
    AnyText::check(text)?;
    match shlex::split(text) {
        Ok(_) => Ok(()),
        Err(error) => {
            let at = error.at();
            let help = match error {
                ShlexError::UnclosedQuote { quote, .. } => {
                    format!("close it, or write `\\{quote}` for the character itself")
                }
                ShlexError::TrailingBackslash { .. } => {
                    "remove it, or write `\\\\` for a backslash".to_owned()
                }
            };
            let complaint = Complaint::new(format!("this command line cannot be split into words: {error}"));
            Err(complaint.code(codes::COMMAND_SYNTAX).part(at..at + 1).help(help))
        }
    }
}

/// Regular expression.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Pattern;

impl Rule for Pattern {
    const TAKES: &'static str = "a regular expression";

    const CODE: &'static str = codes::BAD_REGEX;

    const COST: Option<fn(&str) -> usize> = Some(pattern_cost);

    fn check(text: &str) -> Checked {
        pattern(text)
    }
}

/// Returns what compiling the pattern `text` costs: few characters can make megabytes of states.
fn pattern_cost(text: &str) -> usize {
    let text = go_pattern::translate(text);
    let fits = |limit: usize| {
        !matches!(RegexBuilder::new(&text).size_limit(limit).build(), Err(regex::Error::CompiledTooBig(_)))
    };
    match () {
        () if fits(64 << 10) => 16 << 10,
        () if fits(1 << 20) => 128 << 10,
        () if fits(4 << 20) => 1 << 20,
        () => 4 << 20,
    }
}

fn pattern(text: &str) -> Checked {
    AnyText::check(text)?;
    go_pattern::compile(text).map(|_| ()).map_err(|error| {
        let cause = &error.reason;
        let is_unknown_here = cause.contains("look-around") || cause.contains("backreference");
        Complaint::new(format!("this is no regular expression: {cause}")).code(codes::BAD_REGEX).help(
            match is_unknown_here {
                true => "the syntax is RE2, which has none: write several patterns, all of which must match",
                false => "the syntax is RE2; put `\\\\` before a special character that means itself",
            },
        )
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use regex::Regex;

    use super::*;

    /// The rules that are not in the table, because they change what they let through.
    const NORMALIZING: &[Known] = &[
        ("GitUrl", GitUrl::PATTERN, GitUrl::check),
        ("Line", Line::PATTERN, Line::check),
        ("CheckedPath", CheckedPath::PATTERN, CheckedPath::check),
        ("HostName", HostName::PATTERN, HostName::check),
    ];

    /// Texts that come near what rules look at.
    fn texts() -> impl Strategy<Value = String> {
        let parts = prop_oneof![
            "[a-zA-Z0-9]{1,4}",
            "[-+._~^:=<>@/$ ]{1,2}",
            Just("sha256:".to_owned()),
            Just("https://".to_owned()),
            Just("git@host:".to_owned()),
            Just("..".to_owned()),
            "[\\PC]{1,2}",
            "[0-9a-f]{64}",
        ];
        proptest::collection::vec(parts, 1..5).prop_map(|parts| parts.concat())
    }

    proptest! {
        /// What the loader takes, the schema takes.
        #[test]
        fn patterns_let_through_what_the_checks_do(text in texts()) {
            for (name, pattern, check) in ALL.iter().chain(NORMALIZING) {
                let Some(pattern) = pattern else { continue };
                let matches = Regex::new(pattern).expect("a valid pattern").is_match(&text);
                prop_assert!(matches || check(&text).is_err(), "{name}: {text:?}");
            }
        }
    }

    /// What the documentation of this module says of control characters.
    #[test]
    fn control_characters_are_let_through_in_few_places() {
        let starts = ["a", "/a", "A=", "h:a", "https://h/a", ">= 1", "1"];
        for (name, _, check) in ALL.iter().chain(NORMALIZING) {
            let lets_through = |char: char| {
                let ok = |start: &&str| check(start).is_ok() && check(&format!("{start}{char}a")).is_ok();
                starts.iter().any(ok)
            };
            let is_free = ["Script", "CommandLine", "EnvEntry", "ArgName"].contains(name);
            assert_eq!(lets_through('\u{1}'), is_free, "{name}");
            assert_eq!(lets_through('\n'), is_free || *name == "Prose", "{name}");
        }
    }

    /// What the loader lets through is what the test runner compiles.
    #[test]
    fn patterns_are_read_as_go_does() {
        for text in ["a{", "{\"a\": 1}", r"\Q[a\E", r"\101", "[a&&b]", "a{,2}", r"\<b\>"] {
            assert_eq!(pattern(text), Ok(()), "{text}");
        }
        for text in ["a(", "[a", r"(a)\1", "a(?=b)"] {
            assert!(pattern(text).is_err(), "{text}");
        }
    }

    #[test]
    fn git_urls_are_what_git_takes() {
        for text in [
            "https://github.com/o/r.git",
            "http://host:8080/r",
            "ssh://git@host/o/r",
            "git://host/r",
            "git@github.com:o/r.git",
            "github.com/o/r",
            "host:8080/o/r.git",
        ] {
            assert_eq!(git_url(text), Ok(()), "{text}");
        }
        for text in [
            "./r",
            "../r",
            "/srv/r",
            "file:///r",
            "ext::sh -c x",
            "-u",
            "https://",
            "https:///x",
            "r",
            ":x",
            "host:path",
            "@host:path",
            "a b:c",
        ] {
            assert!(git_url(text).is_err(), "{text}");
        }
        for (text, expected) in [
            ("github.com/o/r", "https://github.com/o/r"),
            ("host:8080/r", "https://host:8080/r"),
            ("git@host:o/r", "git@host:o/r"),
            ("http://host/r", "http://host/r"),
        ] {
            assert_eq!(GitUrl::normalize(text.to_owned()), expected, "{text}");
        }
    }
}
