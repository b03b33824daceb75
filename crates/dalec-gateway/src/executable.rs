//! The frontend's own executable as an image, for steps that run it: served by the client from its directory.

use bollard_buildkit_proto::pb;
use prost::Message;
use sha2::{Digest, Sha256};

/// Name of the local directory that holds the frontend's executable.
pub const FRONTEND_DIR: &str = "dalec-frontend-executable";

/// Returns the graph of a file system that holds the file `name` of the client's directory `dir` as `/frontend`.
pub fn executable_image(dir: &str, name: &str) -> pb::Definition {
    let include = serde_json::json!([escape(name)]).to_string();
    let source = pb::SourceOp {
        identifier: format!("local://{dir}"),
        attrs: [("local.includepattern".to_owned(), include)].into(),
    };
    let copy = pb::FileActionCopy {
        src: format!("/{name}"),
        dest: "/frontend".into(),
        mode: 0o755,
        timestamp: -1,
        ..pb::FileActionCopy::default()
    };
    let action = pb::FileAction {
        input: -1,
        secondary_input: 0,
        output: 0,
        action: Some(pb::file_action::Action::Copy(copy)),
    };
    let file = pb::FileOp { actions: vec![action] };
    let mut definition = pb::Definition::default();
    let mut input = Vec::new();
    let ops = [
        ("read the frontend", Some(pb::op::Op::Source(source))),
        ("load the frontend", Some(pb::op::Op::File(file))),
        ("", None),
    ];
    for (label, op) in ops {
        let encoded = pb::Op { inputs: input, op, ..pb::Op::default() }.encode_to_vec();
        let digest = format!("sha256:{}", hex::encode(Sha256::digest(&encoded)));
        let name = [("llb.customname".to_owned(), label.to_owned())].into();
        let metadata = pb::OpMetadata { description: name, ..pb::OpMetadata::default() };
        definition.metadata.insert(digest.clone(), metadata);
        definition.def.push(encoded);
        input = vec![pb::Input { digest, index: 0 }];
    }
    definition
}

fn escape(name: &str) -> String {
    name.chars()
        .flat_map(|letter| "*?[]\\!".contains(letter).then_some('\\').into_iter().chain([letter]))
        .collect()
}
