//! Roles, through IAM: the Tagging API does not know them.

use aws_sdk_iam::Client;
use fenrir_core::error::Fault;
use fenrir_core::ownership::Tagged;

use crate::{Answer, Found};

const ACTION: &str = "iam:GetRole";

/// Asks for the role of this name. Its ARN is the real one, with a path where it has one. `GetRole` gives all its tags, at
/// most 50 (IAM quotas, "Tags that can be attached to an IAM role").
pub(crate) async fn ask(client: Client, name: String) -> Answer {
    let answer = client.get_role().role_name(&name).send().await;
    let found = match answer {
        Ok(answer) => Ok(Found::Role(answer.role.map(|role| {
            Tagged {
                tags: role
                    .tags()
                    .iter()
                    .map(|tag| (tag.key().to_owned(), tag.value().to_owned()))
                    .collect(),
                arn: role.arn,
            }
        }))),
        Err(error) => is_absent(fenrir_aws::fault(ACTION, &error)),
    };
    Answer {
        asked: vec![name],
        found,
    }
}

fn is_absent(fault: Fault) -> Result<Found, Fault> {
    if fault.is("NoSuchEntity") {
        Ok(Found::Role(None))
    } else {
        Err(fault)
    }
}
