//! Definitions of state machines (Amazon States Language), walked as a whole: a task may call only what is of the
//! template, named where it can be read before the machine runs.
//!
//! CloudFormation puts substitutions into the text of the definition as they are, without escaping: a quote in one would
//! end the text it stands in and write new fields. So neither keys nor quotes may come from one.

use serde_json::Value;

use super::by_name;
use super::fold::fold;
use super::judge::{Judge, Local, Members};
use super::place::Place;
use super::role::Statement;
use super::rule::{Property, Rule, Shape, any_of, check, refused, safe};
use super::types::function;
use crate::codes;
use crate::template::intrinsic::{self, Target, is_intrinsic};
use crate::template::shown;

/// The names that SAM gives to the substitutions it makes from intrinsics.
/// Source: aws-sam-translator 1.115, `samtranslator/model/stepfunctions/generators.py`.
const OF_SAM: &str = "definition_substitution_";

/// The rule of `Definition`.
pub(super) fn definition(judge: &mut Judge<'_>, place: &Place<'_>, value: &mut Value) {
    if judge.map(place, value).is_some() {
        texts(judge, place, value);
        Rule::Map(MACHINE).apply(judge, place, value);
    }
}

/// The rule of `DefinitionSubstitutions`.
pub(super) fn substitutions(judge: &mut Judge<'_>, place: &Place<'_>, value: &mut Value) {
    let Some(members) = judge.map(place, value) else { return };
    for (name, value) in members.iter() {
        let place = place.key(name);
        let is_name = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if !is_name || name.is_empty() || name.starts_with(OF_SAM) {
            judge.refuse(
                codes::STATES,
                &place,
                format!("`{}` cannot be the name of a substitution", shown(name)),
                format!("use letters, digits and `_`, and do not begin with `{OF_SAM}`"),
            );
        }
        let text = match value {
            Value::String(text) => Some(text.clone()),
            Value::Number(_) | Value::Bool(_) => continue,
            other => intrinsic::target(other).map(|_| String::new()),
        };
        match text {
            Some(text) if text.to_ascii_lowercase().contains("arn:") => judge.refuse(
                codes::STATES,
                &place,
                "a substitution cannot be an ARN written out",
                "write `!Ref` or `!GetAtt` of a resource of this template",
            ),
            Some(text) => unescaped(judge, &place, &text),
            None => judge.refuse(
                codes::STATES,
                &place,
                format!("the substitution `{}` is put together", shown(name)),
                "write `!Ref` or `!GetAtt` of a resource of this template, or plain text",
            ),
        }
    }
}

/// No key and no quote comes from a substitution.
fn texts(judge: &mut Judge<'_>, place: &Place<'_>, value: &Value) {
    match value {
        Value::Object(_) if is_intrinsic(value) => match fold(judge, value) {
            Some(text) => unescaped(judge, place, &text),
            None => judge.refuse(
                codes::STATES,
                place,
                "the text is put together in a way that nobody can follow",
                "write it out, with `!Sub` and plain variables",
            ),
        },
        Value::Object(members) => {
            for (key, value) in members {
                let place = place.key(key);
                if key.contains("${") {
                    judge.refuse(
                        codes::STATES,
                        &place,
                        format!("the key `{}` is filled in later", shown(key)),
                        "write keys out: what they will be cannot be checked now",
                    );
                }
                texts(judge, &place, value);
            }
        }
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                texts(judge, &place.index(at), item);
            }
        }
        _ => {}
    }
}

fn unescaped(judge: &mut Judge<'_>, place: &Place<'_>, text: &str) {
    if text.contains(['"', '\\', '\n', '\r', '\t']) || text.contains("${") {
        judge.refuse(
            codes::STATES,
            place,
            "quotes, backslashes, line breaks and `${` cannot be filled in: CloudFormation does not escape them",
            "write such a text directly into the definition, without an intrinsic",
        );
    }
}

const LANGUAGE: Property = check(
    "QueryLanguage",
    Rule::OneOf(&["JSONPath", "JSONata"]),
    "how data is named",
);

/// A machine, or a branch of one.
const MACHINE: &[Property] = &[
    safe("Comment", Shape::Text),
    LANGUAGE,
    safe("StartAt", Shape::Text).required(),
    check("States", Rule::Custom(states), "the states, by name").required(),
    safe("TimeoutSeconds", Shape::Any),
    safe("Version", Shape::Text),
];

/// What a Map runs for each item.
const PROCESSOR: &[Property] = &[
    safe("Comment", Shape::Text),
    LANGUAGE,
    check(
        "ProcessorConfig",
        Rule::Custom(processor_config),
        "inline or distributed",
    ),
    safe("StartAt", Shape::Text).required(),
    check("States", Rule::Custom(states), "the states, by name").required(),
];

/// Every field of every type of state that is allowed.
/// Source: Step Functions Developer Guide, "Amazon States Language".
pub(super) const STATE: &[Property] = &[
    check(
        "Type",
        Rule::OneOf(&["Task", "Pass", "Choice", "Wait", "Succeed", "Fail", "Parallel", "Map"]),
        "literal",
    )
    .required(),
    check("Branches", Rule::Each(&Rule::Map(MACHINE)), "what runs in parallel"),
    check("ItemProcessor", Rule::Map(PROCESSOR), "what runs for each item"),
    check("Iterator", Rule::Map(PROCESSOR), "the older name of `ItemProcessor`"),
    check(
        "ItemReader",
        Rule::Custom(reader),
        "items come from a bucket of this template, or one whose tags allow it",
    ),
    check(
        "ResultWriter",
        Rule::Map(WRITER),
        "results go to a bucket of this template, or one whose tags allow it",
    ),
    // Judged with the type of the state and the target.
    safe("Resource", Shape::Any),
    LANGUAGE,
    safe("Arguments", Shape::Any),
    safe("Assign", Shape::Any),
    safe("Catch", Shape::List),
    safe("Cause", Shape::Any),
    safe("CausePath", Shape::Text),
    safe("Choices", Shape::List),
    safe("Comment", Shape::Text),
    safe("Default", Shape::Text),
    safe("End", Shape::Flag),
    safe("Error", Shape::Any),
    safe("ErrorPath", Shape::Text),
    safe("HeartbeatSeconds", Shape::Any),
    safe("HeartbeatSecondsPath", Shape::Text),
    safe("InputPath", Shape::Text),
    safe("ItemBatcher", Shape::Map),
    safe("ItemSelector", Shape::Any),
    safe("Items", Shape::Any),
    safe("ItemsPath", Shape::Text),
    safe("Label", Shape::Text),
    safe("MaxConcurrency", Shape::Any),
    safe("MaxConcurrencyPath", Shape::Text),
    safe("Next", Shape::Text),
    safe("Output", Shape::Any),
    safe("OutputPath", Shape::Text),
    safe("Parameters", Shape::Any),
    safe("Result", Shape::Any),
    safe("ResultPath", Shape::Text),
    safe("ResultSelector", Shape::Map),
    safe("Retry", Shape::List),
    safe("Seconds", Shape::Any),
    safe("SecondsPath", Shape::Text),
    safe("TimeoutSeconds", Shape::Any),
    safe("TimeoutSecondsPath", Shape::Text),
    safe("Timestamp", Shape::Any),
    safe("TimestampPath", Shape::Text),
    safe("ToleratedFailureCount", Shape::Any),
    safe("ToleratedFailureCountPath", Shape::Text),
    safe("ToleratedFailurePercentage", Shape::Any),
    safe("ToleratedFailurePercentagePath", Shape::Text),
    refused("Credentials", "the task would run with another role"),
];

fn states(judge: &mut Judge<'_>, place: &Place<'_>, value: &mut Value) {
    let Some(states) = judge.map(place, value) else { return };
    for (name, state) in states.iter_mut() {
        let place = place.key(name);
        let Some(members) = judge.map(&place, state) else {
            continue;
        };
        judge.table(STATE, &place, members);
        let is_task = members.get("Type").and_then(Value::as_str) == Some("Task");
        match members.get("Resource") {
            Some(resource) if is_task => task(judge, &place, resource, members),
            Some(_) => judge.refuse(
                codes::STATES,
                &place.key("Resource"),
                "only a `Task` has a `Resource`",
                "leave it out, or write `Type: Task`",
            ),
            None if is_task => judge.refuse(
                codes::REQUIRED,
                &place,
                format!("the task `{}` needs `Resource`", shown(name)),
                RESOURCE_HELP,
            ),
            None => {}
        }
    }
}

const RESOURCE_HELP: &str = "write `!GetAtt <function>.Arn`, or one of `lambda:invoke`, `sqs:sendMessage`, `sns:publish`, \
                             `dynamodb:getItem`, `putItem`, `updateItem` and `deleteItem` as `arn:aws:states:::...`";

/// How a target may be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    Ref,
    Arn,
    Either,
}

/// A service that a task may call.
/// Source: Step Functions Developer Guide, "Integrating services".
struct Integration {
    api: &'static str,
    target: &'static str,
    types: &'static [&'static str],
    by: By,
    actions: &'static [&'static str],
    parameters: &'static [&'static str],
}

const FUNCTIONS: &[&str] = &[function::NAME];
const TABLES: &[&str] = &["AWS::DynamoDB::Table", "AWS::Serverless::SimpleTable"];
const ITEM: &[&str] = &[
    "AttributesToGet",
    "AttributeUpdates",
    "ConditionExpression",
    "ConsistentRead",
    "ExpressionAttributeNames",
    "ExpressionAttributeValues",
    "Item",
    "Key",
    "ProjectionExpression",
    "ReturnConsumedCapacity",
    "ReturnItemCollectionMetrics",
    "ReturnValues",
    "ReturnValuesOnConditionCheckFailure",
    "UpdateExpression",
];

const fn table(api: &'static str, actions: &'static [&'static str]) -> Integration {
    Integration {
        api,
        target: "TableName",
        types: TABLES,
        by: By::Ref,
        actions,
        parameters: ITEM,
    }
}

static INTEGRATIONS: &[Integration] = &[
    Integration {
        api: "lambda:invoke",
        target: "FunctionName",
        types: FUNCTIONS,
        by: By::Either,
        actions: &["lambda:InvokeFunction"],
        parameters: &["ClientContext", "InvocationType", "LogType", "Payload"],
    },
    Integration {
        api: "sqs:sendMessage",
        target: "QueueUrl",
        types: &["AWS::SQS::Queue"],
        by: By::Ref,
        actions: &["sqs:SendMessage"],
        parameters: &[
            "DelaySeconds",
            "MessageAttributes",
            "MessageBody",
            "MessageDeduplicationId",
            "MessageGroupId",
        ],
    },
    Integration {
        api: "sns:publish",
        target: "TopicArn",
        types: &["AWS::SNS::Topic"],
        by: By::Ref,
        actions: &["sns:Publish"],
        parameters: &[
            "Message",
            "MessageAttributes",
            "MessageDeduplicationId",
            "MessageGroupId",
            "MessageStructure",
            "Subject",
        ],
    },
    table("dynamodb:getItem", &["dynamodb:GetItem"]),
    table("dynamodb:putItem", &["dynamodb:PutItem"]),
    table("dynamodb:updateItem", &["dynamodb:UpdateItem"]),
    table("dynamodb:deleteItem", &["dynamodb:DeleteItem"]),
];

/// What a task calls: a function directly, or a service with a target of the template.
fn task(judge: &mut Judge<'_>, place: &Place<'_>, resource: &Value, members: &Members) {
    let at = place.key("Resource");
    let start = format!("arn:{}:states:::", judge.owner().partition());
    let folded = fold(judge, resource).unwrap_or_default();
    let Some(api) = folded.strip_prefix(&start) else {
        if reference(judge, resource).is_none() {
            return judge.refuse(
                codes::STATES,
                &at,
                format!("a task cannot call `{}`", shown(&folded.replace('\u{0}', "..."))),
                RESOURCE_HELP,
            );
        }
        if let Some(function) = local(judge, &at, resource, FUNCTIONS, By::Arn) {
            invoke(judge, function, &["lambda:InvokeFunction"]);
        }
        return;
    };
    let api = api.strip_suffix(".waitForTaskToken").unwrap_or(api);
    let Some(integration) = INTEGRATIONS.iter().find(|known| known.api == api) else {
        return judge.refuse(
            codes::STATES,
            &at,
            format!("a task cannot call `{}`", shown(api)),
            RESOURCE_HELP,
        );
    };
    match (members.get("Parameters"), members.get("Arguments")) {
        (Some(parameters), None) => call(judge, &place.key("Parameters"), integration, parameters),
        (None, Some(arguments)) => call(judge, &place.key("Arguments"), integration, arguments),
        _ => judge.refuse(
            codes::STATES,
            place,
            format!("`{}` needs `Parameters` (or `Arguments`), once", integration.api),
            format!(
                "name the target there, as `{}`: without it the input of the state would choose it",
                integration.target
            ),
        ),
    }
}

fn call(judge: &mut Judge<'_>, place: &Place<'_>, integration: &Integration, parameters: &Value) {
    let Some(members) = parameters.as_object().filter(|_| !is_intrinsic(parameters)) else {
        return judge.wrong_shape(place, parameters, "a map");
    };
    for key in members.keys().filter(|key| *key != integration.target) {
        let name = key.strip_suffix(".$").unwrap_or(key);
        if name == integration.target {
            judge.refuse(
                codes::STATES,
                &place.key(key),
                format!("`{}` is chosen when the machine runs", integration.target),
                format!("write `{}` with a resource of this template", integration.target),
            );
        } else if !integration.parameters.contains(&name) {
            judge.refuse(
                codes::PROPERTY,
                &place.key(key),
                format!("`{}` is not allowed for `{}`", shown(key), integration.api),
                format!(
                    "allowed are `{}`, {}",
                    integration.target,
                    any_of(integration.parameters)
                ),
            );
        }
    }
    match members.get(integration.target) {
        Some(target) => {
            let at = place.key(integration.target);
            if let Some(local) = local(judge, &at, target, integration.types, integration.by) {
                invoke(judge, local, integration.actions);
            }
        }
        None => judge.refuse(
            codes::REQUIRED,
            place,
            format!("`{}` needs `{}`", integration.api, integration.target),
            format!("write `{}` with a resource of this template", integration.target),
        ),
    }
}

/// The role of the machine may call this; of a function also its versions and aliases.
fn invoke(judge: &mut Judge<'_>, local: Local<'_>, actions: &'static [&'static str]) {
    let arn = judge.arn_of(local);
    let mut statement = Statement::on(actions, arn.clone());
    if local.kind.name == function::NAME {
        statement.resources.push(format!("{arn}:*"));
    }
    judge.grant(statement);
    judge.grant_key_of(local);
}

/// What a value refers to: itself, or the substitution that it names as `${Name}`.
fn reference<'v>(judge: &Judge<'v>, value: &'v Value) -> Option<Target<'v>> {
    let Value::String(text) = value else {
        return intrinsic::target(value);
    };
    let name = text.strip_prefix("${")?.strip_suffix('}')?;
    let substitutions = judge.properties().get("DefinitionSubstitutions")?;
    intrinsic::target(substitutions.get(name)?)
}

/// The resource of the template that a target names; or a problem.
fn local<'a>(
    judge: &mut Judge<'a>,
    place: &Place<'_>,
    value: &Value,
    types: &'static [&'static str],
    by: By,
) -> Option<Local<'a>> {
    let found = reference(judge, value).and_then(|target| {
        let is_so_written = match target {
            Target::Ref(_) => by != By::Arn,
            Target::GetAtt(_, attribute) => by != By::Ref && attribute == "Arn",
        };
        Some(target.id().to_owned()).filter(|_| is_so_written)
    });
    let local = found
        .and_then(|id| judge.local(&id).flatten())
        .filter(|local| types.contains(&local.kind.name));
    if local.is_none() {
        let how = if by == By::Ref {
            "`!Ref <id>`"
        } else {
            "`!GetAtt <id>.Arn`"
        };
        judge.refuse(
            codes::STATES,
            place,
            format!(
                "`{}` must be a resource of this template, of type {}",
                shown(place.name()),
                any_of(types)
            ),
            format!(
                "write {how}, or `${{Name}}` with that in `DefinitionSubstitutions`: what is chosen when the machine \
                 runs cannot be checked now"
            ),
        );
    }
    local
}

fn processor_config(judge: &mut Judge<'_>, place: &Place<'_>, value: &mut Value) {
    const CONFIG: &[Property] = &[
        check("Mode", Rule::OneOf(&["INLINE", "DISTRIBUTED"]), "literal"),
        check("ExecutionType", Rule::OneOf(&["STANDARD", "EXPRESS"]), "literal"),
    ];
    Rule::Map(CONFIG).apply(judge, place, value);
    // A distributed map runs as executions of the machine itself.
    // Source: Step Functions Developer Guide, "IAM policies for using Distributed Map states".
    if value.get("Mode").and_then(Value::as_str) == Some("DISTRIBUTED")
        && let Some(Some(here)) = judge.local(judge.id())
    {
        let arn = judge.arn_of(here);
        let executions = arn.replacen(":stateMachine:", ":execution:", 1);
        judge.grant(Statement::on(&["states:StartExecution"], arn));
        judge.grant(Statement::on(
            &["states:DescribeExecution", "states:StopExecution"],
            format!("{executions}:*"),
        ));
    }
}

const BUCKET_WHY: &str = "`!Ref` of a bucket of this template, or the name of one whose tags allow it";

const READER: &[Property] = &[
    check(
        "Resource",
        Rule::OneOf(&["arn:aws:states:::s3:getObject", "arn:aws:states:::s3:listObjectsV2"]),
        "reads a bucket",
    )
    .required(),
    check("Parameters", Rule::Map(READ), "bucket and key"),
    check("Arguments", Rule::Map(READ), "bucket and key"),
    safe("ReaderConfig", Shape::Map),
];

const READ: &[Property] = &[
    check(
        "Bucket",
        Rule::Custom(|judge, place, value| bucket(judge, place, value, &["s3:GetObject", "s3:ListBucket"])),
        BUCKET_WHY,
    )
    .required(),
    safe("Key", Shape::Text),
    safe("Key.$", Shape::Text),
    safe("Prefix", Shape::Text),
    safe("Prefix.$", Shape::Text),
];

fn reader(judge: &mut Judge<'_>, place: &Place<'_>, value: &mut Value) {
    Rule::Map(READER).apply(judge, place, value);
    if value.get("Parameters").is_none() && value.get("Arguments").is_none() {
        judge.refuse(
            codes::REQUIRED,
            place,
            "`ItemReader` needs `Parameters` (or `Arguments`)",
            "name the bucket there: without it the input of the state would choose it",
        );
    }
}

const WRITER: &[Property] = &[
    check(
        "Resource",
        Rule::OneOf(&["arn:aws:states:::s3:putObject"]),
        "writes to a bucket",
    )
    .required(),
    check("Parameters", Rule::Map(WRITE), "bucket and prefix"),
    check("Arguments", Rule::Map(WRITE), "bucket and prefix"),
    safe("WriterConfig", Shape::Map),
];

const WRITE: &[Property] = &[
    check(
        "Bucket",
        Rule::Custom(|judge, place, value| bucket(judge, place, value, &["s3:PutObject", "s3:GetObject"])),
        BUCKET_WHY,
    )
    .required(),
    safe("Prefix", Shape::Text),
    safe("Prefix.$", Shape::Text),
];

fn bucket(judge: &mut Judge<'_>, place: &Place<'_>, value: &mut Value, actions: &'static [&'static str]) {
    if let Some(arn) = by_name::bucket(judge, place, value) {
        let mut statement = Statement::on(actions, arn.clone());
        statement.resources.push(format!("{arn}/*"));
        judge.grant(statement);
        judge.grant_key(value);
    }
}
