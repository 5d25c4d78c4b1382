//! `AWS::Serverless::StateMachine`.

use serde_json::{Value, json};

use super::super::judge::{Judge, Members};
use super::super::kind;
use super::super::place::Place;
use super::super::registry::{Generated, Naming, Others, ResourceType};
use super::super::role::{self, Statement};
use super::super::rule::{Pattern, Property, Rule, Shape, TagForm, check, flag, generated, refused, safe};
use super::super::{events, policies, states};
use super::{api, function};
use crate::codes;
use crate::names::Style;

/// The type's name.
pub(in super::super) const NAME: &str = "AWS::Serverless::StateMachine";

/// The type.
pub static STATE_MACHINE: ResourceType = ResourceType {
    name: NAME,
    about: "A state machine of Step Functions, with its events and its role.",
    becomes: "AWS::StepFunctions::StateMachine",
    named_at: "/StateMachineName",
    properties: PROPERTIES,
    attributes: &["Arn", "Name", "StateMachineRevisionId"],
    naming: Some(Naming {
        // Limit: Step Functions API, `CreateStateMachine`, `name`.
        style: |_| Style::up_to(80),
        identifies: true,
    }),
    arn: "states:{region}:{account}:stateMachine:{name}",
    events: events::OF_STATE_MACHINE,
    generates,
    finish,
    ..ResourceType::PLAIN
};

const PROPERTIES: &[Property] = &[
    safe("Tracing", Shape::Map).example("{Enabled: true}"),
    safe("Type", Shape::Text).example("EXPRESS"),
    safe("UseAliasAsEventTarget", Shape::Flag),
    generated("Name"),
    check(
        "PermissionsBoundary",
        Rule::Forced(|judge| json!(judge.boundary())),
        "always Fenrir's: the roles that SAM makes for events take it from here",
    ),
    check(
        "PropagateTags",
        Rule::Forced(|_| json!(true)),
        "always true: roles and rules carry the same tags",
    ),
    check(
        "Tags",
        Rule::Tags(TagForm::Map),
        "literal texts, no reserved keys; the own tags are added",
    ),
    check(
        "AutoPublishAlias",
        Rule::Literal(&ALIAS),
        "a literal of letters and digits: SAM makes a logical id from it",
    )
    .example("live"),
    check(
        "Definition",
        Rule::Custom(states::definition),
        "tasks call functions, queues, topics and tables of this template, with the machine's own role",
    ),
    check(
        "DefinitionSubstitutions",
        Rule::Custom(states::substitutions),
        "`!Ref` and `!GetAtt` of resources of this template, or plain text that is no ARN",
    )
    .example("{Charge: !GetAtt Charge.Arn}"),
    check(
        "DefinitionUri",
        Rule::Custom(|_, _, _| {}),
        "a file of the release, in JSON or YAML; checked as `Definition` is, and written into the template",
    )
    .example("machine.asl.json"),
    check(
        "DeploymentPreference",
        Rule::Map(DEPLOYMENT),
        "alarms of this template only",
    ),
    check(
        "Events",
        Rule::Custom(events::of_state_machine),
        "see the event types; SAM makes a role for each, with the boundary",
    ),
    check(
        "Logging",
        Rule::Map(LOGGING),
        "the log group must be of this template, or one whose tags allow it",
    ),
    check(
        "Policies",
        Rule::Custom(policies::check),
        "a list of the templates under Policies; Fenrir writes the role, and adds what the definition calls",
    ),
    check(
        "Role",
        Rule::Custom(function::role),
        "the name of a role (or its ARN, without a path) tagged for this state machine; not together with `Policies`",
    ),
    refused(
        "RolePath",
        "a role with a path is outside of what the deployer may touch",
    ),
];

static ALIAS: Pattern = Pattern {
    describe: "1 to 80 letters and digits, not digits only",
    fits: |text| {
        // Limit: Step Functions API, `CreateStateMachineAlias`, `name`.
        (1..=80).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric())
            && !text.bytes().all(|b| b.is_ascii_digit())
    },
};

const DEPLOYMENT: &[Property] = &[
    check(
        "Type",
        Rule::OneOf(&["ALL_AT_ONCE", "LINEAR", "CANARY"]),
        "how traffic is shifted",
    )
    .required(),
    safe("Interval", Shape::Whole),
    safe("Percentage", Shape::Whole),
    check(
        "Alarms",
        Rule::Each(&Rule::LocalRef(&["AWS::CloudWatch::Alarm"])),
        "`!Ref` of alarms of this template",
    ),
];

const LOGGING: &[Property] = &[
    check("Destinations", Rule::Each(&Rule::Map(DESTINATION)), "one log group"),
    safe("IncludeExecutionData", Shape::Flag),
    safe("Level", Shape::Text),
];

const DESTINATION: &[Property] = &[check("CloudWatchLogsLogGroup", Rule::Map(LOG_GROUP), "a log group").required()];

const LOG_GROUP: &[Property] = &[check("LogGroupArn", Rule::Custom(log_group), "a log group").required()];

/// Step Functions wants the ARN with `:*` behind it, as `GetAtt` gives it.
/// Source: CloudFormation, `AWS::StepFunctions::StateMachine CloudWatchLogsLogGroup`.
fn log_group(judge: &mut Judge<'_>, place: &Place<'_>, value: &mut Value) {
    if let Value::String(text) = value {
        let name = text.strip_suffix(":*").unwrap_or(text);
        if let Some(arn) = kind::LOG_GROUP.existing(judge, place, name) {
            *text = format!("{arn}:*");
        }
    } else {
        kind::LOG_GROUP.local_reference(judge, place, value);
    }
}

/// One definition, Role or Policies, and the role that Fenrir writes.
fn finish(judge: &mut Judge<'_>, place: &Place<'_>, properties: &mut Members) {
    api::inline_definition(judge, place, properties, "Definition", states::definition);
    let written = judge.properties();
    if !written.contains_key("Definition") && !written.contains_key("DefinitionUri") {
        judge.refuse(
            codes::REQUIRED,
            place,
            "a state machine needs `Definition` or `DefinitionUri`",
            "write the states into `Definition`",
        );
    }
    if written.contains_key("Role") && written.contains_key("Policies") {
        judge.refuse(
            codes::TOGETHER,
            &place.key("Policies"),
            "`Role` and `Policies` exclude each other",
            "keep `Policies` and Fenrir writes the role, or keep `Role` and put the rights there",
        );
    }
    for name in ["DeploymentPreference", "UseAliasAsEventTarget"] {
        if written.contains_key(name) && !written.contains_key("AutoPublishAlias") {
            judge.refuse(
                codes::TOGETHER,
                &place.key(name),
                format!("`{name}` needs `AutoPublishAlias`"),
                "add `AutoPublishAlias: live`",
            );
        }
    }
    properties.shift_remove("Policies");
    if written.contains_key("Role") {
        judge.take_statements();
        return;
    }
    if written.contains_key("Logging") {
        judge.grant(everywhere(LOG_DELIVERY));
    }
    let tracing = written.get("Tracing").and_then(|tracing| tracing.get("Enabled"));
    if tracing.and_then(flag) == Some(true) {
        judge.grant(everywhere(TRACE));
    }
    properties.insert("Role".to_owned(), role::write(judge, "states.amazonaws.com"));
}

/// Source: Step Functions Developer Guide, "Using CloudWatch Logs to log execution history".
const LOG_DELIVERY: &[&str] = &[
    "logs:CreateLogDelivery",
    "logs:GetLogDelivery",
    "logs:UpdateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:DescribeResourcePolicies",
    "logs:DescribeLogGroups",
];

/// Source: Step Functions Developer Guide, "Trace Step Functions request data in AWS X-Ray".
const TRACE: &[&str] = &[
    "xray:PutTraceSegments",
    "xray:PutTelemetryRecords",
    "xray:GetSamplingRules",
    "xray:GetSamplingTargets",
];

/// Actions that know no resources.
fn everywhere(actions: &'static [&'static str]) -> Statement {
    Statement {
        actions,
        resources: vec!["*".to_owned()],
        condition: None,
    }
}

/// Source: aws-sam-translator 1.115, `samtranslator/model/stepfunctions/generators.py`.
fn generates(id: &str, properties: &Members, _others: &Others<'_>) -> Vec<Generated> {
    // Written by Fenrir; SAM would give its own the same id.
    let mut all = vec![Generated::exactly(format!("{id}Role"), role::ROLE)];
    if let Some(alias) = properties.get("AutoPublishAlias").and_then(Value::as_str) {
        all.push(Generated::exactly(
            format!("{id}Version"),
            "AWS::StepFunctions::StateMachineVersion",
        ));
        all.push(Generated::exactly(
            format!("{id}Alias{alias}"),
            "AWS::StepFunctions::StateMachineAlias",
        ));
    }
    all
}
