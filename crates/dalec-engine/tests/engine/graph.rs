//! Small graphs, written down briefly.

use std::collections::BTreeMap;

use bollard_buildkit_proto::pb;
use pb::file_action::Action;
use prost::Message;
use sha2::{Digest, Sha256};

/// A graph that grows; nodes are the outputs of its ops.
#[derive(Default)]
pub struct Graph {
    definition: pb::Definition,
}

/// An output of an op.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    pub digest: String,
    pub index: i64,
}

impl Graph {
    pub fn op(&mut self, op: pb::op::Op, inputs: &[&Node]) -> Node {
        let inputs =
            inputs.iter().map(|node| pb::Input { digest: node.digest.clone(), index: node.index }).collect();
        let encoded = pb::Op { inputs, op: Some(op), ..pb::Op::default() }.encode_to_vec();
        let digest = format!("sha256:{}", hex::encode(Sha256::digest(&encoded)));
        if !self.definition.def.contains(&encoded) {
            self.definition.def.push(encoded);
        }
        self.definition.metadata.entry(digest.clone()).or_default();
        Node { digest, index: 0 }
    }

    /// Builds the graph `inner`, which is in a file.
    pub fn build(&mut self, inner: &pb::Definition) -> Node {
        let file = pb::FileActionMkFile {
            path: "/graph".into(),
            mode: 0o644,
            // Without what has no order, so that equal graphs are equal files.
            data: pb::Definition { def: inner.def.clone(), ..pb::Definition::default() }.encode_to_vec(),
            timestamp: -1,
            ..pb::FileActionMkFile::default()
        };
        let holder = self.file(None, None, vec![Action::Mkfile(file)]);
        self.build_in(&holder)
    }

    /// Builds the graph that is in the file `graph` of `holder`.
    pub fn build_in(&mut self, holder: &Node) -> Node {
        let build = pb::BuildOp {
            builder: -1,
            inputs: [("buildkit.llb.definition".to_owned(), pb::BuildInput { input: 0 })].into(),
            attrs: [("llbbuild.filename".to_owned(), "graph".to_owned())].into(),
            ..pb::BuildOp::default()
        };
        self.op(pb::op::Op::Build(build), &[holder])
    }

    /// Takes another graph in and returns its result.
    pub fn import(&mut self, other: &pb::Definition) -> Node {
        let (terminal, ops) = other.def.split_last().expect("a graph with an end");
        self.definition
            .def
            .extend(ops.iter().filter(|op| !self.definition.def.contains(op)).cloned().collect::<Vec<_>>());
        self.definition.metadata.extend(other.metadata.clone());
        let terminal = pb::Op::decode(terminal.as_slice()).expect("an op");
        Node { digest: terminal.inputs[0].digest.clone(), index: terminal.inputs[0].index }
    }

    pub fn source(&mut self, identifier: &str, attrs: &[(&str, &str)]) -> Node {
        let attrs = attrs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        self.op(pb::op::Op::Source(pb::SourceOp { identifier: identifier.into(), attrs }), &[])
    }

    pub fn local(&mut self, name: &str) -> Node {
        self.source(&format!("local://{name}"), &[])
    }

    /// The root that has the probe.
    pub fn base(&mut self) -> Node {
        self.local("base")
    }

    pub fn exec(&mut self, exec: Exec) -> Vec<Node> {
        let mut inputs: Vec<Node> = Vec::new();
        let mut mounts = Vec::new();
        let mut outputs = 0;
        for (mut mount, input) in exec.mounts {
            mount.input = match input {
                None => -1,
                Some(node) => {
                    inputs.push(node);
                    inputs.len() as i64 - 1
                }
            };
            if mount.output >= 0 {
                mount.output = outputs;
                outputs += 1;
            }
            mounts.push(mount);
        }
        let op = pb::ExecOp { mounts, ..exec.op };
        let inputs: Vec<&Node> = inputs.iter().collect();
        let node = self.op(pb::op::Op::Exec(op), &inputs);
        (0..outputs).map(|index| Node { index, ..node.clone() }).collect()
    }

    /// Runs the probe in `root` and returns the root afterwards.
    pub fn run(&mut self, root: &Node, commands: &[&str]) -> Node {
        self.exec(Exec::new(root, commands)).remove(0)
    }

    pub fn merge(&mut self, nodes: &[&Node]) -> Node {
        let inputs = (0..nodes.len() as i64).map(|input| pb::MergeInput { input }).collect();
        self.op(pb::op::Op::Merge(pb::MergeOp { inputs }), nodes)
    }

    pub fn diff(&mut self, lower: &Node, upper: &Node) -> Node {
        let diff = pb::DiffOp {
            lower: Some(pb::LowerDiffInput { input: 0 }),
            upper: Some(pb::UpperDiffInput { input: 1 }),
        };
        self.op(pb::op::Op::Diff(diff), &[lower, upper])
    }

    /// Applies actions to `base`, one after the other; copies read from `source`.
    pub fn file(&mut self, base: Option<&Node>, source: Option<&Node>, actions: Vec<Action>) -> Node {
        let inputs: Vec<&Node> = base.into_iter().chain(source).collect();
        let base_index = if base.is_some() { 0 } else { -1 };
        let source_index = if source.is_some() { inputs.len() as i64 - 1 } else { -1 };
        let last = actions.len() - 1;
        let actions = actions
            .into_iter()
            .enumerate()
            .map(|(position, action)| pb::FileAction {
                input: match position {
                    0 => base_index,
                    _ => inputs.len() as i64 + position as i64 - 1,
                },
                secondary_input: if matches!(action, Action::Copy(_)) { source_index } else { -1 },
                output: if position == last { 0 } else { -1 },
                action: Some(action),
            })
            .collect();
        self.op(pb::op::Op::File(pb::FileOp { actions }), &inputs)
    }

    pub fn describe(&mut self, node: &Node, change: impl FnOnce(&mut pb::OpMetadata)) {
        change(self.definition.metadata.entry(node.digest.clone()).or_default());
    }

    pub fn locate(&mut self, node: &Node, text: &str, line: i32) {
        let source = self.definition.source.get_or_insert_default();
        source.infos.push(pb::SourceInfo {
            filename: "spec.yml".into(),
            data: text.into(),
            ..pb::SourceInfo::default()
        });
        let position = pb::Position { line, character: 0 };
        let range = pb::Range { start: Some(position), end: Some(position) };
        let location = pb::Location { source_index: source.infos.len() as i32 - 1, ranges: vec![range] };
        let locations = pb::Locations { locations: vec![location] };
        source.locations.insert(node.digest.clone(), locations);
    }

    pub fn finish(mut self, node: &Node) -> pb::Definition {
        let input = pb::Input { digest: node.digest.clone(), index: node.index };
        let terminal = pb::Op { inputs: vec![input], ..pb::Op::default() };
        self.definition.def.push(terminal.encode_to_vec());
        self.definition
    }
}

/// A process to run.
pub struct Exec {
    pub op: pb::ExecOp,
    mounts: Vec<(pb::Mount, Option<Node>)>,
}

impl Exec {
    pub fn new(root: &Node, commands: &[&str]) -> Self {
        let args = ["/bin/probe", "probe"].iter().chain(commands).map(|text| (*text).to_owned()).collect();
        let meta = pb::Meta { args, cwd: "/".into(), ..pb::Meta::default() };
        let op = pb::ExecOp { meta: Some(meta), network: pb::NetMode::None.into(), ..pb::ExecOp::default() };
        let mount = pb::Mount { dest: "/".into(), ..pb::Mount::default() };
        Self { op, mounts: vec![(mount, Some(root.clone()))] }
    }

    pub fn root_mut(&mut self) -> &mut pb::Mount {
        &mut self.mounts[0].0
    }

    /// Adds a mount; an output unless it is read-only.
    pub fn bind(self, dest: &str, node: Option<&Node>, readonly: bool) -> Self {
        let output = if readonly { -1 } else { 0 };
        self.mount(pb::Mount { dest: dest.into(), readonly, output, ..pb::Mount::default() }, node)
    }

    pub fn cache(self, dest: &str, id: &str, sharing: pb::CacheSharingOpt) -> Self {
        let options = pb::CacheOpt { id: id.into(), sharing: sharing.into() };
        let mount = pb::Mount {
            dest: dest.into(),
            output: -1,
            mount_type: pb::MountType::Cache.into(),
            cache_opt: Some(options),
            ..pb::Mount::default()
        };
        self.mount(mount, None)
    }

    pub fn secret(self, dest: &str, id: &str, optional: bool) -> Self {
        let options = pb::SecretOpt { id: id.into(), optional, mode: 0o440, ..pb::SecretOpt::default() };
        let mount = pb::Mount {
            dest: dest.into(),
            output: -1,
            mount_type: pb::MountType::Secret.into(),
            secret_opt: Some(options),
            ..pb::Mount::default()
        };
        self.mount(mount, None)
    }

    pub fn mount(mut self, mount: pb::Mount, node: Option<&Node>) -> Self {
        self.mounts.push((mount, node.cloned()));
        self
    }
}

pub fn mkdir(path: &str, mode: i32) -> Action {
    let mkdir = pb::FileActionMkDir {
        path: path.into(),
        mode,
        make_parents: true,
        timestamp: -1,
        ..pb::FileActionMkDir::default()
    };
    Action::Mkdir(mkdir)
}

pub fn mkfile(path: &str, mode: i32, data: &str) -> Action {
    let mkfile = pb::FileActionMkFile {
        path: path.into(),
        mode,
        data: data.into(),
        timestamp: -1,
        ..pb::FileActionMkFile::default()
    };
    Action::Mkfile(mkfile)
}

pub fn link(target: &str, path: &str) -> Action {
    let symlink = pb::FileActionSymlink {
        oldpath: target.into(),
        newpath: path.into(),
        timestamp: -1,
        ..pb::FileActionSymlink::default()
    };
    Action::Symlink(symlink)
}

pub fn rm(path: &str, wildcard: bool) -> Action {
    let rm = pb::FileActionRm { path: path.into(), allow_not_found: false, allow_wildcard: wildcard };
    Action::Rm(rm)
}

pub fn copy(src: &str, dest: &str) -> pb::FileActionCopy {
    pb::FileActionCopy {
        src: src.into(),
        dest: dest.into(),
        mode: -1,
        timestamp: -1,
        create_dest_path: true,
        ..pb::FileActionCopy::default()
    }
}

pub fn owner(uid: u32, gid: u32) -> pb::ChownOpt {
    let id = |id| Some(pb::UserOpt { user: Some(pb::user_opt::User::ById(id)) });
    pb::ChownOpt { user: id(uid), group: id(gid) }
}

/// Names from a map, for cases that do not care about order.
#[allow(dead_code, reason = "not every case has metadata")]
pub fn description(name: &str) -> BTreeMap<String, String> {
    [("llb.customname".to_owned(), name.to_owned())].into()
}
