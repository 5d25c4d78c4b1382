//! What people may do: the policies of docs/install.md, word by word, on roles whose sessions run `fenrir` and call AWS.

use aws_config::SdkConfig;
use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use aws_sdk_dynamodb::types::{AttributeValue, Delete, Put, TransactWriteItem, Update};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_sfn::config::Credentials;
use fenrir_core::house::{LOCKS_TABLE, RELEASES_TABLE};
use fenrir_core::keys;
use fenrir_core::owner::Owner;
use fenrir_testkit::{Deployer, root};
use serde_json::{Value, json};

use crate::scenarios::{assert_failed, queue};
use crate::workplace::{Ran, Workplace};
use crate::{Way, deployer};

/// The config that the developer of docs/install.md deploys, in the region where the local deployer is at home.
const OWN: &str = "222222222222/us-east-1/payments!ledger/production";
/// Owners that are not his, each off by one thing.
const OTHERS: [&str; 5] = [
    "222222222222/us-east-1/payments!ledger2/production",
    "222222222222/us-east-1/payments!ledger/production2",
    "222222222222/us-east-1/payments/production",
    "222222222222/eu-west-1/payments!ledger/production",
    "111111111111/us-east-1/payments!ledger/production",
];

/// The policy below a heading of docs/install.md, for the local deployer's home region.
fn policy(heading: &str) -> String {
    let page = std::fs::read_to_string(root().join("docs/install.md")).unwrap();
    let section = page.split(&format!("\n### {heading}")).nth(1).unwrap();
    let block = section.split("```json\n").nth(1).unwrap().split("```").next().unwrap();
    let _: Value = serde_json::from_str(block).unwrap();
    block.replace("eu-west-1", Deployer::REGION)
}

/// Somebody in a session of a role of the deployer's account.
struct Person {
    config: SdkConfig,
    keys: Credentials,
}

impl Person {
    async fn developer(role: &str) -> Self {
        Self::with(role, &policy("Developer")).await
    }

    /// A developer of another project, so that tests do not meet.
    async fn developer_of(role: &str, project: &str) -> Self {
        let policy = policy("Developer").replace("payments!ledger", &project.replace('/', "!"));
        Self::with(role, &policy).await
    }

    async fn operator(role: &str) -> Self {
        Self::with(role, &policy("Operator")).await
    }

    async fn administrator(role: &str) -> Self {
        Self::with(role, &policy("Administrator")).await
    }

    /// Makes the role, and assumes it.
    async fn with(role: &str, policy: &str) -> Self {
        let root = deployer().config().await;
        let iam = aws_sdk_iam::Client::new(&root);
        let trust = json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": {"AWS": format!("arn:aws:iam::{}:root", Deployer::ACCOUNT)},
            "Action": "sts:AssumeRole"
        }]});
        let made = iam.create_role().role_name(role);
        made.assume_role_policy_document(trust.to_string())
            .send()
            .await
            .unwrap();
        let put = iam.put_role_policy().role_name(role).policy_name("install.md");
        put.policy_document(policy).send().await.unwrap();
        let session = aws_sdk_sts::Client::new(&root).assume_role().role_session_name("alice");
        let arn = format!("arn:aws:iam::{}:role/{role}", Deployer::ACCOUNT);
        let keys = session.role_arn(arn).send().await.unwrap().credentials.unwrap();
        let keys = Credentials::new(
            keys.access_key_id,
            keys.secret_access_key,
            Some(keys.session_token),
            None,
            "person",
        );
        Self {
            config: deployer().aws().config_of(keys.clone(), Deployer::REGION).await,
            keys,
        }
    }

    /// Runs `fenrir` in a folder, in this person's session.
    fn run(&self, workplace: &Workplace, arguments: &[&str]) -> Ran {
        let mut command = workplace.command(arguments);
        command
            .env("AWS_ACCESS_KEY_ID", self.keys.access_key_id())
            .env("AWS_SECRET_ACCESS_KEY", self.keys.secret_access_key())
            .env("AWS_SESSION_TOKEN", self.keys.session_token().unwrap());
        command.output().unwrap().into()
    }

    /// Whether the person may make this call on the item of `key`. The item need not be there.
    async fn may(&self, call: Call, key: &str) -> bool {
        let client = aws_sdk_dynamodb::Client::new(&self.config);
        let text = |value: &str| AttributeValue::S(value.to_owned());
        let (table, name) = match call {
            Call::ReadRecords | Call::WriteRecord | Call::NoteOnRecord | Call::DeleteRecord => {
                (RELEASES_TABLE, "owner")
            }
            _ => (LOCKS_TABLE, "key"),
        };
        // Nothing is changed by an allowed call: no item has this attribute.
        let never = "attribute_exists(nobody_has_this)";
        let code = match call {
            Call::Read => refusal(client.get_item().table_name(table).key(name, text(key)).send().await),
            Call::Write => {
                let put = client.put_item().table_name(table).item(name, text(key));
                refusal(put.condition_expression(never).send().await)
            }
            Call::Update => {
                let update = client.update_item().table_name(table).key(name, text(key));
                let update = update
                    .update_expression("SET reason = :r")
                    .expression_attribute_values(":r", text("x"));
                refusal(update.condition_expression(never).send().await)
            }
            Call::Delete => {
                let delete = client.delete_item().table_name(table).key(name, text(key));
                refusal(delete.condition_expression(never).send().await)
            }
            Call::ReadRecords => {
                let query = client.query().table_name(table).index_name("by-time");
                let query = query.key_condition_expression("#owner = :owner");
                let query = query.expression_attribute_names("#owner", name);
                refusal(query.expression_attribute_values(":owner", text(key)).send().await)
            }
            Call::WriteRecord => {
                let put = client.put_item().table_name(table).item(name, text(key));
                refusal(
                    put.item("release_id", text("x"))
                        .condition_expression(never)
                        .send()
                        .await,
                )
            }
            Call::NoteOnRecord => {
                let update = client.update_item().table_name(table).key(name, text(key));
                let update = update
                    .key("release_id", text("x"))
                    .update_expression("SET unlocked = :u");
                let update = update.expression_attribute_values(":u", text("x"));
                refusal(update.condition_expression(never).send().await)
            }
            Call::DeleteRecord => {
                let delete = client.delete_item().table_name(table).key(name, text(key));
                refusal(
                    delete
                        .key("release_id", text("x"))
                        .condition_expression(never)
                        .send()
                        .await,
                )
            }
        };
        match code.as_deref() {
            None | Some("ConditionalCheckFailedException") => true,
            Some("AccessDeniedException") => false,
            Some(other) => panic!("{call:?} of {key}: {other}"),
        }
    }

    /// Asserts that of `keys` the person may make this call on those of `allowed`, and on no other.
    async fn may_only(&self, call: Call, allowed: &[&str], keys: &[String]) {
        for key in keys {
            let may = self.may(call, key).await;
            assert_eq!(may, allowed.contains(&key.as_str()), "{call:?} of `{key}`");
        }
    }
}

/// What one may do with an item: of the locks, the halts and the freezes, or of the records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Call {
    Read,
    Write,
    Update,
    Delete,
    ReadRecords,
    WriteRecord,
    NoteOnRecord,
    DeleteRecord,
}

/// The code of an error; `None` when there was none.
fn refusal<T, E: ProvideErrorMetadata, R>(
    answer: Result<T, aws_sdk_dynamodb::error::SdkError<E, R>>,
) -> Option<String> {
    answer.err().map(|error| {
        error
            .as_service_error()
            .and_then(ProvideErrorMetadata::code)
            .unwrap()
            .to_owned()
    })
}

/// Every kind of key there is, of the developer's own config and of what is beside it.
fn all_keys() -> Vec<String> {
    let owners = [&[OWN][..], &OTHERS].concat();
    let halts = owners.iter().map(|owner| format!("halt/{owner}"));
    let freezes = [
        "freeze/222222222222",
        "freeze/222222222222/payments!ledger",
        "freeze/222222222222/payments!ledger/production",
        "freeze/222222222222/payments!ledger/production2",
        "freeze/222222222222/payments!ledger2/production",
        "freeze/111111111111",
        "freeze/111111111111/payments!ledger",
        "freeze/111111111111/payments!ledger/production",
    ];
    let owners = owners.iter().map(|owner| (*owner).to_owned());
    owners.chain(halts).chain(freezes.map(str::to_owned)).collect()
}

/// Those of [`all_keys`] that begin with one of these.
fn beginning<'a>(all: &'a [String], with: &[&str]) -> Vec<&'a str> {
    let begins = |key: &&String| with.iter().any(|start| key.starts_with(start));
    all.iter().filter(begins).map(String::as_str).collect()
}

#[tokio::test]
async fn a_developer_halts_and_freezes_his_own_config_and_reads_his_own_records() {
    let developer = Person::developer("people-developer-items").await;
    let keys = all_keys();
    let (halt, freeze) = (format!("halt/{OWN}"), "freeze/222222222222/payments!ledger/production");
    for call in [Call::Write, Call::Update] {
        developer.may_only(call, &[&halt, freeze], &keys).await;
    }
    let above = ["freeze/222222222222", "freeze/222222222222/payments!ledger"];
    let read = [&[OWN, &halt, freeze][..], &above].concat();
    developer.may_only(Call::Read, &read, &keys).await;
    developer.may_only(Call::Delete, &[], &keys).await;
    developer.may_only(Call::ReadRecords, &[OWN], &keys).await;
    for call in [Call::WriteRecord, Call::NoteOnRecord, Call::DeleteRecord] {
        developer.may_only(call, &[], &keys).await;
    }
    assert_scans_nothing(&developer).await;
    // Nor does he when somebody adds the action: a scan names no key, and the policy demands one.
    let widened = policy("Developer").replace("\"dynamodb:Query\"]", "\"dynamodb:Query\", \"dynamodb:Scan\"]");
    assert!(widened.contains("dynamodb:Scan"));
    assert_scans_nothing(&Person::with("people-developer-scans", &widened).await).await;
}

#[tokio::test]
async fn an_operator_settles_the_locks_of_his_account_and_of_no_other() {
    let operator = Person::operator("people-operator-items").await;
    let keys = all_keys();
    let owners = beginning(&keys, &["222222222222/"]);
    let asks = beginning(&keys, &["halt/222222222222/", "freeze/222222222222/"]);
    for call in [Call::Write, Call::Update] {
        operator.may_only(call, &asks, &keys).await;
    }
    operator
        .may_only(Call::Read, &[&owners[..], &asks].concat(), &keys)
        .await;
    for call in [Call::Delete, Call::ReadRecords, Call::NoteOnRecord] {
        operator.may_only(call, &owners, &keys).await;
    }
    for call in [Call::WriteRecord, Call::DeleteRecord] {
        operator.may_only(call, &[], &keys).await;
    }
    assert_scans_nothing(&operator).await;
}

#[tokio::test]
async fn an_administrator_settles_every_lock_and_freezes_accounts() {
    let administrator = Person::administrator("people-administrator-items").await;
    let keys = all_keys();
    let asks = beginning(&keys, &["halt/", "freeze/"]);
    let owners = beginning(&keys, &["1", "2"]);
    for call in [Call::Write, Call::Update] {
        administrator.may_only(call, &asks, &keys).await;
    }
    administrator
        .may_only(Call::Read, &[&owners[..], &asks].concat(), &keys)
        .await;
    for call in [Call::Delete, Call::ReadRecords, Call::NoteOnRecord] {
        administrator.may_only(call, &owners, &keys).await;
    }
    for call in [Call::WriteRecord, Call::DeleteRecord] {
        administrator.may_only(call, &[], &keys).await;
    }
}

async fn assert_scans_nothing(person: &Person) {
    let client = aws_sdk_dynamodb::Client::new(&person.config);
    for table in [LOCKS_TABLE, RELEASES_TABLE] {
        let code = refusal(client.scan().table_name(table).send().await);
        assert_eq!(code.as_deref(), Some("AccessDeniedException"), "{table}");
    }
}

/// What is not his in a transaction takes the rest of it along.
#[tokio::test]
async fn a_transaction_is_allowed_only_when_every_item_is() {
    let operator = Person::operator("people-operator-transaction").await;
    let client = aws_sdk_dynamodb::Client::new(&operator.config);
    let text = |value: &str| AttributeValue::S(value.to_owned());
    let transaction = |lock: &str, owner: &str| {
        let delete = Delete::builder().table_name(LOCKS_TABLE).key("key", text(lock));
        let note = Update::builder()
            .table_name(RELEASES_TABLE)
            .key("owner", text(owner))
            .key("release_id", text("x"))
            .update_expression("SET unlocked = :u")
            .condition_expression("attribute_exists(nobody_has_this)")
            .expression_attribute_values(":u", text("x"));
        [
            TransactWriteItem::builder().delete(delete.build().unwrap()).build(),
            TransactWriteItem::builder().update(note.build().unwrap()).build(),
        ]
    };
    let theirs = "111111111111/us-east-1/payments!ledger/production";
    for (lock, owner, code) in [
        (OWN, OWN, "TransactionCanceledException"),
        (theirs, OWN, "AccessDeniedException"),
        (OWN, theirs, "AccessDeniedException"),
    ] {
        let items = transaction(lock, owner).into();
        let answer = client
            .transact_write_items()
            .set_transact_items(Some(items))
            .send()
            .await;
        assert_eq!(refusal(answer).as_deref(), Some(code), "{lock} and {owner}");
    }
    // Nor may a right on one kind of key stand in for another: nobody writes himself a lock.
    let put = Put::builder().table_name(LOCKS_TABLE).item("key", text(OWN));
    let put = TransactWriteItem::builder().put(put.build().unwrap()).build();
    let answer = client.transact_write_items().transact_items(put).send().await;
    assert_eq!(refusal(answer).as_deref(), Some("AccessDeniedException"));
}

/// A folder with an application of one queue.
fn jobs(project: &str, config: &str) -> Workplace {
    let workplace = Workplace::with(deployer(), project, "  Jobs:\n    Type: AWS::SQS::Queue\n");
    let template = workplace.template();
    workplace.write(&template.replace("ConfigName: test", &format!("ConfigName: {config}")));
    workplace
}

/// `payments/ledger` `production` is only this test's: the policy of the page names it.
#[tokio::test]
async fn a_developer_deploys_his_own_config_and_nobody_elses() {
    let developer = Person::developer("people-developer").await;
    let there = ["--account", Deployer::OTHER_ACCOUNT];
    let deploy = |project: &str, config: &str, there: &[&str]| {
        developer.run(&jobs(project, config), &[&["deploy"], there].concat())
    };
    let folder = jobs("payments/ledger", "production");
    let plan = developer.run(&folder, &[&["plan"][..], &there].concat());
    plan.ends(0, &["+ Jobs", "Plan: 1 to add"]);
    deploy("payments/ledger", "production", &there).ends(0, &["deployed"]);
    let elsewhere = [
        "--account",
        Deployer::OTHER_ACCOUNT,
        "--region",
        Deployer::OTHER_REGION,
        "--state-machine",
        deployer().state_machine(),
    ];
    for (project, config, there) in [
        ("payments/ledger2", "production", &there[..]),
        ("payments/ledger", "production2", &there),
        ("payments", "production", &there),
        ("payments/ledger", "production", &[]),
        ("payments/ledger", "production", &elsewhere),
    ] {
        let ran = deploy(project, config, there);
        ran.ends(2, &["you lack the right `s3:PutObject`", "ask an administrator"]);
    }
}

/// What he may not read is left out of the dashboard, and said.
#[tokio::test]
async fn a_developer_sees_his_own_config_on_the_dashboard_and_is_told_what_he_does_not_see() {
    let project = "people/dashboard";
    let developer = Person::developer_of("people-developer-dashboard", project).await;
    let mine = deployer().application_in(project, Deployer::OTHER_ACCOUNT, Deployer::REGION);
    let owner = Owner {
        config: "production".into(),
        ..mine.owner().clone()
    };
    put_lock(&owner, true).await;
    let workplace = jobs(project, "production");
    let export = |more: &[&str]| {
        let there = [
            "dashboard",
            "--export",
            "one.html",
            "--project",
            project,
            "--account",
            Deployer::OTHER_ACCOUNT,
        ];
        developer.run(&workplace, &[&there[..], more].concat())
    };
    export(&[]).ends(2, &["you lack the right `dynamodb:Query`", "--config"]);
    export(&["--config", "production2"]).ends(2, &["you lack the right `dynamodb:GetItem`"]);
    let ran = export(&["--config", "production"]);
    ran.ends(0, &["you may not list what others deployed", "one.html"]);
    let page = std::fs::read_to_string(workplace.path().with_file_name("one.html")).unwrap();
    for words in [
        "people/<wbr>dashboard",
        "release-1",
        "a bucket is left",
        "You may not list what others deployed",
    ] {
        assert!(page.contains(words), "{words}");
    }
    // Of his own nothing is left out.
    assert!(!page.contains("shown: you may not"), "{page}");
}

/// Who may list every account's configs and read the locks of one sees those, and is told of the others.
#[tokio::test]
async fn an_operator_sees_the_locks_of_his_account_on_the_dashboard() {
    let project = "people/overview";
    let operator = Person::operator("people-operator-dashboard").await;
    for account in [Deployer::ACCOUNT, Deployer::OTHER_ACCOUNT] {
        let application = deployer()
            .application_in(project, account, Deployer::REGION)
            .with("Jobs", queue());
        let release = format!("people-overview-{account}");
        let ended = fenrir_harness::deploy(deployer(), &application, &release).await;
        assert_eq!(ended.status, "SUCCEEDED", "{}", ended.cause);
        put_lock(application.owner(), true).await;
    }
    let workplace = jobs(project, "test");
    let ran = operator.run(&workplace, &["dashboard", "--export", "site/", "--project", project]);
    let note = format!("locks of account {} are not shown", Deployer::ACCOUNT);
    let ran = ran.ends(0, &[&note, "the history of 1 config is not shown"]);
    assert!(
        !ran.said
            .contains(&format!("locks of account {}", Deployer::OTHER_ACCOUNT)),
        "{}",
        ran.said
    );
    let board = std::fs::read_to_string(workplace.path().with_file_name("site").join("board.json")).unwrap();
    let board: Value = serde_json::from_str(&board).unwrap();
    let locks: Vec<(&str, bool)> = board["configs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|config| (config["owner"]["account"].as_str().unwrap(), config["lock"].is_object()))
        .collect();
    assert_eq!(locks, [(Deployer::ACCOUNT, false), (Deployer::OTHER_ACCOUNT, true)]);
}

/// The right to start an execution is not the right to deploy.
#[tokio::test]
async fn a_developer_cannot_deploy_anothers_project_by_starting_an_execution() {
    let developer = Person::developer("people-developer-starts").await;
    let name = "people-not-his";
    let theirs = deployer().application(name).with("Jobs", queue());
    let release = theirs.release(name);
    let own_rights = aws_sdk_s3::Client::new(&developer.config);
    for key in [
        keys::release(theirs.owner(), name),
        keys::own(theirs.owner(), name, "template.json"),
        format!("fenrir/{OWN}/{name}/template.json"),
    ] {
        let body = ByteStream::from(release.to_string().into_bytes());
        let put = own_rights.put_object().bucket(deployer().bucket()).key(&key);
        let error = put.body(body).send().await.unwrap_err();
        assert_eq!(error.code(), Some("AccessDenied"), "{key}");
        let read = own_rights
            .get_object()
            .bucket(deployer().bucket())
            .key(&key)
            .send()
            .await;
        let is_own = key.starts_with(&format!("fenrir/{OWN}/"));
        let code = read.unwrap_err().code().map(str::to_owned);
        // His own is not there; S3 tells that nobody who may not list the bucket.
        assert!(is_own || code.as_deref() == Some("AccessDenied"), "{key}: {code:?}");
    }
    let execution = aws_sdk_sfn::Client::new(&developer.config)
        .start_execution()
        .state_machine_arn(deployer().state_machine())
        .name(name)
        .input(release.to_string())
        .send()
        .await
        .unwrap();
    let ended = deployer().end_of(&execution.execution_arn).await;
    assert_failed(&ended, "FailureClean.BadReleaseError", &["is not stored"], name);
    let stopped = aws_sdk_sfn::Client::new(&developer.config)
        .stop_execution()
        .execution_arn(&execution.execution_arn)
        .send()
        .await;
    assert_eq!(stopped.unwrap_err().code(), Some("AccessDeniedException"));
    // The very same release, stored by its owner, is deployed.
    let ended = Way::StepFunctions.deploy(&theirs, "people-not-his-2").await;
    assert_eq!(ended.status, "SUCCEEDED", "{}", ended.cause);
}

/// Arguments that name a config of account 222222222222.
fn of<'a>(project: &'a str, config: &'a str) -> [&'a str; 6] {
    [
        "--project",
        project,
        "--config",
        config,
        "--account",
        Deployer::OTHER_ACCOUNT,
    ]
}

/// Puts an item as the root of the account would.
async fn put(table: &str, item: &Value) {
    let attribute = |value: &Value| match value {
        Value::Bool(flag) => AttributeValue::Bool(*flag),
        value => AttributeValue::S(value.as_str().unwrap().to_owned()),
    };
    let members = item.as_object().unwrap().iter();
    let item = members.map(|(name, value)| (name.clone(), attribute(value)));
    aws_sdk_dynamodb::Client::new(&deployer().config().await)
        .put_item()
        .table_name(table)
        .set_item(Some(item.collect()))
        .send()
        .await
        .unwrap();
}

/// The lock that a deploy holds, or has kept, and the record of its release.
async fn put_lock(owner: &Owner, dirty: bool) {
    let execution = deployer().state_machine().replace(":stateMachine:", ":execution:") + ":release-1";
    put(
        LOCKS_TABLE,
        &json!({"key": keys::owner(owner), "execution": execution, "release_id": "release-1",
                "since": "2026-11-21T22:06:31Z", "dirty": dirty, "reason": "a bucket is left"}),
    )
    .await;
    put(
        RELEASES_TABLE,
        &json!({"owner": keys::owner(owner), "release_id": "release-1"}),
    )
    .await;
}

fn owner(project: &str, config: &str, account: &str) -> Owner {
    Owner {
        account: account.to_owned(),
        region: Deployer::REGION.to_owned(),
        project: project.to_owned(),
        config: config.to_owned(),
    }
}

const WHY: [&str; 2] = ["--reason", "incident 4711"];

#[tokio::test]
async fn a_developer_freezes_his_own_config_and_nothing_else() {
    let project = "people/frozen";
    let developer = Person::developer_of("people-developer-freezes", project).await;
    let folder = jobs(project, "production");
    let run = |verb: &str, more: &[&str]| developer.run(&folder, &[&[verb][..], &WHY, more].concat());
    let own = of(project, "production");
    run("lock", &own).ends(0, &["frozen"]);
    let session = "assumed-role/people-developer-freezes/alice";
    let deploy = ["deploy", "--account", Deployer::OTHER_ACCOUNT];
    developer.run(&folder, &deploy).ends(4, &[session, "incident 4711"]);
    run("unlock", &own).ends(0, &["no longer frozen"]);
    developer.run(&folder, &deploy).ends(0, &["deployed"]);

    let lacks = ["you lack the right `dynamodb:PutItem`"];
    for more in [
        &[&own[..], &["--whole-project"]].concat()[..],
        &["--whole-account", "--account", Deployer::OTHER_ACCOUNT],
        &of(project, "production2"),
        &of("people/frozen2", "production"),
        &["--project", project, "--config", "production"],
    ] {
        run("lock", more).ends(2, &lacks);
    }
}

#[tokio::test]
async fn a_developer_halts_his_own_deploy_and_no_other() {
    let project = "people/halted";
    let developer = Person::developer_of("people-developer-halts", project).await;
    let folder = jobs(project, "production");
    for config in ["production", "production2"] {
        put_lock(&owner(project, config, Deployer::OTHER_ACCOUNT), false).await;
    }
    let halt = |config: &str| developer.run(&folder, &[&["halt"][..], &WHY, &of(project, config)].concat());
    halt("production").ends(0, &["asked the release `release-1` to stop"]);
    let key = keys::halt(&owner(project, "production", Deployer::OTHER_ACCOUNT));
    let asked = deployer().halt(&key).await.unwrap();
    assert_eq!(asked["release_id"], "release-1");
    assert!(
        asked["who"].ends_with(":assumed-role/people-developer-halts/alice"),
        "{asked:?}"
    );
    halt("production2").ends(2, &["you lack the right `dynamodb:GetItem`"]);
}

#[tokio::test]
async fn a_dirty_lock_is_removed_by_an_operator_of_the_account() {
    let project = "people/dirty";
    let developer = Person::developer_of("people-developer-unlocks", project).await;
    let operator = Person::operator("people-operator-unlocks").await;
    let folder = jobs(project, "production");
    let (here, elsewhere) = (
        owner(project, "production", Deployer::OTHER_ACCOUNT),
        owner(project, "production", Deployer::ACCOUNT),
    );
    for owner in [&here, &elsewhere] {
        put_lock(owner, true).await;
    }
    let unlock = [&["unlock"][..], &WHY, &of(project, "production")].concat();
    developer
        .run(&folder, &unlock)
        .ends(2, &["you lack the right `dynamodb:DeleteItem`"]);
    assert!(deployer().lock(&here).await.is_some());
    operator
        .run(&folder, &unlock)
        .ends(0, &["removed the lock", "a bucket is left"]);
    assert_eq!(deployer().lock(&here).await, None);
    let record = deployer().record(&here, "release-1").await.unwrap();
    let unlocked = &record["unlocked"];
    assert!(
        unlocked.contains("assumed-role/people-operator-unlocks/alice"),
        "{unlocked}"
    );

    let there = [&["unlock"][..], &WHY, &["--project", project, "--config", "production"]].concat();
    operator
        .run(&folder, &there)
        .ends(2, &["you lack the right `dynamodb:GetItem`"]);
    assert!(deployer().lock(&elsewhere).await.is_some());
    let administrator = Person::administrator("people-administrator-unlocks").await;
    administrator.run(&folder, &there).ends(0, &["removed the lock"]);
    assert_eq!(deployer().lock(&elsewhere).await, None);
}

#[tokio::test]
async fn projects_are_frozen_by_operators_and_accounts_by_administrators() {
    let project = "people/whole";
    let operator = Person::operator("people-operator-freezes").await;
    let administrator = Person::administrator("people-administrator-freezes").await;
    let folder = jobs(project, "production");
    let frozen = |verb: &'static str, more: &[&'static str]| [&[verb][..], &WHY, more].concat();
    let whole_project = [&of(project, "production")[..], &["--whole-project"]].concat();
    operator
        .run(&folder, &frozen("lock", &whole_project))
        .ends(0, &["frozen"]);
    operator
        .run(&folder, &frozen("unlock", &whole_project))
        .ends(0, &["no longer frozen"]);
    // An account where no other test deploys.
    let account = ["--whole-account", "--account", "333333333333"];
    let own_account = ["--whole-account", "--account", Deployer::OTHER_ACCOUNT];
    for whole in [account, own_account] {
        operator
            .run(&folder, &frozen("lock", &whole))
            .ends(2, &["you lack the right `dynamodb:PutItem`"]);
    }
    administrator
        .run(&folder, &frozen("lock", &account))
        .ends(0, &["frozen"]);
    administrator
        .run(&folder, &frozen("unlock", &account))
        .ends(0, &["no longer frozen"]);
}

/// The commands that read, under the policies of the page.
#[tokio::test]
async fn a_developer_reads_and_rolls_back_his_own_config_and_an_operator_sees_the_account() {
    let project = "people/records";
    let developer = Person::developer_of("people-developer-records", project).await;
    let operator = Person::operator("people-operator-records").await;
    let folder = jobs(project, "production");
    let own = of(project, "production");
    let there = ["--account", Deployer::OTHER_ACCOUNT];
    let run = |person: &Person, verb: &[&str]| person.run(&folder, &[verb, &there].concat());
    let quietly = ["deploy", "--progress", "none"];
    let first = run(&developer, &quietly).ends(0, &["deployed"]).release().to_owned();
    let template = folder.template();
    folder.write(&template.replace(
        "AWS::SQS::Queue",
        "AWS::SQS::Queue\n    Properties:\n      DelaySeconds: 7",
    ));
    let second = run(&developer, &quietly).ends(0, &["deployed"]).release().to_owned();

    for person in [&developer, &operator] {
        let hidden = "the stack is not looked at: it is in account 222222222222";
        run(person, &["status"]).ends(0, &[&second, hidden]);
        run(person, &["history"]).ends(0, &[&first, &second]);
        run(person, &["diff", &first]).ends(0, &["+        \"DelaySeconds\": 7"]);
        // By its id alone, away from any template.
        let elsewhere = Workplace::with(deployer(), "people/nothing", "");
        let path = elsewhere.path();
        std::fs::remove_file(path).unwrap();
        person.run(&elsewhere, &["show", &first]).ends(0, &["SUCCESS", project]);
    }
    run(&developer, &["status"]).lacks("you may not see");
    run(&developer, &["rollback", "--yes", "--progress", "none"]).ends(0, &[&first, "deployed"]);
    run(&operator, &["rollback", "--yes"]).ends(2, &["you lack the right `s3:PutObject`"]);

    run(&developer, &["ls"]).ends(2, &["you lack the right `dynamodb:Query`"]);
    run(&developer, &["logs", &first]).ends(2, &["you lack the right `logs:FilterLogEvents`", "`fenrir show`"]);
    run(&operator, &["ls", "--project", project])
        .ends(0, &["production", "deployed"])
        .lacks(&second);
    run(&operator, &["logs", &first]).ends(0, &["release-lock"]);
    let beside = of(project, "production2");
    developer
        .run(&folder, &[&["history"][..], &beside].concat())
        .ends(2, &["you lack the right `dynamodb:Query`"]);
    operator
        .run(&folder, &[&["history"][..], &own].concat())
        .ends(0, &["rollback to"]);
    operator
        .run(&folder, &["history", "--project", project, "--config", "production"])
        .ends(2, &["you lack the right `dynamodb:Query`"]);
}
