//! Arguments: where they come from, what refers to them, what they expand to (SPEC-012 to SPEC-024).
//!
//! Which texts are expanded at all is a table beside the descriptions of the types; here is what that means for a person.

use dalec_spec::target_spec::SourceKind;
use dalec_spec::{Platform, ResolveOptions, UnknownArgs, codes, has_errors, to_yaml};

use crate::{Outcome, build_args, check_refused, resolved, resolved_with, target};

/// Returns what the value of a label expands to.
#[track_caller]
fn expanded(args: &str, value: &str, options: &ResolveOptions) -> String {
    let text = format!("args: {args}\nimage:\n  labels:\n    l: {value}\n");
    resolved_with(&text, options).image.labels.remove("l").expect("a label")
}

/// SPEC-012: what is given for the build replaces the default; a default of nothing is the empty text.
#[test]
fn arguments_have_defaults() {
    let text = "args: {VERSION: 1.2, EMPTY: }\nversion: ${VERSION}\nimage: {labels: {l: \"<${EMPTY}>\"}}\n";
    let spec = resolved(text);
    assert_eq!((spec.version.as_str(), spec.image.labels["l"].as_str()), ("1.2", "<>"));
    let spec = resolved_with(text, &build_args(&[("VERSION", "2.0"), ("EMPTY", "no")]));
    assert_eq!((spec.version.as_str(), spec.image.labels["l"].as_str()), ("2.0", "<no>"));
    assert_eq!((spec.args["VERSION"].as_str(), spec.args["EMPTY"].as_str()), ("2.0", "no"));
    // Given as nothing is given.
    assert_eq!(resolved_with(text, &build_args(&[("VERSION", "")])).version, "");
    // Defaults are literal; a value that is given is, too.
    assert_eq!(expanded("{A: $B, B: b}", "$A", &ResolveOptions::default()), "$B");
    assert_eq!(expanded("{A: a, B: b}", "$A", &build_args(&[("A", "$B 'c'")])), "$B 'c'");
}

/// SPEC-013: arguments that nobody declared are named, each of them, the proxies of docker included.
#[test]
fn unknown_arguments_are_refused() {
    let options = build_args(&[
        ("NOPE", "1"),
        ("VERSON", "1"),
        ("HTTP_PROXY", "http://proxy.example"),
        ("no_proxy", "*"),
        ("DALEC_UNKNOWN", "1"),
    ]);
    let outcome = Outcome::of("args: {VERSION: }\nversion: ${VERSION}\n", &options);
    assert!(outcome.spec.is_none());
    let found: Vec<(&str, bool)> =
        outcome.found.iter().map(|finding| (finding.code, finding.span.is_none())).collect();
    assert_eq!(found, [(codes::UNKNOWN_BUILD_ARG, true); 5], "{}", outcome.show());
    for (finding, name) in
        outcome.found.iter().zip(["DALEC_UNKNOWN", "HTTP_PROXY", "NOPE", "VERSON", "no_proxy"])
    {
        assert!(finding.message.contains(&format!("`{name}`")), "{}", finding.message);
    }
    assert_eq!(outcome.found[3].help.as_deref(), Some("did you mean `VERSION`?"));
}

/// What the tool itself looks at, and what the platforms say.
const KNOWN: &[&str] = &[
    "BUILDKIT_CONTEXT_KEEP_GIT_DIR",
    "BUILDKIT_MULTI_PLATFORM",
    "BUILDKIT_SYNTAX",
    "DALEC_DISABLE_DIFF_MERGE",
    "DALEC_DISABLE_EMULATION",
    "DALEC_DISABLE_PASSTHROUGH",
    "DALEC_DISABLE_PROXY_CONFIG",
    "DALEC_DISABLE_SYMLINK",
    "DALEC_GOMOD_PROXY",
    "DALEC_SIGNING_CONFIG_CONTEXT_NAME",
    "DALEC_SIGNING_CONFIG_PATH",
    "DALEC_SKIP_SIGNING",
    "DALEC_SKIP_TESTS",
    "DALEC_SOURCE_FILTER_CONFIG_CONTEXT_NAME",
    "DALEC_SOURCE_FILTER_CONFIG_PATH",
    "DALEC_SYSEXT_IMAGE_NAME",
    "DALEC_SYSEXT_OS_ID",
    "DALEC_SYSEXT_OF_TOMORROW",
    "DALEC_TARGET",
    "SOURCE_DATE_EPOCH",
];

const PLATFORM: &[&str] = &[
    "TARGETOS",
    "TARGETARCH",
    "TARGETVARIANT",
    "TARGETPLATFORM",
    "BUILDOS",
    "BUILDARCH",
    "BUILDVARIANT",
    "BUILDPLATFORM",
];

/// SPEC-014, TEST-004: what the tool itself looks at may be given undeclared; it is no argument of the spec then.
#[test]
fn known_arguments_need_no_declaration() {
    for name in KNOWN.iter().chain(PLATFORM) {
        let outcome = Outcome::of("name: a\n", &build_args(&[(name, "1")]));
        assert!(outcome.found.is_empty(), "{name}: {}", outcome.show());
        assert!(outcome.spec.expect("a spec").args.is_empty(), "{name}");
    }
}

/// SPEC-015: platforms are there for those who declare them; what is given for them does not count.
#[test]
fn platforms_are_there_when_declared() {
    let options = ResolveOptions {
        platform: "linux/arm/v7".parse().expect("a platform"),
        build_platform: Platform::new("linux", "riscv64"),
        ..build_args(&[("TARGETARCH", "mine"), ("BUILDOS", "mine")])
    };
    for (name, value) in
        PLATFORM.iter().zip(["linux", "arm", "v7", "linux/arm/v7", "linux", "riscv64", "", "linux/riscv64"])
    {
        assert_eq!(
            expanded(&format!("{{{name}: default}}"), &format!("${{{name}}}"), &options),
            value,
            "{name}"
        );
        // Undeclared it is a mistake, also where unknown arguments are let pass.
        for unknown_args in [UnknownArgs::Reject, UnknownArgs::Allow] {
            let options = ResolveOptions { unknown_args, ..options.clone() };
            let outcome = Outcome::of(&format!("image: {{labels: {{l: \"${{{name}}}\"}}}}\n"), &options);
            assert_eq!(outcome.findings(), [(codes::UNDECLARED_ARG, *name)], "{}", outcome.show());
            let help = outcome.found[0].help.as_deref().unwrap_or_default();
            assert!(help.contains(&format!("add `{name}:` under `args`")), "{help}");
        }
    }
}

/// SPEC-016: the platform that builds is another one than the platform that is built for.
#[test]
fn the_building_platform_is_one_of_its_own() {
    let options = ResolveOptions {
        platform: Platform::new("windows", "amd64"),
        build_platform: Platform::new("linux", "arm64"),
        ..ResolveOptions::default()
    };
    assert_eq!(
        expanded(
            "{BUILDARCH: , BUILDOS: , TARGETARCH: , TARGETOS: }",
            "$BUILDOS/$BUILDARCH for $TARGETOS/$TARGETARCH",
            &options
        ),
        "linux/arm64 for windows/amd64"
    );
}

/// SPEC-017: every reference to nothing is an error, all of them in one run, each at its place.
#[test]
fn undeclared_references_are_errors() {
    let outcome = Outcome::of(
        "version: ${VERSON}\nargs: {VERSION: 1}\nbuild:\n  env: {A: \"$NOPE and ${ALSO:-this}\"}\n  steps: [{command: make, env: {B: '$1'}}]\n",
        &ResolveOptions::default(),
    );
    assert_eq!(
        outcome.findings(),
        [
            (codes::UNDECLARED_ARG, "VERSON"),
            (codes::UNDECLARED_ARG, "NOPE"),
            (codes::UNDECLARED_ARG, "ALSO"),
            (codes::UNDECLARED_ARG, "1"),
        ],
        "{}",
        outcome.show()
    );
    // The same in every place where text is expanded.
    for text in [
        "sources: {a: {context: {name: $V}}}",
        "sources: {a: {context: {}, path: $V}}",
        "dependencies: {runtime: {a: {version: [$V]}}}",
        "dependencies: {extra_repos: [{config: {a: {context: {name: $V}}}}]}",
        "conflicts: {a: {version: [$V]}}",
        "package_config: {signer: {image: a, args: {A: $V}}}",
        "image: {labels: {a: $V}}",
        "tests: [{env: {A: $V}, files: {/a: }}]",
        "tests: [{steps: [{command: a, stdin: $V}]}]",
        "tests: [{files: {/a: {equals: $V}}}]",
        "tests: [{mounts: [{dest: /a, spec: {context: {name: $V}}}], files: {/a: }}]",
        "targets: {t: {image: {labels: {a: $V}}}}",
        "targets: {t: {tests: [{files: {/a: {contains: [$V]}}}]}}",
        "targets: {t: {package_config: {signer: {image: a, args: {A: $V}}}}}",
        "targets: {t: {dependencies: {build: {a: {version: [$V]}}}}}",
    ] {
        let outcome = Outcome::of(text, &target("t"));
        assert_eq!(outcome.findings(), [(codes::UNDECLARED_ARG, "V")], "{}", outcome.show());
    }
}

/// SPEC-018: references stay where unknown arguments are let pass, and where the tool's own arguments are not declared.
#[test]
fn some_references_stay_as_text() {
    let text = "version: 1.${X}\nimage: {labels: {l: \"$DALEC_TARGET ${Y:-z}\"}}\n";
    let options =
        ResolveOptions { unknown_args: UnknownArgs::Allow, ..build_args(&[("X", "1"), ("Z", "1")]) };
    let spec = resolved_with(text, &options);
    assert_eq!((spec.version.as_str(), spec.image.labels["l"].as_str()), ("1.${X}", "$DALEC_TARGET ${Y:-z}"));
    for name in KNOWN.iter().filter(|name| **name != "SOURCE_DATE_EPOCH") {
        let outcome =
            Outcome::of(&format!("image: {{labels: {{l: \"${{{name}}}\"}}}}\n"), &ResolveOptions::default());
        assert_eq!(outcome.findings(), [(codes::UNRESOLVED_ARG, *name)], "{}", outcome.show());
        assert_eq!(outcome.spec.expect("a spec").image.labels["l"], format!("${{{name}}}"));
    }
    // Declared it is the target's key, whatever is given.
    let options = ResolveOptions { target: "bookworm".to_owned(), ..build_args(&[("DALEC_TARGET", "mine")]) };
    assert_eq!(expanded("{DALEC_TARGET: none}", "$DALEC_TARGET", &options), "bookworm");
    assert_eq!(expanded("{DALEC_TARGET: none}", "$DALEC_TARGET", &ResolveOptions::default()), "none");
}

/// SPEC-019, SPEC-020: quotes and backslashes are taken off whether or not there is a `$`.
#[test]
fn quotes_are_taken_off() {
    for (written, expected) in [
        (r"a\d'b'", "adb"),
        (r"'\n\\n'", r"\n\\n"),
        (r#""\n \" \$A \\""#, r#"\n " $A \"#),
        (r"costs \$5", "costs $5"),
        ("'$A'", "$A"),
        (r#""$A""#, "value"),
        ("$ and $( and $", "$ and $( and $"),
        ("<<EOF", "<<EOF"),
        (r#"two "words""#, "two words"),
        ("", ""),
    ] {
        let quoted = serde_json::to_string(written).expect("JSON");
        assert_eq!(expanded("{A: value}", &quoted, &ResolveOptions::default()), expected, "{written}");
    }
    for (written, at) in [("it's", "'"), (r#"a "b"#, "\"")] {
        let text = format!("image:\n  labels:\n    l: {written}\n");
        check_refused(&text, &[(codes::SUBSTITUTION_SYNTAX, at)]);
    }
}

/// SPEC-020: names of one character and of digits are references too.
#[test]
fn dollars_are_references() {
    for name in ["1", "12", "?", "$", "@", "*", "#", "!", "-", "HOME", "_x"] {
        let text = format!("tests: [{{steps: [{{command: a, stdout: {{equals: \"${name}\"}}}}]}}]\n");
        check_refused(&text, &[(codes::UNDECLARED_ARG, name)]);
        let text = format!("tests: [{{steps: [{{command: a, stdout: {{equals: '\\${name}'}}}}]}}]\n");
        let spec = resolved(&text);
        let equals = spec.tests[0].steps[0].stdout.equals.as_ref().expect("a check");
        assert_eq!(equals.value, format!("${name}"));
    }
}

/// SPEC-021: the modifiers, on declared arguments only.
#[test]
fn modifiers() {
    let args = "{A: value, EMPTY: , V: 1.10.3, P: /usr/lib/libx.so.1}";
    for (written, expected) in [
        ("${A:-w} ${EMPTY:-w} ${A-w} ${EMPTY-w}", "value w value "),
        ("${A:+w} ${EMPTY:+w} ${A+w} ${EMPTY+w}", "w  w w"),
        ("${A:?w} ${A?w} ${EMPTY?w}", "value value "),
        ("${V#1.} ${V#*.} ${V##*.}", "10.3 10.3 3"),
        ("${V%.*} ${V%%.*} ${V%?}", "1.10 1 1.10."),
        ("${P##*/} ${P%/*}", "libx.so.1 /usr/lib"),
        ("${V/1/one} ${V//1/one} ${V//./-}", "one.10.3 one.one0.3 1-10-3"),
        ("${EMPTY:-$A} ${EMPTY:-${V%%.*}}", "value 1"),
    ] {
        assert_eq!(
            expanded(args, &format!("'{written}'"), &ResolveOptions::default()),
            expected,
            "{written}"
        );
    }
    for reference in [
        "${NOPE:-x}",
        "${NOPE-x}",
        "${NOPE:+x}",
        "${NOPE+x}",
        "${NOPE:?x}",
        "${NOPE#x}",
        "${NOPE%%x}",
        "${NOPE/x/y}",
        "${NOPE//x/y}",
    ] {
        check_refused(
            &format!("image: {{labels: {{l: '{reference}'}}}}\n"),
            &[(codes::UNDECLARED_ARG, "NOPE")],
        );
    }
    for (broken, at) in [
        ("${A", "${A"),
        ("${}", "${}"),
        ("${:x}", "${:"),
        ("${A=x}", "="),
        ("${A:!x}", "!"),
        ("${EMPTY:?say which}", "EMPTY"),
    ] {
        check_refused(
            &format!("args: {{A: a, EMPTY: }}\nimage: {{labels: {{l: '{broken}'}}}}\n"),
            &[(codes::SUBSTITUTION_SYNTAX, at)],
        );
    }
}

/// SPEC-022: places that upstream leaves out, where the same text is expanded elsewhere.
#[test]
fn the_same_text_is_expanded_everywhere() {
    let spec = resolved(
        "\
args: {V: '1', MODE: sandbox, BASE: base}
dependencies:
  recommends: {a: {version: [\"= $V\"]}}
  sysext: {b: {version: [\"= $V\"]}}
  test: {c: {version: [\"= $V\"]}}
sources:
  made:
    path: /out
    image:
      ref: tools.example/tools:$V
      cmd:
        steps:
          - command: make $V
            env: {A: '\\\\$V'}
            mounts: [{dest: /in, spec: {context: {name: \"context-$V\"}}}]
build:
  network_mode: ${MODE}
  steps: [{command: make}]
image:
  bases: [{rootfs: {image: {ref: \"registry.example/${BASE}:$V\"}}}]
",
    );
    assert_eq!(spec.dependencies.recommends["a"].version, ["= 1"]);
    assert_eq!(spec.dependencies.sysext["b"].version, ["= 1"]);
    assert_eq!(spec.dependencies.test["c"].version, ["= 1"]);
    assert_eq!(spec.image.bases[0].reference(), "registry.example/base:1");
    let SourceKind::Image(image) = &spec.sources["made"].kind else { panic!("an image source") };
    let step = &image.command.as_ref().expect("commands").steps[0];
    assert_eq!(step.command, "make $V");
    // Once: what is left of two backslashes is one, in front of the value.
    assert_eq!(step.env["A"], "\\1");
    let SourceKind::Context(context) = &step.mounts[0].source.kind else { panic!("a context") };
    assert_eq!(context.name, "context-1");
}

/// SPEC-023: the time of the build reaches the steps, unless the spec says another one; a default of it counts, too.
#[test]
fn the_time_reaches_the_steps() {
    let epoch = |text: &str, given: Option<&str>| {
        let args: Vec<(&str, &str)> = given.map(|value| ("SOURCE_DATE_EPOCH", value)).into_iter().collect();
        resolved_with(text, &build_args(&args)).build.env.get("SOURCE_DATE_EPOCH").cloned()
    };
    let steps = "build: {steps: [{command: make}]}\n";
    let own = "build: {env: {SOURCE_DATE_EPOCH: 5}, steps: [{command: make}]}\n";
    let default = "args: {SOURCE_DATE_EPOCH: 3}\n";
    assert_eq!(epoch(steps, None), None);
    assert_eq!(epoch(steps, Some("17")).as_deref(), Some("17"));
    assert_eq!(epoch("name: a\n", Some("17")).as_deref(), Some("17"));
    assert_eq!(epoch(own, Some("17")).as_deref(), Some("5"));
    assert_eq!(epoch(default, None).as_deref(), Some("3"));
    assert_eq!(epoch(default, Some("17")).as_deref(), Some("17"));
    // It can be referred to once it is there, and what is printed loads again.
    let options = build_args(&[("SOURCE_DATE_EPOCH", "17")]);
    let spec = resolved_with("build: {env: {T: $SOURCE_DATE_EPOCH}, steps: [{command: a}]}\n", &options);
    assert_eq!(spec.build.env["T"], "17");
    let alone = to_yaml(&resolved_with("name: a\n", &options));
    assert!(!has_errors(&Outcome::of(&alone, &ResolveOptions::default()).found), "{alone}");
}

/// SPEC-024: what is in a mount or in a build source is expanded to the bottom.
#[test]
fn sources_in_sources_are_expanded() {
    let spec = resolved(
        "\
args: {V: '2'}
sources:
  made:
    path: /out
    image:
      ref: tools.example/tools
      cmd:
        mounts:
          - dest: /in
            spec: {git: {url: https://git.example/a/b, commit: v$V}, path: sub-$V}
          - dest: /files
            spec:
              path: /files-$V
              image:
                ref: tools.example/inner:$V
                cmd:
                  env: {A: a$V}
                  mounts: [{dest: /deep, spec: {context: {name: deep-$V}}}]
                  steps: [{command: make}]
        steps: [{command: make}]
  docs:
    build:
      source: {http: {url: \"https://download.example/$V\"}}
      dockerfile_path: Dockerfile.$V
      target: stage-$V
      args: {A: $V}
tests:
  - files: {/a: }
    mounts: [{dest: /in, spec: {build: {source: {context: {name: c$V}}}}}]
",
    );
    let SourceKind::Image(image) = &spec.sources["made"].kind else { panic!("an image source") };
    let mounts = &image.command.as_ref().expect("commands").mounts;
    let SourceKind::Git(git) = &mounts[0].source.kind else { panic!("a git source") };
    assert_eq!((git.commit.as_str(), mounts[0].source.path.as_str()), ("v2", "sub-2"));
    let SourceKind::Image(inner) = &mounts[1].source.kind else { panic!("an image source") };
    let command = inner.command.as_ref().expect("commands");
    assert_eq!((inner.reference.as_str(), command.env["A"].as_str()), ("tools.example/inner:2", "a2"));
    let SourceKind::Context(context) = &command.mounts[0].source.kind else { panic!("a context") };
    assert_eq!(context.name, "deep-2");
    let SourceKind::Build(build) = &spec.sources["docs"].kind else { panic!("a build source") };
    assert_eq!((build.dockerfile_path.as_str(), build.target.as_str()), ("Dockerfile.2", "stage-2"));
    // What is passed to the Dockerfile stays as it is written, as it does upstream.
    assert_eq!(build.args["A"], "$V");
    let SourceKind::Build(build) = &spec.tests[0].mounts[0].source.kind else { panic!("a build source") };
    let SourceKind::Context(context) = &build.source.kind else { panic!("a context") };
    assert_eq!(context.name, "c2");
}
