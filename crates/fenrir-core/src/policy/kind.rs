//! Kinds of things that a template may refer to: resources of its own, or existing ones whose tags allow it.

use serde_json::{Value, json};

use super::arn::{Arn, Scope, Whose};
use super::judge::{Judge, Local};
use super::place::Place;
use super::rule::{any_of, describe};
use crate::codes;
use crate::template::intrinsic::{self, Target};
use crate::template::shown;

/// A kind of thing with an ARN.
#[derive(Debug)]
pub struct Kind {
    /// What a message calls it.
    pub noun: &'static str,
    /// Service of its ARN.
    pub service: &'static str,
    /// What stands before the name in the resource part of its ARN (`table/`).
    pub prefix: &'static str,
    /// Which parts its ARN has.
    pub scope: Scope,
    /// Whether a text can be its name. Never one with `*`, `?` or `:`.
    pub name: fn(&str) -> bool,
    /// The types of the template that are of this kind, and what gives their ARN.
    pub local: &'static [(&'static str, Gives)],
}

/// What gives the ARN of a resource of the template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gives {
    /// `!Ref`.
    Ref,
    /// `!GetAtt` of this attribute.
    Attribute(&'static str),
}

impl Kind {
    /// Checks a reference, rewrites it to what names it exactly (the ARN that was checked, or the intrinsic that gives
    /// the ARN), and returns its literal ARN for statements of a role.
    pub fn reference(&self, judge: &mut Judge<'_>, place: &Place<'_>, value: &mut Value) -> Option<String> {
        if let Value::String(text) = value {
            let arn = self.existing(judge, place, text)?;
            *value = Value::String(arn.clone());
            return Some(arn);
        }
        let (exact, arn) = self.of_template(judge, place, value, true)?;
        *value = exact;
        Some(arn)
    }

    /// As [`Self::reference`], but only of the template.
    pub fn local_reference(&self, judge: &mut Judge<'_>, place: &Place<'_>, value: &mut Value) -> Option<String> {
        let (exact, arn) = self.of_template(judge, place, value, false)?;
        *value = exact;
        Some(arn)
    }

    /// The ARN of an existing thing by its name or ARN, when its tags allow it.
    pub fn existing(&self, judge: &mut Judge<'_>, place: &Place<'_>, text: &str) -> Option<String> {
        let arn = self.arn(judge, place, text)?;
        judge.ask_arn(place, self.noun, &arn).then_some(arn)
    }

    /// A name or an ARN as the ARN of this kind in the release's own account and region; or a problem.
    pub fn arn(&self, judge: &mut Judge<'_>, place: &Place<'_>, text: &str) -> Option<String> {
        let Some(arn) = Arn::parse(text) else {
            if (self.name)(text) {
                return Some(judge.arn(&self.tail(text)));
            }
            self.malformed(judge, place, text);
            return None;
        };
        let name = Some(arn.resource).filter(|_| arn.service == self.service);
        let Some(_) = name
            .and_then(|resource| resource.strip_prefix(self.prefix))
            .filter(|name| (self.name)(name))
        else {
            self.malformed(judge, place, text);
            return None;
        };
        match arn.whose(judge, self.scope) {
            Whose::Own => Some(text.to_owned()),
            Whose::Foreign => {
                self.foreign(judge, place, text);
                None
            }
            Whose::Unknown => {
                judge.nowhere(place, text);
                None
            }
        }
    }

    fn foreign(&self, judge: &mut Judge<'_>, place: &Place<'_>, text: &str) {
        let owner = judge.owner();
        let own = if owner.has_account() && owner.has_region() {
            format!("account `{}` and region `{}`", owner.account, owner.region)
        } else {
            "the own account and region".to_owned()
        };
        judge.refuse(
            codes::FOREIGN,
            place,
            format!("`{}` is not of {own}", shown(text)),
            format!("only {} of the own account and region can be used", self.a_noun()),
        );
    }

    fn tail(&self, name: &str) -> String {
        let part = |wanted, text| if wanted { text } else { "" };
        format!(
            "{}:{}:{}:{}{name}",
            self.service,
            part(self.scope.region, "{region}"),
            part(self.scope.account, "{account}"),
            self.prefix
        )
    }

    fn malformed(&self, judge: &mut Judge<'_>, place: &Place<'_>, text: &str) {
        let like = judge.arn(&self.tail("name"));
        judge.refuse(
            codes::REFERENCE,
            place,
            format!("`{}` is neither the name nor the ARN of {}", shown(text), self.a_noun()),
            format!("write the name, or the whole ARN, such as `{like}`"),
        );
    }

    /// A reference into the template: the intrinsic that gives the ARN, and the literal ARN.
    fn of_template(
        &self,
        judge: &mut Judge<'_>,
        place: &Place<'_>,
        value: &Value,
        or_existing: bool,
    ) -> Option<(Value, String)> {
        let Some(target) = intrinsic::target(value) else {
            judge.refuse(
                codes::REFERENCE,
                place,
                format!(
                    "`{}` is {} where {} is meant",
                    shown(place.name()),
                    describe(value),
                    self.a_noun()
                ),
                self.help(or_existing),
            );
            return None;
        };
        let local = judge.local(target.id())??;
        let gives = self.gives(local);
        let fits = match (target, gives) {
            (_, None) => false,
            (Target::Ref(_), Some(_)) => true,
            (Target::GetAtt(_, named), Some(gives)) => matches!(gives, Gives::Attribute(exact) if exact == named),
        };
        let Some(gives) = gives.filter(|_| fits) else {
            judge.refuse(
                codes::LOCAL,
                place,
                format!(
                    "`{}` (`{}`) does not give {} here",
                    target.id(),
                    local.kind.name,
                    self.a_noun()
                ),
                self.help(or_existing),
            );
            return None;
        };
        let exact = match gives {
            Gives::Ref => json!({ "Ref": local.id }),
            Gives::Attribute(attribute) => json!({ "Fn::GetAtt": [local.id, attribute] }),
        };
        Some((exact, judge.arn_of(local)))
    }

    fn gives(&self, local: Local<'_>) -> Option<Gives> {
        self.local
            .iter()
            .find(|(name, _)| *name == local.kind.name)
            .map(|(_, gives)| *gives)
    }

    fn help(&self, or_existing: bool) -> String {
        let types: Vec<_> = self.local.iter().map(|(name, _)| *name).collect();
        let existing = format!("the name or ARN of an existing {} whose tags allow it", self.noun);
        let own = self.local.first().map(|(_, gives)| match gives {
            Gives::Attribute(attribute) => {
                format!("`!GetAtt <id>.{attribute}` of a resource of type {}", any_of(&types))
            }
            Gives::Ref => format!("`!Ref` of a resource of type {}", any_of(&types)),
        });
        match (own, or_existing) {
            (Some(own), true) => format!("write {existing}, or {own}"),
            (Some(own), false) => format!("write {own}"),
            (None, _) => format!("write {existing}"),
        }
    }

    /// The noun with its article.
    fn a_noun(&self) -> String {
        let article = if self.noun.starts_with(['a', 'e', 'i', 'o', 'u']) && !self.noun.starts_with("us") {
            "an"
        } else {
            "a"
        };
        format!("{article} {}", self.noun)
    }
}

/// Letters, digits and these other characters, at least one and at most `limit`.
fn made_of(text: &str, others: &str, limit: usize) -> bool {
    (1..=limit).contains(&text.len()) && text.chars().all(|c| c.is_ascii_alphanumeric() || others.contains(c))
}

/// An SQS queue. Source of the name: SQS API, `CreateQueue`, `QueueName`.
pub static QUEUE: Kind = Kind {
    noun: "queue",
    service: "sqs",
    prefix: "",
    scope: Scope::REGIONAL,
    name: |name| made_of(name.strip_suffix(".fifo").unwrap_or(name), "-_", 80),
    local: &[("AWS::SQS::Queue", Gives::Attribute("Arn"))],
};

/// An SNS topic. Source of the name: SNS API, `CreateTopic`, `Name`.
pub static TOPIC: Kind = Kind {
    noun: "topic",
    service: "sns",
    prefix: "",
    scope: Scope::REGIONAL,
    name: |name| made_of(name.strip_suffix(".fifo").unwrap_or(name), "-_", 256),
    local: &[("AWS::SNS::Topic", Gives::Ref)],
};

/// A function, without version or alias. Source of the name: Lambda API, `CreateFunction`, `FunctionName`.
pub static FUNCTION: Kind = Kind {
    noun: "function",
    service: "lambda",
    prefix: "function:",
    scope: Scope::REGIONAL,
    name: |name| made_of(name, "-_", 64),
    local: &[("AWS::Serverless::Function", Gives::Attribute("Arn"))],
};

/// An S3 bucket. Source of the name: S3 User Guide, "General purpose bucket naming rules".
pub static BUCKET: Kind = Kind {
    noun: "bucket",
    service: "s3",
    prefix: "",
    scope: Scope::BARE,
    name: |name| made_of(name, "-.", 63),
    local: &[("AWS::S3::Bucket", Gives::Attribute("Arn"))],
};

/// An EventBridge bus. Source of the name: EventBridge API, `CreateEventBus`, `Name`; a `/` is kept for partners.
pub static EVENT_BUS: Kind = Kind {
    noun: "event bus",
    service: "events",
    prefix: "event-bus/",
    scope: Scope::REGIONAL,
    name: |name| made_of(name, "-_.", 256),
    local: &[],
};

/// The ARN of a bus by name or ARN. `default` belongs to everybody; another bus must be tagged.
pub fn event_bus(judge: &mut Judge<'_>, place: &Place<'_>, text: &str) -> Option<String> {
    if text == "default" {
        return Some(judge.arn("events:{region}:{account}:event-bus/default"));
    }
    EVENT_BUS.existing(judge, place, text)
}

/// The rule of `EventBusName`: `default` stays, another bus becomes the ARN that was checked.
pub fn event_bus_rule(judge: &mut Judge<'_>, place: &Place<'_>, value: &mut Value) {
    if let Some(text) = judge.literal(place, value)
        && text != "default"
        && let Some(arn) = EVENT_BUS.existing(judge, place, text)
    {
        *value = Value::String(arn);
    }
}

/// A Kinesis stream. Source of the name: Kinesis API, `CreateStream`, `StreamName`.
pub static STREAM: Kind = Kind {
    noun: "stream",
    service: "kinesis",
    prefix: "stream/",
    scope: Scope::REGIONAL,
    name: |name| made_of(name, "-_.", 128),
    local: &[],
};

/// A DynamoDB table. Source of the name: DynamoDB API, `CreateTable`, `TableName`.
pub static TABLE: Kind = Kind {
    noun: "table",
    service: "dynamodb",
    prefix: "table/",
    scope: Scope::REGIONAL,
    name: |name| made_of(name, "-_.", 255),
    local: &[
        ("AWS::DynamoDB::Table", Gives::Attribute("Arn")),
        ("AWS::Serverless::SimpleTable", Gives::Attribute("Arn")),
    ],
};

/// A log group. Source of the name: CloudWatch Logs API, `CreateLogGroup`, `logGroupName`.
pub static LOG_GROUP: Kind = Kind {
    noun: "log group",
    service: "logs",
    prefix: "log-group:",
    scope: Scope::REGIONAL,
    name: |name| made_of(name, "-_/.#", 512),
    local: &[("AWS::Logs::LogGroup", Gives::Attribute("Arn"))],
};

/// A Cognito user pool. Source of the id: Cognito API, `CreateUserPool`, `Id`.
pub static USER_POOL: Kind = Kind {
    noun: "user pool",
    service: "cognito-idp",
    prefix: "userpool/",
    scope: Scope::REGIONAL,
    name: |name| made_of(name, "-_", 55),
    local: &[],
};

/// A KMS key by its id. Source of the id: KMS API, `DescribeKey`, `KeyId`.
const KEY_BY_ID: Kind = Kind {
    noun: "key",
    service: "kms",
    prefix: "key/",
    scope: Scope::REGIONAL,
    name: |name| made_of(name, "-", 64),
    local: &[],
};

/// A KMS key by id, ARN, `alias/name` or the ARN of an alias: its ARN, when its tags allow it.
pub fn key(judge: &mut Judge<'_>, place: &Place<'_>, text: &str) -> Option<String> {
    static ALIAS: Kind = Kind {
        noun: "key alias",
        prefix: "alias/",
        name: |name| made_of(name, "-_/", 250) && !name.starts_with("aws/"),
        ..KEY_BY_ID
    };
    let alias = match Arn::parse(text) {
        Some(arn) if arn.resource.starts_with("alias/") => {
            let known = ALIAS.arn(judge, place, text)?;
            known.split_once(":alias/").map(|(_, name)| format!("alias/{name}"))
        }
        Some(_) => None,
        None => text.starts_with("alias/").then(|| text.to_owned()),
    };
    let Some(alias) = alias else {
        return KEY_BY_ID.existing(judge, place, text);
    };
    if let Some(name) = alias.strip_prefix("alias/") {
        ALIAS.arn(judge, place, name)?;
    }
    let arn = judge.ask_kms_alias(place, &alias)?;
    KEY_BY_ID.existing(judge, place, &arn)
}

/// The rule of a property that takes a KMS key: literal, correct tags, rewritten to the key's ARN.
pub fn key_rule(judge: &mut Judge<'_>, place: &Place<'_>, value: &mut Value) {
    if let Some(text) = judge.literal(place, value)
        && let Some(arn) = key(judge, place, text)
    {
        *value = Value::String(arn);
    }
}

/// A state machine. Source of the name: Step Functions API, `CreateStateMachine`, `name`.
pub static STATE_MACHINE: Kind = Kind {
    noun: "state machine",
    service: "states",
    prefix: "stateMachine:",
    scope: Scope::REGIONAL,
    name: |name| made_of(name, "-_", 80),
    local: &[("AWS::Serverless::StateMachine", Gives::Attribute("Arn"))],
};

/// A certificate by its id. Source of the id: ACM API, `RequestCertificate`, `CertificateArn`.
pub static CERTIFICATE: Kind = Kind {
    noun: "certificate",
    service: "acm",
    prefix: "certificate/",
    scope: Scope::REGIONAL,
    name: |name| made_of(name, "-", 64),
    local: &[],
};
