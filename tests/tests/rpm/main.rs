//! The RPM family with real tools: packages and containers from a small distribution of our own, which real dnf and rpm
//! judge; see `dalec_e2e::rpm_world`.

mod artifacts;
mod basics;
mod caches;
mod cancel;
mod client;
mod containers;
mod cross;
mod debug;
mod distributions;
mod foreign;
mod modules;
mod node;
mod package;
mod python;
mod rebuild;
mod repositories;
mod same;
mod signing;
mod specs;
mod sysext;
mod upstream;
mod world;
