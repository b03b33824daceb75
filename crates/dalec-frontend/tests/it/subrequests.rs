//! Requests that are no builds.

use dalec_frontend::{FrontendError, answer};
use serde_json::Value;

use crate::gateway::{Recorder, words};

fn ask(id: &str, options: &[(&str, &str)]) -> (Value, String) {
    let options: Vec<_> = [("requestid", id)].into_iter().chain(options.iter().copied()).collect();
    let gateway = Recorder::new(&options).spec_with("targets:\n  trixie: {tests: []}\n");
    let mut metadata = answer(&gateway).unwrap().metadata;
    let text = String::from_utf8(metadata.remove("result.txt").unwrap()).unwrap();
    (serde_json::from_slice(&metadata["result.json"]).unwrap(), text)
}

/// FE-007: what can be asked, and what cannot.
#[test]
fn subrequests() {
    let (list, text) = ask("frontend.subrequests.describe", &[]);
    assert!(list.as_array().unwrap().iter().any(|one| one["name"] == "frontend.targets"));
    assert!(text.starts_with("NAME"), "{text}");
    let error = answer(&Recorder::new(&[("requestid", "frontend.lint")])).unwrap_err();
    assert!(matches!(error, FrontendError::UnknownSubrequest { .. }));
    assert!(words(&error).starts_with("unsupported subrequest \"frontend.lint\""));
    // A build all the same.
    let gateway = Recorder::new(&[("requestid", "dalec.target"), ("target", "bookworm/dsc")]);
    assert_eq!(answer(&gateway).unwrap().refs.len(), 1);
}

/// FE-008: targets as data and as text, all or those below one.
#[test]
fn targets() {
    let (list, text) = ask("frontend.targets", &[]);
    let list = list["targets"].as_array().unwrap().clone();
    let find = |name: &str| list.iter().find(|target| target["name"] == name).cloned().unwrap();
    assert_eq!(find("trixie/deb")["specDefined"], true);
    assert_eq!(find("trixie/deb")["default"], true);
    assert!(
        find("bookworm/dsc").get("specDefined").is_none() && find("bookworm/dsc").get("default").is_none()
    );
    assert!(list.iter().all(|target| target["name"] != "bookworm"), "hidden");
    assert!(text.starts_with("TARGET ") && text.contains("\nbookworm/deb (default) "), "{text}");
    let (list, _) = ask("frontend.targets", &[("target", "trixie")]);
    let names: Vec<&str> =
        list["targets"].as_array().unwrap().iter().map(|target| target["name"].as_str().unwrap()).collect();
    assert!(!names.is_empty() && names.iter().all(|name| name.starts_with("trixie/")), "{names:?}");
}

/// FE-009: the spec with its arguments, once per platform, as JSON and as YAML.
#[test]
fn the_spec_is_resolved() {
    let options = [("platform", "linux/amd64,linux/arm64"), ("build-arg:VERSION", "7.5")];
    let (list, text) = ask("frontend.dalec.resolve", &options);
    let versions: Vec<&Value> = list.as_array().unwrap().iter().map(|spec| &spec["version"]).collect();
    assert_eq!(versions, ["7.5", "7.5"]);
    let lines: Vec<&str> = text.lines().filter(|line| line.contains("name: tool")).collect();
    assert_eq!(lines, ["- name: tool", "- name: tool"], "{text}");
    let source = dalec_spec::SourceText::new("list.yml", format!("x-list:\n{text}"));
    let loaded = dalec_spec::load(&source);
    assert!(loaded.diagnostics.is_empty(), "the text is YAML: {:?}", loaded.diagnostics);
}

/// FE-010: the schema is the one that is published.
#[test]
fn schema_and_default_platform() {
    let published = include_str!("../../../../docs/dalec.schema.json");
    let (schema, text) = ask("frontend.dalec.schema", &[]);
    assert_eq!(schema, serde_json::from_str::<Value>(published).unwrap());
    assert_eq!(text.trim_end(), published.trim_end());
    let (platform, text) = ask("frontend.dalec.defaultPlatform", &[]);
    assert_eq!(platform.to_string(), r#"{"architecture":"amd64","os":"linux"}"#);
    assert_eq!(text, "linux/amd64");
}
