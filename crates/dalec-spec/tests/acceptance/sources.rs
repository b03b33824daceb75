//! Sources: what each kind and each generator resolves to (SRC-001 to SRC-034, as far as they speak of the spec).

use dalec_spec::target_spec::{BuildSource, GitSource, HttpSource, ImageCommand, Inline, Source, SourceKind};
use dalec_spec::{ResolveOptions, codes};

use crate::{Outcome, resolved};

/// Returns the source called `a` of a spec with `source` as its value.
#[track_caller]
fn source(source: &str) -> Source {
    let mut spec = resolved(&format!("args: {{HOST: git.example, V: '2'}}\nsources: {{a: {source}}}\n"));
    spec.sources.remove("a").expect("a source")
}

#[track_caller]
fn git(git: &str) -> GitSource {
    match source(&format!("{{git: {git}}}")).kind {
        SourceKind::Git(git) => git,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn http(http: &str) -> HttpSource {
    match source(&format!("{{http: {http}}}")).kind {
        SourceKind::Http(http) => http,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn command(cmd: &str) -> ImageCommand {
    match source(&format!("{{path: /out, image: {{ref: r, cmd: {cmd}}}}}")).kind {
        SourceKind::Image(image) => image.command.expect("commands"),
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn build(build: &str) -> BuildSource {
    match source(&format!("{{build: {build}}}")).kind {
        SourceKind::Build(build) => build,
        other => panic!("{other:?}"),
    }
}

/// SRC-001: what git addresses there are. Upstream takes a host with a path for https, and so do we.
#[test]
fn git_addresses() {
    for (written, url) in [
        ("https://git.example/team/tool.git", "https://git.example/team/tool.git"),
        ("http://git.example:8080/tool", "http://git.example:8080/tool"),
        ("ssh://git@git.example/tool", "ssh://git@git.example/tool"),
        ("git://git.example/tool", "git://git.example/tool"),
        ("git@git.example:team/tool.git", "git@git.example:team/tool.git"),
        ("git.example/team/tool.git", "https://git.example/team/tool.git"),
        ("git.example:8443/tool", "https://git.example:8443/tool"),
        ("${HOST}/team/tool.git", "https://git.example/team/tool.git"),
    ] {
        assert_eq!(git(&format!("{{url: \"{written}\", commit: main}}")).url, url, "{written}");
    }
}

/// SRC-001: commit, checksum and `.git`.
#[test]
fn git_commits() {
    let found = git("{url: 'https://h.example/a', commit: v$V, checksum: 3f786850e3, keepGitDir: true}");
    assert_eq!(
        (found.commit.as_str(), found.checksum.as_str(), found.keep_git_dir),
        ("v2", "3f786850e3", true)
    );
    let found = git("{url: 'https://h.example/a', commit: refs/heads/main}");
    assert_eq!(
        (found.commit.as_str(), found.checksum.as_str(), found.keep_git_dir),
        ("refs/heads/main", "", false)
    );
}

/// SRC-002: credentials are names of secrets and sockets; nothing written leaves the choice to the engine.
#[test]
fn git_credentials() {
    let auth = |auth: &str| git(&format!("{{url: 'https://h.example/a', commit: c, auth: {auth}}}")).auth;
    let all = auth("{header: H, token: T, ssh: S}");
    assert_eq!((all.header.as_str(), all.token.as_str(), all.ssh.as_str()), ("H", "T", "S"));
    for nothing in ["", "{}", "{header: , token: '', ssh: ~}"] {
        assert_eq!(auth(nothing), Default::default(), "{nothing}");
    }
}

/// SRC-003: address, digest and permissions of a download.
#[test]
fn downloads() {
    let digest = format!("sha256:{}", "0".repeat(64));
    let found = http(&format!("{{url: 'https://h.example/a-$V', digest: '{digest}', permissions: 0755}}"));
    assert_eq!(
        (found.url.as_str(), found.digest.as_str(), found.permissions),
        ("https://h.example/a-2", digest.as_str(), Some(0o755))
    );
    let found = http("{url: 'https://h.example/a'}");
    assert_eq!((found.digest.as_str(), found.permissions), ("", None));
    // Without a digest the content is anybody's; lint says so.
    let text = "sources: {a: {http: {url: 'https://h.example/a'}}}\n";
    let outcome = Outcome::of(text, &ResolveOptions::default());
    let raw = dalec_spec::load(&outcome.source).raw.expect("a spec");
    let doubts: Vec<&str> = raw.lint(&ResolveOptions::default()).iter().map(|doubt| doubt.code).collect();
    assert_eq!(doubts, [codes::MISSING_DIGEST]);
}

/// Returns the codes and places of what lint finds in `text`.
#[track_caller]
fn linted(text: &str) -> Vec<(&'static str, String)> {
    let outcome = Outcome::of(text, &ResolveOptions::default());
    let raw = dalec_spec::load(&outcome.source).raw.expect("a spec");
    let place =
        |span: Option<dalec_spec::span::Span>| span.map_or("", |span| outcome.source.slice(span)).to_owned();
    let found = raw.lint(&ResolveOptions::default());
    found.iter().map(|finding| (finding.code, place(finding.span))).collect()
}

/// SPEC-038: keys of repositories are readable whatever is written, as they are upstream; lint says so.
#[test]
fn permissions_of_repository_keys() {
    for (permissions, expected) in
        [("0600", Some((codes::NO_EFFECT, "0600".to_owned()))), ("0644", None), ("", None)]
    {
        let key = format!("{{http: {{url: 'https://h.example/k', permissions: {permissions}}}}}");
        let text = format!("dependencies: {{extra_repos: [{{keys: {{k.asc: {key}}}}}]}}\n");
        assert_eq!(linted(&text), Vec::from_iter(expected), "{text}");
        let spec = resolved(&text);
        let repository = spec.dependencies.extra_repos.first().expect("a repository");
        match &repository.keys["k.asc"].kind {
            SourceKind::Http(http) => assert_eq!(http.permissions, Some(0o644)),
            other => panic!("{other:?}"),
        }
    }
}

/// SRC-002: only the key itself needs no digest, not what is mounted to make it.
#[test]
fn digests_below_repository_keys() {
    let key = |key: &str| format!("dependencies: {{extra_repos: [{{keys: {{k.asc: {key}}}}}]}}\n");
    let http = "{http: {url: 'https://h.example/k'}}";
    assert_eq!(linted(&key(http)), []);
    let command = format!("{{steps: [{{command: c}}], mounts: [{{dest: /d, spec: {http}}}]}}");
    let image = format!("{{path: /k, image: {{ref: 'r@sha256:{}', cmd: {command}}}}}", "0".repeat(64));
    let codes: Vec<&str> = linted(&key(&image)).iter().map(|(code, _)| *code).collect();
    assert_eq!(codes, [codes::MISSING_DIGEST]);
}

/// SRC-004: the main context, or one by name.
#[test]
fn contexts() {
    for (written, name) in [
        ("{}", "context"),
        ("{name: }", "context"),
        ("{name: context}", "context"),
        ("{name: \"tree-$V\"}", "tree-2"),
    ] {
        match source(&format!("{{context: {written}}}")).kind {
            SourceKind::Context(context) => assert_eq!(context.name, name, "{written}"),
            other => panic!("{other:?}"),
        }
    }
}

/// SRC-005: files and directories that are written in the spec; their text is literal.
#[test]
fn inline_files() {
    let SourceKind::Inline(Inline::File(file)) =
        source("{inline: {file: {contents: \"$V 'x' \\\\\", permissions: 0600, uid: 1, gid: 2}}}").kind
    else {
        panic!("an inline file")
    };
    assert_eq!((file.contents.as_str(), file.permissions, file.uid, file.gid), (r"$V 'x' \", 0o600, 1, 2));
    let SourceKind::Inline(Inline::Dir(dir)) = source(
        "{path: b, inline: {dir: {permissions: 0700, uid: 3, gid: 4, files: {b: {contents: b}, a: , c: {uid: 5}}}}}",
    )
    .kind
    else {
        panic!("an inline directory")
    };
    assert_eq!((dir.permissions, dir.uid, dir.gid), (0o700, 3, 4));
    let files: Vec<(&str, &str, u32, u32)> = dir
        .files
        .iter()
        .map(|(name, file)| (name.as_str(), file.contents.as_str(), file.permissions, file.uid))
        .collect();
    assert_eq!(files, [("a", "", 0o644, 0), ("b", "b", 0o644, 0), ("c", "", 0o644, 5)]);
}

/// SRC-006, SRC-007: an image, and the commands that run in it.
#[test]
fn images() {
    let plain = source("{path: /etc, image: {ref: \"r:$V\"}}");
    assert_eq!(plain.path, "/etc");
    let SourceKind::Image(image) = plain.kind else { panic!("an image source") };
    assert_eq!((image.reference.as_str(), image.command), ("r:2", None));
    let found = command(
        "{dir: /w$V, env: {A: \"$V\", B: b}, mounts: [{dest: /in, spec: {context: {}}}],
          steps: [{command: \"make $V\"}, {command: make install, env: {B: step}, mounts: [{dest: /two, spec: {context: {name: two}}}]}]}",
    );
    assert_eq!(found.dir, "/w$V");
    assert_eq!((found.env["A"].as_str(), found.env["B"].as_str()), ("2", "b"));
    assert_eq!(found.mounts[0].dest, "/in");
    assert_eq!((found.steps[0].command.as_str(), found.steps[0].env.len()), ("make $V", 0));
    assert_eq!((found.steps[1].env["B"].as_str(), found.steps[1].mounts[0].dest.as_str()), ("step", "/two"));
}

/// SRC-010, SRC-011, SRC-012: what a Dockerfile is given, and that it may be written in the spec.
#[test]
fn dockerfiles() {
    let found =
        build("{source: {context: {}}, dockerfile_path: \"d/$V\", target: \"s$V\", args: {A: '1', B: }}");
    assert_eq!((found.dockerfile_path.as_str(), found.target.as_str()), ("d/2", "s2"));
    assert_eq!((found.args["A"].as_str(), found.args["B"].as_str()), ("1", ""));
    let found = build("{source: {inline: {file: {contents: FROM scratch}}}}");
    assert!(!found.source.is_dir());
    assert_eq!(
        (found.dockerfile_path.as_str(), found.target.as_str(), found.args.len()),
        ("Dockerfile", "", 0)
    );
    for kind in [
        "git: {url: 'https://h.example/a', commit: c}",
        "http: {url: 'https://h.example/a'}",
        "image: {ref: r}, path: /",
    ] {
        build(&format!("{{source: {{{kind}}}}}"));
    }
}

/// SRC-013: which part is taken, expanded, in the order written.
#[test]
fn parts() {
    let found =
        source("{context: {}, path: \"d/$V\", includes: [\"*.$V\", b, a], excludes: [\"!$V\", '**/x']}");
    assert_eq!(found.path, "d/2");
    assert_eq!(found.includes, ["*.2", "b", "a"]);
    assert_eq!(found.excludes, ["!2", "**/x"]);
}

/// SRC-014: what is a directory, and what is one file.
#[test]
fn directories_and_files() {
    for (text, is_dir) in [
        ("{git: {url: 'https://h.example/a', commit: c}}", true),
        ("{git: {url: 'https://h.example/a', commit: c}, path: one/file}", true),
        ("{image: {ref: r}, path: /etc/passwd}", true),
        ("{context: {}}", true),
        ("{build: {source: {context: {}}}}", true),
        ("{inline: {dir: {}}}", true),
        ("{http: {url: 'https://h.example/a.tar.gz'}}", false),
        ("{inline: {file: {}}}", false),
    ] {
        assert_eq!(source(text).is_dir(), is_dir, "{text}");
    }
}

/// SRC-017: patches in the order written, from files and from files in directories.
#[test]
fn patches() {
    let spec = resolved(
        "\
args: {V: '2'}
sources: {src: {context: {}}, fix: {inline: {file: {}}}, fixes: {context: {name: fixes}}}
patches: {src: [{source: fixes, path: \"b-$V.patch\", strip: 0}, {source: fix}, {source: fixes, path: a.patch}]}
",
    );
    let patches: Vec<(&str, &str, u32)> = spec.patches["src"]
        .iter()
        .map(|patch| (patch.source.as_str(), patch.path.as_str(), patch.strip))
        .collect();
    assert_eq!(patches, [("fixes", "b-2.patch", 0), ("fix", "", 1), ("fixes", "a.patch", 1)]);
}

/// SRC-020, SRC-025, SRC-027, SRC-028, SRC-030: every setting of the generators; several of one kind stay apart.
#[test]
fn generators() {
    let found = source(
        "{context: {}, generate: [
          {subpath: s, gomod: {paths: [., b], edits: {replace: ['a => b@v1', {old: c, new: ./d}], drop: [e]}}},
          {gomod: {}},
          {cargohome: {paths: [c]}},
          {pip: {paths: [p], requirements_file: r.txt, index_url: 'https://h.example/i', extra_index_urls: ['https://h.example/e']}},
          {nodemod: {paths: [w], registry: 'https://h.example/n'}},
        ]}",
    )
    .generate;
    assert_eq!(found.len(), 5);
    let gomod = found[0].gomod.as_ref().expect("gomod");
    assert_eq!((found[0].subpath.as_str(), gomod.paths.join(" ").as_str()), ("s", ". b"));
    let edits = gomod.edits.as_ref().expect("edits");
    let replace: Vec<(&str, &str)> =
        edits.replace.iter().map(|pair| (pair.old.as_str(), pair.new.as_str())).collect();
    assert_eq!((replace, edits.drop.join(" ")), (vec![("a", "b@v1"), ("c", "./d")], "e".to_owned()));
    assert!(found[1].gomod.as_ref().expect("gomod").edits.is_none());
    assert_eq!(found[2].cargohome.as_ref().expect("cargohome").paths, ["c"]);
    let pip = found[3].pip.as_ref().expect("pip");
    assert_eq!(
        (pip.requirements_file.as_str(), pip.index_url.as_str(), pip.extra_index_urls.join(" ").as_str()),
        ("r.txt", "https://h.example/i", "https://h.example/e")
    );
    let nodemod = found[4].nodemod.as_ref().expect("nodemod");
    assert_eq!((nodemod.paths.join(" ").as_str(), nodemod.registry.as_str()), ("w", "https://h.example/n"));
}

/// SRC-023: credentials per host, with arguments in the host and the user that git servers know.
#[test]
fn module_credentials() {
    let found = source(
        "{context: {}, generate: [{gomod: {auth: {\"${HOST}:8443\": {token: T}, b.example: {header: H}, c.example: {ssh: {id: S}}, d.example: {ssh: {username: me}}}}}]}",
    );
    let auth = &found.generate[0].gomod.as_ref().expect("gomod").auth;
    assert_eq!(auth["git.example:8443"].token, "T");
    assert_eq!(auth["b.example"].header, "H");
    let ssh = |host: &str| auth[host].ssh.as_ref().expect("ssh").clone();
    assert_eq!((ssh("c.example").id.as_str(), ssh("c.example").username.as_str()), ("S", "git"));
    assert_eq!((ssh("d.example").id.as_str(), ssh("d.example").username.as_str()), ("", "me"));
}
