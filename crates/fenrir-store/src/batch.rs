//! Many items by their keys.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::KeysAndAttributes;
use fenrir_core::error::{Fault, FaultKind};

use crate::attributes::{Item, text};

const BATCH: &str = "dynamodb:BatchGetItem";
/// Keys of one call (DynamoDB `BatchGetItem`).
const KEYS: usize = 100;
/// How often the rest of a call is asked for, when the table gave only a part. The SDK has waited in between.
const ROUNDS: usize = 5;

/// The items of a table that have these keys, in no order. What is not there is left out.
pub(crate) async fn get(client: &Client, table: &str, keys: &[String]) -> Result<Vec<Item>, Fault> {
    let mut found = Vec::new();
    for keys in keys.chunks(KEYS) {
        let mut wanted: Vec<Item> = keys
            .iter()
            .map(|key| Item::from([("key".to_owned(), text(key))]))
            .collect();
        for _ in 0..ROUNDS {
            let ask = KeysAndAttributes::builder()
                .set_keys(Some(wanted))
                .consistent_read(true)
                .build();
            let ask = ask.map_err(|error| throttled(error.to_string()))?;
            let answer = client.batch_get_item().request_items(table, ask).send().await;
            let answer = answer.map_err(|error| fenrir_aws::fault(BATCH, &error))?;
            found.extend(
                answer
                    .responses
                    .and_then(|mut tables| tables.remove(table))
                    .into_iter()
                    .flatten(),
            );
            let left = answer.unprocessed_keys.and_then(|mut tables| tables.remove(table));
            wanted = left.map(|left| left.keys).unwrap_or_default();
            if wanted.is_empty() {
                break;
            }
        }
        if !wanted.is_empty() {
            return Err(throttled("the table is throttled".to_owned()));
        }
    }
    Ok(found)
}

fn throttled(message: String) -> Fault {
    Fault {
        kind: FaultKind::Transient,
        action: BATCH,
        code: None,
        message,
    }
}
