//! Links that the spec's `image.post.symlinks` asks for, made when the packages are installed.

use dalec_llb::{Exec, File, Network, Owner, State};
use dalec_spec::target_spec::PostSymlink;

use crate::image_config::PATH;

const SCRIPT: &str = include_str!("scripts/symlinks.sh");

/// Returns `root` with `links` in it, in their order; missing parent directories are made with mode 0755.
///
/// Links without owner, or with numeric ones, take no process. Names are looked up in `root` by a script, which
/// needs a shell in there. A user without group, and the other way round, goes with root.
pub(crate) fn plan(root: &State, links: &[PostSymlink]) -> State {
    let owners: Option<Vec<Option<Owner>>> = links.iter().map(owner).collect();
    match owners {
        Some(owners) => by_file_op(root, links, owners),
        None => by_script(root, links),
    }
}

/// Returns the owner of a link as far as it needs no look into the root; the outer `None` says that it does.
fn owner(link: &PostSymlink) -> Option<Option<Owner>> {
    if link.user.is_empty() && link.group.is_empty() {
        return Some(None);
    }
    let id = |name: &str| match name {
        "" | "root" => Some(0),
        name => name.parse().ok(),
    };
    Some(Some(Owner { uid: id(&link.user)?, gid: id(&link.group)? }))
}

fn by_file_op(root: &State, links: &[PostSymlink], owners: Vec<Option<Owner>>) -> State {
    let mut file = File::new("Make the links of the spec");
    for (link, owner) in links.iter().zip(owners) {
        let parent = link.path.trim_end_matches('/').rsplit_once('/').map_or("", |(parent, _)| parent);
        if !parent.is_empty() {
            file = file.mkdir(parent, 0o755, None);
        }
        file = file.symlink(&link.target, &link.path, owner);
    }
    root.file(file)
}

fn by_script(root: &State, links: &[PostSymlink]) -> State {
    let fixed = ["/bin/sh", "-c", SCRIPT, "symlinks"].map(str::to_owned);
    let or_root = |name: &String| if name.is_empty() { "root".to_owned() } else { name.clone() };
    let each = links
        .iter()
        .flat_map(|link| [link.target.clone(), link.path.clone(), or_root(&link.user), or_root(&link.group)]);
    let exec = Exec::new(fixed.into_iter().chain(each))
        .env("PATH", PATH)
        .network(Network::None)
        .name("Make the links of the spec");
    root.run(exec).root()
}
