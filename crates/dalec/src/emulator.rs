//! Whether the kernel runs programs for another processor: found out by running one, for its list of emulators
//! (`binfmt_misc`) is not to be seen in every container.

use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::Command;
use std::thread;

use rustix::thread::UnshareFlags;

/// A processor, with a program for it that does nothing.
struct Processor {
    /// What images call it.
    architecture: &'static str,
    is_wide: bool,
    is_big_endian: bool,
    /// What ELF calls it, and what it has to say of it besides.
    machine: u16,
    flags: u32,
    /// Ends the process with 0.
    code: &'static [u8],
}

const PROCESSORS: &[Processor] = &[
    little("386", false, 3, 0, &[0x31, 0xdb, 0xb8, 1, 0, 0, 0, 0xcd, 0x80]),
    little("amd64", true, 62, 0, &[0x31, 0xff, 0xb8, 60, 0, 0, 0, 0x0f, 0x05]),
    little("arm", false, 40, 0x0500_0000, &[1, 0x70, 0xa0, 0xe3, 0, 0, 0xa0, 0xe3, 0, 0, 0, 0xef]),
    little("arm64", true, 183, 0, &[0xa8, 0x0b, 0x80, 0xd2, 0, 0, 0x80, 0xd2, 1, 0, 0, 0xd4]),
    little("loong64", true, 258, 0x43, &[0x0b, 0x74, 0x81, 3, 4, 0, 0x80, 3, 0, 0, 0x2b, 0]),
    little("mips64le", true, 8, 0x6000_0000, &[0xc2, 0x13, 2, 0x24, 0, 0, 4, 0x24, 0x0c, 0, 0, 0]),
    little("ppc64le", true, 21, 2, &[1, 0, 0, 0x38, 0, 0, 0x60, 0x38, 2, 0, 0, 0x44]),
    little("riscv64", true, 243, 0, &[0x93, 8, 0xd0, 5, 0x13, 5, 0, 0, 0x73, 0, 0, 0]),
    Processor {
        is_big_endian: true,
        ..little("s390x", true, 22, 0, &[0xa7, 0x19, 0, 1, 0xa7, 0x29, 0, 0, 0x0a, 1])
    },
];

const fn little(
    architecture: &'static str,
    is_wide: bool,
    machine: u16,
    flags: u32,
    code: &'static [u8],
) -> Processor {
    Processor { architecture, is_wide, is_big_endian: false, machine, flags, code }
}

/// Returns whether programs for `architecture`, as images call it, run in a root file system that holds nothing else; not
/// for one that is not known. It must be allowed to change its root.
pub fn runs(architecture: &str) -> bool {
    let processor = PROCESSORS.iter().find(|processor| processor.architecture == architecture);
    processor.is_some_and(|processor| try_to_run(&processor.program()).unwrap_or(false))
}

/// Runs `program` where there is nothing else: an emulator counts that the kernel keeps open.
fn try_to_run(program: &[u8]) -> io::Result<bool> {
    let folder = tempfile::tempdir()?;
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(0o755).open(folder.path().join("program"))?;
    io::Write::write_all(&mut file, program)?;
    drop(file);
    let run = || -> io::Result<bool> {
        enter(folder.path())?;
        Ok(Command::new("/program").env_clear().status()?.success())
    };
    // A root file system of its own is a matter of threads, and this one ends.
    thread::scope(|scope| scope.spawn(run).join().unwrap_or(Ok(false)))
}

/// Makes `folder` the root of this thread.
fn enter(folder: &Path) -> io::Result<()> {
    // SAFETY: the descriptor table stays shared; what this thread has of its own is where paths start.
    unsafe { rustix::thread::unshare_unsafe(UnshareFlags::FS) }?;
    rustix::process::chroot(folder)?;
    rustix::process::chdir("/")?;
    Ok(())
}

impl Processor {
    /// Returns a program of one segment that ends at once.
    fn program(&self) -> Vec<u8> {
        const ADDRESS: u64 = 0x40_0000;
        let (header, segment): (u16, u16) = if self.is_wide { (64, 56) } else { (52, 32) };
        let start = u64::from(header + segment);
        let size = start + self.code.len() as u64;
        let mut elf = Elf { bytes: Vec::new(), is_wide: self.is_wide, is_big_endian: self.is_big_endian };
        elf.bytes.extend_from_slice(b"\x7fELF");
        elf.bytes.extend([1 + u8::from(self.is_wide), 1 + u8::from(self.is_big_endian), 1]);
        elf.bytes.resize(16, 0);
        elf.half(2);
        elf.half(self.machine);
        elf.word(1);
        for value in [ADDRESS + start, u64::from(header), 0] {
            elf.address(value);
        }
        elf.word(self.flags);
        for value in [header, segment, 1, 0, 0, 0] {
            elf.half(value);
        }
        // Loaded whole, to be read and run.
        elf.word(1);
        if self.is_wide {
            elf.word(5);
        }
        for value in [0, ADDRESS, ADDRESS, size, size] {
            elf.address(value);
        }
        if !self.is_wide {
            elf.word(5);
        }
        elf.address(0x1_0000);
        elf.bytes.extend_from_slice(self.code);
        elf.bytes
    }
}

/// An ELF file that is being written.
struct Elf {
    bytes: Vec<u8>,
    is_wide: bool,
    is_big_endian: bool,
}

impl Elf {
    fn half(&mut self, value: u16) {
        self.bytes.extend(if self.is_big_endian { value.to_be_bytes() } else { value.to_le_bytes() });
    }

    fn word(&mut self, value: u32) {
        self.bytes.extend(if self.is_big_endian { value.to_be_bytes() } else { value.to_le_bytes() });
    }

    /// Writes a number as wide as an address.
    fn address(&mut self, value: u64) {
        let bytes = if self.is_big_endian { value.to_be_bytes() } else { value.to_le_bytes() };
        match (self.is_wide, self.is_big_endian) {
            (true, _) => self.bytes.extend(bytes),
            (false, true) => self.bytes.extend(&bytes[4..]),
            (false, false) => self.bytes.extend(&bytes[..4]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(architecture: &str) -> Vec<u8> {
        PROCESSORS.iter().find(|processor| processor.architecture == architecture).unwrap().program()
    }

    /// The kernel takes the programs for this machine, QEMU those for others where it is installed.
    #[test]
    fn the_programs_are_such() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let mut tried = 0;
        for (architecture, emulator) in [
            ("386", "i386"),
            ("amd64", "x86_64"),
            ("arm", "arm"),
            ("arm64", "aarch64"),
            ("loong64", "loongarch64"),
            ("mips64le", "mips64el"),
            ("ppc64le", "ppc64le"),
            ("riscv64", "riscv64"),
            ("s390x", "s390x"),
        ] {
            let path = folder.path().join(architecture);
            std::fs::write(&path, program(architecture)).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
            let emulator = format!("/usr/bin/qemu-{emulator}-static");
            let is_own = architecture == if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
            let ran = match (is_own, Path::new(&emulator).exists()) {
                (true, _) => Command::new(&path).status(),
                (false, true) => Command::new(emulator).arg(&path).status(),
                (false, false) => continue,
            };
            tried += 1;
            assert!(ran.unwrap().success(), "{architecture}");
        }
        assert!(tried > 0);
    }

    #[test]
    fn no_other_processor_runs_anything() {
        assert!(!runs("no-such"));
        assert!(!try_to_run(b"\x7fELF and nothing else").unwrap_or(false));
    }

    /// Changing the root takes rights that tests need not have.
    #[test]
    fn this_machine_runs_its_own() {
        let own = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
        assert_eq!(runs(own), rustix::process::geteuid().is_root());
    }
}
