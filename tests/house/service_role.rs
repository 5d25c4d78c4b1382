//! `account.yml`: what `fenrir-cloudformation` may do follows from the resource types that a deploy may contain.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde_json::{Value, json};

use crate::files::{members, path, template, texts};
use crate::iam::{actions, statements, substituted};

/// A resource type of a processed template, and per service the calls that CloudFormation makes for it.
type Row = (&'static str, &'static [(&'static str, &'static str)]);

/// What CloudFormation calls with the properties that the policy allows. Source: the `handlers` of each type's schema
/// in the CloudFormation registry, and the permissions that the services ask of whoever turns on access logs or makes a
/// first load balancer. Left out are calls for properties that the policy refuses: managed policies of roles,
/// replication and websites of buckets, data protection, code signing, file systems.
const TYPES: &[Row] = &[
    (
        "AWS::ApiGateway::ApiKey",
        &[("apigateway", "DELETE GET PATCH POST PUT")],
    ),
    (
        "AWS::ApiGateway::Deployment",
        &[("apigateway", "DELETE GET PATCH POST")],
    ),
    (
        "AWS::ApiGateway::RestApi",
        &[
            ("apigateway", "DELETE GET PATCH POST PUT UpdateRestApiPolicy"),
            ("iam", "CreateServiceLinkedRole"),
        ],
    ),
    (
        "AWS::ApiGateway::Stage",
        &[("apigateway", "DELETE GET PATCH POST PUT"), ("logs", LOG_DELIVERY)],
    ),
    (
        "AWS::ApiGateway::UsagePlan",
        &[("apigateway", "DELETE GET PATCH POST PUT")],
    ),
    ("AWS::ApiGateway::UsagePlanKey", &[("apigateway", "DELETE GET POST")]),
    (
        "AWS::ApiGatewayV2::Api",
        &[
            ("apigateway", "DELETE GET PATCH POST PUT"),
            ("iam", "CreateServiceLinkedRole"),
        ],
    ),
    (
        "AWS::ApiGatewayV2::Stage",
        &[("apigateway", "DELETE GET PATCH POST PUT"), ("logs", LOG_DELIVERY)],
    ),
    (
        "AWS::CloudFront::Distribution",
        &[
            (
                "cloudfront",
                "CreateDistribution DeleteDistribution GetDistribution GetDistributionConfig ListTagsForResource \
                 TagResource UntagResource UpdateDistribution",
            ),
            ("wafv2", "GetWebACL"),
        ],
    ),
    (
        "AWS::CloudWatch::Alarm",
        &[(
            "cloudwatch",
            "DeleteAlarms DescribeAlarms ListTagsForResource PutMetricAlarm TagResource UntagResource",
        )],
    ),
    (
        "AWS::CodeDeploy::Application",
        &[(
            "codedeploy",
            "CreateApplication DeleteApplication GetApplication ListTagsForResource TagResource UntagResource \
             UpdateApplication",
        )],
    ),
    (
        "AWS::CodeDeploy::DeploymentGroup",
        &[
            (
                "codedeploy",
                "CreateDeploymentGroup DeleteDeploymentGroup GetDeploymentGroup ListTagsForResource TagResource \
                 UntagResource UpdateDeploymentGroup",
            ),
            ("iam", "PassRole"),
        ],
    ),
    (
        "AWS::DynamoDB::Table",
        &[
            (
                "dynamodb",
                "CreateTable DeleteTable DescribeContinuousBackups DescribeContributorInsights \
                 DescribeKinesisStreamingDestination DescribeTable DescribeTimeToLive \
                 DisableKinesisStreamingDestination EnableKinesisStreamingDestination GetResourcePolicy \
                 ListTagsOfResource TagResource UntagResource UpdateContinuousBackups UpdateContributorInsights \
                 UpdateKinesisStreamingDestination UpdateTable UpdateTimeToLive",
            ),
            ("iam", "CreateServiceLinkedRole"),
            ("kinesis", "DescribeStream PutRecords"),
            ("kms", KEYS),
        ],
    ),
    (
        "AWS::ElasticLoadBalancingV2::Listener",
        &[(
            "elasticloadbalancing",
            "AddListenerCertificates AddTags CreateListener DeleteListener DescribeListenerAttributes \
             DescribeListenerCertificates DescribeListeners DescribeTags ModifyListener ModifyListenerAttributes \
             RemoveListenerCertificates RemoveTags",
        )],
    ),
    (
        "AWS::ElasticLoadBalancingV2::ListenerRule",
        &[(
            "elasticloadbalancing",
            "AddTags CreateRule DeleteRule DescribeRules DescribeTags ModifyRule RemoveTags SetRulePriorities",
        )],
    ),
    (
        "AWS::ElasticLoadBalancingV2::LoadBalancer",
        &[
            (
                "elasticloadbalancing",
                "AddTags CreateLoadBalancer DeleteLoadBalancer DescribeCapacityReservation \
                 DescribeLoadBalancerAttributes DescribeLoadBalancers DescribeTags ModifyLoadBalancerAttributes \
                 RemoveTags SetIpAddressType SetSecurityGroups SetSubnets",
            ),
            (
                "ec2",
                "DescribeAccountAttributes DescribeInternetGateways DescribeSecurityGroups DescribeSubnets \
                 DescribeVpcs",
            ),
            ("iam", "CreateServiceLinkedRole"),
        ],
    ),
    (
        "AWS::ElasticLoadBalancingV2::TargetGroup",
        &[(
            "elasticloadbalancing",
            "AddTags CreateTargetGroup DeleteTargetGroup DeregisterTargets DescribeTags \
             DescribeTargetGroupAttributes DescribeTargetGroups DescribeTargetHealth ModifyTargetGroup \
             ModifyTargetGroupAttributes RegisterTargets RemoveTags",
        )],
    ),
    (
        "AWS::Events::Rule",
        &[(
            "events",
            "DeleteRule DescribeRule DisableRule EnableRule ListTagsForResource ListTargetsByRule PutRule PutTargets \
             RemoveTargets TagResource UntagResource",
        )],
    ),
    (
        "AWS::IAM::Role",
        &[(
            "iam",
            "CreateRole DeleteRole DeleteRolePolicy GetRole GetRolePolicy ListAttachedRolePolicies ListRolePolicies \
             PutRolePermissionsBoundary PutRolePolicy TagRole UntagRole UpdateAssumeRolePolicy UpdateRole \
             UpdateRoleDescription",
        )],
    ),
    (
        "AWS::Lambda::Alias",
        &[
            (
                "lambda",
                "CreateAlias DeleteAlias DeleteProvisionedConcurrencyConfig GetAlias GetProvisionedConcurrencyConfig \
                 ListAliases PutProvisionedConcurrencyConfig UpdateAlias",
            ),
            // An alias with a DeploymentPreference is moved by CodeDeploy, which CloudFormation starts.
            (
                "codedeploy",
                "CreateDeployment GetApplicationRevision GetDeployment GetDeploymentConfig \
                 RegisterApplicationRevision StopDeployment",
            ),
        ],
    ),
    (
        "AWS::Lambda::EventInvokeConfig",
        &[(
            "lambda",
            "DeleteFunctionEventInvokeConfig GetFunctionEventInvokeConfig PutFunctionEventInvokeConfig \
             UpdateFunctionEventInvokeConfig",
        )],
    ),
    (
        "AWS::Lambda::EventSourceMapping",
        &[
            (
                "lambda",
                "CreateEventSourceMapping DeleteEventSourceMapping GetEventSourceMapping ListTags TagResource \
                 UntagResource UpdateEventSourceMapping",
            ),
            ("kms", KEYS),
        ],
    ),
    (
        "AWS::Lambda::Function",
        &[
            (
                "lambda",
                "CreateFunction DeleteFunction DeleteFunctionConcurrency GetFunction GetFunctionCodeSigningConfig \
                 GetFunctionConcurrency GetFunctionConfiguration GetFunctionRecursionConfig GetLayerVersion \
                 GetRuntimeManagementConfig ListTags PutFunctionConcurrency PutFunctionRecursionConfig \
                 PutRuntimeManagementConfig TagResource UntagResource UpdateFunctionCode \
                 UpdateFunctionConfiguration",
            ),
            ("ec2", "DescribeSecurityGroups DescribeSubnets DescribeVpcs"),
            ("iam", "PassRole"),
            ("kms", KEYS),
            ("s3", "GetObject GetObjectVersion"),
        ],
    ),
    (
        "AWS::Lambda::LayerVersion",
        &[
            (
                "lambda",
                "DeleteLayerVersion GetLayerVersion ListLayerVersions PublishLayerVersion",
            ),
            ("s3", "GetObject GetObjectVersion"),
        ],
    ),
    (
        "AWS::Lambda::Permission",
        &[("lambda", "AddPermission GetPolicy RemovePermission")],
    ),
    (
        "AWS::Lambda::Url",
        &[(
            "lambda",
            "CreateFunctionUrlConfig DeleteFunctionUrlConfig GetFunctionUrlConfig UpdateFunctionUrlConfig",
        )],
    ),
    (
        "AWS::Lambda::Version",
        &[(
            "lambda",
            "DeleteFunction GetFunctionConfiguration GetProvisionedConcurrencyConfig GetRuntimeManagementConfig \
             ListVersionsByFunction PublishVersion PutProvisionedConcurrencyConfig PutRuntimeManagementConfig",
        )],
    ),
    (
        "AWS::Logs::LogGroup",
        &[
            (
                "logs",
                "AssociateKmsKey CreateLogGroup DeleteIndexPolicy DeleteLogGroup DeleteRetentionPolicy \
                 DescribeIndexPolicies DescribeLogGroups DisassociateKmsKey GetDataProtectionPolicy \
                 ListTagsForResource PutIndexPolicy PutLogGroupDeletionProtection PutRetentionPolicy TagResource \
                 UntagResource",
            ),
            ("kms", KEYS),
        ],
    ),
    (
        "AWS::Logs::SubscriptionFilter",
        &[(
            "logs",
            "DeleteSubscriptionFilter DescribeSubscriptionFilters PutSubscriptionFilter",
        )],
    ),
    (
        "AWS::S3::Bucket",
        &[
            (
                "s3",
                "CreateBucket DeleteBucket GetAccelerateConfiguration GetAnalyticsConfiguration GetBucketAbac \
                 GetBucketAcl GetBucketCORS GetBucketLogging GetBucketMetadataTableConfiguration \
                 GetBucketNotification GetBucketObjectLockConfiguration GetBucketOwnershipControls \
                 GetBucketPublicAccessBlock GetBucketTagging GetBucketVersioning GetBucketWebsite \
                 GetEncryptionConfiguration GetIntelligentTieringConfiguration GetInventoryConfiguration \
                 GetLifecycleConfiguration GetMetricsConfiguration GetReplicationConfiguration ListBucket \
                 ListTagsForResource PutAccelerateConfiguration PutBucketAbac PutBucketCORS PutBucketLogging \
                 PutBucketNotification PutBucketObjectLockConfiguration PutBucketOwnershipControls \
                 PutBucketPublicAccessBlock PutBucketTagging PutBucketVersioning PutEncryptionConfiguration \
                 PutIntelligentTieringConfiguration PutLifecycleConfiguration PutMetricsConfiguration TagResource \
                 UntagResource",
            ),
            ("kms", KEYS),
        ],
    ),
    (
        "AWS::SNS::Subscription",
        &[(
            "sns",
            "GetSubscriptionAttributes SetSubscriptionAttributes Subscribe Unsubscribe",
        )],
    ),
    (
        "AWS::SNS::Topic",
        &[
            (
                "sns",
                "CreateTopic DeleteTopic GetDataProtectionPolicy GetTopicAttributes ListSubscriptionsByTopic \
                 ListTagsForResource SetTopicAttributes Subscribe TagResource Unsubscribe UntagResource",
            ),
            ("kms", KEYS),
        ],
    ),
    (
        "AWS::SQS::Queue",
        &[
            (
                "sqs",
                "CreateQueue DeleteQueue GetQueueAttributes GetQueueUrl ListQueueTags SetQueueAttributes TagQueue \
                 UntagQueue",
            ),
            ("kms", KEYS),
        ],
    ),
    (
        "AWS::Scheduler::Schedule",
        &[
            ("scheduler", "CreateSchedule DeleteSchedule GetSchedule UpdateSchedule"),
            ("iam", "PassRole"),
            ("kms", KEYS),
        ],
    ),
    (
        "AWS::StepFunctions::StateMachine",
        &[
            (
                "states",
                "CreateStateMachine DeleteStateMachine DescribeStateMachine ListTagsForResource TagResource \
                 UntagResource UpdateStateMachine",
            ),
            ("iam", "PassRole"),
            ("s3", "GetObject GetObjectVersion"),
            ("logs", LOG_DELIVERY),
        ],
    ),
    (
        "AWS::StepFunctions::StateMachineAlias",
        &[(
            "states",
            "CreateStateMachineAlias DeleteStateMachineAlias DescribeStateMachineAlias UpdateStateMachineAlias",
        )],
    ),
    (
        "AWS::StepFunctions::StateMachineVersion",
        &[(
            "states",
            "DeleteStateMachineVersion DescribeStateMachine ListStateMachineVersions PublishStateMachineVersion",
        )],
    ),
];

/// Of keys that have correct tags, where a service uses one.
const KEYS: &str = "CreateGrant Decrypt DescribeKey Encrypt GenerateDataKey";

/// Of whoever turns on logs that a service delivers.
const LOG_DELIVERY: &str = "CreateLogDelivery DeleteLogDelivery DescribeLogGroups DescribeResourcePolicies \
                            GetLogDelivery ListLogDeliveries PutResourcePolicy UpdateLogDelivery";

/// Statements whose resources are not under the pattern of generated names, and what bounds them instead.
const WIDER: &[(&str, &str)] = &[
    (
        "Apis",
        "ids are made up by API Gateway; only APIs, not domain names, VPC links or account settings",
    ),
    ("Artifacts", "reads of the deployer's bucket"),
    ("ArtifactsOfApplications", "reads within the account"),
    ("DeploymentConfigs", "reads"),
    ("Distributions", "ids are made up by CloudFront"),
    ("EventSourceTags", "ids are made up by Lambda"),
    ("EventSources", "the function is under the pattern, by condition"),
    ("Keys", "reads"),
    (
        "KeysThroughServices",
        "only through the service that uses the key, by condition",
    ),
    (
        "LayersOfOthers",
        "reads; the policy allows only ids that an administrator listed",
    ),
    ("LogDelivery", "knows no resources"),
    ("LogSubscriptions", "a group may be one that has correct tags"),
    ("Network", "reads that know no resources"),
    (
        "PassRole",
        "a role may be one that has correct tags; to four services, by condition",
    ),
    ("ServiceLinkedRoles", "only AWS's own, of four services, by condition"),
    ("Streams", "a stream that has correct tags"),
    ("Subscriptions", "a topic may be one that has correct tags"),
    ("UsagePlans", "ids are made up by API Gateway"),
    (
        "WebAcls",
        "reads; the policy allows only ids that an administrator listed",
    ),
];

/// Types that the policy's sources name only to say what to write instead.
const REFUSED: &[&str] = &["AWS::IAM::ManagedPolicy", "AWS::IAM::Policy"];

/// Texts in quotes of the policy's sources.
fn quoted() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut open = vec![
        path("crates/fenrir-core/src/policy"),
        path("crates/fenrir-core/src/policy.rs"),
    ];
    while let Some(place) = open.pop() {
        if place.is_dir() {
            open.extend(fs::read_dir(&place).unwrap().map(|entry| entry.unwrap().path()));
        } else {
            found.extend(fs::read_to_string(&place).unwrap().split('"').map(str::to_owned));
        }
    }
    found
}

/// Resource types that the policy's sources name, of applications and of what SAM makes of them.
fn judged() -> BTreeSet<String> {
    let is_type = |text: &String| text.starts_with("AWS::") && text.matches("::").count() == 2;
    quoted()
        .into_iter()
        .filter(|text| is_type(text) && !text.starts_with("AWS::Serverless::"))
        .collect()
}

/// Actions that the policy's sources name: what Fenrir writes into the roles of applications.
fn written() -> BTreeSet<String> {
    let is_action = |text: &String| {
        text.split_once(':').is_some_and(|(service, call)| {
            service.starts_with(|c: char| c.is_ascii_lowercase())
                && service
                    .chars()
                    .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
                && call.starts_with(|c: char| c.is_ascii_uppercase())
                && call.chars().all(|c| c.is_ascii_alphanumeric())
        })
    };
    quoted().into_iter().filter(is_action).collect()
}

/// Actions that the policy's sources name elsewhere than in a role: condition keys, an API's own policy, trust policies.
const ELSEWHERE: &[&str] = &["aws:SourceVpc", "execute-api:Invoke", "sts:AssumeRole"];

/// Actions of the boundary that the policy need not write yet: of queues, buckets and tables that are encrypted.
const RESERVED: &[&str] = &["kms:DescribeKey", "kms:Encrypt"];

fn wanted() -> BTreeMap<String, BTreeSet<&'static str>> {
    let mut wanted: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for (kind, services) in TYPES {
        for (service, calls) in *services {
            for call in calls.split_whitespace() {
                wanted.entry(format!("{service}:{call}")).or_default().insert(kind);
            }
        }
    }
    wanted
}

/// The managed policies of the service role.
fn service_role(account: &Value) -> Vec<&Value> {
    let role = &account["Resources"]["CloudFormation"]["Properties"];
    assert_eq!(role["RoleName"], fenrir_core::house::CLOUDFORMATION_ROLE);
    assert!(role.get("Policies").is_none());
    let attached = role["ManagedPolicyArns"].as_array().unwrap();
    attached
        .iter()
        .map(|reference| &account["Resources"][reference["Ref"].as_str().unwrap()]["Properties"]["PolicyDocument"])
        .collect()
}

fn of_effect<'a>(policies: &[&'a Value], effect: &str) -> Vec<&'a Value> {
    let all = policies.iter().flat_map(|policy| statements(policy));
    all.filter(|statement| statement["Effect"] == effect).collect()
}

#[test]
fn the_types_are_those_that_the_policy_lets_through() {
    let mut judged = judged();
    judged.retain(|kind| !REFUSED.contains(&kind.as_str()));
    let known: BTreeSet<&str> = TYPES.iter().map(|(kind, _)| *kind).collect();
    let unknown: Vec<_> = judged.iter().filter(|kind| !known.contains(kind.as_str())).collect();
    assert!(
        unknown.is_empty(),
        "nobody knows what CloudFormation calls for {unknown:?}"
    );
    let idle: Vec<_> = known.iter().filter(|kind| !judged.contains(**kind)).collect();
    assert!(
        idle.is_empty(),
        "rights for {idle:?}, which the policy does not let through"
    );
}

#[test]
fn the_service_role_may_call_what_the_types_need_and_nothing_else() {
    let account = template("account.yml");
    let have: BTreeSet<&str> = of_effect(&service_role(&account), "Allow")
        .into_iter()
        .flat_map(actions)
        .collect();
    let wanted = wanted();
    for (action, kinds) in &wanted {
        assert!(
            have.contains(action.as_str()),
            "account.yml lacks {action} for {kinds:?}"
        );
    }
    for action in have {
        assert!(wanted.contains_key(action), "no resource type needs {action}");
    }
}

#[test]
fn the_service_role_works_under_generated_names() {
    let account = template("account.yml");
    let mut seen = BTreeSet::new();
    for statement in of_effect(&service_role(&account), "Allow") {
        let sid = statement["Sid"].as_str().unwrap();
        let is_ours = substituted(&statement["Resource"]).iter().all(|arn| {
            let name = arn.split(':').skip(5).collect::<Vec<_>>().join(":");
            name.split(['/', ':'])
                .any(|part| part == "fenrir-*--*" || part == "fenrir-*")
        });
        if !is_ours {
            assert!(
                WIDER.iter().any(|(known, _)| *known == sid),
                "{sid} is wider than generated names"
            );
            seen.insert(sid);
        }
    }
    for (sid, why) in WIDER {
        assert!(seen.contains(sid), "{sid} ({why}) is not wider any more");
    }
}

#[test]
fn a_role_is_made_and_changed_only_under_the_boundary() {
    let account = template("account.yml");
    let policies = service_role(&account);
    let boundary = json!({"ArnEquals": {"iam:PermissionsBoundary": {"Ref": "PermissionsBoundary"}}});
    for statement in of_effect(&policies, "Allow") {
        let adds = [
            "iam:CreateRole",
            "iam:PutRolePolicy",
            "iam:PutRolePermissionsBoundary",
            "iam:DeleteRolePolicy",
        ];
        if actions(statement).any(|action| adds.contains(&action)) {
            assert_eq!(statement["Condition"], boundary);
        }
    }
    let denied: BTreeSet<&str> = of_effect(&policies, "Deny")
        .into_iter()
        .filter(|statement| statement["Resource"] == "*" && statement.get("Condition").is_none())
        .flat_map(actions)
        .collect();
    for action in [
        "iam:DeleteRolePermissionsBoundary",
        "sts:*",
        "organizations:*",
        "cloudformation:*",
    ] {
        assert!(denied.contains(action), "{action} is not denied");
    }
}

#[test]
fn what_is_fenrirs_own_is_denied_by_name() {
    let account = template("account.yml");
    let denied: BTreeSet<String> = of_effect(&service_role(&account), "Deny")
        .into_iter()
        .filter(|statement| statement["Action"] == "*")
        .flat_map(|statement| substituted(&statement["Resource"]))
        .collect();
    let own = |kind: &str, name: &str| match kind {
        "AWS::IAM::Role" => format!("arn:P:iam::A:role/{name}"),
        "AWS::IAM::ManagedPolicy" => "arn:P:iam::A:policy/fenrir-*".to_owned(),
        "AWS::Serverless::Function" => format!("arn:P:lambda:*:A:function:{name}"),
        "AWS::Serverless::StateMachine" => format!("arn:P:states:*:A:stateMachine:{name}"),
        "AWS::DynamoDB::Table" => format!("arn:P:dynamodb:*:A:table/{name}"),
        "AWS::SNS::Topic" => format!("arn:P:sns:*:A:{name}"),
        "AWS::Events::Rule" => format!("arn:P:events:*:A:rule/{name}"),
        "AWS::Logs::LogGroup" => format!("arn:P:logs:*:A:log-group:{name}:*"),
        "AWS::CloudWatch::Alarm" => format!("arn:P:cloudwatch:*:A:alarm:{name}"),
        "AWS::CloudWatch::Dashboard" => format!("arn:P:cloudwatch::A:dashboard/{name}"),
        "AWS::SQS::Queue" => format!("arn:P:sqs:*:A:{name}"),
        // The bucket has a statement of its own, which lets code be read; policies and subscriptions have no name.
        "AWS::S3::Bucket"
        | "AWS::S3::BucketPolicy"
        | "AWS::Lambda::Permission"
        | "AWS::Lambda::EventSourceMapping"
        | "AWS::SNS::TopicPolicy"
        | "AWS::SNS::Subscription" => String::new(),
        _ => panic!("{kind}: what is its ARN?"),
    };
    for file in ["template.yml", "account.yml", "region.yml"] {
        let house = template(file);
        for (id, resource) in members(&house["Resources"]) {
            let name = members(&resource["Properties"])
                .find(|(key, _)| key.ends_with("Name") && !["PolicyName", "DisplayName", "MetricName"].contains(key))
                .and_then(|(_, name)| name.as_str())
                .unwrap_or_default();
            let arn = own(resource["Type"].as_str().unwrap(), name);
            assert!(
                arn.is_empty() || denied.contains(&arn),
                "{file}: {id}: {arn} is not denied"
            );
            // A generated name contains `--`, so the pattern of the applications' names never matches one of these.
            assert!(!name.contains("--"), "{file}: {id}");
        }
    }
    for name in ["fenrir", "fenrir-account", "fenrir-region"] {
        assert!(denied.contains(&format!("arn:P:cloudformation:*:A:stack/{name}/*")));
    }
}

#[test]
fn the_boundary_allows_data_and_denies_rights() {
    let account = template("account.yml");
    let boundary = &account["Resources"]["PermissionsBoundary"]["Properties"];
    assert_eq!(boundary["ManagedPolicyName"], fenrir_core::house::BOUNDARY);
    let policies = [&boundary["PolicyDocument"]];
    for statement in of_effect(&policies, "Allow") {
        for action in actions(statement) {
            let service = action.split(':').next().unwrap();
            assert!(!action.contains('*'), "{action}");
            assert!(
                !["iam", "sts", "organizations", "account", "cloudformation"].contains(&service),
                "{action}"
            );
            let changes_things = ["Create", "Delete", "Update", "Put"]
                .iter()
                .any(|verb| action.contains(verb))
                && ["Function", "Table", "Bucket", "Queue", "Topic", "StateMachine", "Rule"]
                    .iter()
                    .any(|noun| action.ends_with(noun));
            assert!(!changes_things, "{action} is no use of data");
        }
    }
    let denied: BTreeSet<&str> = of_effect(&policies, "Deny").into_iter().flat_map(actions).collect();
    for action in ["iam:*", "sts:*", "organizations:*", "cloudformation:*", "*"] {
        assert!(denied.contains(action), "{action}");
    }
}

#[test]
fn the_boundary_allows_what_fenrir_writes_into_roles_and_nothing_else() {
    let account = template("account.yml");
    let policy = &account["Resources"]["PermissionsBoundary"]["Properties"]["PolicyDocument"];
    let have: BTreeSet<&str> = of_effect(&[policy], "Allow").into_iter().flat_map(actions).collect();
    let written = written();
    for action in written.iter().filter(|action| !ELSEWHERE.contains(&action.as_str())) {
        assert!(
            have.contains(action.as_str()),
            "a role may be given {action}, and the boundary takes it away"
        );
    }
    for action in have {
        assert!(
            written.contains(action) || RESERVED.contains(&action),
            "no role is given {action}"
        );
    }
}

#[test]
fn every_managed_policy_fits() {
    // IAM and STS quotas: 6,144 characters of a managed policy, white space not counted; 10 managed policies per role.
    for file in ["template.yml", "account.yml"] {
        let house = template(file);
        for (id, resource) in members(&house["Resources"]) {
            if resource["Type"] == "AWS::IAM::ManagedPolicy" {
                let mut document = resource["Properties"]["PolicyDocument"].clone();
                spell_out(&mut document);
                let length = document.to_string().len();
                assert!(length <= 6_144, "{file}: {id} has {length} characters");
            }
        }
    }
}

/// Puts values as long as real ones in the place of intrinsics.
fn spell_out(value: &mut Value) {
    if let Some(text) = value.get("Fn::Sub").and_then(Value::as_str) {
        let long = text.replace("${AWS::Partition}", "aws-us-gov");
        *value = Value::String(
            long.replace("${AWS::AccountId}", "123456789012")
                .replace("${DeployerAccount}", "123456789012"),
        );
        return;
    }
    match value {
        Value::Object(map) => map.values_mut().for_each(spell_out),
        Value::Array(list) => list.iter_mut().for_each(spell_out),
        _ => {}
    }
}

#[test]
fn pass_role_says_to_whom() {
    for file in ["template.yml", "account.yml"] {
        let house = template(file);
        let mut open = vec![&house];
        while let Some(value) = open.pop() {
            if value.get("Effect").is_some_and(|effect| effect == "Allow")
                && actions(value).any(|a| a == "iam:PassRole")
            {
                let services = &value["Condition"]["StringEquals"]["iam:PassedToService"];
                assert!(
                    texts(services)
                        .iter()
                        .all(|service| service.ends_with(".amazonaws.com")),
                    "{file}"
                );
            }
            match value {
                Value::Object(map) => open.extend(map.values()),
                Value::Array(list) => open.extend(list),
                _ => {}
            }
        }
    }
}
