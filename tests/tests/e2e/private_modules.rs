//! Private Go modules in Debian packages.

use dalec_e2e::engine::Engine;
use dalec_e2e::on_both_engines;
use dalec_e2e::private_modules::are_downloaded;

on_both_engines!(root: private_modules_are_downloaded);

/// SRC-023
fn private_modules_are_downloaded(engine: Engine) {
    are_downloaded(engine, &|project| engine.build(project, "bookworm/deb"), ".deb");
}
