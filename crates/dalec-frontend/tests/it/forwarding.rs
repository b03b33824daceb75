//! Targets that other frontends build.

use dalec_frontend::{FrontendError, SIGNING, answer, check_target, targets};
use dalec_gateway::{FrontendResult, GatewayError, Purpose, Reference};
use dalec_llb::describe;
use prost::Message;

use crate::gateway::{Recorder, image, words};

const FRONTENDS: &str = "\
x-own: {deep: [1, two]}
targets:
  phony:
    frontend: {image: example.org/phony:1, cmdline: go}
  bookworm:
    frontend: {image: example.org/other:1}
";

fn recorder(options: &[(&str, &str)]) -> Recorder {
    Recorder::new(options).spec_with(FRONTENDS)
}

/// FE-017, FE-021: what the other frontend is told; the spec goes along as it is written.
#[test]
fn the_other_frontend_gets_the_spec() {
    let options = [
        ("target", "phony/check/more"),
        ("build-arg:VERSION", "3"),
        ("dockerfilekey", "dockerfile"),
        ("platform", "linux/arm64"),
        ("context:a", "local:a"),
        ("source", "example.org/dalec:1"),
    ];
    let mut gateway = recorder(&options);
    gateway.inputs = [("extra".to_owned(), image("extra"))].into();
    let result = answer(&gateway).unwrap();
    assert_eq!(result.refs, [("linux/amd64".to_owned(), Some(Reference("answer".into())))]);
    let call = &gateway.calls()[0];
    assert_eq!((call.frontend.as_str(), call.purpose), ("gateway.v0", Purpose::Build));
    for (name, value) in [
        ("source", "example.org/phony:1"),
        ("cmdline", "go"),
        ("target", "check/more"),
        ("dalec.target", "phony"),
        ("build-arg:DALEC_TARGET", "phony"),
        ("build-arg:VERSION", "3"),
        ("platform", "linux/arm64"),
        ("context:a", "local:a"),
    ] {
        assert_eq!(call.options[name], value, "{name}");
    }
    assert!(!call.options.contains_key("filename") && !call.options.contains_key("dockerfilekey"));
    assert_eq!(call.inputs["extra"], image("extra"));
    assert!(describe(&call.inputs["dockerfile"]).contains("mkfile 600 /Dockerfile"));
    let written = call.inputs["dockerfile"].encode_to_vec();
    let written = String::from_utf8_lossy(&written);
    assert!(written.contains("x-own: {deep: [1, two]}") && written.contains("version: ${VERSION}"));
}

/// What another frontend says of signing is not passed on: nothing here compared what it signed.
#[test]
fn the_other_frontend_has_no_word_in_signing() {
    let gateway = Recorder {
        answers: |_| {
            let names = [
                SIGNING,
                "frontend.dalec.signing/linux/amd64",
                "containerimage.config",
                "frontend.dalec.signings",
            ];
            let metadata = names.map(|name| (name.to_owned(), br#"{"compared":true}"#.to_vec())).into();
            Ok(FrontendResult { metadata, ..FrontendResult::default() })
        },
        ..recorder(&[("target", "phony")])
    };
    let metadata = answer(&gateway).unwrap().metadata;
    assert_eq!(
        metadata.into_keys().collect::<Vec<_>>(),
        ["containerimage.config", "frontend.dalec.signings"]
    );
}

/// The other frontend knows the value of every argument, also one that reads no spec: the client's, or else the default.
#[test]
fn the_other_frontend_gets_arguments_with_their_defaults() {
    let args = "args:\n  FLAVOUR: plain\n  EMPTY:\n  TARGETARCH: none\n  DALEC_TARGET: none\n  SOURCE_DATE_EPOCH: '1'\n";
    for (given, version) in [(vec![], "1.0.0"), (vec![("build-arg:VERSION", "3")], "3")] {
        let options: Vec<_> = [("target", "phony")].into_iter().chain(given).collect();
        let gateway = recorder(&options);
        let spec = String::from_utf8(gateway.files["spec.yml"].clone()).unwrap();
        let gateway = gateway.file("spec.yml", spec.replace("args:\n", args));
        answer(&gateway).unwrap();
        let call = &gateway.calls()[0];
        let args = call
            .options
            .iter()
            .filter_map(|(name, value)| Some((name.strip_prefix("build-arg:")?, &**value)));
        assert_eq!(
            args.collect::<Vec<_>>(),
            [("DALEC_TARGET", "phony"), ("FLAVOUR", "plain"), ("VERSION", version)]
        );
    }
}

/// An address of the main context is for this frontend; the other one gets what is there, and the spec beside it.
#[test]
fn the_other_frontend_gets_the_main_context() {
    const ADDRESS: &str = "https://example.org/code.git";
    for (key, more) in [("context", None), ("place", Some(("contextkey", "place")))] {
        let options = [("target", "phony/check"), (key, ADDRESS), ("contextsubdir", "part")];
        let options: Vec<_> =
            options.into_iter().chain(more).chain([("requestid", "dalec.target")]).collect();
        let gateway = recorder(&options);
        answer(&gateway).unwrap();
        let call = &gateway.calls()[0];
        for name in ["context", "contextkey", "contextsubdir", "requestid"] {
            assert!(!call.options.contains_key(name), "{name}");
        }
        let main = describe(&call.inputs["context"]);
        assert!(main.contains("git://example.org/code.git") && main.contains("copy #0:part -> /"), "{main}");
        assert!(call.inputs.contains_key("dockerfile"));
    }
    let gateway = recorder(&[("target", "phony/check")]);
    answer(&gateway).unwrap();
    assert!(!gateway.calls()[0].inputs.contains_key("context"), "the client serves it");
}

/// FE-018: what is built here otherwise is built there, with everything below it.
#[test]
fn the_other_frontend_takes_the_whole_target() {
    for (target, stripped) in [("bookworm", ""), ("bookworm/deb", "deb"), ("bookworm/container", "container")]
    {
        let gateway = recorder(&[("target", target)]);
        answer(&gateway).unwrap();
        assert_eq!(gateway.calls()[0].options["source"], "example.org/other:1");
        assert_eq!(gateway.calls()[0].options["target"], stripped);
    }
    let gateway = recorder(&[("target", "trixie/dsc")]);
    answer(&gateway).unwrap();
    assert!(gateway.calls().is_empty());
    let raw = dalec_spec::load(&dalec_spec::SourceText::new("spec.yml", FRONTENDS)).raw;
    assert!(check_target("phony/anything", raw.as_ref()).is_ok());
    assert!(check_target("phonyx", raw.as_ref()).is_err());
    let names: Vec<String> = targets(raw.as_ref()).into_iter().map(|target| target.name).collect();
    assert!(names.contains(&"phony".into()) && names.contains(&"bookworm".into()), "{names:?}");
    assert!(!names.contains(&"bookworm/deb".into()));
}

fn names(gateway: &Recorder) -> Vec<String> {
    let list = answer(gateway).unwrap().metadata.remove("result.json").unwrap();
    let list: serde_json::Value = serde_json::from_slice(&list).unwrap();
    let targets = list["targets"].as_array().unwrap().iter();
    let shown = |target: &serde_json::Value| {
        assert_eq!(target["specDefined"], true);
        format!("{}: {}", target["name"].as_str().unwrap(), target["description"].as_str().unwrap())
    };
    targets.map(shown).collect()
}

/// FE-019: the other frontend says what it has; where it does not, one line stands for it.
#[test]
fn targets_of_other_frontends_are_listed() {
    let request = [("requestid", "frontend.targets"), ("target", "phony")];
    let gateway = Recorder {
        answers: |request| {
            assert_eq!(
                (request.options["requestid"].as_str(), request.options["target"].as_str()),
                ("frontend.targets", "")
            );
            let list =
                r#"{"targets":[{"name":"check","description":"checks"},{"name":"","description":"all"}]}"#;
            let metadata = [("result.json".to_owned(), list.into())].into();
            Ok(FrontendResult { metadata, ..FrontendResult::default() })
        },
        ..recorder(&request)
    };
    assert_eq!(names(&gateway), ["phony: all", "phony/check: checks"]);
    let gateway = Recorder {
        answers: |_| Err(GatewayError::Request { message: "unreachable".into() }),
        ..recorder(&request)
    };
    assert_eq!(names(&gateway), ["phony: Forwarded to custom frontend: example.org/phony:1"]);
}

/// FE-020: a frontend that was called by another one calls no third.
#[test]
fn nothing_is_forwarded_twice() {
    let gateway = recorder(&[("target", "check"), ("dalec.target", "phony")]);
    let error = answer(&gateway).unwrap_err();
    assert!(words(&error).contains("target is already forwarded"), "{}", words(&error));
    assert!(matches!(error, FrontendError::Plan { .. }));
    assert!(gateway.calls().is_empty());
}
