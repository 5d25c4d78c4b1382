//! `fenrir diff`: what two releases do not have in common.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;
use similar::TextDiff;

use crate::answer::Answer;
use crate::arguments::Diff;
use crate::aws::Aws;
use crate::commands::on_runtime;
use crate::exit::Exit;
use crate::fault::{Fault, Stop};
use crate::original::Original;
use crate::printer::Printer;
use crate::releases::{self, Found, Place};
use crate::scope::Tables;
use crate::text::{Cell, Style, Table, Text};

/// Lines shown around a change.
const AROUND: usize = 3;
/// Characters of a SHA-256 that are shown to people.
const SHOWN: usize = 12;

/// Compares two releases.
///
/// # Errors
/// One of them is not to be had.
pub fn run(arguments: &Diff, printer: &mut Printer) -> Result<Exit, Stop> {
    on_runtime(diff(arguments, printer))
}

async fn diff(arguments: &Diff, printer: &mut Printer) -> Result<Exit, Stop> {
    let mut aws = Aws::connect(&arguments.aws).await?;
    let tables = Tables::of(&aws)?;
    let from = releases::find(&mut aws, &tables, &arguments.scope, &arguments.from).await?;
    let before = read(&aws, &from, printer).await?;
    let to = if let Some(to) = &arguments.to {
        releases::find(&mut aws, &tables, &arguments.scope, to).await?
    } else {
        let current = releases::current(&aws, &tables, &from.owner).await?;
        let deployed = current.and_then(|current| current.deployed).ok_or_else(|| {
            let place = Place::from(&from.owner);
            Fault::usage(format!(
                "nothing is deployed of {place}: there is nothing to compare with"
            ))
            .help("say a second release")
        })?;
        let entry = tables.records.entry(&from.owner, &deployed.release_id).await;
        Found {
            owner: from.owner.clone(),
            entry: entry.map_err(|error| releases::unread(&aws, "reading the release", error))?,
            release_id: deployed.release_id,
            execution: None,
        }
    };
    let after = read(&aws, &to, printer).await?;
    printer.answer(&Difference::of((&from, &before), (&to, &after)));
    Ok(Exit::Success)
}

async fn read(aws: &Aws, found: &Found, printer: &mut Printer) -> Result<Original, Fault> {
    let original = Original::read(aws, &found.owner, &found.release_id, found.started_at()).await?;
    if original.is_changed {
        printer.warning(&format!(
            "release `{}` was stored again after it had started: this may not be what was deployed",
            found.release_id
        ));
    }
    Ok(original)
}

/// One side.
#[derive(Debug, Serialize)]
struct Side {
    #[serde(flatten)]
    place: Place,
    release_id: String,
}

/// What became of an artifact, a tag or a setting.
#[derive(Debug, Serialize)]
struct Change {
    name: String,
    from: Option<String>,
    to: Option<String>,
}

/// What two releases do not have in common.
#[derive(Debug, Serialize)]
struct Difference {
    from: Side,
    to: Side,
    /// A unified diff of the templates, empty when they are the same.
    template: String,
    /// By where the template names them, with the SHA-256 of their bytes.
    artifacts: Vec<Change>,
    unchanged_artifacts: usize,
    tags: Vec<Change>,
}

impl Difference {
    fn of((from, before): (&Found, &Original), (to, after): (&Found, &Original)) -> Self {
        let side = |found: &Found| Side {
            place: Place::from(&found.owner),
            release_id: found.release_id.clone(),
        };
        let (old, new) = (pretty(&before.template), pretty(&after.template));
        let template = TextDiff::from_lines(&old, &new)
            .unified_diff()
            .context_radius(AROUND)
            .header(&from.release_id, &to.release_id)
            .to_string();
        let (old, new) = (before.artifacts(), after.artifacts());
        let artifacts = changes(&old, &new);
        Self {
            from: side(from),
            to: side(to),
            template,
            unchanged_artifacts: new
                .iter()
                .filter(|(name, sha256)| old.get(*name) == Some(sha256))
                .count(),
            artifacts,
            tags: changes(&before.release.change_set_tags, &after.release.change_set_tags),
        }
    }

    fn is_none(&self) -> bool {
        self.template.is_empty() && self.artifacts.is_empty() && self.tags.is_empty()
    }
}

/// A value in the author's order, one thing a line.
fn pretty(value: &Value) -> String {
    // A value of JSON always serialises.
    serde_json::to_string_pretty(value).unwrap_or_default() + "\n"
}

fn changes(old: &BTreeMap<String, String>, new: &BTreeMap<String, String>) -> Vec<Change> {
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    names
        .into_iter()
        .filter(|name| old.get(*name) != new.get(*name))
        .map(|name| Change {
            name: name.clone(),
            from: old.get(name).cloned(),
            to: new.get(name).cloned(),
        })
        .collect()
}

impl Answer for Difference {
    const TYPE: &'static str = "diff";

    fn human(&self, text: &mut Text) {
        if self.is_none() {
            text.line(format!(
                "`{}` and `{}` are the same: template, artifacts and tags",
                self.from.release_id, self.to.release_id
            ));
            return;
        }
        for line in self.template.lines() {
            let style = match line.as_bytes() {
                [b'+', b'+', b'+', ..] | [b'-', b'-', b'-', ..] => Style::Strong,
                [b'+', ..] => Style::Good,
                [b'-', ..] => Style::Bad,
                [b'@', ..] => Style::Accent,
                _ => Style::Plain,
            };
            text.put(style, line);
            text.end();
        }
        for (heading, changes) in [("Artifacts", &self.artifacts), ("Tags", &self.tags)] {
            if changes.is_empty() {
                continue;
            }
            text.heading(heading);
            let mut table = Table::new(&["NAME", "FROM", "TO"]);
            let limit = if heading == "Artifacts" { SHOWN } else { usize::MAX };
            let shown = |value: &Option<String>| match value {
                Some(value) => value.chars().take(limit).collect::<String>(),
                None => "-".to_owned(),
            };
            for change in changes {
                table.row([
                    Cell::plain(change.name.as_str()),
                    Cell::of(Style::Bad, shown(&change.from)),
                    Cell::of(Style::Good, shown(&change.to)),
                ]);
            }
            text.table(&table);
        }
    }
}
