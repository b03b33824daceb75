//! Signing by other people's signers: the same tests on the embedded engine and inside BuildKit.

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
