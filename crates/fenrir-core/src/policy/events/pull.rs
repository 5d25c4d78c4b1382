//! `SQS`, `Kinesis`, `DynamoDB`: what a function reads by an event source mapping.
//!
//! The role needs what the mapping needs; SAM would attach managed policies on `*`, Fenrir grants the one source.

use serde_json::Value;

use super::super::judge::{Judge, Members};
use super::super::kind;
use super::super::place::Place;
use super::super::registry::{Generated, Others};
use super::super::role::Statement;
use super::super::rule::{Property, Rule, Shape, check, refused, safe};
use super::super::{arn::Arn, destination};
use super::EventType;
use crate::codes;
use crate::template::intrinsic::{self, Target};
use crate::template::shown;

/// A queue.
pub static SQS: EventType = EventType {
    name: "SQS",
    about: "The function reads messages of a queue.",
    properties: &pull(
        check(
            "Queue",
            Rule::Custom(queue),
            "`!GetAtt` of a queue of this template, or the name or ARN of one whose tags allow it; rewritten to the ARN",
        )
        .required()
        .example("!GetAtt Orders.Arn"),
        refused("Stream", OTHER_KIND),
    ),
    generates,
    ..EventType::PLAIN
};

/// A Kinesis stream.
pub static KINESIS: EventType = EventType {
    name: "Kinesis",
    about: "The function reads records of a stream.",
    properties: &pull(
        check(
            "Stream",
            Rule::Custom(stream),
            "the name or ARN of a stream whose tags allow it; rewritten to the ARN. A consumer's ARN, if its stream's \
             tags allow it",
        )
        .required()
        .example("clicks"),
        refused("Queue", OTHER_KIND),
    ),
    generates,
    ..EventType::PLAIN
};

/// The stream of a DynamoDB table.
pub static DYNAMODB: EventType = EventType {
    name: "DynamoDB",
    about: "The function reads the changes of a table.",
    properties: &pull(
        check(
            "Stream",
            Rule::Custom(table_stream),
            "`!GetAtt Table.StreamArn` of this template, or the ARN of a stream whose table's tags allow it",
        )
        .required()
        .example("!GetAtt Orders.StreamArn"),
        refused("Queue", OTHER_KIND),
    ),
    generates,
    ..EventType::PLAIN
};

const OTHER_KIND: &str =
    "of another kind of event; SAM accepts it on every one, and turns its URIs into a right to read secrets";
const UNNEEDED: &str = "takes from quotas of the account, or writes into foreign logs";

/// The table of a pull event: its source, the property that is the source of the other kind, and what all have.
const fn pull(source: Property, other_source: Property) -> [Property; 28] {
    [
        source,
        safe("BatchSize", Shape::Whole),
        safe("BisectBatchOnFunctionError", Shape::Flag),
        safe("Enabled", Shape::Flag),
        safe("FilterCriteria", Shape::Map),
        safe("FunctionResponseTypes", Shape::List),
        safe("MaximumBatchingWindowInSeconds", Shape::Whole),
        safe("MaximumRecordAgeInSeconds", Shape::Whole),
        safe("MaximumRetryAttempts", Shape::Whole),
        safe("MetricsConfig", Shape::Map),
        safe("ParallelizationFactor", Shape::Whole),
        safe("ScalingConfig", Shape::Map),
        safe("StartingPosition", Shape::Text),
        safe("StartingPositionTimestamp", Shape::Number),
        safe("TumblingWindowInSeconds", Shape::Whole),
        check(
            "DestinationConfig",
            Rule::Map(DESTINATION),
            "what fails goes to a queue or topic of this template, or one whose tags allow it",
        )
        .example("{OnFailure: {Type: SQS, Destination: !GetAtt Failed.Arn}}"),
        check(
            "KmsKeyArn",
            Rule::Custom(filter_key),
            "a key whose tags allow it; rewritten to its ARN",
        ),
        refused("ConsumerGroupId", OTHER_KIND),
        refused("KafkaBootstrapServers", OTHER_KIND),
        refused("LoggingConfig", UNNEEDED),
        refused("ProvisionedPollerConfig", UNNEEDED),
        refused("Queues", OTHER_KIND),
        refused("SchemaRegistryConfig", OTHER_KIND),
        refused("SecretsManagerKmsKeyId", OTHER_KIND),
        refused("SourceAccessConfigurations", OTHER_KIND),
        refused("Topics", OTHER_KIND),
        refused("Broker", OTHER_KIND),
        other_source,
    ]
}

const DESTINATION: &[Property] = &[check(
    "OnFailure",
    Rule::Custom(destination::on_failure),
    "a `Destination`, and a `Type` (SQS or SNS) where it does not tell what it is",
)
.required()];

fn filter_key(judge: &mut Judge<'_>, place: &Place<'_>, value: &mut Value) {
    if let Some(text) = judge.literal(place, value)
        && let Some(arn) = kind::key(judge, place, text)
    {
        judge.grant(Statement::on(&["kms:Decrypt"], arn.clone()));
        *value = Value::String(arn);
    }
}

/// Source of the actions: Lambda Developer Guide, `AWSLambdaSQSQueueExecutionRole`.
fn queue(judge: &mut Judge<'_>, place: &Place<'_>, value: &mut Value) {
    if let Some(arn) = kind::QUEUE.reference(judge, place, value) {
        judge.grant(Statement::on(
            &["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"],
            arn,
        ));
        // An encrypted queue is read with the rights on its key.
        let local = intrinsic::target(value).and_then(|target| judge.local(target.id()).flatten());
        if let Some(key) = local.and_then(|queue| judge.key_of(queue)) {
            judge.grant(Statement::on(&["kms:Decrypt"], key));
        }
    }
}

/// Source of the actions: Lambda Developer Guide, `AWSLambdaKinesisExecutionRole`.
fn stream(judge: &mut Judge<'_>, place: &Place<'_>, value: &mut Value) {
    const READ: &[&str] = &[
        "kinesis:DescribeStream",
        "kinesis:DescribeStreamSummary",
        "kinesis:GetRecords",
        "kinesis:GetShardIterator",
        "kinesis:ListShards",
    ];
    // arn:aws:kinesis:REGION:ACCOUNT:stream/NAME/consumer/CONSUMER:TIMESTAMP
    let consumer = value.as_str().and_then(|text| {
        let (stream, consumer) = text.split_once("/consumer/")?;
        let (name, created) = consumer.split_once(':')?;
        let is_name = !name.is_empty()
            && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
            && !created.is_empty()
            && created.bytes().all(|b| b.is_ascii_digit());
        (is_name && Arn::parse(stream).is_some()).then(|| (stream.to_owned(), text.to_owned()))
    });
    if let Some((stream, consumer)) = consumer {
        if let Some(arn) = kind::STREAM.existing(judge, place, &stream) {
            judge.grant(Statement::on(READ, arn));
            judge.grant(Statement::on(
                &["kinesis:SubscribeToShard", "kinesis:DescribeStreamConsumer"],
                consumer,
            ));
        }
    } else if let Some(arn) = kind::STREAM.reference(judge, place, value) {
        judge.grant(Statement::on(READ, arn));
    }
}

/// Source of the actions: Lambda Developer Guide, `AWSLambdaDynamoDBExecutionRole`.
fn table_stream(judge: &mut Judge<'_>, place: &Place<'_>, value: &mut Value) {
    let arn = match value {
        Value::String(text) => existing_table_stream(judge, place, text),
        other => local_table_stream(judge, place, other),
    };
    if let Some(arn) = arn {
        judge.grant(Statement::on(
            &[
                "dynamodb:DescribeStream",
                "dynamodb:GetRecords",
                "dynamodb:GetShardIterator",
                "dynamodb:ListStreams",
            ],
            arn,
        ));
    }
}

/// `arn:...:table/NAME/stream/LABEL`: the tags are those of table NAME.
fn existing_table_stream(judge: &mut Judge<'_>, place: &Place<'_>, text: &str) -> Option<String> {
    let parts = text.split_once("/stream/").filter(|(table, label)| {
        let is_label = label.chars().all(|c| c.is_ascii_digit() || "-T:.".contains(c));
        !label.is_empty() && is_label && Arn::parse(table).is_some()
    });
    let Some((table, _)) = parts else {
        judge.refuse(
            codes::REFERENCE,
            place,
            format!("`{}` is not the ARN of the stream of a table", shown(text)),
            "write `!GetAtt Table.StreamArn`, or the whole ARN (`...:table/name/stream/2026-01-01T00:00:00.000`)",
        );
        return None;
    };
    kind::TABLE.existing(judge, place, table)?;
    Some(text.to_owned())
}

fn local_table_stream(judge: &mut Judge<'_>, place: &Place<'_>, value: &Value) -> Option<String> {
    if let Some(Target::GetAtt(id, "StreamArn")) = intrinsic::target(value) {
        let table = judge.local(id)??;
        return Some(format!("{}/stream/*", judge.arn_of(table)));
    }
    judge.refuse(
        codes::LOCAL,
        place,
        "`Stream` must be the stream of a table".to_owned(),
        "write `!GetAtt Table.StreamArn`",
    );
    None
}

/// Source: aws-sam-translator 1.115, `samtranslator/model/eventsources/pull.py`.
fn generates(id: &str, _properties: &Members, _others: &Others<'_>) -> Vec<Generated> {
    vec![Generated::exactly(id.to_owned(), "AWS::Lambda::EventSourceMapping")]
}
