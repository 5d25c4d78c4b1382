#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::needless_pass_by_value,
    reason = "a test that cannot go on has failed"
)]

use serde_json::{Value, json};

use super::rights::is_like;
use super::*;
use crate::codes;

const TABLE: &str = "AWS::DynamoDB::Table";

fn reported(action: &str, id: &str, kind: &str) -> Reported {
    Reported {
        action: action.into(),
        logical_id: id.into(),
        resource_type: kind.into(),
        ..Reported::default()
    }
}

fn modified(id: &str, kind: &str, replacement: &str, details: Vec<Detail>) -> Reported {
    Reported {
        replacement: Some(replacement.into()),
        physical_id: format!("fenrir-p-c-{id}"),
        details,
        ..reported("Modify", id, kind)
    }
}

fn detail(name: &str, recreation: &str) -> Detail {
    Detail {
        attribute: "Properties".into(),
        name: Some(name.into()),
        recreation: Some(recreation.into()),
        ..Detail::default()
    }
}

fn template(resources: Value) -> Value {
    json!({"Resources": resources})
}

fn update(reported: Vec<Reported>, before: Value, after: Value) -> Plan {
    let (deployed, processed) = (template(before), template(after));
    let templates = Templates {
        deployed: Some(&deployed),
        processed: &processed,
    };
    Plan::make("s", StackAction::Update, &reported, templates, Vec::new())
}

fn create(after: Value) -> Plan {
    let processed = template(after.clone());
    let reported: Vec<_> = after
        .as_object()
        .unwrap()
        .iter()
        .map(|(id, resource)| reported("Add", id, resource["Type"].as_str().unwrap()))
        .collect();
    let templates = Templates {
        deployed: None,
        processed: &processed,
    };
    Plan::make("s", StackAction::Create, &reported, templates, Vec::new())
}

/// A change of the one resource `X` in a stack that is there.
fn change_of(before: Value, after: Value) -> Plan {
    let kind = after["Type"].as_str().unwrap().to_owned();
    let one = modified("X", &kind, "False", Vec::new());
    update(vec![one], json!({ "X": before }), json!({ "X": after }))
}

/// A resource `X` that a stack gets.
fn addition_of(after: Value) -> Plan {
    let kind = after["Type"].as_str().unwrap().to_owned();
    update(vec![reported("Add", "X", &kind)], json!({}), json!({ "X": after }))
}

fn codes_of(plan: &Plan) -> Vec<&str> {
    plan.problems.iter().map(|problem| problem.code.as_ref()).collect()
}

/// The message of the only warning.
fn only(plan: &Plan, code: &str) -> String {
    assert_eq!(codes_of(plan), [code]);
    assert_eq!(plan.problems[0].severity, Severity::Warning);
    plan.problems[0].message.clone()
}

fn table(key: &str, policy: Option<&str>) -> Value {
    let mut table = json!({"Type": TABLE, "Properties": {"KeySchema": [{"AttributeName": key, "KeyType": "HASH"}]}});
    if let Some(policy) = policy {
        table["UpdateReplacePolicy"] = json!(policy);
        table["DeletionPolicy"] = json!(policy);
    }
    table
}

fn role(statements: Value) -> Value {
    json!({"Type": "AWS::IAM::Role", "Properties": {
        "AssumeRolePolicyDocument": {"Statement": [
            {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ]},
        "Policies": [{"PolicyName": "fenrir", "PolicyDocument": {"Statement": statements}}],
    }})
}

fn allow(actions: Value, resources: Value) -> Value {
    json!({"Effect": "Allow", "Action": actions, "Resource": resources})
}

#[test]
fn changes_are_told_apart_counted_and_in_order() {
    let before = json!({"Same": table("id", None), "Key": table("id", None), "Gone": {"Type": "AWS::SNS::Topic"}});
    let after = json!({"Same": table("id", None), "Key": table("pk", None), "New": {"Type": "AWS::SNS::Topic"}});
    let plan = update(
        vec![
            reported("Remove", "Gone", "AWS::SNS::Topic"),
            modified("Key", TABLE, "True", vec![detail("KeySchema", "Always")]),
            modified("Same", TABLE, "Conditional", vec![]),
            reported("Add", "New", "AWS::SNS::Topic"),
        ],
        before,
        after,
    );
    let told: Vec<_> = plan
        .changes
        .iter()
        .map(|c| (c.kind, c.logical_id.as_str(), c.may_replace))
        .collect();
    assert_eq!(
        told,
        [
            (Kind::Add, "New", false),
            (Kind::Change, "Same", true),
            (Kind::Replace, "Key", false),
            (Kind::Remove, "Gone", false)
        ]
    );
    let counts = plan.counts();
    assert_eq!((counts.add, counts.change, counts.replace, counts.remove), (1, 1, 1, 1));
}

#[test]
fn values_come_from_the_templates_whole_and_reasons_from_cloudformation() {
    let long = "x".repeat(10_000);
    let before = json!({"F": {"Type": "AWS::Lambda::Function", "Properties": {"Timeout": 3, "Description": long}}});
    let after = json!({"F": {"Type": "AWS::Lambda::Function", "Properties": {"Timeout": 5, "MemorySize": 256,
        "Description": long.replace('x', "y")}, "DeletionPolicy": "Retain"}});
    let cut = Detail {
        before: Some("xxx".into()),
        after: Some("yyy".into()),
        path: Some("/Properties/Description".into()),
        ..detail("Description", "Never")
    };
    let follows = Detail {
        before: Some("arn:old".into()),
        after: Some("{{changeSet:KNOWN_AFTER_APPLY}}".into()),
        causing_entity: Some("Role.Arn".into()),
        ..detail("Role", "Conditionally")
    };
    let plan = update(
        vec![modified("F", "AWS::Lambda::Function", "False", vec![cut, follows])],
        before,
        after,
    );
    let properties = &plan.changes[0].properties;
    let paths: Vec<_> = properties.iter().map(|property| property.path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "/DeletionPolicy",
            "/Properties/Description",
            "/Properties/MemorySize",
            "/Properties/Timeout",
            "/Properties/Role"
        ]
    );
    assert_eq!(properties[1].before, Some(json!(long)));
    assert_eq!(
        (&properties[2].before, &properties[2].after),
        (&None, &Some(json!(256)))
    );
    assert_eq!(properties[4].because_of.as_deref(), Some("Role.Arn"));
    assert_eq!(properties[4].before, Some(json!("arn:old")));
    assert_eq!(properties[4].recreation, Some(Recreation::Conditionally));
}

#[test]
fn without_the_deployed_template_cloudformations_values_count() {
    let processed = template(json!({"Q": {"Type": "AWS::SQS::Queue", "Properties": {"VisibilityTimeout": 31}}}));
    let detail = Detail {
        before: Some("30".into()),
        after: Some("{\"a\":[1]}".into()),
        path: Some("/Properties/VisibilityTimeout".into()),
        ..detail("VisibilityTimeout", "Never")
    };
    let templates = Templates {
        deployed: None,
        processed: &processed,
    };
    let reported = [modified("Q", "AWS::SQS::Queue", "False", vec![detail])];
    let plan = Plan::make("s", StackAction::Update, &reported, templates, Vec::new());
    let property = &plan.changes[0].properties[0];
    assert_eq!(property.before, Some(json!("30")));
    assert_eq!(property.after, Some(json!({"a": [1]})));
    assert_eq!(property.recreation, None);
    assert_eq!(codes_of(&plan), [codes::PLAN_NOT_COMPARED]);
}

#[test]
fn what_is_added_or_removed_is_told_whole() {
    let queue = json!({"Type": "AWS::SQS::Queue", "Properties": {"DelaySeconds": 1}, "DeletionPolicy": "Retain"});
    let plan = update(
        vec![
            reported("Add", "New", "AWS::SQS::Queue"),
            reported("Remove", "Old", "AWS::SQS::Queue"),
        ],
        json!({"Old": queue}),
        json!({"New": queue}),
    );
    for (change, is_new) in [(&plan.changes[0], true), (&plan.changes[1], false)] {
        assert_eq!(change.properties.len(), 2);
        assert!(
            change
                .properties
                .iter()
                .all(|p| p.after.is_some() == is_new && p.before.is_some() != is_new)
        );
    }
}

#[test]
fn a_replaced_table_says_why_and_what_becomes_of_the_old_one() {
    for (policy, said, words) in [
        (Some("Retain"), None, "stays with its data, outside of the stack"),
        (Some("Delete"), None, "is deleted with everything in it"),
        (None, None, "is deleted with everything in it"),
        (Some("Delete"), Some("ReplaceAndRetain"), "stays with its data"),
        (None, Some("ReplaceAndSnapshot"), "a snapshot of it stays"),
    ] {
        let one = Reported {
            policy_action: said.map(Into::into),
            ..modified("T", TABLE, "True", vec![detail("KeySchema", "Always")])
        };
        let plan = update(
            vec![one],
            json!({"T": table("id", policy)}),
            json!({"T": table("pk", policy)}),
        );
        let message = only(&plan, codes::PLAN_DATA_REPLACED);
        assert!(
            message.contains("is replaced by an empty one, because of `Properties.KeySchema`"),
            "{message}"
        );
        assert!(message.contains(words), "{message}");
    }
}

#[test]
fn a_table_that_may_be_replaced_is_told_and_a_function_is_not() {
    let plan = update(
        vec![modified(
            "T",
            TABLE,
            "Conditional",
            vec![detail("KeySchema", "Conditionally")],
        )],
        json!({"T": table("id", None)}),
        json!({"T": table("id", None)}),
    );
    assert!(only(&plan, codes::PLAN_DATA_REPLACED).contains("may be replaced"));
    let function = json!({"F": {"Type": "AWS::Lambda::Function"}});
    let one = modified("F", "AWS::Lambda::Function", "True", vec![]);
    assert_eq!(codes_of(&update(vec![one], function.clone(), function)), [""; 0]);
}

#[test]
fn a_removed_table_says_whether_its_data_stays() {
    for (policy, words) in [
        (Some("RetainExceptOnCreate"), "stays with its data"),
        (Some("Retain"), "stays with its data"),
        (Some("Delete"), "is deleted with everything in it"),
        (None, "is deleted with everything in it"),
    ] {
        let one = reported("Remove", "T", TABLE);
        let plan = update(vec![one], json!({"T": table("id", policy)}), json!({}));
        assert!(only(&plan, codes::PLAN_DATA_REMOVED).contains(words));
    }
    let topic = update(
        vec![reported("Remove", "T", "AWS::SNS::Topic")],
        json!({"T": {"Type": "AWS::SNS::Topic"}}),
        json!({}),
    );
    assert_eq!(codes_of(&topic), [""; 0]);
}

#[test]
fn every_protection_that_ends_is_told() {
    let with = |properties: Value, policy: &str| {
        let mut table = json!({"Type": TABLE, "DeletionPolicy": policy, "UpdateReplacePolicy": "Retain"});
        table["Properties"] = properties;
        table
    };
    let guarded = json!({"DeletionProtectionEnabled": true,
        "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": "true"}});
    let open = json!({"DeletionProtectionEnabled": false});
    let plan = change_of(with(guarded.clone(), "Retain"), with(open.clone(), "Delete"));
    let message = only(&plan, codes::PLAN_LESS_PROTECTED);
    for words in [
        "`DeletionPolicy`",
        "deletion protection ends",
        "point-in-time recovery ends",
    ] {
        assert!(message.contains(words), "{message}");
    }
    assert_eq!(
        codes_of(&change_of(with(open, "Delete"), with(guarded, "RetainExceptOnCreate"))),
        [""; 0]
    );
}

#[test]
fn a_shorter_time_to_keep_is_told_and_a_longer_one_is_not() {
    let group = |days: Value| json!({"Type": "AWS::Logs::LogGroup", "Properties": days});
    let (ever, long, short) = (
        json!({}),
        json!({"RetentionInDays": 90}),
        json!({"RetentionInDays": "7"}),
    );
    let message = only(
        &change_of(group(long.clone()), group(short.clone())),
        codes::PLAN_LESS_PROTECTED,
    );
    assert!(message.contains("older than 7 days"), "{message}");
    assert_eq!(codes_of(&change_of(group(ever.clone()), group(long.clone()))).len(), 1);
    assert_eq!(codes_of(&change_of(group(short), group(long))), [""; 0]);
    let queue = |seconds: u64| json!({"Type": "AWS::SQS::Queue", "Properties": {"MessageRetentionPeriod": seconds}});
    let bare = json!({"Type": "AWS::SQS::Queue"});
    assert_eq!(codes_of(&change_of(bare.clone(), queue(60))).len(), 1);
    assert_eq!(codes_of(&change_of(bare, queue(345_600))), [""; 0]);
}

#[test]
fn only_what_a_role_could_not_do_before_is_told() {
    let arn = "arn:aws:dynamodb:eu-west-1:111111111111:table/orders";
    let before = role(json!([allow(
        json!(["dynamodb:GetItem", "sqs:*"]),
        json!([arn, "arn:aws:sqs:*"])
    )]));
    let after = role(json!([
        allow(json!("dynamodb:getitem"), json!(arn)),
        allow(json!(["dynamodb:PutItem"]), json!([arn])),
        allow(json!("sqs:SendMessage"), json!("arn:aws:sqs:eu-west-1:111111111111:q")),
        {"Effect": "Deny", "Action": "s3:*", "Resource": "*"},
    ]));
    let message = only(&change_of(before, after), codes::PLAN_WIDER_RIGHTS);
    assert_eq!(
        message,
        format!("the role `X` may do more than before: `dynamodb:PutItem` on `{arn}`")
    );
}

#[test]
fn fewer_rights_and_the_same_in_another_form_are_no_warning() {
    let one = role(json!([allow(json!(["a:B", "c:D"]), json!(["x", "y"]))]));
    let split = role(json!([
        allow(json!("a:B"), json!(["y", "x"])),
        allow(json!(["c:D"]), json!("x"))
    ]));
    assert_eq!(codes_of(&change_of(one, split)), [""; 0]);
}

#[test]
fn a_condition_that_falls_away_is_a_wider_right() {
    let mut limited = allow(json!("a:B"), json!("x"));
    limited["Condition"] = json!({"StringEquals": {"aws:SourceAccount": "1"}});
    let (limited, open) = (role(json!([limited])), role(json!([allow(json!("a:B"), json!("x"))])));
    assert_eq!(
        codes_of(&change_of(limited.clone(), open.clone())),
        [codes::PLAN_WIDER_RIGHTS]
    );
    assert_eq!(codes_of(&change_of(open, limited)), [""; 0]);
}

#[test]
fn managed_policies_count_as_rights() {
    let bare = role(json!([]));
    let mut more = bare.clone();
    more["Properties"]["ManagedPolicyArns"] = json!(["arn:aws:iam::aws:policy/AdministratorAccess"]);
    let message = only(&change_of(bare, more), codes::PLAN_WIDER_RIGHTS);
    assert!(message.contains("AdministratorAccess"), "{message}");
}

#[test]
fn rights_of_a_new_role_are_told_in_a_stack_that_is_there_only() {
    let new = role(json!([allow(json!("a:B"), json!({"Fn::GetAtt": ["Queue", "Arn"]}))]));
    let plan = addition_of(new.clone());
    let rights = &plan
        .problems
        .iter()
        .find(|p| p.code == codes::PLAN_WIDER_RIGHTS)
        .unwrap()
        .message;
    assert_eq!(rights, "the new role `X` may `a:B` on `!GetAtt Queue.Arn`");
    assert_eq!(codes_of(&create(json!({"X": new}))), [""; 0]);
}

#[test]
fn a_wildcard_is_told_in_a_new_stack_too_unless_there_is_no_other_way() {
    for (actions, resources, is_wild) in [
        (json!("s3:*"), json!("arn:aws:s3:::bucket"), true),
        (json!("s3:GetObject"), json!("*"), true),
        (json!("s3:GetObject"), json!("arn:aws:s3:::*"), true),
        (json!("s3:GetObject"), json!("arn:aws:s3:::bucket/*"), false),
        (
            json!("logs:PutLogEvents"),
            json!("arn:aws:logs:r:1:log-group:x:*"),
            false,
        ),
        (
            json!(["xray:PutTraceSegments", "ec2:CreateNetworkInterface"]),
            json!("*"),
            false,
        ),
    ] {
        let plan = create(json!({"X": role(json!([allow(actions.clone(), resources.clone())]))}));
        let wanted: &[&str] = if is_wild { &[codes::PLAN_WILDCARD] } else { &[] };
        assert_eq!(codes_of(&plan), wanted, "{actions} {resources}");
    }
    let mut but = allow(json!("a"), json!("b"));
    but["NotAction"] = but["Action"].take();
    but.as_object_mut().unwrap().remove("Action");
    let plan = create(json!({"X": role(json!([but]))}));
    assert!(only(&plan, codes::PLAN_WILDCARD).contains("everything but a"));
}

#[test]
fn a_pattern_is_like_what_it_stands_for() {
    for (pattern, text, wanted) in [
        ("a", "a", true),
        ("a", "ab", false),
        ("a*", "a", true),
        ("a*c", "abbc", true),
        ("*a*b", "xaxbxb", true),
        ("*a*b", "xaxbx", false),
        ("a?c", "abc", true),
        ("a?c", "ac", false),
        ("", "", true),
        ("*", "", true),
        ("**", "anything", true),
    ] {
        assert_eq!(is_like(pattern, text), wanted, "{pattern} {text}");
    }
}

#[test]
fn another_role_outside_of_the_template_is_told() {
    let function = |role: Value| json!({"Type": "AWS::Lambda::Function", "Properties": {"Role": role}});
    let (own, old, new) = (
        json!({"Fn::GetAtt": ["FnRole", "Arn"]}),
        json!("arn:aws:iam::1:role/old"),
        json!("arn:aws:iam::1:role/new"),
    );
    let message = only(
        &change_of(function(old.clone()), function(new)),
        codes::PLAN_ANOTHER_ROLE,
    );
    assert_eq!(
        message,
        "`X` works with the role `arn:aws:iam::1:role/new` instead of `arn:aws:iam::1:role/old`, and what that may do \
         is not in this template"
    );
    assert_eq!(
        codes_of(&change_of(function(own.clone()), function(old.clone()))).len(),
        1
    );
    assert_eq!(codes_of(&change_of(function(old), function(own))), [""; 0]);
}

#[test]
fn a_new_caller_of_a_function_is_told_and_the_same_is_not() {
    let permission = |who: &str, arn: Option<&str>| {
        let mut permission = json!({"Type": "AWS::Lambda::Permission", "Properties": {
            "Action": "lambda:InvokeFunction", "FunctionName": {"Ref": "Fn"}, "Principal": who}});
        if let Some(arn) = arn {
            permission["Properties"]["SourceArn"] = json!({ "Fn::Sub": arn });
        }
        permission
    };
    let new = permission("events.amazonaws.com", Some("arn:rule/${Rule}"));
    let message = only(&addition_of(new.clone()), codes::PLAN_NEW_CALLER);
    assert!(
        message.contains("`events.amazonaws.com` may call `!Ref Fn` for `arn:rule/${Rule}`"),
        "{message}"
    );
    let plan = change_of(new.clone(), permission("events.amazonaws.com", None));
    assert_eq!(codes_of(&plan), [codes::PLAN_NEW_CALLER]);
    assert_eq!(codes_of(&change_of(new.clone(), new.clone())), [""; 0]);
    assert_eq!(codes_of(&create(json!({"X": new}))), [""; 0]);
}

#[test]
fn a_role_that_somebody_new_may_assume_is_told() {
    let (one, mut two) = (role(json!([])), role(json!([])));
    let statements = two["Properties"]["AssumeRolePolicyDocument"]["Statement"]
        .as_array_mut()
        .unwrap();
    statements
        .push(json!({"Effect": "Allow", "Principal": {"AWS": ["arn:aws:iam::2:root"]}, "Action": "sts:AssumeRole"}));
    let message = only(&change_of(one, two), codes::PLAN_NEW_CALLER);
    assert_eq!(message, "`X` lets in somebody new: `arn:aws:iam::2:root` may assume it");
}

#[test]
fn a_policy_that_lets_everybody_in_is_public_unless_a_condition_limits_it() {
    let policy = |statement: Value| json!({"Type": "AWS::SQS::QueuePolicy", "Properties": {"PolicyDocument": {"Statement": [statement]}}});
    for principal in [json!("*"), json!({"AWS": "*"})] {
        let mut statement = json!({"Effect": "Allow", "Principal": principal, "Action": "sqs:SendMessage"});
        let plan = create(json!({"X": policy(statement.clone())}));
        assert!(only(&plan, codes::PLAN_PUBLIC).contains("everybody may `sqs:SendMessage`"));
        statement["Condition"] = json!({"ArnEquals": {"aws:SourceArn": "arn:topic"}});
        assert_eq!(codes_of(&create(json!({"X": policy(statement)}))), [""; 0]);
    }
}

#[test]
fn a_route_without_authorization_is_public() {
    let api = |security: Option<Value>, types: &str| {
        let mut api = json!({"Type": "AWS::ApiGateway::RestApi", "Properties": {
            "EndpointConfiguration": {"Types": [types]},
            "Body": {"paths": {"/orders": {
                "get": {"security": [{"AWS_IAM": []}]},
                "x-amazon-apigateway-any-method": {},
                "options": {},
                "parameters": [],
            }}},
        }});
        if let Some(security) = security {
            api["Properties"]["Body"]["security"] = security;
        }
        api
    };
    let open = api(None, "REGIONAL");
    let message = only(&create(json!({"X": open})), codes::PLAN_PUBLIC);
    assert!(
        message.ends_with("is open to everybody: `ANY /orders` asks for no authorization"),
        "{message}"
    );
    assert_eq!(
        codes_of(&create(json!({"X": api(Some(json!([{"Key": []}])), "EDGE")}))),
        [""; 0]
    );
    // An empty requirement asks for nothing.
    let empty = api(Some(json!([{}, {"Key": []}])), "EDGE");
    assert_eq!(codes_of(&create(json!({"X": empty}))), [codes::PLAN_PUBLIC]);
    // It was open before.
    assert_eq!(codes_of(&change_of(open.clone(), open.clone())), [""; 0]);
    // A private one becomes public.
    let private = api(None, "PRIVATE");
    assert_eq!(codes_of(&create(json!({"X": private}))), [""; 0]);
    assert_eq!(codes_of(&change_of(private, open)), [codes::PLAN_PUBLIC]);
}

#[test]
fn a_resource_policy_of_an_api_limits_it_or_does_not() {
    let api = |policy: Value| {
        json!({"X": {"Type": "AWS::ApiGateway::RestApi", "Properties": {"Body": {
            "x-amazon-apigateway-policy": {"Statement": policy}, "paths": {"/": {"get": {}}}}}}})
    };
    let everybody = json!({"Effect": "Allow", "Principal": "*", "Action": "execute-api:Invoke"});
    let denial = json!({"Effect": "Deny", "Principal": "*", "Action": "execute-api:Invoke",
        "Condition": {"NotIpAddress": {"aws:SourceIp": "10.0.0.0/8"}}});
    assert_eq!(codes_of(&create(api(json!([everybody])))), [codes::PLAN_PUBLIC]);
    assert_eq!(codes_of(&create(api(json!([everybody, denial])))), [""; 0]);
    let account = json!({"Effect": "Allow", "Principal": {"AWS": "111111111111"}, "Action": "execute-api:Invoke"});
    assert_eq!(codes_of(&create(api(json!(account)))), [""; 0]);
}

#[test]
fn everything_else_that_is_open_to_the_internet_is_told() {
    let bucket = |on: &str| {
        json!({"Type": "AWS::S3::Bucket", "Properties": {"PublicAccessBlockConfiguration": {
            "BlockPublicAcls": true, "BlockPublicPolicy": on, "IgnorePublicAcls": true, "RestrictPublicBuckets": true}}})
    };
    let balancer =
        |scheme: &str| json!({"Type": "AWS::ElasticLoadBalancingV2::LoadBalancer", "Properties": {"Scheme": scheme}});
    let url = |kind: &str| json!({"Type": "AWS::Lambda::Url", "Properties": {"AuthType": kind}});
    let distribution = |on: bool| json!({"Type": "AWS::CloudFront::Distribution", "Properties": {"DistributionConfig": {"Enabled": on}}});
    for (closed, open, words) in [
        (bucket("true"), bucket("false"), "`BlockPublicPolicy` is off"),
        (balancer("internal"), balancer("internet-facing"), "faces the internet"),
        (url("AWS_IAM"), url("NONE"), "without a signature"),
        (distribution(false), distribution(true), "CloudFront answers everybody"),
    ] {
        assert_eq!(codes_of(&create(json!({"X": closed}))), [""; 0]);
        let message = only(&change_of(closed.clone(), open.clone()), codes::PLAN_PUBLIC);
        assert!(message.contains(words), "{message}");
        assert_eq!(codes_of(&change_of(open, closed)), [""; 0]);
    }
    let bare = json!({"Type": "AWS::ElasticLoadBalancingV2::LoadBalancer"});
    assert_eq!(codes_of(&create(json!({"X": bare}))), [codes::PLAN_PUBLIC]);
}

#[test]
fn other_security_groups_and_subnets_are_told() {
    let function = |groups: Value| {
        json!({"Type": "AWS::Lambda::Function", "Properties": {
            "VpcConfig": {"SecurityGroupIds": groups, "SubnetIds": ["subnet-1"]}}})
    };
    let plan = change_of(function(json!(["sg-1", "sg-2"])), function(json!(["sg-2", "sg-3"])));
    let message = only(&plan, codes::PLAN_NETWORK);
    assert_eq!(
        message,
        "`X` moves in the network: joins the security group `sg-3`, leaves the security group `sg-1`"
    );
    let outside = json!({"Type": "AWS::Lambda::Function"});
    let message = only(&change_of(function(json!([])), outside), codes::PLAN_NETWORK);
    assert!(message.contains("leaves the subnet `subnet-1`"), "{message}");
    assert_eq!(codes_of(&addition_of(function(json!(["sg-1"])))), [""; 0]);
}

#[test]
fn what_looks_like_a_secret_is_not_in_a_plan() {
    let function = |password: &str, level: &str| {
        json!({"Type": "AWS::Lambda::Function", "Properties": {"Environment": {"Variables": {
            "DB_PASSWORD": password, "LEVEL": level, "apiKey": "same", "SECRET_ARN": "arn:aws:secret",
            "TOKEN_TABLE": {"Ref": "Table"}}}, "Description": "PASSWORD"}})
    };
    let plan = change_of(function("old-one", "info"), function("new-one", "debug"));
    let text = json!(plan).to_string();
    for secret in ["old-one", "new-one", "\"same\""] {
        assert!(!text.contains(secret), "{text}");
    }
    let property = &plan.changes[0].properties[0];
    let variables = &property.after.as_ref().unwrap()["Variables"];
    assert_eq!(variables["DB_PASSWORD"], HIDDEN_AND_CHANGED);
    assert_eq!(variables["apiKey"], HIDDEN);
    assert_eq!(variables["LEVEL"], "debug");
    assert_eq!(variables["SECRET_ARN"], "arn:aws:secret");
    assert_eq!(variables["TOKEN_TABLE"], json!({"Ref": "Table"}));
    let before = &property.before.as_ref().unwrap()["Variables"];
    assert_eq!(before["DB_PASSWORD"], HIDDEN);

    let added = addition_of(function("brand-new", "info"));
    assert!(!json!(added).to_string().contains("brand-new"));
    let one_by_one = Detail {
        path: Some("/Properties/Environment/Variables/DB_PASSWORD".into()),
        before: Some("old-one".into()),
        after: Some("new-one".into()),
        ..detail("Environment", "Never")
    };
    let processed = template(json!({}));
    let templates = Templates {
        deployed: None,
        processed: &processed,
    };
    let reported = [modified("F", "AWS::Lambda::Function", "False", vec![one_by_one])];
    let text = json!(Plan::make("s", StackAction::Update, &reported, templates, Vec::new())).to_string();
    assert!(!text.contains("-one"), "{text}");
    // CloudFormation's text of the whole environment, cut short, is no JSON any longer.
    let cut = Detail {
        before: Some("{\"Variables\":{\"DB_PASSWORD\":\"old-one".into()),
        after: Some("{\"Variables\":{\"DB_PASSWORD\":\"new-one\"}}".into()),
        ..detail("Environment", "Never")
    };
    let reported = [modified("F", "AWS::Lambda::Function", "False", vec![cut])];
    let text = json!(Plan::make("s", StackAction::Update, &reported, templates, Vec::new())).to_string();
    assert!(!text.contains("-one"), "{text}");
}

#[test]
fn what_looks_like_a_secret_is_hidden_in_whatever_form() {
    let function = |secret: &str| {
        let sub = json!({"Fn::Sub": format!("{secret}-${{AWS::Region}}")});
        let join = json!({"Fn::Join": ["-", [secret, {"Ref": "AWS::Region"}]]});
        json!({"Type": "AWS::Lambda::Function", "Properties": {
            "Description": format!("calls https://me:{secret}@host/"),
            "Environment": {"Variables": {
                "DB_PASSWORD": sub, "PrivateKey": join, "DB_PASS": secret, "PWD": secret, "ENCRYPTION_KEY": secret,
                "access-key": {"Fn::Sub": [secret, {}]}, "CONNECTION_STRING": secret, "TOKEN_LIST": [secret],
                "DATABASE_URL": format!("postgres://u:{secret}@h"),
                "CACHE": {"Fn::Join": ["", ["redis://:", secret, "@", {"Ref": "Host"}]]},
                "SECRET_ARN": {"Fn::Sub": "arn:${AWS::Partition}:secretsmanager:x"},
                "TOKEN_TABLE": {"Ref": "Table"}, "PASSENGERS": "4", "SITE": "https://host:443/me"}}}})
    };
    for plan in [
        change_of(function("hunter2"), function("hunter3")),
        change_of(json!({"Type": "AWS::Lambda::Function"}), function("hunter3")),
        addition_of(function("hunter2")),
        create(json!({"X": function("hunter2")})),
    ] {
        let text = json!(plan).to_string();
        assert!(!text.contains("hunter"), "{text}");
        for shown in [
            "secretsmanager:x",
            "{\"Ref\":\"Table\"}",
            "\"PASSENGERS\":\"4\"",
            "https://host:443/me",
        ] {
            assert!(text.contains(shown), "{shown}: {text}");
        }
    }
}

#[test]
fn what_cloudformation_cuts_of_a_map_is_hidden() {
    let processed = template(json!({}));
    let templates = Templates {
        deployed: None,
        processed: &processed,
    };
    for (path, name) in [
        ("/Properties/Environment", "Environment"),
        ("/Properties/Environment/Variables", "Environment"),
        ("/Properties/Variables", "Variables"),
    ] {
        let cut = Detail {
            path: Some(path.into()),
            before: Some("{\"DB_PASSWORD\":\"hunter2".into()),
            after: Some("{\"Variables\":\"DB_PASSWORD=hunter2\"}".into()),
            ..detail(name, "Never")
        };
        let reported = [modified("F", "AWS::Lambda::Function", "False", vec![cut])];
        let plan = Plan::make("s", StackAction::Update, &reported, templates, Vec::new());
        assert_eq!(plan.changes[0].properties[0].before, Some(json!(HIDDEN)));
        let text = json!(plan).to_string();
        assert!(!text.contains("hunter2"), "{text}");
    }
}

#[test]
fn what_changes_besides_the_resources_is_told() {
    let with = |url: Value, password: &str| {
        json!({"Resources": {}, "Description": "d", "Outputs": {
            "Url": {"Value": url}, "Same": {"Value": 1}, "Password": {"Value": {"Fn::Sub": password}}}})
    };
    let (deployed, processed) = (with(json!("old"), "hunter2"), with(json!({"Ref": "Api"}), "hunter3"));
    let templates = Templates {
        deployed: Some(&deployed),
        processed: &processed,
    };
    let plan = Plan::make("s", StackAction::Update, &[], templates, Vec::new());
    let paths: Vec<&str> = plan.others.iter().map(|other| other.path.as_str()).collect();
    assert_eq!(paths, ["/Outputs/Password", "/Outputs/Url"]);
    assert_eq!(plan.others[1].after, Some(json!({"Value": {"Ref": "Api"}})));
    assert!(!json!(plan).to_string().contains("hunter"));
    assert!(!plan.no_changes, "CloudFormation has not said so");
    assert!(Plan::of_nothing("s").no_changes);
}

#[test]
fn rights_without_number_are_not_compared_one_by_one() {
    let names = |what: &str| (0..5_000).map(|n| format!("{what}{n}")).collect::<Vec<_>>();
    let many = role(json!([allow(json!(names("s3:Get")), json!(names("arn:aws:s3:::b")))]));
    for plan in [
        create(json!({"X": many})),
        change_of(role(json!([])), many.clone()),
        change_of(many.clone(), role(json!([allow(json!("a:B"), json!("x"))]))),
    ] {
        let message = only(&plan, codes::PLAN_WIDER_RIGHTS);
        assert!(message.contains("too many to compare"), "{message}");
    }
    let mut tagged = many.clone();
    tagged["Properties"]["Tags"] = json!([{"Key": "a", "Value": "b"}]);
    assert_eq!(codes_of(&change_of(many, tagged)), [""; 0]);
}

#[test]
fn the_worst_is_told_first_and_everything_in_the_details() {
    let mut resources: Vec<String> = (0..5).map(|n| format!("arn:aws:s3:::aa-{n}/key")).collect();
    resources.push("arn:aws:s3:::zz-payroll/*".into());
    let plan = addition_of(role(json!([
        allow(json!("s3:GetObject"), json!(resources)),
        allow(json!("sqs:*"), json!("arn:zzz")),
    ])));
    let told = [codes::PLAN_WIDER_RIGHTS, codes::PLAN_WILDCARD, codes::PLAN_NEW_CALLER];
    assert_eq!(codes_of(&plan), told);
    let problem = &plan.problems[0];
    assert!(
        problem
            .message
            .starts_with("the new role `X` may `sqs:*` on `arn:zzz`; `s3:GetObject` on `arn:aws:s3:::zz-payroll/*`; "),
        "{}",
        problem.message
    );
    assert!(
        problem.message.ends_with("more on 3 other resources"),
        "{}",
        problem.message
    );
    assert_eq!(problem.details.len(), 7);
    assert!(
        problem
            .details
            .iter()
            .any(|one| one == "`s3:GetObject` on `arn:aws:s3:::aa-4/key`")
    );

    let principals: Vec<String> = (0..9)
        .map(|n| format!("arn:aws:iam::{n}:root"))
        .chain(["zz*".into()])
        .collect();
    let mut trust = role(json!([]));
    trust["Properties"]["AssumeRolePolicyDocument"]["Statement"] =
        json!([{"Effect": "Allow", "Principal": {"AWS": principals}, "Action": "sts:AssumeRole"}]);
    let plan = addition_of(trust);
    assert!(only(&plan, codes::PLAN_NEW_CALLER).contains("new: `zz*` may assume it"));
    assert_eq!(plan.problems[0].details.len(), 10);
}

#[test]
fn a_condition_that_keeps_nobody_out_is_none() {
    let policy = |condition: Value| {
        json!({"X": {"Type": "AWS::SQS::QueuePolicy", "Properties": {"PolicyDocument": {"Statement": [
            {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Condition": condition}]}}}})
    };
    for (condition, is_open) in [
        (json!({"StringLike": {"aws:SourceArn": "*"}}), true),
        (
            json!({"ArnLike": {"aws:SourceArn": ["arn:aws:sns:*:*:topic", "arn:aws:sns:us-east-1:1:t"]}}),
            true,
        ),
        (json!({"ArnLike": {"aws:SourceArn": "arn:aws:s3:::*"}}), true),
        (json!({"StringNotEquals": {"aws:SourceAccount": "1"}}), true),
        (json!({"StringEqualsIfExists": {"aws:SourceAccount": "1"}}), true),
        (json!({"ForAllValues:StringEquals": {"aws:SourceAccount": "1"}}), true),
        (json!({"Bool": {"aws:SecureTransport": "true"}}), true),
        (
            json!({"IpAddress": {"aws:SourceIp": ["10.0.0.0/8", "0.0.0.0/0"]}}),
            true,
        ),
        (json!({}), true),
        (
            json!({"StringNotEquals": {"a": "1"}, "StringEquals": {"aws:SourceAccount": "1"}}),
            false,
        ),
        (json!({"ArnLike": {"aws:SourceArn": {"Ref": "Topic"}}}), false),
        (json!({"ArnLike": {"aws:SourceArn": "arn:aws:s3:::bucket"}}), false),
        (
            json!({"ForAnyValue:StringLike": {"aws:PrincipalOrgPaths": "o-1/*"}}),
            false,
        ),
        (json!({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}), false),
    ] {
        let wanted: &[&str] = if is_open { &[codes::PLAN_PUBLIC] } else { &[] };
        assert_eq!(codes_of(&create(policy(condition.clone()))), wanted, "{condition}");
    }
}

#[test]
fn a_role_that_everybody_may_assume_is_told_in_a_new_stack_too() {
    for who in [
        json!({"Principal": {"AWS": "*"}}),
        json!({"NotPrincipal": {"AWS": "arn:aws:iam::1:root"}}),
    ] {
        let mut open = role(json!([]));
        let mut statement = who;
        statement["Effect"] = json!("Allow");
        statement["Action"] = json!("sts:AssumeRole");
        open["Properties"]["AssumeRolePolicyDocument"]["Statement"] = json!([statement]);
        let message = only(&create(json!({"X": open})), codes::PLAN_PUBLIC);
        assert!(message.contains("everybody may `sts:AssumeRole`"), "{message}");
    }
}

#[test]
fn errors_come_before_warnings() {
    let (deployed, processed) = (
        template(json!({"T": table("id", None)})),
        template(json!({"T": table("pk", None)})),
    );
    let templates = Templates {
        deployed: Some(&deployed),
        processed: &processed,
    };
    let error = Problem::error(codes::REPLACEMENT, "/Resources/T", "no");
    let reported = [modified("T", TABLE, "True", vec![detail("KeySchema", "Always")])];
    let plan = Plan::make("s", StackAction::Update, &reported, templates, vec![error]);
    assert_eq!(codes_of(&plan), [codes::REPLACEMENT, codes::PLAN_DATA_REPLACED]);
}

#[test]
fn a_plan_reads_what_a_plan_wrote() {
    let plan = change_of(role(json!([])), role(json!([allow(json!("a:B"), json!("*"))])));
    let text = serde_json::to_string(&plan).unwrap();
    assert_eq!(serde_json::from_str::<Plan>(&text).unwrap(), plan);
}
