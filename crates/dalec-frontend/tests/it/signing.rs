//! Who signs, what they are told, in which order, and what comes of their answer.

use dalec_frontend::{FrontendError, OWN_SIGNER, SIGN_KEY_CONTEXT, SIGNING, answer};
use dalec_gateway::{FrontendRequest, FrontendResult, GatewayError, Purpose, Reference};
use dalec_llb::describe;
use serde_json::Value;

use crate::gateway::{Recorder, image, words};

const SIGNER: &str = "package_config:\n  signer: {image: example.org/root-signer:1}\n";
const TARGET_SIGNER: &str =
    "targets:\n  bookworm:\n    package_config: {signer: {image: \"example.org/signer:2\", cmdline: go}}\n";
const REPORT: &str = r#"{"artifacts":[{"path":"tool.deb","before":"00","after":"11"}],"warnings":["oh"]}"#;

fn recorder(target: &str, options: &[(&str, &str)], spec: &str) -> Recorder {
    let options: Vec<_> = [("target", target)].into_iter().chain(options.iter().copied()).collect();
    Recorder::new(&options).spec_with(spec).file("report.json", REPORT)
}

/// Returns the images of the signers that were called.
fn signers(gateway: &Recorder) -> Vec<String> {
    gateway.calls().into_iter().map(|call| call.options["source"].clone()).collect()
}

#[track_caller]
fn check_signers(gateway: &Recorder, expected: &[&str], warning: Option<&str>) {
    answer(gateway).unwrap();
    assert_eq!(signers(gateway), expected);
    let warnings = gateway.warnings();
    let told: Vec<&String> = warnings.iter().filter(|warning| *warning != "oh").collect();
    match warning {
        Some(warning) => assert!(told.len() == 1 && told[0].contains(warning), "{told:?}"),
        None => assert!(told.is_empty(), "{told:?}"),
    }
}

/// SIGN-001, SIGN-002, SIGN-003: the root's signer, a target's own, and a target's that has no image.
#[test]
fn the_signer_of_the_target_comes_first() {
    check_signers(&recorder("bookworm/deb", &[], ""), &[], None);
    check_signers(&recorder("bookworm/deb", &[], SIGNER), &["example.org/root-signer:1"], None);
    check_signers(&recorder("bookworm/deb", &[], TARGET_SIGNER), &["example.org/signer:2"], None);
    let both = format!("{SIGNER}{TARGET_SIGNER}");
    check_signers(&recorder("trixie/deb", &[], &both), &["example.org/root-signer:1"], None);
    check_signers(
        &recorder("bookworm/deb", &[], &both),
        &["example.org/signer:2"],
        Some("Root signing spec overridden by target signing spec: target \"bookworm\""),
    );
    let without_image = both.replace("image: \"example.org/signer:2\", ", "");
    check_signers(&recorder("bookworm/deb", &[], &without_image), &["example.org/root-signer:1"], None);
}

/// SIGN-004: signing is left out on demand, loudly; other text than a boolean changes nothing.
#[test]
fn signing_can_be_left_out() {
    for (value, signs) in [("1", false), ("true", false), ("0", true), ("maybe", true)] {
        let gateway = recorder("bookworm/deb", &[("build-arg:DALEC_SKIP_SIGNING", value)], SIGNER);
        let warning = (!signs).then_some("Signing disabled by build-arg");
        check_signers(&gateway, if signs { &["example.org/root-signer:1"] } else { &[] }, warning);
    }
    let nobody = recorder("bookworm/deb", &[("build-arg:DALEC_SKIP_SIGNING", "1")], "");
    check_signers(&nobody, &[], None);
}

/// SIGN-005, SIGN-006: a file says who signs; it lies anywhere in the main context or in a named one.
#[test]
fn a_file_says_who_signs() {
    const CONFIG: &str = "signer:\n  image: example.org/configured:3\n  args: {KEY: '${NAME}'}\n";
    for (path, file) in [("/sign/config.yml", "sign/config.yml"), ("config.yml", "config.yml")] {
        let options = [("build-arg:DALEC_SIGNING_CONFIG_PATH", path)];
        let gateway = recorder("bookworm/deb", &options, "").file(file, CONFIG);
        check_signers(&gateway, &["example.org/configured:3"], None);
        assert_eq!(gateway.calls()[0].options["build-arg:KEY"], "${NAME}");
        let gateway = recorder("bookworm/deb", &options, SIGNER).file(file, CONFIG);
        let warning = "Spec signing config overwritten by config at path";
        check_signers(&gateway, &["example.org/configured:3"], Some(warning));
    }
    let named = [
        ("build-arg:DALEC_SIGNING_CONFIG_PATH", "a.yml"),
        ("build-arg:DALEC_SIGNING_CONFIG_CONTEXT_NAME", "secrets"),
        ("context:secrets", "local:other"),
    ];
    let gateway = recorder("bookworm/deb", &named, "").file("a.yml", CONFIG);
    check_signers(&gateway, &["example.org/configured:3"], None);
    assert_eq!(gateway.graphs_with("source local://other"), 1, "nothing but the file is asked for");
}

/// SIGN-005: of the flag that stands for a configuration, people know the name.
#[test]
fn a_flag_takes_the_place_of_the_spec() {
    let flag = [
        ("build-arg:DALEC_SIGNING_CONFIG_PATH", "signing.yml"),
        ("build-arg:DALEC_SIGNING_CONFIG_CONTEXT_NAME", SIGN_KEY_CONTEXT),
        ("context:dalec-sign-key", "local:config"),
    ];
    let gateway = recorder("bookworm/deb", &flag, SIGNER);
    let gateway = gateway.file("signing.yml", "signer: {image: example.org/flag:1}\n");
    let warning = "--sign-key takes the place of the spec's signer, example.org/root-signer:1";
    check_signers(&gateway, &["example.org/flag:1"], Some(warning));
    let source = recorder("bookworm/dsc", &flag, "");
    check_signers(&source, &[], Some("--sign-key signs nothing of bookworm/dsc"));
}

/// A build that fails is no failure of the signer: what it gets is built before.
#[test]
fn what_is_signed_is_built_before_the_signer_is_called() {
    for target in ["bookworm/deb", "windowscross/zip"] {
        let gateway = recorder(target, &[], SIGNER);
        answer(&gateway).unwrap();
        let packages = describe(&gateway.calls()[0].inputs["context"]);
        let solved = gateway.solved.lock().unwrap();
        let called = solved.iter().position(|graph| graph.starts_with("frontend ")).unwrap();
        assert!(solved[..called].contains(&packages), "{target}: {packages}");
    }
}

/// SIGN-008: a signer that is nowhere can be given, and under which name is said.
#[test]
fn a_missing_signer_can_be_given() {
    let mut gateway = recorder("bookworm/deb", &[], SIGNER);
    gateway.answers = |_| {
        let reference = "example.org/root-signer:1".into();
        Err(GatewayError::Image { reference, hint: "check the network".into(), source: None })
    };
    let Err(FrontendError::Signing { error, .. }) = answer(&gateway) else { panic!("it was signed") };
    let GatewayError::Image { hint, .. } = *error else { panic!("another error") };
    assert!(hint.starts_with("check the network; or give it yourself"), "{hint}");
    assert!(hint.contains("--build-context example.org/root-signer:1=oci-layout://DIRECTORY"), "{hint}");
}

/// SIGN-005: a missing file, a missing context and a file without a signer are errors that say so.
#[test]
fn a_configuration_that_cannot_be_used_is_an_error() {
    let path = ("build-arg:DALEC_SIGNING_CONFIG_PATH", "a.yml");
    let context = ("build-arg:DALEC_SIGNING_CONFIG_CONTEXT_NAME", "nowhere");
    let outside = ("build-arg:DALEC_SIGNING_CONFIG_PATH", "../a.yml");
    for (options, file, expected) in [
        (vec![path], "", "there is no file \"a.yml\" in the build context \"context\""),
        (vec![path, context], "", "there is no build context \"nowhere\""),
        (vec![outside], "", "leaves the build context"),
        (vec![path], "nothing: here\n", "a.yml"),
        (vec![path], "signer: {}\n", "image"),
    ] {
        let mut gateway = recorder("bookworm/deb", &options, "");
        if !file.is_empty() {
            gateway = gateway.file("a.yml", file);
        }
        let error = answer(&gateway).unwrap_err();
        assert!(words(&error).contains(expected), "{}", words(&error));
        assert!(gateway.calls().is_empty());
        assert_eq!(gateway.graphs_with("dpkg-buildpackage"), 0, "nothing was built for nothing");
    }
}

/// SIGN-007, SIGN-008, SIGN-009, SIGN-010: what a signer is told.
#[test]
fn a_signer_is_told_everything() {
    let spec = "\
package_config:
  signer:
    image: example.org/signer:1
    cmdline: --fast
    args: {KEY: 'key-${VERSION}', OWN: mine}
";
    let options = [
        ("build-arg:KEY", "theirs"),
        ("build-arg:VERSION", "2.0"),
        ("context:policy", "local:policy"),
        ("source", "example.org/dalec:1"),
        ("cmdline", "x"),
        ("no-cache", "dalec.tests"),
    ];
    // Whoever gives `KEY` here must have declared it.
    let spec = format!("{}{spec}", "x-note: none\n");
    let mut gateway = recorder("bookworm/deb", &options, &spec);
    let declared = String::from_utf8(gateway.files["spec.yml"].clone()).unwrap();
    gateway.files.insert("spec.yml".into(), declared.replace("args:\n  V", "args:\n  KEY:\n  V").into());
    gateway.inputs = [("policy".to_owned(), image("policy")), ("context".to_owned(), image("main"))].into();
    answer(&gateway).unwrap();
    let [FrontendRequest { frontend, options, inputs, evaluate, purpose }] = &gateway.calls()[..] else {
        panic!("one call")
    };
    assert_eq!((frontend.as_str(), *evaluate, *purpose), ("gateway.v0", true, Purpose::Sign));
    for (name, value) in [
        ("source", "example.org/signer:1"),
        ("cmdline", "--fast"),
        ("contextkey", "context"),
        ("dalec.target", "bookworm"),
        ("target", "bookworm/deb"),
        ("build-arg:KEY", "theirs"),
        ("build-arg:OWN", "mine"),
        ("build-arg:VERSION", "2.0"),
        ("build-arg:DALEC_TARGET", "bookworm"),
        ("context:policy", "local:policy"),
        ("no-cache", "dalec.tests"),
        ("filename", "spec.yml"),
    ] {
        assert_eq!(options[name], value, "{name}");
    }
    assert_eq!(inputs["policy"], image("policy"));
    let packages = describe(&inputs["context"]);
    assert!(packages.contains("include [\"**/*.deb\"]"), "{packages}");
    let own = gateway.calls()[0].options.clone();
    assert!(!own.values().any(|value| value == "example.org/dalec:1"));
}

/// SIGN-007: the main context of a signer is what it signs, wherever the build's is.
#[test]
fn a_signer_does_not_see_the_main_context() {
    let options = [
        ("context", "https://example.org/code.git"),
        ("place", "https://example.org/code.git"),
        ("contextkey", "place"),
        ("contextsubdir", "part"),
        ("requestid", "dalec.target"),
    ];
    let gateway = recorder("bookworm/deb", &options, SIGNER);
    answer(&gateway).unwrap();
    let call = &gateway.calls()[0];
    assert_eq!(call.options["contextkey"], "context");
    for name in ["context", "contextsubdir", "requestid"] {
        assert!(!call.options.contains_key(name), "{name}");
    }
    assert!(describe(&call.inputs["context"]).contains("include [\"**/*.deb\"]"));
}

/// SIGN-010: arguments of the spec are expanded in those of the signer.
#[test]
fn arguments_of_a_signer_are_expanded() {
    let spec = "package_config: {signer: {image: \"example.org/s:1\", args: {KEY: 'key-${VERSION}'}}}\n";
    let gateway = recorder("bookworm/deb", &[("build-arg:VERSION", "2.0")], spec);
    answer(&gateway).unwrap();
    assert_eq!(gateway.calls()[0].options["build-arg:KEY"], "key-2.0");
}

/// SIGN-012: packages are built and tested, then signed, then compared; the result is made from what was signed.
#[test]
fn what_is_signed_was_tested() {
    let gateway = recorder("bookworm/deb", &[], SIGNER);
    answer(&gateway).unwrap();
    let called = gateway.first_with("frontend example.org/root-signer:1");
    let compared = gateway.first_with("compare-signed");
    let last_test = gateway.solved.lock().unwrap().iter().rposition(|graph| graph.contains("test-runner"));
    assert!(last_test.unwrap() < called && called < compared);
    assert!(gateway.graphs_with("name Put the signed packages in place") >= 2, "the result, and a container");
}

/// SIGN-014: with upstream's order, tests see what was signed.
#[test]
fn signing_can_come_before_the_tests() {
    let gateway = recorder("bookworm/container", &[("build-arg:DALEC_SIGN_BEFORE_TESTS", "1")], SIGNER);
    answer(&gateway).unwrap();
    assert!(gateway.first_with("compare-signed") < gateway.first_with("test-runner"));
    let tested = gateway.graphs_with("test-runner");
    let signed = gateway.solved.lock().unwrap().clone().into_iter();
    let both = signed.filter(|graph| graph.contains("test-runner") && graph.contains("compare-signed"));
    assert_eq!(both.count(), tested);
}

/// SIGN-014: containers are assembled from signed packages.
#[test]
fn containers_hold_signed_packages() {
    let gateway = recorder("bookworm/container", &[], SIGNER);
    answer(&gateway).unwrap();
    let solved = gateway.solved.lock().unwrap();
    let result = solved.last().unwrap();
    assert!(result.contains("compare-signed") && result.contains("docker-image://example.org/answer:1"));
    assert!(result.contains("name Make one layer of the container"), "{result}");
}

/// SIGN-015: how often signers are called.
#[test]
fn only_packages_that_are_built_are_signed() {
    for (target, options, calls) in [
        ("bookworm", vec![], 1),
        ("bookworm/deb", vec![], 1),
        ("bookworm/container", vec![], 1),
        ("bookworm/testing/container", vec![], 1),
        ("bookworm/dsc", vec![], 0),
        ("bookworm/worker", vec![], 0),
        ("bookworm/container", vec![("context:pkg", "local:pkg")], 0),
        ("bookworm/deb", vec![("platform", "linux/amd64,linux/arm64")], 2),
    ] {
        let gateway = recorder(target, &options, SIGNER);
        answer(&gateway).unwrap();
        assert_eq!(gateway.calls().len(), calls, "{target} {options:?}");
    }
}

/// A signer has one result to give, so it hears of one platform.
#[test]
fn a_signer_hears_of_one_platform() {
    let gateway = recorder("bookworm/deb", &[("platform", "linux/amd64,linux/arm64")], SIGNER);
    let result = answer(&gateway).unwrap();
    let mut platforms: Vec<String> =
        gateway.calls().iter().map(|call| call.options["platform"].clone()).collect();
    platforms.sort();
    assert_eq!(platforms, ["linux/amd64", "linux/arm64"]);
    for platform in platforms {
        assert!(result.metadata.contains_key(&format!("{SIGNING}/{platform}")));
    }
}

/// SIGN-016: failures say that it was the signing; anything but one file system is no answer.
#[test]
fn a_signer_that_fails_is_named() {
    let crashed: fn(&FrontendRequest) -> Result<FrontendResult, GatewayError> = |_| {
        Err(GatewayError::Frontend {
            image: "example.org/root-signer:1".into(),
            message: "no key".into(),
            hint: Some("give it one".into()),
            log: Vec::new(),
        })
    };
    let nothing = |_: &FrontendRequest| Ok(FrontendResult::default());
    let empty =
        |_: &FrontendRequest| Ok(FrontendResult { refs: vec![(String::new(), None)], ..Default::default() });
    let several = |_: &FrontendRequest| {
        let one = |platform: &str| (platform.to_owned(), Some(Reference(platform.to_owned())));
        Ok(FrontendResult { refs: vec![one("linux/amd64"), one("linux/arm64")], ..Default::default() })
    };
    for (answers, expected) in [
        (crashed, "no key"),
        (nothing, "it returned nothing"),
        (empty, "it returned nothing"),
        (several, "it returned 2 results"),
    ] {
        let gateway = Recorder { answers, ..recorder("bookworm/deb", &[], SIGNER) };
        let error = answer(&gateway).unwrap_err();
        assert!(
            matches!(&error, FrontendError::Signing { image, .. } if image == "example.org/root-signer:1")
        );
        let message = words(&error);
        assert!(message.starts_with("error signing packages") && message.contains(expected), "{message}");
        assert!(matches!(&error, FrontendError::Signing { place: Some(_), .. }), "the signer in the spec");
        assert_eq!(gateway.graphs_with("compare-signed"), 0);
    }
}

/// SIGN-017: the image is looked up once, the signer is called by the digest that was found, and that one is told.
#[test]
fn what_signed_is_told() {
    const NAME: &str = "context:example.org/root-signer:1";
    let gateway = recorder("bookworm/deb", &[(NAME, "docker-image://example.org/own:1")], SIGNER);
    let result = answer(&gateway).unwrap();
    assert_eq!(lookups(&gateway, "example.org/own"), ["example.org/own:1"]);
    assert_eq!(gateway.calls()[0].options[NAME], "docker-image://example.org/own:1@sha256:1");
    let signing: Value = serde_json::from_slice(&result.metadata[SIGNING]).unwrap();
    assert_eq!(
        signing.to_string(),
        r#"{"signer":{"image":"example.org/root-signer:1","digest":"sha256:1"},"target":"bookworm","compared":true,"artifacts":[{"path":"tool.deb","before":"00","after":"11"}]}"#
    );
    assert_eq!(gateway.warnings(), ["oh"], "what the comparison warns of");
    let gateway = recorder("bookworm/deb", &[], SIGNER);
    answer(&gateway).unwrap();
    assert_eq!(gateway.calls()[0].options["source"], "example.org/root-signer:1");
    assert_eq!(gateway.calls()[0].options[NAME], "docker-image://example.org/root-signer:1@sha256:1");
}

fn lookups(gateway: &Recorder, name: &str) -> Vec<String> {
    let asked = gateway.asked.lock().unwrap();
    asked.iter().filter(|image| image.contains(name)).cloned().collect()
}

/// SIGN-017: of several contexts for one image, it is the same one that every gateway starts and that is told.
#[test]
fn one_context_replaces_the_signer() {
    let spec = "package_config: {signer: {image: signer}}\n";
    let full = ("context:docker.io/library/signer:latest", "docker-image://example.org/full:1");
    let short = ("context:signer", "docker-image://example.org/short:1");
    let particular = ("context:signer::linux/amd64", "docker-image://example.org/particular:1");
    for (contexts, place, called) in [
        (vec![full], "context:signer", "example.org/full:1"),
        (vec![full, short], "context:signer", "example.org/short:1"),
        (vec![full, short, particular], "context:signer::linux/amd64", "example.org/particular:1"),
    ] {
        let gateway = recorder("bookworm/deb", &contexts, spec);
        answer(&gateway).unwrap();
        assert_eq!(gateway.calls()[0].options[place], format!("docker-image://{called}@sha256:1"));
        assert_eq!(lookups(&gateway, "example.org/"), [called]);
    }
}

/// The signer inside this program is no image: nobody is asked for one, and no digest is told.
#[test]
fn our_own_signer_is_not_looked_up() {
    let options = [("build-arg:DALEC_SIGNING_CONFIG_PATH", "own.yml")];
    let config = format!("signer: {{image: {OWN_SIGNER}}}\n");
    let gateway = recorder("bookworm/deb", &options, "").file("own.yml", config);
    let result = answer(&gateway).unwrap();
    let call = &gateway.calls()[0];
    assert_eq!(call.options["source"], OWN_SIGNER);
    assert_eq!(call.options["context:dalec-signer"], "input:dalec-signer");
    assert!(call.inputs.contains_key(OWN_SIGNER));
    assert!(lookups(&gateway, OWN_SIGNER).is_empty());
    let signing: Value = serde_json::from_slice(&result.metadata[SIGNING]).unwrap();
    assert_eq!(signing["signer"]["digest"], Value::Null);
}

/// An answer in which more than signatures differs is refused, with every difference, before anything is made of it.
#[test]
fn an_answer_that_differs_is_refused() {
    let report = r#"{"differences":["a.deb is missing","b.deb: its member data.tar.xz was changed"]}"#;
    let gateway = recorder("bookworm/container", &[], SIGNER).file("report.json", report);
    let error = answer(&gateway).unwrap_err();
    assert!(matches!(error, FrontendError::Signing { .. }));
    let told = words(&error);
    assert!(told.contains("it changed more than signatures\na.deb is missing\nb.deb: its member"), "{told}");
    assert_eq!(gateway.graphs_with("Put the signed packages in place"), 0);
}

/// What a signer returns is taken as it is only on demand, loudly.
#[test]
fn comparing_can_be_left_out() {
    let gateway = recorder("bookworm/deb", &[("build-arg:DALEC_SIGNING_UNVERIFIED", "1")], SIGNER);
    let result = answer(&gateway).unwrap();
    assert_eq!(gateway.graphs_with("compare-signed"), 0);
    assert!(gateway.graphs_with("docker-image://example.org/answer:1") > 0);
    assert!(gateway.warnings()[0].contains("DALEC_SIGNING_UNVERIFIED"));
    let signing: Value = serde_json::from_slice(&result.metadata[SIGNING]).unwrap();
    assert_eq!(signing["compared"], false);
    let gateway = recorder("bookworm/deb", &[("build-arg:DALEC_SIGNING_UNVERIFIED", "perhaps")], SIGNER);
    assert!(matches!(answer(&gateway), Err(FrontendError::Option { .. })));
}
