//! Tags of everything that has an ARN, through the Resource Groups Tagging API.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_resourcegroupstagging::Client;
use fenrir_core::ownership::Tagged;

use crate::{Answer, Found};

const ACTION: &str = "tag:GetResources";
/// ARNs of one call (`GetResources`, `ResourceARNList`).
const MOST: usize = 100;

/// The ARNs in batches, one service each: a service that is away takes no other with it.
pub(crate) fn batches(arns: &BTreeSet<String>) -> Vec<Vec<String>> {
    let mut by_service: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for arn in arns {
        by_service
            .entry(arn.split(':').nth(2).unwrap_or_default())
            .or_default()
            .push(arn.clone());
    }
    by_service
        .values()
        .flat_map(|arns| arns.chunks(MOST))
        .map(<[String]>::to_vec)
        .collect()
}

/// Asks for the tags of a batch. What never had a tag is not in the answer.
pub(crate) async fn ask(client: Client, asked: Vec<String>) -> Answer {
    let (mut found, mut token) = (Vec::new(), None);
    loop {
        let request = client
            .get_resources()
            .set_resource_arn_list(Some(asked.clone()))
            .set_pagination_token(token);
        let page = match request.send().await {
            Ok(page) => page,
            Err(error) => {
                let found = Err(fenrir_aws::fault(ACTION, &error));
                return Answer { asked, found };
            }
        };
        for mapping in page.resource_tag_mapping_list() {
            found.push(Tagged {
                arn: mapping.resource_arn().unwrap_or_default().to_owned(),
                tags: mapping
                    .tags()
                    .iter()
                    .map(|tag| (tag.key().to_owned(), tag.value().to_owned()))
                    .collect(),
            });
        }
        token = page.pagination_token.filter(|token| !token.is_empty());
        if token.is_none() {
            let found = Ok(Found::Resources(found));
            return Answer { asked, found };
        }
    }
}
