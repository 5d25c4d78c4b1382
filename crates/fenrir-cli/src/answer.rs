//! What a command answers: one value, for people and for programs.

use serde::Serialize;

use crate::text::Text;

/// An answer. For programs it is one line of JSON, `{"type": TYPE, ...fields}`; for people it is text.
pub trait Answer: Serialize {
    /// The `type` of its line: one or two lower-case words joined by `_`. Programs tell answers apart by it, so it never
    /// changes.
    const TYPE: &'static str;

    /// The same for people.
    fn human(&self, text: &mut Text);
}

/// A sentence: what was done, and nothing more.
#[derive(Debug, Serialize)]
pub struct Message {
    /// The sentence.
    pub message: String,
}

impl Answer for Message {
    const TYPE: &'static str = "message";

    fn human(&self, text: &mut Text) {
        text.line(&self.message);
    }
}
