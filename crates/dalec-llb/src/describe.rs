//! A definition as text that people read: what `dalec graph` would print and what tests compare.

use std::collections::HashMap;
use std::fmt::Write;

use bollard_buildkit_proto::pb::{self, file_action::Action, op::Op};
use prost::Message;

use crate::marshal::digest_of;

/// Returns one paragraph per vertex, numbered in the order of the definition.
///
/// Inputs are written `#N` (first output of vertex N) or `#N.I`. Digests are left out, so the text only
/// changes where the graph does. A vertex that does not decode is shown as `undecodable`.
pub fn describe(definition: &pb::Definition) -> String {
    let mut numbers = HashMap::new();
    let mut text = String::new();
    for (number, encoded) in definition.def.iter().enumerate() {
        let digest = digest_of(encoded);
        let metadata = definition.metadata.get(&digest);
        numbers.insert(digest, number);
        let Ok(op) = pb::Op::decode(encoded.as_slice()) else {
            let _ = writeln!(text, "#{number} undecodable");
            continue;
        };
        let input = |index: i64| match usize::try_from(index).ok().and_then(|index| op.inputs.get(index)) {
            None => "scratch".to_owned(),
            Some(input) => match (numbers.get(&input.digest), input.index) {
                (None, _) => "?".to_owned(),
                (Some(vertex), 0) => format!("#{vertex}"),
                (Some(vertex), output) => format!("#{vertex}.{output}"),
            },
        };
        // Writing to a string cannot fail.
        let _ = describe_op(&mut text, number, &op, &input);
        if let Some(name) = metadata.and_then(|metadata| metadata.description.get("llb.customname")) {
            let _ = writeln!(text, "    name {name}");
        }
        if metadata.is_some_and(|metadata| metadata.ignore_cache) {
            let _ = writeln!(text, "    ignore-cache");
        }
    }
    text
}

fn describe_op(
    text: &mut String,
    number: usize,
    op: &pb::Op,
    input: &dyn Fn(i64) -> String,
) -> std::fmt::Result {
    match &op.op {
        None => writeln!(text, "#{number} result {}", input(0)),
        Some(Op::Source(source)) => {
            writeln!(text, "#{number} source {}", source.identifier)?;
            source.attrs.iter().try_for_each(|(key, value)| writeln!(text, "    {key} = {value}"))
        }
        Some(Op::Merge(merge)) => {
            let inputs: Vec<String> = merge.inputs.iter().map(|merged| input(merged.input)).collect();
            writeln!(text, "#{number} merge {}", inputs.join(" "))
        }
        Some(Op::Diff(diff)) => {
            let lower = diff.lower.as_ref().map_or(-1, |lower| lower.input);
            let upper = diff.upper.as_ref().map_or(-1, |upper| upper.input);
            writeln!(text, "#{number} diff {} {}", input(lower), input(upper))
        }
        Some(Op::File(file)) => {
            writeln!(text, "#{number} file")?;
            let count = op.inputs.len() as i64;
            file.actions.iter().try_for_each(|action| {
                let base = if action.input >= count { "^".to_owned() } else { input(action.input) };
                describe_action(text, action, &base, &input(action.secondary_input))
            })
        }
        Some(Op::Exec(exec)) => describe_exec(text, number, exec, input),
        Some(Op::Build(_)) => writeln!(text, "#{number} build"),
    }
}

fn describe_action(text: &mut String, action: &pb::FileAction, base: &str, from: &str) -> std::fmt::Result {
    match &action.action {
        None => writeln!(text, "    unknown action on {base}"),
        Some(Action::Mkdir(mkdir)) => {
            writeln!(text, "    {base} mkdir {:o} {}", mkdir.mode, mkdir.path)
        }
        Some(Action::Mkfile(mkfile)) => {
            writeln!(text, "    {base} mkfile {:o} {}", mkfile.mode, mkfile.path)?;
            let data = String::from_utf8_lossy(&mkfile.data);
            data.lines().try_for_each(|line| writeln!(text, "    | {line}"))
        }
        Some(Action::Symlink(link)) => {
            writeln!(text, "    {base} symlink {} -> {}", link.newpath, link.oldpath)
        }
        Some(Action::Rm(rm)) => writeln!(text, "    {base} rm {}", rm.path),
        Some(Action::Copy(copy)) => {
            write!(text, "    {base} copy {from}:{} -> {}", copy.src, copy.dest)?;
            if !copy.include_patterns.is_empty() {
                write!(text, " include {:?}", copy.include_patterns)?;
            }
            if !copy.exclude_patterns.is_empty() {
                write!(text, " exclude {:?}", copy.exclude_patterns)?;
            }
            writeln!(text)
        }
    }
}

fn describe_exec(
    text: &mut String,
    number: usize,
    exec: &pb::ExecOp,
    input: &dyn Fn(i64) -> String,
) -> std::fmt::Result {
    let meta = exec.meta.clone().unwrap_or_default();
    writeln!(text, "#{number} exec network={}", exec.network().as_str_name())?;
    for argument in &meta.args {
        let mut lines = argument.lines();
        writeln!(text, "    arg {}", lines.next().unwrap_or_default())?;
        lines.try_for_each(|line| writeln!(text, "    | {line}"))?;
    }
    meta.env.iter().try_for_each(|variable| writeln!(text, "    env {variable}"))?;
    writeln!(text, "    cwd {}", meta.cwd)?;
    if !meta.user.is_empty() {
        writeln!(text, "    user {}", meta.user)?;
    }
    for mount in &exec.mounts {
        let what = match mount.mount_type() {
            pb::MountType::Bind => input(mount.input),
            pb::MountType::Secret => {
                format!("secret {}", mount.secret_opt.clone().unwrap_or_default().id)
            }
            pb::MountType::Ssh => format!("socket {}", mount.ssh_opt.clone().unwrap_or_default().id),
            pb::MountType::Cache => {
                let cache = mount.cache_opt.clone().unwrap_or_default();
                format!("cache {} {}", cache.id, cache.sharing().as_str_name())
            }
            pb::MountType::Tmpfs => "tmpfs".to_owned(),
        };
        write!(text, "    mount {} {what}", mount.dest)?;
        if !mount.selector.is_empty() {
            write!(text, " [{}]", mount.selector)?;
        }
        writeln!(text, "{}", if mount.readonly { " ro" } else { "" })?;
    }
    Ok(())
}
