//! `fenrir dashboard` over the real tables: after deploys of every end, and with the rights of people.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Stdio};

use fenrir_core::keys;
use fenrir_core::owner::Owner;
use fenrir_store::{Freeze, Freezes, Holder, Locks};
use fenrir_testkit::Application;
use serde_json::{Value, json};

use crate::deployer;
use crate::scenarios::{impossible_queue, queue};
use crate::workplace::Workplace;

fn application(project: &str, queue: Value) -> Application {
    deployer().application(project).with("Queue", queue)
}

async fn locks() -> Locks {
    Locks::new(&deployer().config().await, fenrir_core::house::LOCKS_TABLE)
}

/// The board that the command exports.
fn exported(workplace: &Workplace, arguments: &[&str]) -> Value {
    let ran = workplace.run(&[&["dashboard", "--export", "site/"], arguments].concat());
    ran.ends(0, &["written: site/index.html"]);
    let page = read(workplace, "site/index.html");
    assert!(
        page.starts_with("<!doctype html>") && page.contains("a snapshot of"),
        "{page}"
    );
    serde_json::from_str(&read(workplace, "site/board.json")).unwrap()
}

fn read(workplace: &Workplace, name: &str) -> String {
    std::fs::read_to_string(workplace.path().with_file_name(name)).unwrap()
}

fn config<'a>(board: &'a Value, project: &str) -> &'a Value {
    let mut configs = board["configs"].as_array().unwrap().iter();
    let found = configs.find(|one| one["owner"]["project"] == project);
    found.unwrap_or_else(|| panic!("{project} is not in {board:#}"))
}

#[tokio::test]
async fn what_was_deployed_failed_refused_and_frozen_is_on_the_board() {
    let project = "dashboard/ends";
    let good = application("dashboard/ends/good", queue());
    let broken = application("dashboard/ends/broken", impossible_queue());
    fenrir_harness::deploy(deployer(), &good, "dashboard-good-1").await;
    fenrir_harness::deploy(deployer(), &good, "dashboard-good-2").await;
    fenrir_harness::deploy(deployer(), &broken, "dashboard-broken").await;
    let freeze = Freeze {
        key: keys::freezes(good.owner())[2].clone(),
        who: "arn:aws:iam::111111111111:user/grace".to_owned(),
        since: "2026-11-22T08:00:00Z".to_owned(),
        reason: "quarter <end>".to_owned(),
    };
    let freezes = Freezes::new(&deployer().config().await, fenrir_core::house::LOCKS_TABLE);
    freezes.put(&freeze).await.unwrap();

    let workplace = Workplace::with(deployer(), project, "");
    let board = exported(&workplace, &["--project", project]);
    assert_eq!(board["configs"].as_array().unwrap().len(), 2);
    let found = config(&board, "dashboard/ends/good");
    assert_eq!(found["deployed"]["release_id"], "dashboard-good-2");
    assert_eq!(found["last"]["status"], "SUCCESS");
    let ids: Vec<&str> = found["history"]
        .as_array()
        .unwrap()
        .iter()
        .map(|release| release["release_id"].as_str().unwrap())
        .collect();
    assert_eq!(ids, ["dashboard-good-2", "dashboard-good-1"]);
    assert_eq!(found["history"][0]["no_changes"], true);
    assert_eq!(found["freezes"], json!([freeze]));
    assert_eq!((&found["lock"], &found["running"]), (&Value::Null, &Value::Null));
    let found = config(&board, "dashboard/ends/broken");
    assert_eq!(found["deployed"], Value::Null);
    assert_eq!(found["last"]["status"], "FAILURE_CLEAN");
    assert!(found["history"][0]["cause"].as_str().unwrap().contains("Queue"));
    let page = read(&workplace, "site/index.html");
    assert!(page.contains("quarter &lt;end&gt;"));

    // One file, no history beyond what was asked for, and only what is new.
    let ran = workplace.run(&[
        "dashboard",
        "--export",
        "one.html",
        "--project",
        project,
        "--limit",
        "1",
        "--format",
        "json",
    ]);
    let line: Value = serde_json::from_str(ran.said.lines().last().unwrap()).unwrap();
    assert_eq!((&line["type"], &line["configs"]), (&json!("exported"), &json!(2)));
    assert!(!read(&workplace, "one.html").contains("dashboard-good-1"));
    let board = exported(&workplace, &["--project", project, "--since", "2099-01-01"]);
    assert_eq!(board["configs"], json!([]));
    let board = exported(&workplace, &["--project", "dashboard/end"]);
    assert_eq!(
        board["configs"],
        json!([]),
        "a project is not the beginning of another's name"
    );
}

#[tokio::test]
async fn a_deploy_that_runs_is_shown_with_the_states_it_entered() {
    let project = "dashboard/runs";
    let queues = (0..40).fold(String::new(), |text, number| {
        text + &format!("  Queue{number}:\n    Type: AWS::SQS::Queue\n")
    });
    let workplace = Workplace::with(deployer(), project, &queues);
    let mut deploying = workplace.command(&["deploy", "--progress", "none"]).spawn().unwrap();
    let board = loop {
        let board = exported(&workplace, &["--project", project]);
        if board["configs"][0]["run"]["entered"]
            .as_array()
            .is_some_and(|entered| entered.len() > 2)
        {
            break board;
        }
        assert!(deploying.try_wait().unwrap().is_none(), "the deploy runs: {board:#}");
    };
    let found = config(&board, project);
    assert_eq!(found["running"]["status"], "STARTED");
    assert_eq!(found["lock"]["release_id"], found["running"]["release_id"]);
    let states: Vec<&str> = found["run"]["entered"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entered| entered["state"].as_str().unwrap())
        .collect();
    assert_eq!(&states[..2], ["Validate", "Lock"]);
    assert!(states.contains(&found["run"]["now"].as_str().unwrap()));
    assert!(read(&workplace, "site/index.html").contains("<g class=\"state now\">"));
    assert!(deploying.wait().unwrap().success());
    let board = exported(&workplace, &["--project", project]);
    assert_eq!(config(&board, project)["running"], Value::Null);
    assert_eq!(config(&board, project)["last"]["status"], "SUCCESS");
}

/// A dashboard that is served, until it is dropped.
struct Served {
    process: Child,
    url: String,
    /// Its end would close the pipe.
    _out: BufReader<std::process::ChildStdout>,
}

impl Served {
    fn start(workplace: &Workplace, arguments: &[&str]) -> Self {
        let mut command = workplace.command(&[&["dashboard", "--no-open"], arguments].concat());
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut out = BufReader::new(process.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        let url = line.trim().to_owned();
        assert!(url.starts_with("http://127.0.0.1:"), "{url}");
        Self {
            process,
            url,
            _out: out,
        }
    }

    fn get(&self, name: &str) -> String {
        let (host, path) = self.url.strip_prefix("http://").unwrap().split_once('/').unwrap();
        let mut stream = TcpStream::connect(host).unwrap();
        write!(stream, "GET /{path}{name} HTTP/1.1\r\nHost: {host}\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test]
async fn it_is_served_until_ctrl_c_and_two_at_once_have_addresses_of_their_own() {
    let project = "dashboard/served";
    let application = application(project, queue());
    fenrir_harness::deploy(deployer(), &application, "dashboard-served").await;
    let workplace = Workplace::with(deployer(), project, "");
    let mut one = Served::start(&workplace, &["--project", project]);
    let other = Served::start(&workplace, &["--project", project]);
    assert_ne!(one.url, other.url);
    for served in [&one, &other] {
        let page = served.get("");
        assert!(
            page.starts_with("HTTP/1.1 200 OK\r\n") && page.contains("dashboard-served"),
            "{page}"
        );
        let board = served.get("board.json");
        assert!(board.contains("\"release_id\":\"dashboard-served\""), "{board}");
    }
    let port = one.url.split([':', '/']).nth(4).unwrap().to_owned();
    let ran = workplace.run(&["dashboard", "--no-open", "--port", &port]);
    ran.ends(2, &[&format!("the port {port} of this machine is taken"), "--port"]);
    let interrupted = std::process::Command::new("kill")
        .args(["-INT", &one.process.id().to_string()])
        .status()
        .unwrap();
    assert!(interrupted.success());
    assert_eq!(one.process.wait().unwrap().code(), Some(0));
}

#[tokio::test]
async fn many_locks_are_read_at_once_and_a_dirty_one_says_why() {
    let locks = locks().await;
    let owner = |number: u32| Owner {
        account: "111111111111".into(),
        region: "us-east-1".into(),
        project: format!("dashboard/many{number}"),
        config: "test".into(),
    };
    let owners: Vec<Owner> = (0..230).map(owner).collect();
    let holder = |name: &str| Holder {
        execution: format!("arn:aws:states:us-east-1:111111111111:execution:fenrir:{name}"),
        release_id: name.to_owned(),
        who: None,
        since: "2026-11-22T08:00:00Z".to_owned(),
        dirty: false,
        reason: None,
    };
    for number in [0, 101, 229] {
        locks
            .acquire(&owner(number), &holder(&format!("many-{number}")))
            .await
            .unwrap();
    }
    deployer().aws().take_calls();
    let found = locks.holders(&owners).await.unwrap();
    let held: Vec<(&String, &String)> = found.iter().map(|(key, holder)| (key, &holder.release_id)).collect();
    assert_eq!(held.len(), 3);
    for number in [0, 101, 229] {
        assert_eq!(found[&keys::owner(&owner(number))], holder(&format!("many-{number}")));
        locks
            .release(&owner(number), &holder(&format!("many-{number}")).execution)
            .await
            .unwrap();
    }
    assert_eq!(locks.holders(&[]).await.unwrap().len(), 0);
}
