//! What a process sees, and what of it stays.

use bollard_buildkit_proto::pb;

use crate::graph::{Exec, Graph, mkdir, mkfile};
use crate::world::{Case, SECRET, World, cases, holds};

pub const CASES: &[(&str, Case)] = cases![
    mounts_show_what_they_should,
    mount_points_do_not_stay,
    secrets_are_seen_but_never_stored,
    caches_outlive_builds_and_private_ones_are_not_shared,
    locked_caches_in_any_order_never_block_each_other,
    independent_steps_run_at_the_same_time,
    names_logs_and_exit_codes_are_passed_on,
    writes_to_mounts_without_output_are_dropped,
    what_may_not_be_changed_comes_out_as_it_went_in,
];

fn mounts_show_what_they_should(world: &World) {
    let built = world.build(|graph| {
        let base = graph.base();
        let files = graph.file(
            None,
            None,
            vec![
                mkdir("/dir/sub", 0o755),
                mkfile("/dir/sub/file", 0o644, "deep"),
                mkfile("/top", 0o644, "top"),
            ],
        );
        let part = pb::Mount {
            dest: "/part".into(),
            selector: "/dir/sub".into(),
            readonly: true,
            output: -1,
            ..pb::Mount::default()
        };
        let tmpfs = pb::Mount {
            dest: "/scratch".into(),
            output: -1,
            mount_type: pb::MountType::Tmpfs.into(),
            ..pb::Mount::default()
        };
        let commands = [
            "copy=/part/file=/out/deep",
            "refused=/part/new",
            "refused=/all/new",
            "copy=/all/top=/out/top",
            "write=/scratch/x=memory",
            "write=/changed/new=new",
            "remove=/changed/top",
        ];
        let exec = Exec::new(&base, &commands)
            .mount(part, Some(&files))
            .mount(tmpfs, None)
            .bind("/all", Some(&files), true)
            .bind("/changed", Some(&files), false)
            .bind("/out", None, false);
        let outputs = graph.exec(exec);
        let moved = graph.file(
            Some(&outputs[2]),
            Some(&outputs[1]),
            vec![pb::file_action::Action::Copy(crate::graph::copy("/", "/changed"))],
        );
        graph.merge(&[&outputs[0], &moved])
    });
    assert_eq!((built.read("/deep").as_str(), built.read("/top").as_str()), ("deep", "top"));
    assert_eq!(built.names("/changed"), ["dir", "new"]);
    assert!(!built.has("/scratch/x"));
}

fn mount_points_do_not_stay(world: &World) {
    let built = world.build(|graph| {
        let base = graph.base();
        let exec = Exec::new(&base, &["write=/a/b/out/x=1", "mkdir=/c", "write=/c/own=2"])
            .bind("/a/b/out", None, false)
            .bind("/c/mounted", None, true);
        graph.exec(exec).remove(0)
    });
    assert_eq!(built.names("/"), ["bin", "c", "etc"]);
    assert_eq!(built.names("/c"), ["own"]);
    assert_eq!(built.names("/etc"), ["group", "passwd"]);
}

fn secrets_are_seen_but_never_stored(world: &World) {
    let built = world.build(|graph| {
        let base = graph.base();
        let mut exec =
            Exec::new(&base, &["cat=/run/secrets/key", "env=TOKEN=/dev/null", "absent=/run/secrets/no"])
                .secret("/run/secrets/key", "key", false)
                .secret("/run/secrets/no", "no", true);
        let token = |id: &str, optional| pb::SecretEnv { id: id.into(), name: "TOKEN".into(), optional };
        exec.op.secretenv = vec![token("key", false), token("no", true)];
        graph.exec(exec).remove(0)
    });
    assert_eq!(world.events.log(), SECRET);
    assert!(world.events.tell(SECRET));
    assert!(!built.has("/run/secrets/key"));
    assert!(!holds(&world.path("state"), SECRET));
    let failure = world.failure(|graph| {
        let base = graph.base();
        graph.exec(Exec::new(&base, &["cat=/s"]).secret("/s", "missing", false)).remove(0)
    });
    assert_eq!(failure.message, "the secret \"missing\" was not given");
    assert!(failure.hint.unwrap().starts_with("give it with --secret id=missing"));
}

fn caches_outlive_builds_and_private_ones_are_not_shared(world: &World) {
    let build = |id: &'static str, mark: &'static str| {
        world.build(move |graph: &mut Graph| {
            let base = graph.base();
            let append = format!("append=/cache/log={mark}");
            let exec = Exec::new(&base, &[&append, "copy=/cache/log=/log"]);
            graph.exec(exec.cache("/cache", id, pb::CacheSharingOpt::Private)).remove(0)
        })
    };
    assert_eq!(build("one", "a").read("/log"), "a");
    assert_eq!(build("one", "b").read("/log"), "ab");
    assert_eq!(build("two", "c").read("/log"), "c");
}

fn locked_caches_in_any_order_never_block_each_other(world: &World) {
    let built = world.build(|graph| {
        let base = graph.base();
        let mut step = |own: &str, [first, second]: [&'static str; 2]| {
            let write = format!("write=/{own}=done");
            let locked = pb::CacheSharingOpt::Locked;
            let exec = Exec::new(&base, &[&write]).cache("/1", first, locked).cache("/2", second, locked);
            graph.exec(exec.cache("/again", first, locked)).remove(0)
        };
        let (one, two) = (step("one", ["a", "b"]), step("two", ["b", "a"]));
        graph.merge(&[&one, &two])
    });
    assert_eq!((built.read("/one").as_str(), built.read("/two").as_str()), ("done", "done"));
}

fn independent_steps_run_at_the_same_time(world: &World) {
    let built = world.build(|graph| {
        let base = graph.base();
        let mut step = |own: &str, other: &str| {
            let commands =
                [format!("write=/meet/{own}=x"), format!("wait=/meet/{other}"), format!("write=/{own}=met")];
            let commands: Vec<&str> = commands.iter().map(String::as_str).collect();
            let exec = Exec::new(&base, &commands).cache("/meet", "meet", pb::CacheSharingOpt::Shared);
            graph.exec(exec).remove(0)
        };
        let (one, two) = (step("one", "two"), step("two", "one"));
        graph.merge(&[&one, &two])
    });
    assert_eq!((built.read("/one").as_str(), built.read("/two").as_str()), ("met", "met"));
}

fn names_logs_and_exit_codes_are_passed_on(world: &World) {
    let built = world.build(|graph| {
        let base = graph.base();
        let mut exec = Exec::new(&base, &["say=hello", "complain=oh", "write=/x=1", "exit=3"]);
        exec.op.meta.as_mut().unwrap().valid_exit_codes = vec![3];
        let node = graph.exec(exec).remove(0);
        graph.describe(&node, |metadata| {
            metadata.description = crate::graph::description("greet");
            metadata.progress_group =
                Some(pb::ProgressGroup { id: "g".into(), name: "group".into(), weak: false });
        });
        node
    });
    assert_eq!(built.read("/x"), "1");
    let mut log: Vec<_> = world.events.log().lines().map(str::to_owned).collect();
    log.sort();
    assert_eq!(log, ["hello", "oh"]);
    let named = world.events.all().into_iter().any(|event| match event {
        dalec_gateway::Event::Vertex(vertex) => {
            (vertex.name.as_str(), vertex.group.as_str()) == ("greet", "group") && vertex.completed.is_some()
        }
        _ => false,
    });
    assert!(named);
}

fn writes_to_mounts_without_output_are_dropped(world: &World) {
    world.write("context/file", "old");
    let built = world.build(|graph| {
        let (base, context) = (graph.base(), graph.local("context"));
        let mount = pb::Mount { dest: "/in".into(), output: -1, ..pb::Mount::default() };
        let first = Exec::new(&base, &["write=/in/file=new", "copy=/in/file=/first"]);
        let first = graph.exec(first.mount(mount, Some(&context))).remove(0);
        graph.exec(Exec::new(&first, &["copy=/in/file=/second"]).bind("/in", Some(&context), true)).remove(0)
    });
    assert_eq!((built.read("/first").as_str(), built.read("/second").as_str()), ("new", "old"));
    assert_eq!(std::fs::read_to_string(world.path("context/file")).unwrap(), "old");
}

fn what_may_not_be_changed_comes_out_as_it_went_in(world: &World) {
    world.write("context/file", "text");
    let built = world.build(|graph| {
        let (base, context) = (graph.base(), graph.local("context"));
        let mut exec = Exec::new(&base, &["refused=/new", "refused=/in/new"]);
        exec.root_mut().readonly = true;
        let mount = pb::Mount { dest: "/in".into(), readonly: true, ..pb::Mount::default() };
        let outputs = graph.exec(exec.mount(mount, Some(&context)));
        graph.merge(&[&outputs[0], &outputs[1]])
    });
    assert_eq!(built.names("/"), ["bin", "etc", "file"]);
}
