//! What the fuzz targets share.

/// The functions that are fuzzed. Core's own tests run a fixed corpus through the same ones.
#[path = "../../crates/fenrir-core/tests/hostile/mod.rs"]
pub mod hostile;
pub mod mutation;

/// Most that one input of at most 1 MB may hold in memory at a time.
const MOST_BYTES: u64 = 200 * 1024 * 1024;

/// Runs one input, and panics when it took more memory than [`MOST_BYTES`].
pub fn within_memory(run: impl FnOnce()) {
    let used = allocation_counter::measure(run);
    assert!(used.bytes_max <= MOST_BYTES, "took {} bytes at a time", used.bytes_max);
}
