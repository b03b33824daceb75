//! Signers and other frontends that we did not write for ourselves, as images: what a spec may name in the wild.

use std::path::Path;
use std::sync::OnceLock;

use serde_json::{Value, json};

use crate::bases::with_program;
use crate::binary::workspace;
use crate::layout::{Layer, Layout};
use crate::tools::{go_package, go_program};

/// A static frontend in Go on BuildKit's own client library; `tests/go/signer/main.go` says what it can do.
///
/// # Panics
/// When it cannot be built.
pub fn go_signer() -> &'static Layout {
    static IMAGE: OnceLock<Layout> = OnceLock::new();
    IMAGE.get_or_init(|| go_frontend("signer"))
}

/// The same kind of frontend, for a target of its own; `tests/go/phony/main.go` says what it can do.
///
/// # Panics
/// When it cannot be built.
pub fn phony() -> &'static Layout {
    static IMAGE: OnceLock<Layout> = OnceLock::new();
    IMAGE.get_or_init(|| go_frontend("phony"))
}

/// The frontend that builds Dockerfiles, as its makers publish it.
///
/// # Panics
/// When it cannot be built.
pub fn dockerfile_frontend() -> &'static Layout {
    static IMAGE: OnceLock<Layout> = OnceLock::new();
    IMAGE.get_or_init(|| {
        let package = "github.com/moby/buildkit/frontend/dockerfile/cmd/dockerfile-frontend";
        of_program(&go_package(package), "dockerfile-frontend")
    })
}

fn go_frontend(name: &str) -> Layout {
    of_program(&go_program(name), name)
}

fn of_program(program: &Path, name: &str) -> Layout {
    frontend_image(program, name, &program.with_extension("image"))
}

/// A frontend in Python in a Debian image with GnuPG, on no library of BuildKit's; `tests/signers/plain.py` says what it
/// does.
///
/// # Panics
/// When the image cannot be made; needs root.
pub fn plain_signer() -> &'static Layout {
    static IMAGE: OnceLock<Layout> = OnceLock::new();
    IMAGE.get_or_init(|| {
        let packages = ["python3-h2", "gpg", "gpg-agent", "rpm"];
        with_program("bookworm", "signer", &packages, &workspace().join("tests/signers/plain.py"))
    })
}

/// Returns an image of nothing but `program`, which is a static frontend, as `/NAME`. It is kept in `folder`, and taken
/// from there if it is there.
///
/// # Panics
/// When it cannot be written.
pub fn frontend_image(program: &Path, name: &str, folder: &Path) -> Layout {
    if folder.exists() {
        return Layout::open(folder);
    }
    let parent = folder.parent().expect("the image goes into a folder");
    let scratch = tempfile::TempDir::new_in(parent).expect("folders can be made");
    let layer = scratch.path().join("layer.tar");
    let archive = std::fs::File::create(&layer).expect("the layer can be written");
    let mut archive = tar::Builder::new(archive);
    let content = std::fs::read(program).expect("the program can be read");
    let mut header = tar::Header::new_ustar();
    header.set_mode(0o755);
    header.set_size(content.len() as u64);
    archive.append_data(&mut header, name, content.as_slice()).expect("the layer can be written");
    archive.into_inner().expect("the layer can be written");
    let config = json!({ "Entrypoint": [format!("/{name}")], "Labels": labels() });
    let image = scratch.path().join("image");
    Layout::write(&image, &[&Layer::read(&layer)], config);
    match std::fs::rename(&image, folder) {
        Ok(()) => {}
        // Another process was faster.
        Err(_) if folder.exists() => {}
        Err(error) => panic!("{}: {error}", folder.display()),
    }
    Layout::open(folder)
}

/// Returns the labels of a frontend that needs no network.
pub(crate) fn labels() -> Value {
    let capabilities = ["inputs", "subrequests", "contexts", "gitquerystring"]
        .map(|name| format!("moby.buildkit.frontend.{name}"));
    json!({
        "moby.buildkit.frontend.network.none": "true",
        "moby.buildkit.frontend.caps": capabilities.join(","),
    })
}
