//! The template level: sections, resources, outputs.

use serde_json::{Map, Value, json};

use super::judge::{Judge, Members};
use super::merged::Merged;
use super::place::Place;
use super::registry::{self, Generated, TYPES};
use super::rule::{Property, Rule, Shape, any_of, belongs_inside, check, describe, safe};
use super::{events, scan};
use crate::codes;
use crate::owner::{Owner, config_problem, project_problem};
use crate::suggest::nearest;
use crate::template::{Document, shown};

/// The one macro.
pub(super) const TRANSFORM: &str = "AWS::Serverless-2016-10-31";

/// The sections, for the reference page and the walk.
pub(super) const SECTIONS: &[Property] = &[
    check(
        "AWSTemplateFormatVersion",
        Rule::OneOf(&["2010-09-09"]),
        "absent, or the one version there is",
    ),
    check(
        "Transform",
        Rule::OneOf(&[TRANSFORM]),
        "exactly this; other macros rewrite what was checked",
    )
    .required(),
    check("Description", Rule::Custom(description), "literal text"),
    check(
        "ProjectName",
        Rule::Custom(|_, _, _| {}),
        "the release's; removed before CloudFormation",
    ),
    check(
        "ConfigName",
        Rule::Custom(|_, _, _| {}),
        "the release's; removed before CloudFormation",
    ),
    check(
        "Globals",
        Rule::Custom(|_, _, _| {}),
        "merged into the resources as SAM does, before anything is checked; Function, Api, HttpApi and SimpleTable",
    ),
    check(
        "Resources",
        Rule::Custom(|_, _, _| {}),
        "at least one, each of a type below",
    ),
    check(
        "Outputs",
        Rule::Custom(|_, _, _| {}),
        "Value and Description; no Export, no Condition",
    ),
];

fn description(judge: &mut Judge<'_>, place: &Place<'_>, value: &mut Value) {
    judge.literal(place, value);
}

/// The attributes of a resource.
pub(super) const RESOURCE: &[Property] = &[
    check("Type", Rule::Custom(|_, _, _| {}), "a type of this page").required(),
    check("Properties", Rule::Custom(|_, _, _| {}), "by the type's table"),
    check(
        "DependsOn",
        Rule::Custom(depends_on),
        "the logical id of another resource, or a list of such",
    ),
    check(
        "DeletionPolicy",
        Rule::OneOf(&["Retain", "RetainExceptOnCreate", "Delete"]),
        "literal; what holds data gets RetainExceptOnCreate unless given",
    ),
    check(
        "UpdateReplacePolicy",
        Rule::OneOf(&["Retain", "Delete"]),
        "literal; what holds data gets Retain unless given",
    ),
];

pub(super) const OUTPUT: &[Property] = &[
    safe("Value", Shape::Text).required(),
    check("Description", Rule::Custom(description), "literal text"),
];

/// Judges the whole template and returns the rewritten one.
pub(super) fn template(judge: &mut Judge<'_>, document: &Document, merged: &Merged<'_>) -> Value {
    let template = document.value();
    let mut rewritten = Map::new();
    for (key, value) in template.as_object().into_iter().flatten() {
        let place = Place::ROOT.key(key);
        match key.as_str() {
            "Resources" => {
                let resources = resources(judge, value, merged);
                rewritten.insert(key.clone(), Value::Object(resources));
            }
            "Outputs" => {
                scan::value(judge, &place, value, false);
                rewritten.insert(key.clone(), outputs(judge, &place, value));
            }
            "Globals" => {}
            "ProjectName" => owner(judge, &place, value, &judge.owner().project),
            "ConfigName" => owner(judge, &place, value, &judge.owner().config),
            "AWSTemplateFormatVersion" | "Transform" => {
                let wanted = if key == "Transform" { TRANSFORM } else { "2010-09-09" };
                if value != wanted {
                    judge.refuse(
                        codes::TRANSFORM,
                        &place,
                        format!("`{key}` can only be `{wanted}`"),
                        format!("write `{key}: {wanted}`"),
                    );
                }
                rewritten.insert(key.clone(), value.clone());
            }
            "Description" => {
                scan::value(judge, &place, value, false);
                judge.literal(&place, value);
                rewritten.insert(key.clone(), value.clone());
            }
            _ => unknown_section(judge, &place, key),
        }
    }
    for (key, code) in [("Transform", codes::TRANSFORM), ("Resources", codes::NO_RESOURCES)] {
        if template.get(key).is_none() {
            judge.refuse(
                code,
                &Place::ROOT,
                format!("the template has no `{key}`"),
                if key == "Transform" {
                    format!("add `Transform: {TRANSFORM}`")
                } else {
                    "add `Resources` with at least one resource".to_owned()
                },
            );
        }
    }
    named(judge, template);
    Value::Object(rewritten)
}

/// Project and config have to be well-formed. Those of a release are; `fenrir validate` takes them from the template.
fn named(judge: &mut Judge<'_>, template: &Value) {
    let Owner { project, config, .. } = judge.owner();
    for (key, name, problem, example) in [
        ("ProjectName", project, project_problem(project), "payments/ledger"),
        ("ConfigName", config, config_problem(config), "production"),
    ] {
        let Some(problem) = problem else { continue };
        let (place, message) = match template.get(key) {
            None => (Place::ROOT, format!("the template has no `{key}`")),
            Some(Value::String(_)) => (
                Place::ROOT.key(key),
                format!("`{key}` is `{}`, which {problem}", shown(name)),
            ),
            // That it is no text is told already.
            Some(_) => continue,
        };
        judge.refuse(
            codes::OWNER,
            &place,
            message,
            format!("write such as `{key}: {example}`"),
        );
    }
}

fn unknown_section(judge: &mut Judge<'_>, place: &Place<'_>, key: &str) {
    let help = match nearest(key, SECTIONS.iter().map(|section| section.name)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => match key {
            "Parameters" | "Mappings" => {
                "write the values out; what differs between configs belongs into a template of its own".to_owned()
            }
            _ => "leave it out".to_owned(),
        },
    };
    judge.refuse(
        codes::SECTION,
        place,
        format!("a template cannot have `{}`", shown(key)),
        help,
    );
}

fn owner(judge: &mut Judge<'_>, place: &Place<'_>, value: &Value, released: &str) {
    let Some(text) = judge.literal(place, value) else {
        return;
    };
    if text != released {
        judge.refuse(
            codes::OWNER,
            place,
            format!(
                "`{}` is `{}`, and the release's is `{released}`",
                place.name(),
                shown(text)
            ),
            "let both say the same; the release decides who owns what is deployed",
        );
    }
}

fn resources(judge: &mut Judge<'_>, written: &Value, merged: &Merged<'_>) -> Map<String, Value> {
    let place = Place::ROOT.key("Resources");
    let mut rewritten = Map::new();
    match written.as_object() {
        None => judge.wrong_shape(&place, written, "a map"),
        Some(members) if members.is_empty() => judge.refuse(
            codes::NO_RESOURCES,
            &place,
            "`Resources` is empty",
            "a stack needs at least one resource",
        ),
        Some(_) => {}
    }
    check_ids(judge, merged);
    for (id, resource) in merged.resources() {
        let place = place.key(id);
        scan::value(judge, &place, resource, false);
        let mut resource = resource.clone();
        self::resource(judge, id, &place, &mut resource);
        rewritten.insert(id.to_owned(), resource);
    }
    rewritten
}

fn resource(judge: &mut Judge<'_>, id: &str, place: &Place<'_>, value: &mut Value) {
    let Some(members) = judge.map(place, value) else { return };
    judge.enter(id);
    let table = kind_of(members).map_or(&[][..], |kind| kind.properties);
    for (key, value) in members.iter_mut() {
        let place = place.key(key);
        if let Some(property) = RESOURCE.iter().find(|property| property.name == key) {
            attribute(judge, &place, property, value);
            continue;
        }
        let help = match nearest(key, RESOURCE.iter().map(|property| property.name)) {
            _ if belongs_inside(table, key) => "it belongs under `Properties`".to_owned(),
            Some(near) => format!("did you mean `{near}`?"),
            None => "leave it out".to_owned(),
        };
        judge.refuse(
            codes::RESOURCE_KEY,
            &place,
            format!("a resource cannot have `{}`", shown(key)),
            help,
        );
    }
    let Some(kind) = find_type(judge, place, members) else {
        return;
    };
    let properties = members.entry("Properties").or_insert_with(|| json!({}));
    let place = place.key("Properties");
    if let Some(properties) = judge.map(&place, properties) {
        judge.table(kind.properties, &place, properties);
        (kind.finish)(judge, &place, properties);
    }
    if kind.holds_data {
        members.entry("DeletionPolicy").or_insert(json!("RetainExceptOnCreate"));
        members.entry("UpdateReplacePolicy").or_insert(json!("Retain"));
    }
}

/// The type of a resource, where it is one of the list.
fn kind_of(members: &Members) -> Option<&'static registry::ResourceType> {
    registry::find(members.get("Type")?.as_str()?)
}

fn attribute(judge: &mut Judge<'_>, place: &Place<'_>, property: &Property, value: &mut Value) {
    let Rule::OneOf(allowed) = property.rule else {
        return property.rule.apply(judge, place, value);
    };
    if !value.as_str().is_some_and(|text| allowed.contains(&text)) {
        let given = value
            .as_str()
            .map_or_else(|| describe(value).to_owned(), |text| format!("`{}`", shown(text)));
        judge.refuse(
            codes::DELETION_POLICY,
            place,
            format!("`{}` cannot be {given}", property.name),
            format!("write {}", any_of(allowed)),
        );
    }
}

fn find_type(judge: &mut Judge<'_>, place: &Place<'_>, members: &Members) -> Option<&'static registry::ResourceType> {
    let Some(name) = members.get("Type") else {
        judge.refuse(
            codes::RESOURCE_TYPE,
            place,
            format!("`{}` has no `Type`", shown(place.name())),
            "write which type it is, such as `AWS::Serverless::Function`",
        );
        return None;
    };
    let kind = kind_of(members);
    if kind.is_none() {
        let given = name.as_str().unwrap_or_default();
        let help = match (instead_of(given), nearest(given, TYPES.iter().map(|kind| kind.name))) {
            (Some(instead), _) => instead.to_owned(),
            (None, Some(near)) => format!("did you mean `{near}`?"),
            (None, None) => "docs/policy.md lists the types that can be deployed".to_owned(),
        };
        let place = place.key("Type");
        judge.refuse(
            codes::RESOURCE_TYPE,
            &place,
            match name {
                Value::String(given) => format!("resources of type `{}` are not allowed", shown(given)),
                other => format!("`Type` is {} where a literal text is needed", describe(other)),
            },
            help,
        );
    }
    kind
}

/// What to use instead of types that many templates have.
fn instead_of(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "AWS::ApiGateway::RestApi" => "use `AWS::Serverless::Api`",
        "AWS::ApiGatewayV2::Api" => "use `AWS::Serverless::HttpApi`",
        "AWS::IAM::Role" | "AWS::IAM::Policy" | "AWS::IAM::ManagedPolicy" => {
            "give the function `Policies`, and Fenrir writes its role; or name an existing role"
        }
        "AWS::Lambda::EventSourceMapping" => "write it into the `Events` of the function",
        "AWS::Lambda::Function" => "use `AWS::Serverless::Function`",
        "AWS::Lambda::LayerVersion" => "use `AWS::Serverless::LayerVersion`",
        "AWS::StepFunctions::StateMachine" => "use `AWS::Serverless::StateMachine`",
        _ => return None,
    })
}

fn depends_on(judge: &mut Judge<'_>, place: &Place<'_>, value: &mut Value) {
    let one = |judge: &mut Judge<'_>, place: &Place<'_>, value: &Value| {
        let Value::String(id) = value else {
            return judge.refuse(
                codes::DEPENDS_ON,
                place,
                format!("`DependsOn` is {} where a logical id is meant", describe(value)),
                "write the logical id as text",
            );
        };
        // To look for a name that is near takes time, and what comes after the last problem is not told.
        if !judge.is_full() && (judge.local(id).is_none() || id == judge.id()) {
            let ids: Vec<_> = judge.ids().collect();
            let help = match nearest(id, ids) {
                Some(near) if near != judge.id() => format!("did you mean `{near}`?"),
                _ => "name another resource of this template".to_owned(),
            };
            judge.refuse(
                codes::DEPENDS_ON,
                place,
                format!("`{}` is no other resource of this template", shown(id)),
                help,
            );
        }
    };
    match value {
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                one(judge, &place.index(at), item);
            }
        }
        other => one(judge, place, other),
    }
}

/// Logical ids: letters and digits, and none that SAM would give to something it makes.
fn check_ids(judge: &mut Judge<'_>, merged: &Merged<'_>) {
    let place = Place::ROOT.key("Resources");
    let all: Vec<_> = merged.resources().collect();
    let made = made(&all);
    for (id, _) in merged.resources() {
        // Source: CloudFormation template anatomy, "Resources" (alphanumeric, at most 255 characters).
        let is_well_formed = (1..=255).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric());
        if !is_well_formed {
            judge.refuse(
                codes::LOGICAL_ID,
                &place.key(id),
                format!("`{}` cannot be a logical id", shown(id)),
                "use 1 to 255 letters and digits",
            );
        } else if let Some((maker, _)) = made.find(id) {
            judge.refuse(
                codes::LOGICAL_ID,
                &place.key(id),
                format!("`{id}` is the logical id of what SAM makes from `{maker}`"),
                "give this resource another logical id",
            );
        }
    }
    for (id, first, second) in made.doubles() {
        judge.refuse(
            codes::LOGICAL_ID,
            &place.key(second),
            format!("SAM would make `{id}` both from `{first}` and from `{second}`"),
            "give one of the two another logical id, or another name to its event",
        );
    }
}

/// All logical ids that SAM makes from a template.
pub(super) struct Made<'m> {
    exact: std::collections::HashMap<String, (&'m str, &'static str)>,
    hashed: std::collections::HashMap<String, (&'m str, &'static str)>,
    doubles: Vec<(String, &'m str, &'m str)>,
}

impl<'m> Made<'m> {
    /// Ids that SAM makes once for the whole stack.
    const FIXED: [(&'static str, &'static str); 4] = [
        ("ServerlessDeploymentApplication", "AWS::CodeDeploy::Application"),
        ("CodeDeployServiceRole", "AWS::IAM::Role"),
        ("ServerlessRestApi", "AWS::ApiGateway::RestApi"),
        ("ServerlessHttpApi", "AWS::ApiGatewayV2::Api"),
    ];

    pub(super) fn new(resources: impl Iterator<Item = (&'m str, Vec<Generated>)>) -> Self {
        let mut made = Self {
            exact: Self::FIXED
                .into_iter()
                .map(|(id, kind)| (id.to_owned(), ("the whole template", kind)))
                .collect(),
            hashed: std::collections::HashMap::new(),
            doubles: Vec::new(),
        };
        for (maker, generated) in resources {
            for Generated { id, hashed, kind } in generated {
                let table = if hashed { &mut made.hashed } else { &mut made.exact };
                if let Some((first, first_kind)) = table.insert(id.clone(), (maker, kind))
                    && (first != maker || first_kind != kind)
                {
                    made.doubles.push((id, first, maker));
                }
            }
        }
        made
    }

    /// As [`Self::find`], without what only a template that this policy refuses would make SAM make.
    pub(super) fn explain(&self, id: &str) -> Option<(&'m str, &'static str)> {
        let only = Self::FIXED.iter().any(|(fixed, _)| *fixed == id);
        self.find(id).filter(|_| !only)
    }

    /// What makes this id, and the type of what it makes.
    pub(super) fn find(&self, id: &str) -> Option<(&'m str, &'static str)> {
        // Source: samtranslator/translator/logical_id_generator.py, HASH_LENGTH.
        const HASH: usize = 10;
        let hashed = || {
            let (start, hash) = id.split_at_checked(id.len().checked_sub(HASH)?)?;
            let is_hash = hash.bytes().all(|b| b.is_ascii_hexdigit());
            self.hashed.get(start).filter(|_| is_hash)
        };
        self.exact.get(id).or_else(hashed).copied()
    }

    fn doubles(self) -> Vec<(String, &'m str, &'m str)> {
        self.doubles
    }
}

/// All logical ids that SAM makes from these resources.
pub(super) fn made<'m>(resources: &[(&'m str, &'m Value)]) -> Made<'m> {
    static EMPTY: std::sync::LazyLock<Members> = std::sync::LazyLock::new(Members::new);
    let by_id: std::collections::HashMap<_, _> = resources.iter().copied().collect();
    let properties = |resource: &'m Value| resource.get("Properties").and_then(Value::as_object);
    let others = |id: &str| by_id.get(id).copied().and_then(properties);
    Made::new(resources.iter().filter_map(|(id, resource)| {
        let kind = registry::find(resource.get("Type")?.as_str()?)?;
        let properties = properties(resource).unwrap_or_else(|| &EMPTY);
        let mut all = (kind.generates)(id, properties, &others);
        all.extend(events::generated(kind.events, id, properties, &others));
        Some((*id, all))
    }))
}

fn outputs(judge: &mut Judge<'_>, place: &Place<'_>, written: &Value) -> Value {
    let mut rewritten = written.clone();
    let Some(outputs) = judge.map(place, &mut rewritten) else {
        return rewritten;
    };
    for (name, output) in outputs.iter_mut() {
        let place = place.key(name);
        if !(1..=255).contains(&name.len()) || !name.bytes().all(|b| b.is_ascii_alphanumeric()) {
            judge.refuse(
                codes::LOGICAL_ID,
                &place,
                format!("`{}` cannot be the name of an output", shown(name)),
                "use 1 to 255 letters and digits",
            );
        }
        let Some(members) = judge.map(&place, output) else {
            continue;
        };
        for key in members.keys().filter(|key| !OUTPUT.iter().any(|p| p.name == *key)) {
            judge.refuse(
                codes::OUTPUT,
                &place.key(key),
                format!("an output cannot have `{}`", shown(key)),
                match nearest(key, OUTPUT.iter().map(|p| p.name)) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => "leave it out: names that every stack of the account shares would collide".to_owned(),
                },
            );
        }
        members.retain(|key, _| OUTPUT.iter().any(|p| p.name == key));
        judge.table(OUTPUT, &place, members);
    }
    rewritten
}
