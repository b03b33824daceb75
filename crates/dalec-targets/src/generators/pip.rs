//! Python packages: what requirements ask for, as a directory in which pip finds them without a network.
//!
//! Before the build steps they are installed beside the requirements, into `site-packages`, and Python finds them there.

use dalec_llb::{Exec, Mount, State};
use dalec_spec::target_spec::{Generator, Pip, TargetSpec};

use super::{Generators, Kind, TreeOf};
use crate::locate::locate;
use crate::marker::Marks;
use crate::quote::shell;
use crate::sources::Tree;
use crate::worker::ca_bundle;

const SCRIPT: &str = include_str!("pip.sh");

/// A program in Python.
const BUILD_REQUIREMENTS: &str = include_str!("pip_build_requirements.py");

/// Functions by which a build script installs what was downloaded.
const INSTALL: &str = include_str!("pip_install.sh");

pub(super) const KIND: Kind = Kind {
    title: "the Python packages",
    directory: "__pipdeps",
    debian_directory: "xxxdalecPipDepsInternal",
    variable: "PIP_CACHE_DIR",
    route: "pip",
    worker: "pip-worker",
    // pip builds setuptools and wheel from sources where they are not there.
    tools: &["ca-certificates", "git", "patch", "python3-pip", "python3-setuptools", "python3-wheel"],
    is_wanted: |generator| generator.pip.is_some(),
    plan,
};

/// Returns the part of a build script that installs what was downloaded for `spec`, which is nothing for most.
pub(crate) fn install(spec: &TargetSpec, marks: &mut Marks) -> String {
    let mut calls = String::new();
    for (name, source) in &spec.sources {
        for generator in &source.generate {
            let Some(pip) = &generator.pip else { continue };
            let mark = shell(&marks.mark(generator.span));
            for path in &pip.paths {
                let directory = [name.as_str(), &generator.subpath, path].join("/");
                let file = shell(&pip.requirements_file);
                calls.push_str(&format!("dalec_pip_required {mark} {} {file}\n", shell(&directory)));
            }
        }
    }
    if calls.is_empty() {
        return calls;
    }
    // What other generators bring is beside the sources under one name or the other.
    let brought = super::wanted(spec).flat_map(|kind| [kind.directory, kind.debian_directory]);
    let brought: String = brought.map(|name| format!(" {name}")).collect();
    format!("\n{INSTALL}\n{calls}dalec_pip_others{brought}\n")
}

/// Returns the packages for all sources with this generator; none when no source has it.
fn plan(generators: &Generators<'_>) -> Option<State> {
    let mut packages: Option<State> = None;
    for source in generators.trees() {
        let mut patched = None;
        for (generator, pip) in source.generators(|generator| generator.pip.as_ref()) {
            let tree = patched.get_or_insert_with(|| generators.patched(&source));
            let before = packages.unwrap_or_default();
            packages = Some(download(generators, &source, tree, generator, pip, &before));
        }
    }
    packages
}

fn download(
    generators: &Generators<'_>,
    source: &TreeOf<'_>,
    tree: &Tree,
    generator: &Generator,
    pip: &Pip,
    before: &State,
) -> State {
    let head =
        ["/bin/sh", "-c", SCRIPT, "pip", BUILD_REQUIREMENTS, &pip.requirements_file].map(str::to_owned);
    let paths = pip.paths.iter().map(|path| [generator.subpath.as_str(), path].join("/"));
    let mut exec = Exec::new(head.into_iter().chain(paths))
        .envs(generators.env.clone())
        .name(format!("Download Python packages for source {}", source.name))
        .group(&generators.group)
        .at(locate(&generators.request.source_map, [generator.span]))
        .mount(tree.writable("/work/src"))
        .mount(ca_bundle())
        .mount(Mount::bind("/work/packages", before));
    if !pip.index_url.is_empty() {
        exec = exec.env("PIP_INDEX_URL", &pip.index_url);
    }
    if !pip.extra_index_urls.is_empty() {
        // No URL has blanks in it.
        exec = exec.env("PIP_EXTRA_INDEX_URL", pip.extra_index_urls.join(" "));
    }
    generators.root.run(exec).output("/work/packages")
}
