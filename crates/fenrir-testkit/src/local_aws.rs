//! The local AWS: started by `tests/local_aws`, stopped with whoever started it.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_sfn::config::Credentials;
use serde_json::Value;

use crate::{Failed, http};

/// The root of the repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap()
}

/// The Python of `.venv` (`make .venv`), or of `$FENRIR_VENV`.
pub fn python() -> PathBuf {
    let venv = std::env::var_os("FENRIR_VENV").map_or_else(|| root().join(".venv"), PathBuf::from);
    let python = venv.join("bin/python");
    assert!(python.exists(), "{} is not there: run `make venv`", python.display());
    python
}

/// A running local AWS. It ends when this value, or this process, does.
#[derive(Debug)]
pub struct LocalAws {
    process: Child,
    endpoint: String,
}

impl LocalAws {
    /// The home region.
    pub const REGION: &'static str = "us-east-1";

    /// Starts one on a port of its own. `arguments` are those of `tests/local_aws`, such as `["--stack-seconds", "1"]`.
    pub fn start(arguments: &[&str]) -> Self {
        let mut process = Command::new(python())
            .arg(root().join("tests/local_aws"))
            .arg("--until-eof")
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let ready: Value = serde_json::from_str(&line).expect("the local AWS starts");
        Self {
            process,
            endpoint: ready["endpoint"].as_str().unwrap().to_owned(),
        }
    }

    /// Its endpoint.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Clients with the rights of the root of `account`.
    pub async fn config(&self, account: &str, region: &str) -> SdkConfig {
        self.config_of(Credentials::new(account, "test", None, None, "local"), region)
            .await
    }

    /// Clients with given credentials.
    ///
    /// Made anew for each test: the connections of a client belong to the runtime that opened them.
    pub async fn config_of(&self, credentials: Credentials, region: &str) -> SdkConfig {
        aws_config::defaults(BehaviorVersion::latest())
            .endpoint_url(&self.endpoint)
            .region(Region::new(region.to_owned()))
            .credentials_provider(credentials)
            .load()
            .await
    }

    /// Turns knobs (`tests/local_aws/gaps/knobs.py`), such as `{"stack_seconds": 2}`.
    pub fn turn(&self, knobs: &Value) {
        self.control("POST", "knobs", knobs);
    }

    /// Orders faults (`tests/local_aws/gaps/front.py`): `[{"action": "dynamodb:PutItem", "fault": "lost"}]`. They
    /// replace those ordered before.
    pub fn order_faults(&self, faults: &Value) {
        self.control("POST", "faults", faults);
    }

    /// The calls made so far: `{"action", "access_key", "path", "user_agent"}` each, with `fault` where one struck.
    pub fn calls(&self) -> Vec<Value> {
        self.control("GET", "calls", &Value::Null).as_array().unwrap().clone()
    }

    /// The calls made so far, which are then forgotten.
    pub fn take_calls(&self) -> Vec<Value> {
        self.control("DELETE", "calls", &Value::Null)
            .as_array()
            .unwrap()
            .clone()
    }

    /// Tells of an execution whose machine runs in the test's own process: `RUNNING`, or how it ended and with what.
    pub fn tell_execution(&self, arn: &str, status: &str, failed: Option<&Failed>) {
        let mut told = serde_json::json!({"arn": arn, "status": status});
        if let Some(failed) = failed {
            told["error"] = Value::String(failed.error.clone());
            told["cause"] = Value::String(failed.cause.clone());
        }
        self.control("POST", "executions", &told);
    }

    /// Calls `/_fenrir/<what>`.
    pub(crate) fn control(&self, method: &str, what: &str, body: &Value) -> Value {
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let address = self.endpoint.strip_prefix("http://").unwrap();
        let answer = http::request(address, method, &format!("/_fenrir/{what}"), "", body.as_bytes());
        serde_json::from_slice(&answer).unwrap()
    }

    /// A call of the root of `account` in the JSON protocol, to a service whose SDK Fenrir does not need: `target` is
    /// its `X-Amz-Target`, such as `AmazonSQS.ReceiveMessage`.
    pub fn call(&self, account: &str, target: &str, body: &Value) -> Value {
        let headers = format!(
            "content-type: application/x-amz-json-1.0\r\nx-amz-target: {target}\r\n\
             authorization: AWS4-HMAC-SHA256 Credential={account}/20260101/{}/sqs/aws4_request, SignedHeaders=host, \
             Signature=0\r\n",
            Self::REGION
        );
        let address = self.endpoint.strip_prefix("http://").unwrap();
        let answer = http::request(address, "POST", "/", &headers, body.to_string().as_bytes());
        serde_json::from_slice(&answer).unwrap()
    }
}

impl Drop for LocalAws {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}
