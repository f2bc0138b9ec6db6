#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tezi_fuzz::run("kotak_replies", bytes));
