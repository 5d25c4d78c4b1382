//! `AWS::CloudFront::Distribution`.

use serde_json::Value;

use super::super::fold::{GAP, fold, url_suffix};
use super::super::judge::Judge;
use super::super::kind;
use super::super::place::Place;
use super::super::registry::ResourceType;
use super::super::rule::{Pattern, Property, Rule, Shape, TagForm, check, flag, refused, safe};
use super::elb;
use crate::codes;
use crate::template::intrinsic::{self, Piece, Target, pieces};
use crate::template::shown;

/// The type.
pub static DISTRIBUTION: ResourceType = ResourceType {
    name: "AWS::CloudFront::Distribution",
    about: "A distribution of CloudFront before a load balancer or an API of this template.",
    properties: PROPERTIES,
    attributes: &["DomainName", "Id"],
    ..ResourceType::PLAIN
};

const PROPERTIES: &[Property] = &[
    check(
        "Tags",
        Rule::Tags(TagForm::List),
        "literal texts, no reserved keys; the own tags are added",
    ),
    check("DistributionConfig", Rule::Map(CONFIG), "see the next tables").required(),
];

const FOREIGN: &str = "it takes something that is not of this template";
const EDGE: &str = "it runs code at the edge that nobody checked";
const LINKS: &str = "it links to other distributions";
const LEGACY: &str = "it is the old twin of `Origins`";

const CONFIG: &[Property] = &[
    safe("Comment", Shape::Text),
    safe("CustomErrorResponses", Shape::List),
    safe("DefaultRootObject", Shape::Text),
    safe("Enabled", Shape::Flag).required(),
    safe("HttpVersion", Shape::Text),
    safe("IPV6Enabled", Shape::Flag),
    safe("PriceClass", Shape::Text),
    safe("Restrictions", Shape::Map),
    check(
        "CacheBehaviors",
        Rule::Each(&Rule::Map(CACHE_BEHAVIOR)),
        "see the table of cache behaviours",
    ),
    check(
        "DefaultCacheBehavior",
        Rule::Map(DEFAULT_CACHE_BEHAVIOR),
        "see the table of cache behaviours",
    )
    .required(),
    check("Logging", Rule::Map(LOGGING), "logs go to a bucket whose tags allow it")
        .example("{Bucket: ledger-logs.s3.amazonaws.com}"),
    check(
        "OriginGroups",
        Rule::Map(ORIGIN_GROUPS),
        "groups of origins of this distribution",
    ),
    check("Origins", Rule::Each(&Rule::Map(ORIGIN)), "see the table of origins").required(),
    check(
        "ViewerCertificate",
        Rule::Map(VIEWER_CERTIFICATE),
        "CloudFront's own: certificates are for host names of one's own, which are refused",
    )
    .example("{CloudFrontDefaultCertificate: true}"),
    check(
        "WebACLId",
        Rule::Custom(|judge, place, value| listed(judge, place, value, "web ACL", &[])),
        "one that the administrators listed",
    ),
    refused("Aliases", "whoever names a host name first takes it from its owner"),
    refused("AnycastIpListId", FOREIGN),
    refused(
        "CNAMEs",
        "it is the old twin of `Aliases`: it takes host names from their owners",
    ),
    refused("CacheTagConfig", FOREIGN),
    refused("ConnectionFunctionAssociation", EDGE),
    refused("ConnectionMode", FOREIGN),
    refused("ContinuousDeploymentPolicyId", LINKS),
    refused("CustomOrigin", LEGACY),
    refused("S3Origin", LEGACY),
    refused("Staging", LINKS),
    refused("TenantConfig", FOREIGN),
    refused("ViewerMtlsConfig", FOREIGN),
];

const CACHE_BEHAVIOR: &[Property] = &behavior(safe("PathPattern", Shape::Text).required());
const DEFAULT_CACHE_BEHAVIOR: &[Property] = &behavior(refused("PathPattern", "the default behaviour takes every path"));

const fn behavior(path: Property) -> [Property; 21] {
    [
        path,
        safe("AllowedMethods", Shape::List),
        safe("CachedMethods", Shape::List),
        safe("Compress", Shape::Flag),
        safe("DefaultTTL", Shape::Number),
        safe("ForwardedValues", Shape::Map),
        safe("GrpcConfig", Shape::Map),
        safe("MaxTTL", Shape::Number),
        safe("MinTTL", Shape::Number),
        safe("SmoothStreaming", Shape::Flag),
        safe("TargetOriginId", Shape::Text).required(),
        safe("ViewerProtocolPolicy", Shape::Text).required(),
        check(
            "CachePolicyId",
            Rule::Custom(|judge, place, value| listed(judge, place, value, "cache policy", CACHE_POLICIES)),
            "the id of a policy of AWS, or one that the administrators listed",
        )
        .example("658327ea-f89d-4fab-a63d-7e88639e58f6"),
        check(
            "OriginRequestPolicyId",
            Rule::Custom(|judge, place, value| {
                listed(judge, place, value, "origin request policy", ORIGIN_REQUEST_POLICIES);
            }),
            "the id of a policy of AWS, or one that the administrators listed",
        ),
        check(
            "ResponseHeadersPolicyId",
            Rule::Custom(|judge, place, value| {
                listed(
                    judge,
                    place,
                    value,
                    "response headers policy",
                    RESPONSE_HEADERS_POLICIES,
                );
            }),
            "the id of a policy of AWS, or one that the administrators listed",
        ),
        refused("FieldLevelEncryptionId", FOREIGN),
        refused("FunctionAssociations", EDGE),
        refused("LambdaFunctionAssociations", EDGE),
        refused("RealtimeLogConfigArn", FOREIGN),
        refused("TrustedKeyGroups", FOREIGN),
        refused("TrustedSigners", FOREIGN),
    ]
}

/// `CachingOptimized`, `CachingOptimizedForUncompressedObjects`, `CachingDisabled`, `UseOriginCacheControlHeaders` and
/// the same with query strings.
/// Source: CloudFront Developer Guide, "Use managed cache policies".
const CACHE_POLICIES: &[&str] = &[
    "658327ea-f89d-4fab-a63d-7e88639e58f6",
    "b2884449-e4de-46a7-ac36-70bc7f1ddd6d",
    "4135ea2d-6df8-44a3-9df3-4b5a84be39ad",
    "83da9c7e-98b4-4e11-a168-04f0df8e2c65",
    "4cc15a8a-d715-48a4-82b8-cc0b614638fe",
];

/// `AllViewer`, `AllViewerExceptHostHeader`, `AllViewerAndCloudFrontHeaders-2022-06`, `CORS-CustomOrigin`,
/// `UserAgentRefererHeaders`.
/// Source: CloudFront Developer Guide, "Use managed origin request policies".
const ORIGIN_REQUEST_POLICIES: &[&str] = &[
    "216adef6-5c7f-47e4-b989-5492eafa07d3",
    "b689b0a8-53d0-40ab-baf2-68738e2966ac",
    "33f36d7e-f396-46d9-90e0-52428a34d9dc",
    "59781a5b-3903-41f3-afcb-af62929ccde1",
    "acba4595-bd28-49b8-b9fe-13317c0390fa",
];

/// `SimpleCORS`, `CORS-With-Preflight`, `SecurityHeadersPolicy`, `CORS-and-SecurityHeadersPolicy`,
/// `CORS-with-preflight-and-SecurityHeadersPolicy`.
/// Source: CloudFront Developer Guide, "Use managed response headers policies".
const RESPONSE_HEADERS_POLICIES: &[&str] = &[
    "60669652-455b-4ae9-85a4-c4c02393f86c",
    "5cc3b908-e619-4b99-88e5-2cf7f45965bd",
    "67f7725c-6f97-4210-82d7-5512b31e9d03",
    "e61eb60c-9c35-4d20-a928-2b84e02af89c",
    "eaab4381-ed33-4a86-88ca-d9558dc6cd63",
];

fn listed(judge: &mut Judge<'_>, place: &Place<'_>, value: &Value, noun: &str, of_aws: &[&str]) {
    let Some(id) = judge.literal(place, value) else { return };
    if !of_aws.contains(&id) && !judge.context().allowed.contains(id) {
        judge.refuse(
            codes::ALLOWED,
            place,
            format!("the {noun} `{}` is not on the administrators' list", shown(id)),
            if of_aws.is_empty() {
                format!("ask the administrators to list this {noun}, or leave it out")
            } else {
                "use one of AWS by its id, or ask the administrators to list this one".to_owned()
            },
        );
    }
}

const LOGGING: &[Property] = &[
    check(
        "Bucket",
        Rule::Custom(log_bucket),
        "`<name>.s3.amazonaws.com` of a bucket whose tags allow it",
    )
    .required(),
    safe("IncludeCookies", Shape::Flag),
    safe("Prefix", Shape::Text),
];

/// CloudFront wants the bucket's host name. One of this template would not do: it needs access lists.
fn log_bucket(judge: &mut Judge<'_>, place: &Place<'_>, value: &mut Value) {
    let Some(host) = judge.literal(place, value) else {
        return;
    };
    let region = format!(".s3.{}.amazonaws.com", judge.owner().region);
    let name = host
        .strip_suffix(".s3.amazonaws.com")
        .or_else(|| host.strip_suffix(&region));
    match name {
        Some(name) => {
            kind::BUCKET.existing(judge, place, name);
        }
        None if !judge.owner().has_region() && host.contains(".s3.") => judge.nowhere(place, host),
        None => judge.refuse(
            codes::REFERENCE,
            place,
            format!("`{}` is not the host name of a bucket", shown(host)),
            "write `<name>.s3.amazonaws.com`",
        ),
    }
}

const VIEWER_CERTIFICATE: &[Property] = &[
    check(
        "CloudFrontDefaultCertificate",
        Rule::Custom(default_certificate),
        "`true`: CloudFront's own certificate",
    )
    .required(),
    safe("MinimumProtocolVersion", Shape::Text),
    refused(
        "AcmCertificateArn",
        "it is for host names of one's own, which are refused",
    ),
    refused(
        "IamCertificateId",
        "it is for host names of one's own, which are refused",
    ),
    refused(
        "SslSupportMethod",
        "it is for host names of one's own, which are refused",
    ),
];

fn default_certificate(judge: &mut Judge<'_>, place: &Place<'_>, value: &mut Value) {
    if flag(value) != Some(true) {
        judge.refuse(
            codes::LITERAL,
            place,
            "`CloudFrontDefaultCertificate` can only be `true`",
            "write `true`, or leave `ViewerCertificate` out",
        );
    }
}

const ORIGIN: &[Property] = &[
    safe("ConnectionAttempts", Shape::Whole),
    safe("ConnectionTimeout", Shape::Whole),
    check(
        "CustomOriginConfig",
        Rule::Map(CUSTOM_ORIGIN),
        "ports and protocols; without a client certificate",
    )
    .example("{OriginProtocolPolicy: https-only}"),
    safe("Id", Shape::Text).required(),
    safe("OriginPath", Shape::Text),
    safe("OriginShield", Shape::Map),
    safe("ResponseCompletionTimeout", Shape::Whole),
    check(
        "DomainName",
        Rule::Custom(host),
        "`!GetAtt` of the `DNSName` of a load balancer of this template, or the host of an API of this template; a \
         host written out could be anybody's, and one that is gone is taken over by whoever comes first",
    )
    .required()
    .example("!Sub '${Api}.execute-api.${AWS::Region}.${AWS::URLSuffix}'"),
    check(
        "OriginCustomHeaders",
        Rule::Each(&Rule::Map(HEADER)),
        "literal names and values",
    ),
    refused("OriginAccessControlId", "it signs requests to origins of others"),
    refused("S3OriginConfig", "buckets as origins are not supported yet"),
    refused("VpcOriginConfig", "it reaches into networks of others"),
];

const CUSTOM_ORIGIN: &[Property] = &[
    safe("HTTPPort", Shape::Whole),
    safe("HTTPSPort", Shape::Whole),
    safe("IpAddressType", Shape::Text),
    safe("OriginKeepaliveTimeout", Shape::Whole),
    safe("OriginProtocolPolicy", Shape::Text).required(),
    safe("OriginReadTimeout", Shape::Whole),
    safe("OriginSSLProtocols", Shape::List),
    refused("OriginMtlsConfig", "it shows a certificate of others"),
];

const HEADER: &[Property] = &[
    check("HeaderName", Rule::Literal(&HEADER_TEXT), "literal").required(),
    check("HeaderValue", Rule::Literal(&HEADER_TEXT), "literal").required(),
];

static HEADER_TEXT: Pattern = Pattern {
    describe: "the text itself",
    fits: |_| true,
};

fn host(judge: &mut Judge<'_>, place: &Place<'_>, value: &mut Value) {
    let folded = fold(judge, value).unwrap_or_default();
    if is_own_host(judge, value) {
        return;
    }
    if !judge.owner().has_region() && folded.get(1..).is_some_and(|rest| rest.starts_with(".execute-api.")) {
        judge.nowhere(place, &folded.replace(GAP, "..."));
    } else {
        judge.refuse(
            codes::LOCAL,
            place,
            format!(
                "`{}` must be the host of a load balancer or an API of this template",
                shown(place.name())
            ),
            "write `!GetAtt <load balancer>.DNSName`, or \
             `!Sub '${<api>}.execute-api.${AWS::Region}.${AWS::URLSuffix}'`",
        );
    }
}

fn is_own_host(judge: &Judge<'_>, value: &Value) -> bool {
    let is_of = |id: &str, types: &[&str]| {
        let local = judge.local(id).flatten();
        local.is_some_and(|local| types.contains(&local.kind.name))
    };
    if let Some(target) = intrinsic::target(value) {
        return matches!(target, Target::GetAtt(id, "DNSName") if is_of(id, &[elb::LOAD_BALANCER]));
    }
    let Some(Value::String(text)) = value.get("Fn::Sub") else {
        return false;
    };
    let own_api = match pieces(text).first() {
        Some(Piece::Variable(id)) => is_of(id, &["AWS::Serverless::Api", "AWS::Serverless::HttpApi"]),
        _ => false,
    };
    let wanted = format!(".execute-api.{}.{}", judge.owner().region, url_suffix(judge));
    let folded = fold(judge, value).unwrap_or_default();
    // The one character before it stands for the id of the API.
    own_api && folded.get(1..) == Some(wanted.as_str())
}

const ORIGIN_GROUPS: &[Property] = &[
    safe("Quantity", Shape::Whole).required(),
    check("Items", Rule::Each(&Rule::Map(ORIGIN_GROUP)), "the groups"),
];

const ORIGIN_GROUP: &[Property] = &[
    safe("FailoverCriteria", Shape::Map).required(),
    safe("Id", Shape::Text).required(),
    check("Members", Rule::Map(GROUP_MEMBERS), "ids of `Origins`").required(),
    safe("SelectionCriteria", Shape::Text),
];

const GROUP_MEMBERS: &[Property] = &[
    safe("Quantity", Shape::Whole).required(),
    check("Items", Rule::Each(&Rule::Map(GROUP_MEMBER)), "ids of `Origins`").required(),
];

const GROUP_MEMBER: &[Property] = &[check(
    "OriginId",
    Rule::Custom(origin_id),
    "the id of an origin of this distribution",
)
.required()];

/// Source: CloudFront quotas, "Origins per distribution". Each member of a group is looked for among them.
const MOST_ORIGINS: usize = 100;

fn origin_id(judge: &mut Judge<'_>, place: &Place<'_>, value: &mut Value) {
    let origins = judge
        .properties()
        .get("DistributionConfig")
        .and_then(|config| config.get("Origins"))
        .and_then(Value::as_array);
    let is_known = origins
        .into_iter()
        .flatten()
        .take(MOST_ORIGINS)
        .any(|origin| origin.get("Id").is_some_and(|id| id == value));
    if !is_known {
        judge.refuse(
            codes::REFERENCE,
            place,
            "`OriginId` is not the `Id` of one of `Origins`",
            "name an origin of this distribution",
        );
    }
}
