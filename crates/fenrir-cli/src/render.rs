//! Problems as a compiler shows them: what, where with the line and the place marked, and what to do.

use annotate_snippets::{AnnotationKind, Element, Group, Level, Origin, Renderer, Snippet};
use fenrir_core::problem::{Position, Problem, Severity, is_unprintable, printable};

use crate::fault::Fault;
use crate::source::Source;

/// Problems that are shown; a person mends one after the other.
const SHOWN: usize = 100;
/// Characters of a line that are shown before and after a place.
const BESIDE: usize = 120;

/// All problems, and a line that counts them.
#[must_use]
pub fn problems(problems: &[Problem], source: &Source, colours: bool) -> String {
    let renderer = renderer(colours);
    let lines: Vec<&str> = source.text.lines().collect();
    let mut text = String::new();
    for problem in problems.iter().take(SHOWN) {
        text.push_str(&renderer.render(&[group(problem, source, &lines)]));
        text.push_str("\n\n");
    }
    if let Some(more) = problems.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        let more = format!("{more} more problems are not shown; `--format json` has all of them");
        text.push_str(&renderer.render(&[Group::with_title(Level::NOTE.primary_title(more))]));
        text.push_str("\n\n");
    }
    if let Some(count) = count(problems) {
        text.push_str(&renderer.render(&[Group::with_title(
            Level::ERROR.primary_title(format!("`{}` has {count}", printable(&source.name))),
        )]));
        text.push('\n');
    }
    text
}

/// One error without a place.
#[must_use]
pub fn fault(fault: &Fault, colours: bool) -> String {
    let message = if fault.has_lines {
        let lines: Vec<String> = fault.message.split('\n').map(printable).collect();
        lines.join("\n")
    } else {
        printable(&fault.message)
    };
    let title = Level::ERROR.primary_title(message);
    let group = Group::with_title(title).elements(fault.help.as_deref().map(help));
    renderer(colours).render(&[group])
}

fn renderer(colours: bool) -> Renderer {
    if colours { Renderer::styled() } else { Renderer::plain() }
}

fn help<'a>(text: &str) -> Element<'a> {
    Level::HELP.message(printable(text)).into()
}

fn group<'a>(problem: &Problem, source: &'a Source, lines: &[&'a str]) -> Group<'a> {
    let level = match problem.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::NotChecked => Level::NOTE.with_name("not checked"),
    };
    let title = level
        .primary_title(printable(&problem.message))
        .id(problem.code.to_string());
    let group = Group::with_title(title);
    let group = match problem.position {
        Some(position) => group.element(place(source, lines, position)),
        None if problem.path.is_empty() => group.element(Origin::path(printable(&source.name))),
        None => group.element(Origin::path(format!(
            "{} {}",
            printable(&source.name),
            printable(&problem.path)
        ))),
    };
    group.elements(problem.help.as_deref().map(help))
}

/// The line, and the word at `position` marked. Of a long line, such as a template that is one, what stands around it.
fn place<'a>(source: &'a Source, lines: &[&'a str], position: Position) -> Element<'a> {
    let name = printable(&source.name);
    let index = position.line.saturating_sub(1) as usize;
    let Some(line) = lines.get(index) else {
        return Origin::path(name)
            .line(position.line as usize)
            .char_column(position.column as usize)
            .into();
    };
    let column = position.column.saturating_sub(1) as usize;
    let first = column.saturating_sub(BESIDE);
    // One for one: a column stays a column.
    let shown: String = line
        .chars()
        .skip(first)
        .take(2 * BESIDE)
        .map(|c| if is_unprintable(c) && c != '\t' { '\u{fffd}' } else { c })
        .collect();
    let start = shown
        .char_indices()
        .nth(column - first)
        .map_or(shown.len(), |(at, _)| at);
    let end = start + word(shown.get(start..).unwrap_or_default());
    let mark = AnnotationKind::Primary.span(start..end);
    if first > 0 {
        // The excerpt's own columns would be wrong.
        let at = format!("{name}:{}:{}", position.line, position.column);
        return Snippet::source(shown)
            .path(at)
            .line_start(position.line as usize)
            .annotation(mark)
            .into();
    }
    Snippet::source(shown)
        .path(name)
        .line_start(position.line as usize)
        .annotation(mark)
        .into()
}

/// Bytes of the word that `rest` begins with: a key up to its colon, a quoted text, or a plain value.
fn word(rest: &str) -> usize {
    let mut chars = rest.char_indices();
    let quote = match chars.next() {
        Some((_, c @ ('"' | '\''))) => Some(c),
        Some(_) => None,
        None => return 0,
    };
    let ends = |c: char| match quote {
        Some(quote) => c == quote,
        None => c.is_whitespace() || matches!(c, ',' | ':' | '}' | ']' | '#'),
    };
    match chars.find(|(_, c)| ends(*c)) {
        Some((at, c)) if quote == Some(c) => at + c.len_utf8(),
        Some((at, _)) => at,
        None => rest.trim_end().len(),
    }
}

/// `2 errors and 1 warning`; nothing when there is no error.
pub(crate) fn count(problems: &[Problem]) -> Option<String> {
    let of = |severity, one: &str| {
        let count = problems.iter().filter(|problem| problem.severity == severity).count();
        match count {
            0 => None,
            1 => Some(format!("1 {one}")),
            n => Some(format!("{n} {one}s")),
        }
    };
    let errors = of(Severity::Error, "error")?;
    Some(match of(Severity::Warning, "warning") {
        Some(warnings) => format!("{errors} and {warnings}"),
        None => errors,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_ends_where_a_reader_says() {
        for (rest, wanted) in [
            ("Key: value", "Key"),
            ("\"a b\": c", "\"a b\""),
            ("'open", "'open"),
            ("value # why", "value"),
            ("[a]", "[a"),
            ("", ""),
        ] {
            assert_eq!(rest.get(..word(rest)), Some(wanted));
        }
    }
}
