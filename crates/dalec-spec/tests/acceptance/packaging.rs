//! Dependencies, the build and artifacts: what they resolve to (DEP-001 to DEP-012, BLD-001 to BLD-010, ART-001 to
//! ART-015, as far as they speak of the spec).

use dalec_spec::target_spec::{Artifact, CacheSharing, NetworkMode, SourceKind};

use crate::{check_same, resolved};

/// DEP-001, DEP-002, DEP-003, DEP-004: constraints stay as they are written, in their order; what they mean is the
/// package format's.
#[test]
fn constraints() {
    let spec = resolved(
        "\
args: {V: '1.2'}
dependencies:
  runtime:
    all: {version: ['1.2', '= 1', '== 1', '< 1', '<< 1', '> 1', '>> 1', '<= 1', '>= 1', '>=1', \">= $V\"], arch: [arm64, amd64]}
    none:
    epoch: {version: ['>= 1:2.3~rc1-4+b1']}
",
    );
    let all = &spec.dependencies.runtime["all"];
    assert_eq!(
        all.version,
        ["1.2", "= 1", "== 1", "< 1", "<< 1", "> 1", ">> 1", "<= 1", ">= 1", ">=1", ">= 1.2"]
    );
    assert_eq!(all.arch, ["arm64", "amd64"]);
    assert!(spec.dependencies.runtime["none"].version.is_empty());
    assert_eq!(spec.dependencies.runtime["epoch"].version, [">= 1:2.3~rc1-4+b1"]);
}

/// DEP-006, DEP-007: every list of packages has its place.
#[test]
fn lists_of_packages() {
    let spec = resolved(
        "dependencies: {build: [a], runtime: [b], recommends: [c], sysext: [d], test: [e]}\nprovides: [f]\nreplaces: [g]\nconflicts: [h]\n",
    );
    let lists = [
        &spec.dependencies.build,
        &spec.dependencies.runtime,
        &spec.dependencies.recommends,
        &spec.dependencies.sysext,
        &spec.dependencies.test,
        &spec.provides,
        &spec.replaces,
        &spec.conflicts,
    ];
    let names: Vec<&str> = lists.iter().flat_map(|list| list.keys().map(String::as_str)).collect();
    assert_eq!(names, ["a", "b", "c", "d", "e", "f", "g", "h"]);
    // Names of other package formats.
    for name in
        ["libstdc++6", "python3:any", "perl(Foo::Bar)", "pkgconfig(a)", "/usr/bin/sh", "rpmlib(X) = 1"]
    {
        let text = format!("dependencies: {{runtime: [\"{name}\"]}}\n");
        assert!(resolved(&text).dependencies.runtime.contains_key(name), "{name}");
    }
}

/// DEP-009, DEP-010, DEP-011: repositories keep their order; their files have names.
#[test]
fn repositories() {
    let spec = resolved(
        "\
args: {V: '2'}
dependencies:
  extra_repos:
    - keys: {b.asc: {context: {name: \"keys-$V\"}}, a.asc: {http: {url: \"https://h.example/$V\"}}}
      config: {a.list: {inline: {file: {contents: \"deb $V\"}}}}
      data: [{dest: /opt/two, spec: {context: {}}}, {dest: /opt/one, spec: {context: {}}}]
    - config: {second.repo: {context: {}}}
",
    );
    let [first, second] = &spec.dependencies.extra_repos[..] else { panic!("two repositories") };
    assert_eq!(first.keys.keys().collect::<Vec<_>>(), ["a.asc", "b.asc"]);
    let SourceKind::Http(http) = &first.keys["a.asc"].kind else { panic!("an http source") };
    assert_eq!((http.url.as_str(), http.permissions), ("https://h.example/2", Some(0o644)));
    let data: Vec<&str> = first.data.iter().map(|mount| mount.dest.as_str()).collect();
    assert_eq!(data, ["/opt/two", "/opt/one"]);
    assert!(second.config.contains_key("second.repo"));
}

/// BLD-001, BLD-002, BLD-005: steps in their order, the environment of all and of one; no build is a build without steps.
#[test]
fn steps() {
    let spec = resolved(
        "\
args: {V: '2'}
build:
  env: {A: \"$V\", PWD_LATER: \"\\\\$PWD\"}
  steps:
    - command: second $V
      env: {A: \"step $V\"}
    - command: |
        first
        'quoted' \\$
",
    );
    assert_eq!((spec.build.env["A"].as_str(), spec.build.env["PWD_LATER"].as_str()), ("2", "$PWD"));
    assert_eq!(spec.build.steps[0].command, "second $V");
    assert_eq!(spec.build.steps[0].env["A"], "step 2");
    assert_eq!(spec.build.steps[1].command, "first\n'quoted' \\$\n");
    let spec = resolved("sources: {a: {context: {}}}\n");
    assert!(spec.build.steps.is_empty() && spec.build.env.is_empty() && spec.build.caches.is_empty());
}

/// BLD-004: no network unless asked for.
#[test]
fn network() {
    for (written, mode) in
        [("", NetworkMode::None), ("none", NetworkMode::None), ("sandbox", NetworkMode::Sandbox)]
    {
        let spec = resolved(&format!("build: {{network_mode: {written}, steps: [{{command: a}}]}}\n"));
        assert_eq!(spec.build.network_mode, mode, "{written}");
    }
}

/// BLD-006, BLD-007, BLD-008, BLD-009, BLD-010: every setting of the caches, in their order.
#[test]
fn caches() {
    let spec = resolved(
        "\
build:
  caches:
    - dir: {dest: /a}
    - dir: {dest: /b, key: k, sharing: locked, no_auto_namespace: true}
    - dir: {dest: /c, sharing: private}
    - gobuild: {scope: g, disabled: true}
    - rustsccache: {scope: r}
    - bazel: {scope: b}
  steps: [{command: a}]
",
    );
    let dirs: Vec<_> = spec.build.caches.iter().filter_map(|cache| cache.dir.as_ref()).collect();
    assert_eq!(
        (dirs[0].dest.as_str(), dirs[0].key.as_str(), dirs[0].sharing),
        ("/a", "", CacheSharing::Shared)
    );
    assert_eq!(
        (dirs[1].key.as_str(), dirs[1].sharing, dirs[1].no_auto_namespace),
        ("k", CacheSharing::Locked, true)
    );
    assert_eq!(dirs[2].sharing, CacheSharing::Private);
    let gobuild = spec.build.caches[3].gobuild.as_ref().expect("a Go cache");
    assert_eq!((gobuild.scope.as_str(), gobuild.disabled), ("g", true));
    assert_eq!(spec.build.caches[4].rustsccache.as_ref().map(|cache| cache.scope.as_str()), Some("r"));
    assert_eq!(spec.build.caches[5].bazel.as_ref().map(|cache| cache.scope.as_str()), Some("b"));
}

/// ART-001, ART-002, ART-003, ART-004, ART-006, ART-007, ART-008, ART-010, ART-013: every kind of artifact takes every
/// setting but capabilities; nothing written is nothing changed.
#[test]
fn artifacts_of_every_kind() {
    for kind in [
        "binaries",
        "libexec",
        "opt",
        "manpages",
        "data_dirs",
        "configFiles",
        "docs",
        "licenses",
        "libs",
        "headers",
    ] {
        let spec = resolved(&format!(
            "artifacts: {{{kind}: {{all/*: {{name: n, subpath: s/t, permissions: 0640, user: u, group: g}}, /abs: , 'with blank': {{}}}}}}\n"
        ));
        let artifacts = &spec.artifacts;
        let files = match kind {
            "binaries" => &artifacts.binaries,
            "libexec" => &artifacts.libexec,
            "opt" => &artifacts.opt,
            "manpages" => &artifacts.manpages,
            "data_dirs" => &artifacts.data_dirs,
            "configFiles" => &artifacts.config_files,
            "docs" => &artifacts.docs,
            "licenses" => &artifacts.licenses,
            "libs" => &artifacts.libs,
            _ => &artifacts.headers,
        };
        assert_eq!(files.keys().collect::<Vec<_>>(), ["/abs", "all/*", "with blank"], "{kind}");
        let all = &files["all/*"];
        assert_eq!(
            (all.name.as_str(), all.subpath.as_str(), all.permissions, all.user.as_str(), all.group.as_str()),
            ("n", "s/t", Some(0o640), "u", "g"),
            "{kind}"
        );
        let plain = Artifact { span: files["/abs"].span, ..Artifact::default() };
        assert_eq!(files["/abs"], plain, "{kind}");
    }
}

/// ART-005, ART-009, ART-010, ART-011, ART-012, ART-014, ART-015: what else a package holds.
#[test]
fn other_artifacts() {
    let spec = resolved(
        "\
artifacts:
  createDirectories:
    config: {a/b: {mode: 01777, user: u, group: '12'}, c: }
    state: {d: {}}
  links: [{source: /a, dest: /b, user: u, group: g}, {source: rel, dest: c}]
  users: [{name: u}, {name: _v-w.x}]
  groups: [{name: g}]
  binaries: {t: {linux_capabilities: [{name: cap_a, effective: true, permitted: true, inheritable: true}, {name: cap_b}]}}
  systemd:
    units: {a.service: {name: b.service, enable: true, start: false}, c.timer: }
    dropins: {d.conf: {unit: e.service, name: f.conf}}
  disable_strip: true
  disable_auto_requires: true
",
    )
    .artifacts;
    let config = &spec.directories.config["a/b"];
    assert_eq!((config.mode, config.user.as_str(), config.group.as_str()), (Some(0o1777), "u", "12"));
    assert_eq!((spec.directories.config["c"].mode, spec.directories.state["d"].mode), (None, None));
    assert_eq!(
        (spec.links[0].source.as_str(), spec.links[0].dest.as_str(), spec.links[0].user.as_str()),
        ("/a", "/b", "u")
    );
    assert_eq!((spec.links[1].source.as_str(), spec.links[1].group.as_str()), ("rel", ""));
    assert_eq!((spec.users.join(" "), spec.groups.join(" ")), ("u _v-w.x".to_owned(), "g".to_owned()));
    let [first, second] = &spec.binaries["t"].capabilities[..] else { panic!("two capabilities") };
    assert_eq!(
        (first.name.as_str(), first.effective, first.permitted, first.inheritable),
        ("cap_a", true, true, true)
    );
    assert_eq!(
        (second.name.as_str(), second.effective, second.permitted, second.inheritable),
        ("cap_b", false, false, false)
    );
    let unit = &spec.systemd.units["a.service"];
    assert_eq!((unit.name.as_str(), unit.enable, unit.start), ("b.service", true, Some(false)));
    let unit = &spec.systemd.units["c.timer"];
    assert_eq!((unit.name.as_str(), unit.enable, unit.start), ("", false, None));
    let dropin = &spec.systemd.dropins["d.conf"];
    assert_eq!((dropin.name.as_str(), dropin.unit.as_str()), ("f.conf", "e.service"));
    assert!(spec.disable_strip && spec.disable_auto_requires);
}

/// ART-016: modes of inline sources are there for whoever packages them.
#[test]
fn modes_of_inline_sources() {
    check_same(
        "sources: {a: {inline: {file: {contents: x}}}}\nartifacts: {binaries: {a: }}\n",
        "sources: {a: {inline: {file: {contents: x, permissions: 0644}}}}\nartifacts: {binaries: {a: {}}}\n",
    );
}
