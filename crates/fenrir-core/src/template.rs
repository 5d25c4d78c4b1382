//! The template: loading with source positions, intrinsics.

use serde_json::Value;

use crate::problem::{Position, Problem};

/// A loaded template: our own tree, and where in the file each part of it stood.
#[derive(Debug, Clone)]
pub struct Document {
    value: Value,
}

impl Document {
    /// Loads YAML or JSON text, strictly; see the value rules of `docs/policy.md`.
    ///
    /// # Errors
    /// All problems of the text, in file order.
    pub fn load(text: &str) -> Result<Self, Vec<Problem>> {
        let value = serde_json::from_str(text).map_err(|e| vec![Problem::error("F0001", "", e.to_string())])?;
        Ok(Self { value })
    }

    /// Takes a template that arrived as JSON inside a release: same rules, no positions.
    ///
    /// # Errors
    /// All problems of the value.
    pub fn from_value(value: Value) -> Result<Self, Vec<Problem>> {
        Ok(Self { value })
    }

    /// The tree, as the developer wrote it: what goes into a release.
    #[must_use]
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// Where the part at this JSON pointer stood (its key, for a member of a map). The nearest parent's place when
    /// there is no such part.
    #[must_use]
    pub fn position(&self, _pointer: &str) -> Option<Position> {
        None
    }
}
