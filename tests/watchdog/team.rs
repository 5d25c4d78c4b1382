//! The team: a queue that subscribes to the topic of the alerts.

use fenrir_testkit::Deployer;
use serde_json::{Value, json};

use crate::until;

/// Who hears of alerts.
pub(crate) struct Team {
    deployer: &'static Deployer,
    queue: String,
}

/// One alert.
pub(crate) struct Told {
    pub(crate) subject: String,
    message: String,
}

impl Told {
    /// What stands behind `name: ` on its line.
    pub(crate) fn field(&self, name: &str) -> &str {
        let found = self
            .message
            .lines()
            .find_map(|line| line.strip_prefix(&format!("{name}: ")));
        found.unwrap_or_else(|| panic!("no `{name}` in {}", self.message))
    }
}

impl Team {
    /// Subscribes a queue of this name.
    pub(crate) async fn listen(deployer: &'static Deployer, name: &str) -> Self {
        let (account, region) = (Deployer::ACCOUNT, Deployer::REGION);
        let name = format!("team-{name}");
        let arn = format!("arn:aws:sqs:{region}:{account}:{name}");
        let policy = json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": arn
        }]});
        let made = deployer.aws().call(
            account,
            "AmazonSQS.CreateQueue",
            &json!({"QueueName": name, "Attributes": {"Policy": policy.to_string()}}),
        );
        aws_sdk_sns::Client::new(&deployer.config().await)
            .subscribe()
            .topic_arn(format!("arn:aws:sns:{region}:{account}:fenrir-alerts"))
            .protocol("sqs")
            .endpoint(arn)
            .send()
            .await
            .unwrap();
        Self {
            deployer,
            queue: made["QueueUrl"].as_str().unwrap().to_owned(),
        }
    }

    /// The next alert of this project.
    pub(crate) async fn heard_of(&self, project: &str) -> Told {
        let line = format!("project: {project}");
        until(&format!("the team hears of {project}"), async || {
            let request = json!({"QueueUrl": self.queue, "MaxNumberOfMessages": 10});
            let found = self
                .deployer
                .aws()
                .call(Deployer::ACCOUNT, "AmazonSQS.ReceiveMessage", &request);
            let messages = found["Messages"].as_array().cloned().unwrap_or_default();
            messages
                .iter()
                .map(told)
                .find(|told| told.message.lines().any(|found| found == line))
        })
        .await
    }
}

fn told(message: &Value) -> Told {
    let envelope: Value = serde_json::from_str(message["Body"].as_str().unwrap()).unwrap();
    let text = |name: &str| envelope[name].as_str().unwrap_or_default().to_owned();
    Told {
        subject: text("Subject"),
        message: text("Message"),
    }
}
