//! What `fenrir bootstrap` answers.

use std::collections::BTreeMap;

use fenrir_core::plan::Reported;
use fenrir_install::stacks::{Kept, OwnStacks, ParameterChange, Prepared};
use fenrir_install::version;
use serde::Serialize;

use crate::answer::Answer;
use crate::text::{Cell, Style, Table, Text};

/// The changes of one stack, before they are made.
#[derive(Debug, Serialize)]
pub struct StackChanges {
    /// `create`, `update` or `none`.
    pub action: &'static str,
    /// Name of the stack.
    pub stack: &'static str,
    /// What it is.
    #[serde(skip)]
    pub name: &'static str,
    /// Account.
    pub account: String,
    /// Region.
    pub region: String,
    /// Version that is installed.
    pub version_before: Option<String>,
    /// Version that will be.
    pub version_after: &'static str,
    /// Parameters that change.
    pub parameters: Vec<ParameterChange>,
    /// Resources that change.
    pub changes: Vec<Reported>,
}

impl StackChanges {
    /// Of a change set.
    #[must_use]
    pub fn of(prepared: &Prepared, stacks: &OwnStacks) -> Self {
        Self {
            action: match (&prepared.change_set, prepared.creates) {
                (None, _) => "none",
                (Some(_), true) => "create",
                (Some(_), false) => "update",
            },
            stack: prepared.kind.stack(),
            name: prepared.kind.name(),
            account: stacks.account().to_owned(),
            region: stacks.region().to_owned(),
            version_before: prepared.version_before.clone(),
            version_after: version::OWN,
            parameters: prepared.parameters.clone(),
            changes: prepared.changes.clone(),
        }
    }

    /// What is added, summed up by type: a new stack has dozens.
    fn summed_up(&self, text: &mut Text) {
        let mut types: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        for change in &self.changes {
            *types.entry((&change.action, &change.resource_type)).or_default() += 1;
        }
        let mut table = Table::new(&["ACTION", "TYPE", "COUNT"]);
        for ((action, resource_type), count) in types {
            table.row([
                Cell::of(style(action, None), action),
                Cell::plain(resource_type),
                Cell::plain(count.to_string()),
            ]);
        }
        text.table(&table);
    }

    fn one_by_one(&self, text: &mut Text) {
        let mut table = Table::new(&["ACTION", "RESOURCE", "TYPE", "WHAT"]);
        for change in &self.changes {
            let mut what: Vec<&str> = Vec::new();
            for detail in &change.details {
                let name = detail.name.as_deref().unwrap_or(&detail.attribute);
                if !what.contains(&name) {
                    what.push(name);
                }
            }
            let replaced = change.replacement.as_deref();
            let action = match replaced {
                Some("True") => "Replace".to_owned(),
                Some("Conditional") => format!("{} (perhaps replace)", change.action),
                _ => change.action.clone(),
            };
            table.row([
                Cell::of(style(&change.action, replaced), action),
                Cell::plain(&*change.logical_id),
                Cell::plain(&*change.resource_type),
                Cell::plain(what.join(", ")),
            ]);
        }
        text.table(&table);
    }
}

fn style(action: &str, replacement: Option<&str>) -> Style {
    match (action, replacement) {
        ("Remove", _) | (_, Some("True")) => Style::Bad,
        ("Add" | "Import", _) => Style::Good,
        _ => Style::Warn,
    }
}

impl Answer for StackChanges {
    const TYPE: &'static str = "stack_changes";

    fn human(&self, text: &mut Text) {
        let Self {
            name,
            stack,
            account,
            region,
            ..
        } = self;
        let there = format!("{name} `{stack}`, account {account}, {region}");
        match self.action {
            "none" => {
                text.line(format!("no changes: {there}"));
                return;
            }
            "create" => text.heading(format!("create {there}")),
            _ => text.heading(format!("update {there}")),
        }
        match self.version_before.as_deref() {
            Some(before) if before == self.version_after => {}
            before => text.field(
                "version",
                format!("{} -> {}", before.unwrap_or("none"), self.version_after),
            ),
        }
        for parameter in &self.parameters {
            text.field(&parameter.name, told(parameter));
        }
        match (self.changes.as_slice(), self.action) {
            ([], _) => text.line("only outputs change"),
            (_, "create") => self.summed_up(text),
            _ => self.one_by_one(text),
        }
    }
}

/// A parameter's change; of a list, what comes and what goes.
fn told(parameter: &ParameterChange) -> String {
    let (before, after) = (parameter.before.as_deref(), parameter.after.as_str());
    let Some(before) = before else { return after.to_owned() };
    if !before.contains(',') && !after.contains(',') {
        return format!("{} -> {}", shown(before), shown(after));
    }
    let items = |list: &str| list.split(',').map(|item| item.trim().to_owned()).collect::<Vec<_>>();
    let (had, gets) = (items(before), items(after));
    let come = gets
        .iter()
        .filter(|item| !had.contains(item))
        .map(|item| format!("+{item}"));
    let go = had
        .iter()
        .filter(|item| !gets.contains(item))
        .map(|item| format!("-{item}"));
    let moved: Vec<String> = come.chain(go).collect();
    format!("{after} ({})", moved.join(" "))
}

fn shown(value: &str) -> &str {
    if value.is_empty() { "none" } else { value }
}

/// What is installed, at the end.
#[derive(Debug, Serialize)]
pub struct Installed {
    /// Whether anything was changed.
    pub changed: bool,
    /// Version.
    pub version: &'static str,
    /// Stacks that were changed.
    pub stacks: Vec<String>,
    /// ARN of the state machine, where the deployer was installed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state_machine: Option<String>,
    /// The deployer's bucket of its home region.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bucket: Option<String>,
    /// What is left to be done, as commands.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub next: Vec<String>,
}

impl Answer for Installed {
    const TYPE: &'static str = "installation";

    fn human(&self, text: &mut Text) {
        if self.changed {
            text.put(Style::Good, "installed");
            text.plain(format!(": Fenrir {}", self.version));
        } else {
            text.put(Style::Good, "no changes");
            text.plain(format!(": this is Fenrir {} already", self.version));
        }
        text.end();
        if let Some(arn) = &self.state_machine {
            text.field("state machine", arn.as_str());
        }
        if let Some(bucket) = &self.bucket {
            text.field("bucket", bucket.as_str());
        }
        for (number, step) in self.next.iter().enumerate() {
            text.field(if number == 0 { "next" } else { "" }, step.as_str());
        }
    }
}

/// What was removed.
#[derive(Debug, Serialize)]
pub struct Removed {
    /// Name of the stack.
    pub stack: &'static str,
    /// Account.
    pub account: String,
    /// Region.
    pub region: String,
    /// Whether there was something to remove.
    pub removed: bool,
    /// What it left.
    pub kept: Vec<Kept>,
}

impl Answer for Removed {
    const TYPE: &'static str = "removal";

    fn human(&self, text: &mut Text) {
        let Self {
            stack, account, region, ..
        } = self;
        if !self.removed {
            text.line(format!(
                "nothing to remove: no stack `{stack}` in account {account}, {region}"
            ));
            return;
        }
        text.line(format!("removed: stack `{stack}` of account {account}, {region}"));
        for kept in &self.kept {
            text.field("kept", format!("{} ({})", kept.physical_id, kept.resource_type));
        }
    }
}

/// Where may be deployed, and what is installed there.
#[derive(Debug, Serialize)]
pub struct Listing {
    /// Account of the deployer.
    pub deployer_account: String,
    /// Home region.
    pub home: String,
    /// Version of the deployer.
    pub version: Option<String>,
    /// Status of its stack.
    pub status: &'static str,
    /// Accounts.
    pub accounts: Vec<Listed>,
    /// Regions.
    pub regions: Vec<Listed>,
}

/// An account or a region.
#[derive(Debug, Serialize)]
pub struct Listed {
    /// Its id or name.
    pub name: String,
    /// `installed`, `missing`, `not looked at`, or a status that is no good.
    pub state: String,
    /// Version of what is installed there.
    pub version: Option<String>,
    /// What to do, or why it was not looked at.
    pub note: Option<String>,
}

impl Answer for Listing {
    const TYPE: &'static str = "accounts";

    fn human(&self, text: &mut Text) {
        text.field("deployer", format!("account {}, {}", self.deployer_account, self.home));
        text.field(
            "version",
            self.version
                .as_deref()
                .unwrap_or("older than versions are written down"),
        );
        text.field("stack", self.status);
        for (heading, listed) in [("ACCOUNT", &self.accounts), ("REGION", &self.regions)] {
            text.end();
            let mut table = Table::new(&[heading, "STATE", "VERSION", "NOTE"]);
            for listed in listed {
                let style = match listed.state.as_str() {
                    "installed" => Style::Good,
                    "not looked at" => Style::Dim,
                    _ => Style::Bad,
                };
                table.row([
                    Cell::plain(&*listed.name),
                    Cell::of(style, &*listed.state),
                    Cell::plain(listed.version.as_deref().unwrap_or("-")),
                    Cell::plain(listed.note.as_deref().unwrap_or("")),
                ]);
            }
            text.table(&table);
        }
    }
}
