//! What roles may do after it that they may not do now.

use std::collections::BTreeMap;

use serde_json::Value;

use super::words::{each, several};
use super::{Kind, Sides, plain};
use crate::codes;
use crate::problem::{Problem, Severity};

/// The type of a role.
const ROLE: &str = "AWS::IAM::Role";

/// Actions that know no resources, so that `*` is all that can be written: those of the roles that Fenrir writes.
///
/// Source: Service Authorization Reference, actions without resource types.
const WITHOUT_RESOURCES: [&str; 20] = [
    "cloudwatch:PutMetricData",
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
    "logs:CreateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:DescribeLogGroups",
    "logs:DescribeResourcePolicies",
    "logs:GetLogDelivery",
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:UpdateLogDelivery",
    "xray:GetSamplingRules",
    "xray:GetSamplingTargets",
    "xray:PutTelemetryRecords",
    "xray:PutTraceSegments",
    "states:ValidateStateMachineDefinition",
];

/// One action on one resource.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Grant {
    resource: String,
    action: String,
    condition: Option<String>,
}

/// Rights of a role that are compared one by one. IAM gives a role 10,240 characters for its policies (IAM User Guide, "IAM
/// and AWS STS quotas"), which is no bound of what a template can ask for: actions times resources.
const COMPARED: usize = 2_000;

/// Pairs of rights that are compared by their wildcards.
const PAIRS: usize = 200_000;

/// A role may do more than before, or is new in a stack that is there; and of any role a right on everything.
pub(super) fn wider(sides: &Sides<'_>) -> Vec<Problem> {
    let id = sides.id();
    let Ok(new) = new_grants(sides) else {
        let message = format!("the rights of the role `{id}` are too many to compare: more than {COMPARED}");
        let help = "look yourself what it may do, or give it fewer actions on fewer resources";
        return vec![sides.warning(codes::PLAN_WIDER_RIGHTS, message, help)];
    };
    let wild: Vec<Grant> = new.iter().filter(|grant| grant.is_wild()).cloned().collect();
    let mut found = Vec::new();
    // In a new stack everything is new; what is remarkable about it the other rules say.
    if !new.is_empty() && !sides.new_stack {
        let may = match sides.change.kind {
            Kind::Add => format!("the new role `{id}` may"),
            _ => format!("the role `{id}` may do more than before:"),
        };
        let message = format!("{may} {}", told(&new));
        let help = "is every one of them needed? each comes from the `Policies` of the function or state machine";
        let problem = sides.warning(codes::PLAN_WIDER_RIGHTS, message, help);
        found.push(problem.details(listed(&new)));
    }
    if !wild.is_empty() {
        let message = format!("the role `{id}` gets rights with a wildcard: {}", told(&wild));
        let help = "name the actions and the resources one by one";
        let problem = sides.warning(codes::PLAN_WILDCARD, message, help);
        found.push(problem.details(listed(&wild)));
    }
    found
}

/// A function or state machine works with another role, whose rights are not of this template.
pub(super) fn another_role(sides: &Sides<'_>) -> Vec<Problem> {
    let (Some(before), Some(after)) = (sides.before, sides.after) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for path in ["/Properties/Role", "/Properties/RoleArn"] {
        let (old, new) = (before.pointer(path).map(plain), after.pointer(path).map(plain));
        let is_outside = new.as_ref().is_some_and(|role| role.starts_with("arn:"));
        if let (Some(new), true) = (&new, is_outside)
            && old.as_ref() != Some(new)
        {
            let old = old.map_or_else(String::new, |old| format!(" instead of `{old}`"));
            let message = format!(
                "`{}` works with the role `{new}`{old}, and what that may do is not in this template",
                sides.id()
            );
            let help = "look what the role may do, and who else works with it";
            found.push(sides.warning(codes::PLAN_ANOTHER_ROLE, message, help));
        }
    }
    found
}

/// What is deployed cannot be read.
pub(super) fn not_compared() -> Problem {
    let message = "the template of the stack as it is cannot be read, so everything it has counts as new";
    Problem::error(codes::PLAN_NOT_COMPARED, "", message)
        .severity(Severity::Warning)
        .help("somebody has deployed the stack without Fenrir; the first deploy by Fenrir mends that")
}

/// More rights than are compared.
#[derive(Debug)]
struct TooMany;

/// What the role may do after it, and not before.
fn new_grants(sides: &Sides<'_>) -> Result<Vec<Grant>, TooMany> {
    if sides.change.resource_type != ROLE {
        return Ok(Vec::new());
    }
    let is_same =
        |path| sides.before.and_then(|role| role.pointer(path)) == sides.after.and_then(|role| role.pointer(path));
    if SOURCES.into_iter().all(is_same) {
        return Ok(Vec::new());
    }
    let before = sides.before.map_or_else(|| Ok(Vec::new()), grants)?;
    let mut new = sides.after.map_or_else(|| Ok(Vec::new()), grants)?;
    // Both are sorted.
    new.retain(|grant| before.binary_search(grant).is_err());
    if new.len().saturating_mul(before.len()) > PAIRS {
        return Err(TooMany);
    }
    new.retain(|grant| !before.iter().any(|old| old.covers(grant)));
    Ok(new)
}

/// Where a role says what it may do.
const SOURCES: [&str; 2] = ["/Properties/Policies", "/Properties/ManagedPolicyArns"];

/// Every right of the role, sorted.
fn grants(role: &Value) -> Result<Vec<Grant>, TooMany> {
    let mut found: Vec<Grant> = Vec::new();
    let documents = each(role.pointer("/Properties/Policies"))
        .iter()
        .filter_map(|policy| policy.get("PolicyDocument"));
    for statement in documents.flat_map(|document| each(document.get("Statement"))) {
        if statement.get("Effect").and_then(Value::as_str) != Some("Allow") {
            continue;
        }
        let count = |names: [&str; 2]| names.map(|name| each(statement.get(name)).len()).iter().sum::<usize>();
        let product = count(["Action", "NotAction"]).saturating_mul(count(["Resource", "NotResource"]));
        // Before they are made: a megabyte of template can ask for millions.
        if found.len().saturating_add(product) > COMPARED {
            return Err(TooMany);
        }
        let condition = statement.get("Condition").map(Value::to_string);
        let but = |name: &str| {
            each(statement.get(name))
                .iter()
                .map(|value| format!("everything but {}", plain(value)))
        };
        let actions: Vec<String> = each(statement.get("Action"))
            .iter()
            .map(plain)
            .chain(but("NotAction"))
            .collect();
        let resources = each(statement.get("Resource"))
            .iter()
            .map(plain)
            .chain(but("NotResource"));
        for resource in resources {
            found.extend(actions.iter().map(|action| Grant {
                resource: resource.clone(),
                action: action.clone(),
                condition: condition.clone(),
            }));
        }
    }
    found.extend(
        each(role.pointer("/Properties/ManagedPolicyArns"))
            .iter()
            .map(|arn| Grant {
                resource: plain(arn),
                action: "what the managed policy allows".to_owned(),
                condition: None,
            }),
    );
    found.sort();
    found.dedup();
    Ok(found)
}

impl Grant {
    fn under(&self) -> &'static str {
        self.condition.as_ref().map_or("", |_| " (under a condition)")
    }

    /// Whether this one allows all that the other does. IAM does not mind the case of actions.
    ///
    /// Source: IAM User Guide, "IAM JSON policy elements: Action" and "Resource".
    fn covers(&self, other: &Self) -> bool {
        is_like(&self.action.to_lowercase(), &other.action.to_lowercase())
            && is_like(&self.resource, &other.resource)
            && (self.condition.is_none() || self.condition == other.condition)
    }

    /// Whether it is about everything: a wildcard for the action, or for the whole resource where the action knows any.
    fn is_wild(&self) -> bool {
        let knows_none = WITHOUT_RESOURCES
            .iter()
            .any(|action| action.eq_ignore_ascii_case(&self.action));
        let everything = self.resource == "*"
            || self.resource.starts_with("everything but ")
            || self.resource.starts_with("arn:") && self.resource.splitn(6, ':').nth(5) == Some("*");
        self.action.contains('*') || self.action.starts_with("everything but ") || everything && !knows_none
    }
}

/// Whether `text` is of the form of `pattern`, in which `*` stands for any characters and `?` for one.
pub(super) fn is_like(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut at, mut seen) = (0, 0);
    // Where the last `*` was, and how much of the text it has taken.
    let mut star: Option<(usize, usize)> = None;
    while let Some(c) = text.get(seen) {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, seen));
                at += 1;
            }
            Some(p) if p == c || *p == '?' => {
                at += 1;
                seen += 1;
            }
            _ => {
                let Some((star_at, taken)) = star else { return false };
                star = Some((star_at, taken + 1));
                at = star_at + 1;
                seen = taken + 1;
            }
        }
    }
    pattern.get(at..).is_none_or(|rest| rest.iter().all(|c| *c == '*'))
}

/// `` `a`, `b` on `x`; `c` on `y` ``: what is about everything first, then what has a wildcard.
fn told(grants: &[Grant]) -> String {
    let mut by_resource: BTreeMap<&str, Vec<&Grant>> = BTreeMap::new();
    for grant in grants {
        by_resource.entry(&grant.resource).or_default().push(grant);
    }
    let resources = by_resource.len();
    let mut by_resource: Vec<(&str, Vec<&Grant>)> = by_resource.into_iter().collect();
    by_resource
        .sort_by_key(|(resource, grants)| (!grants.iter().any(|grant| grant.is_wild()), !resource.contains('*')));
    let mut told: Vec<String> = by_resource
        .into_iter()
        .take(4)
        .map(|(resource, mut grants)| {
            grants.sort_by_key(|grant| !grant.is_wild());
            let actions = grants
                .into_iter()
                .map(|grant| format!("`{}`{}", grant.action, grant.under()));
            format!("{} on `{resource}`", several(actions))
        })
        .collect();
    if resources > told.len() {
        told.push(format!("more on {} other resources", resources - told.len()));
    }
    told.join("; ")
}

/// All of them, one by one.
fn listed(grants: &[Grant]) -> Vec<String> {
    let mut grants: Vec<&Grant> = grants.iter().collect();
    grants.sort_by_key(|grant| (!grant.is_wild(), !grant.resource.contains('*')));
    let words = |grant: &Grant| format!("`{}` on `{}`{}", grant.action, grant.resource, grant.under());
    grants.into_iter().map(words).collect()
}
