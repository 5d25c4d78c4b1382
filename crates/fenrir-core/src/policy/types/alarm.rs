//! `AWS::CloudWatch::Alarm`.

use serde_json::Value;

use super::super::fold::fold;
use super::super::judge::Judge;
use super::super::kind;
use super::super::place::Place;
use super::super::registry::{Naming, ResourceType};
use super::super::rule::{Pattern, Property, Rule, Shape, TagForm, check, generated, refused, safe};
use crate::codes;
use crate::names::Style;

/// The type.
pub static ALARM: ResourceType = ResourceType {
    name: "AWS::CloudWatch::Alarm",
    about: "Watches a metric, and tells a topic.",
    properties: PROPERTIES,
    attributes: &["Arn"],
    naming: Some(Naming {
        // Limit: CloudWatch API, `PutMetricAlarm`, `AlarmName`.
        style: |_| Style::up_to(255),
        identifies: true,
    }),
    arn: "cloudwatch:{region}:{account}:alarm:{name}",
    ..ResourceType::PLAIN
};

const ACTIONS: Rule = Rule::Each(&Rule::Reference(&kind::TOPIC));
const ACTIONS_WHY: &str =
    "topics of this template (`!Ref`), or existing ones whose tags allow it: an alarm can also run things";

const PROPERTIES: &[Property] = &[
    safe("ActionsEnabled", Shape::Flag),
    safe("AlarmDescription", Shape::Text),
    safe("ComparisonOperator", Shape::Text).example("GreaterThanThreshold"),
    safe("DatapointsToAlarm", Shape::Whole),
    safe("Dimensions", Shape::List).example("[{Name: FunctionName, Value: !Ref Fn}]"),
    safe("EvaluateLowSampleCountPercentile", Shape::Text),
    check(
        "EvaluationCriteria",
        Rule::Map(EVALUATION),
        "a query chooses no account",
    ),
    safe("EvaluationInterval", Shape::Whole),
    safe("EvaluationPeriods", Shape::Whole),
    safe("EvaluationWindow", Shape::Map),
    safe("ExtendedStatistic", Shape::Text),
    safe("MetricName", Shape::Text),
    safe("Namespace", Shape::Text).example("AWS/Lambda"),
    safe("Period", Shape::Whole),
    safe("Statistic", Shape::Text),
    safe("Threshold", Shape::Number),
    safe("ThresholdMetricId", Shape::Text),
    safe("TreatMissingData", Shape::Text),
    safe("Unit", Shape::Text),
    safe("WarmUpConfiguration", Shape::Map),
    generated("AlarmName"),
    check(
        "Tags",
        Rule::Tags(TagForm::List),
        "literal texts, no reserved keys; the own tags are added",
    ),
    check("AlarmActions", ACTIONS, ACTIONS_WHY).example("[!Ref Alerts]"),
    check("InsufficientDataActions", ACTIONS, ACTIONS_WHY),
    check("OKActions", ACTIONS, ACTIONS_WHY),
    check(
        "Metrics",
        Rule::Each(&Rule::Map(METRIC)),
        "metrics of the own account only",
    )
    .example("[{Id: errors, Expression: 'm1 / m2'}]"),
    refused("ActionConfiguration", "it passes tags on to what an action makes"),
];

const METRIC: &[Property] = &[
    safe("Id", Shape::Text).required(),
    check(
        "Expression",
        Rule::Custom(expression),
        "metric math; a query must not name an account",
    ),
    safe("Label", Shape::Text),
    check(
        "MetricStat",
        Rule::Map(METRIC_STAT),
        "one metric, its statistic and period",
    ),
    safe("Period", Shape::Whole),
    safe("ReturnData", Shape::Flag),
    refused("AccountId", "it reads the metrics of another account"),
];

const METRIC_STAT: &[Property] = &[
    check("Metric", Rule::Map(METRIC_NAME), "namespace, name and dimensions").required(),
    safe("Period", Shape::Whole).required(),
    safe("Stat", Shape::Text).required(),
    safe("Unit", Shape::Text),
];

const METRIC_NAME: &[Property] = &[
    safe("Dimensions", Shape::List),
    safe("MetricName", Shape::Text),
    safe("Namespace", Shape::Text),
];

const EVALUATION: &[Property] = &[check(
    "PromQLCriteria",
    Rule::Map(PROM_QL),
    "a query of the own account",
)];

const PROM_QL: &[Property] = &[
    check(
        "Query",
        Rule::Literal(&OWN_QUERY),
        "literal, so that it can be seen that it chooses no account",
    )
    .required(),
    safe("PendingPeriod", Shape::Whole),
    safe("RecoveryPeriod", Shape::Whole),
];

/// `@aws.account` is the label of the account, and a label may be written with escapes.
/// Source: CloudWatch User Guide, "`PromQL`"; Prometheus, "UTF-8 label names".
static OWN_QUERY: Pattern = Pattern {
    describe: "a query without `@aws` labels and without `\\`",
    fits: |text| !text.to_ascii_lowercase().contains("@aws") && !text.contains('\\'),
};

/// A query can choose an account by the label `AWS.AccountId`.
/// Source: CloudWatch User Guide, "CloudWatch cross-account observability".
fn expression(judge: &mut Judge<'_>, place: &Place<'_>, value: &mut Value) {
    let Some(text) = fold(judge, value) else {
        return judge.wrong_shape(place, value, "text");
    };
    if text.to_ascii_lowercase().contains("accountid") {
        judge.refuse(
            codes::FOREIGN,
            place,
            "`Expression` chooses an account",
            "leave `AccountId` out: an alarm watches the own account",
        );
    }
    // Source: CloudWatch User Guide, "Using metric math", LAMBDA: it calls a function to fetch the data.
    let dense: String = text.split_whitespace().collect();
    if dense.to_ascii_lowercase().contains("lambda(") {
        judge.refuse(
            codes::REFUSED,
            place,
            "`Expression` calls a function, and nobody can see whose",
            "leave `LAMBDA` out, and let the function write a metric instead",
        );
    }
}
