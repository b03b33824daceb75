//! Fuzzes the expansion of `${NAME}`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| dalec_spec::fuzzing::expand(bytes));
