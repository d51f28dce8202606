//! See `burlap_fuzz::programs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| burlap_fuzz::programs(data));
