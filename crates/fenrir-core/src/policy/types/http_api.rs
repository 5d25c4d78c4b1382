//! `AWS::Serverless::HttpApi`: an HTTP API.

use serde_json::{Map, Value, json};

use super::super::api_definition;
use super::super::judge::{Judge, Members};
use super::super::place::Place;
use super::super::registry::{Generated, Naming, Others, ResourceType};
use super::super::rule::{Pattern, Property, Rule, Shape, TagForm, check, generated, refused, safe};
use super::api;
use crate::codes;
use crate::names::Style;

/// The type's name.
pub(in super::super) const NAME: &str = "AWS::Serverless::HttpApi";

/// The type.
pub static HTTP_API: ResourceType = ResourceType {
    name: NAME,
    about: "An HTTP API of API Gateway in front of functions.",
    becomes: "AWS::ApiGatewayV2::Api",
    // SAM makes the title of the definition from it.
    named_at: "/Body/info/title",
    properties: PROPERTIES,
    attributes: &["ApiEndpoint", "ApiId", "ExecuteApiArn"],
    naming: Some(Naming {
        // Limit: API Gateway API, `CreateApi`, `Name`.
        style: |_| Style::up_to(128),
        identifies: false,
    }),
    generates,
    finish,
    ..ResourceType::PLAIN
};

const PROPERTIES: &[Property] = &[
    safe("CorsConfiguration", Shape::Any).example("{AllowOrigins: ['https://example.com']}"),
    safe("DefaultRouteSettings", Shape::Map),
    safe("Description", Shape::Text),
    safe("DisableExecuteApiEndpoint", Shape::Flag),
    safe("FailOnWarnings", Shape::Flag),
    safe("RouteSettings", Shape::Map),
    safe("StageVariables", Shape::Map),
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
        "AccessLogSettings",
        Rule::Map(api::ACCESS_LOG),
        "a log group of this template, or one whose tags allow it",
    )
    .example("{DestinationArn: !GetAtt AccessLog.Arn, Format: $context.requestId}"),
    check(
        "Auth",
        Rule::Map(AUTH),
        "authorizers are issuers of tokens, or functions of this template",
    ),
    check(
        "DefinitionBody",
        Rule::Custom(api_definition::body),
        "every integration calls a function of this template, with no role; the title becomes the generated name",
    ),
    check(
        "DefinitionUri",
        Rule::Custom(|_, _, _| {}),
        "a file of the release, checked as `DefinitionBody` is and written into the template",
    )
    .example("api.yaml"),
    check(
        "StageName",
        Rule::Literal(&STAGE),
        "`$default`, or a literal of letters, digits, `-` and `_`: SAM makes a logical id from it",
    ),
    refused(
        "Domain",
        "it takes a host name, a certificate and a hosted zone that belong to others",
    ),
    refused("__MANAGE_SWAGGER", "it is SAM's own"),
];

/// Source: API Gateway API, `CreateStage`, `StageName`.
static STAGE: Pattern = Pattern {
    describe: "`$default`, or 1 to 128 letters, digits, `-` and `_`",
    fits: |text| {
        text == "$default"
            || (1..=128).contains(&text.len())
                && text
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    },
};

const AUTH: &[Property] = &[
    check("Authorizers", Rule::Custom(authorizers), "by name"),
    safe("DefaultAuthorizer", Shape::Text),
    safe("EnableIamAuthorizer", Shape::Flag),
];

const TOKENS: &[Property] = &[
    safe("AuthorizationScopes", Shape::List),
    safe("IdentitySource", Shape::Text).required(),
    check(
        "JwtConfiguration",
        Rule::Map(JWT),
        "who issues the tokens, and for whom",
    )
    .required(),
];

const JWT: &[Property] = &[safe("audience", Shape::List), safe("issuer", Shape::Text)];

const BY_FUNCTION: &[Property] = &[
    safe("AuthorizationScopes", Shape::List),
    safe("AuthorizerPayloadFormatVersion", Shape::Text).required(),
    safe("EnableFunctionDefaultPermissions", Shape::Flag),
    safe("EnableSimpleResponses", Shape::Flag),
    check(
        "FunctionArn",
        Rule::Custom(api::own_function),
        "`!GetAtt` of a function of this template",
    )
    .required(),
    safe("Identity", Shape::Map),
    refused("FunctionInvokeRole", "it runs the authorizer with another role"),
];

fn authorizers(judge: &mut Judge<'_>, place: &Place<'_>, value: &mut Value) {
    let Some(members) = judge.map(place, value) else { return };
    for (name, authorizer) in members.iter_mut() {
        let place = place.key(name);
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric()) {
            judge.refuse(
                codes::LOGICAL_ID,
                &place,
                "the name of an authorizer is made of letters and digits",
                "SAM makes logical ids from it: give it another name",
            );
        }
        let Some(members) = judge.map(&place, authorizer) else {
            continue;
        };
        let table = if members.contains_key("FunctionArn") {
            BY_FUNCTION
        } else {
            TOKENS
        };
        judge.table(table, &place, members);
    }
}

fn finish(judge: &mut Judge<'_>, place: &Place<'_>, properties: &mut Members) {
    api::inline_definition(judge, place, properties, "DefinitionBody", api_definition::body);
    if let Some(body) = properties.get_mut("DefinitionBody").and_then(Value::as_object_mut) {
        let info = body.entry("info").or_insert_with(|| Value::Object(Map::new()));
        let place = place.key("DefinitionBody");
        if let Some(info) = judge.map(&place.key("info"), info) {
            // SAM takes a name only while the title is the one that it would write itself.
            // Source: aws-sam-translator 1.115, `samtranslator/open_api/open_api.py`, `_DEFAULT_OPENAPI_TITLE`.
            info.insert("title".to_owned(), json!({ "Ref": "AWS::StackName" }));
        }
    }
}

/// Source: aws-sam-translator 1.115, `samtranslator/model/api/http_api_generator.py`.
fn generates(id: &str, properties: &Members, _others: &Others<'_>) -> Vec<Generated> {
    const STAGE: &str = "AWS::ApiGatewayV2::Stage";
    let stage = properties
        .get("StageName")
        .and_then(Value::as_str)
        .unwrap_or("$default");
    let mut all = vec![if stage == "$default" {
        Generated::exactly(format!("{id}ApiGatewayDefaultStage"), STAGE)
    } else if stage.bytes().all(|b| b.is_ascii_alphanumeric()) {
        Generated::exactly(format!("{id}{stage}Stage"), STAGE)
    } else {
        Generated::hashed(format!("{id}Stage"), STAGE)
    }];
    let authorizers = properties.get("Auth").and_then(|auth| auth.get("Authorizers"));
    for (name, authorizer) in authorizers.and_then(Value::as_object).into_iter().flatten() {
        if authorizer.get("EnableFunctionDefaultPermissions").is_some() {
            all.push(Generated::exactly(
                format!("{id}{name}AuthorizerPermission"),
                "AWS::Lambda::Permission",
            ));
        }
    }
    all
}
