//! The roles that Fenrir writes: bounded, assumed by one service, with inline statements for exactly what is named.

use serde_json::{Value, json};

use super::judge::{Judge, own_tags};
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

/// Adds the role of the resource here, with what its rules granted, and returns the reference to its ARN.
pub(super) fn write(judge: &mut Judge<'_>, service: &str) -> Value {
    let id = format!("{}Role", judge.id());
    let mut statements: Vec<Value> = Vec::new();
    for statement in judge.take_statements() {
        let statement = statement.json();
        if !statements.contains(&statement) {
            statements.push(statement);
        }
    }
    let tags: Vec<_> = own_tags(judge, judge.id())
        .into_iter()
        .map(|(key, value)| json!({ "Key": key, "Value": value }))
        .collect();
    let role = json!({
        "Type": ROLE,
        "Properties": {
            // Limit: IAM API, `CreateRole`, `RoleName`.
            "RoleName": names::resource(judge.owner(), ROLE, &id, Style::up_to(64)),
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
