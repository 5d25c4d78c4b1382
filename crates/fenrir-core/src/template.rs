//! The template: loading with source positions, intrinsics.
//!
//! A template is read once, strictly, and from then on only our own tree counts: what CloudFormation gets is made from
//! it. So whatever could be read in two ways is refused here, with what to write instead.

pub mod intrinsic;
mod limits;
mod positions;
mod scalar;
mod yaml;

use serde_json::Value;

use crate::problem::{Position, Problem};
use positions::Positions;

pub use limits::{MAX_BYTES, MAX_DEPTH, MAX_KEY_BYTES, MAX_PROBLEMS};
pub(crate) use limits::{shown, size};

/// A loaded template: our own tree, and where in the file each part of it stood.
#[derive(Debug, Clone)]
pub struct Document {
    value: Value,
    positions: Positions,
}

impl Document {
    /// Loads YAML or JSON text, strictly; see the value rules of `docs/policy.md`.
    ///
    /// # Errors
    /// All problems of the text, in file order; at most [`MAX_PROBLEMS`] of them.
    pub fn load(text: &str) -> Result<Self, Vec<Problem>> {
        let (value, positions) = yaml::load(text)?;
        // Small as YAML can be large as JSON, which is what a release carries.
        if limits::size(&value) > MAX_BYTES {
            return Err(vec![limits::too_large()]);
        }
        Ok(Self { value, positions })
    }

    /// Takes a template that arrived as JSON inside a release: same rules, no positions.
    ///
    /// # Errors
    /// All problems of the value; at most [`MAX_PROBLEMS`] of them.
    pub fn from_value(value: Value) -> Result<Self, Vec<Problem>> {
        let problems = limits::check(&value);
        if problems.is_empty() {
            Ok(Self {
                value,
                positions: Positions::default(),
            })
        } else {
            Err(problems)
        }
    }

    /// The tree, as the developer wrote it: what goes into a release.
    #[must_use]
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// Makes it the template of another config: the same as if its `ConfigName` were this one.
    pub fn set_config(&mut self, name: &str) {
        if let Value::Object(sections) = &mut self.value {
            sections.insert("ConfigName".to_owned(), Value::from(name));
        }
    }

    /// Where the part at this JSON pointer stood (its key, for a member of a map). The nearest parent's place when
    /// there is no such part.
    #[must_use]
    pub fn position(&self, pointer: &str) -> Option<Position> {
        self.positions.find(pointer)
    }
}

#[cfg(test)]
mod tests;
