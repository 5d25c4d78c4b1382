//! Whose is it: turns what a template refers to ([`Wanted`]) into what AWS says about it ([`World`]).
//!
//! All questions are asked at once: tags through the Resource Groups Tagging API in batches, roles through IAM, keys by
//! alias through KMS, security groups and subnets through EC2. What AWS does not know is simply not in the world, and so is nobody's; what
//! could not be found out stands in [`World::unknown`] with the reason, and is never allowed.

mod aliases;
mod network;
mod roles;
mod tags;

use aws_types::SdkConfig;
use fenrir_core::error::{Fault, FaultKind};
use fenrir_core::owner::Owner;
use fenrir_core::ownership::{Wanted, World};
use tokio::task::JoinSet;

/// Calls of [`Owners::fetch`], with the role of the account that is asked.
pub const ACTIONS: &[&str] = &[
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSubnets",
    "iam:GetRole",
    "kms:DescribeKey",
    "tag:GetResources",
];

/// The services of one account and region that know owners.
#[derive(Debug, Clone)]
pub struct Owners {
    tagging: aws_sdk_resourcegroupstagging::Client,
    iam: aws_sdk_iam::Client,
    kms: aws_sdk_kms::Client,
    ec2: aws_sdk_ec2::Client,
}

/// The answer to one question, or why there is none.
struct Answer {
    /// What was asked: the keys of [`World::unknown`].
    asked: Vec<String>,
    /// What is known, or the fault.
    found: Result<Found, Fault>,
}

/// What one call found out.
enum Found {
    Resources(Vec<fenrir_core::ownership::Tagged>),
    Key {
        alias: String,
        arn: String,
        key: Vec<fenrir_core::ownership::Tagged>,
    },
    Role(Option<fenrir_core::ownership::Tagged>),
    SecurityGroups(Vec<fenrir_core::ownership::Placed>),
    Subnets(Vec<fenrir_core::ownership::Placed>),
}

impl Owners {
    /// The services as `config` reaches them.
    #[must_use]
    pub fn new(config: &SdkConfig) -> Self {
        Self {
            tagging: aws_sdk_resourcegroupstagging::Client::new(config),
            iam: aws_sdk_iam::Client::new(config),
            kms: aws_sdk_kms::Client::new(config),
            ec2: aws_sdk_ec2::Client::new(config),
        }
    }

    /// Asks for everything that is wanted, except artifacts, which are read and not asked for.
    ///
    /// # Errors
    /// A fault of kind [`FaultKind::Transient`]: it says nothing about the template, so the whole question is to be asked
    /// again. Any other fault makes what was asked unknown.
    pub async fn fetch(&self, wanted: &Wanted, owner: &Owner) -> Result<World, Fault> {
        let mut questions = JoinSet::new();
        for arns in tags::batches(&wanted.resources) {
            questions.spawn(tags::ask(self.tagging.clone(), arns));
        }
        for role in &wanted.roles {
            questions.spawn(roles::ask(self.iam.clone(), role.clone()));
        }
        for alias in &wanted.kms_aliases {
            questions.spawn(aliases::ask(self.kms.clone(), self.tagging.clone(), alias.clone()));
        }
        for names in network::batches(&wanted.security_groups) {
            questions.spawn(network::ask_security_groups(self.ec2.clone(), names));
        }
        for question in network::subnet_questions(wanted) {
            questions.spawn(network::ask_subnets(self.ec2.clone(), question));
        }
        let mut world = World {
            account: owner.account.clone(),
            region: owner.region.clone(),
            partition: Some(owner.partition().to_owned()),
            ..World::default()
        };
        while let Some(answer) = questions.join_next().await {
            // A question neither panics nor is cancelled; if it were, nothing it asked for may be believed.
            let answer = answer.map_err(|error| broken(&error))?;
            add(&mut world, answer)?;
        }
        settle(&mut world);
        Ok(world)
    }
}

fn add(world: &mut World, answer: Answer) -> Result<(), Fault> {
    match answer.found {
        Ok(Found::Resources(found)) => world.resources.extend(found),
        Ok(Found::Key { alias, arn, key }) => {
            world.kms_aliases.insert(alias, arn);
            world.resources.extend(key);
        }
        Ok(Found::Role(found)) => world.roles.extend(found),
        Ok(Found::SecurityGroups(found)) => world.security_groups.extend(found),
        Ok(Found::Subnets(found)) => world.subnets.extend(found),
        Err(fault) if fault.kind == FaultKind::Transient => return Err(fault),
        Err(fault) => {
            let why = fault.to_string();
            world
                .unknown
                .extend(answer.asked.into_iter().map(|asked| (asked, why.clone())));
        }
    }
    Ok(())
}

/// One order and no doubles, whatever order the answers came in: a subnet or a key may be the answer to several questions.
fn settle(world: &mut World) {
    world.resources.sort_by(|a, b| a.arn.cmp(&b.arn));
    world.resources.dedup_by(|a, b| a.arn == b.arn);
    world.roles.sort_by(|a, b| a.arn.cmp(&b.arn));
    for placed in [&mut world.security_groups, &mut world.subnets] {
        placed.sort_by(|a, b| a.id.cmp(&b.id));
        placed.dedup_by(|a, b| a.id == b.id);
    }
}

fn broken(error: &tokio::task::JoinError) -> Fault {
    Fault {
        kind: FaultKind::Transient,
        action: "tag:GetResources",
        code: None,
        message: error.to_string(),
    }
}
