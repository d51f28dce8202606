//! See `burlap_fuzz::transforms`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| burlap_fuzz::transforms(data));
