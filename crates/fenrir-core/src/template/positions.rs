//! Where things stood: a table from JSON pointer to position.
//!
//! A template of 1 MB has up to half a million parts, so no pointer is kept, only its 64-bit hash, made from the
//! parent's. Two pointers with one hash would show one of them at the other's line; nothing is decided by it.

use std::hash::{DefaultHasher, Hash, Hasher};

use crate::problem::Position;

/// The hash of a pointer, without the pointer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key(u64);

impl Key {
    /// The whole document: the empty pointer.
    pub(super) const ROOT: Self = Self(0);

    /// The member or item `segment` (not escaped) of this one.
    pub(super) fn child(self, segment: &str) -> Self {
        let mut hasher = DefaultHasher::new();
        self.0.hash(&mut hasher);
        segment.hash(&mut hasher);
        Self(hasher.finish())
    }
}

/// The table. Filled with [`Positions::note`], then [`Positions::seal`]ed.
#[derive(Debug, Clone, Default)]
pub(super) struct Positions(Vec<(Key, Position)>);

impl Positions {
    pub(super) fn note(&mut self, key: Key, position: Position) {
        self.0.push((key, position));
    }

    /// Sorts the table; of two notes with one key the first stays first.
    pub(super) fn seal(mut self) -> Self {
        self.0.sort_by_key(|(key, _)| *key);
        self.0.shrink_to_fit();
        self
    }

    /// As [`Positions::find`] for one key, before the table is sealed.
    pub(super) fn scan(&self, key: Key) -> Option<Position> {
        self.0.iter().find(|(have, _)| *have == key).map(|(_, p)| *p)
    }

    fn get(&self, key: Key) -> Option<Position> {
        let at = self.0.partition_point(|(have, _)| *have < key);
        self.0.get(at).filter(|(have, _)| *have == key).map(|(_, p)| *p)
    }

    /// The position of the part at `pointer`, or of its nearest parent.
    pub(super) fn find(&self, pointer: &str) -> Option<Position> {
        let mut key = Key::ROOT;
        let mut found = self.get(key);
        for segment in pointer.split('/').skip(1) {
            key = key.child(&segment.replace("~1", "/").replace("~0", "~"));
            match self.get(key) {
                None => break,
                some => found = some,
            }
        }
        found
    }
}
