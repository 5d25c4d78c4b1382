//! Where the judgement stands in the template.

use crate::problem::pointer;

/// A place in the tree, as a chain back to the root. Costs nothing until somebody asks for its pointer.
#[derive(Debug, Clone, Copy)]
pub struct Place<'p> {
    parent: Option<&'p Place<'p>>,
    segment: Segment<'p>,
}

#[derive(Debug, Clone, Copy)]
enum Segment<'p> {
    Key(&'p str),
    Index(usize),
}

impl<'p> Place<'p> {
    /// The whole template.
    pub const ROOT: Place<'static> = Place {
        parent: None,
        segment: Segment::Index(0),
    };

    /// A member of the map here.
    #[must_use]
    pub fn key(&'p self, key: &'p str) -> Self {
        Self {
            parent: Some(self),
            segment: Segment::Key(key),
        }
    }

    /// An item of the list here.
    #[must_use]
    pub fn index(&'p self, index: usize) -> Self {
        Self {
            parent: Some(self),
            segment: Segment::Index(index),
        }
    }

    /// The place that this one lies in.
    #[must_use]
    pub fn parent(&self) -> Option<&'p Place<'p>> {
        self.parent
    }

    /// The JSON pointer (RFC 6901).
    #[must_use]
    pub fn pointer(&self) -> String {
        let Some(parent) = self.parent else {
            return String::new();
        };
        let above = parent.pointer();
        match self.segment {
            Segment::Key(key) => pointer(&above, key),
            Segment::Index(index) => format!("{above}/{index}"),
        }
    }

    /// The last key on the way here: what a message calls this place.
    #[must_use]
    pub fn name(&self) -> &'p str {
        match (self.segment, self.parent) {
            // The properties of something are it.
            (Segment::Key("Properties"), Some(parent)) => parent.name(),
            (Segment::Key(key), Some(_)) => key,
            (_, Some(parent)) => parent.name(),
            (_, None) => "template",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_makes_a_pointer() {
        let resources = Place::ROOT.key("Resources");
        let odd = resources.key("a/b~c");
        assert_eq!(odd.index(3).pointer(), "/Resources/a~1b~0c/3");
        assert_eq!(odd.index(3).name(), "a/b~c");
        assert_eq!(Place::ROOT.pointer(), "");
    }
}
