//! A project of one test: what its developer runs, and what becomes of its stack, its lock and its records.

use std::process::Child;
use std::time::{Duration, Instant};

use fenrir_core::names;
use fenrir_core::owner::Owner;
use fenrir_testkit::{Deployer, Ended};

use crate::workplace::{Ran, Workplace};

/// A project of one test.
pub(crate) struct Project {
    deployer: &'static Deployer,
    name: &'static str,
    pub(crate) owner: Owner,
    pub(crate) folder: Workplace,
}

impl Project {
    pub(crate) fn of(deployer: &'static Deployer, name: &'static str, resources: &str) -> Self {
        Self {
            deployer,
            name,
            owner: deployer.application(name).owner().clone(),
            folder: Workplace::with(deployer, name, resources),
        }
    }

    pub(crate) fn resources(&self, resources: &str) {
        self.folder.resources(self.name, resources);
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        self.folder.run(arguments)
    }

    pub(crate) fn start(&self, arguments: &[&str]) -> Child {
        let mut command = self.folder.command(arguments);
        command
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped());
        command.spawn().unwrap()
    }

    /// Waits until the stack stands at `status`.
    pub(crate) async fn until(&self, status: &str) {
        let began = Instant::now();
        while self.status().await.as_deref() != Some(status) {
            assert!(
                began.elapsed() < Duration::from_mins(1),
                "the stack never stood at {status}"
            );
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    }

    /// Waits until the stack has a change set that nobody has executed.
    pub(crate) async fn until_change_set(&self) {
        let began = Instant::now();
        while self.deployer.change_sets(&self.owner).await.is_empty() {
            assert!(began.elapsed() < Duration::from_mins(1), "no change set was ever made");
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    }

    /// Waits until the resource stands at `status` in the operation under way.
    pub(crate) async fn until_resource(&self, logical_id: &str, status: &str) -> String {
        let began = Instant::now();
        loop {
            let config = self.deployer.config().await;
            let found = aws_sdk_cloudformation::Client::new(&config)
                .describe_stack_resource()
                .stack_name(names::stack(&self.owner))
                .logical_resource_id(logical_id)
                .send()
                .await;
            let detail = found.ok().and_then(|found| found.stack_resource_detail);
            if let Some(detail) = detail
                && detail.resource_status().unwrap().as_str() == status
            {
                return detail.physical_resource_id.unwrap();
            }
            assert!(
                began.elapsed() < Duration::from_mins(1),
                "{logical_id} never stood at {status}"
            );
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    }

    pub(crate) async fn status(&self) -> Option<String> {
        let stack = self.deployer.stack(&self.owner).await?;
        Some(stack.stack_status()?.as_str().to_owned())
    }

    /// The end of the release that `ran` was about: its path, and what it says.
    pub(crate) async fn end(&self, ran: &Ran) -> Ended {
        let execution = self.deployer.state_machine().replace(":stateMachine:", ":execution:");
        self.deployer.end_of(&format!("{execution}:{}", ran.release())).await
    }

    /// After a clean end: no lock, no change set, and the record says the same.
    pub(crate) async fn is_clean(&self, ran: &Ran) {
        assert_eq!(self.deployer.lock(&self.owner).await, None);
        assert_eq!(self.deployer.change_sets(&self.owner).await, Vec::<String>::new());
        let record = self.deployer.record(&self.owner, ran.release()).await.unwrap();
        assert_eq!(record["status"], "FAILURE_CLEAN");
        assert!(self.end(ran).await.cause.contains(&record["cause"]));
    }
}
