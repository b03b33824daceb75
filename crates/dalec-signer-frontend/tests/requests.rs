//! Requests to the signers' image as options in, and the graph that comes of them out. Row SIGN-007 of the reference.

use std::collections::BTreeMap;
use std::sync::Mutex;

use dalec_gateway::{
    BuildOptions, FileRange, FileStat, FrontendRequest, FrontendResult, Gateway, GatewayError, Reference,
    ResolveImage, ResolvedImage, SolveRequest, Warning,
};
use dalec_llb::{ImageRef, Platform, State, describe, pb};
use expect_test::{Expect, expect};

/// Takes graphs and solves none of them.
struct Recorder {
    options: BuildOptions,
    solved: Mutex<Vec<pb::Definition>>,
}

fn image(name: &str) -> pb::Definition {
    let reference = ImageRef { reference: name.into(), ..ImageRef::default() };
    State::image(reference).marshal(&Platform::linux("amd64"))
}

impl Gateway for Recorder {
    fn build_options(&self) -> &BuildOptions {
        &self.options
    }

    fn inputs(&self) -> Result<BTreeMap<String, pb::Definition>, GatewayError> {
        Ok([("context".to_owned(), image("artifacts"))].into())
    }

    fn solve(&self, request: SolveRequest) -> Result<Option<Reference>, GatewayError> {
        assert!(request.evaluate, "a failure has to come now");
        self.solved.lock().unwrap().push(request.definition);
        Ok(Some(Reference("signed".into())))
    }

    fn frontend_image(&self) -> Result<pb::Definition, GatewayError> {
        Ok(image("signer"))
    }

    fn supports(&self, _: &str) -> bool {
        true
    }

    fn solve_frontend(&self, _: FrontendRequest) -> Result<FrontendResult, GatewayError> {
        unreachable!("a signer calls nobody")
    }

    fn definition(&self, _: &Reference) -> Result<pb::Definition, GatewayError> {
        unreachable!("a signer builds on no result")
    }

    fn read_file(&self, _: &Reference, path: &str, _: Option<FileRange>) -> Result<Vec<u8>, GatewayError> {
        assert_eq!(path, dalec_signer_frontend::place::KEYS, "a signer reads nothing else itself");
        Ok(b"ABCD\n".to_vec())
    }

    fn read_dir(&self, _: &Reference, _: &str) -> Result<Vec<FileStat>, GatewayError> {
        unreachable!("a signer reads nothing itself")
    }

    fn stat_file(&self, _: &Reference, _: &str) -> Result<FileStat, GatewayError> {
        unreachable!("a signer reads nothing itself")
    }

    fn resolve_image(&self, _: &ResolveImage) -> Result<ResolvedImage, GatewayError> {
        unreachable!("a signer needs no image")
    }

    fn warn(&self, _: Warning) {}
}

/// Answers a request with `options`, and shows the graph or the refusal.
#[track_caller]
fn check(options: &[(&str, &str)], expected: Expect) {
    let options = options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let options = BuildOptions { options, platforms: vec!["linux/amd64".into()], ..BuildOptions::default() };
    let recorder = Recorder { options, solved: Mutex::default() };
    let said = match dalec_signer_frontend::answer(&recorder) {
        Ok(result) => {
            assert_eq!(result.refs, [(String::new(), Some(Reference("signed".into())))]);
            let solved = recorder.solved.lock().unwrap();
            let shown = |definition| {
                let state = State::from_definition(definition).unwrap();
                describe(&state.marshal(&Platform::linux("amd64")))
            };
            let [keys, signed] = solved.as_slice() else { panic!("{} graphs were solved", solved.len()) };
            // Keys are looked at each time, and without the artifacts.
            assert!(
                shown(keys).contains("ignore-cache") && !shown(keys).contains("artifacts"),
                "{}",
                shown(keys)
            );
            shown(signed)
        }
        Err(error) => format!("{error}\n"),
    };
    expected.assert_eq(&said);
}

#[test]
fn keys_are_secrets_and_there_is_no_network() {
    check(
        &[("dalec.target", "bookworm"), ("build-arg:OTHER", "x"), ("cmdline", "")],
        expect![[r#"
            #0 source docker-image://signer
            #1 source docker-image://artifacts
            #2 exec network=NONE
                arg /signer
                arg sign-tree
                arg --key-name
                arg dalec-signing-key
                arg --code-key-name
                arg dalec-code-signing-key
                arg --key
                arg ABCD
                cwd /
                mount / #0 ro
                mount /tmp/internal/dalec/signer/output scratch
                mount /run/secrets/dalec-signer/key secret dalec-signing-key
                mount /run/secrets/dalec-signer/passphrase secret dalec-signing-passphrase
                mount /run/secrets/dalec-signer/code-key secret dalec-code-signing-key
                mount /run/secrets/dalec-signer/code-passphrase secret dalec-code-signing-passphrase
                mount /tmp/internal/dalec/signer/input #1 ro
                name Sign
            #3 result #2
        "#]],
    );
}

#[test]
fn settings_are_build_arguments_and_words() {
    check(
        &[
            ("cmdline", "deb, authenticode"),
            ("build-arg:DALEC_SIGN_KEY_SECRET", "mine"),
            ("build-arg:DALEC_SIGN_FINGERPRINT", "ABCD"),
            ("build-arg:DALEC_SIGN_TIMESTAMP_URL", "http://time.example.org"),
            ("build-arg:DALEC_SIGN_REPLACE", "1"),
            ("build-arg:DALEC_SIGN_DETACH", "binary"),
            ("build-arg:SOURCE_DATE_EPOCH", "1767225600"),
            ("context:dalec-signing", "local:signing"),
        ],
        expect![[r#"
            #0 source docker-image://signer
            #1 source local://signing
                name [context signing] load
            #2 source docker-image://artifacts
            #3 exec network=UNSET
                arg /signer
                arg sign-tree
                arg --key-name
                arg mine
                arg --code-key-name
                arg dalec-code-signing-key
                arg --kind
                arg deb
                arg --kind
                arg authenticode
                arg --fingerprint
                arg ABCD
                arg --detach
                arg binary
                arg --timestamp-url
                arg http://time.example.org
                arg --time
                arg 1767225600
                arg --replace
                arg --key
                arg ABCD
                cwd /
                mount / #0 ro
                mount /tmp/internal/dalec/signer/output scratch
                mount /tmp/internal/dalec/signer/context #1 ro
                mount /run/secrets/dalec-signer/key secret mine
                mount /run/secrets/dalec-signer/passphrase secret dalec-signing-passphrase
                mount /run/secrets/dalec-signer/code-key secret dalec-code-signing-key
                mount /run/secrets/dalec-signer/code-passphrase secret dalec-code-signing-passphrase
                mount /tmp/internal/dalec/signer/input #2 ro
                name Sign
            #4 result #3
        "#]],
    );
}

#[test]
fn what_makes_no_sense_is_said() {
    check(
        &[("cmdline", "debs")],
        expect![[r#"
        the signer's cmdline has "debs", which is none of deb, rpm, authenticode, openpgp
    "#]],
    );
    // Where a client calls the image with `# syntax=`, its name comes first.
    check(
        &[("source", "test/signer"), ("cmdline", "test/signer debs")],
        expect![[r#"
        the signer's cmdline has "debs", which is none of deb, rpm, authenticode, openpgp
    "#]],
    );
    check(
        &[("build-arg:DALEC_SIGN_DETACH", "beside")],
        expect![[r#"
        DALEC_SIGN_DETACH is "beside", and neither armored nor binary
    "#]],
    );
    check(
        &[("build-arg:DALEC_SIGN_REPLACE", "yes")],
        expect![[r#"
        DALEC_SIGN_REPLACE is "yes", and neither 1 nor 0
    "#]],
    );
    check(
        &[("build-arg:DALEC_SIGN_TIMESTAMP_URL", "time.example.org")],
        expect![[r#"
        DALEC_SIGN_TIMESTAMP_URL is "time.example.org", which is no http:// or https:// address
    "#]],
    );
    check(
        &[("build-arg:SOURCE_DATE_EPOCH", "today")],
        expect![[r#"
        SOURCE_DATE_EPOCH is "today", which is no number of seconds since 1970
    "#]],
    );
    check(
        &[("context:dalec-signing", "input:none")],
        expect![[r#"
        the context dalec-signing is an input that is not there
    "#]],
    );
    check(
        &[("context:dalec-signing", "https://example.org")],
        expect![[r#"
        the context dalec-signing is "https://example.org"; it can be a directory or an image
    "#]],
    );
}
