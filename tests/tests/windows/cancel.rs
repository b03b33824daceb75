//! Ctrl-C leaves nothing behind.

use dalec_e2e::cancelled::{endless, in_a_step_leaves_nothing, mark};
use dalec_e2e::engine::Engine;

use crate::greet::{build, file};

on_the_embedded_engine!(interrupt);

fn interrupt() {
    let mark = mark("windows");
    let steps = format!("build:\n  steps:\n    - command: {}\n", endless(&mark));
    let project = file("{tool.exe: {}}", &steps);
    in_a_step_leaves_nothing(build(Engine::Embedded, &project, "windowscross/zip"), &project, &mark);
}
