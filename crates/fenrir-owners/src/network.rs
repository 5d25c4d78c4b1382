//! Security groups and subnets, through EC2.

use std::collections::BTreeSet;

use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{Filter, Tag};
use fenrir_core::ownership::{DEPLOY_SUBNETS, Placed, Tags, Wanted};

use crate::{Answer, Found};

const SECURITY_GROUPS: &str = "ec2:DescribeSecurityGroups";
const SUBNETS: &str = "ec2:DescribeSubnets";
/// Values of one filter (EC2 API, "Filtering": at most 200).
const MOST: usize = 200;
/// Results of one page (`DescribeSubnets` and `DescribeSecurityGroups`, `MaxResults`: 5 to 1000).
const PAGE: i32 = 1000;

/// What EC2 is asked about subnets.
pub(crate) struct SubnetQuestion {
    asked: Vec<String>,
    filter: Filter,
}

/// Names in the batches of one call each.
pub(crate) fn batches(names: &BTreeSet<String>) -> Vec<Vec<String>> {
    let names: Vec<String> = names.iter().cloned().collect();
    names.chunks(MOST).map(<[String]>::to_vec).collect()
}

/// The questions about subnets: by id, by name, and all that are open to deploys.
pub(crate) fn subnet_questions(wanted: &Wanted) -> Vec<SubnetQuestion> {
    let is_id = |subnet: &&String| subnet.starts_with("subnet-");
    let ids: BTreeSet<String> = wanted.subnets.iter().filter(is_id).cloned().collect();
    let mut questions = Vec::new();
    for asked in batches(&ids) {
        let filter = filter("subnet-id", &asked);
        questions.push(SubnetQuestion { asked, filter });
    }
    // A name may look like an id, so everything is also asked for as a name.
    for asked in batches(&wanted.subnets) {
        let filter = filter("tag:Name", &asked);
        questions.push(SubnetQuestion { asked, filter });
    }
    if wanted.deploy_subnets {
        questions.push(SubnetQuestion {
            asked: vec![DEPLOY_SUBNETS.to_owned()],
            filter: filter("tag:DeployWithFenrir", &["true".to_owned()]),
        });
    }
    questions
}

/// Asks for all security groups with one of these Name tags: when a name is that of several, all are in the answer.
pub(crate) async fn ask_security_groups(client: Client, asked: Vec<String>) -> Answer {
    let request = client.describe_security_groups().filters(filter("tag:Name", &asked));
    let mut pages = request.into_paginator().page_size(PAGE).items().send();
    let mut found = Vec::new();
    while let Some(group) = pages.next().await {
        match group {
            Ok(group) => found.push(placed(group.group_id(), group.vpc_id(), group.tags())),
            Err(error) => {
                let found = Err(fenrir_aws::fault(SECURITY_GROUPS, &error));
                return Answer { asked, found };
            }
        }
    }
    let found = Ok(Found::SecurityGroups(found));
    Answer { asked, found }
}

/// Asks for subnets.
pub(crate) async fn ask_subnets(client: Client, question: SubnetQuestion) -> Answer {
    let SubnetQuestion { asked, filter } = question;
    let mut pages = client
        .describe_subnets()
        .filters(filter)
        .into_paginator()
        .page_size(PAGE)
        .items()
        .send();
    let mut found = Vec::new();
    while let Some(subnet) = pages.next().await {
        match subnet {
            Ok(subnet) => found.push(placed(subnet.subnet_id(), subnet.vpc_id(), subnet.tags())),
            Err(error) => {
                let found = Err(fenrir_aws::fault(SUBNETS, &error));
                return Answer { asked, found };
            }
        }
    }
    let found = Ok(Found::Subnets(found));
    Answer { asked, found }
}

fn placed(id: Option<&str>, vpc_id: Option<&str>, tags: &[Tag]) -> Placed {
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    let tags: Tags = tags.iter().map(|tag| (text(tag.key()), text(tag.value()))).collect();
    Placed {
        id: text(id),
        vpc_id: text(vpc_id),
        tags,
    }
}

/// A filter for exactly these values: in a filter `*` and `?` stand for anything (EC2 API, "Filtering", wildcards).
fn filter(name: &str, values: &[String]) -> Filter {
    let literal = |value: &String| value.replace('\\', r"\\").replace('*', r"\*").replace('?', r"\?");
    Filter::builder()
        .name(name)
        .set_values(Some(values.iter().map(literal).collect()))
        .build()
}
