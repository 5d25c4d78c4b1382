//! What AWS says about owners, asked with the real SDK: on the local AWS, and with recorded answers where it cannot go
//! wrong by itself.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeSet;

use aws_sdk_ec2::types::{ResourceType, Tag, TagSpecification};
use fenrir_core::error::FaultKind;
use fenrir_core::owner::Owner;
use fenrir_core::ownership::{DEPLOY_SUBNETS, Placed, Wanted};
use fenrir_owners::Owners;
use fenrir_testkit::{Answer, LocalAws, Recorded};
use serde_json::json;

const ACCOUNT: &str = "111111111111";

fn owner() -> Owner {
    Owner {
        account: ACCOUNT.into(),
        region: LocalAws::REGION.into(),
        project: "p".into(),
        config: "c".into(),
    }
}

fn set<const N: usize>(texts: [&str; N]) -> BTreeSet<String> {
    texts.map(str::to_owned).into()
}

fn tagged(kind: ResourceType, tags: &[(&str, &str)]) -> TagSpecification {
    let tag = |(key, value): &(&str, &str)| Tag::builder().key(*key).value(*value).build();
    TagSpecification::builder()
        .resource_type(kind)
        .set_tags(Some(tags.iter().map(tag).collect()))
        .build()
}

fn ids(placed: &[Placed]) -> Vec<&str> {
    placed.iter().map(|one| one.id.as_str()).collect()
}

#[tokio::test]
async fn roles_groups_and_subnets_are_found_with_all_their_tags() {
    let aws = LocalAws::start(&[]);
    let config = aws.config(ACCOUNT, LocalAws::REGION).await;
    let iam = aws_sdk_iam::Client::new(&config);
    let role = iam
        .create_role()
        .role_name("worker")
        .path("/team/")
        .assume_role_policy_document("{}");
    let tag = aws_sdk_iam::types::Tag::builder()
        .key("ProjectName")
        .value("p")
        .build()
        .unwrap();
    role.tags(tag).send().await.unwrap();

    let ec2 = aws_sdk_ec2::Client::new(&config);
    let vpc = ec2.create_vpc().cidr_block("10.0.0.0/16").send().await.unwrap();
    let vpc = vpc.vpc().unwrap().vpc_id().unwrap().to_owned();
    let mut groups = Vec::new();
    for (name, tag) in [("g1", "web"), ("g2", "web"), ("g3", "Web")] {
        let request = ec2
            .create_security_group()
            .group_name(name)
            .description("x")
            .vpc_id(&vpc);
        let request = request.tag_specifications(tagged(
            ResourceType::SecurityGroup,
            &[("Name", tag), ("ServiceName", "_all")],
        ));
        groups.push(request.send().await.unwrap().group_id.unwrap());
    }
    let mut subnets = Vec::new();
    for (range, tags) in [
        ("10.0.1.0/24", vec![("Name", "private-a"), ("DeployWithFenrir", "true")]),
        (
            "10.0.2.0/24",
            vec![("Name", "private-b"), ("DeployWithFenrir", "false")],
        ),
        ("10.0.3.0/24", vec![("Name", "open"), ("DeployWithFenrir", "true")]),
    ] {
        let request = ec2.create_subnet().vpc_id(&vpc).cidr_block(range);
        let request = request.tag_specifications(tagged(ResourceType::Subnet, &tags));
        subnets.push(request.send().await.unwrap().subnet.unwrap().subnet_id.unwrap());
    }

    let wanted = Wanted {
        roles: set(["worker", "nobody"]),
        security_groups: set(["web"]),
        subnets: set(["private-a", &subnets[1], "subnet-00000000"]),
        ..Wanted::default()
    };
    let world = Owners::new(&config).fetch(&wanted, &owner()).await.unwrap();
    assert_eq!(world.unknown, [].into());
    assert_eq!(world.roles.len(), 1);
    // The real ARN: one with a path is not the one that the name alone would give.
    assert_eq!(world.roles[0].arn, "arn:aws:iam::111111111111:role/team/worker");
    assert_eq!(world.roles[0].tags["ProjectName"], "p");
    // Both groups of the name: the judgement refuses what is not exactly one.
    let found: BTreeSet<&str> = ids(&world.security_groups).into_iter().collect();
    assert_eq!(found, groups[..2].iter().map(String::as_str).collect());
    assert_eq!(world.security_groups[0].vpc_id, vpc);
    assert_eq!(world.security_groups[0].tags["ServiceName"], "_all");
    let found: BTreeSet<&str> = ids(&world.subnets).into_iter().collect();
    assert_eq!(found, subnets[..2].iter().map(String::as_str).collect());

    let wanted = Wanted {
        deploy_subnets: true,
        ..Wanted::default()
    };
    let world = Owners::new(&config).fetch(&wanted, &owner()).await.unwrap();
    let found: BTreeSet<&str> = ids(&world.subnets).into_iter().collect();
    assert_eq!(found, [subnets[0].as_str(), subnets[2].as_str()].into());
}

#[tokio::test]
async fn arns_are_asked_for_in_batches_of_one_service_each_and_by_pages() {
    let page = |arn: &str, token: &str| {
        let tags = json!([{"Key": "ProjectName", "Value": "p"}]);
        let mapping = json!([{"ResourceARN": arn, "Tags": tags}]);
        Answer::json(
            200,
            json!({"ResourceTagMappingList": mapping, "PaginationToken": token}).to_string(),
        )
    };
    let server = Recorded::start(vec![
        page("arn:1", "more"),
        page("arn:2", ""),
        page("arn:3", ""),
        page("arn:4", ""),
    ]);
    let sqs = (0..150).map(|number| format!("arn:aws:sqs:us-east-1:111111111111:q{number}"));
    let sns = "arn:aws:sns:us-east-1:111111111111:topic".to_owned();
    let wanted = Wanted {
        resources: sqs.chain([sns]).collect(),
        ..Wanted::default()
    };
    let world = Owners::new(&server.config().await)
        .fetch(&wanted, &owner())
        .await
        .unwrap();
    let arns: Vec<&str> = world.resources.iter().map(|resource| resource.arn.as_str()).collect();
    assert_eq!(arns, ["arn:1", "arn:2", "arn:3", "arn:4"]);
    // Two batches of queues and one of topics, and one more page.
    let requests = server.requests();
    assert_eq!(requests.len(), 4);
    for request in requests {
        let services = ["arn:aws:sqs", "arn:aws:sns"].map(|service| request.body.matches(service).count());
        assert!(
            services.contains(&0) && services.iter().all(|count| *count <= 100),
            "{services:?}"
        );
    }
}

#[tokio::test]
async fn a_key_is_found_by_its_alias_with_its_tags() {
    let aws = LocalAws::start(&[]);
    let config = aws.config(ACCOUNT, LocalAws::REGION).await;
    let kms = aws_sdk_kms::Client::new(&config);
    let tag = aws_sdk_kms::types::Tag::builder()
        .tag_key("ProjectName")
        .tag_value("p")
        .build()
        .unwrap();
    let key = kms.create_key().tags(tag).send().await.unwrap().key_metadata.unwrap();
    let alias = kms.create_alias().alias_name("alias/ledger").target_key_id(&key.key_id);
    alias.send().await.unwrap();
    let wanted = Wanted {
        kms_aliases: set(["alias/ledger", "alias/nobody"]),
        ..Wanted::default()
    };
    let world = Owners::new(&config).fetch(&wanted, &owner()).await.unwrap();
    assert_eq!(world.unknown, [].into());
    let arn = key.arn.unwrap();
    assert_eq!(world.kms_aliases, [("alias/ledger".to_owned(), arn.clone())].into());
    assert_eq!(world.resources.len(), 1);
    assert_eq!(world.resources[0].arn, arn);
    assert_eq!(world.resources[0].tags["ProjectName"], "p");

    let denied = r#"{"__type":"AccessDeniedException","message":"the key's policy says no"}"#;
    let server = Recorded::start(vec![Answer::json(400, denied)]);
    let wanted = Wanted {
        kms_aliases: set(["alias/ledger"]),
        ..Wanted::default()
    };
    let world = Owners::new(&server.config().await)
        .fetch(&wanted, &owner())
        .await
        .unwrap();
    assert!(world.kms_aliases.is_empty());
    assert_eq!(
        world.unknown["alias/ledger"],
        "`kms:DescribeKey` failed: the key's policy says no"
    );
}

#[tokio::test]
async fn what_cannot_be_found_out_is_unknown_and_what_passes_is_asked_again() {
    let wanted = Wanted {
        resources: set(["arn:aws:sqs:us-east-1:111111111111:q"]),
        ..Wanted::default()
    };
    let denied = r#"{"__type":"AccessDeniedException","message":"you may not"}"#;
    let server = Recorded::start(vec![Answer::json(400, denied)]);
    let world = Owners::new(&server.config().await)
        .fetch(&wanted, &owner())
        .await
        .unwrap();
    assert!(world.resources.is_empty());
    assert_eq!(
        world.unknown["arn:aws:sqs:us-east-1:111111111111:q"],
        "`tag:GetResources` failed: you may not"
    );

    for answer in [Answer::cut(), Answer::json(503, "{}"), Answer::json(200, "no json")] {
        let server = Recorded::start(vec![answer]);
        let fault = Owners::new(&server.config().await)
            .fetch(&wanted, &owner())
            .await
            .unwrap_err();
        assert_eq!(fault.kind, FaultKind::Transient);
    }

    let error =
        "<Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>no</Message></Error></Errors></Response>";
    let server = Recorded::start(vec![Answer::xml(403, error)]);
    let wanted = Wanted {
        deploy_subnets: true,
        ..Wanted::default()
    };
    let world = Owners::new(&server.config().await)
        .fetch(&wanted, &owner())
        .await
        .unwrap();
    assert_eq!(world.unknown[DEPLOY_SUBNETS], "`ec2:DescribeSubnets` failed: no");
}

#[tokio::test]
async fn a_name_with_a_wildcard_asks_for_itself_only() {
    let empty = "<DescribeSecurityGroupsResponse><securityGroupInfo/></DescribeSecurityGroupsResponse>";
    let server = Recorded::start(vec![Answer::xml(200, empty)]);
    let wanted = Wanted {
        security_groups: set(["we*b?"]),
        ..Wanted::default()
    };
    Owners::new(&server.config().await)
        .fetch(&wanted, &owner())
        .await
        .unwrap();
    // `\*` and `\?`, percent-encoded.
    assert!(
        server.requests()[0].body.contains("we%5C%2Ab%5C%3F"),
        "{}",
        server.requests()[0].body
    );
}
