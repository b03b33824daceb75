//! File ops: make directories, files and links, copy and remove, without starting a process.

use bollard_buildkit_proto::pb::{self, file_action::Action};

use crate::location::Location;
use crate::state::{Body, Metadata, Output, ProgressGroup, State, Vertex};

/// Numeric owner of what a file action makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
}

/// How files are copied. The defaults copy a file or a whole directory tree as it is.
#[derive(Debug, Clone, Default)]
pub struct Copy {
    /// Follow a symbolic link at the source path.
    pub follow_symlinks: bool,
    /// Copy what a directory holds rather than the directory.
    pub contents_only: bool,
    /// Make the parent directories of the destination.
    pub make_parents: bool,
    /// The source path is a pattern.
    pub wildcard: bool,
    /// A pattern may match nothing.
    pub allow_empty_wildcard: bool,
    /// Patterns to take, relative to the source path.
    pub include: Vec<String>,
    /// Patterns to leave out, relative to the source path.
    pub exclude: Vec<String>,
    /// Permission bits for everything copied.
    pub mode: Option<u32>,
    /// Owner of everything copied.
    pub owner: Option<Owner>,
    /// The source is an archive, and what is in it is copied.
    pub unpack: bool,
}

/// A chain of file actions that becomes one op.
#[derive(Debug, Clone, Default)]
pub struct File {
    actions: Vec<(Action, Option<State>)>,
    metadata: Metadata,
}

impl File {
    /// Returns an empty chain called `name` in progress displays.
    pub fn new(name: impl AsRef<str>) -> Self {
        Self { actions: Vec::new(), metadata: Metadata::named(name.as_ref()) }
    }

    /// Adds the directory `path`, with its parents.
    pub fn mkdir(mut self, path: &str, mode: u32, owner: Option<Owner>) -> Self {
        let action = Action::Mkdir(pb::FileActionMkDir {
            path: path.into(),
            mode: mode as i32,
            make_parents: true,
            owner: owner.map(chown),
            timestamp: -1,
        });
        self.actions.push((action, None));
        self
    }

    /// Adds the file `path`; its parent must exist.
    pub fn mkfile(mut self, path: &str, mode: u32, owner: Option<Owner>, data: impl Into<Vec<u8>>) -> Self {
        let action = Action::Mkfile(pb::FileActionMkFile {
            path: path.into(),
            mode: mode as i32,
            data: data.into(),
            owner: owner.map(chown),
            timestamp: -1,
        });
        self.actions.push((action, None));
        self
    }

    /// Adds the symbolic link `path` with the text `target`.
    pub fn symlink(mut self, target: &str, path: &str, owner: Option<Owner>) -> Self {
        let action = Action::Symlink(pb::FileActionSymlink {
            oldpath: target.into(),
            newpath: path.into(),
            owner: owner.map(chown),
            timestamp: -1,
        });
        self.actions.push((action, None));
        self
    }

    /// Removes `path` with everything in it; it may be missing.
    pub fn rm(mut self, path: &str) -> Self {
        let action =
            Action::Rm(pb::FileActionRm { path: path.into(), allow_not_found: true, allow_wildcard: false });
        self.actions.push((action, None));
        self
    }

    /// Copies `source_path` of `source` to `dest`. A `dest` that ends in `/` is a directory.
    pub fn copy(mut self, source: &State, source_path: &str, dest: &str, copy: Copy) -> Self {
        let action = Action::Copy(pb::FileActionCopy {
            src: source_path.into(),
            dest: dest.into(),
            owner: copy.owner.map(chown),
            mode: copy.mode.map_or(-1, |mode| mode as i32),
            follow_symlink: copy.follow_symlinks,
            dir_copy_contents: copy.contents_only,
            create_dest_path: copy.make_parents,
            allow_wildcard: copy.wildcard,
            allow_empty_wildcard: copy.allow_empty_wildcard,
            attempt_unpack_docker_compatibility: copy.unpack,
            timestamp: -1,
            include_patterns: copy.include,
            exclude_patterns: copy.exclude,
            ..pb::FileActionCopy::default()
        });
        self.actions.push((action, Some(source.clone())));
        self
    }

    /// Notes what in the spec caused these actions.
    pub fn at(mut self, locations: impl IntoIterator<Item = Location>) -> Self {
        self.metadata.locations.extend(locations);
        self
    }

    /// Shows the op under `group`.
    pub fn group(mut self, group: &ProgressGroup) -> Self {
        self.metadata.group = Some(group.clone());
        self
    }
}

impl State {
    /// Returns this file system after the actions of `file`; no actions change nothing.
    pub fn file(&self, file: File) -> State {
        if file.actions.is_empty() {
            return self.clone();
        }
        let mut inputs: Vec<Output> = Vec::new();
        let base = self.output.clone().map(|output| push_input(&mut inputs, output));
        let secondary: Vec<i64> = file
            .actions
            .iter()
            .map(|(_, source)| match source.as_ref().and_then(|state| state.output.clone()) {
                Some(output) => push_input(&mut inputs, output),
                None => -1,
            })
            .collect();
        let count = inputs.len() as i64;
        let last = file.actions.len() - 1;
        let actions = file.actions.into_iter().zip(secondary).enumerate();
        let actions = actions
            .map(|(index, ((action, _), secondary_input))| pb::FileAction {
                input: if index == 0 { base.unwrap_or(-1) } else { count + index as i64 - 1 },
                secondary_input,
                output: if index == last { 0 } else { -1 },
                action: Some(action),
            })
            .collect();
        State::first_output(Vertex {
            op: Body::Op(Box::new(pb::op::Op::File(pb::FileOp { actions }))),
            inputs,
            platform: None,
            metadata: file.metadata,
        })
    }
}

/// Returns the index of `output` in `inputs`, adding it when it is not there yet.
pub(crate) fn push_input(inputs: &mut Vec<Output>, output: Output) -> i64 {
    let same =
        |known: &Output| std::sync::Arc::ptr_eq(&known.vertex, &output.vertex) && known.index == output.index;
    match inputs.iter().position(same) {
        Some(index) => index as i64,
        None => {
            inputs.push(output);
            inputs.len() as i64 - 1
        }
    }
}

fn chown(owner: Owner) -> pb::ChownOpt {
    let id = |id| Some(pb::UserOpt { user: Some(pb::user_opt::User::ById(id)) });
    pb::ChownOpt { user: id(owner.uid), group: id(owner.gid) }
}
