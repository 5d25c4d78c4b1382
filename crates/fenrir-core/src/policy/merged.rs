//! Globals, merged into the resources the way SAM does, before anything is checked.
//!
//! Source: aws-sam-translator 1.115, `samtranslator/plugins/globals/globals.py`.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

use crate::codes;
use crate::problem::{Problem, pointer};
use crate::template::intrinsic::is_intrinsic;
use crate::template::{Document, MAX_BYTES, shown, size};

use super::registry::{self, ResourceType};
use super::role;
use super::rule::{Rule, any_of, describe};
use super::types::function;
use crate::suggest::nearest;

/// A section of Globals: the type it is for, and the properties that SAM takes there.
struct Section {
    name: &'static str,
    properties: &'static [&'static str],
}

/// The sections that Fenrir supports.
static SECTIONS: &[Section] = &[
    Section {
        name: "Function",
        properties: &[
            "Handler",
            "Runtime",
            "CodeUri",
            "DeadLetterQueue",
            "Description",
            "MemorySize",
            "Timeout",
            "VpcConfig",
            "Environment",
            "Tags",
            "PropagateTags",
            "Tracing",
            "KmsKeyArn",
            "AutoPublishAlias",
            "AutoPublishAliasAllProperties",
            "Layers",
            "DeploymentPreference",
            "RolePath",
            "PermissionsBoundary",
            "ReservedConcurrentExecutions",
            "ProvisionedConcurrencyConfig",
            "AssumeRolePolicyDocument",
            "EventInvokeConfig",
            "FileSystemConfigs",
            "CodeSigningConfigArn",
            "Architectures",
            "SnapStart",
            "EphemeralStorage",
            "FunctionUrlConfig",
            "RuntimeManagementConfig",
            "LoggingConfig",
            "RecursiveLoop",
            "SourceKMSKeyArn",
            "TenancyConfig",
            "DurableConfig",
            "CapacityProviderConfig",
            "FunctionScalingConfig",
            "PublishToLatestPublished",
            "VersionDeletionPolicy",
        ],
    },
    Section {
        name: "Api",
        properties: &[
            "Auth",
            "Name",
            "DefinitionUri",
            "CacheClusterEnabled",
            "CacheClusterSize",
            "MergeDefinitions",
            "Variables",
            "EndpointConfiguration",
            "MethodSettings",
            "BinaryMediaTypes",
            "MinimumCompressionSize",
            "Cors",
            "GatewayResponses",
            "AccessLogSetting",
            "CanarySetting",
            "TracingEnabled",
            "OpenApiVersion",
            "Domain",
            "AlwaysDeploy",
            "PropagateTags",
            "SecurityPolicy",
            "EndpointAccessMode",
        ],
    },
    Section {
        name: "HttpApi",
        properties: &[
            "Auth",
            "AccessLogSettings",
            "StageVariables",
            "Tags",
            "CorsConfiguration",
            "DefaultRouteSettings",
            "Domain",
            "RouteSettings",
            "FailOnWarnings",
            "PropagateTags",
        ],
    },
    Section {
        name: "SimpleTable",
        properties: &["SSESpecification"],
    },
];

/// Source: CloudFormation quotas, "Resources" (in one template).
const MAX_RESOURCES: usize = 500;

/// What SAM merges by replacing instead (`CUSTOM_STRATEGIES`).
const REPLACED: &str = "/Architectures";

/// The resources with Globals in them.
pub struct Merged<'a> {
    resources: Vec<(&'a str, Cow<'a, Value>)>,
    /// Which `/Globals/...` pointer a part of a resource came from, by type.
    origins: Origins<'a>,
    /// What a template may refer to without declaring it.
    made: Vec<(String, &'static ResourceType)>,
    /// The names in `Parameters`, which is refused, for those who refer to them.
    parameters: HashSet<&'a str>,
    /// What is wrong with Globals itself.
    pub(super) problems: Vec<Problem>,
}

#[derive(Default)]
struct Origins<'a> {
    /// Section name and its properties, by resource type.
    sections: HashMap<String, (&'static Section, &'a Map<String, Value>)>,
    /// How many items of a list at a pointer came from Globals.
    lists: HashMap<String, usize>,
}

impl<'a> Merged<'a> {
    /// Merges the Globals of a template into its resources.
    pub(super) fn new(document: &'a Document) -> Self {
        let template = document.value();
        let mut problems = Vec::new();
        let mut origins = Origins::default();
        if let Some(globals) = template.get("Globals") {
            origins.sections = sections(globals, &mut problems);
        }
        let resources = template.get("Resources").and_then(Value::as_object);
        if let Some(count) = resources.map(Map::len).filter(|count| *count > MAX_RESOURCES) {
            problems.push(too_many(count));
        }
        // A large text in Globals and many functions would fill all memory.
        let mut room = MAX_BYTES;
        let resources: Vec<_> = resources
            .filter(|resources| resources.len() <= MAX_RESOURCES)
            .into_iter()
            .flatten()
            .map(|(id, resource)| {
                let section = resource
                    .get("Type")
                    .and_then(Value::as_str)
                    .and_then(|kind| origins.sections.get(kind).copied());
                let resource = match section {
                    Some((section, globals)) if room > 0 => {
                        let merged = merge_resource(section, globals, id, resource, &mut origins.lists);
                        room = room.saturating_sub(size(&merged));
                        Cow::Owned(merged)
                    }
                    _ => Cow::Borrowed(resource),
                };
                (id.as_str(), resource)
            })
            .collect();
        if room == 0 {
            problems.push(too_large());
        }
        Self {
            made: resources.iter().flat_map(|(id, resource)| made(id, resource)).collect(),
            resources,
            origins,
            parameters: names(template.get("Parameters")),
            problems,
        }
    }

    /// Whether `Parameters` has this name.
    pub(super) fn has_parameter(&self, name: &str) -> bool {
        self.parameters.contains(name)
    }

    /// Logical ids and types of what a template may refer to without declaring it: the roles that Fenrir adds, and the
    /// addresses of functions that SAM adds.
    pub(super) fn made(&self) -> impl Iterator<Item = (&str, &'static ResourceType)> {
        self.made.iter().map(|(id, kind)| (id.as_str(), *kind))
    }

    /// Logical ids and resources, in the order of the file.
    pub(super) fn resources(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.resources.iter().map(|(id, resource)| (*id, resource.as_ref()))
    }

    /// The pointer into the file of a part of a merged resource: itself, or the part of Globals it came from.
    pub(super) fn origin(&self, document: &Document, path: &str) -> Option<String> {
        let rest = path.strip_prefix("/Resources/")?;
        let (id, below) = rest.split_once("/Properties/")?;
        let written = document.value().pointer(&format!("/Resources/{id}"))?;
        let kind = written.get("Type")?.as_str()?;
        let (section, _) = self.origins.sections.get(kind)?;
        let exists = |pointer: &str| document.value().pointer(pointer).is_some();
        let mut merged = format!("/Resources/{id}/Properties");
        let mut own = merged.clone();
        let mut global = format!("/Globals/{}", section.name);
        let mut is_global = false;
        for segment in below.split('/') {
            // The items of Globals come first, and shift the resource's own.
            let place = match (self.origins.lists.get(&merged), segment.parse::<usize>()) {
                (Some(shift), Ok(at)) => at.checked_sub(*shift),
                _ => None,
            };
            is_global |= place.is_none() && self.origins.lists.contains_key(&merged);
            own = match place {
                Some(at) => format!("{own}/{at}"),
                None => format!("{own}/{segment}"),
            };
            merged = format!("{merged}/{segment}");
            global = format!("{global}/{segment}");
            is_global |= !exists(&own) && exists(&global);
        }
        Some(if is_global { global } else { own })
    }
}

fn names(section: Option<&Value>) -> HashSet<&str> {
    let section = section.and_then(Value::as_object);
    section.into_iter().flatten().map(|(name, _)| name.as_str()).collect()
}

fn too_many(count: usize) -> Problem {
    Problem::error(
        codes::TOO_MANY,
        "/Resources",
        format!("the template has {count} resources, and a stack takes {MAX_RESOURCES}"),
    )
    .help("split the application into several stacks")
}

fn too_large() -> Problem {
    Problem::error(
        codes::TOO_LARGE,
        "/Globals",
        "with `Globals` written into every resource, the template is larger than 1 MB",
    )
    .help("give only those resources a large property that need it")
}

/// What is made from a resource and may be referred to.
fn made(id: &str, resource: &Value) -> impl Iterator<Item = (String, &'static ResourceType)> {
    let role = gets_role(resource).then(|| (role::id_for(id), &role::ADDED));
    let address = has_address(resource).then(|| (function::address_id(id), &function::ADDRESS));
    role.into_iter().chain(address)
}

/// Whether SAM makes an address for the function.
fn has_address(resource: &Value) -> bool {
    resource.get("Type").and_then(Value::as_str) == Some(function::NAME)
        && resource.pointer("/Properties/FunctionUrlConfig").is_some()
}

/// Whether Fenrir writes the role: the developer named none.
fn gets_role(resource: &Value) -> bool {
    let kind = resource.get("Type").and_then(Value::as_str);
    matches!(
        kind,
        Some("AWS::Serverless::Function" | "AWS::Serverless::StateMachine")
    ) && resource.pointer("/Properties/Role").is_none()
}

fn sections<'a>(
    globals: &'a Value,
    problems: &mut Vec<Problem>,
) -> HashMap<String, (&'static Section, &'a Map<String, Value>)> {
    let mut found = HashMap::new();
    let mut tell = |path: String, message: String, help: String| {
        problems.push(Problem::error(codes::GLOBALS, path, message).help(help));
    };
    let Some(globals) = globals.as_object() else {
        tell(
            "/Globals".to_owned(),
            format!("`Globals` is {} where a map is meant", describe(globals)),
            "write a map of sections, such as `Function`".to_owned(),
        );
        return found;
    };
    let names: Vec<_> = SECTIONS.iter().map(|section| section.name).collect();
    for (name, properties) in globals {
        let path = pointer("/Globals", name);
        let Some(section) = SECTIONS.iter().find(|section| section.name == name) else {
            let help = match nearest(name, names.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("allowed are {}", any_of(&names)),
            };
            tell(path, format!("`Globals` cannot have `{}`", shown(name)), help);
            continue;
        };
        let Some(properties) = properties.as_object() else {
            tell(
                path,
                format!("`{name}` is {} where a map is meant", describe(properties)),
                "write a map of properties".to_owned(),
            );
            continue;
        };
        for key in properties
            .keys()
            .filter(|key| !section.properties.contains(&key.as_str()))
        {
            let help = instead_of(section, key);
            tell(
                pointer(&path, key),
                format!("SAM takes no `{}` in the Globals of `{name}`", shown(key)),
                help,
            );
        }
        found.insert(format!("AWS::Serverless::{name}"), (section, properties));
    }
    found
}

/// What to write instead of a property that SAM does not take in Globals.
fn instead_of(section: &Section, key: &str) -> String {
    let kind = format!("AWS::Serverless::{}", section.name);
    let table = registry::find(&kind).map_or(&[][..], |kind| kind.properties);
    let property = table.iter().find(|property| property.name == key);
    match (property, nearest(key, section.properties.iter().copied())) {
        (Some(property), _) => match property.rule {
            Rule::Generated => "leave it out: Fenrir makes the name from project, config and logical id".to_owned(),
            Rule::Forced(_) => "leave it out: Fenrir sets it".to_owned(),
            Rule::Refused => format!("leave it out, on each `{kind}` too: {}", property.why),
            _ => format!("write it into each `{kind}`"),
        },
        (None, Some(near)) => format!("did you mean `{near}`?"),
        (None, None) => "leave it out; docs/policy.md lists what is allowed".to_owned(),
    }
}

fn merge_resource(
    section: &Section,
    globals: &Map<String, Value>,
    id: &str,
    resource: &Value,
    lists: &mut HashMap<String, usize>,
) -> Value {
    let Some(members) = resource.as_object() else {
        return resource.clone();
    };
    let path = format!("{}/Properties", pointer("/Resources", id));
    // What SAM refuses is told once, and not again in every resource.
    let taken = globals
        .iter()
        .filter(|(key, _)| section.properties.contains(&key.as_str()));
    let globals: Map<String, Value> = taken.map(|(key, value)| (key.clone(), value.clone())).collect();
    let mut merged = members.clone();
    match merged.get_mut("Properties") {
        None => {
            merged.insert("Properties".to_owned(), Value::Object(globals));
        }
        Some(Value::Object(own)) => {
            let local = std::mem::take(own);
            *own = merge_maps(&globals, local, &path, "", lists);
        }
        // Of the wrong kind: told where properties are checked.
        Some(_) => {}
    }
    Value::Object(merged)
}

/// `below` is the pointer below the properties, for the few properties that SAM merges otherwise.
fn merge(global: &Value, local: Value, path: &str, below: &str, lists: &mut HashMap<String, usize>) -> Value {
    match (global, local) {
        // An intrinsic is like a plain value to SAM: the resource's wins.
        (Value::Object(global_map), Value::Object(local)) => {
            let local = Value::Object(local);
            if is_intrinsic(global) || is_intrinsic(&local) {
                return local;
            }
            match local {
                Value::Object(local) => Value::Object(merge_maps(global_map, local, path, below, lists)),
                other => other,
            }
        }
        (Value::Array(global), Value::Array(local)) if below != REPLACED => {
            if !global.is_empty() {
                lists.insert(path.to_owned(), global.len());
            }
            Value::Array(global.iter().cloned().chain(local).collect())
        }
        (_, local) => local,
    }
}

fn merge_maps(
    global: &Map<String, Value>,
    mut local: Map<String, Value>,
    path: &str,
    below: &str,
    lists: &mut HashMap<String, usize>,
) -> Map<String, Value> {
    // Globals first, as SAM orders them.
    let mut merged = Map::with_capacity(global.len() + local.len());
    for (key, global) in global {
        let value = match local.get_mut(key).map(Value::take) {
            Some(value) => merge(global, value, &pointer(path, key), &pointer(below, key), lists),
            None => global.clone(),
        };
        merged.insert(key.clone(), value);
    }
    for (key, value) in local {
        merged.entry(key).or_insert(value);
    }
    merged
}
