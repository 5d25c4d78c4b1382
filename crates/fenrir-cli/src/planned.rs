//! A plan, for people and for programs.

use fenrir_core::plan::diff::between;
use fenrir_core::plan::{Change, Counts, Fate, Kind, Plan, Property, Recreation, plain};
use fenrir_core::problem::{Problem, Severity};
use serde::Serialize;
use serde_json::Value;

use crate::answer::Answer;
use crate::text::{Cell, Style, Text};

/// Characters of a value that are shown; `--format json` has all of them.
const SHOWN: usize = 72;
/// What CloudFormation writes for a value that it does not know yet.
const UNKNOWN: &str = "{{changeSet:KNOWN_AFTER_APPLY}}";

/// What a deploy would do.
#[derive(Debug, Serialize)]
pub struct Planned<'a> {
    /// The release that planned it.
    pub release: &'a str,
    /// How many changes of each kind.
    pub summary: Counts,
    /// What would be done.
    #[serde(flatten)]
    pub plan: &'a Plan,
}

impl<'a> Planned<'a> {
    /// The plan of this release.
    #[must_use]
    pub fn new(release: &'a str, plan: &'a Plan) -> Self {
        Self {
            release,
            summary: plan.counts(),
            plan,
        }
    }
}

impl Answer for Planned<'_> {
    const TYPE: &'static str = "plan";

    fn human(&self, text: &mut Text) {
        let Plan {
            stack,
            changes,
            others,
            no_changes,
            problems,
            ..
        } = self.plan;
        for problem in problems {
            warn(problem, text);
        }
        if *no_changes {
            text.line(format!("no changes: the stack `{stack}` is what the template says"));
            return;
        }
        for kind in [Kind::Add, Kind::Change, Kind::Replace, Kind::Remove] {
            let mut of_kind = changes.iter().filter(|change| change.kind == kind).peekable();
            if of_kind.peek().is_some() {
                text.heading(title(kind));
                of_kind.for_each(|change| show(change, text));
            }
        }
        if !others.is_empty() {
            text.heading("Besides the resources");
            for other in others {
                properties(Kind::Change, other, text);
            }
        } else if changes.is_empty() {
            text.line(format!(
                "no resource changes, but CloudFormation would update the stack `{stack}`: its outputs, its tags, or \
                 another part of it that is not a resource"
            ));
        }
        self.summarise(text);
    }
}

impl Planned<'_> {
    fn summarise(&self, text: &mut Text) {
        let Counts {
            add,
            change,
            replace,
            remove,
        } = self.summary;
        text.end();
        text.put(Style::Strong, "Plan: ");
        let pieces = [
            (Kind::Add, add, "to add"),
            (Kind::Change, change, "to change"),
            (Kind::Replace, replace, "to replace"),
            (Kind::Remove, remove, "to remove"),
        ];
        let mut line = Vec::new();
        for (kind, count, words) in pieces {
            let style = if count == 0 { Style::Plain } else { style(kind) };
            line.push(Cell::of(style, format!("{count} {words}")));
        }
        text.joined(line, ", ");
        let unsure = self.plan.changes.iter().filter(|change| change.may_replace).count();
        if unsure > 0 {
            text.line(format!("{unsure} of the changes may become a replacement"));
        }
        let (errors, warnings): (Vec<&Problem>, Vec<&Problem>) = self
            .plan
            .problems
            .iter()
            .partition(|problem| problem.severity == Severity::Error);
        if !errors.is_empty() {
            text.put(Style::Bad, "a deploy of this would be refused");
            text.line(format!(" ({}): see above", codes(&errors)));
        }
        if !warnings.is_empty() {
            let things = if warnings.len() == 1 { "thing is" } else { "things are" };
            text.put(Style::Warn, format!("{} {things} worth a second look", warnings.len()));
            text.line(format!(" ({}): see above", codes(&warnings)));
        }
    }
}

/// The codes of these, each once.
fn codes(problems: &[&Problem]) -> String {
    let mut codes: Vec<&str> = problems.iter().map(|problem| problem.code.as_ref()).collect();
    codes.sort_unstable();
    codes.dedup();
    codes.join(", ")
}

fn warn(problem: &Problem, text: &mut Text) {
    let (style, word) = match problem.severity {
        Severity::Error => (Style::Bad, "error"),
        _ => (Style::Warn, "warning"),
    };
    text.put(style, format!("{word}[{}]", problem.code));
    text.line(format!(": {}", problem.message));
    if let Some(help) = &problem.help {
        text.put(Style::Dim, format!("  help: {help}"));
        text.end();
    }
}

fn title(kind: Kind) -> &'static str {
    match kind {
        Kind::Add => "Added",
        Kind::Change => "Changed",
        Kind::Replace => "Replaced",
        Kind::Remove => "Removed",
    }
}

fn style(kind: Kind) -> Style {
    match kind {
        Kind::Add => Style::Good,
        Kind::Change => Style::Warn,
        Kind::Replace | Kind::Remove => Style::Bad,
    }
}

fn show(change: &Change, text: &mut Text) {
    let sign = match change.kind {
        Kind::Add => "+",
        Kind::Change => "~",
        Kind::Replace => "-/+",
        Kind::Remove => "-",
    };
    let mut pieces = vec![
        Cell::of(style(change.kind), format!("{sign} {}", change.logical_id)),
        Cell::of(Style::Dim, &change.resource_type),
    ];
    if change.kind != Kind::Add && !change.physical_id.is_empty() {
        pieces.push(Cell::of(Style::Dim, short(&change.physical_id)));
    }
    if change.may_replace {
        pieces.push(Cell::of(Style::Warn, "(may be replaced)"));
    }
    pieces.extend(fate(change));
    let narrow = pieces.iter().enumerate().map(|(number, piece)| match number {
        0 => vec![piece.clone()],
        _ => vec![Cell::plain("  "), piece.clone()],
    });
    let narrow = narrow.collect();
    let wide = pieces
        .into_iter()
        .flat_map(|piece| [piece, Cell::plain("  ")])
        .collect();
    text.either(wide, narrow);
    // What is removed has no property any longer; `--format json` tells what it had.
    if change.kind != Kind::Remove {
        for property in &change.properties {
            // Every new resource has the tags of the stack.
            if change.kind != Kind::Add || property.path != "/Properties/Tags" {
                properties(change.kind, property, text);
            }
        }
    }
}

/// What becomes of what was there.
fn fate(change: &Change) -> Option<Cell> {
    let style = if change.holds_data && change.old == Some(Fate::Deleted) {
        Style::Bad
    } else {
        Style::Dim
    };
    let words = match (change.kind, change.old?) {
        (Kind::Replace, Fate::Deleted) => "(the old one is deleted)",
        (Kind::Replace, Fate::Kept) => "(the old one is kept)",
        (Kind::Remove, Fate::Deleted) => "(deleted)",
        (Kind::Remove, Fate::Kept) => "(kept, outside of the stack)",
        (Kind::Replace | Kind::Remove, Fate::Snapshot) => "(deleted, a snapshot is kept)",
        _ => return None,
    };
    Some(Cell::of(style, words))
}

/// A line for each place of the property that differs.
fn properties(kind: Kind, property: &Property, text: &mut Text) {
    let name = property.path.strip_prefix("/Properties").unwrap_or(&property.path);
    let name = name.trim_start_matches('/').replace('/', ".");
    let mut notes = Vec::new();
    match property.recreation {
        Some(Recreation::Always) => notes.push("makes it anew".to_owned()),
        Some(Recreation::Conditionally) => notes.push("may make it anew".to_owned()),
        None => {}
    }
    if let Some(cause) = &property.because_of {
        notes.push(format!("follows `{cause}`"));
    }
    let note = match notes.as_slice() {
        [] => String::new(),
        notes => format!("  ({})", notes.join(", ")),
    };
    let (before, after) = (property.before.as_ref(), property.after.as_ref());
    if before.is_none() && after.is_none() {
        text.line(format!("    {name}{note}"));
        return;
    }
    for difference in between(before, after) {
        let path = match difference.path.as_str() {
            "" => name.clone(),
            path if path.starts_with('[') => format!("{name}{path}"),
            path => format!("{name}.{path}"),
        };
        let inside = difference.before.zip(difference.after).and_then(|(before, after)| {
            // A text that is JSON, such as a definition or a dashboard's body.
            structured(before).zip(structured(after))
        });
        let Some((before, after)) = inside.filter(|(before, after)| before != after) else {
            line(kind, &path, difference.before, difference.after, &note, text);
            continue;
        };
        for difference in between(Some(&before), Some(&after)) {
            let path = match difference.path.as_str() {
                "" => path.clone(),
                inner if inner.starts_with('[') => format!("{path}{inner}"),
                inner => format!("{path}.{inner}"),
            };
            line(kind, &path, difference.before, difference.after, &note, text);
        }
    }
}

/// The map or list that a text is the JSON of.
fn structured(value: &Value) -> Option<Value> {
    let value: Value = serde_json::from_str(value.as_str()?).ok()?;
    (value.is_object() || value.is_array()).then_some(value)
}

fn line(kind: Kind, path: &str, before: Option<&Value>, after: Option<&Value>, note: &str, text: &mut Text) {
    let (before, after) = match (before, after) {
        (Some(before), Some(after)) => {
            let (before, after) = apart(before, after);
            (Some(before), Some(after))
        }
        (before, after) => (before.map(shown), after.map(shown)),
    };
    let head = Cell::plain(format!("    {path}: "));
    let note = Cell::of(Style::Warn, note);
    match (before, after) {
        (Some(before), Some(after)) => text.either(
            vec![
                head,
                Cell::of(Style::Bad, &before),
                Cell::plain(" -> "),
                Cell::of(Style::Good, &after),
                note.clone(),
            ],
            vec![
                vec![Cell::plain(format!("    {path}:")), note],
                vec![Cell::of(Style::Bad, format!("      - {before}"))],
                vec![Cell::of(Style::Good, format!("      + {after}"))],
            ],
        ),
        (None, Some(after)) => text.either(
            vec![
                head,
                Cell::plain(if kind == Kind::Add { "" } else { "(none) -> " }),
                Cell::of(Style::Good, &after),
                note.clone(),
            ],
            vec![
                vec![Cell::plain(format!("    {path}:")), note],
                vec![Cell::of(Style::Good, format!("      + {after}"))],
            ],
        ),
        (Some(before), None) => text.either(
            vec![
                head,
                Cell::of(Style::Bad, &before),
                Cell::plain(" -> (gone)"),
                note.clone(),
            ],
            vec![
                vec![Cell::plain(format!("    {path}:")), note],
                vec![Cell::of(Style::Bad, format!("      - {before}"))],
            ],
        ),
        (None, None) => {}
    }
}

/// A value on one line, cut in its middle: ends tell more than middles, of names, ARNs and keys.
fn shown(value: &Value) -> String {
    if value == UNKNOWN {
        return "(known after the deploy)".to_owned();
    }
    short(&plain(value))
}

/// What stands for the part that is not shown.
const MIDDLE: &str = "...";

/// Two values that differ, cut so that the difference is seen.
fn apart(before: &Value, after: &Value) -> (String, String) {
    /// Characters before the first that differs: whoever reads wants to know where he is.
    const LEAD: usize = 16;
    let cut = (shown(before), shown(after));
    if cut.0 != cut.1 {
        return cut;
    }
    let [before, after] = [before, after].map(|value| plain(value).replace('\n', "\\n"));
    let same = before
        .chars()
        .zip(after.chars())
        .take_while(|(one, other)| one == other)
        .count();
    let from = same.saturating_sub(LEAD);
    let window = |text: &str| {
        let start = if from > 0 { MIDDLE } else { "" };
        let mut rest = text.chars().skip(from);
        let part: String = rest.by_ref().take(SHOWN - 2 * MIDDLE.len()).collect();
        let end = if rest.next().is_some() { MIDDLE } else { "" };
        format!("{start}{part}{end}")
    };
    (window(&before), window(&after))
}

fn short(value: &str) -> String {
    let value = value.replace('\n', "\\n");
    let count = value.chars().count();
    if count <= SHOWN {
        return value;
    }
    let side = (SHOWN - MIDDLE.len()) / 2;
    let start: String = value.chars().take(side).collect();
    let end: String = value.chars().skip(count - side).collect();
    format!("{start}{MIDDLE}{end}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::text::Terminal;

    #[test]
    fn a_difference_in_the_middle_of_long_values_is_seen() {
        let long = |middle: &str| json!(format!("{}{middle}{}", "a".repeat(300), "z".repeat(300)));
        let (before, after) = apart(&long("old"), &long("new"));
        assert!(
            before.starts_with("...aaa") && before.contains("aoldz") && before.ends_with("z..."),
            "{before}"
        );
        assert!(after.contains("anewz"), "{after}");
        assert!(before.chars().count() <= SHOWN && after.chars().count() <= SHOWN);
        // One that only ends earlier, too.
        let (before, after) = apart(&long(""), &long("z"));
        assert_ne!(before, after);
        assert_eq!(apart(&json!("a"), &json!("b")), ("a".to_owned(), "b".to_owned()));
    }

    fn told(plan: &Plan) -> String {
        let mut text = Text::default();
        Planned::new("release-1", plan).human(&mut text);
        text.render(Terminal::default())
    }

    #[test]
    fn texts_that_are_json_are_compared_place_by_place() {
        let body = |width: u64| json!(json!({"widgets": [{"text": "x".repeat(200), "width": width}]}).to_string());
        let mut plan = Plan::of_nothing("s");
        plan.no_changes = false;
        plan.others = vec![Property {
            path: "/Metadata/Body".into(),
            before: Some(body(6)),
            after: Some(body(12)),
            ..Property::default()
        }];
        let text = told(&plan);
        assert!(text.contains("Metadata.Body.widgets[0].width: 6 -> 12"), "{text}");
    }

    #[test]
    fn only_cloudformation_says_that_there_is_nothing() {
        let mut plan = Plan::of_nothing("s");
        plan.problems = vec![Problem::error("F0999", "", "something is wrong")];
        let text = told(&plan);
        assert!(
            text.contains("no changes: the stack `s`") && text.contains("something is wrong"),
            "{text}"
        );
        plan.no_changes = false;
        let text = told(&plan);
        assert!(
            text.contains("no resource changes, but CloudFormation would update"),
            "{text}"
        );
        assert!(
            text.contains("something is wrong") && !text.contains("no changes:"),
            "{text}"
        );
    }

    #[test]
    fn a_long_value_is_cut_in_its_middle() {
        let long = format!("arn:{}end", "x".repeat(200));
        let cut = short(&long);
        assert_eq!(cut.chars().count(), SHOWN - 1);
        assert!(
            cut.starts_with("arn:x") && cut.ends_with("xend") && cut.contains("..."),
            "{cut}"
        );
        assert_eq!(short("short"), "short");
        assert_eq!(short(&"\u{1f43a}".repeat(SHOWN)).chars().count(), SHOWN);
        assert_eq!(short("a\nb"), "a\\nb");
    }
}
