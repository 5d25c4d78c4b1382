//! `AWS::Serverless::Function`.

use serde_json::{Value, json};

use super::super::arn::Arn;
use super::super::judge::{Judge, Members};
use super::super::kind::{self, Kind};
use super::super::place::Place;
use super::super::registry::{Generated, Naming, Others, ResourceType};
use super::super::role::{self, Statement};
use super::super::rule::{Pattern, Property, Rule, Shape, TagForm, between, check, generated, refused, safe, whole};
use super::super::{artifact, destination, events, policies};
use crate::codes;
use crate::names::Style;
use crate::template::intrinsic::Target;
use crate::template::shown;

/// The type's name.
pub(in super::super) const NAME: &str = "AWS::Serverless::Function";

/// The type.
pub static FUNCTION: ResourceType = ResourceType {
    name: NAME,
    about: "A Lambda function, with its events and its role.",
    becomes: "AWS::Lambda::Function",
    properties: PROPERTIES,
    attributes: &[
        "Arn",
        "SnapStartResponse",
        "SnapStartResponse.ApplyOn",
        "SnapStartResponse.OptimizationStatus",
    ],
    naming: Some(Naming {
        // Limit: Lambda API, `CreateFunction`, `FunctionName`.
        style: |_| Style::up_to(64),
        identifies: true,
    }),
    arn: "lambda:{region}:{account}:function:{name}",
    events: events::OF_FUNCTION,
    generates,
    finish,
    ..ResourceType::PLAIN
};

/// What a template may know of the address that SAM makes from `FunctionUrlConfig`. No template can have one of its own:
/// the type is not in the registry.
/// Source: CloudFormation template reference, `AWS::Lambda::Url`, "Return values".
pub(in super::super) static ADDRESS: ResourceType = ResourceType {
    name: "AWS::Lambda::Url",
    about: "The address that SAM makes for a function with `FunctionUrlConfig`.",
    attributes: &["FunctionArn", "FunctionUrl"],
    ..ResourceType::PLAIN
};

/// The logical id that SAM gives to the address of a function.
/// Source: aws-sam-translator 1.115, `samtranslator/model/sam_resources.py`, `_construct_function_url`.
pub(in super::super) fn address_id(id: &str) -> String {
    format!("{id}Url")
}

const PROPERTIES: &[Property] = &[
    safe("Architectures", Shape::List).example("[arm64]"),
    safe("AutoPublishAliasAllProperties", Shape::Flag),
    safe("AutoPublishCodeSha256", Shape::Text),
    safe("Description", Shape::Text),
    safe("EphemeralStorage", Shape::Map).example("{Size: 1024}"),
    safe("Handler", Shape::Text),
    safe("MemorySize", Shape::Whole),
    safe("RecursiveLoop", Shape::Text),
    safe("Runtime", Shape::Text).example("provided.al2023"),
    safe("SnapStart", Shape::Map),
    safe("Timeout", Shape::Whole),
    safe("Tracing", Shape::Text).example("Active"),
    safe("VersionDescription", Shape::Text),
    generated("FunctionName"),
    check(
        "PermissionsBoundary",
        Rule::Forced(|judge| json!(judge.boundary())),
        "always Fenrir's; without it a role could do what its function may not",
    ),
    check(
        "PropagateTags",
        Rule::Forced(|_| json!(true)),
        "always true: roles, aliases and rules carry the same tags",
    ),
    check(
        "Tags",
        Rule::Tags(TagForm::Map),
        "literal texts, no reserved keys; the own tags are added",
    )
    .example("{CostCentre: '42'}"),
    check(
        "AutoPublishAlias",
        Rule::Literal(&ALIAS),
        "a literal of letters, digits, `-` and `_`: SAM makes logical ids from it",
    )
    .example("live"),
    check(
        "CodeUri",
        Rule::Custom(artifact::code),
        "a local path, which `fenrir package` replaces by an artifact of the release; its bytes are hashed again, and \
         the very version that was hashed is deployed",
    )
    .required()
    .example("."),
    check(
        "DeadLetterQueue",
        Rule::Custom(destination::dead_letter),
        "a queue or topic of this template, or one whose tags allow it",
    )
    .example("{Type: SQS, TargetArn: !GetAtt Dead.Arn}"),
    check(
        "DeploymentPreference",
        Rule::Map(DEPLOYMENT),
        "hooks and alarms of this template only; the role must be given and tagged for the function, because SAM's \
         would have no boundary",
    )
    .example("{Type: Linear10PercentEvery1Minute, Role: deploy}"),
    check(
        "Environment",
        Rule::Map(ENVIRONMENT),
        "texts, or intrinsics of the short list",
    )
    .example("{Variables: {QUEUE: !Ref Orders}}"),
    check(
        "EventInvokeConfig",
        Rule::Map(INVOKE),
        "destinations of this template, or existing ones whose tags allow it",
    ),
    check("Events", Rule::Custom(events::of_function), "see the event types"),
    check(
        "FunctionUrlConfig",
        Rule::Map(URL),
        "`AuthType` must be `AWS_IAM`: a URL without it is open to everybody. The address of the function `Fn` is \
         `!GetAtt FnUrl.FunctionUrl`",
    )
    .example("{AuthType: AWS_IAM}"),
    check(
        "KmsKeyArn",
        Rule::Custom(environment_key),
        "a key whose tags allow it; rewritten to its ARN",
    ),
    check(
        "Layers",
        Rule::Each(&Rule::Custom(layer)),
        "`!Ref` of layers of this template, or versions that the administrators listed: a layer is code",
    )
    .example("[!Ref Layer]"),
    check(
        "LoggingConfig",
        Rule::Map(LOGGING),
        "the log group must be of this template, or one whose tags allow it",
    )
    .example("{LogFormat: JSON}"),
    check(
        "Policies",
        Rule::Custom(policies::check),
        "a list of the templates under Policies; Fenrir writes the role",
    )
    .example("[{SQSSendMessagePolicy: {QueueName: !Ref Orders}}]"),
    check(
        "ProvisionedConcurrencyConfig",
        Rule::Map(PROVISIONED),
        "at most what the administrators allow; needs `AutoPublishAlias`",
    )
    .example("{ProvisionedConcurrentExecutions: 1}"),
    check(
        "ReservedConcurrentExecutions",
        Rule::Custom(reserved),
        "at most what the administrators allow: the pool belongs to the whole account",
    )
    .example("5"),
    check(
        "Role",
        Rule::Custom(role),
        "the name of a role (or its ARN, without a path) tagged for this function; not together with `Policies`",
    )
    .example("orders-app"),
    check(
        "RuntimeManagementConfig",
        Rule::Map(RUNTIME),
        "runtime versions of AWS only",
    )
    .example("{UpdateRuntimeOn: Auto}"),
    check(
        "SourceKMSKeyArn",
        Rule::Custom(kind::key_rule),
        "a key whose tags allow it; rewritten to its ARN",
    ),
    check(
        "VersionDeletionPolicy",
        Rule::OneOf(&["Delete", "Retain"]),
        "what becomes of old versions",
    ),
    check(
        "VpcConfig",
        Rule::Custom(vpc),
        "security groups by their Name tag, each tagged for this function; subnets by Name tag or id, each open to \
         deploys; rewritten to ids",
    )
    .example("{SecurityGroupIds: [orders], SubnetIds: [private-a]}"),
    refused("AssumeRolePolicyDocument", "it opens the role to others"),
    refused("CapacityProviderConfig", "it uses computers that are not the project's"),
    refused(
        "CodeSigningConfigArn",
        "it replaces the account's signing rule by another one",
    ),
    refused("DurableConfig", "SAM changes the role for it"),
    refused("FileSystemConfigs", "it brings in code and data that nobody checked"),
    refused("FunctionScalingConfig", "it uses computers that are not the project's"),
    refused(
        "ImageConfig",
        "images are not supported: their bytes are not in the release",
    ),
    refused(
        "ImageUri",
        "images are not supported: their bytes are not in the release",
    ),
    refused("InlineCode", "it has no SHA-256, and wins over a verified `CodeUri`"),
    refused(
        "PackageType",
        "code is always a zip; images are not supported, because their bytes are not in the release",
    ),
    refused(
        "PublishToLatestPublished",
        "it uses computers that are not the project's",
    ),
    refused(
        "RolePath",
        "a role with a path is outside of what the deployer may touch",
    ),
    refused("TenancyConfig", "it uses computers that are not the project's"),
];

/// Source: Lambda API, `CreateAlias`, `Name`.
static ALIAS: Pattern = Pattern {
    describe: "1 to 128 letters, digits, `-` and `_`, not digits only",
    fits: |text| {
        (1..=128).contains(&text.len())
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
            && !text.bytes().all(|b| b.is_ascii_digit())
    },
};

const DEPLOYMENT: &[Property] = &[
    check("Enabled", Rule::Flag, "literal"),
    check(
        "Type",
        Rule::Literal(&WORD),
        "the name of a deployment configuration of AWS",
    ),
    check(
        "Alarms",
        Rule::Each(&Rule::LocalRef(&["AWS::CloudWatch::Alarm"])),
        "alarms of this template",
    ),
    check("Hooks", Rule::Map(HOOKS), "functions of this template"),
    check(
        "Role",
        Rule::Custom(role),
        "the name of a role tagged for this function",
    )
    .required(),
    check(
        "TriggerConfigurations",
        Rule::Each(&Rule::Map(TRIGGER)),
        "topics of this template, or existing ones whose tags allow it",
    ),
];

const HOOKS: &[Property] = &[
    check("PreTraffic", Rule::LocalRef(&[NAME]), "`!Ref` of a function"),
    check("PostTraffic", Rule::LocalRef(&[NAME]), "`!Ref` of a function"),
];

const TRIGGER: &[Property] = &[
    safe("TriggerEvents", Shape::List),
    safe("TriggerName", Shape::Text),
    check("TriggerTargetArn", Rule::Reference(&kind::TOPIC), "a topic").required(),
];

static WORD: Pattern = Pattern {
    describe: "letters, digits and dots",
    fits: |text| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.'),
};

const ENVIRONMENT: &[Property] = &[check("Variables", Rule::Custom(variables), "name to text")];

fn variables(judge: &mut Judge<'_>, place: &Place<'_>, value: &mut Value) {
    let Some(members) = judge.map(place, value) else { return };
    for (name, value) in members.iter_mut() {
        Rule::Safe(Shape::Text).apply(judge, &place.key(name), value);
    }
}

const INVOKE: &[Property] = &[
    safe("MaximumEventAgeInSeconds", Shape::Whole),
    safe("MaximumRetryAttempts", Shape::Whole),
    check("DestinationConfig", Rule::Map(DESTINATIONS), "where results go"),
];

const DESTINATIONS: &[Property] = &[
    check(
        "OnSuccess",
        Rule::Custom(destination::invocation),
        "`Type` and `Destination`",
    ),
    check(
        "OnFailure",
        Rule::Custom(destination::invocation),
        "`Type` and `Destination`",
    ),
];

const URL: &[Property] = &[
    check(
        "AuthType",
        Rule::OneOf(&["AWS_IAM"]),
        "without it the URL is open to everybody",
    )
    .required(),
    safe("Cors", Shape::Map),
    check(
        "InvokeMode",
        Rule::OneOf(&["BUFFERED", "RESPONSE_STREAM"]),
        "how the answer is sent",
    ),
];

const LOGGING: &[Property] = &[
    safe("LogFormat", Shape::Text),
    safe("ApplicationLogLevel", Shape::Text),
    safe("SystemLogLevel", Shape::Text),
    check(
        "LogGroup",
        Rule::Custom(log_group),
        "`!Ref` of a log group of this template, or the name of one whose tags allow it",
    ),
];

const PROVISIONED: &[Property] = &[check(
    "ProvisionedConcurrentExecutions",
    Rule::Custom(provisioned),
    "a literal number",
)
.required()];

const RUNTIME: &[Property] = &[
    check(
        "UpdateRuntimeOn",
        Rule::OneOf(&["Auto", "FunctionUpdate", "Manual"]),
        "when the runtime is updated",
    ),
    check(
        "RuntimeVersionArn",
        Rule::Custom(runtime_version),
        "the ARN of a runtime version of AWS",
    ),
];

fn runtime_version(judge: &mut Judge<'_>, place: &Place<'_>, value: &mut Value) {
    let Some(text) = judge.literal(place, value) else {
        return;
    };
    let owner = judge.owner();
    let start = format!("arn:{}:lambda:{}::runtime:", owner.partition(), owner.region);
    let version = match Arn::parse(text) {
        Some(arn) if !owner.has_region() && arn.service == "lambda" && arn.account.is_empty() => {
            return judge.nowhere(place, text);
        }
        _ => text.strip_prefix(&start),
    };
    if !version.is_some_and(|v| !v.is_empty() && v.bytes().all(|b| b.is_ascii_hexdigit())) {
        judge.refuse(
            codes::REFERENCE,
            place,
            format!("`{}` is not a runtime version of AWS in this region", shown(text)),
            format!("write `{start}<version>`"),
        );
    }
}

fn reserved(judge: &mut Judge<'_>, place: &Place<'_>, value: &mut Value) {
    let most = judge.limits().reserved_concurrency;
    between(judge, place, value, 0, most.into());
    together(judge, place, most.into(), |properties| {
        properties.get("ReservedConcurrentExecutions")
    });
}

fn provisioned(judge: &mut Judge<'_>, place: &Place<'_>, value: &mut Value) {
    let most = judge.limits().provisioned_concurrency;
    between(judge, place, value, 1, most.into());
    together(judge, place, most.into(), |properties| {
        properties
            .get("ProvisionedConcurrencyConfig")?
            .get("ProvisionedConcurrentExecutions")
    });
}

/// What one function may take, all functions of the template may take together: else many small ones starve the account.
fn together(judge: &mut Judge<'_>, place: &Place<'_>, most: i64, of: fn(&Members) -> Option<&Value>) {
    let each = judge
        .locals()
        .filter(|local| local.kind.name == NAME)
        .filter_map(|local| whole(of(local.properties)?));
    let sum = each.fold(0, i64::saturating_add);
    // Told already.
    let alone = of(judge.properties()).and_then(whole).is_some_and(|own| own > most);
    if sum > most && !alone {
        judge.refuse(
            codes::RANGE,
            place,
            format!("the functions of the template take {sum} together, and may take {most}"),
            "give only those functions a share that need one, or split the application",
        );
    }
}

/// Encrypts the environment, so the role must decrypt.
fn environment_key(judge: &mut Judge<'_>, place: &Place<'_>, value: &mut Value) {
    kind::key_rule(judge, place, value);
    if let Value::String(arn) = value {
        judge.grant(Statement::on(&["kms:Decrypt"], arn.clone()));
    }
}

fn layer(judge: &mut Judge<'_>, place: &Place<'_>, value: &mut Value) {
    const LAYER: &[&str] = &["AWS::Serverless::LayerVersion"];
    match value {
        Value::String(arn) => {
            if !judge.context().allowed.contains(arn.as_str()) {
                judge.refuse(
                    codes::ALLOWED,
                    place,
                    format!("the layer `{}` is not on the administrators' list", shown(arn)),
                    "use a layer of this template (`!Ref`), or ask the administrators to list this very version",
                );
            }
        }
        other => Rule::LocalRef(LAYER).apply(judge, place, other),
    }
}

/// Lambda wants the name. Of a resource of the template `Ref` is the name.
fn log_group(judge: &mut Judge<'_>, place: &Place<'_>, value: &mut Value) {
    let group = match &*value {
        Value::String(name) => kind::LOG_GROUP.existing(judge, place, name),
        other => match judge.local_target(place, other, &["AWS::Logs::LogGroup"]) {
            Some((Target::Ref(_), local)) => Some(judge.arn_of(local)),
            Some((Target::GetAtt(id, _), _)) => {
                let help = format!("write `!Ref {id}`");
                judge.refuse(codes::LOCAL, place, "`LogGroup` takes the name of a log group", help);
                None
            }
            None => None,
        },
    };
    let Some(arn) = group else { return };
    if let (Value::String(text), Some((_, name))) = (&mut *value, arn.split_once(":log-group:")) {
        name.clone_into(text);
    }
    judge.grant(logs(&arn));
}

/// What a function needs to write its log.
fn logs(group: &str) -> Statement {
    Statement::on(&["logs:CreateLogStream", "logs:PutLogEvents"], format!("{group}:*"))
}

/// A role by name, or by its ARN without a path; rewritten to the ARN.
pub(in super::super) fn role(judge: &mut Judge<'_>, place: &Place<'_>, value: &mut Value) {
    /// Source of the name: IAM API, `CreateRole`, `RoleName`.
    static ROLE: Kind = Kind {
        noun: "role",
        service: "iam",
        prefix: "role/",
        scope: super::super::arn::Scope::GLOBAL,
        name: |name| {
            (1..=64).contains(&name.len()) && name.chars().all(|c| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c))
        },
        local: &[],
    };
    let Some(text) = judge.literal(place, value) else {
        return;
    };
    if has_path(text) {
        let like = judge.arn("iam::{account}:role/name");
        return judge.refuse(
            codes::REFERENCE,
            place,
            format!(
                "`{}` is a role with a path, and only roles without one can be used",
                shown(text)
            ),
            format!("name a role whose ARN is like `{like}`"),
        );
    }
    let Some(arn) = ROLE.arn(judge, place, text) else {
        return;
    };
    if let Some((_, name)) = arn.split_once(":role/")
        && let Some(arn) = judge.ask_role(place, name)
    {
        *value = Value::String(arn);
    }
}

/// Whether it is `path/name`, with or without `role/` before it, or the ARN of such a role.
fn has_path(text: &str) -> bool {
    let resource = match Arn::parse(text) {
        Some(arn) if arn.service == "iam" => arn.resource.strip_prefix("role/"),
        Some(_) => None,
        None => Some(text.strip_prefix("role/").unwrap_or(text)).filter(|text| !text.contains(':')),
    };
    let parts = resource.and_then(|resource| resource.rsplit_once('/'));
    parts.is_some_and(|(path, name)| !path.is_empty() && !name.is_empty())
}

/// `{SecurityGroupIds, SubnetIds}`: literals, both not empty, rewritten to ids.
fn vpc(judge: &mut Judge<'_>, place: &Place<'_>, value: &mut Value) {
    const VPC: &[Property] = &[
        check("SecurityGroupIds", Rule::Custom(security_groups), "Name tags").required(),
        check("SubnetIds", Rule::Custom(subnets), "Name tags or ids").required(),
        safe("Ipv6AllowedForDualStack", Shape::Flag),
    ];
    let Some(members) = judge.map(place, value) else { return };
    judge.table(VPC, place, members);
    judge.grant(network_interfaces());
}

/// What a function in a VPC needs. The actions know no resources.
/// Source: Lambda Developer Guide, `AWSLambdaVPCAccessExecutionRole`.
pub(in super::super) fn network_interfaces() -> Statement {
    Statement {
        actions: &[
            "ec2:CreateNetworkInterface",
            "ec2:DescribeNetworkInterfaces",
            "ec2:DescribeSubnets",
            "ec2:DeleteNetworkInterface",
            "ec2:AssignPrivateIpAddresses",
            "ec2:UnassignPrivateIpAddresses",
        ],
        resources: vec!["*".to_owned()],
        condition: None,
    }
}

/// Security groups by Name tag, rewritten to ids.
pub(in super::super) fn security_groups(judge: &mut Judge<'_>, place: &Place<'_>, value: &mut Value) {
    named(judge, place, value, Judge::ask_security_group);
}

/// Subnets by Name tag or id, rewritten to ids.
pub(in super::super) fn subnets(judge: &mut Judge<'_>, place: &Place<'_>, value: &mut Value) {
    named(judge, place, value, Judge::ask_subnet);
}

fn named<'j>(
    judge: &mut Judge<'j>,
    place: &Place<'_>,
    value: &mut Value,
    ask: fn(&mut Judge<'j>, &Place<'_>, &str) -> Option<String>,
) {
    let Some(items) = judge.filled_list(place, value) else {
        return;
    };
    for (at, item) in items.iter_mut().enumerate() {
        let place = place.index(at);
        if let Some(name) = judge.literal(&place, item)
            && let Some(id) = ask(judge, &place, name)
        {
            *item = Value::String(id);
        }
    }
}

/// Role or Policies, and the role that Fenrir writes.
fn finish(judge: &mut Judge<'_>, place: &Place<'_>, properties: &mut Members) {
    let written = judge.properties();
    if written.contains_key("Role") && written.contains_key("Policies") {
        judge.refuse(
            codes::TOGETHER,
            &place.key("Policies"),
            "`Role` and `Policies` exclude each other: SAM would ignore the policies",
            "keep `Policies` and Fenrir writes the role, or keep `Role` and put the rights there",
        );
    }
    if written.contains_key("ProvisionedConcurrencyConfig") && !written.contains_key("AutoPublishAlias") {
        judge.refuse(
            codes::TOGETHER,
            &place.key("ProvisionedConcurrencyConfig"),
            "`ProvisionedConcurrencyConfig` needs `AutoPublishAlias`",
            "add `AutoPublishAlias: live`",
        );
    }
    properties.shift_remove("Policies");
    if written.contains_key("Role") {
        judge.take_statements();
        return;
    }
    let log_group = written.get("LoggingConfig").and_then(|logging| logging.get("LogGroup"));
    if log_group.is_none()
        && let Some(Some(here)) = judge.local(judge.id())
    {
        let group = judge.arn(&format!(
            "logs:{{region}}:{{account}}:log-group:/aws/lambda/{}",
            judge.name_of(here)
        ));
        judge.grant(Statement::on(&["logs:CreateLogGroup"], format!("{group}:*")));
        judge.grant(logs(&group));
    }
    if written.get("Tracing") == Some(&json!("Active")) {
        judge.grant(Statement {
            // Source: Lambda Developer Guide, `AWSXRayDaemonWriteAccess`; the actions know no resources.
            actions: &["xray:PutTraceSegments", "xray:PutTelemetryRecords"],
            resources: vec!["*".to_owned()],
            condition: None,
        });
    }
    properties.insert("Role".to_owned(), role::write(judge, "lambda.amazonaws.com"));
}

/// Source: aws-sam-translator 1.115, `samtranslator/model/sam_resources.py`, `SamFunction`.
fn generates(id: &str, properties: &Members, _others: &Others<'_>) -> Vec<Generated> {
    let has = |name: &str| properties.contains_key(name);
    let mut all = Vec::new();
    // Written by Fenrir; SAM would give its own the same id.
    all.push(Generated::exactly(format!("{id}Role"), role::ROLE));
    if let Some(alias) = properties.get("AutoPublishAlias").and_then(Value::as_str) {
        let alias = alias.replace('-', "D").replace('_', "U");
        all.push(Generated::hashed(format!("{id}Version"), "AWS::Lambda::Version"));
        all.push(Generated::exactly(format!("{id}Alias{alias}"), "AWS::Lambda::Alias"));
    }
    for (property, made, kind) in [
        (
            "EventInvokeConfig",
            "EventInvokeConfig",
            "AWS::Lambda::EventInvokeConfig",
        ),
        ("FunctionUrlConfig", "Url", "AWS::Lambda::Url"),
        (
            "DeploymentPreference",
            "DeploymentGroup",
            "AWS::CodeDeploy::DeploymentGroup",
        ),
    ] {
        if has(property) {
            all.push(Generated::exactly(format!("{id}{made}"), kind));
        }
    }
    all
}
