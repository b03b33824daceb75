//! Names that nobody can guess: of sessions, builds and results, and of files that are not there yet.

use std::fs::File;
use std::io::{self, Read};

/// Returns `bytes` random bytes in hexadecimal.
///
/// # Errors
/// When the kernel gives none.
pub fn random_hex(bytes: usize) -> io::Result<String> {
    let mut random = vec![0; bytes];
    File::open("/dev/urandom")?.read_exact(&mut random)?;
    Ok(hex::encode(random))
}
