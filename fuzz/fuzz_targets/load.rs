//! Fuzzes loading, linting, resolving and writing back a spec.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| dalec_fuzz::load(bytes));
