//! The graph as others see it: its text, its bytes, and that both stay the same.

use std::sync::Arc;

use dalec_llb::{
    CacheSharing, Copy, Exec, File, ImageRef, Local, Location, Mount, Network, Platform, Position, Range,
    SourceMap, State, describe,
};
use expect_test::expect;

fn image() -> State {
    State::image(ImageRef { reference: "docker.io/library/debian:bookworm".into(), ..ImageRef::default() })
}

fn sample() -> State {
    let source =
        State::local(Local { name: "context".into(), include: vec!["*.c".into()], ..Local::default() });
    let tree = State::scratch().file(
        File::new("lay out")
            .mkdir("/src", 0o755, None)
            .mkfile("/src/run.sh", 0o755, None, "#!/bin/sh\nmake\n")
            .copy(&source, "/", "/src/", Copy { contents_only: true, ..Copy::default() }),
    );
    let built = image().run(
        Exec::shell("make\nmake install")
            .env("A", "b")
            .cwd("/src")
            .network(Network::None)
            .mount(Mount::bind("/src", &tree))
            .mount(Mount::cache("/cache", "c", CacheSharing::Locked))
            .mount(Mount::output("/out"))
            .name("build"),
    );
    State::merge(&[built.output("/out"), State::scratch(), State::diff(&image(), &built.root(), "")], "all")
}

#[test]
fn a_graph_reads_as_text() {
    expect![[r#"
        #0 source docker-image://docker.io/library/debian:bookworm
        #1 source local://context
            local.includepattern = ["*.c"]
        #2 file
            scratch mkdir 755 /src
            ^ mkfile 755 /src/run.sh
            | #!/bin/sh
            | make
            ^ copy #1:/ -> /src/
            name lay out
        #3 exec network=NONE
            arg /bin/sh
            arg -c
            arg make
            | make install
            env A=b
            cwd /src
            mount / #0
            mount /src #2
            mount /cache cache c LOCKED
            mount /out scratch
            name build
        #4 diff #0 #3
        #5 merge #3.2 #4
            name all
        #6 result #5
    "#]]
    .assert_eq(&describe(&sample().marshal(&Platform::linux("amd64"))));
}

#[test]
fn the_same_graph_gives_the_same_bytes() {
    let first = sample().marshal(&Platform::linux("amd64"));
    for _ in 0..25 {
        assert_eq!(sample().marshal(&Platform::linux("amd64")), first);
    }
    assert_ne!(sample().marshal(&Platform::linux("arm64")).def, first.def);
}

#[test]
fn scratch_is_an_empty_definition() {
    assert!(State::scratch().marshal(&Platform::linux("amd64")).def.is_empty());
    assert!(State::merge(&[State::scratch()], "").is_scratch());
}

#[test]
fn names_and_locations_stay_outside_the_digest() {
    let platform = Platform::linux("amd64");
    let at = |line| Position { line, character: 0 };
    let map = Arc::new(SourceMap {
        filename: "spec.yml".into(),
        language: "yaml".into(),
        data: b"name: x\n".to_vec(),
    });
    let location = Location { map, ranges: vec![Range { start: at(1), end: at(2) }] };
    let plain = image().run(Exec::shell("true")).root().marshal(&platform);
    let located = image().run(Exec::shell("true").name("words").at([location])).root().marshal(&platform);
    assert_eq!(plain.def, located.def);
    let source = located.source.expect("locations travel with the graph");
    assert_eq!(source.infos[0].filename, "spec.yml");
    assert_eq!(source.locations.len(), 1);
}

#[test]
fn a_foreign_graph_keeps_its_digests() {
    let platform = Platform::linux("amd64");
    let foreign = sample().marshal(&platform);
    let again = State::from_definition(&foreign).unwrap().marshal(&Platform::linux("arm64"));
    assert_eq!(again.def, foreign.def);
    let mut broken = foreign.clone();
    broken.def.remove(0);
    assert!(State::from_definition(&broken).is_err());
    broken.def[0] = vec![0xff];
    assert!(State::from_definition(&broken).is_err());
}

/// FE-016: BuildKit names vertices by the bytes that Go's library writes, which has fields of a one-of behind all others,
/// and finds source locations by that name.
#[test]
fn the_kind_of_an_op_is_encoded_last() {
    let definition = sample().marshal(&Platform::linux("amd64"));
    let (terminal, ops) = definition.def.split_last().unwrap();
    assert_eq!(fields(terminal), [1]);
    for op in ops {
        let fields = fields(op);
        let (kind, others) = fields.split_last().unwrap();
        assert!((2..=8).contains(kind), "{fields:?}");
        assert!(others.is_sorted() && others.iter().all(|field| [1, 10, 11].contains(field)), "{fields:?}");
    }
}

/// Returns the numbers of the fields of an encoded message whose fields all have a length.
fn fields(mut encoded: &[u8]) -> Vec<u32> {
    let mut fields = Vec::new();
    while !encoded.is_empty() {
        let (field, wire_type) = prost::encoding::decode_key(&mut encoded).unwrap();
        assert_eq!(wire_type, prost::encoding::WireType::LengthDelimited);
        let length = prost::encoding::decode_varint(&mut encoded).unwrap();
        encoded = &encoded[usize::try_from(length).unwrap()..];
        fields.push(field);
    }
    fields
}
