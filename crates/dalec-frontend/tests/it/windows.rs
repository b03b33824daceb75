//! Programs for Windows: built on another platform than they are for, and an image for each base.

use dalec_frontend::{FrontendError, answer};
use dalec_gateway::GatewayError;
use serde_json::{Value, json};

use crate::gateway::{Recorder, SPEC, words};

const OLD: &str = "registry.example.org/windows:2019";
const NEW: &str = "registry.example.org/windows:2022";

/// A request for a container on two images of Windows.
fn recorder(options: &[(&str, &str)], more: &str) -> Recorder {
    let target = [("target", "windowscross/container")];
    let bases = |name: &str| format!("    - rootfs: {{image: {{ref: \"{name}\"}}}}\n");
    let spec = format!("{SPEC}{more}image:\n  bases:\n{}{}", bases(OLD), bases(NEW));
    let mut gateway = Recorder::new(&[&target[..], options].concat()).file("spec.yml", spec);
    for (name, version) in [(OLD, "10.0.17763.1"), (NEW, "10.0.20348.2")] {
        let config = json!({ "os": "windows", "architecture": "amd64", "os.version": version });
        gateway.configs.insert(name.to_owned(), config.to_string());
    }
    gateway
}

/// WIN-003: what is built for is Windows, and what builds is this machine.
#[test]
fn programs_are_for_windows_and_built_here() {
    let spec = SPEC.replace("version: ${VERSION}", "version: ${VERSION}.${TARGETOS}");
    let spec = spec.replace("args:", "args:\n  TARGETOS:");
    let gateway = Recorder::new(&[("target", "windowscross/zip")]).file("spec.yml", spec);
    let result = answer(&gateway).unwrap();
    assert_eq!(result.refs[0].0, "windows/amd64");
    assert!(gateway.graphs_with("tool_1.0.0.windows-1_amd64.zip") > 0);
    let config: Value = serde_json::from_slice(&result.metadata["containerimage.config"]).unwrap();
    assert_eq!((&config["os"], &config["architecture"]), (&json!("windows"), &json!("amd64")));
    let platforms = gateway.definitions.lock().unwrap().values().flat_map(platforms).collect::<Vec<_>>();
    assert!(!platforms.is_empty() && platforms.iter().all(|os| os == "linux"), "{platforms:?}");
    assert!(gateway.warnings().iter().any(|warning| warning.contains("tests are not run")));
}

/// Returns the operating systems of a graph's ops, where they are said.
fn platforms(definition: &bollard_buildkit_proto::pb::Definition) -> Vec<String> {
    use prost::Message;
    let ops = definition.def.iter().map(|op| bollard_buildkit_proto::pb::Op::decode(op.as_slice()).unwrap());
    ops.filter_map(|op| op.platform).map(|platform| platform.os).collect()
}

/// WIN-005
#[test]
fn each_image_gets_a_result() {
    let gateway = recorder(&[], "");
    let result = answer(&gateway).unwrap();
    let ids = ["windows(10.0.17763.1)/amd64", "windows(10.0.20348.2)/amd64"];
    assert_eq!(result.refs.iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>(), ids);
    let read = |key: &str| serde_json::from_slice::<Value>(&result.metadata[key]).unwrap();
    let platforms = read("refs.platforms");
    assert_eq!(
        platforms["Platforms"][1],
        json!({
            "ID": ids[1],
            "Platform": { "architecture": "amd64", "os": "windows", "os.version": "10.0.20348.2" },
        })
    );
    for (id, version) in ids.iter().zip(["10.0.17763.1", "10.0.20348.2"]) {
        for kind in ["containerimage.config", "containerimage.base.config"] {
            assert_eq!(read(&format!("{kind}/{id}"))["os.version"], version);
        }
    }
    let asked = gateway.asked.lock().unwrap();
    assert_eq!(asked.iter().filter(|name| [OLD, NEW].contains(&name.as_str())).count(), 2, "{asked:?}");
}

/// WIN-005
#[test]
fn two_images_of_one_version_are_refused() {
    let mut gateway = recorder(&[], "");
    gateway.configs.clear();
    let error = answer(&gateway).unwrap_err();
    assert!(words(&error).contains("multiple base images provided with the same platform value"), "{error}");
    let FrontendError::Plan { spans, .. } = error else { panic!("another error") };
    assert_eq!(spans.len(), 2);
}

/// WIN-005: what steps run in is for the machine that builds, and one that was given is not missing.
#[test]
fn a_missing_base_says_nothing_of_a_worker_that_was_given() {
    const WORKER: &str = "example.org/worker:1";
    let mut gateway = recorder(&[("context:ubuntu:jammy", "docker-image://example.org/worker:1")], "");
    gateway.missing = vec![OLD];
    gateway.of_linux = vec![WORKER];
    let FrontendError::At { error, .. } = answer(&gateway).unwrap_err() else { panic!("it has a place") };
    let GatewayError::Image { reference, hint, .. } = *error else { panic!("{error}") };
    assert_eq!(reference, OLD);
    assert!(gateway.asked.lock().unwrap().contains(&WORKER.to_owned()));
    assert!(!hint.contains(WORKER), "{hint}");
}

/// WIN-006
#[test]
fn what_cannot_be_built_is_not_looked_up() {
    let dependencies = "dependencies:\n  runtime:\n    libfoo:\n";
    for (gateway, expected) in [
        (recorder(&[], dependencies), "cannot have runtime dependencies"),
        (
            recorder(&[("platform", "windows/amd64,windows/arm64")], ""),
            "multi-platform output is not supported",
        ),
    ] {
        let error = answer(&gateway).unwrap_err();
        assert!(words(&error).contains(expected), "{error}");
        assert_eq!(*gateway.asked.lock().unwrap(), [""; 0]);
    }
}
