//! An AWS in which one stack is deployed: as slow, and as faulty, as its script says.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fenrir_core::deployment::{
    Deployment, Execution, Failure, Head, Manifest, ManifestAt, Operation, Stack, Times, Wait, cut,
};
use fenrir_core::error::StepError;
use fenrir_core::owner::Owner;
use fenrir_core::ownership::World;
use fenrir_core::template::Document;
use fenrir_core::{names, policy, timestamp};
use fenrir_lambda::{Environment, Settings, Step};
use fenrir_store::Objects;
use fenrir_testkit::{Answer, Clock, Failed, Machine, Recorded, Request, Run, Task, root};
use serde_json::{Value, json};
use time::OffsetDateTime;

/// What a try of a task takes beside its calls: a warm function, and Step Functions' own work.
const TASK: Duration = Duration::from_millis(300);
/// What entering a state takes.
const STATE: Duration = Duration::from_millis(25);
/// What a call to AWS takes.
const CALL: Duration = Duration::from_millis(50);

const ACCOUNT: &str = "111111111111";
const REGION: &str = "us-east-1";
const CHANGE_SET: &str = "arn:aws:cloudformation:us-east-1:111111111111:changeSet/fenrir-0/1";

/// What happens.
#[derive(Debug, Clone, Default)]
pub(crate) struct Script {
    /// Until the change set is made.
    pub(crate) change_set: Duration,
    /// Until the stack is made, from the execution of the change set.
    pub(crate) stack: Duration,
    /// When somebody halts the deploy, from its beginning.
    pub(crate) halt: Option<Duration>,
    /// Why there is no change set.
    pub(crate) refusal: Option<String>,
    /// What `DescribeEvents` answers.
    pub(crate) findings: Findings,
    /// The events between the stack's first and its failure, newest page and event first; without any it succeeds.
    pub(crate) failures: Vec<Vec<String>>,
    /// A deletion fails for this reason.
    pub(crate) undeletable: Option<String>,
    /// The template's resources.
    pub(crate) resources: usize,
    /// Tags and metadata.
    pub(crate) manifest: Option<Manifest>,
    /// Project and config; short ones where none are given.
    pub(crate) owner: Option<(String, String)>,
}

/// What `DescribeEvents` answers.
#[derive(Debug, Clone, Default)]
pub(crate) enum Findings {
    /// These pages.
    Pages(Vec<Vec<String>>),
    /// An empty list.
    #[default]
    Nothing,
    /// The role has no right to it.
    Denied,
    /// The region does not know the call.
    Unknown,
}

/// What was done so far, and when.
#[derive(Debug, Default)]
struct History {
    began: Option<OffsetDateTime>,
    asked: Option<OffsetDateTime>,
    executed: Option<(OffsetDateTime, String)>,
    deleted: Option<String>,
    objects: BTreeMap<String, String>,
    /// When somebody looked at the stack.
    looks: Vec<OffsetDateTime>,
}

/// The account.
pub(crate) struct Cloud {
    server: Recorded,
    clock: Clock,
    began: OffsetDateTime,
    script: Script,
    history: Arc<Mutex<History>>,
}

/// How a deploy went.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) run: Run,
    /// Between CloudFormation's end and the machine's.
    pub(crate) added: Duration,
    /// Between the last two looks at the stack. CloudFormation may have ended at any moment in between.
    pub(crate) period: Duration,
    /// Between the last look and the machine's end.
    pub(crate) tail: Duration,
    /// Between the halt and the machine's end.
    pub(crate) halted: Duration,
    /// AWS calls after Validate.
    pub(crate) calls: usize,
}

impl Outcome {
    /// The cause of a failure.
    pub(crate) fn cause(&self) -> &str {
        &self.run.outcome.as_ref().unwrap_err().cause
    }
}

impl Cloud {
    pub(crate) fn new(script: Script) -> Self {
        let began = OffsetDateTime::now_utc();
        let clock = Clock::at(began);
        let history = Arc::new(Mutex::new(History::default()));
        let (of_clock, of_history, of_script) = (clock.clone(), Arc::clone(&history), script.clone());
        let server = Recorded::answering(move |request| {
            of_clock.advance(CALL);
            answer(request, &of_script, &mut of_history.lock().unwrap(), of_clock.now())
        });
        Self {
            server,
            clock,
            began,
            script,
            history,
        }
    }

    /// What a step stored under this name.
    pub(crate) fn stored(&self, name: &str) -> Option<Value> {
        let history = self.history.lock().unwrap();
        let (_, body) = history.objects.iter().find(|(key, _)| key.ends_with(name))?;
        Some(serde_json::from_str(body).unwrap())
    }

    /// The requests of one operation.
    pub(crate) fn requests(&self, operation: &str) -> Vec<Request> {
        let all = self.server.requests();
        all.into_iter()
            .filter(|request| request.operation == operation)
            .collect()
    }

    fn owner(&self) -> Owner {
        let (project, config) = self.script.owner.clone().unwrap_or(("team/app".into(), "dev".into()));
        Owner {
            account: ACCOUNT.into(),
            region: REGION.into(),
            project,
            config,
        }
    }

    /// The state as Validate leaves it.
    async fn validated(&self, release_id: &str, execution: &str) -> Deployment {
        let owner = self.owner();
        let timeout = time::Duration::hours(14);
        let head = Head {
            operation: Operation::Deploy,
            release_id: release_id.to_owned(),
            owner: owner.clone().into(),
            bucket: format!("fenrir-{ACCOUNT}-{REGION}"),
            deadline: timestamp::format(self.began + timeout),
        };
        let objects = Objects::new(&self.server.config().await);
        let store = async |name: &str, value: Value| {
            let bytes = value.to_string().into_bytes();
            objects.put_own(&head, name, "application/json", bytes).await.unwrap()
        };
        let rewritten = rewritten(&owner, self.script.resources);
        let manifest = match &self.script.manifest {
            Some(manifest) => ManifestAt::Stored(store("manifest.json", json!(manifest)).await),
            None => ManifestAt::Here(Manifest {
                tags: [
                    ("ConfigName".to_owned(), owner.config.clone()),
                    ("ProjectName".to_owned(), owner.project.clone()),
                ]
                .into(),
                metadata: BTreeMap::new(),
            }),
        };
        let template = store("template.json", rewritten).await;
        Deployment {
            release: head,
            execution: Execution {
                arn: execution.to_owned(),
                started_at: timestamp::format(self.began),
            },
            template,
            manifest,
            stack: Stack {
                name: names::stack(&owner),
                arn: None,
                action: None,
                progress: None,
            },
            change_set: None,
            wait: Wait::default(),
            times: Times::default(),
            halt: None,
            failure: None,
            error: None,
            cleaned: false,
            end: None,
        }
    }

    /// Runs the machine to its end.
    pub(crate) async fn deploy(&self, release_id: &str) -> Outcome {
        let execution = format!("arn:aws:states:{REGION}:{ACCOUNT}:execution:fenrir:{release_id}");
        let validated = self.validated(release_id, &execution).await;
        // The execution that takes the lock is the one that asks for it.
        let holder = ("execution".to_owned(), execution.clone());
        {
            let mut history = self.history.lock().unwrap();
            history.began = Some(self.began);
            history.objects.extend([holder]);
        }
        let calls = self.server.requests().len();
        let mut environments = BTreeMap::new();
        for (resource, step) in STEPS {
            let settings = Settings {
                locks_table: "fenrir-locks".into(),
                releases_table: "fenrir-releases".into(),
                state_machine: Some(format!("arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:fenrir")),
                ..Settings::default()
            };
            let clock = self.clock.clone();
            let environment = Environment::new(step, settings, self.server.config().await);
            environments.insert(resource, environment.with_clock(move || clock.now()));
        }
        let mut tasks: BTreeMap<String, Task<'_>> = BTreeMap::new();
        for (resource, environment) in &environments {
            let task: Task<'_> = Box::new(move |input| Box::pin(invoke(environment, input)));
            tasks.insert((*resource).to_owned(), task);
        }
        let validate: Task<'_> = Box::new(move |_| {
            let validated = json!(validated);
            Box::pin(async move { Ok(validated) })
        });
        tasks.insert("${ValidateFunctionArn}".to_owned(), validate);
        let text = std::fs::read_to_string(root().join("state_machine.asl.json")).unwrap();
        let machine = Machine::on_clock(
            serde_json::from_str(&text).unwrap(),
            tasks,
            self.clock.clone(),
            TASK,
            STATE,
        );
        let run = machine.run(&execution, &timestamp::format(self.began), json!({})).await;
        let (now, history) = (self.clock.now(), self.history.lock().unwrap());
        let end = history.executed.as_ref().map(|(at, _)| *at + self.script.stack);
        let since = |from: Option<OffsetDateTime>| from.map_or(Duration::ZERO, |from| (now - from).unsigned_abs());
        let mut looks = history.looks.iter().rev().copied();
        let (last, before) = (looks.next(), looks.next());
        Outcome {
            run,
            added: since(end),
            halted: since(self.script.halt.map(|after| self.began + after)),
            period: since(before).saturating_sub(since(last)),
            tail: since(last),
            calls: self.server.requests().len() - calls,
        }
    }
}

/// The steps after Validate, by the name that the definition's substitution gives them.
const STEPS: [(&str, &Step); 7] = [
    ("${LockFunctionArn}", &lock::STEP),
    ("${CreateChangeSetFunctionArn}", &create_changeset::STEP),
    ("${WaitChangeSetFunctionArn}", &wait_changeset::STEP),
    ("${ExecuteFunctionArn}", &execute::STEP),
    ("${WaitExecuteFunctionArn}", &wait_execute::STEP),
    ("${CleanUpFunctionArn}", &cleanup::STEP),
    ("${ReleaseLockFunctionArn}", &release_lock::STEP),
];

/// What `fenrir_lambda::serve` does with an event.
async fn invoke(environment: &Environment, input: Value) -> Result<Value, Failed> {
    let deployment: Deployment = serde_json::from_value(input).unwrap();
    step(environment, deployment)
        .await
        .map(|deployment| json!(deployment))
        .map_err(|error| Failed::of_lambda(error.name.as_str(), &cut(&error.message, Failure::CAUSE_LIMIT)))
}

async fn step(environment: &Environment, deployment: Deployment) -> Result<Deployment, StepError> {
    match environment.step().name {
        "lock" => Box::pin(lock::run(environment, deployment)).await,
        "create-changeset" => Box::pin(create_changeset::run(environment, deployment)).await,
        "wait-changeset" => Box::pin(wait_changeset::run(environment, deployment)).await,
        "execute" => Box::pin(execute::run(environment, deployment)).await,
        "wait-execute" => Box::pin(wait_execute::run(environment, deployment)).await,
        "cleanup" => Box::pin(cleanup::run(environment, deployment)).await,
        "release-lock" => Box::pin(release_lock::run(environment, deployment)).await,
        other => panic!("no step `{other}`"),
    }
}

/// The template as Validate rewrites it: so many queues.
fn rewritten(owner: &Owner, resources: usize) -> Value {
    let queues: BTreeMap<String, Value> = (0..resources.max(1))
        .map(|number| (format!("Queue{number}"), json!({"Type": "AWS::SQS::Queue"})))
        .collect();
    let template = json!({"Transform": "AWS::Serverless-2016-10-31", "Resources": queues});
    let document = Document::from_value(template).unwrap();
    let context = policy::Context {
        owner: owner.clone(),
        artifacts: Some(BTreeMap::new()),
        allowed: [].into(),
    };
    let judgement = policy::judge(&document, &context, &World::default());
    judgement.template.unwrap_or_else(|| panic!("{:?}", judgement.problems))
}

/// One event of the stack's resources: its logical id, status, and more elements.
pub(crate) fn event(logical_id: &str, status: &str, more: &str) -> String {
    format!(
        "<LogicalResourceId>{logical_id}</LogicalResourceId><ResourceType>AWS::SQS::Queue</ResourceType>\
         <ResourceStatus>{status}</ResourceStatus>{more}"
    )
}

/// An event of the stack itself.
fn of_stack(stack: &str, status: &str, token: &str) -> String {
    format!(
        "<LogicalResourceId>s</LogicalResourceId><PhysicalResourceId>{stack}</PhysicalResourceId>\
         <ResourceType>AWS::CloudFormation::Stack</ResourceType><ResourceStatus>{status}</ResourceStatus>\
         <ClientRequestToken>{token}</ClientRequestToken>"
    )
}

fn ok(operation: &str, result: &str) -> Answer {
    let xml = format!("<{operation}Response><{operation}Result>{result}</{operation}Result></{operation}Response>");
    Answer::xml(200, xml)
}

fn refused(status: u16, code: &str, message: &str) -> Answer {
    let xml = format!("<ErrorResponse><Error><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>");
    Answer::xml(status, xml)
}

fn answer(request: &Request, script: &Script, history: &mut History, now: OffsetDateTime) -> Answer {
    let field = |name: &str| request.field(name).unwrap_or_default();
    match request.operation.as_str() {
        "" => object(request, history),
        "AssumeRole" => ok(
            "AssumeRole",
            &format!(
                "<Credentials><AccessKeyId>k</AccessKeyId><SecretAccessKey>s</SecretAccessKey>\
                 <SessionToken>t</SessionToken><Expiration>{}</Expiration></Credentials>",
                // An hour: AssumeRole, parameter DurationSeconds.
                timestamp::format(now + time::Duration::hours(1))
            ),
        ),
        "TransactWriteItems" | "UpdateItem" | "PutItem" => Answer::json(200, "{}"),
        "GetItem" => match item(script, history, now, &key(&asked(request)["Key"])) {
            Some(item) => Answer::json(200, json!({"Item": item}).to_string()),
            None => Answer::json(200, "{}"),
        },
        "BatchGetItem" => {
            let tables = asked(request)["RequestItems"].as_object().unwrap().clone();
            let (table, wanted) = tables.iter().next().unwrap();
            let keys = wanted["Keys"].as_array().unwrap().iter().map(key);
            let items: Vec<Value> = keys.filter_map(|key| item(script, history, now, &key)).collect();
            Answer::json(200, json!({"Responses": {table: items}}).to_string())
        }
        "CreateChangeSet" => {
            history.asked = Some(now);
            history.objects.insert("description".to_owned(), field("Description"));
            history.objects.insert("stack".to_owned(), arn_of(&field("StackName")));
            let stack = &history.objects["stack"];
            ok(
                "CreateChangeSet",
                &format!("<Id>{CHANGE_SET}</Id><StackId>{stack}</StackId>"),
            )
        }
        "DescribeChangeSet" => change_set(script, history, now),
        "GetTemplate" => processed(history),
        "DescribeEvents" => findings(request, script),
        "ExecuteChangeSet" => {
            history.executed.get_or_insert((now, field("ClientRequestToken")));
            ok("ExecuteChangeSet", "")
        }
        "DeleteChangeSet" => {
            // One that is executed stays with its stack.
            if history.executed.is_some() {
                return refused(400, "InvalidChangeSetStatus", "it was executed");
            }
            history.asked = None;
            ok("DeleteChangeSet", "")
        }
        "DeleteStack" => {
            history.deleted.get_or_insert(field("ClientRequestToken"));
            ok("DeleteStack", "")
        }
        "DescribeStacks" => {
            history.looks.push(now);
            stack(script, history, now)
        }
        "DescribeStackEvents" => events(request, script, history, now),
        other => panic!("the script knows no {other}"),
    }
}

/// S3: what was put is got.
fn object(request: &Request, history: &mut History) -> Answer {
    let (method, path) = request.target.split_once(' ').unwrap();
    let key = path.split('?').next().unwrap().to_owned();
    match method {
        "PUT" => {
            history.objects.insert(key, request.body.clone());
            Answer::xml(200, "").with_header("x-amz-version-id", "v1")
        }
        "GET" => Answer::xml(200, history.objects[&key].clone()).with_header("x-amz-version-id", "v1"),
        other => panic!("the script knows no {other} of an object"),
    }
}

/// What DynamoDB is asked.
fn asked(request: &Request) -> Value {
    serde_json::from_slice(request.body.as_ref()).unwrap()
}

fn key(item: &Value) -> String {
    item["key"]["S"].as_str().unwrap().to_owned()
}

/// The lock, or the halt once there is one.
fn item(script: &Script, history: &History, now: OffsetDateTime, key: &str) -> Option<Value> {
    let execution = &history.objects["execution"];
    let since = "2026-01-01T00:00:00Z";
    if key.starts_with("halt/") {
        let began = history.began?;
        let is_halted = script.halt.is_some_and(|after| now >= began + after);
        let (_, release_id) = execution.rsplit_once(':').unwrap();
        return is_halted.then(|| {
            json!({
                "key": {"S": key}, "release_id": {"S": release_id}, "who": {"S": "arn:aws:iam::111111111111:user/ada"},
                "since": {"S": since}, "reason": {"S": "wrong branch"}
            })
        });
    }
    Some(json!({
        "key": {"S": key}, "execution": {"S": execution}, "release_id": {"S": "r"}, "since": {"S": since},
        "dirty": {"BOOL": false}
    }))
}

fn arn_of(stack: &str) -> String {
    if stack.starts_with("arn:") {
        return stack.to_owned();
    }
    format!("arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{stack}/6ddc8d40-c7ea-11f0-8de9-0242ac120002")
}

fn change_set(script: &Script, history: &History, now: OffsetDateTime) -> Answer {
    let Some(asked) = history.asked else {
        return refused(404, "ChangeSetNotFound", "ChangeSet does not exist");
    };
    let is_made = now - asked >= script.change_set;
    let (status, execution) = match (is_made, &script.refusal, &history.executed) {
        (false, ..) => ("CREATE_IN_PROGRESS", "UNAVAILABLE"),
        (true, Some(_), _) => ("FAILED", "UNAVAILABLE"),
        (true, None, None) => ("CREATE_COMPLETE", "AVAILABLE"),
        (true, None, Some(_)) => ("CREATE_COMPLETE", "EXECUTE_IN_PROGRESS"),
    };
    let mut changes = String::new();
    for number in 0..script.resources.max(1) {
        write!(
            changes,
            "<member><Type>Resource</Type><ResourceChange><Action>Add</Action><LogicalResourceId>Queue{number}\
             </LogicalResourceId><ResourceType>AWS::SQS::Queue</ResourceType></ResourceChange></member>"
        )
        .unwrap();
    }
    ok(
        "DescribeChangeSet",
        &format!(
            "<ChangeSetId>{CHANGE_SET}</ChangeSetId><StackId>{}</StackId><Status>{status}</Status>\
             <ExecutionStatus>{execution}</ExecutionStatus><StatusReason>{}</StatusReason>\
             <Description>{}</Description><Changes>{changes}</Changes>",
            history.objects["stack"],
            script.refusal.as_deref().unwrap_or_default(),
            history.objects["description"],
        ),
    )
}

/// What SAM makes of the rewritten template: there is nothing of SAM in it but the transform.
fn processed(history: &History) -> Answer {
    let (_, template) = history
        .objects
        .iter()
        .find(|(key, _)| key.ends_with("template.json"))
        .unwrap();
    let mut template: Value = serde_json::from_str(template).unwrap();
    template.as_object_mut().unwrap().shift_remove("Transform");
    let text = template.to_string().replace('&', "&amp;").replace('<', "&lt;");
    ok("GetTemplate", &format!("<TemplateBody>{text}</TemplateBody>"))
}

fn findings(request: &Request, script: &Script) -> Answer {
    match &script.findings {
        Findings::Nothing => ok("DescribeEvents", "<OperationEvents/>"),
        Findings::Denied => refused(
            403,
            "AccessDenied",
            "not authorized to perform: cloudformation:DescribeEvents",
        ),
        Findings::Unknown => refused(400, "InvalidAction", "Could not find operation DescribeEvents"),
        Findings::Pages(pages) => page("DescribeEvents", "OperationEvents", request, pages),
    }
}

fn page(operation: &str, list: &str, request: &Request, pages: &[Vec<String>]) -> Answer {
    let number: usize = request.field("NextToken").map_or(0, |token| token.parse().unwrap());
    let members: Vec<String> = pages[number]
        .iter()
        .enumerate()
        .map(|(at, member)| {
            format!(
                "<member><EventId>{number}-{at}</EventId><Timestamp>2999-01-01T00:00:00Z</Timestamp>{member}</member>"
            )
        })
        .collect();
    let next = number + 1;
    let next = if next < pages.len() {
        format!("<NextToken>{next}</NextToken>")
    } else {
        String::new()
    };
    ok(operation, &format!("<{list}>{}</{list}>{next}", members.concat()))
}

/// The status that the stack has now; none while there is no stack.
fn status(script: &Script, history: &History, now: OffsetDateTime) -> Option<&'static str> {
    history.asked?;
    if history.deleted.is_some() {
        return Some(if script.undeletable.is_some() {
            "DELETE_FAILED"
        } else {
            "DELETE_COMPLETE"
        });
    }
    Some(match &history.executed {
        None => "REVIEW_IN_PROGRESS",
        Some((at, _)) if now - *at < script.stack => "CREATE_IN_PROGRESS",
        Some(_) if script.failures.is_empty() => "CREATE_COMPLETE",
        Some(_) => "ROLLBACK_COMPLETE",
    })
}

fn stack(script: &Script, history: &History, now: OffsetDateTime) -> Answer {
    let Some(status) = status(script, history, now) else {
        return refused(400, "ValidationError", "Stack with id s does not exist");
    };
    let arn = &history.objects["stack"];
    let reason = script.undeletable.as_deref().unwrap_or_default();
    ok(
        "DescribeStacks",
        &format!(
            "<Stacks><member><StackId>{arn}</StackId><StackName>s</StackName><StackStatus>{status}</StackStatus>\
             <StackStatusReason>{reason}</StackStatusReason><CreationTime>2026-01-01T00:00:00Z</CreationTime>\
             </member></Stacks>"
        ),
    )
}

fn events(request: &Request, script: &Script, history: &History, now: OffsetDateTime) -> Answer {
    let arn = &history.objects["stack"];
    let mut pages = script.failures.clone();
    let (_, token) = history.executed.clone().unwrap_or((now, String::new()));
    if pages.is_empty() {
        pages.push(Vec::new());
    }
    if history.executed.is_some() {
        if let Some(status) = status(script, history, now).filter(|status| *status != "CREATE_IN_PROGRESS") {
            pages[0].insert(0, of_stack(arn, status, &token));
        }
        let last = pages.len() - 1;
        pages[last].push(of_stack(arn, "CREATE_IN_PROGRESS", &token));
    }
    page("DescribeStackEvents", "StackEvents", request, &pages)
}
