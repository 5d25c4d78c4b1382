//! The alerts: what the team hears of an end that somebody should know of.

use fenrir_core::console;
use fenrir_core::deployment::{Head, cut};
use fenrir_core::error::{ErrorName, FaultKind, StepError};
use fenrir_core::problem::printable;

use crate::environment::Environment;

/// Characters of a subject (SNS, `Publish`: fewer than 100, ASCII, no line break).
const SUBJECT_LIMIT: usize = 99;

/// Why the team is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tidings {
    /// Something is left, and the lock stays until somebody has looked.
    Dirty,
    /// The execution ended outside the machine; what it left was settled, and nobody has to do anything.
    Settled,
}

/// An alert.
#[derive(Debug, Clone, Copy)]
pub struct Alert<'a> {
    /// Why.
    pub tidings: Tidings,
    /// Of which release.
    pub head: &'a Head,
    /// ARN of the execution.
    pub execution: &'a str,
    /// Name or ARN of the stack.
    pub stack: &'a str,
    /// What happened, and what to do.
    pub reason: &'a str,
}

impl Alert<'_> {
    /// Publishes it. A second one of the same deploy is better than none.
    ///
    /// # Errors
    /// `TransientError`: it is to be tried again. A missing right or topic is logged only, because the deploy must end:
    /// the rule on failed executions is the second way to hear of it.
    pub async fn publish(&self, env: &Environment) -> Result<(), StepError> {
        let Some(topic) = &env.settings().alert_topic else {
            tracing::error!("nobody hears of this end: `FENRIR_ALERT_TOPIC` is not set");
            return Ok(());
        };
        let sent = aws_sdk_sns::Client::new(env.own())
            .publish()
            .topic_arn(topic)
            .subject(self.subject())
            .message(self.message())
            .send()
            .await;
        let Err(error) = sent else { return Ok(()) };
        let fault = fenrir_aws::fault("sns:Publish", &error);
        if fault.kind == FaultKind::Transient {
            return Err(fault.into_step(ErrorName::InternalError, "publishing the alert"));
        }
        tracing::error!(fault = %fault, topic, "the alert could not be published");
        Ok(())
    }

    fn subject(&self) -> String {
        let owner = &self.head.owner;
        let what = match self.tidings {
            Tidings::Dirty => "FailureDirty",
            Tidings::Settled => "Settled",
        };
        cut(
            &format!("{what}: {} {}", owner.project_name, owner.config_name),
            SUBJECT_LIMIT,
        )
    }

    fn message(&self) -> String {
        let owner = &self.head.owner;
        let page = console::execution(self.execution).unwrap_or_else(|| self.execution.to_owned());
        let what = match self.tidings {
            Tidings::Dirty => "a deploy failed and left something behind; its lock stays until somebody has looked",
            Tidings::Settled => "a deploy ended outside the state machine; Fenrir has settled it",
        };
        format!(
            "{what}\n\
             project: {}\nconfig: {}\naccount: {}\nregion: {}\nrelease: {}\nstack: {}\nreason: {}\n\
             execution: {page}\n",
            owner.project_name,
            owner.config_name,
            owner.aws_account_id,
            owner.aws_region,
            self.head.release_id,
            self.stack,
            printable(self.reason),
        )
    }
}

#[cfg(test)]
mod tests {
    use fenrir_core::deployment::Operation;
    use fenrir_core::owner::Owner;

    use super::*;

    fn head(project: &str) -> Head {
        let owner = Owner {
            account: "222222222222".into(),
            region: "eu-west-1".into(),
            project: project.into(),
            config: "production".into(),
        };
        Head {
            operation: Operation::Deploy,
            release_id: "release-1".into(),
            owner: owner.into(),
            bucket: "b".into(),
            deadline: String::new(),
        }
    }

    fn alert<'a>(tidings: Tidings, head: &'a Head, reason: &'a str) -> Alert<'a> {
        Alert {
            tidings,
            head,
            execution: "arn:aws:states:us-east-1:111111111111:execution:fenrir:release-1",
            stack: "fenrir-p--x",
            reason,
        }
    }

    #[test]
    fn it_says_what_where_why_and_leads_to_the_execution() {
        let head = head("payments/ledger");
        let text = alert(Tidings::Dirty, &head, "a table is left\nproject: another").message();
        for line in [
            "project: payments/ledger",
            "config: production",
            "account: 222222222222",
            "region: eu-west-1",
            "release: release-1",
            "stack: fenrir-p--x",
            "execution: https://us-east-1.console.aws.amazon.com/states/home?region=us-east-1#/v2/executions/details/\
             arn:aws:states:us-east-1:111111111111:execution:fenrir:release-1",
        ] {
            assert!(text.lines().any(|found| found == line), "`{line}` is not in {text}");
        }
        assert_eq!(
            text.lines().filter(|line| line.starts_with("project: ")).count(),
            1,
            "a reason cannot pretend to be another line: {text}"
        );
    }

    #[test]
    fn a_subject_is_as_short_as_sns_wants_it_and_says_whether_somebody_must_look() {
        let long = head(&"p".repeat(80));
        let subject = alert(Tidings::Dirty, &long, "").subject();
        assert!(
            subject.len() < 100 && subject.starts_with("FailureDirty: "),
            "{subject}"
        );
        let short = head("p");
        let subject = alert(Tidings::Settled, &short, "").subject();
        assert_eq!(subject, "Settled: p production");
    }
}
