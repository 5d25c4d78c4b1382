//! The second net, after the transform: what SAM made of the rewritten template must be explained by it, so that
//! whatever SAM does tomorrow, and whatever the first judgement missed, is seen before it is executed.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::judge::Members;
use super::level::{self, Made};
use super::registry::{self, ResourceType};
use super::role::ROLE;
use super::types::function;
use crate::codes;
use crate::house;
use crate::names;
use crate::owner::Owner;
use crate::plan::Reported;
use crate::problem::{Problem, Severity, pointer};
use crate::template::intrinsic::{Piece, pieces, target};
use crate::template::shown;

/// The application of CodeDeploy that SAM makes once for all functions with a `DeploymentPreference`.
const DEPLOYMENTS: (&str, &str) = ("ServerlessDeploymentApplication", "AWS::CodeDeploy::Application");

/// Sections that a processed template may have. The transform itself is gone, or named once more.
const SECTIONS: &[&str] = &[
    "AWSTemplateFormatVersion",
    "Description",
    "Metadata",
    "Outputs",
    "Resources",
    "Transform",
];

/// Attributes that a processed resource may have. SAM writes `UpdatePolicy` for CodeDeploy, and `Metadata` about itself.
const ATTRIBUTES: &[&str] = &[
    "DeletionPolicy",
    "DependsOn",
    "Metadata",
    "Properties",
    "Type",
    "UpdatePolicy",
    "UpdateReplacePolicy",
];

/// Services that may call a function.
const CALLERS: &[&str] = &[
    "apigateway.amazonaws.com",
    "elasticloadbalancing.amazonaws.com",
    "events.amazonaws.com",
    "logs.amazonaws.com",
    "s3.amazonaws.com",
    "secretsmanager.amazonaws.com",
    "sns.amazonaws.com",
];

const CALL_FOR_HELP: &str =
    "nothing was deployed; show this to the operators of Fenrir, the transform may have changed";

/// See [`super::second_check`].
pub(super) fn check(rewritten: &Value, processed: &Value, changes: &[Reported], owner: &Owner) -> Vec<Problem> {
    let declared = resources(rewritten);
    let mut check = Check {
        owner,
        made: level::made(&declared),
        declared: declared.into_iter().collect(),
        known: HashSet::new(),
        processed: resources(processed).into_iter().collect(),
        problems: Vec::new(),
    };
    texts(rewritten, &mut |text| {
        check.known.insert(text);
    });
    check.sections(processed);
    for (id, resource) in resources(processed) {
        check.resource(id, resource);
    }
    check.missing();
    for change in changes {
        check.change(change);
    }
    check.problems
}

fn resources(template: &Value) -> Vec<(&str, &Value)> {
    let resources = template.get("Resources").and_then(Value::as_object);
    let resources = resources.into_iter().flatten();
    resources.map(|(id, resource)| (id.as_str(), resource)).collect()
}

/// Every text of a value, keys left out.
fn texts<'v>(value: &'v Value, each: &mut impl FnMut(&'v str)) {
    match value {
        Value::String(text) => each(text),
        Value::Array(items) => items.iter().for_each(|item| texts(item, each)),
        Value::Object(members) => members.values().for_each(|member| texts(member, each)),
        _ => {}
    }
}

/// Every text that is a dynamic reference, or becomes one when what stands for other things in it is left out: CloudFormation
/// resolves references after its functions.
fn dynamic_references(value: &Value, found: &mut Vec<String>) {
    let look = |text: &str, found: &mut Vec<String>| {
        let is_one = |text: &str| {
            text.split_once("{{")
                .is_some_and(|(_, after)| after.contains("resolve"))
        };
        if is_one(text) || is_one(&without_variables(text)) {
            found.push(shown(text));
        }
    };
    match value {
        Value::String(text) => look(text, found),
        Value::Array(items) => items.iter().for_each(|item| dynamic_references(item, found)),
        Value::Object(members) => {
            match (
                members.get("Fn::Sub").and_then(Value::as_array),
                members.get("Fn::Join").and_then(Value::as_array),
            ) {
                (Some(parts), _) => look(&substituted(parts), found),
                (_, Some(parts)) => {
                    let mut joined = String::new();
                    for part in parts {
                        texts(part, &mut |text| joined.push_str(text));
                    }
                    look(&joined, found);
                }
                _ => {}
            }
            members.values().for_each(|member| dynamic_references(member, found));
        }
        _ => {}
    }
}

/// A text without its `${...}`.
fn without_variables(text: &str) -> String {
    pieces(text)
        .into_iter()
        .filter_map(|piece| match piece {
            Piece::Text(text) => Some(text),
            Piece::Variable(_) | Piece::Open => None,
        })
        .collect()
}

/// The text of an `Fn::Sub` with its own variables put in, once each; the rest is left out. SAM names them `__Stage__` and the like.
fn substituted(parts: &[Value]) -> String {
    let [Value::String(text), Value::Object(variables)] = parts else {
        return String::new();
    };
    let mut put = HashSet::new();
    pieces(text)
        .into_iter()
        .filter_map(|piece| match piece {
            Piece::Text(text) => Some(text),
            // Once is enough to see what it makes, and keeps a short text short.
            Piece::Variable(name) => variables
                .get(name.trim())
                .and_then(Value::as_str)
                .filter(|_| put.insert(name)),
            Piece::Open => None,
        })
        .collect()
}

struct Check<'a> {
    owner: &'a Owner,
    /// The resources of the rewritten template.
    declared: HashMap<&'a str, &'a Value>,
    /// What SAM may make from them.
    made: Made<'a>,
    /// Every text of the rewritten template: what was checked.
    known: HashSet<&'a str>,
    processed: HashMap<&'a str, &'a Value>,
    problems: Vec<Problem>,
}

impl<'a> Check<'a> {
    fn refuse(&mut self, code: &'static str, id: &str, message: String) {
        let problem = Problem::error(code, pointer("/Resources", id), message);
        self.problems.push(problem.help(CALL_FOR_HELP));
    }

    fn sections(&mut self, processed: &Value) {
        let keys = processed.as_object().into_iter().flatten().map(|(key, _)| key);
        for key in keys.filter(|key| !SECTIONS.contains(&key.as_str())) {
            let message = format!("the transform added the section `{}`", shown(key));
            let problem = Problem::error(codes::SECOND_TYPE, pointer("", key), message);
            self.problems.push(problem.help(CALL_FOR_HELP));
        }
        if self.processed.is_empty() {
            let problem = Problem::error(codes::SECOND_TYPE, "", "the processed template has no resources");
            self.problems.push(problem.help(CALL_FOR_HELP));
        }
        let mut dynamic = Vec::new();
        dynamic_references(processed, &mut dynamic);
        for text in dynamic {
            let message = format!("`{text}` is a dynamic reference");
            let problem = Problem::error(codes::DYNAMIC_REFERENCE, "", message);
            self.problems.push(problem.help(CALL_FOR_HELP));
        }
    }

    /// The declared resource of this id and its type in the registry.
    fn declared(&self, id: &str) -> Option<(&'a Value, &'static ResourceType)> {
        let resource = *self.declared.get(id)?;
        let kind = registry::find(resource.get("Type")?.as_str()?)?;
        Some((resource, kind))
    }

    /// The type that this id has after the transform, and the declared resource it comes from.
    fn explain(&self, id: &str) -> Option<(&'static str, &'a str)> {
        if let Some((own, resource)) = self.declared.get_key_value(id) {
            let is_role = resource.get("Type").and_then(Value::as_str) == Some(ROLE);
            let kind = if is_role {
                ROLE
            } else {
                self.declared(id)?.1.processed()
            };
            return Some((kind, own));
        }
        let has_deployments = || {
            let mut all = self.declared.values();
            all.any(|resource| resource.pointer("/Properties/DeploymentPreference").is_some())
        };
        match self.made.explain(id) {
            Some((maker, kind)) => Some((kind, maker)),
            None if id == DEPLOYMENTS.0 && has_deployments() => Some((DEPLOYMENTS.1, DEPLOYMENTS.0)),
            None => None,
        }
    }

    fn resource(&mut self, id: &'a str, resource: &'a Value) {
        static EMPTY: std::sync::LazyLock<Members> = std::sync::LazyLock::new(Members::new);
        let kind = resource.get("Type").and_then(Value::as_str).unwrap_or_default();
        let Some((expected, maker)) = self.explain(id) else {
            let message = format!(
                "the transform made `{}` (`{}`), which nothing explains",
                shown(id),
                shown(kind)
            );
            return self.refuse(codes::SECOND_TYPE, id, message);
        };
        if kind != expected {
            let message = format!("`{id}` is of type `{}` and should be `{expected}`", shown(kind));
            return self.refuse(codes::SECOND_TYPE, maker, message);
        }
        let keys = resource.as_object().into_iter().flatten().map(|(key, _)| key);
        for key in keys.filter(|key| !ATTRIBUTES.contains(&key.as_str())) {
            let message = format!("the transform gave `{id}` the attribute `{}`", shown(key));
            self.refuse(codes::SECOND_TYPE, maker, message);
        }
        let properties = resource.get("Properties").and_then(Value::as_object);
        let properties = properties.unwrap_or_else(|| &EMPTY);
        self.name(id, resource, properties);
        self.policies(id, resource);
        self.arns(id, maker, resource);
        match kind {
            ROLE => self.role(id, maker, properties),
            "AWS::Lambda::Function" => self.code(id, maker, properties.get("Code"), "CodeUri"),
            "AWS::Lambda::LayerVersion" => self.code(id, maker, properties.get("Content"), "ContentUri"),
            "AWS::Lambda::Permission" => self.permission(id, maker, properties),
            "AWS::Lambda::EventSourceMapping" | "AWS::Lambda::EventInvokeConfig" | "AWS::Lambda::Url" => {
                let named = properties
                    .get("FunctionName")
                    .or_else(|| properties.get("TargetFunctionArn"));
                if !self.is_own_function(named) {
                    let message = format!("`{id}` names a function that is not of this template");
                    self.refuse(codes::SECOND_PERMISSION, maker, message);
                }
            }
            _ => {}
        }
    }

    /// The generated name is still there.
    fn name(&mut self, id: &str, resource: &Value, properties: &Members) {
        let Some((declared, kind)) = self.declared(id) else {
            return;
        };
        let (Some(property), Some(naming)) = (kind.name_property(), kind.naming) else {
            return;
        };
        let empty = Members::new();
        let written = declared.get("Properties").and_then(Value::as_object).unwrap_or(&empty);
        let wanted = names::resource(self.owner, kind.name, id, (naming.style)(written));
        let name = if kind.named_at.is_empty() {
            properties.get(property)
        } else {
            resource.pointer(&format!("/Properties{}", kind.named_at))
        };
        if name.and_then(Value::as_str) != Some(wanted.as_str()) {
            let message = format!("`{id}` no longer has its name `{wanted}` after the transform");
            self.refuse(codes::SECOND_TYPE, id, message);
        }
    }

    /// What holds data keeps its deletion policies.
    fn policies(&mut self, id: &str, resource: &Value) {
        let Some((declared, _)) = self.declared(id) else { return };
        for key in ["DeletionPolicy", "UpdateReplacePolicy"] {
            if declared.get(key).is_some() && declared.get(key) != resource.get(key) {
                let message = format!("`{id}` no longer has its `{key}` after the transform");
                self.refuse(codes::SECOND_TYPE, id, message);
            }
        }
    }

    /// Every ARN, and every account in a text that becomes one, was in the rewritten template.
    fn arns(&mut self, id: &str, maker: &str, resource: &'a Value) {
        let mut foreign = Vec::new();
        texts(resource, &mut |text| {
            let is_arn = text.starts_with("arn:") && !text.contains("${");
            let names_account = text
                .split(':')
                .any(|part| part.len() == 12 && part.bytes().all(|b| b.is_ascii_digit()) && part != self.owner.account);
            if (is_arn || names_account) && !self.known.contains(text) {
                foreign.push(shown(text));
            }
        });
        for text in foreign {
            let message = format!("the transform wrote `{text}` into `{id}`");
            self.refuse(codes::SECOND_PERMISSION, maker, message);
        }
    }

    /// A role of ours is as we wrote it. Any other has the boundary, no path, and trusts services only.
    fn role(&mut self, id: &str, maker: &str, properties: &Members) {
        let written = self.declared.get(id).and_then(|role| role.get("Properties"));
        if written.is_some_and(|written| written.as_object() != Some(properties)) {
            let message = format!("the transform changed the role `{id}`");
            self.refuse(codes::SECOND_ROLE, maker, message);
        }
        let boundary = house::iam_arn(self.owner.partition(), &self.owner.account, "policy", house::BOUNDARY);
        if properties.get("PermissionsBoundary").and_then(Value::as_str) != Some(boundary.as_str()) {
            let message = format!("the role `{id}` does not have the permissions boundary");
            self.refuse(codes::SECOND_ROLE, maker, message);
        }
        if properties.contains_key("Path") {
            let message = format!("the role `{id}` has a path");
            self.refuse(codes::SECOND_ROLE, maker, message);
        }
        if !properties
            .get("AssumeRolePolicyDocument")
            .is_some_and(trusts_services_only)
        {
            let message = format!("the role `{id}` may be assumed by others than services");
            self.refuse(codes::SECOND_ROLE, maker, message);
        }
    }

    /// Code is the very object version that was hashed.
    fn code(&mut self, id: &str, maker: &str, code: Option<&Value>, property: &str) {
        let declared = |property: &str| self.declared.get(maker)?.get("Properties")?.get(property);
        let pinned = declared(property);
        // SAM writes the key of the encrypted zip beside the object version; layers have none.
        let key = declared("SourceKMSKeyArn");
        let part =
            |value: Option<&'_ Value>, key: &str| value.and_then(|value| value.get(key)?.as_str().map(str::to_owned));
        let is_pinned = [("S3Bucket", "Bucket"), ("S3Key", "Key"), ("S3ObjectVersion", "Version")]
            .into_iter()
            .all(|(processed, wanted)| {
                let have = part(code, processed);
                have.is_some() && have == part(pinned, wanted)
            });
        let is_all = code
            .and_then(Value::as_object)
            .is_some_and(|code| code.get("SourceKMSKeyArn") == key && code.len() == 3 + usize::from(key.is_some()));
        if !is_pinned || !is_all {
            let message = format!("the code of `{id}` is not the object version that was verified");
            self.refuse(codes::SECOND_CODE, maker, message);
        }
    }

    /// A permission lets one service call a function of the template.
    fn permission(&mut self, id: &str, maker: &str, properties: &Members) {
        let text = |key: &str| properties.get(key).and_then(Value::as_str);
        let is_call = text("Action") == Some("lambda:InvokeFunction");
        let by_service = text("Principal").is_some_and(|service| CALLERS.contains(&service));
        if !is_call || !by_service || !self.is_own_function(properties.get("FunctionName")) {
            let message =
                format!("the permission `{id}` does more than let a service call a function of this template");
            self.refuse(codes::SECOND_PERMISSION, maker, message);
        }
        for key in [
            "PrincipalOrgID",
            "FunctionUrlAuthType",
            "InvokedViaFunctionUrl",
            "EventSourceToken",
        ] {
            if properties.contains_key(key) {
                let message = format!("the permission `{id}` has `{key}`");
                self.refuse(codes::SECOND_PERMISSION, maker, message);
            }
        }
    }

    /// A function of the template, or an alias that SAM made of one.
    fn is_own_function(&self, value: Option<&Value>) -> bool {
        let Some(target) = value.and_then(target) else {
            return false;
        };
        match self.explain(target.id()) {
            Some(("AWS::Lambda::Function" | "AWS::Lambda::Alias", maker)) => self
                .declared(maker)
                .is_some_and(|(_, kind)| kind.name == function::NAME),
            _ => false,
        }
    }

    /// Nothing that was declared got lost. A layer has a hash behind its id now.
    fn missing(&mut self) {
        let explained: HashSet<_> = self.processed.keys().filter_map(|id| self.explain(id)).collect();
        let mut lost: Vec<_> = self
            .declared
            .keys()
            .filter(|id| {
                let kind = self.declared(id).map_or(ROLE, |(_, kind)| kind.processed());
                !explained.contains(&(kind, **id))
            })
            .map(|id| (*id).to_owned())
            .collect();
        lost.sort();
        for id in lost {
            self.refuse(codes::SECOND_TYPE, &id, format!("`{id}` is gone after the transform"));
        }
    }

    fn change(&mut self, change: &Reported) {
        let id = change.logical_id.as_str();
        let kind = self
            .processed
            .get(id)
            .and_then(|resource| resource.get("Type")?.as_str());
        let is_explained = match change.action.as_str() {
            "Add" | "Modify" | "Dynamic" => kind == Some(change.resource_type.as_str()),
            "Remove" => kind.is_none() || kind != Some(change.resource_type.as_str()),
            _ => false,
        };
        if !is_explained {
            let message = format!(
                "the change set would `{}` `{}` (`{}`), which the template does not explain",
                shown(&change.action),
                shown(id),
                shown(&change.resource_type)
            );
            return self.refuse(codes::SECOND_CHANGE, id, message);
        }
        let is_named = match self.declared(id) {
            Some((_, kind)) => kind.naming.is_some_and(|naming| naming.identifies),
            None => self.declared.contains_key(id),
        };
        if change.action == "Remove" || !is_named {
            return;
        }
        let path = pointer("/Resources", id);
        let rename = format!(
            "give `{id}` another logical id: that makes a new resource with a new name; move the data over before you \
             remove the old one"
        );
        match change.replacement.as_deref() {
            Some("True") => self.problems.push(
                Problem::error(
                    codes::REPLACEMENT,
                    path,
                    format!("`{id}` would have to be replaced, and the new one would need the name of the old one"),
                )
                .help(rename),
            ),
            Some("Conditional") => self.problems.push(
                Problem::error(
                    codes::REPLACEMENT,
                    path,
                    format!("`{id}` may have to be replaced; then the deploy fails and is rolled back"),
                )
                .help(rename)
                .severity(Severity::Warning),
            ),
            _ => {}
        }
    }
}

/// Statements that let only services assume the role, and nothing but assume it.
fn trusts_services_only(document: &Value) -> bool {
    let statements = match document.get("Statement") {
        Some(Value::Array(statements)) => statements.as_slice(),
        Some(one) => std::slice::from_ref(one),
        None => &[],
    };
    let is_service = |value: &Value| value.as_str().is_some_and(|text| text.ends_with(".amazonaws.com"));
    let all_services = |value: &Value| match value {
        Value::Array(items) => !items.is_empty() && items.iter().all(is_service),
        one => is_service(one),
    };
    let assumes = |value: &Value| match value {
        Value::Array(items) => items.iter().all(|item| item == "sts:AssumeRole"),
        one => one == "sts:AssumeRole",
    };
    !statements.is_empty()
        && statements.iter().all(|statement| {
            let principal = statement.get("Principal").and_then(Value::as_object);
            principal
                .is_some_and(|principal| principal.len() == 1 && principal.get("Service").is_some_and(all_services))
                && statement.get("Action").is_some_and(assumes)
                && statement.get("NotPrincipal").is_none()
                && statement.get("NotAction").is_none()
        })
}
