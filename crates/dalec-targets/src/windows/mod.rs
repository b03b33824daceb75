//! Programs for Windows, cross-compiled on Linux: as a zip file, and in containers that start from images of Windows.
//!
//! Only `artifacts.binaries` are packaged. Nothing is run on Windows, so the spec's tests are not run, and nothing can be
//! installed that programs depend on when they run.

mod container;
mod names;
mod programs;
pub(crate) mod routes;
mod worker;
mod zip;

#[cfg(test)]
mod tests;
