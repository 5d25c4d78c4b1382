//! Templates that are almost right: JSON, changed part by part with what real templates are made of.

#![no_main]

use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};

fuzz_target!(|data: &[u8]| fenrir_fuzz::within_memory(|| fenrir_fuzz::hostile::judge(data)));

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    let changed = data
        .get(..size)
        .and_then(|text| fenrir_fuzz::mutation::change(text, seed));
    match changed.filter(|text| text.len() <= max_size) {
        Some(text) => {
            data[..text.len()].copy_from_slice(&text);
            text.len()
        }
        None => fuzzer_mutate(data, size, max_size),
    }
});
