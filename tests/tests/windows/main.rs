//! Programs for Windows: the same tests on the embedded engine and inside BuildKit.
//!
//! MinGW is real, and so are the judges of what comes out: `unzip`, `osslsigncode`, the compiler's own tools. Images of
//! Windows are small ones made here, with the layers that Windows has.

mod zip;
