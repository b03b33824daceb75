//! File systems made of layers mean what the processes that made them saw.

use bollard_buildkit_proto::pb;
use dalec_gateway::Gateway;
use pb::file_action::Action;

use crate::graph::{Exec, Graph, Node, copy, link, mkdir, mkfile, owner, rm};
use crate::world::{Built, Case, World, cases};

pub const CASES: &[(&str, Case)] = cases![
    a_result_is_what_the_process_saw,
    merges_add_and_delete,
    a_diff_holds_what_changed,
    deletions_without_a_base_do_not_show,
    a_directory_made_anew_hides_nothing_elsewhere,
    long_chains_stay_usable,
    deep_graphs_are_solved,
    file_actions_do_what_they_say,
    copies_choose_by_pattern,
    archives_are_unpacked_where_they_are_copied,
    a_chain_of_actions_may_fork,
    local_directories_are_filtered_and_normalised,
];

/// Prints what is in `/w` from inside, and compares with the result seen from outside.
fn same_inside_and_outside(world: &World, build: impl Fn(&mut Graph) -> Node) {
    let listed = world.build(|graph| {
        let (base, node) = (graph.base(), build(graph));
        let exec = Exec::new(&base, &["tree=/w=/out/list"]).bind("/w", Some(&node), true);
        graph.exec(exec.bind("/out", None, false)).remove(1)
    });
    let dest = world.path("exported");
    let built = world.build(build);
    let results = [(String::new(), Some(built.reference.clone()))];
    built.engine.export(&results, dalec_engine::Export::Local { dest: dest.clone() }).unwrap();
    // Owners are not written out; they are compared where everything belongs to root.
    assert_eq!(listed.read("/list"), crate::probe::listing(&dest));
}

const CHANGES: [&[&str]; 4] = [
    &["mkdir=/w/a/b", "write=/w/a/b/f=1", "write=/w/a/g=2", "mkdir=/w/c", "write=/w/c/h=3", "write=/w/s=4"],
    &["hardlink=/w/s=/w/t", "symlink=a/g=/w/l", "chmod=/w/a/g=600", "remove=/w/c", "write=/w/n=5"],
    &["remove=/w/a", "mkdir=/w/a", "write=/w/a/new=6", "write=/w/c=now a file", "append=/w/t=!"],
    &["remove=/w/c", "mkdir=/w/c/d", "rename=/w/n=/w/c/d/n", "remove=/w/l", "write=/w/l=no link"],
];

fn changed(graph: &mut Graph, steps: usize) -> Node {
    let base = graph.base();
    let mut node: Option<Node> = None;
    for commands in &CHANGES[..steps] {
        let exec = Exec::new(&base, commands).bind("/w", node.as_ref(), false);
        node = Some(graph.exec(exec).remove(1));
    }
    node.expect("at least one step")
}

fn a_result_is_what_the_process_saw(world: &World) {
    for steps in 1..=CHANGES.len() {
        let _ = std::fs::remove_dir_all(world.path("exported"));
        same_inside_and_outside(world, |graph| changed(graph, steps));
    }
    let last = world.build(|graph| changed(graph, CHANGES.len()));
    assert_eq!(last.names("/"), ["a", "c", "l", "s", "t"]);
    assert_eq!((last.names("/a"), last.names("/c/d")), (vec!["new".to_owned()], vec!["n".to_owned()]));
    // An overlay parts the names of one file when it is changed in a later layer.
    assert_eq!(
        (last.read("/s").as_str(), last.read("/t").as_str(), last.read("/l").as_str()),
        ("4", "4!", "no link")
    );
}

fn merges_add_and_delete(world: &World) {
    let merged = |graph: &mut Graph| {
        let (one, two) = (changed(graph, 1), changed(graph, 2));
        let diff = graph.diff(&one, &two);
        let other = graph.file(
            None,
            None,
            vec![
                mkdir("/c", 0o755),
                mkfile("/c/h", 0o644, "x"),
                mkfile("/c/x", 0o644, "x"),
                mkfile("/o", 0o644, "o"),
            ],
        );
        graph.merge(&[&other, &diff])
    };
    let built = world.build(merged);
    assert_eq!(built.names("/"), ["a", "l", "n", "o", "s", "t"]);
    let _ = std::fs::remove_dir_all(world.path("exported"));
    same_inside_and_outside(world, merged);
    let rebuilt = world.build(|graph| {
        let (one, two) = (changed(graph, 1), changed(graph, 2));
        let diff = graph.diff(&one, &two);
        graph.merge(&[&one, &diff])
    });
    let two = world.build(|graph| changed(graph, 2));
    assert_eq!(rebuilt.names("/"), two.names("/"));
}

fn a_diff_holds_what_changed(world: &World) {
    // Neither is made from the other, so every file is compared.
    let tree = |graph: &mut Graph, file: &str, extra: &str| {
        let actions = vec![
            mkdir("/same/deep", 0o755),
            mkfile("/same/deep/file", 0o644, "same"),
            mkfile("/changed", 0o644, file),
            mkfile(extra, 0o644, "extra"),
        ];
        graph.file(None, None, actions)
    };
    let diff = world.build(|graph| {
        let (lower, upper) = (tree(graph, "old", "/gone"), tree(graph, "new", "/same/added"));
        graph.diff(&lower, &upper)
    });
    assert_eq!(
        (diff.names("/"), diff.names("/same")),
        (vec!["changed".into(), "same".into()], vec!["added".into()])
    );
    let applied = world.build(|graph| {
        let (lower, upper) = (tree(graph, "old", "/gone"), tree(graph, "new", "/same/added"));
        let diff = graph.diff(&lower, &upper);
        graph.merge(&[&lower, &diff])
    });
    assert_eq!(applied.names("/"), ["changed", "same"]);
    assert_eq!(
        (applied.read("/changed").as_str(), applied.names("/same")),
        ("new", vec!["added".into(), "deep".into()])
    );
}

fn deletions_without_a_base_do_not_show(world: &World) {
    let diff = |graph: &mut Graph| {
        let full = graph.file(
            None,
            None,
            vec![mkdir("/d", 0o755), mkfile("/d/gone", 0o644, ""), mkfile("/d/kept", 0o644, "")],
        );
        let less = graph.file(Some(&full), None, vec![rm("/d/gone", false), mkfile("/d/new", 0o644, "")]);
        graph.diff(&full, &less)
    };
    assert_eq!(world.build(diff).names("/d"), ["new"]);
    same_inside_and_outside(world, diff);
    let merged = |graph: &mut Graph| {
        let (other, diff) = (graph.file(None, None, vec![mkfile("/o", 0o644, "")]), diff(graph));
        graph.merge(&[&other, &diff])
    };
    let _ = std::fs::remove_dir_all(world.path("exported"));
    same_inside_and_outside(world, merged);
}

fn a_directory_made_anew_hides_nothing_elsewhere(world: &World) {
    let built = world.build(|graph| {
        let base = graph.base();
        let one = graph.run(&base, &["mkdir=/usr/share/x", "write=/usr/share/x/one=1"]);
        let two = graph.run(&base, &["mkdir=/usr/share/x", "write=/usr/share/x/two=2"]);
        let (one, two) = (graph.diff(&base, &one), graph.diff(&base, &two));
        let merged = graph.merge(&[&base, &one, &two]);
        graph.run(&merged, &["tree=/usr/share/x=/list"])
    });
    assert_eq!(built.names("/usr/share/x"), ["one", "two"]);
    assert_eq!(built.read("/list").lines().count(), 2);
}

fn long_chains_stay_usable(world: &World) {
    let chain = |graph: &mut Graph| {
        let mut node = graph.base();
        for number in 0..135 {
            let actions = match number % 3 {
                0 => vec![mkfile(&format!("/file-{number}"), 0o644, "x")],
                1 => vec![mkfile("/same", 0o644, &number.to_string())],
                _ => vec![rm(&format!("/file-{}", number - 2), false)],
            };
            node = graph.file(Some(&node), None, actions);
        }
        graph.run(&node, &["copy=/same=/copied"])
    };
    let built = world.build(chain);
    assert_eq!(built.names("/"), ["bin", "copied", "etc", "same"]);
    assert_eq!(built.read("/copied"), "133");
}

fn deep_graphs_are_solved(world: &World) {
    let built = world.build(|graph| {
        let mut node = graph.file(None, None, vec![mkfile("/x", 0o644, "deep")]);
        let other = graph.file(None, None, vec![mkfile("/y", 0o644, "y")]);
        for _ in 0..2000 {
            node = graph.merge(&[&node]);
        }
        graph.merge(&[&node, &other])
    });
    assert_eq!(built.read("/x"), "deep");
}

fn file_actions_do_what_they_say(world: &World) {
    let built = world.build(|graph| {
        let base = graph.base();
        let named = pb::ChownOpt {
            user: Some(pb::UserOpt {
                user: Some(pb::user_opt::User::ByName(pb::NamedUserOpt { name: "builder".into(), input: 0 })),
            }),
            group: None,
        };
        let mkfile_named = pb::FileActionMkFile {
            path: "/named".into(),
            mode: 0o600,
            timestamp: -1,
            owner: Some(named),
            ..pb::FileActionMkFile::default()
        };
        let actions = vec![
            mkdir("/a/b/c", 0o750),
            mkfile("/a/b/file", 0o640, "one"),
            mkfile("/a/b/file", 0o600, "two"),
            link("b/file", "/a/link"),
            mkfile("/a/x1", 0o644, ""),
            mkfile("/a/x2", 0o644, ""),
            rm("/a/x*", true),
            Action::Mkfile(mkfile_named),
        ];
        let node = graph.file(Some(&base), None, actions);
        graph.run(&node, &["tree=/a=/list", "copy=/a/link=/followed"])
    });
    assert_eq!(built.read("/followed"), "two");
    let expected = "b 750 0:0 dir\nb/c 750 0:0 dir\nb/file 600 0:0 \"two\"\nlink 777 0:0 -> b/file";
    assert_eq!(built.read("/list"), expected);
    assert_eq!(built.mode("/named"), 0o600);
    if !world.mode.has_single_id() {
        let owner = world.build(|graph| {
            let base = graph.base();
            let chowned = pb::FileActionCopy {
                owner: Some(owner(3, 4)),
                mode: 0o700,
                ..copy("/etc/passwd", "/to/passwd")
            };
            let node = graph.file(Some(&base), Some(&base), vec![Action::Copy(chowned)]);
            graph.run(&node, &["tree=/to=/list"])
        });
        assert!(owner.read("/list").starts_with("passwd 700 3:4 "), "{}", owner.read("/list"));
    }
}

fn copies_choose_by_pattern(world: &World) {
    for file in ["a.c", "b.c", "sub/c.c", "sub/d.h", "sub/deep/e.c", "skip/f.c"] {
        world.write(&format!("context/{file}"), file);
    }
    let copied = |change: &dyn Fn(&mut pb::FileActionCopy), src: &str, dest: &str| -> Built {
        world.build(|graph| {
            let context = graph.local("context");
            let mut action = copy(src, dest);
            change(&mut action);
            graph.file(None, Some(&context), vec![Action::Copy(action)])
        })
    };
    let names = |built: &Built, path: &str| built.names(path).join(" ");
    // A directory becomes the destination, or goes into one that is there.
    assert_eq!(names(&copied(&|_| (), "/sub", "/new"), "/new"), "c.c d.h deep");
    assert_eq!(names(&copied(&|_| (), "/sub", "/new/"), "/new"), "sub");
    assert_eq!(
        names(&copied(&|copy| copy.dir_copy_contents = true, "/sub", "/new/"), "/new"),
        "c.c d.h deep"
    );
    assert_eq!(names(&copied(&|copy| copy.dir_copy_contents = true, "/", "/"), "/"), "a.c b.c skip sub");
    assert_eq!(names(&copied(&|_| (), "/a.c", "/x/"), "/x"), "a.c");
    assert_eq!(copied(&|_| (), "/a.c", "/x/y").read("/x/y"), "a.c");
    let wild = copied(&|copy| copy.allow_wildcard = true, "/*.c", "/x/");
    assert_eq!(names(&wild, "/x"), "a.c b.c");
    let wild = copied(&|copy| copy.allow_wildcard = true, "/s*/*.c", "/x/");
    assert_eq!(names(&wild, "/x"), "c.c f.c");
    let filtered = copied(
        &|copy| {
            copy.include_patterns = vec!["**/*.c".into()];
            copy.exclude_patterns = vec!["skip".into(), "b*".into()];
        },
        "/",
        "/",
    );
    assert_eq!((names(&filtered, "/"), names(&filtered, "/sub")), ("a.c sub".into(), "c.c deep".into()));
    let empty = copied(
        &|copy| {
            copy.allow_wildcard = true;
            copy.allow_empty_wildcard = true;
        },
        "/none*",
        "/x/",
    );
    assert_eq!(names(&empty, "/"), "");
}

/// A tar archive with a program, a link that leads out, and a name that hides files in layers of images.
fn archive() -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, mode, text) in [("sub/run", 0o755, "run\n"), (".wh.name", 0o644, "a name\n")] {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(mode);
        header.set_mtime(1_000_000_000);
        builder.append_data(&mut header, name, text.as_bytes()).unwrap();
    }
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Symlink);
    header.set_size(0);
    builder.append_link(&mut header, "out", "/etc").unwrap();
    builder.into_inner().unwrap()
}

fn archives_are_unpacked_where_they_are_copied(world: &World) {
    let plain = archive();
    let zstd = zstd::encode_all(&plain[..], 1).unwrap();
    let mut xz = liblzma::write::XzEncoder::new(Vec::new(), 1);
    std::io::Write::write_all(&mut xz, &plain).unwrap();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut gzip, &plain).unwrap();
    let all = [("tar", plain), ("zst", zstd), ("xz", xz.finish().unwrap()), ("gz", gzip.finish().unwrap())];
    for (name, content) in &all {
        std::fs::write(world.path(&format!("context/a.{name}")), content).unwrap();
    }
    world.write("context/text", "no archive\n");
    std::fs::write(world.path("context/a.bz2"), "BZh91AY&SY").unwrap();
    let unpack = |graph: &mut Graph, from: &str, dest: &str| {
        let context = graph.local("context");
        let copy = pb::FileActionCopy { attempt_unpack_docker_compatibility: true, ..copy(from, dest) };
        graph.file(None, Some(&context), vec![Action::Copy(copy)])
    };
    for (name, _) in &all {
        let built = world.build(|graph| unpack(graph, &format!("/a.{name}"), "/in/here/"));
        assert_eq!(built.names("/in/here"), [".wh.name", "out", "sub"], "{name}");
        assert_eq!(
            (built.read("/in/here/sub/run").as_str(), built.mode("/in/here/sub/run")),
            ("run\n", 0o755)
        );
        let stat = built.session.stat_file(&built.reference, "/in/here/sub/run").unwrap();
        assert_eq!(stat.modified, 1_000_000_000_000_000_000);
    }
    assert_eq!(world.build(|graph| unpack(graph, "/text", "/")).read("/text"), "no archive\n");
    let failure = world.failure(|graph| unpack(graph, "/a.bz2", "/"));
    assert_eq!(failure.message, "cannot unpack an archive that is compressed with bzip2");
    assert!(world.unfinished().is_empty());
}

fn a_chain_of_actions_may_fork(world: &World) {
    let built = world.build(|graph| {
        let first = pb::FileAction {
            input: -1,
            secondary_input: -1,
            output: -1,
            action: Some(mkfile("/first", 0o644, "1")),
        };
        let second = pb::FileAction {
            input: 0,
            secondary_input: -1,
            output: 0,
            action: Some(mkfile("/second", 0o644, "2")),
        };
        // Starts from the first again, and takes a file of the second.
        let third = pb::FileAction {
            input: 0,
            secondary_input: 1,
            output: 1,
            action: Some(Action::Copy(copy("/second", "/third"))),
        };
        let node = graph.op(pb::op::Op::File(pb::FileOp { actions: vec![first, second, third] }), &[]);
        Node { index: 1, ..node }
    });
    assert_eq!((built.names("/"), built.read("/third")), (vec!["first".into(), "third".into()], "2".into()));
}

fn local_directories_are_filtered_and_normalised(world: &World) {
    world.write("context/src/main.c", "main");
    world.write("context/src/main.o", "object");
    world.write("context/doc/readme", "doc");
    world.write("context/real", "real");
    std::os::unix::fs::symlink("real", world.path("context/link")).unwrap();
    let local = |attrs: &[(&str, &str)]| world.build(|graph| graph.source("local://context", attrs));
    let filtered =
        local(&[("local.includepattern", r#"["src"]"#), ("local.excludepatterns", r#"["**/*.o"]"#)]);
    assert_eq!((filtered.names("/"), filtered.names("/src")), (vec!["src".into()], vec!["main.c".into()]));
    assert_eq!(local(&[("local.followpaths", r#"["link"]"#)]).names("/"), ["link", "real"]);
    let all = local(&[]);
    assert_eq!(all.names("/"), ["doc", "link", "real", "src"]);
    let listed = world.build(|graph| {
        let (base, context) = (graph.base(), graph.local("context"));
        let exec = Exec::new(&base, &["tree=/w=/list"]).bind("/w", Some(&context), true);
        graph.exec(exec).remove(0)
    });
    assert!(listed.read("/list").lines().all(|line| line.contains(" 0:0 ")));
}
