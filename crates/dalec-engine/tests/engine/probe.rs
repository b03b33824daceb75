//! The program inside: does small things to files, one `name=argument[=argument]` each.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::ExitCode;

pub fn main(commands: &[&str]) -> ExitCode {
    for command in commands {
        let mut parts = command.splitn(3, '=');
        let (name, first, second) =
            (parts.next().unwrap_or(""), parts.next().unwrap_or(""), parts.next().unwrap_or(""));
        if name == "exit" {
            return ExitCode::from(first.parse::<u8>().expect("a status"));
        }
        if let Err(error) = run(name, first, second) {
            eprintln!("{command}: {error}");
            return ExitCode::from(100);
        }
    }
    ExitCode::SUCCESS
}

fn run(name: &str, first: &str, second: &str) -> std::io::Result<()> {
    match name {
        "write" => fs::write(first, second),
        "append" => {
            let old = fs::read_to_string(first).unwrap_or_default();
            fs::write(first, old + second)
        }
        "copy" => fs::copy(first, second).map(drop),
        "mkdir" => fs::create_dir_all(first),
        "remove" => fs::remove_file(first).or_else(|_| fs::remove_dir_all(first)),
        "rename" => fs::rename(first, second),
        "hardlink" => fs::hard_link(first, second),
        "symlink" => symlink(first, second),
        "chmod" => {
            let mode = u32::from_str_radix(second, 8).expect("octal bits");
            fs::set_permissions(first, fs::Permissions::from_mode(mode))
        }
        "chown" => {
            let id = second.parse().expect("an id");
            std::os::unix::fs::chown(first, Some(id), Some(id))
        }
        "say" => {
            println!("{first}");
            Ok(())
        }
        "complain" => {
            eprintln!("{first}");
            Ok(())
        }
        "cat" => {
            print!("{}", fs::read_to_string(first)?);
            Ok(())
        }
        "length" => fs::write(second, format!("{} bytes\n", fs::read(first)?.len())),
        "echo" => std::io::copy(&mut std::io::stdin(), &mut std::io::stdout()).map(drop),
        "print-env" => {
            println!("{} letters", std::env::var(first).unwrap_or_default().len());
            Ok(())
        }
        "pause" => {
            std::thread::park();
            Ok(())
        }
        // Keeps a lock as long as it lives, and waits until nobody has it.
        "lock" => {
            let file = fs::File::create(first)?;
            file.lock()?;
            println!("ready");
            loop {
                std::thread::park();
            }
        }
        "locked" => {
            fs::File::open(first)?.lock()?;
            println!("free");
            Ok(())
        }
        "columns" => {
            // The size is set by another message than the one that starts this process.
            while rustix::termios::tcgetwinsize(rustix::stdio::stdout())?.ws_col != 99 {
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
            println!("99 columns");
            Ok(())
        }
        "ask-agent" => {
            use std::io::{Read, Write};
            let mut agent = std::os::unix::net::UnixStream::connect(first)?;
            // Lists keys, then tries to remove them all.
            agent.write_all(&[0, 0, 0, 1, 11, 0, 0, 0, 1, 19])?;
            let mut answers = [0; 14];
            agent.read_exact(&mut answers)?;
            println!("{answers:?}");
            Ok(())
        }
        "env" => fs::write(second, std::env::var(first).unwrap_or_default()),
        "tree" => fs::write(second, listing(Path::new(first))),
        "absent" => match fs::symlink_metadata(first) {
            Ok(_) => Err(std::io::Error::other("it is there")),
            Err(_) => Ok(()),
        },
        "refused" => match fs::write(first, "x") {
            Ok(()) => Err(std::io::Error::other("it was written")),
            Err(_) => Ok(()),
        },
        "wait" => wait_for(Path::new(first)),
        "fill" => fs::write(first, vec![b'x'; second.parse::<usize>().expect("bytes")]),
        "forever" => loop {
            std::thread::park();
        },
        _ => Err(std::io::Error::other("unknown command")),
    }
}

/// Waits for another process to make a file; gives up in the end, for a test should fail, not hang.
fn wait_for(path: &Path) -> std::io::Result<()> {
    let started = std::time::Instant::now();
    while !path.exists() {
        if started.elapsed().as_secs() > 20 {
            return Err(std::io::Error::other("nobody made it"));
        }
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    Ok(())
}

/// Returns what is below `dir`: one line for each file, with everything that a layer must keep.
pub fn listing(dir: &Path) -> String {
    let mut lines = Vec::new();
    collect(dir, Path::new(""), &mut lines);
    lines.sort();
    lines.join("\n")
}

fn collect(top: &Path, path: &Path, lines: &mut Vec<String>) {
    for entry in fs::read_dir(top.join(path)).expect("list a directory") {
        let path = path.join(entry.expect("an entry").file_name());
        let full = top.join(&path);
        let meta = fs::symlink_metadata(&full).expect("look at a file");
        let shown = path.display();
        let rest = if meta.is_dir() {
            collect(top, &path, lines);
            "dir".to_owned()
        } else if meta.is_symlink() {
            format!("-> {}", fs::read_link(&full).expect("read a link").display())
        } else {
            format!("{:?}", fs::read_to_string(&full).unwrap_or_default())
        };
        let mode = if meta.is_symlink() { 0o777 } else { meta.mode() & 0o7777 };
        lines.push(format!("{shown} {mode:o} {}:{} {rest}", meta.uid(), meta.gid()));
    }
}
