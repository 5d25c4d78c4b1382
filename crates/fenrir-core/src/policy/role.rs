//! The roles that Fenrir writes: bounded, assumed by one service, with inline statements for exactly what is named.

use serde_json::{Value, json};

use super::judge::{Judge, own_tags};
use super::place::Place;
use super::registry::{Naming, ResourceType};
use crate::codes;
use crate::names::{self, Style};

/// What a role may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// IAM actions.
    pub actions: &'static [&'static str],
    /// Literal ARNs (a trailing `*` where a part is meant), or `*` where the service knows no resources.
    pub resources: Vec<String>,
    /// IAM condition.
    pub condition: Option<Value>,
}

impl Statement {
    /// Allows these actions on one resource.
    #[must_use]
    pub fn on(actions: &'static [&'static str], resource: impl Into<String>) -> Self {
        Self {
            actions,
            resources: vec![resource.into()],
            condition: None,
        }
    }

    /// The statements with those of the same actions and condition joined into one: IAM counts every character.
    fn joined(all: Vec<Self>) -> Vec<Self> {
        let mut joined: Vec<Self> = Vec::new();
        for statement in all {
            let same = joined
                .iter_mut()
                .find(|known| known.actions == statement.actions && known.condition == statement.condition);
            if let Some(known) = same {
                for resource in statement.resources {
                    if !known.resources.contains(&resource) {
                        known.resources.push(resource);
                    }
                }
            } else {
                joined.push(statement);
            }
        }
        joined
    }

    fn json(&self) -> Value {
        let mut statement = json!({ "Effect": "Allow", "Action": self.actions, "Resource": self.resources });
        if let (Some(condition), Some(members)) = (&self.condition, statement.as_object_mut()) {
            members.insert("Condition".to_owned(), condition.clone());
        }
        statement
    }
}

/// The type of every role.
pub(super) const ROLE: &str = "AWS::IAM::Role";

/// What a template may know of the roles that Fenrir adds to it. No template can have one of its own: the type is not
/// in the registry.
pub(super) static ADDED: ResourceType = ResourceType {
    name: ROLE,
    about: "The role that Fenrir writes for a function or state machine without `Role`.",
    attributes: &["Arn", "RoleId"],
    naming: Some(Naming {
        // Limit: IAM API, `CreateRole`, `RoleName`.
        style: |_| STYLE,
        identifies: true,
    }),
    arn: "iam::{account}:role/{name}",
    ..ResourceType::PLAIN
};

const STYLE: Style = Style::up_to(64);

/// Characters of all inline policies of one role, white space not counted.
/// Source: IAM User Guide, "IAM and AWS STS quotas", "Role inline policies".
const LARGEST: usize = 10_240;

/// The logical id of the role that Fenrir adds for a resource.
pub(super) fn id_for(id: &str) -> String {
    format!("{id}Role")
}

/// Adds the role of the resource here, with what its rules granted, and returns the reference to its ARN.
pub(super) fn write(judge: &mut Judge<'_>, service: &str) -> Value {
    let id = id_for(judge.id());
    let statements = Statement::joined(judge.take_statements());
    let statements: Vec<Value> = statements.iter().map(Statement::json).collect();
    check_size(judge, &statements);
    let tags: Vec<_> = own_tags(judge, judge.id())
        .into_iter()
        .map(|(key, value)| json!({ "Key": key, "Value": value }))
        .collect();
    let role = json!({
        "Type": ROLE,
        "Properties": {
            "RoleName": names::resource(judge.owner(), ROLE, &id, STYLE),
            "AssumeRolePolicyDocument": {
                "Version": "2012-10-17",
                "Statement": [{
                    "Effect": "Allow",
                    "Principal": { "Service": service },
                    "Action": "sts:AssumeRole",
                }],
            },
            "PermissionsBoundary": judge.boundary(),
            "Policies": [{
                "PolicyName": "fenrir",
                "PolicyDocument": { "Version": "2012-10-17", "Statement": statements },
            }],
            "Tags": tags,
        },
    });
    judge.add(id.clone(), role);
    json!({ "Fn::GetAtt": [id, "Arn"] })
}

/// IAM would refuse a larger policy in the middle of the deploy.
fn check_size(judge: &mut Judge<'_>, statements: &[Value]) {
    let size: usize = statements.iter().map(|statement| statement.to_string().len()).sum();
    if size > LARGEST {
        let resources = Place::ROOT.key("Resources");
        judge.refuse(
            codes::POLICIES,
            &resources.key(judge.id()),
            format!(
                "the role of `{}` would have {size} characters of policy, and IAM takes {LARGEST}",
                judge.id()
            ),
            "give some of the work to another function: one that needs so much is hard to keep safe",
        );
    }
}
