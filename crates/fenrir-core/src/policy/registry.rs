//! The list of resource types. It is closed: what is not here is refused with its name.

use super::events::EventType;
use super::judge::{Judge, Members};
use super::place::Place;
use super::rule::Property;
use super::types;
use crate::names::Style;

/// One resource type: its table of properties, and what the rest of the policy must know of it.
#[derive(Debug)]
pub struct ResourceType {
    /// `AWS::SQS::Queue`.
    pub name: &'static str,
    /// What it is for, in a sentence of the reference page.
    pub about: &'static str,
    /// The type that SAM makes of it; empty where it stays what it is.
    pub becomes: &'static str,
    /// Where the resource has its name after the transform, as a JSON pointer below its properties; empty where it is
    /// still the property that took the name.
    pub named_at: &'static str,
    /// Every property that is allowed or refused by name.
    pub properties: &'static [Property],
    /// What `Fn::GetAtt` offers. Source: CloudFormation, AWS resource types reference, "Return values".
    pub attributes: &'static [&'static str],
    /// How its name is generated, for types that have one.
    pub naming: Option<Naming>,
    /// Its ARN with `{region}`, `{account}` and `{name}` (the generated one), without `arn:<partition>:`.
    pub arn: &'static str,
    /// Whether losing it loses data: then deletion policies are set unless given.
    pub holds_data: bool,
    /// The event types that it takes.
    pub events: &'static [&'static EventType],
    /// The logical ids that SAM makes from it.
    pub generates: Generates,
    /// What cannot be said property by property: checked and rewritten after the table.
    pub finish: fn(&mut Judge<'_>, &Place<'_>, &mut Members),
}

/// The logical ids that SAM makes from a resource or event with this id and these properties; the last argument finds
/// the properties of another resource.
pub type Generates = fn(id: &str, properties: &Members, others: &Others<'_>) -> Vec<Generated>;

/// The properties of another resource of the template.
pub type Others<'o> = dyn Fn(&str) -> Option<&'o Members> + 'o;

/// How a name is generated.
#[derive(Debug, Clone, Copy)]
pub struct Naming {
    /// How the service wants it, given the properties (a FIFO queue's ends in `.fifo`).
    pub style: fn(&Members) -> Style,
    /// Whether the name is what identifies the resource, so that no second one can have it: then CloudFormation
    /// cannot replace the resource. Source: CloudFormation User Guide, "Name type".
    pub identifies: bool,
}

/// A logical id that SAM makes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Generated {
    /// The id, or its beginning where `hashed`.
    pub id: String,
    /// Whether 10 hexadecimal digits follow.
    pub hashed: bool,
    /// The type of what SAM makes.
    pub kind: &'static str,
}

impl Generated {
    /// Exactly this id.
    #[must_use]
    pub fn exactly(id: String, kind: &'static str) -> Self {
        Self {
            id,
            hashed: false,
            kind,
        }
    }

    /// This id and a hash.
    #[must_use]
    pub fn hashed(id: String, kind: &'static str) -> Self {
        Self { id, hashed: true, kind }
    }
}

impl ResourceType {
    /// A plain CloudFormation type: SAM makes nothing from it, and its table says everything.
    pub(super) const PLAIN: Self = Self {
        name: "",
        about: "",
        becomes: "",
        named_at: "",
        properties: &[],
        attributes: &[],
        naming: None,
        arn: "",
        holds_data: false,
        events: &[],
        generates: |_, _, _| Vec::new(),
        finish: |_, _, _| {},
    };
}

impl ResourceType {
    /// The type after the transform.
    #[must_use]
    pub fn processed(&self) -> &'static str {
        if self.becomes.is_empty() {
            self.name
        } else {
            self.becomes
        }
    }

    /// The property that takes the generated name.
    #[must_use]
    pub fn name_property(&self) -> Option<&'static str> {
        self.properties
            .iter()
            .find(|property| matches!(property.rule, super::rule::Rule::Generated))
            .map(|property| property.name)
    }
}

/// Every type, in the order of the reference page.
pub static TYPES: &[&ResourceType] = &[
    &types::function::FUNCTION,
    &types::api::API,
    &types::http_api::HTTP_API,
    &types::state_machine::STATE_MACHINE,
    &types::layer::LAYER,
    &types::simple_table::SIMPLE_TABLE,
    &types::table::TABLE,
    &types::queue::QUEUE,
    &types::topic::TOPIC,
    &types::bucket::BUCKET,
    &types::event_rule::RULE,
    &types::schedule::SCHEDULE,
    &types::alarm::ALARM,
    &types::log_group::LOG_GROUP,
    &types::permission::PERMISSION,
    &types::load_balancer::LOAD_BALANCER,
    &types::target_group::TARGET_GROUP,
    &types::listener::LISTENER,
    &types::listener_rule::LISTENER_RULE,
    &types::distribution::DISTRIBUTION,
];

/// The type of this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static ResourceType> {
    TYPES.iter().copied().find(|kind| kind.name == name)
}
