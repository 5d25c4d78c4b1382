//! Many deploys at once. Of those that want one project, one gets it; those of many projects do not hinder each other.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use aws_config::SdkConfig;

use fenrir_core::deployment::Deployment;
use fenrir_harness::{Answer, Invoke, Steps};
use fenrir_testkit::{Application, Deployer, Ended};
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};

/// Deploys at once.
const CONTENDERS: usize = 20;
/// Projects at once, and deploys of each.
const PROJECTS: usize = 20;
const OF_EACH: usize = 2;

/// Rounds in every test run; `$FENRIR_ROUNDS` says otherwise (`make race`).
const FEW: usize = 3;

fn rounds() -> usize {
    std::env::var("FENRIR_ROUNDS").map_or(FEW, |rounds| rounds.parse().unwrap())
}

#[test]
fn of_twenty_deploys_of_one_project_one_wins() {
    let track = Track::start(CONTENDERS);
    for round in 0..rounds() {
        let release = |number| ("race-one".to_owned(), format!("round-{round}-{number}"));
        let entries: Vec<_> = (0..CONTENDERS).map(release).collect();
        track.race(&entries);
    }
}

#[test]
fn of_twenty_projects_each_has_one_winner() {
    let track = Track::start(PROJECTS * OF_EACH);
    for round in 0..rounds() {
        let release = |number| {
            let project = format!("race-{}", number / OF_EACH);
            (project.clone(), format!("{project}-round-{round}-{}", number % OF_EACH))
        };
        let entries: Vec<_> = (0..PROJECTS * OF_EACH).map(release).collect();
        track.race(&entries);
    }
}

/// Where the races are run.
struct Track {
    deployer: Deployer,
    racers: Vec<Racer>,
}

/// Who deploys: with Lambdas and a runtime of his own, to which their connections belong.
struct Racer {
    runtime: Runtime,
    config: SdkConfig,
    steps: Steps,
}

/// The deploys of one project that have not ended yet. Whoever holds the lock goes on when it is the only one, so that
/// nobody comes late and finds the lock free again.
struct Field {
    running: AtomicUsize,
}

impl Track {
    fn start(deploys: usize) -> Self {
        let mut deployer = Deployer::install_in_process();
        deployer
            .aws()
            .turn(&json!({"stack_seconds": 0.02, "change_set_seconds": 0.02}));
        let racers = (0..deploys).map(|_| {
            let runtime = Builder::new_current_thread().enable_all().build().unwrap();
            let config = runtime.block_on(deployer.config());
            let steps = runtime.block_on(Steps::of(&deployer));
            Racer { runtime, config, steps }
        });
        let racers: Vec<Racer> = racers.collect();
        // Whoever judges does so in the first one's runtime.
        racers[0].runtime.block_on(deployer.keep_config());
        Self { deployer, racers }
    }

    /// Runs all entries (project and release) at once, and asserts what must be so afterwards.
    fn race(&self, entries: &[(String, String)]) {
        let mut fields: BTreeMap<&str, Field> = BTreeMap::new();
        for (project, _) in entries {
            let field = fields.entry(project).or_insert(Field {
                running: AtomicUsize::new(0),
            });
            field.running.fetch_add(1, Ordering::SeqCst);
        }
        let ended: Vec<Ended> = thread::scope(|scope| {
            let running: Vec<_> = entries
                .iter()
                .zip(&self.racers)
                .map(|((project, release_id), racer)| {
                    let field = &fields[project.as_str()];
                    scope.spawn(move || {
                        let ended = racer
                            .runtime
                            .block_on(Box::pin(self.deploy(project, release_id, racer, field)));
                        field.running.fetch_sub(1, Ordering::SeqCst);
                        ended
                    })
                })
                .collect();
            running.into_iter().map(|running| running.join().unwrap()).collect()
        });
        let runtime = &self.racers[0].runtime;
        for project in fields.keys() {
            let of_project: Vec<(&str, &Ended)> = entries
                .iter()
                .zip(&ended)
                .filter(|((of, _), _)| of == project)
                .map(|((_, release_id), ended)| (release_id.as_str(), ended))
                .collect();
            runtime.block_on(self.judge(project, &of_project));
        }
    }

    fn application(&self, project: &str, release_id: &str) -> Application {
        let topic = json!({"Type": "AWS::SNS::Topic", "Properties": {"DisplayName": release_id}});
        self.deployer.application(project).with("Topic", topic)
    }

    async fn deploy(&self, project: &str, release_id: &str, racer: &Racer, field: &Field) -> Ended {
        let application = self.application(project, release_id);
        let release = application.upload(&racer.config, release_id).await;
        let invoke: Box<Invoke<'_>> = Box::new(|step, event| Box::pin(invoke(&racer.steps, field, step, event)));
        let machine = fenrir_harness::machine(&*invoke, 0.05);
        fenrir_harness::ended(fenrir_harness::execute(&self.deployer, &machine, release_id, release).await)
    }

    /// One winner, and the stack is its; the losers say who holds the lock; nothing is stranded.
    async fn judge(&self, project: &str, ended: &[(&str, &Ended)]) {
        let winners: Vec<&str> = ended
            .iter()
            .filter(|(_, ended)| ended.status == "SUCCEEDED")
            .map(|(release_id, _)| *release_id)
            .collect();
        let [winner] = winners[..] else {
            panic!("the winners of {project} are {winners:?}: {ended:?}");
        };
        let owner = self.application(project, winner).owner().clone();
        assert_eq!(self.deployer.lock(&owner).await, None, "no lock is left");
        assert_eq!(
            self.deployer.change_sets(&owner).await,
            Vec::<String>::new(),
            "no change set is left"
        );
        assert_eq!(self.display_name(&owner).await, winner, "the stack is the winner's");
        let standing = self.deployer.standing(&owner).await;
        assert_eq!(standing.deployed.as_deref(), Some(winner), "{standing:?}");
        assert_eq!(
            standing.last, standing.deployed,
            "who was refused is not the last: {standing:?}"
        );
        for (release_id, ended) in ended {
            let record = self
                .deployer
                .record(&owner, release_id)
                .await
                .expect("every release has a record");
            if *release_id == winner {
                assert_eq!(record["status"], "SUCCESS");
                continue;
            }
            assert_eq!(ended.error, "FailureClean.LockExistsError", "{}", ended.cause);
            let says = ended
                .cause
                .contains(&format!("release `{winner}` holds the lock since"));
            assert!(
                says && ended.cause.ends_with(&format!("(release {release_id})")),
                "{}",
                ended.cause
            );
            assert_eq!(record["status"], "REFUSED");
            assert!(
                ended.cause.starts_with(&record["cause"]),
                "the record says {}",
                record["cause"]
            );
        }
    }

    async fn display_name(&self, owner: &fenrir_core::owner::Owner) -> String {
        let config = &self.racers[0].config;
        let stack = self.deployer.stack(owner).await.expect("there is a stack");
        let listed = aws_sdk_cloudformation::Client::new(config)
            .list_stack_resources()
            .stack_name(stack.stack_id().unwrap())
            .send()
            .await
            .unwrap();
        let topic = listed.stack_resource_summaries()[0].physical_resource_id().unwrap();
        let sns = aws_sdk_sns::Client::new(config);
        let found = sns.get_topic_attributes().topic_arn(topic).send().await.unwrap();
        found.attributes().unwrap()["DisplayName"].clone()
    }
}

async fn invoke(steps: &Steps, field: &Field, step: &'static str, event: Value) -> Answer {
    if step == "create-changeset" {
        let deployment: Deployment = serde_json::from_value(event.clone()).unwrap();
        let began = Instant::now();
        while field.running.load(Ordering::SeqCst) > 1 {
            assert!(
                began.elapsed().as_secs() < 120,
                "{} holds the lock, and {} others neither get it nor end",
                deployment.release.release_id,
                field.running.load(Ordering::SeqCst) - 1
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    steps.invoke(step, event).await
}
