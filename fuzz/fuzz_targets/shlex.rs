//! Fuzzes the splitting of command lines.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| dalec_fuzz::shlex(bytes));
