//! Defaults, and what a target changes of the root (SPEC-040 to SPEC-047).

use std::collections::BTreeMap;

use dalec_spec::target_spec::{PackageConstraint, RepositoryUse, SourceKind, TargetSpec};
use dalec_spec::{SourceText, load, to_yaml};
use expect_test::{Expect, expect};

use crate::{check_same, resolved, resolved_with, target};

/// Checks what `text` resolves to for the target `t`.
#[track_caller]
fn check_target(text: &str, expected: Expect) {
    expected.assert_eq(&to_yaml(&resolved_with(text, &target("t"))));
}

fn of_target(text: &str) -> TargetSpec {
    resolved_with(text, &target("t"))
}

/// SPEC-040: what an absent key means, in every place where sources stand.
#[test]
fn absent_keys_have_meanings() {
    let spec = resolved(
        "\
sources:
  context: {context: {}}
  file: {inline: {file: {contents: a}}}
  dir: {inline: {dir: {files: {a: }}}}
  docs: {build: {source: {context: }, dockerfile_path: }}
  made:
    path: /out
    image:
      ref: r
      cmd:
        mounts: [{dest: /a, spec: {context: {}}}]
        steps: [{command: c, mounts: [{dest: /b, spec: {inline: {file: {}}}}]}]
  generated:
    context: {}
    generate: [{gomod: {}, cargohome: {}, pip: {}, nodemod: {}}, {gomod: {paths: []}}]
patches:
  dir:
    - {source: file}
    - {source: file, strip: 0}
    - {source: file, strip: 1}
dependencies:
  extra_repos:
    - keys:
        a: {http: {url: 'https://h.example/a'}}
        b: {http: {url: 'https://h.example/b', permissions: 0600}}
        c: {inline: {file: {permissions: 0600}}}
      config: {d: {http: {url: 'https://h.example/d', permissions: 0600}}}
      envs: []
    - {envs: [test]}
tests:
  - files: {/f: }
    mounts: [{dest: /a, spec: {context: {}}}, {dest: /b, spec: {inline: {dir: {files: {f: }}}}}]
"
        .replace("{context: }", "{context: {name: }}")
        .as_str(),
    );
    let name = |kind: &SourceKind| match kind {
        SourceKind::Context(context) => context.name.clone(),
        other => panic!("{other:?}"),
    };
    let modes = |kind: &SourceKind| match kind {
        SourceKind::Inline(dalec_spec::target_spec::Inline::File(file)) => vec![file.permissions],
        SourceKind::Inline(dalec_spec::target_spec::Inline::Dir(dir)) => {
            std::iter::once(dir.permissions).chain(dir.files.values().map(|file| file.permissions)).collect()
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(name(&spec.sources["context"].kind), "context");
    assert_eq!(modes(&spec.sources["file"].kind), [0o644]);
    assert_eq!(modes(&spec.sources["dir"].kind), [0o755, 0o644]);
    let SourceKind::Build(build) = &spec.sources["docs"].kind else { panic!("a build source") };
    assert_eq!(
        (name(&build.source.kind).as_str(), build.dockerfile_path.as_str()),
        ("context", "Dockerfile")
    );
    let SourceKind::Image(image) = &spec.sources["made"].kind else { panic!("an image source") };
    let command = image.command.as_ref().expect("commands");
    assert_eq!(name(&command.mounts[0].source.kind), "context");
    assert_eq!(modes(&command.steps[0].mounts[0].source.kind), [0o644]);
    assert_eq!(name(&spec.tests[0].mounts[0].source.kind), "context");
    assert_eq!(modes(&spec.tests[0].mounts[1].source.kind), [0o755, 0o644]);

    let generated = &spec.sources["generated"].generate;
    assert_eq!(generated[0].gomod.as_ref().expect("gomod").paths, ["."]);
    assert_eq!(generated[0].cargohome.as_ref().expect("cargohome").paths, ["."]);
    assert_eq!(generated[0].nodemod.as_ref().expect("nodemod").paths, ["."]);
    let pip = generated[0].pip.as_ref().expect("pip");
    assert_eq!(
        (pip.paths.as_slice(), pip.requirements_file.as_str()),
        (&[".".to_owned()][..], "requirements.txt")
    );
    assert!(generated[1].gomod.as_ref().expect("gomod").paths.is_empty());

    let strips: Vec<u32> = spec.patches["dir"].iter().map(|patch| patch.strip).collect();
    assert_eq!(strips, [1, 0, 1]);

    let [always, tests] = &spec.dependencies.extra_repos[..] else { panic!("two repositories") };
    assert_eq!(always.envs, [RepositoryUse::Build, RepositoryUse::Install, RepositoryUse::Test]);
    assert_eq!(tests.envs, [RepositoryUse::Test]);
    let mode = |kind: &SourceKind| match kind {
        SourceKind::Http(http) => http.permissions,
        other => panic!("{other:?}"),
    };
    assert_eq!((mode(&always.keys["a"].kind), mode(&always.keys["b"].kind)), (Some(0o644), Some(0o644)));
    assert_eq!((modes(&always.keys["c"].kind), mode(&always.config["d"].kind)), (vec![0o600], Some(0o600)));
}

/// SPEC-041: the old forms of bases and links mean the same as the new ones.
#[test]
fn old_forms_mean_the_new_ones() {
    check_same("image: {base: a}\n", "image: {bases: [{rootfs: {image: {ref: a}}}]}\n");
    check_same(
        "args: {V: b}\nimage: {base: \"a:$V\"}\n",
        "args: {V: b}\nimage: {bases: [{rootfs: {image: {ref: \"a:b\"}}}]}\n",
    );
    check_same(
        "image: {post: {symlinks: {/a: {path: /b, user: u}}}}\n",
        "image: {post: {symlinks: {/a: {paths: [/b], user: u}}}}\n",
    );
    assert_eq!(resolved("image: {base: a}\n").image.bases[0].reference(), "a");
}

/// SPEC-042: Go modules of the host that a source comes from are downloaded with the credentials of the source.
#[test]
fn modules_use_the_credentials_of_their_source() {
    let auth = |url: &str, auth: &str, generate: &str| {
        let text = format!(
            "args: {{HOST: git.example}}\nsources: {{a: {{git: {{url: '{url}', commit: main, auth: {auth}}}, generate: [{generate}]}}}}\n"
        );
        let spec = resolved(&text);
        let gomod = spec.sources["a"].generate[0].gomod.clone().expect("a gomod generator");
        let show = |(host, auth): (&String, &dalec_spec::target_spec::GomodAuth)| match &auth.ssh {
            Some(ssh) => format!("{host} ssh {} as {}", ssh.id, ssh.username),
            None if auth.token.is_empty() => format!("{host} header {}", auth.header),
            None => format!("{host} token {}", auth.token),
        };
        gomod.auth.iter().map(show).collect::<Vec<_>>().join(", ")
    };
    let gomod = "{gomod: {}}";
    let url = "https://git.example/a";
    assert_eq!(auth(url, "{token: T}", gomod), "git.example token T");
    assert_eq!(auth(url, "{header: H}", gomod), "git.example header H");
    assert_eq!(auth(url, "{ssh: S}", gomod), "git.example ssh S as git");
    assert_eq!(auth(url, "{ssh: S, header: H, token: T}", gomod), "git.example token T");
    assert_eq!(auth(url, "{ssh: S, header: H}", gomod), "git.example header H");
    assert_eq!(auth(url, "{}", gomod), "");
    assert_eq!(auth("https://git.example:8443/a", "{token: T}", gomod), "git.example:8443 token T");
    assert_eq!(auth("ssh://me@git.example/a", "{ssh: S}", gomod), "git.example ssh S as git");
    // Upstream takes the whole address for the host in these.
    assert_eq!(auth("git@git.example:a/b", "{ssh: S}", gomod), "git.example ssh S as git");
    assert_eq!(auth("https://${HOST}/a", "{token: T}", gomod), "git.example token T");
    assert_eq!(auth("git.example/a", "{token: T}", gomod), "git.example token T");
    // What is written for the host stays.
    assert_eq!(
        auth(url, "{token: T}", "{gomod: {auth: {git.example: {header: H}}}}"),
        "git.example header H"
    );
    assert_eq!(
        auth(url, "{token: T}", "{gomod: {auth: {other.example: {ssh: {id: S, username: me}}}}}"),
        "git.example token T, other.example ssh S as me"
    );
    assert_eq!(
        auth(url, "{token: T}", "{gomod: {auth: {\"${HOST}\": {header: H}}}}"),
        "git.example header H"
    );
}

const LISTS: &str = "\
dependencies:
  build: [a]
  runtime: [b]
  recommends: [c]
  sysext: [d]
  test: [e]
  extra_repos: [{config: {root.list: {context: {}}}}]
";

/// SPEC-043, DEP-012, TEST-019: each list for itself: what the target writes, or the root's.
#[test]
fn dependencies_are_overridden_list_by_list() {
    let with = |own: &str| format!("{LISTS}targets: {{t: {{dependencies: {own}}}}}\n");
    let root = to_yaml(&resolved(LISTS));
    for nothing in ["", "{}", "{build: , runtime: ~, extra_repos: }"] {
        assert_eq!(to_yaml(&of_target(&with(nothing))), root, "{nothing}");
    }
    // Upstream forgets `sysext` as soon as both have dependencies, and keeps the root's list for an empty one.
    let lists = ["build", "runtime", "recommends", "sysext", "test"];
    for (index, list) in lists.iter().enumerate() {
        for (value, expected) in [("[x]", "x"), ("{x: }", "x"), ("[]", ""), ("{}", "")] {
            let found = of_target(&with(&format!("{{{list}: {value}}}"))).dependencies;
            let names = |packages: &BTreeMap<String, PackageConstraint>| {
                packages.keys().cloned().collect::<Vec<_>>().concat()
            };
            let found = [found.build, found.runtime, found.recommends, found.sysext, found.test]
                .each_ref()
                .map(names);
            let mut all = ["a", "b", "c", "d", "e"];
            all[index] = expected;
            assert_eq!(found, all, "{list}: {value}");
        }
    }
    let repos = of_target(&with("{extra_repos: [{config: {t.list: {context: {}}}, envs: [build]}]}"))
        .dependencies
        .extra_repos;
    assert_eq!(repos.len(), 1);
    assert!(repos[0].config.contains_key("t.list"));
    assert!(of_target(&with("{extra_repos: []}")).dependencies.extra_repos.is_empty());
    // Only one of the two has dependencies.
    assert_eq!(to_yaml(&of_target(&format!("{LISTS}targets: {{t: {{tests: []}}}}\n"))), root);
    let only_target = of_target("targets: {t: {dependencies: {sysext: [x], build: [y]}}}\n").dependencies;
    assert_eq!((only_target.sysext.len(), only_target.build.len()), (1, 1));
    // A target that is not there is the root.
    assert_eq!(to_yaml(&resolved_with(&with("{build: [x]}"), &target("other"))), root);
}

/// SPEC-044: a target's artifacts are all of its artifacts, even when there are none.
#[test]
fn artifacts_are_replaced_as_a_whole() {
    let root = "artifacts: {binaries: {a: }, docs: {b: }, users: [{name: u}], disable_strip: true, links: [{source: /c, dest: /d}]}\n";
    for (own, expected) in [
        ("{binaries: {x: }}", "artifacts: {binaries: {x: }}\n"),
        ("{}", "{}\n"),
        ("{disable_strip: true}", "artifacts: {disable_strip: true}\n"),
        ("", root),
        ("~", root),
    ] {
        let found = of_target(&format!("{root}targets: {{t: {{artifacts: {own}}}}}\n"));
        assert_eq!(to_yaml(&found), to_yaml(&resolved(expected)), "{own}");
    }
}

/// SPEC-045: what a target provides, replaces or conflicts with is all of it; nothing written is the root's.
#[test]
fn relations_are_replaced_as_a_whole() {
    for list in ["conflicts", "replaces", "provides"] {
        let with = |own: &str| {
            let spec = of_target(&format!("{list}: [a, b]\ntargets: {{t: {{{list}: {own}}}}}\n"));
            match list {
                "conflicts" => spec.conflicts,
                "replaces" => spec.replaces,
                _ => spec.provides,
            }
        };
        let names = |own: &str| with(own).into_keys().collect::<Vec<_>>();
        assert_eq!(names("[x]"), ["x"], "{list}");
        assert_eq!(names("{x: {version: ['= 1']}}"), ["x"], "{list}");
        // Upstream keeps the root's for the empty list.
        assert_eq!(names("[]"), [""; 0], "{list}");
        assert_eq!(names("{}"), [""; 0], "{list}");
        assert_eq!(names(""), ["a", "b"], "{list}");
    }
}

/// SPEC-046, TEST-018: a target's tests come after the root's; two of one name are two tests.
#[test]
fn tests_are_added() {
    let text = "\
tests: [{name: a, files: {/a: }}, {name: b, files: {/b: }}]
targets:
  t: {tests: [{name: a, files: {/c: }}]}
  none: {tests: []}
";
    let names = |key: &str| {
        let tests = resolved_with(text, &target(key)).tests;
        tests
            .iter()
            .map(|test| format!("{}{}", test.name, test.files.keys().next().expect("a file")))
            .collect::<Vec<_>>()
    };
    assert_eq!(names("t"), ["a/a", "b/b", "a/c"]);
    assert_eq!(names("none"), ["a/a", "b/b"]);
    assert_eq!(names("other"), ["a/a", "b/b"]);
    assert_eq!(names(""), ["a/a", "b/b"]);
}

/// SPEC-047: single values are the target's where it has some; `env` is added, labels and volumes joined, bases and
/// links replaced.
#[test]
fn images_are_joined_key_by_key() {
    let root = "\
image:
  entrypoint: /root
  cmd: root
  env: [A=1, B=1]
  labels: {a: '1', b: '1'}
  volumes: {/a: , /b: }
  working_dir: /root
  stop_signal: SIGTERM
  user: root
  bases: [{rootfs: {image: {ref: root}}}]
  post: {symlinks: {/a: {path: /b}}}
";
    let with = |image: &str| format!("{root}targets: {{t: {{image: {image}}}}}\n");
    for nothing in ["", "{}", "{cmd: , entrypoint: '', env: [], labels: {}, volumes: , bases: , post: }"] {
        assert_eq!(to_yaml(&of_target(&with(nothing))), to_yaml(&resolved(root)), "{nothing}");
    }
    check_target(
        &with(
            "{entrypoint: /t, cmd: t, working_dir: /t, stop_signal: SIGINT, user: t, env: [B=2, C=2], labels: {b: '2', c: '2'}, volumes: {/b: {}, /c: {}}, bases: [{rootfs: {image: {ref: t}}}], post: {symlinks: {/x: {path: /y}}}}",
        ),
        expect![[r#"
            image:
              entrypoint: /t
              cmd: t
              env:
                - A=1
                - B=1
                - B=2
                - C=2
              labels:
                a: "1"
                b: "2"
                c: "2"
              volumes:
                /a: {}
                /b: {}
                /c: {}
              working_dir: /t
              stop_signal: SIGINT
              user: t
              bases:
                - rootfs:
                    image:
                      ref: t
              post:
                symlinks:
                  /x:
                    paths:
                      - /y
        "#]],
    );
    check_target(
        &with("{cmd: t}"),
        expect![[r#"
        image:
          entrypoint: /root
          cmd: t
          env:
            - A=1
            - B=1
          labels:
            a: "1"
            b: "1"
          volumes:
            /a: {}
            /b: {}
          working_dir: /root
          stop_signal: SIGTERM
          user: root
          bases:
            - rootfs:
                image:
                  ref: root
          post:
            symlinks:
              /a:
                paths:
                  - /b
    "#]],
    );
    // Nothing to start from, and no links.
    let spec = of_target(&with("{bases: [], post: {}}"));
    assert!(spec.image.bases.is_empty() && spec.image.symlinks.is_empty());
    // The old form overrides, too.
    assert_eq!(of_target(&with("{base: old}")).image.bases[0].reference(), "old");
}

/// SIGN-001 to SIGN-003, SIGN-010: the target's signer where it has an image, else the root's; nothing is joined.
#[test]
fn signers_are_replaced() {
    let signer = |root: &str, own: &str| {
        let text =
            format!("args: {{K: key}}\npackage_config: {root}\ntargets: {{t: {{package_config: {own}}}}}\n");
        of_target(&text).package_config.signer
    };
    let root = "{signer: {image: root, cmdline: c, args: {A: $K}}}";
    let found = signer(root, "").expect("a signer");
    assert_eq!(
        (found.image.as_str(), found.cmdline.as_str(), found.args["A"].as_str()),
        ("root", "c", "key")
    );
    let found = signer(root, "{signer: {image: own, args: {B: b$K}}}").expect("a signer");
    assert_eq!((found.image.as_str(), found.cmdline.as_str(), found.args.len()), ("own", "", 1));
    assert_eq!(found.args["B"], "bkey");
    for none in ["{}", "{signer: }", "{signer: {}}", "{signer: {args: {A: a}}}", "{signer: {image: ''}}"] {
        assert_eq!(signer(root, none).expect("the root's").image, "root", "{none}");
        assert_eq!(signer(none, none), None, "{none}");
    }
}

/// FE-017: the frontend is the target's own, and none of the root's.
#[test]
fn frontends_belong_to_targets() {
    let text = "targets: {t: {frontend: {image: f, cmdline: c}}, u: {}, v: {frontend: }}\n";
    let raw = load(&SourceText::new("spec.yml", text)).raw.expect("a spec");
    let frontend = raw.frontend("t").expect("a frontend");
    assert_eq!((frontend.image.as_str(), frontend.cmdline.as_str()), ("f", "c"));
    for key in ["u", "v", "w", ""] {
        assert!(raw.frontend(key).is_none(), "{key}");
    }
}
