//! The package that the tests have signed.

use dalec_e2e::engine::Engine;
use dalec_e2e::run::{Invocation, Project};
use dalec_e2e::signers::go_signer;
use dalec_e2e::specs::script;

/// What the specs call their signer; a named context gives the image.
pub const SIGNER: &str = "dalec.example/signer";

/// Returns a project with one small package and `more` of a spec.
pub fn package(more: &str) -> Project {
    Project::new(&script("signed", more))
}

/// Returns the same, signed by the signer of the tests in `mode`.
pub fn signed_in(mode: &str) -> Project {
    package(&format!("package_config:\n  signer:\n    image: {SIGNER}\n    cmdline: {mode}\n"))
}

/// Returns the build of its Debian package, with the signer at hand.
pub fn build(engine: Engine, project: &Project) -> Invocation {
    with_signer(engine.build(project, "bookworm/deb"))
}

/// Adds the signer's image under the name that specs use.
pub fn with_signer(build: Invocation) -> Invocation {
    build.arg(format!("--build-context={SIGNER}={}", go_signer().context()))
}

/// Returns the flags that set build arguments.
pub fn args(args: &[&str]) -> Vec<String> {
    args.iter().map(|arg| format!("--build-arg={arg}")).collect()
}

/// Takes whatever the signer answers: some answers of the tests are no signatures.
pub const UNCOMPARED: &str = "DALEC_SIGNING_UNVERIFIED=1";
