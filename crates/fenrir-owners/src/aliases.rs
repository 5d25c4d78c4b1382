//! Keys by alias: KMS alone knows which key an alias names, and the Tagging API the key's tags.

use fenrir_core::error::Fault;

use crate::tags;
use crate::{Answer, Found};

const ACTION: &str = "kms:DescribeKey";

/// Asks for the key behind `alias/...`, and for that key's tags. The key is what the template will name: whoever moves the
/// alias afterwards moves nothing of it.
pub(crate) async fn ask(
    kms: aws_sdk_kms::Client,
    tagging: aws_sdk_resourcegroupstagging::Client,
    alias: String,
) -> Answer {
    let arn = match key(&kms, &alias).await {
        Ok(Some(arn)) => arn,
        Ok(None) => return answer(alias, Ok(Found::Resources(Vec::new()))),
        Err(fault) => return answer(alias, Err(fault)),
    };
    let found = tags::ask(tagging, vec![arn.clone()]).await.found;
    let found = found.map(|found| match found {
        Found::Resources(key) => Found::Key {
            alias: alias.clone(),
            arn,
            key,
        },
        other => other,
    });
    answer(alias, found)
}

async fn key(kms: &aws_sdk_kms::Client, alias: &str) -> Result<Option<String>, Fault> {
    match kms.describe_key().key_id(alias).send().await {
        Ok(answer) => Ok(answer.key_metadata.and_then(|key| key.arn)),
        Err(error) => {
            let fault = fenrir_aws::fault(ACTION, &error);
            if fault.is("NotFoundException") {
                Ok(None)
            } else {
                Err(fault)
            }
        }
    }
}

fn answer(alias: String, found: Result<Found, Fault>) -> Answer {
    Answer {
        asked: vec![alias],
        found,
    }
}
