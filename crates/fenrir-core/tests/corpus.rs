//! A fixed corpus through the functions that are fuzzed (`make fuzz`): inputs that once broke something, and some of
//! every kind that the fuzzer finds interesting.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod hostile;

use std::fs;

#[test]
fn texts_are_loaded_or_refused_with_words() {
    for file in hostile::files("corpus/load") {
        hostile::load(&fs::read(file).unwrap());
    }
}

#[test]
fn templates_are_judged_and_keep_the_promises() {
    for file in hostile::files("corpus/judge") {
        hostile::judge(&fs::read(file).unwrap());
    }
}

/// The case files as JSON, as a release carries them.
#[test]
fn the_cases_keep_the_promises() {
    for template in hostile::cases() {
        hostile::judge(template.to_string().as_bytes());
    }
}
