//! Errors on the wire: [`GatewayError`] from and to `google.rpc.Status`.
//!
//! What a person needs is in the message, because not every client reads details. Details come in BuildKit's own kinds, so
//! that its clients print the piece of the spec that a failed op came from. What came with an error from another
//! engine goes out again with it ([`SolveFailure::details`]).

use std::error::Error;
use std::fmt::Write;

use bollard_buildkit_proto::google::{protobuf::Any, rpc};
use prost::Message;
use tonic::Code;

use super::details::Detail;
use dalec_gateway::{Excerpt, GatewayError, SolveFailure};

/// Most details of one error; more are dropped.
const MAX_DETAILS: usize = 256;

/// Most bytes of an error's message; more are cut off.
const MAX_MESSAGE: usize = 256 << 10;

/// Lines of a log that go into a message.
const LOG_LINES: usize = 20;

/// Returns `error` as the wire has it.
pub fn to_rpc(error: &GatewayError) -> rpc::Status {
    let (code, mut message) = match error {
        GatewayError::Solve(failure) => (Code::Unknown, solve_message(failure)),
        GatewayError::NotFound { .. } | GatewayError::Image { .. } => (Code::NotFound, error.to_string()),
        GatewayError::Frontend { .. } => (Code::Unknown, error.to_string()),
        GatewayError::Cancelled => (Code::Cancelled, error.to_string()),
        GatewayError::Environment { .. } => (Code::Internal, error.to_string()),
        GatewayError::Request { .. } => (Code::InvalidArgument, error.to_string()),
    };
    causes(error, &mut message);
    let details = match error {
        GatewayError::Solve(failure) => solve_details(failure),
        GatewayError::Frontend { image, log, .. } => {
            append_log(log, &mut message);
            vec![Detail::Frontend { name: "gateway.v0".into(), source: image.clone() }.encode()]
        }
        _ => Vec::new(),
    };
    if let Some(hint) = hint(error) {
        append(&mut message, "help", hint);
    }
    rpc::Status { code: code as i32, message, details }
}

/// Returns `error` as an answer to a call.
pub fn to_status(error: &GatewayError) -> tonic::Status {
    status(&to_rpc(error))
}

/// Returns `status` as an answer to a call.
pub fn status(status: &rpc::Status) -> tonic::Status {
    let encoded = status.encode_to_vec().into();
    tonic::Status::with_details(Code::from_i32(status.code), status.message.clone(), encoded)
}

/// Returns the error that the answer to a call stands for.
pub fn from_status(status: &tonic::Status) -> GatewayError {
    let mut decoded = rpc::Status::decode(status.details()).unwrap_or_default();
    // The code and message of the answer itself are what counts; what travels beside them may be missing.
    decoded.code = status.code() as i32;
    status.message().clone_into(&mut decoded.message);
    from_rpc(decoded)
}

/// Returns the error that `status` stands for.
///
/// Nothing is believed of it: its length is bounded, and details that do not fit are only passed on.
pub fn from_rpc(mut status: rpc::Status) -> GatewayError {
    status.details.truncate(MAX_DETAILS);
    let message = bounded(status.message);
    let details: Vec<Detail> = status.details.iter().filter_map(Detail::decode).collect();
    let failed_op = |detail: &Detail| {
        matches!(detail, Detail::Vertex(_) | Detail::Solve(_) | Detail::Source(_) | Detail::Exit(_))
    };
    if details.iter().any(failed_op) {
        return GatewayError::Solve(Box::new(solve_failure(message, details, status.details)));
    }
    let frontend = details.iter().find_map(|detail| match detail {
        Detail::Frontend { source, .. } if !source.is_empty() => Some(source.clone()),
        _ => None,
    });
    match Code::from_i32(status.code) {
        Code::Cancelled => GatewayError::Cancelled,
        Code::Unavailable => GatewayError::Environment {
            message: "the connection to the build engine is gone".into(),
            hint: String::new(),
            source: (!message.is_empty()).then(|| message.into()),
        },
        Code::Internal | Code::ResourceExhausted => {
            GatewayError::Environment { message, hint: String::new(), source: None }
        }
        _ => match frontend {
            Some(image) => GatewayError::Frontend { image, message, hint: None, log: Vec::new() },
            None => GatewayError::Request { message },
        },
    }
}

fn solve_failure(message: String, details: Vec<Detail>, raw: Vec<Any>) -> SolveFailure {
    let mut failure = SolveFailure {
        vertex: String::new(),
        name: String::new(),
        message,
        hint: None,
        exit_code: None,
        log: Vec::new(),
        excerpts: Vec::new(),
        details: raw,
        cause: None,
    };
    for detail in details {
        match detail {
            Detail::Vertex(digest) => failure.vertex = digest,
            Detail::Source(excerpt) => failure.excerpts.push(excerpt),
            Detail::Solve(name) => failure.name = name,
            Detail::Exit(code) => failure.exit_code = i32::try_from(code).ok(),
            Detail::Frontend { .. } | Detail::Subrequest(_) => {}
        }
    }
    failure.message = without_command(&failure);
    failure
}

/// Returns the message of `failure` without its name and the command that failed, which may be a whole script.
fn without_command(failure: &SolveFailure) -> String {
    const BEFORE: &str = "process \"";
    const BEHIND: &str = "\" did not complete successfully";
    let message = &failure.message;
    if failure.name.is_empty() {
        return message.clone();
    }
    if let Some(rest) = message.strip_prefix(&failure.name).and_then(|rest| rest.strip_prefix(": ")) {
        return rest.to_owned();
    }
    match (message.find(BEFORE), message.rfind(BEHIND)) {
        (Some(start), Some(end)) if start < end => {
            format!("{}the process{}", &message[..start], &message[end + 1..])
        }
        _ => message.clone(),
    }
}

/// Returns the words of a failed op.
fn solve_message(failure: &SolveFailure) -> String {
    let mut message = failure.to_string();
    append_log(&failure.log, &mut message);
    message
}

fn solve_details(failure: &SolveFailure) -> Vec<Any> {
    if !failure.details.is_empty() {
        return failure.details.clone();
    }
    let vertex = (!failure.vertex.is_empty()).then(|| Detail::Vertex(failure.vertex.clone()));
    let solve = Detail::Solve(failure.name.clone());
    let exit = failure.exit_code.and_then(|code| u32::try_from(code).ok()).map(Detail::Exit);
    let sources = failure.excerpts.iter().cloned().map(Detail::Source);
    sources.chain(exit).chain([solve]).chain(vertex).map(|detail| detail.encode()).collect()
}

/// Returns the details that make a client print `excerpts` below the error.
pub fn source_details(excerpts: &[Excerpt]) -> Vec<Any> {
    excerpts.iter().cloned().map(|excerpt| Detail::Source(excerpt).encode()).collect()
}

/// Adds what is below `error`, unless the message has it already.
fn causes(error: &GatewayError, message: &mut String) {
    let mut source = error.source();
    while let Some(cause) = source {
        let words = cause.to_string();
        if !message.contains(&words) {
            // Writing to a string cannot fail.
            let _ = write!(message, ": {words}");
        }
        source = cause.source();
    }
}

fn hint(error: &GatewayError) -> Option<&str> {
    let hint = match error {
        GatewayError::Solve(failure) => failure.hint.as_deref(),
        GatewayError::Frontend { hint, .. } => hint.as_deref(),
        GatewayError::Image { hint, .. } | GatewayError::Environment { hint, .. } => Some(hint.as_str()),
        GatewayError::NotFound { .. } | GatewayError::Cancelled | GatewayError::Request { .. } => None,
    };
    hint.filter(|hint| !hint.is_empty())
}

fn append_log(log: &[String], message: &mut String) {
    let log = &log[log.len().saturating_sub(LOG_LINES)..];
    log.iter().for_each(|line| append(message, " ", line));
}

fn append(message: &mut String, title: &str, line: &str) {
    // Writing to a string cannot fail.
    let _ = match title.trim() {
        "" => write!(message, "\n  | {line}"),
        title => write!(message, "\n{title}: {line}"),
    };
}

/// Returns `message` without what is more than anyone reads.
pub fn bounded(mut message: String) -> String {
    if message.len() > MAX_MESSAGE {
        let end = (0..=MAX_MESSAGE).rev().find(|end| message.is_char_boundary(*end)).unwrap_or_default();
        message.truncate(end);
        message.push('…');
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;
    use bollard_buildkit_proto::pb;
    use expect_test::{Expect, expect};

    fn excerpt() -> Excerpt {
        let at = |line| Some(pb::Position { line, character: 0 });
        Excerpt {
            info: pb::SourceInfo {
                filename: "dalec.yml".into(),
                data: b"name: a\nbuild: {}\n".to_vec(),
                language: "yaml".into(),
                definition: None,
            },
            ranges: vec![pb::Range { start: at(2), end: at(2) }],
        }
    }

    fn failure() -> SolveFailure {
        SolveFailure {
            vertex: "sha256:ab".into(),
            name: "compile".into(),
            message: "the process ended with exit code 2".into(),
            hint: Some("look at the log".into()),
            exit_code: Some(2),
            log: vec!["cc: no such file".into()],
            excerpts: vec![excerpt()],
            details: Vec::new(),
            cause: None,
        }
    }

    fn check(error: GatewayError, expected: Expect) {
        let status = to_rpc(&error);
        expected.assert_eq(&format!("{:?}\n{}\n", Code::from_i32(status.code), status.message));
    }

    #[test]
    fn a_failed_op_keeps_what_a_client_shows() {
        let status = to_status(&GatewayError::Solve(Box::new(failure())));
        let GatewayError::Solve(read) = from_status(&status) else { panic!("no failed op: {status:?}") };
        assert_eq!((read.vertex.as_str(), read.name.as_str()), ("sha256:ab", "compile"));
        assert_eq!(read.exit_code, Some(2));
        assert_eq!(read.excerpts, [excerpt()]);
        check(
            GatewayError::Solve(Box::new(failure())),
            expect![[r#"
                Unknown
                compile: the process ended with exit code 2
                  | cc: no such file
                help: look at the log
            "#]],
        );
    }

    /// A kind of detail that nobody here knows, such as a stack, reaches the client.
    #[test]
    fn details_of_another_engine_are_passed_on() {
        let unknown =
            Any { type_url: "github.com/moby/buildkit/stack.Stack+json".into(), value: b"{}".to_vec() };
        let vertex = Detail::Vertex("sha256:cd".into()).encode();
        let received = rpc::Status {
            code: Code::Unknown as i32,
            message: "process \"make\" did not complete successfully: exit code: 2".into(),
            details: vec![unknown, vertex],
        };
        assert_eq!(to_rpc(&from_rpc(received.clone())), received);
    }

    /// A command may be a script of many lines; the op's name says what it is for.
    #[test]
    fn a_failed_process_goes_by_the_name_of_its_op() {
        let received = rpc::Status {
            code: Code::Unknown as i32,
            message: "process \"/bin/sh -c set -e\\nmake\" did not complete successfully: exit code: 2"
                .into(),
            details: vec![Detail::Solve("compile".into()).encode()],
        };
        let words = "compile: the process did not complete successfully: exit code: 2";
        let sent = to_rpc(&from_rpc(received));
        assert_eq!(sent.message, words);
        // The next frontend on the way says the same.
        assert_eq!(to_rpc(&from_rpc(sent)).message, words);
    }

    #[test]
    fn words_say_what_to_do() {
        check(
            GatewayError::Image {
                reference: "example.org/base".into(),
                hint: "give one with --build-context".into(),
                source: Some("no such host".into()),
            },
            expect![[r#"
                NotFound
                cannot find the image example.org/base: no such host
                help: give one with --build-context
            "#]],
        );
        check(
            GatewayError::Frontend {
                image: "example.org/signer".into(),
                message: "no key".into(),
                hint: None,
                log: vec!["loading keys".into()],
            },
            expect![[r#"
                Unknown
                the frontend example.org/signer failed: no key
                  | loading keys
            "#]],
        );
        check(
            GatewayError::Cancelled,
            expect![[r#"
            Cancelled
            the build was cancelled
        "#]],
        );
    }

    #[test]
    fn what_a_peer_sends_is_bounded() {
        let vertex = Detail::Vertex("sha256:cd".into()).encode();
        let status =
            rpc::Status {
                code: 2, message: "ä".repeat(MAX_MESSAGE), details: vec![vertex; 2 * MAX_DETAILS]
            };
        let GatewayError::Solve(failure) = from_rpc(status) else { panic!("no failed op") };
        assert!(failure.message.len() <= MAX_MESSAGE + '…'.len_utf8());
        assert_eq!(failure.details.len(), MAX_DETAILS);
    }
}
