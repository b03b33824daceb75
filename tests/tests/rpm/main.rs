//! The RPM family with real tools: packages and containers from a small distribution of our own, which real dnf and rpm
//! judge; see `dalec_e2e::rpm_world`.

mod world;
