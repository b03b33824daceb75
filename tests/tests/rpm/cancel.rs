//! Ctrl-C leaves nothing behind.

use dalec_e2e::cancelled::{endless, in_a_step_leaves_nothing, mark};
use dalec_e2e::engine::Engine;
use dalec_e2e::run::Project;
use dalec_e2e::specs::script;

use crate::specs::build;

mod root {
    #[test]
    fn interrupt() {
        super::interrupt();
    }
}

fn interrupt() {
    let mark = mark("rpm");
    let steps = format!("build:\n  steps:\n    - command: {}\n", endless(&mark));
    let project = Project::new(&script("interrupt", &steps));
    in_a_step_leaves_nothing(build(Engine::Embedded, &project, "azlinux3/rpm"), &project, &mark);
}
