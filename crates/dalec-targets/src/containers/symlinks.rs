//! Links that the spec's `image.post.symlinks` asks for, made when the packages are installed.

use dalec_llb::{Exec, File, Mount, Network, Owner, State};
use dalec_spec::target_spec::PostSymlink;

use crate::image_config::PATH;
use crate::request::Request;

const SCRIPT: &str = include_str!("scripts/symlinks.sh");
const FROM_OUTSIDE: &str = include_str!("scripts/symlinks-from-outside.sh");

/// Where a worker sees the root file system.
const ROOT: &str = "/run/dalec/root";

/// Returns `root` with the links of the spec in it, in their order; missing parent directories are made with mode 0755.
///
/// Links without owner, or with numeric ones, take no process where the engine's file ops make links. Names are looked up
/// in `root` by a script, which needs a shell in there. A user without group, and the other way round, goes with root.
pub(crate) fn plan(request: &Request<'_>, root: &State) -> State {
    let links = &request.spec.image.symlinks;
    match owners(request) {
        Some(owners) => by_file_op(root, links, owners),
        None => root.run(script(SCRIPT, "symlinks", links)).root(),
    }
}

/// Does the same by a script in `worker`, if it takes one: there need be no shell in `root`.
pub(crate) fn plan_from(request: &Request<'_>, worker: &State, root: &State) -> State {
    let links = &request.spec.image.symlinks;
    match owners(request) {
        Some(owners) => by_file_op(root, links, owners),
        None => {
            let exec = script(FROM_OUTSIDE, "symlinks-from-outside", links).mount(Mount::bind(ROOT, root));
            worker.run(exec).output(ROOT)
        }
    }
}

/// Returns the owners of the links, unless a script has to make them.
fn owners(request: &Request<'_>) -> Option<Vec<Option<Owner>>> {
    let links = &request.spec.image.symlinks;
    if request.options.without_symlinks && !links.is_empty() {
        return None;
    }
    links.iter().map(owner).collect()
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

fn script(text: &str, name: &str, links: &[PostSymlink]) -> Exec {
    let fixed = ["/bin/sh", "-c", text, name].map(str::to_owned);
    let or_root = |name: &String| if name.is_empty() { "root".to_owned() } else { name.clone() };
    let each = links
        .iter()
        .flat_map(|link| [link.target.clone(), link.path.clone(), or_root(&link.user), or_root(&link.group)]);
    Exec::new(fixed.into_iter().chain(each))
        .env("PATH", PATH)
        .network(Network::None)
        .name("Make the links of the spec")
}
