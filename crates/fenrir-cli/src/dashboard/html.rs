//! HTML that is written, not put together: whatever comes from outside goes through [`Html::text`] or an attribute's
//! value, and both escape. There is no way to write a text as markup.

use fenrir_core::problem::printable;

/// Names and values of attributes. A name is part of the program, a value may be from anywhere.
pub type Attributes<'a> = &'a [(&'static str, &'a str)];

/// Elements that have no content and no end tag (HTML, "Void elements"), as far as they are used here.
const VOID: [&str; 4] = ["meta", "link", "input", "wbr"];
/// Elements of SVG whose end is part of their beginning.
const EMPTY: [&str; 5] = ["path", "circle", "rect", "polygon", "use"];

/// A text of HTML that grows.
#[derive(Debug, Default)]
pub struct Html(String);

impl Html {
    /// An empty text.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What was written.
    #[must_use]
    pub fn finish(self) -> String {
        self.0
    }

    /// An element with what `content` writes into it.
    pub fn element(&mut self, tag: &'static str, attributes: Attributes<'_>, content: impl FnOnce(&mut Self)) {
        self.begin(tag, attributes);
        content(self);
        self.0.push_str("</");
        self.0.push_str(tag);
        self.0.push('>');
    }

    /// An element with a text in it.
    pub fn leaf(&mut self, tag: &'static str, attributes: Attributes<'_>, text: &str) {
        self.element(tag, attributes, |html| html.text(text));
    }

    /// An element without content.
    pub fn empty(&mut self, tag: &'static str, attributes: Attributes<'_>) {
        debug_assert!(VOID.contains(&tag) || EMPTY.contains(&tag), "`{tag}` has an end tag");
        self.begin(tag, attributes);
        if EMPTY.contains(&tag) {
            self.0.truncate(self.0.len() - 1);
            self.0.push_str("/>");
        }
    }

    /// A text, escaped.
    pub fn text(&mut self, text: &str) {
        for c in clean(text).chars() {
            match c {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                c => self.0.push(c),
            }
        }
    }

    /// A line's end in the source, for those who read it.
    pub fn line(&mut self) {
        self.0.push('\n');
    }

    /// The document type.
    pub fn doctype(&mut self) {
        self.0.push_str("<!doctype html>\n");
    }

    /// A style sheet or a script of our own: part of the program, and without an end tag in it.
    pub fn own(&mut self, tag: &'static str, source: &'static str) {
        debug_assert!(!source.contains("</"), "`</` ends the element");
        self.begin(tag, &[]);
        self.0.push_str(source);
        self.0.push_str("</");
        self.0.push_str(tag);
        self.0.push('>');
    }

    fn begin(&mut self, tag: &'static str, attributes: Attributes<'_>) {
        self.0.push('<');
        self.0.push_str(tag);
        for (name, value) in attributes {
            self.0.push(' ');
            self.0.push_str(name);
            if value.is_empty() && *name != "alt" {
                continue;
            }
            self.0.push_str("=\"");
            for c in clean(value).chars() {
                match c {
                    '&' => self.0.push_str("&amp;"),
                    '<' => self.0.push_str("&lt;"),
                    '>' => self.0.push_str("&gt;"),
                    '"' => self.0.push_str("&quot;"),
                    c => self.0.push(c),
                }
            }
            self.0.push('"');
        }
        self.0.push('>');
    }
}

/// Without what cannot be seen, what turns a line around, and what no HTML text may contain.
fn clean(text: &str) -> String {
    printable(text).replace(is_noncharacter, "\u{fffd}")
}

/// Infra, "noncharacter": a parse error in HTML wherever it stands.
fn is_noncharacter(c: char) -> bool {
    let code = u32::from(c);
    (0xfdd0..=0xfdef).contains(&code) || code & 0xfffe == 0xfffe
}

/// An id, and the fragment that leads to it, of any text: two texts never have the same one.
#[must_use]
pub fn id(prefix: char, text: &str) -> String {
    let mut id = String::with_capacity(text.len() + 2);
    id.push(prefix);
    id.push('-');
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'/' | b'!' => id.push(char::from(byte)),
            other => {
                id.push('_');
                for half in [other >> 4, other & 0xf] {
                    id.push(char::from_digit(u32::from(half), 16).unwrap_or('0'));
                }
            }
        }
    }
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_from_outside_is_never_markup() {
        let mut html = Html::new();
        html.leaf("p", &[("title", "\"><script>")], "<b>&amp;\u{202e}\u{0}\n\u{ffff}");
        assert_eq!(
            html.finish(),
            "<p title=\"&quot;&gt;&lt;script&gt;\">&lt;b&gt;&amp;amp;\\u{202e}\\u{0}\\u{a}\u{fffd}</p>"
        );
    }

    #[test]
    fn two_texts_never_have_the_same_id() {
        let texts = ["a b", "a_b", "a_20b", "a/b", "a!b", "ä", "", "_", "__"];
        let ids: Vec<_> = texts.iter().map(|text| id('p', text)).collect();
        for (number, one) in ids.iter().enumerate() {
            assert!(!one.contains(char::is_whitespace), "{one}");
            assert!(ids.iter().skip(number + 1).all(|other| other != one), "{one}");
        }
    }
}
