//! Builds for platforms whose programs run where the build runs, or do not.

use bollard_buildkit_proto::pb;
use dalec_frontend::{FrontendError, answer};
use prost::Message;

use crate::gateway::{Recorder, SPEC};

/// Builds `target` for arm64 where programs for `runnable` run, and returns what its steps run on.
fn steps(runnable: &[&str], target: &str) -> Result<(Vec<String>, Vec<String>), FrontendError> {
    let mut gateway =
        Recorder::new(&[("target", target), ("platform", "linux/arm64")]).file("spec.yml", SPEC);
    gateway.options.platforms = runnable.iter().map(|platform| (*platform).to_owned()).collect();
    let result = answer(&gateway)?;
    assert_eq!(result.refs[0].0, "linux/arm64");
    let definitions = gateway.definitions.lock().unwrap();
    let ops = definitions.values().flat_map(|definition| &definition.def);
    let ops = ops.map(|op| pb::Op::decode(op.as_slice()).expect("an op"));
    let mut found: Vec<String> = ops.filter_map(|op| Some(op.platform?.architecture)).collect();
    found.sort();
    found.dedup();
    Ok((found, gateway.warnings()))
}

/// TGT-010: an emulator does what a machine of that kind does; without one packages are built by this one.
#[test]
fn steps_run_on_what_they_are_for_or_on_this_machine() {
    let (found, warnings) = steps(&["linux/amd64", "linux/arm64"], "bookworm/deb").unwrap();
    // What is read before the build, such as the spec, has no processor.
    assert_eq!((found.contains(&"arm64".to_owned()), warnings.len()), (true, 0));
    let (found, _) = steps(&["linux/amd64", "linux/386"], "bookworm/deb").unwrap();
    assert_eq!(found, ["amd64"]);
}

#[test]
fn what_takes_programs_of_another_processor_is_refused() {
    for target in ["bookworm/testing/container", "bookworm/worker", "flatcar/worker"] {
        let error = steps(&["linux/amd64"], target).expect_err("its packages have scripts");
        let FrontendError::Machine { hint, .. } = &error else { panic!("{error}") };
        assert!(error.to_string().starts_with(&format!("{target} cannot be built for linux/arm64 here")));
        assert!(hint.as_ref().is_some_and(|hint| hint.contains("binfmt_misc")));
        assert!(steps(&["linux/amd64", "linux/arm64"], target).is_ok());
    }
    for target in ["bookworm/container", "azlinux3/container", "azlinux3/worker", "trixie/testing/sysext"] {
        let (found, _) = steps(&["linux/amd64"], target).expect("this machine's programs make it");
        assert!(found.iter().all(|platform| platform == "amd64" || target == "azlinux3/worker"), "{found:?}");
    }
}

/// TGT-010: nothing runs for a worker that the client gives, for this platform or for all.
#[test]
fn a_given_worker_is_passed_on() {
    for name in ["dalec-bookworm-worker", "dalec-bookworm-worker::linux/arm64"] {
        let option = (format!("context:{name}"), "docker-image://example.org/worker".to_owned());
        let mut gateway = Recorder::new(&[("target", "bookworm/worker"), ("platform", "linux/arm64")]);
        gateway.options.options.extend([option]);
        gateway.options.platforms = vec!["linux/amd64".into()];
        answer(&gateway.file("spec.yml", SPEC)).expect("it is only passed on");
    }
}

/// SRC-006: files of images are those for the platform that is built for, as upstream takes them; commands run here.
#[test]
fn images_of_sources_are_for_the_result() {
    let sources = "  files: {image: {ref: example.org/files}, path: /usr}\n  made: {image: {ref: example.org/tools, cmd: {steps: [{command: make}]}}, path: /out}\n";
    let spec = SPEC.replace("artifacts:\n", &format!("{sources}artifacts:\n"));
    let mut gateway =
        Recorder::new(&[("target", "bookworm/deb"), ("platform", "linux/arm64")]).file("spec.yml", spec);
    gateway.options.platforms = vec!["linux/amd64".into()];
    answer(&gateway).expect("a cross build");
    let definitions = gateway.definitions.lock().unwrap();
    let ops = definitions.values().flat_map(|definition| &definition.def);
    let ops: Vec<pb::Op> = ops.map(|op| pb::Op::decode(op.as_slice()).expect("an op")).collect();
    for (image, expected) in [("example.org/files", "arm64"), ("example.org/tools", "amd64")] {
        let is_it = |op: &&pb::Op| matches!(&op.op, Some(pb::op::Op::Source(source)) if source.identifier.contains(image));
        let found: Vec<&pb::Op> = ops.iter().filter(is_it).collect();
        assert!(!found.is_empty(), "{image} is not taken");
        for op in found {
            assert_eq!(op.platform.as_ref().expect("it has one").architecture, expected, "{image}");
        }
    }
}
