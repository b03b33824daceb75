//! What the served protocol can do.

use bollard_buildkit_proto::moby::buildkit::v1::apicaps::ApiCap;

/// In the words of BuildKit (`frontend/gateway/pb/caps.go`). Not among them: importing caches, attestations, and the
/// refinements of questions about sources.
const FRONTEND: &[&str] = &[
    "solve.base",
    "solve.inlinereturn",
    "resolveimage",
    "resolveimage.resolvemode",
    "readfile",
    "return",
    "returnmap",
    "readdir",
    "statfile",
    "proto.refarray",
    "reference.output",
    "frontend.inputs",
    "gateway.solve.metadata",
    "gateway.exec",
    "gateway.exec.extrahosts",
    "gateway.exec.secretenv",
    "gateway.exec.signals",
    "gateway.exec.filesystem",
    "frontend.caps",
    "gateway.solve.evaluate",
    "gateway.evaluate",
    "gateway.warnings",
    "source.metaresolver",
];

/// Returns the capabilities of the protocol.
pub fn of_frontends() -> Vec<ApiCap> {
    enabled(FRONTEND)
}

/// Returns `names` as the wire has capabilities.
pub fn enabled(names: &[&str]) -> Vec<ApiCap> {
    let enabled = |name: &&str| ApiCap { id: (*name).to_owned(), enabled: true, ..ApiCap::default() };
    names.iter().map(enabled).collect()
}
