//! npm packages in RPM packages, installed into sources for builds that have no network.

use std::fs;
use std::process::Command;

use dalec_e2e::engine::Engine;
use dalec_e2e::node::{project, registry};
use dalec_e2e::on_both_engines;
use dalec_e2e::rpm_world;

use crate::specs::build;
use crate::upstream::TOOLCHAINS;

on_both_engines!(root: packages_are_in_the_source);

/// SRC-016, SRC-030, SRC-033, RPM-013: they are a part of the source that asks for them, but for what a build leaves out of
/// all sources; without an npm there is nothing.
fn packages_are_in_the_source(engine: Engine) {
    let server = registry();
    let project = project(&server.url(""));
    let spec = fs::read_to_string(project.path("spec.yml")).unwrap();
    let with = |dependencies: &str| spec.replace("  build: [npm]", dependencies);
    project.write("spec.yml", with(&format!("  build: [npm]\n  extra_repos:{TOOLCHAINS}")));
    let build = |route| {
        let build = build(engine, &project, route);
        build.arg(format!("--build-context=toolchains={}", rpm_world::npm().display()))
    };
    build("azlinux3/rpm").succeeds();
    project.output("-1.azl3.x86_64.rpm");
    project.write("options/filter.yml", "global_excludes: ['**/README.md']\n");
    let filter = [
        "--build-arg=DALEC_SOURCE_FILTER_CONFIG_PATH=filter.yml",
        "--build-context=dalec-source-options=options",
    ];
    for (flags, files) in [(&[][..], &["README.md", "index.js"][..]), (&filter, &["index.js"])] {
        build("azlinux3/rpm/debug/sources").args(flags).succeeds();
        let tar = Command::new("tar").arg("-tf").arg(project.output("src.tar.gz")).output().unwrap();
        let listed = String::from_utf8(tar.stdout).unwrap();
        let folder = "./src/web/node_modules/is-number/";
        let mut found: Vec<&str> = listed.lines().filter_map(|name| name.strip_prefix(folder)).collect();
        found.retain(|name| ["README.md", "index.js"].contains(name));
        found.sort_unstable();
        assert_eq!(found, files, "{listed}");
    }
    project.write("spec.yml", with("  build: [make]"));
    // Of what our image says there BuildKit's client knows no more than that it failed.
    let code = if engine == Engine::Inside { 1 } else { 2 };
    build("azlinux3/rpm/debug/sources").fails(code).says(&["- subpath: web", "add `npm`"]);
}
