//! Errors of a request as a build engine's client gets them: words, and beside them the pieces of the spec, which clients
//! show in their own way.

use bollard_buildkit_proto::google::rpc;
use bollard_buildkit_proto::pb;
use dalec_frontend::FrontendError;
use dalec_gateway::GatewayError;
use dalec_spec::span::Span;
use dalec_spec::{Diagnostic, Severity, SourceText, codes};
use dalec_wire::Detail;
use dalec_wire::errors::{source_details, to_rpc};

use super::{Exit, SpecName, words};

/// Errors whose lines are shown; the words name the places of all.
const MAX_EXCERPTS: usize = 10;

/// Returns what the engine is told about `error`.
pub fn status(error: &FrontendError) -> rpc::Status {
    let message = || words::of_frontend(Exit::Failed, error, &SpecName::default()).message();
    let excerpts = match error {
        FrontendError::Gateway(error) => return to_rpc(error),
        FrontendError::At { error, source_text, spans } => {
            let mut status = to_rpc(error);
            status.details.extend(source_details(excerpt(source_text, spans).as_slice()));
            return status;
        }
        FrontendError::Signing { place, error, .. } => {
            let mut status = to_rpc(error);
            status.message = message();
            // A step of ours has its place with it.
            if !matches!(error.as_ref(), GatewayError::Solve(failure) if !failure.excerpts.is_empty()) {
                let place = place.as_ref().and_then(|(source_text, span)| excerpt(source_text, &[*span]));
                status.details.extend(source_details(place.as_slice()));
            }
            return status;
        }
        FrontendError::Spec { source_text, diagnostics } => excerpts_of(source_text, diagnostics),
        FrontendError::Plan { source_text, spans, .. } => excerpt(source_text, spans).into_iter().collect(),
        _ => Vec::new(),
    };
    let subrequest = match error {
        FrontendError::UnknownSubrequest { id } => Some(Detail::Subrequest(id.clone()).encode()),
        _ => None,
    };
    // Clients ask for what might not be known, and then look at the code; elsewhere it would be a word in front of ours.
    let code = if subrequest.is_some() { tonic::Code::Unimplemented } else { tonic::Code::Unknown };
    rpc::Status {
        code: code as i32,
        message: match error {
            // What there is, as clients of BuildKit know it.
            FrontendError::UnknownTarget { .. } => format!("{error}\n{}", message()),
            _ => message(),
        },
        details: source_details(&excerpts).into_iter().chain(subrequest).collect(),
    }
}

fn excerpts_of(source_text: &SourceText, diagnostics: &[Diagnostic]) -> Vec<dalec_gateway::Excerpt> {
    // A client would show the lines around an error, and a secret might be among them.
    if diagnostics.iter().any(|diagnostic| diagnostic.code == codes::SECRET_IN_SPEC) {
        return Vec::new();
    }
    let errors = diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error);
    let spans = errors.filter_map(|diagnostic| diagnostic.span);
    spans.filter_map(|span| excerpt(source_text, &[span])).take(MAX_EXCERPTS).collect()
}

fn excerpt(source_text: &SourceText, spans: &[Span]) -> Option<dalec_gateway::Excerpt> {
    let number = |value: usize| i32::try_from(value).unwrap_or(i32::MAX);
    let position = |offset| {
        let position = source_text.position(offset);
        Some(pb::Position { line: number(position.line), character: number(position.column - 1) })
    };
    let range = |span: &Span| pb::Range { start: position(span.start), end: position(span.end) };
    let ranges: Vec<pb::Range> = spans.iter().map(range).collect();
    (!ranges.is_empty()).then(|| dalec_gateway::Excerpt {
        info: pb::SourceInfo {
            filename: source_text.name().to_owned(),
            data: source_text.text().as_bytes().to_vec(),
            language: "yaml".into(),
            definition: None,
        },
        ranges,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use dalec_wire::errors::from_rpc;
    use expect_test::expect;

    fn spec_error(text: &str) -> FrontendError {
        let source_text = SourceText::new("dalec.yml", text);
        let diagnostics = dalec_spec::load(&source_text).diagnostics;
        FrontendError::Spec { source_text, diagnostics }
    }

    /// SIGN-016: a client is told that it was the signing, what the signer said, and where it stands.
    #[test]
    fn signers_that_fail_are_named() {
        let source_text = SourceText::new("dalec.yml", "name: hello\npackage_config: {signer: {image: a}}\n");
        let error = GatewayError::Frontend {
            image: "example.org/a".into(),
            message: "it changed more than signatures\na.deb is missing".into(),
            hint: None,
            log: Vec::new(),
        };
        let place = Some((source_text, Span::new(29, 47)));
        let status =
            status(&FrontendError::Signing { image: "example.org/a".into(), place, error: Box::new(error) });
        expect![[r#"
            error signing packages: it changed more than signatures
            note: a.deb is missing
            note: the signer is example.org/a"#]]
        .assert_eq(&status.message);
        let GatewayError::Solve(read) = from_rpc(status) else { panic!("no excerpts") };
        assert_eq!(read.excerpts[0].ranges[0].start.unwrap().line, 2);
    }

    #[test]
    fn findings_are_words_with_places_and_excerpts_beside_them() {
        let status = status(&spec_error("name: hello\nversoin: 1.0\nimage:\n  user: [a]\n"));
        expect![[r#"
            dalec.yml has 2 errors
            dalec.yml:2:1: error[unknown-key]: unknown key `versoin` in a spec
              help: did you mean `version`?
            dalec.yml:4:9: error[wrong-type]: `user` takes text, not a list
              help: write it without the list: `a`"#]]
        .assert_eq(&status.message);
        let GatewayError::Solve(read) = from_rpc(status) else { panic!("no excerpts") };
        let lines = read.excerpts.iter().map(|excerpt| excerpt.ranges[0].start.unwrap().line);
        assert_eq!(lines.collect::<Vec<_>>(), [2, 4]);
    }

    #[test]
    fn lines_near_a_secret_are_not_sent() {
        let error = spec_error(
            "name: hello\nsources:\n  a:\n    git:\n      url: https://example.org/a.git\n      commit: b\n      \
             auth:\n        token: |\n          hunter2 hunter2\n",
        );
        let FrontendError::Spec { diagnostics, .. } = &error else { unreachable!() };
        assert!(diagnostics.iter().any(|found| found.code == codes::SECRET_IN_SPEC), "{diagnostics:?}");
        assert!(status(&error).details.is_empty());
    }

    #[test]
    fn an_unknown_subrequest_is_said_in_the_words_of_clients() {
        let status = status(&FrontendError::UnknownSubrequest { id: "frontend.lint".into() });
        assert_eq!(status.code, tonic::Code::Unimplemented as i32);
        assert_eq!(Detail::decode(&status.details[0]), Some(Detail::Subrequest("frontend.lint".into())));
    }
}
