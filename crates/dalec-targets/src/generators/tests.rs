//! What generators become in the graph.

use dalec_llb::{ImageRef, Local, Platform, describe};
use dalec_spec::span::Span;
use dalec_spec::target_spec::{
    Cargohome, Gomod, GomodAuth, GomodEdits, GomodReplace, GomodSsh, Nodemod, Patch, Pip, Repository,
    RepositoryUse, Source,
};
use expect_test::{Expect, expect};

use super::*;
use crate::fixture;
use crate::request::{Answers, Options};

fn local(name: &str) -> State {
    State::local(Local { name: name.into(), ..Local::default() })
}

/// Two sources with modules, one of them patched from a third.
fn spec() -> TargetSpec {
    let generator = |subpath: &str, paths: &[&str]| Generator {
        subpath: subpath.into(),
        gomod: Some(Gomod {
            paths: paths.iter().map(|path| (*path).to_owned()).collect(),
            ..Gomod::default()
        }),
        span: Span::new(0, 4),
        ..Generator::default()
    };
    let source = |generate: Vec<Generator>| Source { generate, ..Source::default() };
    let mut spec = fixture::spec();
    spec.sources.insert("app".into(), source(vec![generator("cmd", &[".", "tool"])]));
    spec.sources.insert("fixes".into(), source(Vec::new()));
    spec.sources.insert("lib".into(), source(vec![generator("", &["."])]));
    let patch = Patch { source: "fixes".into(), path: "a b.patch".into(), strip: 2, ..Patch::default() };
    spec.patches.insert("lib".into(), vec![patch]);
    spec
}

#[track_caller]
fn check(options: Options, expected: Expect) {
    let graph = graph(&spec(), options);
    let lines = graph.lines().filter(|line| !line.starts_with("    |"));
    expected.assert_eq(&lines.map(|line| format!("{line}\n")).collect::<String>());
}

fn graph(spec: &TargetSpec, options: Options) -> String {
    graph_of(spec, options, downloads)
}

fn downloads(generators: &Generators<'_>) -> State {
    generators.downloads().pop().expect("some").1
}

fn graph_of(spec: &TargetSpec, options: Options, plan: impl FnOnce(&Generators<'_>) -> State) -> String {
    let answers = Answers::default();
    let request = Request { options, ..fixture::request(spec, &answers, "line\n") };
    let tree = |name: &str, path: &str| Tree { state: local(name), path: path.into(), is_dir: true };
    let trees =
        [("app", tree("app", "/")), ("fixes", tree("fixes", "/")), ("lib", tree("lib", "/lib"))].into();
    let root = State::image(ImageRef { reference: "worker".into(), ..ImageRef::default() });
    let group = ProgressGroup::new("sources");
    let generators = Generators { request: &request, root, env: BTreeMap::new(), group, trees: &trees };
    describe(&plan(&generators).marshal(&Platform::linux("amd64")))
}

/// A patch that does not apply is named with its line here, too, because this step comes before that of the package.
#[test]
fn patches_have_their_places() {
    let mut spec = spec();
    spec.patches.get_mut("lib").expect("it is patched")[0].span = Span::new(2, 4);
    let graph = graph(&spec, Options::default());
    let apply = "apply 'dalec: error: @1: ' 'fixes/a b.patch' '/work/patches/fixes/a b.patch' lib -p2";
    assert!(graph.lines().any(|line| line.trim_start_matches([' ', '|']) == apply), "{graph}");
}

/// SRC-020, SRC-021, SRC-033, SRC-034: one cache for all, filled from the cache of downloads; of patched sources.
#[test]
fn go_modules() {
    check(
        Options::default(),
        expect![[r#"
            #0 source docker-image://worker
            #1 source local://lib
            #2 source local://fixes
            #3 exec network=NONE
                arg /bin/sh
                arg -c
                arg set -eu
                cwd /
                mount / #0
                mount /work/src #1 [/lib]
                mount /work/patches/fixes #2 ro
                name Patch source lib for downloads
            #4 source local://app
            #5 exec network=UNSET
                arg /bin/sh
                arg -c
                arg # What all work with Go modules begins with: finds go, and logs in to the hosts of private modules.
                arg go
                arg cmd/.
                arg cmd/tool
                env GOPATH=/go
                cwd /
                mount / #0
                mount /work/cache cache dalec-gomod-proxy-cache SHARED
                mount /run/secrets/dalec.ca-bundle secret dalec.ca-bundle
                mount /work/src #4
                mount /work/modules scratch
                name Download Go modules for source app
            #6 exec network=UNSET
                arg /bin/sh
                arg -c
                arg # What all work with Go modules begins with: finds go, and logs in to the hosts of private modules.
                arg go
                arg /.
                env GOPATH=/go
                cwd /
                mount / #0
                mount /work/cache cache dalec-gomod-proxy-cache SHARED
                mount /run/secrets/dalec.ca-bundle secret dalec.ca-bundle
                mount /work/src #3.1 [/lib]
                mount /work/modules #5.2
                name Download Go modules for source lib
            #7 result #6.2
        "#]],
    );
}

/// SRC-022.
#[test]
fn a_proxy_for_go_modules() {
    let spec = spec();
    assert_eq!(wanted(&spec).map(|kind| kind.title).collect::<Vec<_>>(), ["the Go modules"]);
    let options = Options { gomod_proxy: "https://proxy.example.org".into(), ..Options::default() };
    check(
        options,
        expect![[r#"
            #0 source docker-image://worker
            #1 source local://lib
            #2 source local://fixes
            #3 exec network=NONE
                arg /bin/sh
                arg -c
                arg set -eu
                cwd /
                mount / #0
                mount /work/src #1 [/lib]
                mount /work/patches/fixes #2 ro
                name Patch source lib for downloads
            #4 source local://app
            #5 exec network=UNSET
                arg /bin/sh
                arg -c
                arg # What all work with Go modules begins with: finds go, and logs in to the hosts of private modules.
                arg go
                arg cmd/.
                arg cmd/tool
                env GOPATH=/go
                env GOPROXY=https://proxy.example.org
                cwd /
                mount / #0
                mount /work/cache cache dalec-gomod-proxy-cache SHARED
                mount /run/secrets/dalec.ca-bundle secret dalec.ca-bundle
                mount /work/src #4
                mount /work/modules scratch
                name Download Go modules for source app
            #6 exec network=UNSET
                arg /bin/sh
                arg -c
                arg # What all work with Go modules begins with: finds go, and logs in to the hosts of private modules.
                arg go
                arg /.
                env GOPATH=/go
                env GOPROXY=https://proxy.example.org
                cwd /
                mount / #0
                mount /work/cache cache dalec-gomod-proxy-cache SHARED
                mount /run/secrets/dalec.ca-bundle secret dalec.ca-bundle
                mount /work/src #3.1 [/lib]
                mount /work/modules #5.2
                name Download Go modules for source lib
            #7 result #6.2
        "#]],
    );
}

/// Programs from a spec's own repositories write no cache that other specs read.
#[test]
fn repositories_of_the_spec_have_a_cache_of_their_own() {
    for (phase, cache) in [
        (RepositoryUse::Build, " cache dalec-gomod-proxy-cache-untrusted "),
        (RepositoryUse::Install, " cache dalec-gomod-proxy-cache "),
    ] {
        let mut spec = spec();
        spec.dependencies.extra_repos = vec![Repository { envs: vec![phase], ..Repository::default() }];
        let graph = graph(&spec, Options::default());
        assert_eq!(graph.matches(cache).count(), 2, "{graph}");
    }
}

/// SRC-025, SRC-026: every edited module of a source is in one patch, and what is downloaded is downloaded for the edited source.
#[test]
fn edits_of_go_modules() {
    let replace = GomodReplace {
        old: "example.org/m".into(),
        new: "example.org/m@v2.0.0".into(),
        ..GomodReplace::default()
    };
    let mut spec = spec();
    spec.patches.clear();
    spec.sources.remove("lib");
    let source = spec.sources.get_mut("app").expect("it is there");
    let edits = |replace, drop: &[&str]| {
        Some(GomodEdits { replace, drop: drop.iter().map(|drop| (*drop).to_owned()).collect() })
    };
    let gomod = |source: &mut Source, index: usize, edits| {
        source.generate[index].gomod.as_mut().expect("it is one").edits = edits;
    };
    let second = Generator {
        gomod: Some(Gomod { paths: vec!["./a b/".into()], ..Gomod::default() }),
        ..source.generate[0].clone()
    };
    source.generate.push(second);
    gomod(source, 0, edits(vec![replace], &["example.org/gone"]));
    gomod(source, 1, edits(Vec::new(), &["example.org/n"]));
    assert_eq!(edits::patch_names(&spec).collect::<Vec<_>>(), ["__gomod_patch_app"]);
    let graph = graph_of(&spec, Options::default(), |generators| {
        generators.edits().remove("__gomod_patch_app").expect("a patch").state
    });
    let calls = graph.lines().filter_map(|line| line.strip_prefix("    | "));
    let calls = calls.skip_while(|line| !line.starts_with("edit 'dalec"));
    expect![[r#"
        edit 'dalec: error: @1: ' cmd -replace=example.org/m=example.org/m@v2.0.0+incompatible -droprequire=example.org/gone
        edit 'dalec: error: @1: ' cmd/tool -replace=example.org/m=example.org/m@v2.0.0+incompatible -droprequire=example.org/gone
        edit 'dalec: error: @1: ' 'cmd/a b' -droprequire=example.org/n
        finish
    "#]]
    .assert_eq(&calls.map(|line| format!("{line}\n")).collect::<String>());
    let modules = graph_of(&spec, Options::default(), downloads);
    assert!(modules.contains("mount /work/src #2.1\n"), "{modules}");
}

/// SRC-023: a token comes before a header, this before ssh; what is mounted are names.
#[test]
fn private_go_modules() {
    let ssh = |id: &str, username: &str| Some(GomodSsh { id: id.into(), username: username.into() });
    let auth = BTreeMap::from([
        ("a.example.org".to_owned(), GomodAuth { token: "A".into(), ..GomodAuth::default() }),
        ("b.example.org:8443".to_owned(), GomodAuth { header: "B".into(), ..GomodAuth::default() }),
        ("c.example.org:22".to_owned(), GomodAuth { ssh: ssh("c", "git"), ..GomodAuth::default() }),
        ("d.example.org".to_owned(), GomodAuth { ssh: ssh("c", "it's"), ..GomodAuth::default() }),
        (
            "e.example.org".to_owned(),
            GomodAuth { token: "E".into(), header: "F".into(), ssh: ssh("c", "git") },
        ),
    ]);
    let mut spec = spec();
    spec.patches.clear();
    spec.sources.remove("lib");
    let source = spec.sources.get_mut("app").expect("it is there");
    source.generate[0].gomod.as_mut().expect("it is one").auth = auth;
    let graph = graph(&spec, Options::default());
    let wanted = ["_login ", "    mount ", "    env "];
    let lines = graph.lines().filter(|line| wanted.iter().any(|wanted| line.contains(wanted)));
    let lines = lines.filter(|line| !line.contains("() {") && !line.contains("# "));
    expect![[r#"
            | secret_login a.example.org token
            | secret_login b.example.org:8443 header
            | ssh_login c.example.org:22 c.example.org git /run/ssh/0
            | ssh_login d.example.org d.example.org 'it'\''s' /run/ssh/0
            | secret_login e.example.org token
            env GOPATH=/go
            env GOPRIVATE=a.example.org,b.example.org,c.example.org,d.example.org,e.example.org
            mount / #0
            mount /work/cache cache dalec-gomod-proxy-cache SHARED
            mount /run/secrets/dalec.ca-bundle secret dalec.ca-bundle
            mount /run/secrets/a.example.org/token secret A
            mount /run/secrets/b.example.org:8443/header secret B
            mount /run/ssh/0 socket c
            mount /run/secrets/e.example.org/token secret E
            mount /work/dalec scratch ro
            mount /work/src #1
            mount /work/modules scratch
    "#]]
    .assert_eq(&lines.map(|line| format!("{}\n", line.trim_start())).collect::<String>());
}

/// SRC-027, SRC-033, SRC-034: one home of cargo's for all, of patched sources.
#[test]
fn rust_crates() {
    let mut spec = spec();
    for source in spec.sources.values_mut() {
        for generator in &mut source.generate {
            let paths = generator.gomod.take().expect("it is one").paths;
            generator.cargohome = Some(Cargohome { paths });
        }
    }
    let graph = graph(&spec, Options::default());
    let lines = graph.lines().filter(|line| !line.starts_with("    |"));
    expect![[r#"
        #0 source docker-image://worker
        #1 source local://lib
        #2 source local://fixes
        #3 exec network=NONE
            arg /bin/sh
            arg -c
            arg set -eu
            cwd /
            mount / #0
            mount /work/src #1 [/lib]
            mount /work/patches/fixes #2 ro
            name Patch source lib for downloads
        #4 source local://app
        #5 exec network=UNSET
            arg /bin/sh
            arg -c
            arg # Downloads the crates of Rust programs: cargohome.sh PATH...
            arg cargohome
            arg cmd/.
            arg cmd/tool
            cwd /
            mount / #0
            mount /work/src #4
            mount /run/secrets/dalec.ca-bundle secret dalec.ca-bundle
            mount /work/crates scratch
            name Download Rust crates for source app
        #6 exec network=UNSET
            arg /bin/sh
            arg -c
            arg # Downloads the crates of Rust programs: cargohome.sh PATH...
            arg cargohome
            arg /.
            cwd /
            mount / #0
            mount /work/src #3.1 [/lib]
            mount /run/secrets/dalec.ca-bundle secret dalec.ca-bundle
            mount /work/crates #5.2
            name Download Rust crates for source lib
        #7 result #6.2
    "#]]
    .assert_eq(&lines.map(|line| format!("{line}\n")).collect::<String>());
}

#[test]
fn the_scripts_are_some() {
    let go = include_str!("go.sh");
    let scripts = [include_str!("gomod.sh"), include_str!("edits.sh")].map(|script| format!("{go}{script}"));
    let others = [
        include_str!("cargohome.sh"),
        include_str!("nodemod.sh"),
        include_str!("pip.sh"),
        include_str!("pip_install.sh"),
    ];
    for script in scripts.into_iter().chain(others.map(str::to_owned)) {
        let checked = std::process::Command::new("sh").args(["-n", "-c", &script]).status();
        assert!(checked.expect("a shell").success());
    }
}

/// SRC-031: npm gets what others call otherwise, and nothing of it is shown.
#[test]
fn npm_behind_a_proxy() {
    let folder = tempfile::tempdir().expect("there is a place for temporary files");
    let path = |name: &str| folder.path().join(name);
    std::fs::create_dir_all(path("src/web")).expect("folders can be made");
    std::fs::create_dir(path("bin")).expect("folders can be made");
    let npm = "#!/bin/sh\nenv | grep -i -e ^npm_config -e ^NODE | grep -v -e =false | sort >told\n";
    std::fs::write(path("bin/npm"), npm).expect("files can be written");
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(path("bin/npm"), open).expect("it is ours");
    let script = include_str!("nodemod.sh");
    let script = script.replace("/work", &folder.path().display().to_string());
    let script = script.replace("/run/secrets/dalec.ca-bundle", &path("bin/npm").display().to_string());
    let told = |variables: &[(&str, &str)]| {
        let mut command = std::process::Command::new("/bin/sh");
        command.args(["-c", &script, "nodemod", "web"]).env_clear().envs(variables.iter().copied());
        let ran = command.env("PATH", format!("{}:/usr/bin:/bin", path("bin").display())).output();
        let ran = ran.expect("a shell");
        let said = String::from_utf8_lossy(&[ran.stdout, ran.stderr].concat()).into_owned();
        assert!(ran.status.success() && said.is_empty(), "{said}");
        let told = std::fs::read_to_string(path("src/web/told")).expect("npm was called");
        told.replace(&folder.path().display().to_string(), "")
    };
    let proxies =
        [("HTTP_PROXY", "http://user:password@a"), ("https_proxy", "http://b"), ("no_proxy", "c,d")];
    expect![[r#"
        NODE_EXTRA_CA_CERTS=/bin/npm
        npm_config_cafile=/bin/npm
        npm_config_https_proxy=http://b
        npm_config_noproxy=c,d
        npm_config_proxy=http://user:password@a
    "#]]
    .assert_eq(&told(&proxies));
    let disabled = [proxies.as_slice(), &[("DALEC_DISABLE_PROXY_CONFIG", "1")]].concat();
    expect![[r#"
        NODE_EXTRA_CA_CERTS=/bin/npm
        npm_config_cafile=/bin/npm
    "#]]
    .assert_eq(&told(&disabled));
}

/// SRC-030, SRC-033: npm gets the source with its patches, and the package the one without, so that they are applied once.
#[test]
fn npm_packages_go_into_the_source() {
    let mut spec = spec();
    for name in ["app", "lib"] {
        let nodemod = Nodemod { paths: vec![".".into(), "web".into()], registry: "http://r".into() };
        let generator = Generator { nodemod: Some(nodemod), ..Generator::default() };
        spec.sources.get_mut(name).expect("it is there").generate = vec![generator];
    }
    assert!(wants_any(&spec));
    let graph = |name: &str| {
        let graph = graph_of(&spec, Options::default(), |generators| generators.filled()[name].state.clone());
        let lines = graph.lines().filter(|line| !line.starts_with("    |"));
        lines.map(|line| format!("{line}\n")).collect::<String>()
    };
    expect![[r#"
        #0 source docker-image://worker
        #1 source local://app
        #2 exec network=UNSET
            arg /bin/sh
            arg -c
            arg # Installs the packages of Node.js programs: nodemod.sh PATH...
            arg nodemod
            arg /.
            arg /web
            env npm_config_registry=http://r
            cwd /
            mount / #0
            mount /work/src #1
            mount /run/secrets/dalec.ca-bundle secret dalec.ca-bundle
            name Install npm packages for source app
        #3 result #2.1
    "#]]
    .assert_eq(&graph("app"));
    expect![[r#"
        #0 source docker-image://worker
        #1 source local://lib
        #2 source local://fixes
        #3 exec network=NONE
            arg /bin/sh
            arg -c
            arg set -eu
            cwd /
            mount / #0
            mount /work/src #1 [/lib]
            mount /work/patches/fixes #2 ro
            name Patch source lib for downloads
        #4 exec network=UNSET
            arg /bin/sh
            arg -c
            arg # Installs the packages of Node.js programs: nodemod.sh PATH...
            arg nodemod
            arg /.
            arg /web
            env npm_config_registry=http://r
            cwd /
            mount / #0
            mount /work/patched #3.1 [/lib]
            mount /work/src #1 [/lib]
            mount /run/secrets/dalec.ca-bundle secret dalec.ca-bundle
            name Install npm packages for source lib
        #5 result #4.2
    "#]]
    .assert_eq(&graph("lib"));
}

/// SRC-029: what the generators name, and what else is in the sources; nothing of what was downloaded beside them or into
/// them.
#[test]
fn python_packages_are_installed_for_the_sources_alone() {
    let mut spec = spec();
    let pip = |paths: &[&str]| {
        let paths = paths.iter().map(|path| (*path).to_owned()).collect();
        Some(Pip { paths, requirements_file: "needs.txt".into(), ..Pip::default() })
    };
    let generator = Generator { subpath: "cmd".into(), pip: pip(&[".", "a b"]), ..Generator::default() };
    spec.sources.get_mut("app").expect("it is there").generate.push(generator);
    let folder = tempfile::tempdir().expect("there is a place for temporary files");
    for name in [
        "app/cmd/needs.txt",
        "app/cmd/a b/needs.txt",
        "app/cmd/requirements.txt",
        "lib/pyproject.toml",
        "lib/node_modules/gyp/setup.py",
        "lib/site-packages/own/setup.py",
        "__gomods/example.org/m/requirements.txt",
        "xxxdalecGomodsInternal/example.org/m/setup.py",
        "__pipdeps/setup.py",
        "bin/python3",
    ] {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("it is in a folder")).expect("folders can be made");
        std::fs::write(path, "#!/bin/sh\necho \"$@\" >>called\n").expect("files can be written");
    }
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(folder.path().join("bin/python3"), open).expect("it is ours");
    let script = format!("set -e\n{}", pip::install(&spec, &mut Marks::default()));
    let mut shell = std::process::Command::new("/bin/sh");
    shell.args(["-c", &script]).current_dir(&folder).env("PIP_CACHE_DIR", folder.path().join("__pipdeps"));
    let ran = shell.env("PATH", format!("{}:/usr/bin:/bin", folder.path().join("bin").display())).output();
    let ran = ran.expect("a shell");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let called = std::fs::read_to_string(folder.path().join("called")).expect("pip was called");
    let called = called.replace(&folder.path().display().to_string(), "").replace("--target=", "\n");
    let called: Vec<&str> = called.lines().filter(|line| line.starts_with('/')).collect();
    expect![[r#"
        /app/cmd/./site-packages --requirement=/app/cmd/./needs.txt
        /app/cmd/a b/site-packages --requirement=/app/cmd/a b/needs.txt
        /./app/cmd/site-packages --requirement=./app/cmd/requirements.txt
        /./lib/site-packages /./lib"#]]
    .assert_eq(&called.join("\n"));
}
