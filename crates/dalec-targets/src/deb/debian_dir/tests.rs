//! The directory as a whole.

use std::sync::Arc;

use dalec_llb::{Platform, ProgressGroup, SourceMap, describe};
use expect_test::expect;

use super::*;
use crate::deb::distro::find;
use crate::fixture::{inline_dir, spec};

fn rendered(spec: &TargetSpec) -> DebianDir {
    let distro = find("bookworm").expect("known");
    let names = Names::new(spec, distro).expect("valid");
    render(spec, distro, &names).expect("valid")
}

/// What is in the directory, without the texts.
#[test]
fn files_and_modes() {
    let mut spec = spec();
    spec.sources.insert("app".into(), inline_dir(&[("a", 0o644)]));
    spec.sources.insert("fixes".into(), inline_dir(&[("x.patch", 0o644)]));
    let patch = dalec_spec::target_spec::Patch {
        source: "fixes".into(),
        path: "x.patch".into(),
        strip: 1,
        span: dalec_spec::span::Span::new(1, 2),
    };
    spec.patches.insert("app".into(), vec![patch]);
    spec.artifacts.users = vec!["ann".into()];
    spec.artifacts.systemd.units = [("app/a.service".to_owned(), Default::default())].into();
    let dir = rendered(&spec);
    let graph = describe(&dir.state(&ProgressGroup::new("sources")).marshal(&Platform::linux("amd64")));
    let names: String =
        graph.lines().filter(|line| !line.starts_with("    |")).map(|line| format!("{line}\n")).collect();
    expect![[r#"
        #0 file
            scratch mkdir 755 /debian
            ^ mkfile 644 /debian/changelog
            ^ mkfile 640 /debian/control
            ^ mkfile 644 /debian/copyright
            ^ mkdir 755 /debian/dalec
            ^ mkfile 700 /debian/dalec/build.sh
            ^ mkfile 700 /debian/dalec/patch.sh
            ^ mkdir 755 /debian/dalec/patches/app
            ^ mkfile 644 /debian/dalec/patches/app/series
            ^ symlink /debian/hello.a.service -> ../app/a.service
            ^ mkfile 700 /debian/hello.install
            ^ mkfile 700 /debian/postinst
            ^ mkfile 700 /debian/rules
            ^ mkdir 755 /debian/source
            ^ mkfile 640 /debian/source/format
            ^ mkfile 640 /debian/source/include-binaries
            name Write packaging files
        #1 result #0
    "#]]
    .assert_eq(&names);
}

/// Lines of the spec are known to the graph alone: moving text in the spec changes no file.
#[test]
fn places_are_not_in_files() {
    let mut spec = spec();
    spec.build.steps = vec![dalec_spec::target_spec::BuildStep {
        command: "true".into(),
        env: Default::default(),
        span: dalec_spec::span::Span::new(4, 8),
        ..Default::default()
    }];
    let before = rendered(&spec);
    spec.build.steps[0].span = dalec_spec::span::Span::new(14, 18);
    let after = rendered(&spec);
    assert_eq!(before.entries, after.entries);
    let source_map =
        Arc::new(SourceMap { filename: "spec.yml".into(), language: "yaml".into(), data: vec![b'x'; 20] });
    assert_ne!(before.build_marks.location(&source_map), after.build_marks.location(&source_map));
}
