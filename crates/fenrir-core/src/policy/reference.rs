//! The reference page of the policy, made from the tables that judge.

use std::fmt::{self, Write as _};

use super::events::{EventType, OF_FUNCTION, OF_STATE_MACHINE};
use super::level;
use super::policies::TEMPLATES;
use super::registry::{ResourceType, TYPES};
use super::rule::{Property, Rule, any_of};
use super::states;
use crate::codes::CATALOGUE;

/// What the policy does with a property.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Passes when its value obeys the value rules.
    Safe,
    /// Fenrir sets it.
    Overwrite,
    /// Passes when the rule says so.
    Check,
    /// Never passes.
    Refuse,
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Safe => "safe",
            Self::Overwrite => "overwrite",
            Self::Check => "check",
            Self::Refuse => "refuse",
        })
    }
}

impl Property {
    /// What the policy does with it.
    #[must_use]
    pub fn class(&self) -> Class {
        match self.rule {
            Rule::Safe(_) => Class::Safe,
            Rule::Generated | Rule::Forced(_) | Rule::Tags(_) => Class::Overwrite,
            Rule::Refused => Class::Refuse,
            _ => Class::Check,
        }
    }

    /// What it may be, in words.
    fn describe(&self) -> String {
        let form = match self.rule {
            Rule::Safe(shape) => shape.describe().to_owned(),
            Rule::OneOf(allowed) => any_of(allowed),
            Rule::Between(least, most) => format!("{least} to {most}"),
            Rule::Literal(pattern) => pattern.describe.to_owned(),
            Rule::Flag => "`true` or `false`, literally".to_owned(),
            _ => String::new(),
        };
        match (form.as_str(), self.why) {
            (_, "") => form,
            ("", why) => why.to_owned(),
            (form, why) => format!("{form}; {why}"),
        }
    }
}

/// The text of `docs/policy.md`.
#[must_use]
pub fn page() -> String {
    let mut page = Page(String::new());
    page.text(INTRODUCTION);
    page.text("## The template\n");
    page.table(level::SECTIONS);
    page.text("### A resource\n");
    page.table(level::RESOURCE);
    page.text("### An output\n");
    page.table(level::OUTPUT);
    page.text("## Resource types\n");
    for kind in TYPES {
        page.resource_type(kind);
    }
    page.text("## Events of a function\n");
    page.text(EVENTS);
    for kind in OF_FUNCTION {
        page.event(kind);
    }
    page.text("## Events of a state machine\n");
    for kind in OF_STATE_MACHINE {
        page.event(kind);
    }
    page.text(STATES);
    page.table(states::STATE);
    page.text(POLICIES);
    page.policies();
    page.text("## Problems\n\n`fenrir explain CODE` prints the same.\n");
    page.problems();
    page.0
}

const INTRODUCTION: &str = "\
# What a template may say

<!-- Made from the tables in crates/fenrir-core/src/policy. To renew it: FENRIR_BLESS=1 cargo test -p fenrir-core --test reference -->

The policy is an allow-list. What is not on this page is refused, also a key that differs only by case. Every property
belongs to one of four classes:

* **safe**: passes when its value obeys the rules for values below and has the right shape;
* **overwrite**: Fenrir sets it; leave it out (your own tags are kept);
* **check**: passes when what is said beside it holds;
* **refuse**: never passes, for the reason beside it.

A property in bold must be there.

## Values

1. One YAML or JSON document of at most 1 MB and 64 levels. No key twice, no merge keys, no null, no NaN. Texts that YAML
   1.1 and 1.2 read differently (`yes`, `no`, `on`, `off`, `y`, `n`, `0777`, `12:30`, `1_000`, `1e5`) are written in quotes.
2. Intrinsics: `Ref`, `Fn::GetAtt`, `Fn::Sub` (both forms) and `Fn::Join`, long or short. They name resources of the same
   template by an attribute that the type offers, or `AWS::Region`, `AWS::AccountId`, `AWS::Partition`, `AWS::StackName`,
   `AWS::StackId`, `AWS::URLSuffix`. An intrinsic stands alone in its map.
3. Where this page says *literal*, an intrinsic is refused.
4. No dynamic reference (`{{resolve:...}}`), also not put together by `Fn::Join` or `Fn::Sub`. `{{ name }}` in one literal
   text is fine.
5. No control characters and no bidirectional overrides.
6. A name becomes an ARN in the release's own account and region before it is checked, and the ARN that was checked is
   what is deployed. An ARN of another account or region is refused.
7. *Tags allow it* means: `ProjectName` and `ConfigName` are the release's, or `FenrirAllowed:<project>:<config>` is `true`,
   or `FenrirAllAllowed` is `true`. Roles and security groups need `ProjectName`, `ConfigName` and `ServiceName` (the
   logical id), each of them or `_all`. A subnet is open to deploys when `DeployWithFenrir` is `true`. Case matters.
";

const STATES: &str = "\
## States of a state machine

A `Resource` is `!GetAtt` of a function of the template, or `arn:aws:states:::` with `lambda:invoke` (`FunctionName`),
`sqs:sendMessage` (`QueueUrl`), `sns:publish` (`TopicArn`), `dynamodb:getItem`, `putItem`, `updateItem` or `deleteItem`
(`TableName`); the target is `!Ref` or `!GetAtt` of a resource of the template, or `${Name}` with that in
`DefinitionSubstitutions`, never a path (`.$`) or an expression. Keys are written out. CloudFormation fills substitutions
in without escaping them, so they contain no quotes, backslashes or line breaks.
";

const EVENTS: &str = "\
Events of any other type are refused: IoTRule, AlexaSkill, Cognito, MSK, MQ, SelfManagedKafka, DocumentDB and whatever SAM
learns tomorrow.
";

const POLICIES: &str = "\
## Policies

A list; each item is a map with exactly one of these templates, with exactly its parameters. Fenrir writes the role: with
the permissions boundary, and with statements for exactly what is named, the function's own log, its event sources and
its destinations. Without `Role` and without `Policies` a function gets a role with only the latter.
";

struct Page(String);

impl Page {
    fn text(&mut self, text: &str) {
        if !self.0.is_empty() {
            self.0.push('\n');
        }
        self.0.push_str(text);
    }

    /// Writing into a text cannot fail.
    fn line(&mut self, line: fmt::Arguments<'_>) {
        let _ = self.0.write_fmt(line);
        self.0.push('\n');
    }

    fn table(&mut self, table: &[Property]) {
        self.text("| property | class | what it may be | example |\n| --- | --- | --- | --- |\n");
        for property in table {
            let name = if property.required {
                format!("**{}**", property.name)
            } else {
                property.name.to_owned()
            };
            let example = match property.example {
                "" => String::new(),
                example => format!("`{}`", cell(example)),
            };
            let (class, about) = (property.class(), cell(&property.describe()));
            self.line(format_args!("| {name} | {class} | {about} | {example} |"));
        }
    }

    /// A table and the tables of the maps inside of it.
    fn tables(&mut self, above: &str, table: &'static [Property]) {
        self.table(table);
        for property in table {
            if let Some(inner) = inside(&property.rule) {
                let name = format!("{above} / {}", property.name);
                self.text(&format!("#### {name}\n"));
                self.tables(&name, inner);
            }
        }
    }

    fn resource_type(&mut self, kind: &'static ResourceType) {
        self.text(&format!("### {}\n\n{}\n", kind.name, kind.about));
        if !kind.attributes.is_empty() {
            self.line(format_args!(
                "`Fn::GetAtt` offers {}.",
                any_of(kind.attributes).replace(" or ", " and ")
            ));
        }
        if kind.holds_data {
            self.line(format_args!(
                "It holds data: `DeletionPolicy` is RetainExceptOnCreate and `UpdateReplacePolicy` is Retain, unless given."
            ));
        }
        self.tables(kind.name, kind.properties);
    }

    fn event(&mut self, kind: &'static EventType) {
        self.text(&format!("### Event {}\n\n{}\n", kind.name, kind.about));
        self.tables(kind.name, kind.properties);
    }

    fn policies(&mut self) {
        self.text("| template | parameters | what it grants |\n| --- | --- | --- |\n");
        for template in TEMPLATES {
            let parameters = match template.parameters {
                [] => "`{}`".to_owned(),
                names => names
                    .iter()
                    .map(|name| format!("`{name}`"))
                    .collect::<Vec<_>>()
                    .join(", "),
            };
            let (name, about) = (template.name, cell(template.about));
            self.line(format_args!("| {name} | {parameters} | {about} |"));
        }
    }

    fn problems(&mut self) {
        for e in CATALOGUE {
            self.text(&format!("### {}: {}\n\n", e.code, e.title));
            let verb = if e.warns() { "Warned of" } else { "Refused" };
            self.line(format_args!("{verb}: {}. Why: {}.", e.what, e.why));
            if !e.bad.is_empty() {
                let verb = verb.to_lowercase();
                self.line(format_args!("\n```yaml\n# {verb}\n{}\n```", e.bad));
            }
            if !e.good.is_empty() {
                self.line(format_args!("\n```yaml\n# instead\n{}\n```", e.good));
            }
        }
    }
}

/// The table of the maps that a rule takes, directly or in a list.
fn inside(rule: &'static Rule) -> Option<&'static [Property]> {
    match rule {
        Rule::Map(table) => Some(table),
        Rule::Each(rule) => inside(rule),
        _ => None,
    }
}

/// A text as it may stand in a table of Markdown.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', "<br>")
}
