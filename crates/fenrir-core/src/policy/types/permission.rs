//! `AWS::Lambda::Permission`.

use serde_json::{Value, json};

use super::super::arn::{Arn, Scope, Whose};
use super::super::fold::{GAP, fold};
use super::super::judge::{Judge, Members};
use super::super::kind;
use super::super::place::Place;
use super::super::registry::ResourceType;
use super::super::rule::{Property, Rule, check, refused};
use crate::codes;
use crate::template::intrinsic;
use crate::template::shown;

/// The type.
pub static PERMISSION: ResourceType = ResourceType {
    name: "AWS::Lambda::Permission",
    about: "Lets a service of the own account call a function of this template.",
    properties: PROPERTIES,
    attributes: &["Id"],
    finish,
    ..ResourceType::PLAIN
};

const OTHERS: &str = "it lets callers in that are not of the own account";

const PROPERTIES: &[Property] = &[
    check(
        "SourceAccount",
        Rule::Custom(source_account),
        "the own account; set when left out, so that no other account can call through the service",
    ),
    check(
        "Action",
        Rule::OneOf(&["lambda:InvokeFunction"]),
        "calling is all that is given",
    )
    .required(),
    check(
        "FunctionName",
        Rule::Custom(function_name),
        "`!GetAtt` or `!Ref` of a function of this template",
    )
    .required()
    .example("!GetAtt Fn.Arn"),
    check(
        "Principal",
        Rule::Custom(principal),
        "`elasticloadbalancing.amazonaws.com`, `secretsmanager.amazonaws.com`, `apigateway.amazonaws.com` or \
         `events.amazonaws.com`: services only, never accounts",
    )
    .required(),
    check(
        "SourceArn",
        Rule::Custom(source_arn),
        "something of the own account and region; `!Ref`, `!GetAtt` and `!Sub` of resources of this template",
    )
    .example("!Sub 'arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${Api}/*/GET/orders'"),
    refused("EventSourceToken", OTHERS),
    refused("FunctionUrlAuthType", OTHERS),
    refused("InvokedViaFunctionUrl", OTHERS),
    refused("PrincipalOrgID", OTHERS),
];

/// What calls by an event of the function gets its permission from SAM.
fn principal(judge: &mut Judge<'_>, place: &Place<'_>, value: &mut Value) {
    const SERVICES: Rule = Rule::OneOf(&[
        "elasticloadbalancing.amazonaws.com",
        "secretsmanager.amazonaws.com",
        "apigateway.amazonaws.com",
        "events.amazonaws.com",
    ]);
    let event = match value.as_str() {
        Some("sns.amazonaws.com") => "SNS",
        Some("s3.amazonaws.com") => "S3",
        Some("scheduler.amazonaws.com") => "ScheduleV2",
        Some(text) if text.starts_with("logs.") && text.ends_with("amazonaws.com") => "CloudWatchLogs",
        _ => return SERVICES.apply(judge, place, value),
    };
    judge.refuse(
        codes::LITERAL,
        place,
        format!("`Principal` cannot be `{}`", shown(value.as_str().unwrap_or_default())),
        format!("leave the permission out and give the function an event of type `{event}`, which brings its own"),
    );
}

fn function_name(judge: &mut Judge<'_>, place: &Place<'_>, value: &mut Value) {
    kind::FUNCTION.local_reference(judge, place, value);
}

fn source_account(judge: &mut Judge<'_>, place: &Place<'_>, value: &mut Value) {
    let owner = judge.owner();
    let folded = fold(judge, value);
    if folded.as_ref() == Some(&owner.account) {
        return;
    }
    match folded {
        Some(account) if !owner.has_account() => judge.nowhere(place, &account),
        _ => judge.refuse(
            codes::FOREIGN,
            place,
            "`SourceAccount` is not the own account",
            format!("leave it out: Fenrir sets `{}`", owner.account),
        ),
    }
}

/// A resource of the template, or an ARN whose account and region are the own ones, written out or by pseudo parameters.
fn source_arn(judge: &mut Judge<'_>, place: &Place<'_>, value: &mut Value) {
    let target = intrinsic::target(value).map(|target| judge.local(target.id()).is_some());
    if target == Some(true) {
        return;
    }
    let folded = fold(judge, value);
    let arn = folded.as_deref().and_then(Arn::parse);
    let is_known = |part: &str| !part.contains(GAP) && !part.contains(['*', '?']);
    match arn {
        Some(arn) if is_known(arn.service) && is_known(arn.region) && is_known(arn.account) => {
            match arn.whose(judge, Scope::REGIONAL) {
                Whose::Own => {}
                Whose::Foreign => judge.refuse(
                    codes::FOREIGN,
                    place,
                    "`SourceArn` is not of the own account and region",
                    "only what is in the own account and region may call",
                ),
                Whose::Unknown => judge.nowhere(place, &folded.as_deref().unwrap_or_default().replace(GAP, "...")),
            }
        }
        _ => judge.refuse(
            codes::REFERENCE,
            place,
            format!(
                "`{}` is no ARN whose account and region can be seen",
                shown(place.name())
            ),
            "write `!GetAtt` or `!Ref` of a resource, or a whole ARN with region and account and without `*` in them",
        ),
    }
}

fn finish(judge: &mut Judge<'_>, _place: &Place<'_>, properties: &mut Members) {
    properties.insert("SourceAccount".to_owned(), json!(judge.owner().account));
}
