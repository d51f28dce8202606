//! See `burlap_fuzz::readers`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| burlap_fuzz::readers(data));
