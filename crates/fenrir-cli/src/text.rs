//! Text for people, made of styled pieces. Only the printer turns it into bytes: it makes text from outside printable and
//! knows whether there are colours and how wide the terminal is. So no command can let a template or an answer of AWS turn
//! the terminal around.

use fenrir_core::problem::printable;
use fenrir_core::timestamp;
use time::OffsetDateTime;
use unicode_width::UnicodeWidthStr as _;

/// Columns between two columns of a table, and between a name and its value.
const GAP: usize = 2;
/// Columns of a line that goes where there is no width.
const LINE: usize = 100;
/// Columns that a field's value needs beside its name; with less it stands below.
const LEAST_VALUE: usize = 24;

/// What a piece of text means. How it looks follows from that; the words must say it, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Style {
    /// Nothing special.
    #[default]
    Plain,
    /// A heading, a name.
    Strong,
    /// Beside the point.
    Dim,
    /// It went well; it is added.
    Good,
    /// It failed; it is removed.
    Bad,
    /// Somebody should look; it is changed.
    Warn,
    /// Something to click or to type.
    Accent,
}

impl Style {
    /// The parameters of `SGR` (ECMA-48, 8.3.117).
    fn codes(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Strong => "1",
            Self::Dim => "2",
            Self::Good => "32",
            Self::Bad => "1;31",
            Self::Warn => "33",
            Self::Accent => "36",
        }
    }

    /// `text`, made printable, in this style.
    #[must_use]
    pub fn paint(self, text: &str, colours: bool) -> String {
        let text = printable(text);
        if colours && self != Self::Plain && !text.is_empty() {
            format!("\u{1b}[{}m{text}\u{1b}[0m", self.codes())
        } else {
            text
        }
    }
}

/// A styled piece: of a line, of a table.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cell {
    style: Style,
    text: String,
}

impl Cell {
    /// Text without a style.
    pub fn plain(text: impl Into<String>) -> Self {
        Self::of(Style::Plain, text)
    }

    /// Text with a style.
    pub fn of(style: Style, text: impl Into<String>) -> Self {
        let text = text.into();
        Self { style, text }
    }

    /// Columns that it takes.
    fn width(&self) -> usize {
        printable(&self.text).width()
    }

    fn paint(&self, colours: bool) -> String {
        self.style.paint(&self.text, colours)
    }

    /// Filled up with spaces to `width` columns.
    fn padded(&self, width: usize, colours: bool) -> String {
        let missing = width.saturating_sub(self.width());
        self.paint(colours) + &" ".repeat(missing)
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::plain(text)
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::plain(text)
    }
}

/// Rows under headers. Where the terminal is too narrow for the columns, each row becomes a block of fields.
#[derive(Debug, Clone, Default)]
pub struct Table {
    headers: Vec<&'static str>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// Without rows.
    #[must_use]
    pub fn new(headers: &[&'static str]) -> Self {
        Self {
            headers: headers.to_vec(),
            rows: Vec::new(),
        }
    }

    /// Adds a row, with a cell for each header.
    pub fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// Whether it has no rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    fn render(&self, terminal: Terminal) -> String {
        let widths: Vec<usize> = self
            .headers
            .iter()
            .enumerate()
            .map(|(column, header)| {
                let cells = self.rows.iter().filter_map(|row| row.get(column)).map(Cell::width);
                cells.max().unwrap_or_default().max(header.width())
            })
            .collect();
        let whole = widths.iter().sum::<usize>() + GAP * widths.len().saturating_sub(1);
        if terminal.width.is_some_and(|width| whole > width) {
            return self.blocks(terminal);
        }
        let headers: Vec<Cell> = self
            .headers
            .iter()
            .map(|header| Cell::of(Style::Dim, *header))
            .collect();
        let mut text = String::new();
        for row in std::iter::once(&headers).chain(&self.rows) {
            let cells: Vec<String> = row
                .iter()
                .zip(&widths)
                .map(|(cell, width)| cell.padded(*width, terminal.colours))
                .collect();
            text.push_str(cells.join(&" ".repeat(GAP)).trim_end());
            text.push('\n');
        }
        text
    }

    fn blocks(&self, terminal: Terminal) -> String {
        let blocks: Vec<String> = self
            .rows
            .iter()
            .map(|row| {
                let names = self.headers.iter().map(|header| header.to_lowercase());
                let fields: Vec<(String, Cell)> = names
                    .zip(row.iter().cloned())
                    .filter(|(_, cell)| !cell.text.is_empty())
                    .collect();
                render_fields(&fields, terminal)
            })
            .collect();
        blocks.join("\n")
    }
}

/// How wide the terminal is, and whether it has colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Terminal {
    /// Columns; `None` where the text goes into a file or a pipe, which have no width.
    pub width: Option<usize>,
    /// Whether it shows colours.
    pub colours: bool,
}

#[derive(Debug, Clone)]
enum Block {
    Line(Vec<Cell>),
    /// The first as one line where it fits, the second as lines where it does not.
    Either(Vec<Cell>, Vec<Vec<Cell>>),
    Field(String, Cell),
    Table(Table),
}

/// A text of lines, fields and tables.
#[derive(Debug, Clone, Default)]
pub struct Text {
    blocks: Vec<Block>,
    open: Vec<Cell>,
}

impl Text {
    /// Adds a styled piece to the line.
    pub fn put(&mut self, style: Style, text: impl Into<String>) {
        self.open.push(Cell::of(style, text));
    }

    /// Adds a piece to the line.
    pub fn plain(&mut self, text: impl Into<String>) {
        self.put(Style::Plain, text);
    }

    /// Ends the line.
    pub fn end(&mut self) {
        let pieces = std::mem::take(&mut self.open);
        self.blocks.push(Block::Line(pieces));
    }

    /// Adds pieces to the line with something plain between them, and ends it.
    pub fn joined(&mut self, pieces: impl IntoIterator<Item = Cell>, between: &str) {
        for (number, piece) in pieces.into_iter().enumerate() {
            if number > 0 {
                self.plain(between);
            }
            self.open.push(piece);
        }
        self.end();
    }

    /// One line where it fits, and several where it does not. A file takes [`LINE`] columns.
    pub fn either(&mut self, line: Vec<Cell>, lines: Vec<Vec<Cell>>) {
        self.blocks.push(Block::Either(line, lines));
    }

    /// A whole line.
    pub fn line(&mut self, text: impl Into<String>) {
        self.plain(text);
        self.end();
    }

    /// A heading, after an empty line unless it comes first.
    pub fn heading(&mut self, text: impl Into<String>) {
        if !self.blocks.is_empty() {
            self.end();
        }
        self.put(Style::Strong, text);
        self.end();
    }

    /// A name and its value. The values of neighbours stand below each other.
    pub fn field(&mut self, name: &str, value: impl Into<Cell>) {
        self.blocks.push(Block::Field(name.to_owned(), value.into()));
    }

    /// A table.
    pub fn table(&mut self, table: &Table) {
        self.blocks.push(Block::Table(table.clone()));
    }

    /// As the terminal shows it; every line ends.
    #[must_use]
    pub fn render(&self, terminal: Terminal) -> String {
        let mut text = String::new();
        let mut fields = Vec::new();
        for block in &self.blocks {
            if let Block::Field(name, value) = block {
                fields.push((name.clone(), value.clone()));
                continue;
            }
            text.push_str(&render_fields(&std::mem::take(&mut fields), terminal));
            match block {
                Block::Line(pieces) => text.push_str(&line(pieces, terminal.colours)),
                Block::Either(pieces, lines) => {
                    let whole: usize = pieces.iter().map(Cell::width).sum();
                    if whole <= terminal.width.unwrap_or(LINE) {
                        text.push_str(line(pieces, terminal.colours).trim_end());
                        text.push('\n');
                    } else {
                        for pieces in lines {
                            text.push_str(&line(pieces, terminal.colours));
                        }
                    }
                }
                Block::Table(table) => text.push_str(&table.render(terminal)),
                Block::Field(..) => {}
            }
        }
        text.push_str(&render_fields(&fields, terminal));
        if !self.open.is_empty() {
            text.push_str(&line(&self.open, terminal.colours));
        }
        text
    }
}

fn line(pieces: &[Cell], colours: bool) -> String {
    let pieces: Vec<String> = pieces.iter().map(|piece| piece.paint(colours)).collect();
    pieces.concat() + "\n"
}

fn render_fields(fields: &[(String, Cell)], terminal: Terminal) -> String {
    let longest = fields.iter().map(|(name, _)| name.width()).max().unwrap_or_default();
    let is_narrow = terminal.width.is_some_and(|width| width < longest + GAP + LEAST_VALUE);
    let mut text = String::new();
    for (name, value) in fields {
        let shown = value.paint(terminal.colours);
        if is_narrow {
            text.push_str(&Style::Dim.paint(name, terminal.colours));
            text.push_str("\n  ");
        } else {
            let name = Cell::of(Style::Dim, name.as_str());
            text.push_str(&name.padded(longest + GAP, terminal.colours));
        }
        text.push_str(&shown);
        text.push('\n');
    }
    text
}

/// A time for people: `2026-11-21 22:06 (3 h ago)`, in UTC. What is no time is shown as it is.
#[must_use]
pub fn when(rfc3339: &str, now: OffsetDateTime) -> String {
    let Some(at) = timestamp::parse(rfc3339) else {
        return rfc3339.to_owned();
    };
    let utc = timestamp::format(at);
    let day: String = utc.chars().take(10).collect();
    let clock: String = utc.chars().skip(11).take(5).collect();
    format!("{day} {clock} ({})", ago((now - at).whole_seconds()))
}

/// `3 h ago`.
fn ago(seconds: i64) -> String {
    match seconds {
        i64::MIN..1 => "now".to_owned(),
        _ => format!("{} ago", duration(seconds)),
    }
}

/// A duration for people, in seconds: the two largest units that say something: `3 min 20 s`, `2 h`, `5 days`.
#[must_use]
pub fn duration(seconds: i64) -> String {
    let seconds = seconds.max(0);
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    let two = |large: i64, unit: &str, small: i64, of: &str| match small {
        0 => format!("{large} {unit}"),
        small => format!("{large} {unit} {small} {of}"),
    };
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, 1..10) => two(minutes, "min", seconds % 60, "s"),
        (0, 0, _) => format!("{minutes} min"),
        (0, 1..10, _) => two(hours, "h", minutes % 60, "min"),
        (0, ..) => format!("{hours} h"),
        (1, ..) => "1 day".to_owned(),
        _ => format!("{days} days"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]
    use super::*;

    const WIDE: Terminal = Terminal {
        width: None,
        colours: false,
    };

    fn narrow(width: usize) -> Terminal {
        Terminal {
            width: Some(width),
            colours: false,
        }
    }

    fn table() -> Table {
        let mut table = Table::new(&["PROJECT", "STATE"]);
        table.row([Cell::plain("payments/ledger"), Cell::of(Style::Good, "SUCCESS")]);
        table.row([Cell::plain("hello"), Cell::of(Style::Bad, "FAILURE_DIRTY")]);
        table
    }

    #[test]
    fn columns_stand_below_each_other() {
        let mut text = Text::default();
        text.table(&table());
        assert_eq!(
            text.render(WIDE),
            "PROJECT          STATE\npayments/ledger  SUCCESS\nhello            FAILURE_DIRTY\n"
        );
    }

    #[test]
    fn a_narrow_terminal_gets_blocks() {
        let mut text = Text::default();
        text.table(&table());
        assert_eq!(
            text.render(narrow(24)),
            "project\n  payments/ledger\nstate\n  SUCCESS\n\nproject\n  hello\nstate\n  FAILURE_DIRTY\n"
        );
    }

    #[test]
    fn what_does_not_fit_into_a_line_becomes_several() {
        let mut text = Text::default();
        let cells = |words: &[&str]| words.iter().map(|word| Cell::plain(*word)).collect::<Vec<_>>();
        text.either(
            cells(&["Timeout: ", "3 -> 5"]),
            vec![cells(&["Timeout:"]), cells(&["  3"]), cells(&["  5"])],
        );
        assert_eq!(text.render(WIDE), "Timeout: 3 -> 5\n");
        assert_eq!(text.render(narrow(15)), "Timeout: 3 -> 5\n");
        assert_eq!(text.render(narrow(14)), "Timeout:\n  3\n  5\n");
    }

    #[test]
    fn fields_are_aligned_with_their_neighbours() {
        let mut text = Text::default();
        text.field("release", "r-1");
        text.field("by", "ada");
        text.heading("More");
        text.field("commit", "abc");
        assert_eq!(text.render(WIDE), "release  r-1\nby       ada\n\nMore\ncommit  abc\n");
    }

    #[test]
    fn wide_characters_count_as_two_columns() {
        let mut table = Table::new(&["A", "B"]);
        table.row([Cell::plain("日本"), Cell::plain("x")]);
        let mut text = Text::default();
        text.table(&table);
        assert_eq!(text.render(WIDE), "A     B\n日本  x\n");
    }

    #[test]
    fn nothing_from_outside_turns_the_terminal_around() {
        let mut text = Text::default();
        text.line("a\u{1b}[31mb\nc\u{202e}d");
        let coloured = Terminal {
            width: None,
            colours: true,
        };
        let shown = text.render(coloured);
        assert!(!shown.contains('\u{1b}') && !shown.contains('\u{202e}'), "{shown:?}");
        assert_eq!(shown.matches('\n').count(), 1, "{shown:?}");
    }

    #[test]
    fn times_and_durations_are_short() {
        let now = timestamp::parse("2026-11-21T22:06:31Z").unwrap();
        assert_eq!(when("2026-11-21T19:05:00Z", now), "2026-11-21 19:05 (3 h 1 min ago)");
        assert_eq!(when("2026-11-21T22:06:31.5Z", now), "2026-11-21 22:06 (now)");
        assert_eq!(when("yesterday", now), "yesterday");
        for (seconds, wanted) in [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (200, "3 min 20 s"),
            (3_599, "59 min"),
            (7_200, "2 h"),
            (86_399, "23 h"),
            (86_400, "1 day"),
            (500_000, "5 days"),
        ] {
            assert_eq!(duration(seconds), wanted);
        }
    }
}
