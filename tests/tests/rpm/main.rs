//! The RPM family with real tools: packages and containers from a small distribution of our own, which real dnf and rpm
//! judge; see `dalec_e2e::rpm_world`.

/// Makes a test of each function for each engine. Those that need a BuildKit daemon have `buildkit::` in their names, and the
/// others `root::`, because making the distribution needs root.
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

mod artifacts;
mod containers;
mod debug;
mod distributions;
mod modules;
mod package;
mod rebuild;
mod repositories;
mod same;
mod signing;
mod specs;
mod sysext;
mod upstream;
mod world;
