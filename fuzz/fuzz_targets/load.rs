//! Any bytes as the text of a template file.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fenrir_fuzz::within_memory(|| drop(fenrir_fuzz::hostile::load(data))));
