//! Signing by other people's signers: the same tests on the embedded engine and inside BuildKit.

/// Makes a test of each function for each engine; those that need a BuildKit daemon have `buildkit::` in their names.
macro_rules! on_both_engines {
    ($($name:ident),+ $(,)?) => {
        mod embedded {
            $(#[test] fn $name() { super::$name(dalec_e2e::engine::Engine::Embedded); })+
        }
        mod buildkit {
            $(#[test] fn $name() { super::$name(dalec_e2e::engine::Engine::Inside); })+
        }
    };
}

/// Makes a test of each function against BuildKit, with our frontend in the client.
macro_rules! against_buildkit {
    ($($name:ident),+ $(,)?) => {
        mod against {
            mod buildkit {
                $(#[test] fn $name() { super::super::$name(dalec_e2e::engine::Engine::Against); })+
            }
        }
    };
}

mod contract;
mod misbehaving;
mod real;
mod same;
mod secrets;
mod spec;
