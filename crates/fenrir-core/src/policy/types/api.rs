//! `AWS::Serverless::Api`: a REST API.

use serde_json::{Map, Value, json};

use super::super::api_definition::{self, resource_policy};
use super::super::judge::{Judge, Members};
use super::super::kind;
use super::super::place::Place;
use super::super::registry::{Generated, Naming, Others, ResourceType};
use super::super::rule::{Custom, Pattern, Property, Rule, Shape, TagForm, check, generated, refused, safe};
use crate::codes;
use crate::names::Style;

/// The type's name.
pub(in super::super) const NAME: &str = "AWS::Serverless::Api";

/// The type.
pub static API: ResourceType = ResourceType {
    name: NAME,
    about: "A REST API of API Gateway in front of functions.",
    becomes: "AWS::ApiGateway::RestApi",
    properties: PROPERTIES,
    attributes: &["RestApiId", "RootResourceId"],
    naming: Some(Naming {
        // Limit: API Gateway quotas, "API name".
        style: |_| Style::up_to(128),
        identifies: false,
    }),
    generates,
    finish,
    ..ResourceType::PLAIN
};

const PROPERTIES: &[Property] = &[
    safe("AlwaysDeploy", Shape::Flag),
    safe("ApiKeySourceType", Shape::Text),
    safe("BinaryMediaTypes", Shape::List),
    safe("CacheClusterEnabled", Shape::Flag),
    safe("CacheClusterSize", Shape::Text),
    safe("Cors", Shape::Any),
    safe("Description", Shape::Text),
    safe("DisableExecuteApiEndpoint", Shape::Flag),
    safe("EndpointAccessMode", Shape::Text),
    safe("FailOnWarnings", Shape::Flag),
    safe("GatewayResponses", Shape::Map),
    safe("MethodSettings", Shape::List),
    safe("MinimumCompressionSize", Shape::Whole),
    check(
        "Models",
        Rule::Custom(api_definition::body),
        "schemas become a part of the definition",
    ),
    safe("OpenApiVersion", Shape::Text).example("3.0.1"),
    safe("SecurityPolicy", Shape::Text),
    safe("TracingEnabled", Shape::Flag),
    safe("Variables", Shape::Map),
    check(
        "EndpointConfiguration",
        Rule::Custom(endpoint),
        "`REGIONAL`, `EDGE` or `PRIVATE`, the default: an API is open to the world only when somebody says so. A \
         private API without a resource policy gets one that lets in the VPCs of subnets that are open to deploys",
    )
    .example("REGIONAL"),
    generated("Name"),
    check(
        "PropagateTags",
        Rule::Forced(|_| json!(true)),
        "always true: stages carry the same tags",
    ),
    check(
        "Tags",
        Rule::Tags(TagForm::Map),
        "literal texts, no reserved keys; the own tags are added",
    ),
    check(
        "AccessLogSetting",
        Rule::Map(ACCESS_LOG),
        "a log group of this template, or one whose tags allow it",
    )
    .example("{DestinationArn: !GetAtt AccessLog.Arn, Format: $context.requestId}"),
    check(
        "Auth",
        Rule::Map(AUTH),
        "authorizers are functions of this template or user pools whose tags allow it; calls are made with no role",
    ),
    check(
        "CanarySetting",
        Rule::Map(CANARY),
        "without `DeploymentId`, which could be another API's",
    ),
    check(
        "DefinitionBody",
        Rule::Custom(api_definition::body),
        "every integration is `mock`, or a function of this template by `Fn::Sub`; no credentials, no VPC links, no \
         stage variables",
    ),
    check(
        "DefinitionUri",
        Rule::Custom(|_, _, _| {}),
        "an artifact of the release that passes the check of `DefinitionBody`, and is written in its place",
    )
    .example("api.yaml"),
    check("MergeDefinitions", Rule::Flag, "only together with a `DefinitionBody`"),
    check(
        "Mode",
        Rule::OneOf(&["merge", "overwrite"]),
        "only together with a `DefinitionBody`",
    ),
    check(
        "Policy",
        Rule::Custom(resource_policy),
        "the API's own resource policy: every resource begins with `execute-api:/`",
    ),
    check(
        "StageName",
        Rule::Literal(&STAGE),
        "a literal of letters, digits and `_`: SAM makes logical ids from it",
    )
    .required()
    .example("live"),
    refused(
        "Domain",
        "it takes a host name, a certificate and a hosted zone that belong to others",
    ),
    refused("__MANAGE_SWAGGER", "it is SAM's own"),
];

/// Source: API Gateway API, `CreateStage`, `stageName`, without `-`.
static STAGE: Pattern = Pattern {
    describe: "1 to 128 letters, digits and `_`",
    fits: |text| (1..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'),
};

pub(super) const ACCESS_LOG: &[Property] = &[
    check("DestinationArn", Rule::Reference(&kind::LOG_GROUP), "a log group").required(),
    safe("Format", Shape::Text),
];

const CANARY: &[Property] = &[
    safe("PercentTraffic", Shape::Number),
    safe("StageVariableOverrides", Shape::Map),
    safe("UseStageCache", Shape::Flag),
    refused("DeploymentId", "it could be another API's"),
];

const AUTH: &[Property] = &[
    safe("AddApiKeyRequiredToCorsPreflight", Shape::Flag),
    safe("AddDefaultAuthorizerToCorsPreflight", Shape::Flag),
    safe("ApiKeyRequired", Shape::Flag),
    safe("DefaultAuthorizer", Shape::Text),
    check("Authorizers", Rule::Custom(authorizers), "by name"),
    check(
        "InvokeRole",
        Rule::OneOf(&["NONE"]),
        "functions are called by permission, not by a role",
    ),
    check("ResourcePolicy", Rule::Map(RESOURCE_POLICY), "who may call the API"),
    check("UsagePlan", Rule::Map(USAGE_PLAN), "one for this API, named by SAM"),
];

/// SAM's resource policy, for an API or one of its methods.
pub(in super::super) const RESOURCE_POLICY: &[Property] = &[
    check(
        "CustomStatements",
        Rule::Custom(api_definition::statements),
        "statements about the own API: every resource begins with `execute-api:/`",
    ),
    safe("AwsAccountBlacklist", Shape::List),
    safe("AwsAccountWhitelist", Shape::List),
    safe("IntrinsicVpcBlacklist", Shape::List),
    safe("IntrinsicVpcWhitelist", Shape::List),
    safe("IntrinsicVpceBlacklist", Shape::List),
    safe("IntrinsicVpceWhitelist", Shape::List),
    safe("IpRangeBlacklist", Shape::List),
    safe("IpRangeWhitelist", Shape::List),
    safe("SourceVpcBlacklist", Shape::List),
    safe("SourceVpcWhitelist", Shape::List),
];

const USAGE_PLAN: &[Property] = &[
    check(
        "CreateUsagePlan",
        Rule::OneOf(&["PER_API"]),
        "a shared plan would join this API with others",
    )
    .required(),
    safe("Description", Shape::Text),
    safe("Quota", Shape::Map),
    safe("Throttle", Shape::Map),
    // Source: aws-sam-translator 1.115, `samtranslator/model/__init__.py`, `propagate_tags`: it replaces.
    refused(
        "Tags",
        "SAM writes the tags of the API in their place; write them into its `Tags`",
    ),
    refused("UsagePlanName", "names are generated"),
];

const LAMBDA_AUTHORIZER: &[Property] = &[
    check(
        "FunctionArn",
        Rule::Custom(own_function),
        "`!GetAtt` of a function of this template",
    )
    .required(),
    check(
        "FunctionPayloadType",
        Rule::OneOf(&["TOKEN", "REQUEST"]),
        "what the function is given",
    ),
    safe("Identity", Shape::Map),
    safe("DisableFunctionDefaultPermissions", Shape::Flag),
    safe("AuthorizationScopes", Shape::List),
    refused("FunctionInvokeRole", "it runs the authorizer with another role"),
];

const USER_POOL_AUTHORIZER: &[Property] = &[
    check(
        "UserPoolArn",
        Rule::Custom(user_pools),
        "a user pool, or a list of such, whose tags allow it",
    )
    .required(),
    safe("Identity", Shape::Map),
    safe("AuthorizationScopes", Shape::List),
];

/// A function of the template by its ARN.
pub(in super::super) fn own_function(judge: &mut Judge<'_>, place: &Place<'_>, value: &mut Value) {
    kind::FUNCTION.local_reference(judge, place, value);
}

fn user_pools(judge: &mut Judge<'_>, place: &Place<'_>, value: &mut Value) {
    if let Value::Array(pools) = value {
        for (at, pool) in pools.iter_mut().enumerate() {
            kind::USER_POOL.reference(judge, &place.index(at), pool);
        }
    } else {
        kind::USER_POOL.reference(judge, place, value);
    }
}

fn authorizers(judge: &mut Judge<'_>, place: &Place<'_>, value: &mut Value) {
    let Some(members) = judge.map(place, value) else { return };
    for (name, authorizer) in members.iter_mut() {
        let place = place.key(name);
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            judge.refuse(
                codes::LOGICAL_ID,
                &place,
                "the name of an authorizer is made of letters, digits and `_`",
                "SAM makes logical ids from it: give it another name",
            );
        }
        let Some(members) = judge.map(&place, authorizer) else {
            continue;
        };
        let table = if members.contains_key("UserPoolArn") {
            USER_POOL_AUTHORIZER
        } else {
            LAMBDA_AUTHORIZER
        };
        judge.table(table, &place, members);
    }
}

/// The kind of endpoint, as text or as a map with `Type` only.
fn endpoint(judge: &mut Judge<'_>, place: &Place<'_>, value: &mut Value) {
    const TYPE: Rule = Rule::OneOf(&["REGIONAL", "EDGE", "PRIVATE"]);
    const MAP: &[Property] = &[
        check("Type", TYPE, "what kind of endpoint").required(),
        refused("VPCEndpointIds", "they are other people's endpoints"),
        refused("VPCEndpointIDs", "they are other people's endpoints"),
    ];
    if value.is_object() {
        Rule::Map(MAP).apply(judge, place, value);
    } else {
        TYPE.apply(judge, place, value);
    }
}

/// With `AWS_IAM` and no `InvokeRole`, SAM would make API Gateway call functions with the rights of whoever calls the
/// API. `authorizer` is the property that names the authorizer.
pub(in super::super) fn call_without_role(auth: Option<&mut Value>, authorizer: &str) {
    if let Some(auth) = auth.and_then(Value::as_object_mut)
        && auth.get(authorizer).is_some_and(|authorizer| authorizer == "AWS_IAM")
    {
        auth.entry("InvokeRole").or_insert_with(|| json!("NONE"));
    }
}

fn finish(judge: &mut Judge<'_>, place: &Place<'_>, properties: &mut Members) {
    call_without_role(properties.get_mut("Auth"), "DefaultAuthorizer");
    inline_definition(judge, place, properties, "DefinitionBody", api_definition::body);
    let written = judge.properties();
    for name in ["MergeDefinitions", "Mode"] {
        if written.contains_key(name) && !properties.contains_key("DefinitionBody") {
            judge.refuse(
                codes::TOGETHER,
                &place.key(name),
                format!("`{name}` needs a `DefinitionBody`"),
                "leave it out: without a definition of your own there is nothing to merge",
            );
        }
    }
    let endpoint = properties
        .entry("EndpointConfiguration")
        .or_insert_with(|| json!("PRIVATE"));
    let endpoint = endpoint.get("Type").unwrap_or(endpoint);
    if endpoint == "PRIVATE" {
        close(judge, place, properties);
    }
}

/// A definition in a file becomes one in the template: what was read is what is deployed.
pub(super) fn inline_definition(
    judge: &mut Judge<'_>,
    place: &Place<'_>,
    properties: &mut Members,
    inline: &str,
    check: Custom,
) {
    if let Some(uri) = properties.get("DefinitionUri").cloned() {
        let place = place.key("DefinitionUri");
        if properties.contains_key(inline) {
            judge.refuse(
                codes::TOGETHER,
                &place,
                format!("`DefinitionUri` and `{inline}` exclude each other"),
                "keep one of them",
            );
        } else if let Some(body) = api_definition::of_file(judge, &place, &uri, check) {
            properties.shift_remove("DefinitionUri");
            properties.insert(inline.to_owned(), body);
        }
    }
}

/// API Gateway refuses a private API without a resource policy: one that lets in only the networks of the company.
fn close(judge: &mut Judge<'_>, place: &Place<'_>, properties: &mut Members) {
    let has_policy = properties.contains_key("Policy")
        || properties
            .get("Auth")
            .is_some_and(|auth| auth.get("ResourcePolicy").is_some())
        || properties
            .get("DefinitionBody")
            .is_some_and(|body| body.get("x-amazon-apigateway-policy").is_some());
    if has_policy {
        return;
    }
    let Some(vpcs) = judge.ask_vpcs(place) else { return };
    if vpcs.is_empty() {
        return judge.refuse(
            codes::REQUIRED,
            place,
            "a private API needs a resource policy, and there is no subnet tagged `DeployWithFenrir` = `true` whose \
             VPC it could let in",
            "write `EndpointConfiguration: REGIONAL`, or an `Auth` with a `ResourcePolicy`",
        );
    }
    let auth = properties.entry("Auth").or_insert_with(|| Value::Object(Map::new()));
    if let Some(auth) = auth.as_object_mut() {
        auth.insert(
            "ResourcePolicy".to_owned(),
            json!({
                "CustomStatements": [{
                    "Effect": "Allow",
                    "Principal": "*",
                    "Action": "execute-api:Invoke",
                    "Resource": "execute-api:/*",
                    "Condition": { "StringEquals": { "aws:SourceVpc": vpcs } },
                }],
            }),
        );
    }
}

/// Source: aws-sam-translator 1.115, `samtranslator/model/api/api_generator.py`.
fn generates(id: &str, properties: &Members, _others: &Others<'_>) -> Vec<Generated> {
    let stage = properties.get("StageName").and_then(Value::as_str).unwrap_or_default();
    let mut all = vec![
        Generated::hashed(format!("{id}Deployment"), "AWS::ApiGateway::Deployment"),
        if !stage.is_empty() && stage.bytes().all(|b| b.is_ascii_alphanumeric()) {
            Generated::exactly(format!("{id}{stage}Stage"), "AWS::ApiGateway::Stage")
        } else {
            Generated::hashed(format!("{id}Stage"), "AWS::ApiGateway::Stage")
        },
    ];
    let auth = properties.get("Auth");
    let part = |name: &str| auth.and_then(|auth| auth.get(name)).and_then(Value::as_object);
    for (name, authorizer) in part("Authorizers").into_iter().flatten() {
        if authorizer.get("FunctionArn").is_some() {
            all.push(Generated::exactly(
                format!("{id}{name}AuthorizerPermission"),
                "AWS::Lambda::Permission",
            ));
        }
    }
    if part("UsagePlan").is_some() {
        for (made, kind) in [
            ("UsagePlan", "AWS::ApiGateway::UsagePlan"),
            ("UsagePlanKey", "AWS::ApiGateway::UsagePlanKey"),
            ("ApiKey", "AWS::ApiGateway::ApiKey"),
        ] {
            all.push(Generated::exactly(format!("{id}{made}"), kind));
        }
    }
    all
}
