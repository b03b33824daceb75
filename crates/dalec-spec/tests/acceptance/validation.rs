//! What is refused (SPEC-025 to SPEC-039).
//!
//! The corpus of broken specs shows the words for each mistake; here is where the lines between right and wrong are.

use dalec_spec::{ResolveOptions, SourceText, UnknownArgs, codes};

use crate::{Outcome, check_refused, resolved, resolved_with, target};

const DIGITS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// Checks that `text` has no findings that stop it.
#[track_caller]
fn check_taken(text: &str) {
    resolved(text);
}

/// Checks that `text` is refused with one finding.
#[track_caller]
fn check_one(text: &str, code: &str) {
    let outcome = Outcome::of(text, &ResolveOptions::default());
    let codes: Vec<&str> = outcome.found.iter().map(|finding| finding.code).collect();
    assert_eq!(codes, [code], "{}", outcome.show());
}

/// Every place of the language where a source can stand, with `{}` for the source.
const PLACES: &[&str] = &[
    "sources: {a: {}}\n",
    "sources: {a: {build: {source: {}}}}\n",
    "sources: {a: {path: /o, image: {ref: r, cmd: {steps: [{command: c}], mounts: [{dest: /d, spec: {}}]}}}}\n",
    "sources: {a: {path: /o, image: {ref: r, cmd: {steps: [{command: c, mounts: [{dest: /d, spec: {}}]}]}}}}\n",
    "build: {steps: [{command: c, mounts: [{dest: /d, spec: {}}]}]}\n",
    "tests: [{files: {/f: }, mounts: [{dest: /d, spec: {}}]}]\n",
    "dependencies: {extra_repos: [{keys: {a: {}}}]}\n",
    "dependencies: {extra_repos: [{config: {a: {}}}]}\n",
    "dependencies: {extra_repos: [{data: [{dest: /d, spec: {}}]}]}\n",
    "targets: {t: {tests: [{files: {/f: }, mounts: [{dest: /d, spec: {}}]}]}}\n",
    "targets: {t: {dependencies: {extra_repos: [{config: {a: {}}}]}}}\n",
];

/// SPEC-025, SPEC-038, TEST-016: a source has one kind, wherever it stands.
#[test]
fn sources_are_checked_everywhere() {
    for place in PLACES {
        let with = |source: &str| place.replacen("{}", source, 1);
        check_taken(&with("{context: {}}"));
        check_taken(&with(&format!("{{http: {{url: 'https://h.example/a', digest: 'sha256:{DIGITS}'}}}}")));
        for nothing in ["{}", "", "{path: a}", "{context: }", "{git: , http: ~}"] {
            check_one(&with(nothing), codes::MISSING_KEY);
        }
        check_one(&with("{context: {}, inline: {file: {contents: a}}}"), codes::CONFLICTING_KEYS);
        check_one(&with("{git: {url: 'https://h.example/a'}}"), codes::MISSING_KEY);
        check_one(&with("{http: {url: 'https://h.example/a'}, path: b}"), codes::CONFLICTING_KEYS);
        check_one(&with("{inline: {}}"), codes::MISSING_KEY);
        check_one(&with("{image: {ref: a}}"), codes::MISSING_KEY);
        check_one(&with("{contxt: {}}"), codes::UNKNOWN_KEY);
        check_one(&with("text"), codes::WRONG_TYPE);
    }
    // A build source in a build source is refused; anywhere else it is as good as others.
    for place in PLACES {
        let nested = place.contains("build: {source");
        let text = place.replacen("{}", "{build: {source: {context: {}}}}", 1);
        if nested { check_one(&text, codes::CONFLICTING_KEYS) } else { check_taken(&text) }
    }
}

/// SPEC-026: the name of a source is the name of a file.
#[test]
fn source_names_are_file_names() {
    for name in ["a", "a.tar.gz", "A b", "ü", "...", ".hidden", "a-b_c+d", "1"] {
        check_taken(&format!("sources: {{\"{name}\": {{context: {{}}}}}}\n"));
    }
    for name in ["a/b", "/", ".", "..", "", "-a", "a\\nb"] {
        check_one(&format!("sources: {{\"{name}\": {{context: {{}}}}}}\n"), codes::INVALID_VALUE);
    }
}

/// SPEC-027: what is missing of a git source is said at once.
#[test]
fn git_needs_an_address_and_a_commit() {
    for (git, count) in [
        ("{}", 2),
        ("{url: }", 2),
        ("{url: 'https://h.example/a'}", 1),
        ("{commit: main}", 1),
        ("{url: 'https://h.example/a', commit: ''}", 1),
    ] {
        let outcome = Outcome::of(&format!("sources: {{a: {{git: {git}}}}}\n"), &ResolveOptions::default());
        let codes: Vec<&str> = outcome.found.iter().map(|finding| finding.code).collect();
        assert_eq!(codes, vec![codes::MISSING_KEY; count], "{}", outcome.show());
    }
}

/// SPEC-027: what is needed is still needed when its arguments are expanded; upstream does not look again.
#[test]
fn what_is_needed_may_not_expand_to_nothing() {
    for (source, places) in [
        ("{git: {url: '$E', commit: '${E}'}}", &["'$E'", "'${E}'"][..]),
        ("{http: {url: '${E}'}}", &["'${E}'"]),
        ("{image: {ref: '${E}'}, path: /}", &["'${E}'"]),
        ("{image: {ref: r}, path: '$E'}", &["'$E'"]),
        (
            "{git: {url: h.example/a, commit: c}, generate: [{gomod: {auth: {'${E}': {token: T}}}}]}",
            &["'${E}'"],
        ),
    ] {
        let expected: Vec<(&str, &str)> = places.iter().map(|place| (codes::MISSING_KEY, *place)).collect();
        let text = format!("args: {{E: }}\nsources: {{a: {source}}}\n");
        check_refused(&text, &expected);
        // Routing does not know yet what the argument is in the end.
        let routing = ResolveOptions { unknown_args: UnknownArgs::Allow, ..ResolveOptions::default() };
        let outcome = Outcome::of(&text, &routing);
        assert!(outcome.spec.is_some() && outcome.found.is_empty(), "{}", outcome.show());
    }
    // Lint is not given what every build is.
    let source =
        SourceText::new("spec.yml", "args: {E: }\nsources: {a: {git: {url: h.example/a, commit: $E}}}\n");
    assert_eq!(dalec_spec::check(&source, &ResolveOptions::default(), &[]), []);
    // What could not be expanded is not missing.
    check_refused("sources: {a: {http: {url: '${URL'}}}\n", &[(codes::SUBSTITUTION_SYNTAX, "${URL")]);
    check_taken("args: {E: }\nsources: {a: {context: {name: '$E'}}}\n");
}

/// SPEC-029, SPEC-037: a base image is taken as a whole; what is mounted into it while its commands run is not.
#[test]
fn only_the_base_image_itself_needs_no_path() {
    let base = |mounted: &str| {
        let command = format!("{{steps: [{{command: c}}], mounts: [{{dest: /d, spec: {mounted}}}]}}");
        format!("image: {{bases: [{{rootfs: {{image: {{ref: r, cmd: {command}}}}}}}]}}\n")
    };
    check_taken(&base("{image: {ref: s}, path: /s}"));
    check_refused(&base("{image: {ref: s}}"), &[(codes::MISSING_KEY, "image: {ref: s}")]);
}

/// What holds for a path holds for what its arguments make of it.
#[test]
fn paths_are_checked_after_expansion() {
    let image = |path: &str, dest: &str| {
        let mount = format!("{{dest: {dest}, spec: {{context: {{}}}}}}");
        format!(
            "args: {{P: /out, E: }}\nsources:\n  a: {{path: {path}, image: {{ref: r, cmd: {{mounts: [{mount}], \
             steps: [{{command: c}}]}}}}}}\n"
        )
    };
    check_refused(&image("$P", "/out/x"), &[(codes::CONFLICTING_KEYS, "/out/x")]);
    check_refused(&image("$P/x", "/out/x"), &[(codes::CONFLICTING_KEYS, "/out/x")]);
    check_refused(&image("/out", "/out/x"), &[(codes::CONFLICTING_KEYS, "/out/x")]);
    check_taken(&image("$P", "/outer"));
    check_taken(&image("$P/y", "/out/x"));

    let patch = |source: &str| {
        format!(
            "args: {{E: , F: f.patch}}\nsources: {{a: {{context: {{}}}}}}\n\
             patches: {{a: [{{source: a, path: {source}}}]}}\n"
        )
    };
    check_refused(&patch("$E"), &[(codes::MISSING_KEY, "$E")]);
    check_taken(&patch("$F"));
}

/// SPEC-028: digests of three algorithms, in lower case; addresses of http alone.
#[test]
fn http_digests_and_addresses() {
    let http =
        |url: &str, digest: &str| format!("sources: {{a: {{http: {{url: '{url}', digest: '{digest}'}}}}}}\n");
    let url = "https://h.example/a";
    for digest in [
        String::new(),
        format!("sha256:{DIGITS}"),
        format!("sha384:{DIGITS}{}", &DIGITS[..32]),
        format!("sha512:{DIGITS}{DIGITS}"),
    ] {
        check_taken(&http(url, &digest));
    }
    for digest in [
        DIGITS.to_owned(),
        format!("sha256:{}", &DIGITS[1..]),
        format!("sha256:{DIGITS}0"),
        format!("sha256:{}A", &DIGITS[1..]),
        format!("sha256:{}g", &DIGITS[1..]),
        format!("SHA256:{DIGITS}"),
        format!("sha512:{DIGITS}"),
        "md5:d41d8cd98f00b204e9800998ecf8427e".to_owned(),
        "sha256:".to_owned(),
        ":".to_owned(),
    ] {
        check_one(&http(url, &digest), codes::INVALID_VALUE);
    }
    for url in ["http://h.example", "https://user:pw@h.example:8443/a?b=c#d", "https://[::1]/a"] {
        check_taken(&http(url, ""));
    }
    for url in [
        "ftp://h.example/a",
        "h.example/a",
        "https://",
        "file:///a",
        "https://h.example/a b",
        "//h.example/a",
    ] {
        check_one(&http(url, ""), codes::INVALID_VALUE);
    }
    for part in ["path: b", "includes: [b]", "excludes: [b]"] {
        check_one(&format!("sources: {{a: {{http: {{url: '{url}'}}, {part}}}}}\n"), codes::CONFLICTING_KEYS);
    }
    // Nothing selects nothing.
    check_taken(&format!("sources: {{a: {{http: {{url: '{url}'}}, path: '', includes: [], excludes: }}}}\n"));
}

/// SPEC-029, SRC-009: an image source says what is taken of the image, and nothing is mounted there.
#[test]
fn images_say_what_is_taken() {
    let image =
        |path: &str, cmd: &str| format!("sources: {{a: {{path: {path}, image: {{ref: r, cmd: {cmd}}}}}}}\n");
    for path in ["/", "/out", "out", "/a/../b"] {
        check_taken(&image(path, "{steps: [{command: c}]}"));
        check_taken(&image(path, ""));
    }
    check_one(&image("", ""), codes::MISSING_KEY);
    for cmd in [
        "{}",
        "{dir: /}",
        "{steps: }",
        "{steps: []}",
        "{steps: [{}]}",
        "{steps: [{command: }]}",
        "{steps: [{command: ' '}]}",
    ] {
        check_one(&image("/out", cmd), codes::MISSING_KEY);
    }
    let mounts = |path: &str, dests: &str, step_dests: &str| {
        let list = |dests: &str| {
            let mount = |dest: &str| format!("{{dest: {dest}, spec: {{context: {{}}}}}}");
            dests.split_whitespace().map(mount).collect::<Vec<_>>().join(", ")
        };
        image(
            path,
            &format!(
                "{{mounts: [{}], steps: [{{command: c, mounts: [{}]}}]}}",
                list(dests),
                list(step_dests)
            ),
        )
    };
    check_taken(&mounts("/out", "/in /in/deeper /outer", "/out-of-it /in2"));
    // All of the image takes what the first step leaves, so mounts are no part of it.
    check_taken(&mounts("/", "/in", "/more"));
    for dests in ["/", "//", "/.", "relative", "/a/../b"] {
        check_one(&mounts("/out", dests, ""), codes::INVALID_VALUE);
        check_one(&mounts("/out", "", dests), codes::INVALID_VALUE);
    }
    for (path, dest) in [
        ("/out", "/out"),
        ("/out", "/out/a"),
        ("/out/", "/out"),
        ("/out", "/out/"),
        ("out", "/out/a"),
        ("./a/../out", "/out//a"),
        ("/out", "/./out"),
    ] {
        check_one(&mounts(path, dest, ""), codes::CONFLICTING_KEYS);
        check_one(&mounts(path, "", dest), codes::CONFLICTING_KEYS);
    }
    check_one(&mounts("/out", "/in /in", ""), codes::CONFLICTING_KEYS);
    check_one(&mounts("/out", "", "/in /in/"), codes::CONFLICTING_KEYS);
    // One mount for all steps and another for one of them is up to the author.
    check_taken(&mounts("/out", "/in", "/in"));
}

/// SPEC-030: an inline source is one file, or one flat directory.
#[test]
fn inline_sources() {
    let inline = |inline: &str, beside: &str| format!("sources: {{a: {{inline: {inline}{beside}}}}}\n");
    for text in [
        "{file: {}}",
        "{file: {contents: }}",
        "{dir: {}}",
        "{dir: {files: }}",
        "{dir: {files: {a: }}}",
        "{file: {}, dir: }",
    ] {
        check_taken(&inline(text, ""));
    }
    for text in ["{}", "", "{file: }", "{file: , dir: ~}"] {
        check_one(&inline(text, ""), codes::MISSING_KEY);
    }
    check_one(&inline("{file: {}, dir: {}}", ""), codes::CONFLICTING_KEYS);
    for part in ["path: a", "includes: [a]", "excludes: [a]"] {
        check_one(&inline("{file: {}}", &format!(", {part}")), codes::CONFLICTING_KEYS);
        check_taken(&inline("{dir: {files: {a: }}}", &format!(", {part}")));
    }
    for owner in ["uid", "gid"] {
        for (number, is_taken) in
            [("0", true), ("65534", true), ("4294967295", true), ("-1", false), ("4294967296", false)]
        {
            for text in [
                format!("{{file: {{{owner}: {number}}}}}"),
                format!("{{dir: {{{owner}: {number}}}}}"),
                format!("{{dir: {{files: {{f: {{{owner}: {number}}}}}}}}}"),
            ] {
                let text = inline(&text, "");
                if is_taken { check_taken(&text) } else { check_one(&text, codes::INVALID_VALUE) }
            }
        }
    }
    for name in ["a/b", "..", ".", ""] {
        check_one(&inline(&format!("{{dir: {{files: {{\"{name}\": }}}}}}"), ""), codes::INVALID_VALUE);
    }
}

/// SPEC-031: a patch comes from a source that is there: the file itself, or one named by `path`.
#[test]
fn patches_come_from_sources() {
    let patch = |patched: &str, patch: &str| {
        format!(
            "sources:\n  dir: {{inline: {{dir: {{}}}}}}\n  git: {{git: {{url: 'https://h.example/a', commit: c}}}}\n  context: {{context: {{}}}}\n  image: {{image: {{ref: r}}, path: /}}\n  build: {{build: {{source: {{context: {{}}}}}}}}\n  file: {{inline: {{file: {{}}}}}}\n  http: {{http: {{url: 'https://h.example/a'}}}}\npatches: {{{patched}: [{patch}]}}\n"
        )
    };
    for source in ["dir", "git", "context", "image", "build"] {
        check_taken(&patch("git", &format!("{{source: {source}, path: a/b.patch}}")));
        check_one(&patch("git", &format!("{{source: {source}}}")), codes::MISSING_KEY);
    }
    for source in ["file", "http"] {
        check_taken(&patch("git", &format!("{{source: {source}}}")));
        check_one(&patch("git", &format!("{{source: {source}, path: a}}")), codes::CONFLICTING_KEYS);
    }
    check_one(&patch("git", "{source: other}"), codes::UNKNOWN_SOURCE);
    check_one(&patch("other", "{source: file}"), codes::UNKNOWN_SOURCE);
    check_one(&patch("git", "{}"), codes::MISSING_KEY);
    check_one(&patch("git", "{source: dir, path: ../a}"), codes::INVALID_VALUE);
    // A patch may come from the source that it patches.
    check_taken(&patch("git", "{source: git, path: a}"));
}

/// SPEC-032: a generator has one kind or more; replacements have two sides.
#[test]
fn generators_have_kinds() {
    let generate = |entries: &str| format!("sources: {{a: {{context: {{}}, generate: {entries}}}}}\n");
    for entries in
        ["", "[]", "[{gomod: {}}]", "[{gomod: {}, pip: {}, cargohome: {}, nodemod: {}, subpath: a}]"]
    {
        check_taken(&generate(entries));
    }
    for entries in ["[{}]", "[{subpath: a}]", "[{gomod: }]", "[~]"] {
        check_one(&generate(entries), codes::MISSING_KEY);
    }
    check_one(&generate("{gomod: {}}"), codes::WRONG_TYPE);
    let replace = |replace: &str| generate(&format!("[{{gomod: {{edits: {{replace: [{replace}]}}}}}}]"));
    for text in ["a => b", "\"  a   =>   b  \"", "a@v1 => ./b", "a => ../my dir", "{old: a, new: b@v1.0.0}"] {
        check_taken(&replace(text));
    }
    for text in [
        "a=>b",
        "a =>b",
        "a=> b",
        "\"a => \"",
        "\" => b\"",
        "a",
        "a -> b",
        "\"a => b c\"",
        "\"a v1 => b\"",
        "''",
    ] {
        check_one(&replace(text), codes::INVALID_VALUE);
    }
    for text in ["{old: a}", "{new: b}", "{old: a, new: ''}"] {
        check_one(&replace(text), codes::MISSING_KEY);
    }
    check_one(&replace("{old: a, new: b c}"), codes::INVALID_VALUE);
    let drop = |module: &str| generate(&format!("[{{gomod: {{edits: {{drop: [\"{module}\"]}}}}}}]"));
    for module in ["example.org/a", "a", "example.org/a/v2", "gopkg.in/yaml.v3"] {
        check_taken(&drop(module));
    }
    for module in ["example.org/a@v1.0.0", "./a", "../a", "/a", "a//b", "a/", "-a", "a b"] {
        check_one(&drop(module), codes::INVALID_VALUE);
    }
}

/// SPEC-033: settings of build steps need build steps, and steps need commands.
#[test]
fn builds_have_steps() {
    for build in [
        "",
        "{}",
        "{steps: []}",
        "{env: {}}",
        "{caches: [], network_mode: ''}",
        "{env: {SOURCE_DATE_EPOCH: 1}}",
        "{steps: [{command: c}], env: {A: b}, network_mode: none, caches: [{gobuild: {}}]}",
    ] {
        check_taken(&format!("build: {build}\n"));
    }
    for build in [
        "{env: {A: b}}",
        "{env: {A: b, SOURCE_DATE_EPOCH: 1}}",
        "{network_mode: none}",
        "{network_mode: sandbox, steps: []}",
        "{caches: [{gobuild: {}}]}",
        "{steps: [{}]}",
        "{steps: [~]}",
        "{steps: [{command: ''}]}",
        "{steps: [{command: \" \\n\"}]}",
        "{steps: [{command: c}, {env: {A: b}}]}",
    ] {
        check_one(&format!("build: {build}\n"), codes::MISSING_KEY);
    }
}

/// SPEC-034, BLD-004: the network has two modes; arguments are expanded before it is looked at.
#[test]
fn network_modes() {
    let build = |mode: &str| {
        format!(
            "args: {{MODE: sandbox, OTHER: host}}\nbuild: {{network_mode: {mode}, steps: [{{command: c}}]}}\n"
        )
    };
    for mode in ["none", "sandbox", "''", "", "\"none\"", "$MODE", "\"${MODE}\"", "\"${OTHER:+none}\""] {
        check_taken(&build(mode));
    }
    for mode in ["host", "None", "yes", "$OTHER", "\"${MODE}x\""] {
        check_one(&build(mode), codes::INVALID_VALUE);
    }
}

/// SPEC-035, BLD-006, BLD-008: a cache has one kind; a build has one Go cache.
#[test]
fn caches_have_one_kind() {
    let caches = |entries: &str| format!("build: {{caches: [{entries}], steps: [{{command: c}}]}}\n");
    for entries in [
        "",
        "{gobuild: {}}",
        "{gobuild: {disabled: true}}",
        "{rustsccache: {scope: a}}, {bazel: {}}, {dir: {dest: /a}}, {dir: {dest: /b, sharing: locked, key: k, no_auto_namespace: true}}",
        "{dir: {dest: /a}}, {dir: {dest: /a}}",
        "{gobuild: {}, dir: , bazel: ~}",
    ] {
        check_taken(&caches(entries));
    }
    for entries in ["{}", "~", "{gobuild: }", "{dir: , bazel: }"] {
        check_one(&caches(entries), codes::MISSING_KEY);
    }
    for entries in [
        "{gobuild: {}, bazel: {}}",
        "{dir: {dest: /a}, rustsccache: {}}",
        "{gobuild: {}}, {gobuild: {disabled: true}}",
    ] {
        check_one(&caches(entries), codes::CONFLICTING_KEYS);
    }
    check_one(&caches("{dir: {}}"), codes::MISSING_KEY);
    for dest in ["a", "./a", "/", "/..", "~/a"] {
        check_one(&caches(&format!("{{dir: {{dest: {dest}}}}}")), codes::INVALID_VALUE);
    }
    for (sharing, is_taken) in [
        ("shared", true),
        ("locked", true),
        ("private", true),
        ("", true),
        ("Locked", false),
        ("lock", false),
        ("none", false),
    ] {
        let text = caches(&format!("{{dir: {{dest: /a, sharing: {sharing}}}}}"));
        if is_taken { check_taken(&text) } else { check_one(&text, codes::INVALID_VALUE) }
    }
}

/// SPEC-036, ART-011: capabilities go with what the kernel executes or maps; targets are not looked at, as upstream.
#[test]
fn capabilities_go_with_programs() {
    for kind in ["binaries", "libexec", "libs", "opt"] {
        check_taken(&format!(
            "artifacts: {{{kind}: {{a: {{linux_capabilities: [{{name: cap_net_raw, permitted: true}}]}}}}}}\n"
        ));
    }
    for kind in ["manpages", "data_dirs", "configFiles", "docs", "licenses", "headers"] {
        let artifacts =
            format!("{{{kind}: {{a: {{linux_capabilities: [{{name: cap_net_raw, permitted: true}}]}}}}}}");
        check_one(&format!("artifacts: {artifacts}\n"), codes::CONFLICTING_KEYS);
        let in_target = format!("targets: {{t: {{artifacts: {artifacts}}}}}\n");
        assert!(Outcome::of(&in_target, &target("t")).found.is_empty());
        assert!(!resolved_with(&in_target, &target("t")).artifacts.binaries.contains_key("a"));
        check_taken(&format!("artifacts: {{{kind}: {{a: {{linux_capabilities: []}}}}}}\n"));
    }
}

/// SPEC-037: one way to name bases, which are images; links after the installation have places of their own.
#[test]
fn images_of_containers() {
    for image in [
        "{base: a}",
        "{bases: [{rootfs: {image: {ref: a}}}]}",
        "{bases: [{rootfs: {image: {ref: a}, path: /}}, {rootfs: {image: {ref: b}}}]}",
        "{bases: []}",
        "{base: , bases: []}",
        "{base: a, bases: }",
        "{post: {symlinks: {/a: {path: /b}, /c: {paths: [/d, /e], user: u, group: g}}}}",
        "{post: {symlinks: {/a: {path: /b, paths: }, /c: {path: '', paths: [/d]}}}}",
        "{post: }",
    ] {
        check_taken(&format!("image: {image}\n"));
        check_taken(&format!("targets: {{t: {{image: {image}}}}}\n"));
    }
    for (image, code) in [
        ("{base: a, bases: [{rootfs: {image: {ref: b}}}]}", codes::CONFLICTING_KEYS),
        ("{bases: [{}]}", codes::MISSING_KEY),
        ("{bases: [{rootfs: {}}]}", codes::MISSING_KEY),
        ("{bases: [{rootfs: {image: {}}}]}", codes::MISSING_KEY),
        ("{bases: [{rootfs: {context: {}}}]}", codes::INVALID_VALUE),
        ("{bases: [{rootfs: {http: {url: 'https://h.example/a'}}}]}", codes::INVALID_VALUE),
        ("{post: {symlinks: {/a: {}}}}", codes::MISSING_KEY),
        ("{post: {symlinks: {/a: }}}", codes::MISSING_KEY),
        ("{post: {symlinks: {/a: {paths: []}}}}", codes::MISSING_KEY),
        ("{post: {symlinks: {/a: {path: /b, paths: [/c]}}}}", codes::CONFLICTING_KEYS),
        ("{post: {symlinks: {/a: {paths: [/b, '']}}}}", codes::INVALID_VALUE),
        ("{post: {symlinks: {'': {path: /b}}}}", codes::INVALID_VALUE),
        ("{post: {symlinks: {/a: {path: /b}, /c: {path: /b}}}}", codes::CONFLICTING_KEYS),
        ("{post: {symlinks: {/a: {paths: [/b, /b]}}}}", codes::CONFLICTING_KEYS),
    ] {
        check_one(&format!("image: {image}\n"), code);
        check_one(&format!("targets: {{t: {{image: {image}}}}}\n"), code);
    }
}

/// SPEC-038, DEP-009, DEP-011: repositories are made of sources; nothing of them is mounted over `/`.
#[test]
fn repositories() {
    let repos = |entries: &str| format!("dependencies: {{extra_repos: [{entries}]}}\n");
    for entries in [
        "",
        "{}",
        "{keys: , config: , data: , envs: }",
        "{envs: [build, test, install]}",
        "{data: [{dest: /a, spec: {context: {}}}]}",
    ] {
        check_taken(&repos(entries));
    }
    for dest in ["/", "//", "/./", "a"] {
        check_one(
            &repos(&format!("{{data: [{{dest: {dest}, spec: {{context: {{}}}}}}]}}")),
            codes::INVALID_VALUE,
        );
    }
    for env in ["runtime", "Build", "all"] {
        check_one(&repos(&format!("{{envs: [build, {env}]}}")), codes::INVALID_VALUE);
    }
    for name in ["a/b", "..", "/etc/a"] {
        check_one(&repos(&format!("{{config: {{{name}: {{context: {{}}}}}}}}")), codes::INVALID_VALUE);
    }
}

/// SPEC-039: everything that is wrong is found in one run, in the order of the text, each at its place.
#[test]
fn everything_is_found_in_one_run() {
    check_refused(
        "\
nmae: tool
version: 1.0/2
sources:
  a/b: {context: {}}
  none: {}
  git: {git: {url: r}}
build:
  network_mode: host
  env: {A-B: $NOPE}
  steps: [{}]
artifacts:
  binaries: [a]
tests:
  - steps: [{command: it's}]
targets:
  t:
    build: {}
",
        &[
            (codes::UNKNOWN_KEY, "nmae"),
            (codes::INVALID_VALUE, "/"),
            (codes::INVALID_VALUE, "/"),
            (codes::MISSING_KEY, "none: {}"),
            (codes::MISSING_KEY, "git: {url: r}"),
            (codes::INVALID_VALUE, "r"),
            (codes::INVALID_VALUE, "host"),
            (codes::INVALID_VALUE, "-"),
            (codes::MISSING_KEY, "{}"),
            (codes::WRONG_TYPE, "[a]"),
            (codes::COMMAND_SYNTAX, "'"),
            (codes::UNKNOWN_KEY, "build"),
        ],
    );
}
