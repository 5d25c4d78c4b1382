//! `Policies`: SAM's policy templates, each with exactly its parameters. Fenrir writes the statements.
//!
//! Literal generated names, never `Ref` or `GetAtt`: a role that refers to a bucket whose event calls the role's
//! function is a cycle, and SAM's `LambdaInvokePolicy` grants every function whose name begins alike.

use serde_json::{Value, json};

use super::arn::{Arn, Scope};
use super::judge::{Judge, Members};
use super::kind::{self, Kind};
use super::place::Place;
use super::role::Statement;
use super::rule::{any_of, describe};
use super::types::function;
use crate::codes;
use crate::suggest::nearest;
use crate::template::intrinsic::{self, Target, is_intrinsic};
use crate::template::shown;

/// One policy template.
#[derive(Debug)]
pub struct Template {
    /// Its name in SAM.
    pub name: &'static str,
    /// Its parameters, all needed.
    pub parameters: &'static [&'static str],
    /// What it names and what it grants, for the reference page.
    pub about: &'static str,
    /// What it grants.
    grant: Grant,
}

/// What a template grants.
#[derive(Debug)]
enum Grant {
    /// Actions on what the only parameter names, and on parts of it (`/index/*`).
    On {
        names: &'static Named,
        actions: &'static [&'static str],
        parts: &'static [&'static str],
    },
    /// Own code.
    Custom(fn(&mut Judge<'_>, &Place<'_>, &Members)),
}

/// The ARN of an existing thing by a literal, when its tags allow it.
type Ask = fn(&mut Judge<'_>, &Place<'_>, &str) -> Option<String>;

/// What a parameter may name.
#[derive(Debug)]
struct Named {
    /// Types of the template.
    types: &'static [&'static str],
    /// The attribute that gives the name, beside `Ref`.
    attribute: Option<&'static str>,
    /// Existing things, by a literal.
    existing: Option<Ask>,
}

static TABLE: Named = Named {
    types: &["AWS::Serverless::SimpleTable", "AWS::DynamoDB::Table"],
    attribute: None,
    existing: None,
};
static QUEUE: Named = Named {
    types: &["AWS::SQS::Queue"],
    attribute: Some("QueueName"),
    existing: None,
};
static FUNCTION: Named = Named {
    types: &[function::NAME],
    attribute: None,
    existing: None,
};
static STATE_MACHINE: Named = Named {
    types: &["AWS::Serverless::StateMachine"],
    attribute: Some("Name"),
    existing: None,
};
static TOPIC: Named = Named {
    types: &["AWS::SNS::Topic"],
    attribute: Some("TopicName"),
    existing: Some(|judge, place, text| kind::TOPIC.existing(judge, place, text)),
};
static BUCKET: Named = Named {
    types: &["AWS::S3::Bucket"],
    attribute: None,
    existing: Some(|judge, place, text| kind::BUCKET.existing(judge, place, text)),
};
static BUS: Named = Named {
    types: &[],
    attribute: None,
    existing: Some(kind::event_bus),
};
static KEY: Named = Named {
    types: &[],
    attribute: None,
    existing: Some(kind::key),
};
static PARAMETER: Named = Named {
    types: &[],
    attribute: None,
    existing: Some(parameter),
};
static SECRET: Named = Named {
    types: &[],
    attribute: None,
    existing: Some(|judge, place, text| {
        if Arn::parse(text).is_none() {
            judge.refuse(
                codes::REFERENCE,
                place,
                format!("`{}` is not the ARN of a secret", shown(text)),
                "write the whole ARN, which ends in six characters of its own",
            );
            return None;
        }
        SECRET_KIND.existing(judge, place, text)
    }),
};

/// Source of the name: Secrets Manager API, `CreateSecret`, `Name`, and the six characters that the ARN adds.
static SECRET_KIND: Kind = Kind {
    noun: "secret",
    service: "secretsmanager",
    prefix: "secret:",
    scope: Scope::REGIONAL,
    name: |name| {
        (8..=519).contains(&name.len()) && name.chars().all(|c| c.is_ascii_alphanumeric() || "/_+=.@-".contains(c))
    },
    local: &[],
};

/// A parameter is named with or without a slash at the beginning; its ARN has one slash either way.
fn parameter(judge: &mut Judge<'_>, place: &Place<'_>, text: &str) -> Option<String> {
    /// Source of the name: Systems Manager API, `PutParameter`, `Name`.
    static KIND: Kind = Kind {
        noun: "parameter",
        service: "ssm",
        prefix: "parameter/",
        scope: Scope::REGIONAL,
        name: |name| {
            (1..=1011).contains(&name.len())
                && name.chars().all(|c| c.is_ascii_alphanumeric() || "/_.-".contains(c))
                && !name.starts_with('/')
        },
        local: &[],
    };
    KIND.existing(judge, place, text.strip_prefix('/').unwrap_or(text))
}

const INDEXES: &[&str] = &["/index/*"];
const OBJECTS: &[&str] = &["/*"];

/// Every template, in the order of the reference page.
/// Source of the actions: AWS SAM Developer Guide, "Policy template list".
pub static TEMPLATES: &[Template] = &[
    Template {
        name: "DynamoDBCrudPolicy",
        parameters: &["TableName"],
        about: "reads and writes a table of this template, and its indexes",
        grant: Grant::On {
            names: &TABLE,
            actions: &[
                "dynamodb:GetItem",
                "dynamodb:DeleteItem",
                "dynamodb:PutItem",
                "dynamodb:Scan",
                "dynamodb:Query",
                "dynamodb:UpdateItem",
                "dynamodb:BatchWriteItem",
                "dynamodb:BatchGetItem",
                "dynamodb:DescribeTable",
                "dynamodb:ConditionCheckItem",
            ],
            parts: INDEXES,
        },
    },
    Template {
        name: "DynamoDBReadPolicy",
        parameters: &["TableName"],
        about: "reads a table of this template, and its indexes",
        grant: Grant::On {
            names: &TABLE,
            actions: &[
                "dynamodb:GetItem",
                "dynamodb:Scan",
                "dynamodb:Query",
                "dynamodb:BatchGetItem",
                "dynamodb:DescribeTable",
            ],
            parts: INDEXES,
        },
    },
    Template {
        name: "DynamoDBWritePolicy",
        parameters: &["TableName"],
        about: "writes a table of this template",
        grant: Grant::On {
            names: &TABLE,
            actions: &["dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:BatchWriteItem"],
            parts: INDEXES,
        },
    },
    Template {
        name: "DynamoDBStreamReadPolicy",
        parameters: &["TableName", "StreamName"],
        about: "reads the stream of a table of this template; `StreamName` is `!GetAtt <table>.StreamArn`",
        grant: Grant::Custom(table_stream),
    },
    Template {
        name: "SQSPollerPolicy",
        parameters: &["QueueName"],
        about: "receives and deletes messages of a queue of this template",
        grant: Grant::On {
            names: &QUEUE,
            actions: &[
                "sqs:ChangeMessageVisibility",
                "sqs:DeleteMessage",
                "sqs:GetQueueAttributes",
                "sqs:ReceiveMessage",
            ],
            parts: &[],
        },
    },
    Template {
        name: "SQSSendMessagePolicy",
        parameters: &["QueueName"],
        about: "sends to a queue of this template",
        grant: Grant::On {
            names: &QUEUE,
            actions: &["sqs:SendMessage"],
            parts: &[],
        },
    },
    Template {
        name: "LambdaInvokePolicy",
        parameters: &["FunctionName"],
        about: "calls a function of this template",
        grant: Grant::On {
            names: &FUNCTION,
            actions: &["lambda:InvokeFunction"],
            // Its versions and aliases.
            parts: &[":*"],
        },
    },
    Template {
        name: "SNSPublishMessagePolicy",
        parameters: &["TopicName"],
        about: "publishes to a topic of this template, or to one whose tags allow it",
        grant: Grant::On {
            names: &TOPIC,
            actions: &["sns:Publish"],
            parts: &[],
        },
    },
    Template {
        name: "StepFunctionsExecutionPolicy",
        parameters: &["StateMachineName"],
        about: "starts a state machine of this template",
        grant: Grant::On {
            names: &STATE_MACHINE,
            actions: &["states:StartExecution"],
            parts: &[],
        },
    },
    Template {
        name: "S3ReadPolicy",
        parameters: &["BucketName"],
        about: "reads a bucket of this template, or one whose tags allow it",
        grant: Grant::On {
            names: &BUCKET,
            actions: &[
                "s3:GetObject",
                "s3:GetObjectVersion",
                "s3:ListBucket",
                "s3:GetBucketLocation",
            ],
            parts: OBJECTS,
        },
    },
    Template {
        name: "S3WritePolicy",
        parameters: &["BucketName"],
        about: "writes objects of a bucket of this template, or of one whose tags allow it",
        grant: Grant::On {
            names: &BUCKET,
            actions: &["s3:PutObject"],
            parts: OBJECTS,
        },
    },
    Template {
        name: "S3CrudPolicy",
        parameters: &["BucketName"],
        about: "reads, writes and deletes objects of a bucket of this template, or of one whose tags allow it",
        grant: Grant::On {
            names: &BUCKET,
            actions: &[
                "s3:GetObject",
                "s3:GetObjectVersion",
                "s3:ListBucket",
                "s3:GetBucketLocation",
                "s3:PutObject",
                "s3:DeleteObject",
            ],
            parts: OBJECTS,
        },
    },
    Template {
        name: "EventBridgePutEventsPolicy",
        parameters: &["EventBusName"],
        about: "sends events to the bus `default`, or to one whose tags allow it",
        grant: Grant::On {
            names: &BUS,
            actions: &["events:PutEvents"],
            parts: &[],
        },
    },
    Template {
        name: "CloudWatchPutMetricPolicy",
        parameters: &[],
        about: "writes metrics, only in the namespace `<project>/<config>`",
        grant: Grant::Custom(metrics),
    },
    Template {
        name: "KMSDecryptPolicy",
        parameters: &["KeyId"],
        about: "decrypts with a key whose tags allow it",
        grant: Grant::On {
            names: &KEY,
            actions: &["kms:Decrypt"],
            parts: &[],
        },
    },
    Template {
        name: "SSMParameterReadPolicy",
        parameters: &["ParameterName"],
        about: "reads a parameter whose tags allow it",
        grant: Grant::On {
            names: &PARAMETER,
            actions: &["ssm:GetParameter", "ssm:GetParameters"],
            parts: &[],
        },
    },
    Template {
        name: "AWSSecretsManagerGetSecretValuePolicy",
        parameters: &["SecretArn"],
        about: "reads a secret whose tags allow it",
        grant: Grant::On {
            names: &SECRET,
            actions: &["secretsmanager:GetSecretValue"],
            parts: &[],
        },
    },
    Template {
        name: "VPCAccessPolicy",
        parameters: &[],
        about: "makes the network interfaces of a function in a VPC (a function with `VpcConfig` has it already)",
        grant: Grant::Custom(|judge, _, _| judge.grant(function::network_interfaces())),
    },
];

/// The rule of `Policies`: a list that is not empty, each item a map with exactly one template.
pub(super) fn check(judge: &mut Judge<'_>, place: &Place<'_>, value: &mut Value) {
    if managed(value).is_some() || has_statement(value) {
        return policy(judge, place, value);
    }
    let Some(items) = judge.filled_list(place, value) else {
        return;
    };
    for (at, item) in items.iter().enumerate() {
        policy(judge, &place.index(at), item);
    }
}

/// The name or ARN of a managed policy, also one that is put together.
fn managed(item: &Value) -> Option<&str> {
    item.as_str().or_else(|| item.get("Fn::Sub")?.as_str())
}

fn has_statement(item: &Value) -> bool {
    ["Statement", "PolicyDocument"]
        .iter()
        .any(|key| item.get(key).is_some())
}

/// What templates of others often have instead of a policy template.
fn no_template(judge: &mut Judge<'_>, place: &Place<'_>, item: &Value) -> bool {
    let problem = if let Some(text) = managed(item) {
        let name = text.rsplit('/').next().unwrap_or(text);
        match TEMPLATES.iter().find(|template| template.name == name) {
            Some(template) => Some((
                format!("`{name}` has no parameters here"),
                format!("write `- {name}: {{{}}}`", parameters(template)),
            )),
            None => Some((
                format!("`{}` is a managed policy, and those are not allowed", shown(name)),
                instead_of(name).unwrap_or(TEMPLATE_HELP).to_owned(),
            )),
        }
    } else if is_intrinsic(item) {
        Some((
            "a policy from elsewhere is not allowed".to_owned(),
            TEMPLATE_HELP.to_owned(),
        ))
    } else {
        has_statement(item).then(|| {
            (
                "statements of one's own are not allowed in `Policies`".to_owned(),
                format!("{TEMPLATE_HELP}; or name a `Role` that has the statements"),
            )
        })
    };
    let Some((message, help)) = problem else { return false };
    judge.refuse(codes::POLICIES, place, message, help);
    true
}

fn parameters(template: &Template) -> String {
    let all: Vec<_> = template.parameters.iter().map(|name| format!("{name}: ...")).collect();
    all.join(", ")
}

const TEMPLATE_HELP: &str = "write the policy template for what is used, such as `- SQSSendMessagePolicy: {QueueName: \
                             !Ref Queue}`; docs/policy.md lists them";

/// What makes a managed policy unneeded: Fenrir's role has it, for exactly what is named.
fn instead_of(managed: &str) -> Option<&'static str> {
    Some(match managed {
        "AWSLambdaBasicExecutionRole" => "leave it out: Fenrir grants the log group",
        "AWSLambdaVPCAccessExecutionRole" => "leave it out: Fenrir grants it to a function with `VpcConfig`",
        "AWSXRayDaemonWriteAccess" | "AWSXrayWriteOnlyAccess" => {
            "leave it out: Fenrir grants it to a function with `Tracing: Active`"
        }
        "AWSLambdaSQSQueueExecutionRole" | "AWSLambdaKinesisExecutionRole" | "AWSLambdaDynamoDBExecutionRole" => {
            "leave it out: Fenrir grants what the `Events` of the function need"
        }
        _ => return None,
    })
}

fn policy(judge: &mut Judge<'_>, place: &Place<'_>, item: &Value) {
    if no_template(judge, place, item) {
        return;
    }
    let sole = item.as_object().and_then(intrinsic::sole);
    let Some((name, parameters)) = sole else {
        let given = item.as_object().map_or_else(
            || describe(item).to_owned(),
            |members| format!("a map with {}", members.len()),
        );
        return judge.refuse(
            codes::POLICIES,
            place,
            format!("a policy is a map with exactly one policy template in it, and this is {given}"),
            "write one template per item, such as `- SQSSendMessagePolicy: {QueueName: !Ref Queue}`",
        );
    };
    let place = place.key(name);
    let Some(template) = TEMPLATES.iter().find(|template| template.name == name) else {
        let names = TEMPLATES.iter().map(|template| template.name);
        let help = match nearest(name, names.clone()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("allowed are {}", any_of(&names.collect::<Vec<_>>())),
        };
        return judge.refuse(
            codes::POLICIES,
            &place,
            format!("`{}` is no policy that may be used", shown(name)),
            help,
        );
    };
    let Some(members) = exact_parameters(judge, &place, template, parameters) else {
        return;
    };
    match &template.grant {
        Grant::Custom(grant) => grant(judge, &place, members),
        Grant::On { names, actions, parts } => {
            for (key, value) in members {
                if let Some(arn) = names.arn(judge, &place.key(key), value) {
                    judge.grant_key(value);
                    let mut statement = Statement::on(actions, arn.clone());
                    statement
                        .resources
                        .extend(parts.iter().map(|part| format!("{arn}{part}")));
                    judge.grant(statement);
                }
            }
        }
    }
}

fn exact_parameters<'v>(
    judge: &mut Judge<'_>,
    place: &Place<'_>,
    template: &Template,
    parameters: &'v Value,
) -> Option<&'v Members> {
    let members = parameters.as_object();
    let is_exact = members.is_some_and(|members| {
        members.len() == template.parameters.len() && template.parameters.iter().all(|name| members.contains_key(*name))
    });
    if !is_exact {
        let wanted = match template.parameters {
            [] => "an empty map, `{}`".to_owned(),
            names => format!(
                "exactly {}",
                names.iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(" and ")
            ),
        };
        judge.refuse(
            codes::POLICIES,
            place,
            format!("`{}` takes {wanted}", template.name),
            format!("it {}", template.about),
        );
    }
    members.filter(|_| is_exact)
}

impl Named {
    /// The literal ARN of what a parameter names; or a problem.
    fn arn(&self, judge: &mut Judge<'_>, place: &Place<'_>, value: &Value) -> Option<String> {
        match (value, self.existing) {
            (Value::String(text), Some(existing)) => existing(judge, place, text),
            (_, _) if self.types.is_empty() => {
                judge.literal(place, value)?;
                None
            }
            _ => {
                let (target, local) = judge.local_target(place, value, self.types)?;
                let fits = match target {
                    Target::Ref(_) => true,
                    Target::GetAtt(_, attribute) => self.attribute == Some(attribute),
                };
                if !fits {
                    judge.refuse(
                        codes::LOCAL,
                        place,
                        format!("`{}` takes the name of a resource", place.name()),
                        format!("write `!Ref {}`", local.id),
                    );
                    return None;
                }
                Some(judge.arn_of(local))
            }
        }
    }
}

fn table_stream(judge: &mut Judge<'_>, place: &Place<'_>, members: &Members) {
    let (Some(table), Some(stream)) = (members.get("TableName"), members.get("StreamName")) else {
        return;
    };
    let Some(arn) = TABLE.arn(judge, &place.key("TableName"), table) else {
        return;
    };
    let table = intrinsic::target(table).map(Target::id);
    let is_own = matches!(intrinsic::target(stream), Some(Target::GetAtt(id, "StreamArn")) if Some(id) == table);
    if !is_own {
        return judge.refuse(
            codes::POLICIES,
            &place.key("StreamName"),
            "`StreamName` must be the stream of the same table",
            format!("write `!GetAtt {}.StreamArn`", table.unwrap_or("Table")),
        );
    }
    judge.grant(Statement::on(
        &[
            "dynamodb:DescribeStream",
            "dynamodb:GetRecords",
            "dynamodb:GetShardIterator",
            "dynamodb:ListStreams",
        ],
        format!("{arn}/stream/*"),
    ));
}

fn metrics(judge: &mut Judge<'_>, _place: &Place<'_>, _members: &Members) {
    let owner = judge.owner();
    judge.grant(Statement {
        actions: &["cloudwatch:PutMetricData"],
        // The action knows no resource; the namespace is what can be limited.
        resources: vec!["*".to_owned()],
        condition: Some(json!({
            "StringEquals": { "cloudwatch:namespace": format!("{}/{}", owner.project, owner.config) },
        })),
    });
}
