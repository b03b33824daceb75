//! File ops: chains of actions on file systems, without starting a process.

use std::fs::File;
use std::io::Write as _;
use std::os::fd::AsFd;

use bollard_buildkit_proto::pb;
use dalec_files::Pattern;
use pb::file_action::Action;
use rustix::fs::FileType;

use super::copy::{CopySource, CopyTarget, copy};
use super::destination::Destination;
use super::owner::{self, Owner};
use super::{Active, OpContext};
use crate::CONSTANT_MTIME;
use crate::error::{Error, IoContext, Result};
use crate::snapshot::resolve::{clean, components};
use crate::snapshot::write::{self, Attributes, os};
use crate::snapshot::{Kind, MergedTree, Snapshot, Tree};

/// Runs the actions and returns the outputs.
///
/// # Errors
/// When an action fails.
pub fn run(context: &OpContext<'_>, op: &pb::FileOp, inputs: &[Snapshot]) -> Result<Vec<Snapshot>> {
    let outputs = op.actions.iter().map(|action| action.output).max().unwrap_or(-1);
    let mut chain = Chain { context, op, inputs, results: Vec::new(), active: None };
    for position in 0..op.actions.len() {
        context.check()?;
        chain.run(position)?;
    }
    (0..=outputs).map(|output| chain.output(output)).collect()
}

struct Chain<'a> {
    context: &'a OpContext<'a>,
    op: &'a pb::FileOp,
    inputs: &'a [Snapshot],
    /// What each action so far made; none while it is what is being changed.
    results: Vec<Option<Snapshot>>,
    /// What is being changed, and the action that changed it last.
    active: Option<(usize, Active)>,
}

impl Chain<'_> {
    fn run(&mut self, position: usize) -> Result<()> {
        let action = &self.op.actions[position];
        let base = self.action_at(action.input);
        // Copies read from a finished file system, also when an earlier action made it.
        let secondary = self.snapshot(action.secondary_input)?;
        let reuse = matches!((base, &self.active), (Some(base), Some((last, _))) if base == *last)
            && !self.is_needed_later(position, action.input);
        let active = match (reuse, self.active.take()) {
            (true, Some((_, active))) => active,
            (_, active) => {
                self.active = active;
                self.settle()?;
                Active::new(self.context.core, &self.snapshot(action.input)?)?
            }
        };
        Step { chain: self, secondary }.run(action, &active)?;
        self.results.push(None);
        self.active = Some((position, active));
        if action.output >= 0 {
            self.settle()?;
        }
        Ok(())
    }

    /// Returns the action that made the input `index`, when one did.
    fn action_at(&self, index: i64) -> Option<usize> {
        usize::try_from(index).ok()?.checked_sub(self.inputs.len())
    }

    /// Returns whether another action after `position` starts from `input`, or copies from it.
    fn is_needed_later(&self, position: usize, input: i64) -> bool {
        let later = self.op.actions.iter().skip(position + 1);
        let itself = self.op.actions[position].secondary_input == input;
        itself || later.into_iter().any(|action| action.input == input || action.secondary_input == input)
    }

    /// Finishes what is being changed.
    fn settle(&mut self) -> Result<()> {
        if let Some((position, active)) = self.active.take() {
            self.results[position] = Some(active.commit(self.context.core)?);
        }
        Ok(())
    }

    /// Returns the file system with the number `index`, among inputs and results of actions.
    fn snapshot(&mut self, index: i64) -> Result<Snapshot> {
        let Some(position) = self.action_at(index) else { return Ok(super::input(self.inputs, index)) };
        if self.active.as_ref().is_some_and(|(last, _)| *last == position) {
            self.settle()?;
        }
        let result = self.results.get(position).cloned().flatten();
        result.ok_or_else(|| {
            Error::Request("a file action refers to a result that is not there any more".into())
        })
    }

    fn output(&mut self, output: i64) -> Result<Snapshot> {
        let position = self.op.actions.iter().rposition(|action| action.output == output);
        let missing = || Error::Request(format!("no file action makes the output {output}"));
        self.results.get(position.ok_or_else(missing)?).cloned().flatten().ok_or_else(missing)
    }
}

/// One action at work.
struct Step<'a, 'b> {
    chain: &'a Chain<'b>,
    secondary: Snapshot,
}

impl Step<'_, '_> {
    fn run(&self, action: &pb::FileAction, active: &Active) -> Result<()> {
        let root = active.root();
        let destination = Destination::open(&root, self.chain.context.core.owners())?;
        match &action.action {
            Some(Action::Copy(copy)) => self.copy(copy, &destination),
            Some(Action::Mkdir(mkdir)) => self.mkdir(mkdir, &destination),
            Some(Action::Mkfile(mkfile)) => self.mkfile(mkfile, &destination),
            Some(Action::Symlink(symlink)) => self.symlink(symlink, &destination),
            Some(Action::Rm(rm)) => remove(rm, &destination, &MergedTree::new(vec![root])),
            None => Err(Error::Request("a file action is of a kind that this engine does not know".into())),
        }
    }

    fn copy(&self, action: &pb::FileActionCopy, destination: &Destination) -> Result<()> {
        let source = CopySource::new(action)?;
        let target = CopyTarget::new(action, self.owner(action.owner.as_ref())?)?;
        let context = self.chain.context;
        let tree = self.secondary.tree(context.core.store());
        copy(context, &tree, &source, &target, destination)
    }

    fn mkdir(&self, action: &pb::FileActionMkDir, destination: &Destination) -> Result<()> {
        let attributes = self.attributes(action.owner.as_ref(), action.mode, action.timestamp)?;
        let path = clean(action.path.as_bytes());
        if action.make_parents {
            return destination.dir(&path, Some(&attributes)).map(drop);
        }
        let place = destination.place(&path, None)?;
        if place.kind()? == Some(FileType::Directory) {
            return Ok(());
        }
        let new = write::dir(&place.dir, &place.name).at("make the directory", &action.path)?;
        write::set_on_file(new.as_fd(), &attributes, destination.owners)
            .at("set the attributes of", &action.path)
    }

    fn mkfile(&self, action: &pb::FileActionMkFile, destination: &Destination) -> Result<()> {
        let attributes = self.attributes(action.owner.as_ref(), action.mode, action.timestamp)?;
        let place = destination.place(&clean(action.path.as_bytes()), None)?;
        place.clear()?;
        let mut file: File = write::create(&place.dir, &place.name).at("write", &action.path)?;
        file.write_all(&action.data).at("write", &action.path)?;
        write::set_on_file(file.as_fd(), &attributes, destination.owners)
            .at("set the attributes of", &action.path)
    }

    fn symlink(&self, action: &pb::FileActionSymlink, destination: &Destination) -> Result<()> {
        let attributes = self.attributes(action.owner.as_ref(), 0o777, action.timestamp)?;
        let place = destination.entry(&clean(action.newpath.as_bytes()), None)?;
        let kind = Kind::Symlink(action.oldpath.clone().into_bytes());
        write::special(&place.dir, &place.name, &kind, &attributes, destination.owners)
            .at("make the symbolic link", &action.newpath)
    }

    fn attributes(&self, owner: Option<&pb::ChownOpt>, mode: i32, timestamp: i64) -> Result<Attributes> {
        let owner = self.owner(owner)?;
        Ok(Attributes {
            mode: mode as u32 & 0o7777,
            uid: owner.uid.unwrap_or(0),
            gid: owner.gid.unwrap_or(0),
            mtime: if timestamp == -1 { (CONSTANT_MTIME, 0) } else { from_nanoseconds(timestamp) },
            xattrs: Default::default(),
        })
    }

    fn owner(&self, owner: Option<&pb::ChownOpt>) -> Result<Owner> {
        let input = |index| super::input(self.chain.inputs, index);
        owner::look_up(self.chain.context.core, owner, &input)
    }
}

fn remove(action: &pb::FileActionRm, destination: &Destination, tree: &MergedTree) -> Result<()> {
    let path = clean(action.path.as_bytes());
    let paths = if action.allow_wildcard { expand(tree, &path)? } else { vec![path] };
    for path in paths {
        let place = match destination.entry(&path, None) {
            Err(Error::Io { source, .. })
                if action.allow_not_found && source.kind() == std::io::ErrorKind::NotFound =>
            {
                continue;
            }
            place => place?,
        };
        if place.name == b"." {
            return Err(Error::op("cannot remove the top directory"));
        }
        if place.kind()?.is_none() && !action.allow_not_found {
            return Err(Error::op(format!("cannot remove {}: it is not there", action.path)));
        }
        place.remove()?;
    }
    Ok(())
}

/// Returns the paths that a pattern matches, name by name.
fn expand(tree: &MergedTree, pattern: &[u8]) -> Result<Vec<Vec<u8>>> {
    let mut found = vec![(Vec::new(), tree.root()?)];
    for name in components(pattern) {
        let Some(pattern) = Pattern::parse(&String::from_utf8_lossy(name))? else { return Ok(Vec::new()) };
        let mut next = Vec::new();
        for (path, node) in found {
            for (name, child) in tree.children(&node)? {
                if pattern.matches(&name) {
                    let path: &[u8] = &path;
                    next.push(([path, os(&name).as_encoded_bytes()].join(&b'/'), child));
                }
            }
        }
        found = next;
    }
    Ok(found.into_iter().map(|(path, _)| path).collect())
}

/// Splits nanoseconds since 1970 into seconds and nanoseconds.
pub fn from_nanoseconds(nanoseconds: i64) -> (i64, u32) {
    const SECOND: i64 = 1_000_000_000;
    (nanoseconds.div_euclid(SECOND), nanoseconds.rem_euclid(SECOND) as u32)
}
