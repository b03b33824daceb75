//! Caches of builds, which steps look into; the same for every family of targets and on each engine.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};

use crate::run::{Invocation, Project};
use crate::specs::script;
use crate::upstream;

/// A build of the project into its folder `out`.
pub type Build<'a> = &'a dyn Fn(&Project) -> Invocation;

/// Returns a project whose steps do what `command` says, with these caches. `KEY` is a name of this project's own.
fn project(caches: &str, command: &str) -> Project {
    let project = Project::new("");
    rewrite(&project, caches, command);
    project
}

/// Gives `project` other steps, which are a changed line to every builder.
fn rewrite(project: &Project, caches: &str, command: &str) {
    let command = command.replace('\n', "\n        ");
    let build = format!("build:\n  caches:\n{caches}\n  steps:\n    - command: |\n        {command}\n");
    let caches = if caches.is_empty() { "  caches:\n\n" } else { "" };
    let build = build.replace(caches, "");
    let key = project.path("").display().to_string().replace('/', "-");
    project.write("spec.yml", script("cached", &build).replace("KEY", &key));
}

/// BLD-006, BLD-007, BLD-009, BLD-010: after a changed line, steps find what they left. The worker has `compiler` for C.
///
/// # Panics
/// When one of the caches is lost.
pub fn survive(build: Build<'_>, compiler: &str) {
    let caches = "    - dir: {dest: /var/cache/tool, key: KEY}
    - gobuild: {scope: KEY}
    - bazel: {scope: KEY}
    - rustsccache: {scope: KEY}";
    let each = "bazel=$(sed -n 's/^build --disk_cache=//p' /etc/bazel.bazelrc)
! grep remote_cache /etc/bazel.bazelrc
for dir in /var/cache/tool \"$GOCACHE\" \"$bazel\" \"$SCCACHE_DIR\"; do";
    let compile = format!(
        "printf 'int f(void) {{ return 1; }}' >f.c
\"$RUSTC_WRAPPER\" {compiler} -c f.c -o f.o
\"$RUSTC_WRAPPER\" --show-stats"
    );
    let project = project(
        caches,
        &format!(
            "{each}\ntest ! -e \"$dir/seen\"\necho first >\"$dir/seen\"\ndone\n{compile} | grep -x 'Cache misses  *1'\n\"$RUSTC_WRAPPER\" --stop-server"
        ),
    );
    let sccache = format!("--build-context=dalec-sccache={}", upstream::sccache().display());
    build(&project).arg(&sccache).succeeds();
    let again =
        format!("{each}\ntest \"$(cat \"$dir/seen\")\" = first\ndone\n{compile} | grep -x 'Cache hits  *1'");
    rewrite(&project, caches, &again);
    build(&project).arg(&sccache).succeeds();
}

/// BLD-011: what one target left, another one finds only in caches that are shared on purpose.
///
/// # Panics
/// When that is not so.
pub fn stay_apart(one: Build<'_>, other: Build<'_>) {
    let caches = "    - dir: {dest: /own, key: KEY}
    - dir: {dest: /common, key: KEY-common, no_auto_namespace: true}
    - gobuild: {scope: KEY}";
    let project = project(caches, "touch /own/seen /common/seen \"$GOCACHE/seen\"");
    one(&project).succeeds();
    rewrite(&project, caches, "test ! -e /own/seen\ntest -e /common/seen\ntest ! -e \"$GOCACHE/seen\"");
    other(&project).succeeds();
    rewrite(&project, caches, "test -e /own/seen\ntest -e /common/seen\ntest -e \"$GOCACHE/seen\"");
    one(&project).succeeds();
}

/// BLD-006: builds that run at the same time use a locked cache one after the other.
///
/// # Panics
/// When they meet.
pub fn take_turns(build: Build<'_>) {
    let caches = "    - dir: {dest: /var/cache/tool, key: KEY, sharing: locked}";
    let alone = "mkdir /var/cache/tool/busy\nsleep 1\nrmdir /var/cache/tool/busy";
    let project = project(caches, alone);
    let other = Project::new("");
    // Another build of the same cache.
    let spec = fs::read_to_string(project.path("spec.yml")).expect("it was written");
    other.write("spec.yml", spec.replace("sleep 1", "sleep 1.1"));
    let running = [&project, &other].map(|project| build(project).start());
    for ran in running.map(|running| running.end()) {
        assert_eq!(ran.code, Some(0), "{}\n{}", ran.stdout, ran.stderr);
    }
}

/// Steps that do not look into caches make the same packages with them as without.
///
/// # Panics
/// When a package differs.
pub fn change_nothing(build: Build<'_>, suffix: &str) {
    let command = "date -u -d @0 >made";
    let project = project("", command);
    let packages = || {
        build(&project).succeeds();
        let names = project.outputs().into_iter().filter(|name| name.ends_with(suffix));
        let read = |name: String| (fs::read(project.path("out").join(&name)).expect("it is there"), name);
        names.map(read).collect::<Vec<_>>()
    };
    let without = packages();
    assert!(!without.is_empty(), "{:?}", project.outputs());
    rewrite(
        &project,
        "    - gobuild: {scope: KEY}\n    - dir: {dest: /var/cache/tool, key: KEY}\n    - bazel: {}",
        command,
    );
    assert!(packages() == without, "caches are seen in {suffix}");
}

/// BLD-010: a server of the client's, which Bazel is told of.
///
/// # Panics
/// When the steps do not reach it.
pub fn reach_a_server(build: Build<'_>) {
    let socket = "/tmp/dalec/bazel-remote.sock";
    let ask = format!(
        "grep -x 'build --remote_cache=unix:{socket}' /etc/bazel.bazelrc
grep -x 'fetch --remote_cache=unix:{socket}' /etc/bazel.bazelrc
perl -MIO::Socket::UNIX -e '$s = IO::Socket::UNIX->new(Peer => \"{socket}\") or die \"$!\"; print $s \"PRI * HTTP/2.0\\n\"; $s->shutdown(1); exit(<$s> ne \"seen PRI\\n\")'"
    );
    let project = project("    - bazel: {scope: KEY}", &ask);
    let path = project.path("server");
    let listener = UnixListener::bind(&path).expect("a socket can be made");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let (mut client, _) = listener.accept().expect("a client comes");
            let mut said = String::new();
            client.read_to_string(&mut said).expect("it says something");
            // One that comes to end this is gone by now.
            drop(
                client.write_all(format!("seen {}\n", said.split(' ').next().unwrap_or_default()).as_bytes()),
            );
        });
        let ran = build(&project).arg(format!("--ssh=bazel-default={},raw=true", path.display())).run();
        // Nobody waits for a client that does not come.
        drop(UnixStream::connect(&path));
        assert_eq!(ran.code, Some(0), "{}\n{}", ran.stdout, ran.stderr);
    });
}
