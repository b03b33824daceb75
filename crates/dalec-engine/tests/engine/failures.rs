//! What goes wrong, and what is said and left then.

use bollard_buildkit_proto::pb;
use dalec_gateway::{BuildOptions, Gateway, GatewayError, SolveRequest};
use pb::file_action::Action;

use crate::graph::{Exec, Graph, copy, link, mkdir, mkfile};
use crate::world::{Built, Case, World, cases, definition, explain};

pub const CASES: &[(&str, Case)] = cases![
    a_failing_step_tells_its_last_lines_and_the_source_line,
    the_first_failure_stops_the_rest_of_its_solve_only,
    cancelling_leaves_nothing_behind,
    a_full_disk_is_said_with_the_state_directory,
    links_lead_nowhere_outside,
    missing_things_are_named,
    what_is_not_supported_is_said,
    a_result_that_cannot_be_written_out_names_the_place,
];

fn a_failing_step_tells_its_last_lines_and_the_source_line(world: &World) {
    let failure = world.failure(|graph| {
        let base = graph.base();
        let node = graph.run(&base, &["say=first", "complain=second", "exit=7"]);
        graph.describe(&node, |metadata| metadata.description = crate::graph::description("build it"));
        graph.locate(&node, "build:\n  steps: []\n", 2);
        graph.run(&node, &["say=never"])
    });
    assert_eq!((failure.name.as_str(), failure.exit_code), ("build it", Some(7)));
    assert_eq!(failure.message, "the command failed with exit code 7");
    let mut log = failure.log;
    log.sort();
    assert_eq!(log, ["first", "second"]);
    assert_eq!(failure.excerpts[0].info.filename, "spec.yml");
    assert_eq!(failure.excerpts[0].ranges[0].start.unwrap().line, 2);
    let failure = world.failure(|graph| {
        let base = graph.base();
        let mut exec = Exec::new(&base, &[]);
        exec.op.meta.as_mut().unwrap().args = vec!["/no/such".into()];
        graph.exec(exec).remove(0)
    });
    assert_eq!(failure.exit_code, Some(127));
    assert!(failure.message.starts_with("cannot run `/no/such`"), "{}", failure.message);
    assert!(world.unfinished().is_empty() && world.mounts().is_empty());
}

fn the_first_failure_stops_the_rest_of_its_solve_only(world: &World) {
    let mut options = world.options();
    options.parallelism = std::num::NonZeroUsize::new(4);
    let engine = dalec_engine::Engine::new(options).unwrap();
    let session = engine.session(BuildOptions::default());
    let solve = |build: &dyn Fn(&mut Graph) -> crate::graph::Node| {
        session.solve(SolveRequest { definition: definition(build), evaluate: true })
    };
    let cache = |exec: Exec| exec.cache("/meet", "meet", pb::CacheSharingOpt::Shared);
    std::thread::scope(|scope| {
        let failing = scope.spawn(|| {
            solve(&|graph| {
                let base = graph.base();
                let fails = cache(Exec::new(&base, &["wait=/meet/started", "wait=/meet/other", "exit=1"]));
                let hangs = cache(Exec::new(&base, &["write=/meet/started=x", "forever"]));
                let (fails, hangs) = (graph.exec(fails).remove(0), graph.exec(hangs).remove(0));
                graph.merge(&[&hangs, &fails])
            })
        });
        let other = scope.spawn(|| {
            solve(&|graph| {
                let base = graph.base();
                let exec =
                    cache(Exec::new(&base, &["write=/meet/other=x", "wait=/meet/after", "write=/ok=1"]));
                graph.exec(exec).remove(0)
            })
        });
        match failing.join().unwrap() {
            Err(GatewayError::Solve(failure)) => assert_eq!(failure.exit_code, Some(1)),
            other => panic!("{other:?}"),
        }
        let after = solve(&|graph| {
            let base = graph.base();
            graph.exec(cache(Exec::new(&base, &["write=/meet/after=x"]))).remove(0)
        });
        after.unwrap();
        assert!(other.join().unwrap().is_ok());
    });
}

fn cancelling_leaves_nothing_behind(world: &World) {
    let engine = world.engine();
    let cancelled = engine.clone();
    let error = std::thread::scope(|scope| {
        let build = scope.spawn(|| {
            Built::new(engine, |graph| {
                let base = graph.base();
                let mut step = |mark: &str| {
                    let write = format!("say={mark}");
                    graph
                        .exec(Exec::new(&base, &["mkdir=/x", &write, "forever"]).bind("/o", None, false))
                        .remove(0)
                };
                let (one, two) = (step("one"), step("two"));
                graph.merge(&[&one, &two])
            })
        });
        while world.events.log().lines().count() < 2 && !build.is_finished() {
            std::thread::yield_now();
        }
        assert!(!world.mounts().is_empty());
        cancelled.cancel();
        build.join().unwrap().err().expect("the build does not end by itself")
    });
    assert!(matches!(error, GatewayError::Cancelled), "{error:?}");
    assert_eq!(world.mounts(), Vec::<String>::new());
    drop(cancelled);
    assert_eq!(world.unfinished(), Vec::<std::path::PathBuf>::new());
    assert_eq!(std::fs::read_dir(world.path("state/locks")).unwrap().count(), 0);
    let children = std::fs::read_to_string("/proc/thread-self/children").unwrap_or_default();
    assert_eq!(children, "");
    let again = world.build(|graph| {
        let base = graph.base();
        graph.run(&base, &["write=/fine=yes"])
    });
    assert_eq!(again.read("/fine"), "yes");
}

fn a_full_disk_is_said_with_the_state_directory(world: &World) {
    let state = world.path("state");
    std::fs::create_dir(&state).unwrap();
    let probe = std::fs::metadata(world.path("base/bin/probe")).unwrap().len();
    let disk = dalec_engine::mount::tmpfs(&state, Some(probe + (6 << 20))).unwrap();
    let graph = |size: usize| {
        move |graph: &mut Graph| {
            let base = graph.base();
            graph.file(Some(&base), None, vec![mkfile("/big", 0o644, &"x".repeat(size))])
        }
    };
    match Built::new(world.engine(), graph(20 << 20)) {
        Err(GatewayError::Environment { message, hint, .. }) => {
            assert_eq!(message, format!("no space left for the state directory {}", state.display()));
            assert!(hint.contains("--state-dir"), "{hint}");
        }
        Err(error) => panic!("{}", explain(&error)),
        Ok(_) => panic!("it fits"),
    }
    assert!(world.unfinished().is_empty());
    assert_eq!(Built::new(world.engine(), graph(1 << 10)).unwrap().read("/big").len(), 1 << 10);
    drop(disk);
}

fn links_lead_nowhere_outside(world: &World) {
    let secret = world.path("outside");
    std::fs::write(&secret, "outside").unwrap();
    let absolute = secret.display().to_string();
    let up = format!("{}{absolute}", "../".repeat(40));
    std::fs::create_dir_all(world.path("context/d")).unwrap();
    std::os::unix::fs::symlink(&absolute, world.path("context/d/absolute")).unwrap();
    std::os::unix::fs::symlink(&up, world.path("context/d/up")).unwrap();
    let follow =
        |from: &str| Action::Copy(pb::FileActionCopy { follow_symlink: true, ..copy(from, "/stolen") });
    for name in ["/d/absolute", "/d/up", "/../../../../../outside"] {
        let failure = world.failure(|graph| {
            let context = graph.local("context");
            graph.file(None, Some(&context), vec![follow(name)])
        });
        assert_eq!(failure.message, format!("{name} not found"));
    }
    // Writing through a link that an earlier step left stays inside, too.
    let built = world.build(|graph| {
        let context = graph.local("context");
        let actions = vec![
            link(&absolute, "/file"),
            mkfile("/file", 0o644, "inside"),
            link(&format!("{up}-dir"), "/dir"),
            Action::Copy(copy("/d", "/dir/")),
            mkdir("/dir/absolute-dir/more", 0o755),
        ];
        let parent = secret.parent().unwrap().display().to_string();
        let actions = [vec![mkdir(&parent, 0o755)], actions].concat();
        graph.file(None, Some(&context), actions)
    });
    assert_eq!(std::fs::read_to_string(&secret).unwrap(), "outside");
    assert_eq!(built.read(&absolute), "inside");
    assert_eq!(built.names(&format!("{absolute}-dir")), ["absolute-dir", "d"]);
    assert!(!world.path("outside-dir").exists());
}

fn missing_things_are_named(world: &World) {
    let message = |build: &dyn Fn(&mut Graph) -> crate::graph::Node| world.failure(build).message;
    assert_eq!(message(&|graph| graph.local("nowhere")), "no local directory called \"nowhere\" was given");
    let missing = |graph: &mut Graph| {
        let base = graph.base();
        graph.file(None, Some(&base), vec![Action::Copy(copy("/no/such", "/x"))])
    };
    assert_eq!(message(&missing), "/no/such not found");
    std::fs::remove_dir(world.path("context")).unwrap();
    let context = world.path("context").display().to_string();
    assert_eq!(message(&|graph| graph.local("context")), format!("{context} does not exist"));
    let unreachable = message(&|graph| graph.source("http://127.0.0.1:1/x", &[]));
    assert_eq!(unreachable, "cannot reach 127.0.0.1 for http://127.0.0.1:1/x");
}

fn what_is_not_supported_is_said(world: &World) {
    let ssh = |graph: &mut Graph| {
        let base = graph.base();
        let mount = pb::Mount {
            dest: "/agent".into(),
            output: -1,
            mount_type: pb::MountType::Ssh.into(),
            ..pb::Mount::default()
        };
        graph.exec(Exec::new(&base, &["exit=0"]).mount(mount, None)).remove(0)
    };
    assert_eq!(world.failure(ssh).message, "no ssh agent called \"default\" was given");
    let other = world.failure(|graph| graph.source("ftp://example.org/x", &[]));
    assert_eq!(other.message, "this engine has no sources like \"ftp://example.org/x\"");
}

fn a_result_that_cannot_be_written_out_names_the_place(world: &World) {
    let built = world.build(|graph| graph.file(None, None, vec![mkfile("/sub", 0o644, "x")]));
    let dest = world.path("out");
    std::fs::create_dir_all(dest.join("sub/full")).unwrap();
    let export = dalec_engine::Export::Local { dest: dest.clone() };
    let results = [(String::new(), Some(built.reference.clone()))];
    match built.engine.export(&results, export) {
        Err(GatewayError::Environment { message, .. }) => {
            assert_eq!(message, format!("cannot write {}", dest.join("sub").display()));
        }
        other => panic!("{other:?}"),
    }
}
