//! The machine in process, with the real steps on the local AWS, and one fault after another in everything it calls. After
//! each execution the laws of the machine are asserted from outside.
//!
//! Fifty cases of the matrix run in every test; all of them with `make faults`, which writes `docs/faults.md`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::large_futures,
    reason = "a test fails by panicking, and its futures may be as large as they like"
)]

mod laws;
mod matrix;
mod scenario;
mod strike;
mod world;

use matrix::{Workers, cases, chosen};

/// Cases in every test run.
const FEW: usize = 50;

#[test]
fn no_fault_breaks_a_law() {
    let workers = Workers::start();
    let profiles = workers.profiles();
    let mut all = cases(&profiles);
    eprintln!("{} cases", all.len());
    if let Some(words) = std::env::var_os("FENRIR_FAULTS") {
        let words = words.into_string().unwrap();
        if words != "all" {
            all.retain(|case| format!("{} {}", case.scenario, case.strike).contains(&words));
        }
    } else {
        all = chosen(all, FEW);
    }
    let outcomes = workers.strike(&all);
    let broken = outcomes.iter().filter(|outcome| !outcome.broken.is_empty()).count();
    assert_eq!(broken, 0, "laws are broken");
}
