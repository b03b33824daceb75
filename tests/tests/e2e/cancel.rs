//! Ctrl-C and SIGTERM leave nothing behind, whatever the build is at.

use std::io::Read;
use std::net::TcpListener;

use dalec_e2e::cancelled::{endless, in_a_step_leaves_nothing, leaves_nothing, mark};
use dalec_e2e::run::{Project, Who};
use rustix::process::Signal;

use crate::specs::script;

const TARGET: &str = "bookworm/deb";

/// Returns a project with an endless build step.
fn at_work(name: &str, mark: &str) -> Project {
    Project::new(&script(name, &format!("build:\n  steps:\n    - command: {}\n", endless(mark))))
}

#[test]
fn interrupt() {
    let mark = mark("interrupt");
    let project = at_work("interrupt", &mark);
    in_a_step_leaves_nothing(project.build(TARGET), &project, &mark);
}

#[test]
fn terminate_as_an_ordinary_user() {
    let mark = mark("terminate");
    let project = at_work("terminate", &mark);
    let mut build = project.build_as(Who::Ordinary, TARGET).start();
    build.says("the step has started");
    leaves_nothing(build, &project, Who::Ordinary, Signal::TERM, &mark);
}

#[test]
fn in_a_test_of_the_spec() {
    let mark = mark("tested");
    let test = format!("tests:\n  - name: goes on\n    steps:\n      - command: {}\n", endless(&mark));
    let project = Project::new(&script("tested", &test));
    in_a_step_leaves_nothing(project.build(TARGET), &project, &mark);
}

#[test]
fn while_a_repository_is_asked() {
    while_waiting("asked", &|url| format!("git: {{url: \"{url}.git\", commit: main}}"));
}

#[test]
fn while_something_is_downloaded() {
    while_waiting("downloaded", &|url| format!("http: {{url: \"{url}\"}}"));
}

/// Stops a build that waits for a server which takes requests and answers nothing. `kind` returns a source at its address.
fn while_waiting(name: &str, kind: &dyn Fn(&str) -> String) {
    let mark = mark(name);
    let silent = TcpListener::bind("127.0.0.1:0").expect("loopback can be listened on");
    let address = silent.local_addr().expect("it is bound");
    let source = kind(&format!("http://{address}/{mark}"));
    let spec = script(name, "").replace("artifacts:", &format!("  more:\n    {source}\nartifacts:"));
    let project = Project::new(&spec);
    let build = project.build(TARGET).start();
    let (mut asking, _) = silent.accept().expect("it is asked");
    asking.read_exact(&mut [0]).expect("it asks for something");
    leaves_nothing(build, &project, Who::Me, Signal::INT, &mark);
}
