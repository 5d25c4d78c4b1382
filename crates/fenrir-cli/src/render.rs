//! Problems as a compiler shows them: what, where with the line and the place marked, and what to do.

use annotate_snippets::{AnnotationKind, Element, Group, Level, Origin, Renderer, Snippet};
use fenrir_core::problem::{Position, Problem, Severity, printable};

use crate::fault::Fault;
use crate::source::Source;

/// All problems, and a line that counts them.
#[must_use]
pub fn problems(problems: &[Problem], source: &Source, colours: bool) -> String {
    let renderer = renderer(colours);
    let lines: Vec<&str> = source.text.lines().collect();
    let mut text = String::new();
    for problem in problems {
        text.push_str(&renderer.render(&[group(problem, source, &lines)]));
        text.push_str("\n\n");
    }
    if let Some(count) = count(problems) {
        text.push_str(&renderer.render(&[Group::with_title(
            Level::ERROR.primary_title(format!("`{}` has {count}", source.name)),
        )]));
        text.push('\n');
    }
    text
}

/// One error without a place.
#[must_use]
pub fn fault(fault: &Fault, colours: bool) -> String {
    let title = Level::ERROR.primary_title(printable(&fault.message));
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
        None if problem.path.is_empty() => group.element(Origin::path(source.name.as_str())),
        None => group.element(Origin::path(format!("{} {}", source.name, printable(&problem.path)))),
    };
    group.elements(problem.help.as_deref().map(help))
}

/// The line, and the word at `position` marked.
fn place<'a>(source: &'a Source, lines: &[&'a str], position: Position) -> Element<'a> {
    let index = position.line.saturating_sub(1) as usize;
    let Some(line) = lines.get(index) else {
        return Origin::path(source.name.as_str())
            .line(position.line as usize)
            .char_column(position.column as usize)
            .into();
    };
    let start = line
        .char_indices()
        .nth(position.column.saturating_sub(1) as usize)
        .map_or(line.len(), |(at, _)| at);
    let end = start + word(line.get(start..).unwrap_or_default());
    let mark = AnnotationKind::Primary.span(start..end);
    Snippet::source(*line)
        .path(source.name.as_str())
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
fn count(problems: &[Problem]) -> Option<String> {
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
