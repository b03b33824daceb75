//! Programs for Windows: the same tests on the embedded engine and inside BuildKit.
//!
//! MinGW is real, and so are the judges of what comes out: Info-ZIP, binutils, `osslsigncode`, skopeo. Images of Windows
//! are small ones made here, with the layers that Windows has.

/// Makes a test of each function for each engine. Those that need a BuildKit daemon have `buildkit::` in their names, and the
/// others `root::`, because making the worker needs root.
macro_rules! on_both_engines {
    ($($name:ident),+ $(,)?) => {
        mod root {
            $(#[test] fn $name() { super::$name(dalec_e2e::engine::Engine::Embedded); })+
        }
        mod buildkit {
            $(#[test] fn $name() { super::$name(dalec_e2e::engine::Engine::Inside); })+
        }
    };
}

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
mod container;
mod greet;
mod refused;
mod signed;
mod zip;
