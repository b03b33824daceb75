//! What the views show of a fabricated build, with a fabricated clock.

use std::time::{Duration, SystemTime};

use bollard_buildkit_proto::pb;
use dalec_gateway::{Event, Excerpt, LogStream, VertexEvent, Warning};
use expect_test::{Expect, expect};

use super::model::Model;
use super::{Display, Options, View, json, plain, tty};
use crate::errors::SpecName;
use crate::terminal::Size;

/// 2026-01-02 03:04:05 UTC.
const START: Duration = Duration::from_secs(1_767_323_045);

fn at(millis: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + START + Duration::from_millis(millis)
}

fn vertex(digest: &str, group: &str, name: &str) -> VertexEvent {
    VertexEvent {
        digest: digest.into(),
        name: name.into(),
        group: group.into(),
        inputs: Vec::new(),
        started: None,
        completed: None,
        cached: false,
        error: None,
    }
}

fn waits(digest: &str, group: &str, name: &str) -> Event {
    Event::Vertex(vertex(digest, group, name))
}

fn starts(digest: &str, group: &str, name: &str, millis: u64) -> Event {
    Event::Vertex(VertexEvent { started: Some(at(millis)), ..vertex(digest, group, name) })
}

fn ends(digest: &str, group: &str, name: &str, from: u64, to: u64) -> Event {
    let times =
        VertexEvent { started: Some(at(from)), completed: Some(at(to)), ..vertex(digest, group, name) };
    Event::Vertex(times)
}

fn fails(digest: &str, group: &str, name: &str, from: u64, to: u64, error: &str) -> Event {
    match ends(digest, group, name, from, to) {
        Event::Vertex(vertex) => Event::Vertex(VertexEvent { error: Some(error.into()), ..vertex }),
        other => other,
    }
}

fn cached(digest: &str, group: &str, name: &str, millis: u64) -> Event {
    let vertex = vertex(digest, group, name);
    Event::Vertex(VertexEvent { completed: Some(at(millis)), cached: true, ..vertex })
}

fn log(digest: &str, stream: LogStream, data: &str, millis: u64) -> Event {
    Event::Log { vertex: digest.into(), stream, data: data.into(), at: at(millis) }
}

fn status(digest: &str, id: &str, current: u64, total: u64, millis: u64) -> Event {
    let completed = current == total;
    Event::Status { vertex: digest.into(), id: id.into(), current, total, at: at(millis), completed }
}

fn warning() -> Event {
    let data = "name: hello\nversion: 1.10\n".as_bytes().to_vec();
    let position = |character| Some(pb::Position { line: 2, character });
    Event::Warning(Warning {
        short: "the tests are skipped".into(),
        detail: vec!["DALEC_SKIP_TESTS is set".into()],
        excerpt: Some(Excerpt {
            info: pb::SourceInfo { filename: "hello.yml".into(), data, ..pb::SourceInfo::default() },
            ranges: vec![pb::Range { start: position(9), end: position(13) }],
        }),
    })
}

/// A build of which `bookworm/deb` would be proud: loads, downloads, compiles with colours, warns and fails.
fn build() -> Vec<Event> {
    const GROUP: &str = "Build the package";
    vec![
        starts("a", "", "[internal] load hello.yml", 0),
        ends("a", "", "[internal] load hello.yml", 0, 20),
        cached("b", "", "load debian:bookworm", 30),
        waits("d", GROUP, "make"),
        starts("c", "Prepare", "get build dependencies", 40),
        status("c", "download packages", 1_000_000, 40_000_000, 100),
        status("c", "download packages", 20_000_000, 40_000_000, 2_100),
        status("c", "download packages", 39_000_000, 40_000_000, 7_000),
        status("c", "download packages", 40_000_000, 40_000_000, 7_500),
        status("c", "unpack packages", 3, 93, 7_600),
        log("c", LogStream::Stdout, "Setting up gcc", 8_000),
        log("c", LogStream::Stdout, " (4:12.2.0-3) ...\r\nhalf", 8_010),
        warning(),
        ends("c", "Prepare", "get build dependencies", 40, 9_040),
        starts("d", GROUP, "make", 9_050),
        log("d", LogStream::Stderr, "\x1b[1mhello.c:1:\x1b[0m \x1b[2Jerror: \u{202e}oops\n", 9_500),
        log("d", LogStream::Stderr, "make: *** [all] Error 1\n", 9_550),
        fails("d", GROUP, "make", 9_050, 9_600, "exit code 2"),
        // Solved again for an export: found, but it did run.
        cached("c", "Prepare", "get build dependencies", 9_700),
    ]
}

fn spec() -> SpecName {
    SpecName { in_build: "hello.yml".into(), shown: "examples/hello.yml".into() }
}

fn show(view: &mut dyn View, model: &mut Model, events: &[Event], out: &mut String) {
    for event in events {
        view.event(event, out);
        for change in model.apply(event) {
            view.change(model, &change, out);
        }
    }
}

#[track_caller]
fn check(mut view: impl View, expected: &Expect) {
    let mut out = String::new();
    view.note("engine", "rootless, 65537 ids (newuidmap)", &mut out);
    show(&mut view, &mut Model::default(), &build(), &mut out);
    view.end(&mut out);
    expected.assert_eq(&out);
}

#[test]
fn plain_is_a_log_of_everything() {
    check(
        plain::Plain::new(spec()),
        &expect![[r#"
        engine: rootless, 65537 ids (newuidmap)
        #1 [internal] load hello.yml
        #1 DONE 0.0s
        #2 load debian:bookworm
        #2 CACHED
        #3 [Prepare] get build dependencies
        #3 download packages 1.0 MB / 40.0 MB
        #3 download packages 39.0 MB / 40.0 MB
        #3 download packages 40.0 MB done
        #3 unpack packages 3 / 93
        #3 7.97 Setting up gcc (4:12.2.0-3) ...
        warning: the tests are skipped
         --> examples/hello.yml:2:10
          |
        2 | version: 1.10
          |          ^^^^
          |
          = note: DALEC_SKIP_TESTS is set
        #3 9.00 half
        #3 DONE 9.0s
        #4 [Build the package] make
        #4 0.45 hello.c:1: error: oops
        #4 0.50 make: *** [all] Error 1
        #4 ERROR: exit code 2
    "#]],
    );
}

/// Neither in a line that nothing ends.
#[test]
fn numbers_of_places_are_not_shown() {
    let mut out = String::new();
    let events = [
        starts("a", "", "make", 0),
        log("a", LogStream::Stderr, "dalec: error: @1: step 1 failed\n", 10),
        log("a", LogStream::Stderr, "dalec: error: @2: step 2 failed", 20),
        ends("a", "", "make", 0, 30),
    ];
    show(&mut plain::Plain::new(spec()), &mut Model::default(), &events, &mut out);
    expect![[r#"
        #1 make
        #1 0.01 dalec: error: step 1 failed
        #1 0.03 dalec: error: step 2 failed
        #1 DONE 0.0s
    "#]]
    .assert_eq(&out);
}

#[test]
fn json_is_close_to_what_buildkit_writes() {
    check(
        json::Json,
        &expect![[r#"
        {"notes":[{"topic":"engine","text":"rootless, 65537 ids (newuidmap)"}]}
        {"vertexes":[{"digest":"a","inputs":[],"name":"[internal] load hello.yml","started":"2026-01-02T03:04:05Z"}]}
        {"vertexes":[{"digest":"a","inputs":[],"name":"[internal] load hello.yml","started":"2026-01-02T03:04:05Z","completed":"2026-01-02T03:04:05.02Z"}]}
        {"vertexes":[{"digest":"b","inputs":[],"name":"load debian:bookworm","completed":"2026-01-02T03:04:05.03Z","cached":true}]}
        {"vertexes":[{"digest":"d","inputs":[],"name":"make","progressGroup":{"id":"Build the package","name":"Build the package"}}]}
        {"vertexes":[{"digest":"c","inputs":[],"name":"get build dependencies","started":"2026-01-02T03:04:05.04Z","progressGroup":{"id":"Prepare","name":"Prepare"}}]}
        {"statuses":[{"id":"download packages","vertex":"c","current":1000000,"total":40000000,"timestamp":"2026-01-02T03:04:05.1Z"}]}
        {"statuses":[{"id":"download packages","vertex":"c","current":20000000,"total":40000000,"timestamp":"2026-01-02T03:04:07.1Z"}]}
        {"statuses":[{"id":"download packages","vertex":"c","current":39000000,"total":40000000,"timestamp":"2026-01-02T03:04:12Z"}]}
        {"statuses":[{"id":"download packages","vertex":"c","current":40000000,"total":40000000,"timestamp":"2026-01-02T03:04:12.5Z","completed":"2026-01-02T03:04:12.5Z"}]}
        {"statuses":[{"id":"unpack packages","vertex":"c","current":3,"total":93,"timestamp":"2026-01-02T03:04:12.6Z"}]}
        {"logs":[{"vertex":"c","stream":1,"data":"U2V0dGluZyB1cCBnY2M=","timestamp":"2026-01-02T03:04:13Z"}]}
        {"logs":[{"vertex":"c","stream":1,"data":"ICg0OjEyLjIuMC0zKSAuLi4NCmhhbGY=","timestamp":"2026-01-02T03:04:13.01Z"}]}
        {"warnings":[{"short":"dGhlIHRlc3RzIGFyZSBza2lwcGVk","detail":["REFMRUNfU0tJUF9URVNUUyBpcyBzZXQ="],"info":{"filename":"hello.yml"},"range":[{"start":{"line":2,"character":9},"end":{"line":2,"character":13}}]}]}
        {"vertexes":[{"digest":"c","inputs":[],"name":"get build dependencies","started":"2026-01-02T03:04:05.04Z","completed":"2026-01-02T03:04:14.04Z","progressGroup":{"id":"Prepare","name":"Prepare"}}]}
        {"vertexes":[{"digest":"d","inputs":[],"name":"make","started":"2026-01-02T03:04:14.05Z","progressGroup":{"id":"Build the package","name":"Build the package"}}]}
        {"logs":[{"vertex":"d","stream":2,"data":"G1sxbWhlbGxvLmM6MTobWzBtIBtbMkplcnJvcjog4oCub29wcwo=","timestamp":"2026-01-02T03:04:14.5Z"}]}
        {"logs":[{"vertex":"d","stream":2,"data":"bWFrZTogKioqIFthbGxdIEVycm9yIDEK","timestamp":"2026-01-02T03:04:14.55Z"}]}
        {"vertexes":[{"digest":"d","inputs":[],"name":"make","started":"2026-01-02T03:04:14.05Z","completed":"2026-01-02T03:04:14.6Z","error":"exit code 2","progressGroup":{"id":"Build the package","name":"Build the package"}}]}
        {"vertexes":[{"digest":"c","inputs":[],"name":"get build dependencies","completed":"2026-01-02T03:04:14.7Z","cached":true,"progressGroup":{"id":"Prepare","name":"Prepare"}}]}
    "#]],
    );
}

/// Returns what is on the screen of a terminal that was sent `text`; understands what [`tty`] uses.
fn screen(text: &str) -> String {
    let mut lines = vec![String::new()];
    let mut row = 0;
    let mut rest = text;
    while let Some(char) = rest.chars().next() {
        if let Some(sequence) = rest.strip_prefix("\x1b[") {
            let end = sequence.find(|char: char| char.is_ascii_alphabetic()).expect("a complete sequence");
            match &sequence[end..=end] {
                "A" => row -= sequence[..end].parse::<usize>().expect("a number of lines"),
                "J" => lines.truncate(row),
                _ => {}
            }
            rest = &sequence[end + 1..];
            lines.resize_with(lines.len().max(row + 1), String::new);
            continue;
        }
        match char {
            '\n' => {
                row += 1;
                lines.resize_with(lines.len().max(row + 1), String::new);
                lines[row].clear();
            }
            '\r' => lines[row].clear(),
            char => lines[row].push(char),
        }
        rest = &rest[char.len_utf8()..];
    }
    let lines: Vec<&str> = lines.iter().map(|line| line.trim_end()).collect();
    lines.join("\n")
}

struct Terminal {
    view: tty::Tty,
    model: Model,
    out: String,
}

impl Terminal {
    fn new(color: bool) -> Self {
        let options = Options { title: "bookworm/deb".into(), color, spec: spec(), ..Options::default() };
        Self { view: tty::Tty::new(options, at(0)), model: Model::default(), out: String::new() }
    }

    fn show(&mut self, events: &[Event]) {
        show(&mut self.view, &mut self.model, events, &mut self.out);
    }

    fn frame(&mut self, millis: u64) -> String {
        self.view.frame(&self.model, at(millis), Size { width: 60, height: 16 }, &mut self.out);
        screen(&self.out)
    }

    fn end(mut self) -> String {
        self.view.end(&mut self.out);
        self.out
    }
}

#[test]
fn a_terminal_shows_what_runs_and_what_is_done() {
    let events = build();
    let mut terminal = Terminal::new(false);
    terminal.view.note("engine", "root", &mut String::new());
    terminal.show(&events[..5]);
    assert_eq!(terminal.frame(149), "", "nothing appears in the first moment");
    terminal.show(&events[5..7]);
    expect![[r#"
          engine: root
        ✓ load debian:bookworm  CACHED
        bookworm/deb 2 of 4 steps done, 1 cached               2.2s
        Prepare                                                2.1s
          ⠋ get build dependencies                             2.1s
              download packages  20.0 MB / 40.0 MB  9.5 MB/s
    "#]]
    .assert_eq(&terminal.frame(2_200));
    terminal.show(&events[7..13]);
    expect![[r#"
          engine: root
        ✓ load debian:bookworm  CACHED
        warning: the tests are skipped
         --> examples/hello.yml:2:10
          |
        2 | version: 1.10
          |          ^^^^
          |
          = note: DALEC_SKIP_TESTS is set
        bookworm/deb 2 of 4 steps done, 1 cached               8.1s
        Prepare                                                8.0s
          ⠙ get build dependencies                             8.0s
              unpack packages  3 / 93
              │ Setting up gcc (4:12.2.0-3) ...
    "#]]
    .assert_eq(&terminal.frame(8_100));
    terminal.show(&events[13..]);
    expect![[r#"
          engine: root
        ✓ load debian:bookworm  CACHED
        warning: the tests are skipped
         --> examples/hello.yml:2:10
          |
        2 | version: 1.10
          |          ^^^^
          |
          = note: DALEC_SKIP_TESTS is set
        ✓ [Prepare] get build dependencies  9.0s
        ✗ [Build the package] make  exit code 2
        bookworm/deb 4 of 4 steps done, 1 cached               9.8s
    "#]]
    .assert_eq(&terminal.frame(9_800));
    expect![[r#"
          engine: root
        ✓ load debian:bookworm  CACHED
        warning: the tests are skipped
         --> examples/hello.yml:2:10
          |
        2 | version: 1.10
          |          ^^^^
          |
          = note: DALEC_SKIP_TESTS is set
        ✓ [Prepare] get build dependencies  9.0s
        ✗ [Build the package] make  exit code 2
    "#]]
    .assert_eq(&screen(&terminal.end()));
}

#[test]
fn a_build_that_finds_everything_shows_nothing() {
    let mut terminal = Terminal::new(true);
    terminal.view.note("engine", "root", &mut String::new());
    terminal.show(&[cached("a", "", "one", 1), cached("b", "", "two", 2)]);
    terminal.frame(20);
    assert_eq!(terminal.end(), "");
}

#[test]
fn a_warning_is_shown_even_when_nothing_else_is() {
    let mut terminal = Terminal::new(false);
    terminal.show(&[warning()]);
    assert!(terminal.end().starts_with("warning: the tests are skipped\n --> examples/hello.yml:2:10\n"));
}

#[test]
fn the_terminal_is_left_as_it_was() {
    let mut terminal = Terminal::new(true);
    terminal.show(&build()[..6]);
    terminal.frame(200);
    let out = terminal.end();
    assert!(out.contains("\x1b[?25l") && out.ends_with("\x1b[?25h"), "{out:?}");
    assert!(out.contains("\x1b[?7l") && out.contains("\x1b[?7h"), "{out:?}");
    assert_eq!(out.matches("\x1b[?2026h").count(), out.matches("\x1b[?2026l").count());
}

#[test]
fn a_frame_fits_the_terminal_however_much_runs() {
    let mut terminal = Terminal::new(false);
    let many: Vec<Event> = (0..40)
        .flat_map(|number| {
            let digest = number.to_string();
            let name = format!("a step with quite a long name that does not fit the line {number}");
            [starts(&digest, "Many", &name, 0), log(&digest, LogStream::Stdout, "a line\n", 10)]
        })
        .collect();
    terminal.show(&many);
    let screen = terminal.frame(1_000);
    assert!(screen.lines().count() <= 15, "{screen}");
    assert!(screen.lines().all(|line| line.chars().count() <= 60), "{screen}");
    expect!["  … 29 more lines"].assert_eq(screen.lines().last().unwrap());
}

#[test]
fn many_downloads_become_one_line() {
    let mut terminal = Terminal::new(false);
    let mut events = vec![starts("a", "", "fetch", 0)];
    events.extend((0..9).map(|number| status("a", &format!("layer {number}"), 0, 1_000_000, 0)));
    events.extend(
        (0..9).map(|number| status("a", &format!("layer {number}"), 125_000 * number, 1_000_000, 1_000)),
    );
    terminal.show(&events);
    expect![[r#"
        bookworm/deb 0 of 1 steps done                         2.0s
        ⠋ fetch                                                2.0s
            1 of 9 done  4.5 MB / 9.0 MB  2.2 MB/s
    "#]]
    .assert_eq(&terminal.frame(2_000));
}

/// What the thread that waits for signals says must not keep it from seeing the next one.
#[test]
fn a_note_that_may_not_wait_is_left_out_when_the_output_is_blocked() {
    let (messages, unread) = std::sync::mpsc::sync_channel(1);
    let display = Display { messages, thread: std::sync::Mutex::new(None) };
    display.try_note("stopping", "once");
    display.try_note("stopping", "twice");
    assert_eq!(unread.try_iter().count(), 1);
}
