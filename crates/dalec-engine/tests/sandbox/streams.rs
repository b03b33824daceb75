//! Standard streams that are not the usual ones, and signals.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::OwnedFd;

use dalec_engine::sandbox::{ExitStatus, Streams, Terminal, resize};

use crate::world::{Case, World, cases};

pub const ALL: &[(&str, Case)] = cases![
    input_is_passed_on_to_the_command_alone,
    signals_reach_the_command,
    a_terminal_controls_the_command,
];

fn input_is_passed_on_to_the_command_alone(world: &World) {
    let root = world.root();
    let (reader, writer) = std::io::pipe().unwrap();
    let spec = world.spec(&root, &["stdin"]);
    let mut sandbox = world.launcher.spawn_on(&spec, Streams::Input(OwnedFd::from(reader))).unwrap();
    let mut writer = File::from(OwnedFd::from(writer));
    writer.write_all(b"twelve bytes").unwrap();
    drop(writer);
    let mut stdout = String::new();
    sandbox.stdout().unwrap().read_to_string(&mut stdout).unwrap();
    assert_eq!((stdout.as_str(), sandbox.wait().unwrap()), ("12\n", ExitStatus::Code(0)));

    // Who writes to a command that reads no more is told, although others of the sandbox still live.
    let (reader, writer) = std::io::pipe().unwrap();
    let spec = world.spec(&root, &["close-stdin", "pause"]);
    let mut sandbox = world.launcher.spawn_on(&spec, Streams::Input(OwnedFd::from(reader))).unwrap();
    let mut stdout = BufReader::new(sandbox.stdout().unwrap());
    stdout.read_line(&mut String::new()).unwrap();
    let error = File::from(OwnedFd::from(writer)).write_all(b"x").unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::BrokenPipe);
}

fn signals_reach_the_command(world: &World) {
    for number in [15, 9] {
        let root = world.root();
        let mut sandbox = world.spawn(&world.spec(&root, &["pause"])).unwrap();
        let mut stdout = BufReader::new(sandbox.stdout().unwrap());
        stdout.read_line(&mut String::new()).unwrap();
        let signaller = sandbox.signaller();
        // Asks whether it is there, and changes nothing.
        signaller.send(0);
        signaller.send(number);
        assert_eq!(sandbox.wait().unwrap(), ExitStatus::Signal(i32::from(number)));
        signaller.send(number);
    }
}

fn a_terminal_controls_the_command(world: &World) {
    let root = world.root();
    let Terminal { mut near, far } = Terminal::open().unwrap();
    resize(&near, 33, 77).unwrap();
    let spec = world.spec(&root, &["terminal"]);
    let mut sandbox = world.launcher.spawn_on(&spec, Streams::Terminal(far)).unwrap();
    assert!(sandbox.stdout().is_none());
    let mut shown = Vec::new();
    // A terminal that nobody runs on any more gives an error instead of an end.
    let _ = near.read_to_end(&mut shown);
    assert_eq!(String::from_utf8(shown).unwrap(), "33 rows, 77 columns, its own terminal\r\n");
    assert_eq!(sandbox.wait().unwrap(), ExitStatus::Code(0));
}
