//! Files written in the spec.

use dalec_llb::{File, Owner, State};
use dalec_spec::target_spec::{Inline, InlineDir, InlineFile, Source};

use super::{Planner, Tree};
use crate::locate::locate;

/// Plans an inline source. With `path`, only the entry of exactly that name is made.
pub(super) fn plan(planner: &Planner<'_>, name: &str, source: &Source, inline: &Inline, path: &str) -> Tree {
    let root = format!("/{name}");
    let file = File::new(format!("Write source {name}"))
        .at(locate(planner.source_map, [source.span]))
        .group(&planner.group);
    let (file, is_dir) = match inline {
        Inline::File(content) => (write(file, &root, content), false),
        Inline::Dir(InlineDir { files, permissions, uid, gid }) => {
            let owner = Owner { uid: *uid, gid: *gid };
            let file = file.mkdir(&root, *permissions, Some(owner));
            let taken = files.iter().filter(|(entry, _)| path.is_empty() || *entry == path);
            (
                taken.fold(file, |file, (entry, content)| write(file, &format!("{root}/{entry}"), content)),
                true,
            )
        }
    };
    let state = State::scratch().file(file);
    if is_dir && !(source.includes.is_empty() && source.excludes.is_empty()) {
        return planner.filtered(name, source, &state, name);
    }
    Tree { state, path: root, is_dir }
}

fn write(file: File, path: &str, content: &InlineFile) -> File {
    let owner = Owner { uid: content.uid, gid: content.gid };
    file.mkfile(path, content.permissions, Some(owner), content.contents.as_bytes())
}
