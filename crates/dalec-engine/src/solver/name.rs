//! Names for ops that were given none.

use bollard_buildkit_proto::pb;
use pb::file_action::Action;

/// Returns what `op` does, in one line.
pub fn default_name(op: &pb::op::Op) -> String {
    match op {
        pb::op::Op::Exec(exec) => exec.meta.as_ref().map_or_else(String::new, |meta| meta.args.join(" ")),
        pb::op::Op::Source(source) => source.identifier.clone(),
        pb::op::Op::File(file) => {
            let names: Vec<String> =
                file.actions.iter().filter_map(|file| file.action.as_ref()).map(action).collect();
            names.join(", ")
        }
        pb::op::Op::Build(_) => "build".into(),
        pb::op::Op::Merge(_) => "merge".into(),
        pb::op::Op::Diff(_) => "diff".into(),
    }
}

fn action(action: &Action) -> String {
    match action {
        Action::Copy(copy) => format!("copy {} {}", copy.src, copy.dest),
        Action::Mkfile(mkfile) => format!("mkfile {}", mkfile.path),
        Action::Mkdir(mkdir) => format!("mkdir {}", mkdir.path),
        Action::Rm(rm) => format!("rm {}", rm.path),
        Action::Symlink(symlink) => format!("symlink {} {}", symlink.oldpath, symlink.newpath),
    }
}
