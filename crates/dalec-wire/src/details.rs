//! Typed details of a failure, as BuildKit puts them into a `google.rpc.Status`.
//!
//! Each is an `Any` that holds JSON in the shape of Go's `encoding/json`, under a name of
//! `github.com/containerd/typeurl` (`solver/errdefs/*.go`, `frontend/gateway/pb/exit.go`). Kinds that are not listed
//! here are passed on as they are.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bollard_buildkit_proto::google::protobuf::Any;
use bollard_buildkit_proto::pb;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use dalec_gateway::Excerpt;

const VERTEX: &str = "github.com/moby/buildkit/errdefs.Vertex+json";
const SOURCE: &str = "github.com/moby/buildkit/errdefs.Source+json";
const SOLVE: &str = "github.com/moby/buildkit/errdefs.Solve+json";
const FRONTEND: &str = "github.com/moby/buildkit/errdefs.Frontend+json";
const SUBREQUEST: &str = "github.com/moby/buildkit/errdefs.Subrequest+json";
const EXIT: &str = "github.com/moby/buildkit/gatewayapi.ExitMessage+json";

/// One detail of a failure.
#[derive(Debug, Clone, PartialEq)]
pub enum Detail {
    /// The vertex that failed, by its digest.
    Vertex(String),
    /// Pieces of source text that caused it.
    Source(Excerpt),
    /// The op that failed, by the name that its metadata gives it; empty for none.
    Solve(String),
    /// How the process ended.
    Exit(u32),
    /// The frontend that failed: its kind, and the image it came from.
    Frontend {
        /// Such as `gateway.v0`.
        name: String,
        /// The image's reference.
        source: String,
    },
    /// The subrequest that a frontend does not know.
    Subrequest(String),
}

impl Detail {
    /// Returns the detail as it goes over the wire.
    pub fn encode(&self) -> Any {
        let (url, value) = match self {
            Self::Vertex(digest) => (VERTEX, json!({ "digest": digest })),
            Self::Source(excerpt) => (SOURCE, json!(Source::new(excerpt))),
            Self::Solve(name) => (SOLVE, json!({ "description": { "llb.customname": name } })),
            Self::Exit(code) => (EXIT, json!({ "Code": code })),
            Self::Frontend { name, source } => (FRONTEND, json!({ "name": name, "source": source })),
            Self::Subrequest(name) => (SUBREQUEST, json!({ "name": name })),
        };
        Any { type_url: url.into(), value: value.to_string().into_bytes() }
    }

    /// Returns the detail that `any` holds, none when its kind is not known or its content does not fit.
    pub fn decode(any: &Any) -> Option<Self> {
        if any.type_url == SOURCE {
            return serde_json::from_slice(&any.value).ok().and_then(Source::excerpt).map(Self::Source);
        }
        let value: Value = serde_json::from_slice(&any.value).ok()?;
        let text = |key: &str| value[key].as_str().unwrap_or_default().to_owned();
        match any.type_url.as_str() {
            VERTEX => Some(Self::Vertex(text("digest"))),
            SOLVE => {
                let name = value["description"]["llb.customname"].as_str();
                Some(Self::Solve(name.unwrap_or_default().to_owned()))
            }
            EXIT => value["Code"].as_u64().and_then(|code| u32::try_from(code).ok()).map(Self::Exit),
            FRONTEND => Some(Self::Frontend { name: text("name"), source: text("source") }),
            SUBREQUEST => Some(Self::Subrequest(text("name"))),
            _ => None,
        }
    }
}

/// `errdefs.Source` in JSON.
#[derive(Serialize, Deserialize, Default)]
#[serde(default)]
struct Source {
    info: Info,
    ranges: Vec<Range>,
}

/// `pb.SourceInfo` in JSON; its definition, a way to find the text again, is left out.
#[derive(Serialize, Deserialize, Default)]
#[serde(default)]
struct Info {
    filename: String,
    /// Base64.
    data: String,
    language: String,
}

#[derive(Serialize, Deserialize, Default)]
#[serde(default)]
struct Range {
    start: Position,
    end: Position,
}

#[derive(Serialize, Deserialize, Default)]
#[serde(default)]
struct Position {
    line: i32,
    character: i32,
}

impl Source {
    fn new(excerpt: &Excerpt) -> Self {
        let position = |position: &Option<pb::Position>| {
            let position = position.unwrap_or_default();
            Position { line: position.line, character: position.character }
        };
        let ranges = excerpt.ranges.iter();
        Self {
            info: Info {
                filename: excerpt.info.filename.clone(),
                data: STANDARD.encode(&excerpt.info.data),
                language: excerpt.info.language.clone(),
            },
            ranges: ranges
                .map(|range| Range { start: position(&range.start), end: position(&range.end) })
                .collect(),
        }
    }

    /// Returns nothing when the text is no base64.
    fn excerpt(self) -> Option<Excerpt> {
        let position =
            |position: Position| Some(pb::Position { line: position.line, character: position.character });
        Some(Excerpt {
            info: pb::SourceInfo {
                filename: self.info.filename,
                data: STANDARD.decode(self.info.data).ok()?,
                language: self.info.language,
                definition: None,
            },
            ranges: self
                .ranges
                .into_iter()
                .map(|range| pb::Range { start: position(range.start), end: position(range.end) })
                .collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn any(url: &str, value: &str) -> Any {
        Any { type_url: format!("github.com/moby/buildkit/{url}+json"), value: value.into() }
    }

    /// The JSON is what Go's `encoding/json` writes for the same messages: empty fields are left out.
    #[test]
    fn reads_what_go_writes() {
        let source = r#"{"info":{"filename":"dalec.yml","data":"YTogMQo=","language":"yaml"},
            "ranges":[{"start":{"line":1},"end":{"line":1,"character":4}}]}"#;
        let Some(Detail::Source(excerpt)) = Detail::decode(&any("errdefs.Source", source)) else {
            panic!("not read")
        };
        assert_eq!(excerpt.info.data, b"a: 1\n");
        assert_eq!(excerpt.ranges[0].end, Some(pb::Position { line: 1, character: 4 }));
        let solve = r#"{"inputIDs":["a"],"op":{"exec":{}},"description":{"llb.customname":"compile"}}"#;
        assert_eq!(Detail::decode(&any("errdefs.Solve", solve)), Some(Detail::Solve("compile".into())));
        assert_eq!(Detail::decode(&any("gatewayapi.ExitMessage", r#"{"Code":3}"#)), Some(Detail::Exit(3)));
    }

    #[test]
    fn what_is_written_is_read_again() {
        let excerpt = Excerpt {
            info: pb::SourceInfo {
                filename: "dalec.yml".into(),
                data: b"name: a\n".to_vec(),
                ..pb::SourceInfo::default()
            },
            ranges: vec![pb::Range {
                start: Some(pb::Position { line: 1, character: 0 }),
                end: Some(pb::Position { line: 1, character: 7 }),
            }],
        };
        for detail in [
            Detail::Vertex("sha256:ab".into()),
            Detail::Source(excerpt),
            Detail::Solve("compile".into()),
            Detail::Exit(7),
            Detail::Frontend { name: "gateway.v0".into(), source: "example.org/signer".into() },
            Detail::Subrequest("frontend.other".into()),
        ] {
            assert_eq!(Detail::decode(&detail.encode()), Some(detail));
        }
    }

    #[test]
    fn what_does_not_fit_is_not_read() {
        assert_eq!(Detail::decode(&any("errdefs.Source", r#"{"info":{"data":"!"}}"#)), None);
        assert_eq!(Detail::decode(&any("errdefs.Vertex", "no json")), None);
        assert_eq!(Detail::decode(&any("stack.Stack", "{}")), None);
    }
}
