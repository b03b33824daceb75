//! Pseudo terminals of the host for commands that want one.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use rustix::termios::Winsize;

/// A pseudo terminal: what a person would sit at, and what a command runs on.
#[derive(Debug)]
pub struct Terminal {
    /// The person's side: reading gives what the command writes, writing is what the command reads.
    pub near: File,
    /// The command's side, for [`Streams::Terminal`](super::Streams::Terminal).
    pub far: OwnedFd,
}

impl Terminal {
    /// Opens a new one.
    ///
    /// # Errors
    /// When the host has no pseudo terminals to give.
    pub fn open() -> io::Result<Self> {
        let flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC;
        let opened = |descriptor: libc::c_int| match descriptor {
            -1 => Err(io::Error::last_os_error()),
            // SAFETY: the kernel just opened it, and nobody else knows of it.
            descriptor => Ok(unsafe { OwnedFd::from_raw_fd(descriptor) }),
        };
        // SAFETY: takes no pointers.
        let near = opened(unsafe { libc::posix_openpt(flags) })?;
        // SAFETY: the descriptor is open.
        if unsafe { libc::unlockpt(near.as_raw_fd()) } != 0 {
            return Err(io::Error::last_os_error());
        }
        // By descriptor, not by a path below /dev/pts: which one is mounted there says nothing.
        // SAFETY: the descriptor is open, and the request takes flags, no pointer.
        let far = opened(unsafe { libc::ioctl(near.as_raw_fd(), libc::TIOCGPTPEER, flags) })?;
        Ok(Self { near: File::from(near), far })
    }
}

/// Tells whoever runs on the terminal behind `near` how large it is.
///
/// # Errors
/// When `near` is no terminal.
pub fn resize(near: &File, rows: u16, columns: u16) -> io::Result<()> {
    let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    Ok(rustix::termios::tcsetwinsize(near, size)?)
}
