//! Programs for Windows: the same tests on the embedded engine and inside BuildKit.
//!
//! MinGW is real, and so are the judges of what comes out: Info-ZIP, binutils, `osslsigncode`, skopeo. Images of Windows
//! are small ones made here, with the layers that Windows has.

/// Makes a test of each function, on the embedded engine alone.
macro_rules! on_the_embedded_engine {
    ($($name:ident),+ $(,)?) => {
        mod alone {
            mod root {
                $(#[test] fn $name() { super::super::$name(); })+
            }
        }
    };
}

mod basics;
mod caches;
mod cancel;
mod client;
mod container;
mod downloads;
mod greet;
mod refused;
mod signed;
mod zip;
