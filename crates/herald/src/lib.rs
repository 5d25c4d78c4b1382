//! The herald: no state of the machine, but what tells other tooling what becomes of releases.
//!
//! Whoever writes a release's record (a step, the watchdog, a deploy that mends another's) writes it into one table, and
//! the table's stream tells the herald: the record is the outbox. So there is an event of whatever the record says and
//! none of anything else, and no deploy waits for it or fails by it. Events come at least once, in the order of each
//! release's own changes; `docs/events.md` says what that means for who listens.

mod change;

use std::collections::BTreeSet;

use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::primitives::DateTime;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use aws_smithy_types::date_time::Format;
use fenrir_core::error::StepError;
use fenrir_core::event::{Detail, SOURCE};
use fenrir_lambda::metrics::Measure;
use fenrir_lambda::{Answer, Environment, Step, Subject};
use serde::Serialize;
use tracing::Span;

pub use crate::change::Batch;
use crate::change::{Change, Tale};

/// Calls with the herald's own role: its own, and those that Lambda makes for it, to read the stream and to keep what was
/// given up.
pub const OWN_ACTIONS: &[&str] = &[
    "dynamodb:DescribeStream",
    "dynamodb:GetRecords",
    "dynamodb:GetShardIterator",
    "dynamodb:ListStreams",
    "events:PutEvents",
    "sqs:SendMessage",
];
/// Who it is, in the form in which the steps say it. It has no business in any account but the deployer's.
pub const STEP: Step = Step {
    name: "herald",
    own_actions: OWN_ACTIONS,
    deployer_actions: &[],
};

/// Events of one call. Source: EventBridge API, `PutEvents`.
const TOGETHER: usize = 10;

impl Subject for Batch {
    fn span(&self, step: &'static str, request_id: &str) -> Span {
        tracing::info_span!("step", step, request_id, changes = self.changes.len())
    }
}

/// What is to be handed over again. Source: Lambda Developer Guide, "Configuring partial batch response with DynamoDB and
/// Lambda": the stream goes on from the first of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Sequence numbers.
    #[serde(rename = "batchItemFailures")]
    pub failures: Vec<Failure>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// Sequence number.
    #[serde(rename = "itemIdentifier")]
    pub sequence_number: String,
}

impl Answer for Report {
    fn failure(&self) -> Option<&str> {
        (!self.failures.is_empty()).then_some("some events could not be sent; they are handed over again")
    }
}

/// Tells of every change that says something new, in order, and stops at the first that cannot be told.
///
/// # Errors
/// None: what cannot be told is in the report.
pub async fn run(env: &Environment, batch: Batch) -> Result<Report, StepError> {
    let told: Vec<(&Change, Box<Detail>)> = batch.changes.iter().filter_map(|change| tale(change)).collect();
    let client = Client::new(env.own());
    for together in told.chunks(TOGETHER) {
        let failed = send(&client, together).await;
        for (number, (_, detail)) in together.iter().enumerate() {
            if !failed.contains(&number) {
                log(detail, "told");
            }
        }
        if let Some((change, detail)) = failed.first().and_then(|first| together.get(*first)) {
            log(detail, "not told; it is tried again");
            env.measure(&Measure::NotTold(failed.len()));
            // The stream goes on from here, so what comes after it comes again.
            let sequence_number = change.sequence_number().to_owned();
            return Ok(Report {
                failures: vec![Failure { sequence_number }],
            });
        }
    }
    Ok(Report::default())
}

fn tale(change: &Change) -> Option<(&Change, Box<Detail>)> {
    match change.tale() {
        Tale::Told(detail) => Some((change, detail)),
        Tale::Nothing => None,
        Tale::Garbled(why) => {
            // To try again would not help, and would keep all others waiting.
            tracing::error!(
                sequence_number = change.sequence_number(),
                why,
                "a record cannot be understood, and is not told of"
            );
            None
        }
    }
}

/// Which of them could not be sent.
async fn send(client: &Client, together: &[(&Change, Box<Detail>)]) -> BTreeSet<usize> {
    let entries = together.iter().map(|(_, detail)| entry(detail)).collect();
    match client.put_events().set_entries(Some(entries)).send().await {
        Ok(answer) => {
            let entries = answer.entries().iter().enumerate();
            let refused = entries.filter(|(_, entry)| entry.error_code().is_some());
            refused
                .map(|(number, entry)| {
                    tracing::error!(
                        code = entry.error_code(),
                        message = entry.error_message(),
                        "EventBridge does not take an event"
                    );
                    number
                })
                .collect()
        }
        Err(error) => {
            let fault = fenrir_aws::fault("events:PutEvents", &error);
            tracing::error!(%fault, "EventBridge does not take events");
            (0..together.len()).collect()
        }
    }
}

fn entry(detail: &Detail) -> PutEventsRequestEntry {
    let at = detail.ended_at.as_ref().unwrap_or(&detail.started_at);
    PutEventsRequestEntry::builder()
        .source(SOURCE)
        .detail_type(detail.status.kind().as_str())
        .detail(serde_json::to_string(detail).unwrap_or_default())
        .set_time(DateTime::from_str(at, Format::DateTimeWithOffset).ok())
        .set_resources({
            let stack = detail.stack_arn.iter().cloned();
            Some([detail.execution.clone()].into_iter().chain(stack).collect())
        })
        .build()
}

fn log(detail: &Detail, message: &'static str) {
    tracing::info!(
        release_id = detail.release_id,
        project = detail.project_name,
        config = detail.config_name,
        account = detail.aws_account_id,
        region = detail.aws_region,
        execution = detail.execution,
        kind = detail.status.kind().as_str(),
        "{message}"
    );
}
