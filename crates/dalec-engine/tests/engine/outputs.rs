//! Reading results and writing them out.

use std::io::{Read, Write};
use std::sync::{Arc, Mutex};

use dalec_engine::{Engine, Export};
use dalec_gateway::{BuildOptions, FileRange, Gateway, GatewayError, SolveRequest};

use crate::graph::{link, mkdir, mkfile};
use crate::world::{Built, Case, World, cases, definition};

pub const CASES: &[(&str, Case)] = cases![
    results_are_read_without_building_more_than_needed,
    several_platforms_get_directories,
    an_archive_is_the_same_every_time,
    the_frontend_is_an_image_with_one_file,
    a_file_by_url_is_fetched_once,
    files_by_url_are_told_apart,
];

fn results_are_read_without_building_more_than_needed(world: &World) {
    let engine = world.engine();
    let session = engine.session(BuildOptions::default());
    let request = |evaluate| SolveRequest {
        definition: definition(|graph| {
            graph.file(
                None,
                None,
                vec![mkdir("/d", 0o755), mkfile("/d/f", 0o640, "text"), link("d/f", "/l"), link("/d", "/dl")],
            )
        }),
        evaluate,
    };
    let reference = session.solve(request(false)).unwrap().unwrap();
    assert_eq!(engine.stats().ops_run, 0);
    assert_eq!(session.read_file(&reference, "/l", None).unwrap(), b"text");
    let part = |offset, length| {
        let range = Some(FileRange { offset, length });
        session.read_file(&reference, "/l", range).unwrap()
    };
    assert_eq!((part(1, 2), part(3, 10), part(9, 1)), (b"ex".to_vec(), b"t".to_vec(), Vec::new()));
    assert_eq!(session.definition(&reference).unwrap(), request(false).definition);
    assert_eq!(session.read_file(&reference, "dl/f", None).unwrap(), b"text");
    let link = session.stat_file(&reference, "/l").unwrap();
    assert_eq!((link.name.as_str(), link.link.as_str(), link.mode >> 12), ("l", "d/f", 0o12));
    let names: Vec<_> =
        session.read_dir(&reference, "/").unwrap().into_iter().map(|stat| stat.name).collect();
    assert_eq!(names, ["d", "dl", "l"]);
    for path in ["/none", "/d/f/none"] {
        match session.read_file(&reference, path, None) {
            Err(GatewayError::NotFound { path: named }) => assert_eq!(named, path),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(engine.stats().ops_run, 1);
    let empty = SolveRequest { definition: Default::default(), evaluate: true };
    assert_eq!(session.solve(empty).unwrap(), None);
}

fn several_platforms_get_directories(world: &World) {
    let built = world.build(|graph| graph.file(None, None, vec![mkfile("/f", 0o644, "x")]));
    let dest = world.path("out");
    let results =
        [("linux/amd64".to_owned(), Some(built.reference.clone())), ("linux/arm/v7".to_owned(), None)];
    let summary = built.engine.export(&results, Export::Local { dest: dest.clone() }).unwrap();
    assert_eq!(summary.files, [std::path::PathBuf::from("linux_amd64/f")]);
    assert!(dest.join("linux_arm_v7").is_dir());
    let again = built.engine.export(&results, Export::Local { dest }).unwrap();
    assert_eq!(again.written, 0);
}

#[derive(Clone, Default)]
struct Bytes(Arc<Mutex<Vec<u8>>>);

impl Write for Bytes {
    fn write(&mut self, data: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(data);
        Ok(data.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn archive(built: &Built) -> Vec<u8> {
    let bytes = Bytes::default();
    let results = [(String::new(), Some(built.reference.clone()))];
    built.engine.export(&results, Export::Tar { writer: Box::new(bytes.clone()) }).unwrap();
    let bytes = bytes.0.lock().unwrap();
    bytes.clone()
}

fn an_archive_is_the_same_every_time(world: &World) {
    let build = || {
        world.build(|graph| {
            let base = graph.base();
            let commands = ["mkdir=/d", "write=/d/f=x", "hardlink=/d/f=/d/g", "symlink=d=/s"];
            let node = graph.run(&base, &commands);
            graph.diff(&base, &node)
        })
    };
    let first = archive(&build());
    std::fs::rename(world.path("state"), world.path("other")).unwrap();
    assert_eq!(first, archive(&build()));
    let mut archive = tar::Archive::new(first.as_slice());
    let entries = archive.entries().unwrap().map(|entry| {
        let entry = entry.unwrap();
        (
            entry.path().unwrap().display().to_string(),
            entry.header().entry_type(),
            entry.header().mtime().unwrap(),
        )
    });
    let entries: Vec<_> = entries.collect();
    let names: Vec<_> = entries.iter().map(|(name, ..)| name.trim_end_matches('/')).collect();
    assert_eq!(names, ["d", "d/f", "d/g", "s"]);
    assert_eq!(entries[2].1, tar::EntryType::Link);
    assert!(entries.iter().all(|(.., mtime)| *mtime == dalec_engine::CONSTANT_MTIME as u64));
}

fn the_frontend_is_an_image_with_one_file(world: &World) {
    world.write("bin/front[end]", "program");
    let mut options = world.options();
    options.frontend = Some(world.path("bin/front[end]"));
    let engine = Engine::new(options).unwrap();
    let session = engine.session(BuildOptions::default());
    let definition = session.frontend_image().unwrap();
    let reference = session.solve(SolveRequest { definition, evaluate: true }).unwrap().unwrap();
    assert_eq!(session.read_file(&reference, "/frontend", None).unwrap(), b"program");
    assert_eq!(session.stat_file(&reference, "/frontend").unwrap().mode & 0o777, 0o755);
    assert_eq!(session.read_dir(&reference, "/").unwrap().len(), 1);
    let without = world.engine();
    assert!(without.session(BuildOptions::default()).frontend_image().is_err());
}

fn a_file_by_url_is_fetched_once(world: &World) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/dir/file.txt", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = [0; 4096];
        let length = stream.read(&mut request).unwrap();
        assert!(request[..length].starts_with(b"GET /dir/file.txt "));
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello").unwrap();
    });
    let checksum = "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
    let build = |checksum: &str| {
        let attrs = [("http.checksum", checksum), ("http.filename", "named"), ("http.perm", "0755")];
        Built::new(world.engine(), |graph| graph.source(&url, &attrs))
    };
    let built = build(checksum).unwrap();
    assert_eq!((built.read("/named").as_str(), built.mode("/named")), ("hello", 0o755));
    server.join().unwrap();
    // The server is gone.
    assert_eq!(build(checksum).unwrap().stats().ops_run, 0);
}

/// Answers every request with its path, and each with the next one of some names for the file; the last one stays.
fn echo_server(names: &'static [&str]) -> std::net::SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    // Ends with the tests.
    std::thread::spawn(move || {
        for (turn, stream) in listener.incoming().enumerate() {
            let mut stream = stream.unwrap();
            let mut request = [0; 4096];
            let length = stream.read(&mut request).unwrap();
            let path = String::from_utf8_lossy(&request[..length]).split(' ').nth(1).unwrap().to_owned();
            let name = names.get(turn).or(names.last()).unwrap();
            let (length, name) = (path.len(), format!("Content-Disposition: attachment; filename={name}"));
            let head = format!("HTTP/1.1 200 OK\r\n{name}\r\nContent-Length: {length}\r\nConnection: close");
            stream.write_all(format!("{head}\r\n\r\n{path}").as_bytes()).unwrap();
        }
    });
    address
}

fn files_by_url_are_told_apart(world: &World) {
    // A checksum that says nothing is none.
    let address = echo_server(&["x"]);
    for path in ["/one", "/other"] {
        let attrs = [("http.checksum", ""), ("http.filename", "file")];
        let built = world.build(|graph| graph.source(&format!("http://{address}{path}"), &attrs));
        assert_eq!(built.read("/file"), path);
    }
    // What the server calls its file counts.
    let address = echo_server(&["one", "other"]);
    for name in ["one", "other"] {
        let built = world.build(|graph| graph.source(&format!("http://{address}/named"), &[]));
        assert_eq!(built.names("/"), [name]);
    }
}
