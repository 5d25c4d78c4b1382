//! A server that gives recorded answers, or answers by a rule: what the SDK makes of them is tested without any AWS.

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use aws_config::retry::RetryConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_sfn::config::Credentials;

use crate::http;

/// What the server answers.
#[derive(Debug, Clone)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// `content-type`.
    pub content_type: &'static str,
    /// Body.
    pub body: String,
    /// More headers.
    pub headers: Vec<(&'static str, String)>,
}

impl Answer {
    /// An answer of a query-protocol service or S3.
    pub fn xml(status: u16, body: impl Into<String>) -> Self {
        Self {
            status,
            content_type: "text/xml",
            body: body.into(),
            headers: Vec::new(),
        }
    }

    /// An answer of a JSON-protocol service.
    pub fn json(status: u16, body: impl Into<String>) -> Self {
        Self {
            status,
            content_type: "application/x-amz-json-1.0",
            body: body.into(),
            headers: Vec::new(),
        }
    }

    /// No answer: the connection is closed. The client cannot know whether the call took effect.
    pub fn cut() -> Self {
        Self {
            status: 0,
            content_type: "",
            body: String::new(),
            headers: Vec::new(),
        }
    }

    /// The same answer with one more header.
    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// What the server was asked.
#[derive(Debug, Clone)]
pub struct Request {
    /// Method and path with query, such as `GET /bucket/key?versionId=1`.
    pub target: String,
    /// The operation: `X-Amz-Target` after the dot, or `Action` of a form; empty for S3.
    pub operation: String,
    /// Body.
    pub body: String,
}

impl Request {
    /// The field of a form (the query protocol), decoded.
    pub fn field(&self, name: &str) -> Option<String> {
        let value = self
            .body
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .find_map(|(key, value)| (key == name).then_some(value))?;
        let mut bytes = Vec::new();
        let mut rest = value.bytes();
        while let Some(byte) = rest.next() {
            bytes.push(match byte {
                b'+' => b' ',
                b'%' => {
                    let hex = [rest.next().unwrap(), rest.next().unwrap()];
                    u8::from_str_radix(std::str::from_utf8(&hex).unwrap(), 16).unwrap()
                }
                plain => plain,
            });
        }
        Some(String::from_utf8(bytes).unwrap())
    }
}

type Rule = dyn Fn(usize, &Request) -> Answer + Send + Sync;

/// A running server.
#[derive(Debug)]
pub struct Recorded {
    endpoint: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Recorded {
    /// Starts a server that gives these answers in the order of the requests; after the last it repeats that one.
    pub fn start(answers: Vec<Answer>) -> Self {
        assert!(!answers.is_empty(), "a recorded server needs an answer");
        Self::serve(move |number, _| answers.get(number).or_else(|| answers.last()).unwrap().clone())
    }

    /// Starts a server that answers each request by a rule.
    pub fn answering(rule: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        Self::serve(move |_, request| rule(request))
    }

    fn serve(rule: impl Fn(usize, &Request) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        thread::spawn(move || {
            let rule: Arc<Rule> = Arc::new(rule);
            for stream in listener.incoming().flatten() {
                let (seen, rule) = (Arc::clone(&seen), Arc::clone(&rule));
                thread::spawn(move || converse(stream, &seen, &*rule));
            }
        });
        Self { endpoint, requests }
    }

    /// The requests so far.
    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    /// Clients of this server, which try once.
    pub async fn config(&self) -> SdkConfig {
        aws_config::defaults(BehaviorVersion::latest())
            .endpoint_url(&self.endpoint)
            .region(Region::new("us-east-1"))
            .credentials_provider(Credentials::new("111111111111", "test", None, None, "recorded"))
            .retry_config(RetryConfig::disabled())
            .load()
            .await
    }
}

fn converse(mut stream: TcpStream, seen: &Mutex<Vec<Request>>, rule: &Rule) {
    while let Some(message) = http::read(&mut stream) {
        let request = request_of(&message);
        let number = {
            let mut seen = seen.lock().unwrap();
            seen.push(request.clone());
            seen.len() - 1
        };
        let answer = rule(number, &request);
        if answer.status == 0 {
            return;
        }
        let more: Vec<String> = answer
            .headers
            .iter()
            .map(|(name, value)| format!("{name}: {value}\r\n"))
            .collect();
        let head = format!(
            "HTTP/1.1 {} -\r\ncontent-type: {}\r\ncontent-length: {}\r\n{}\r\n",
            answer.status,
            answer.content_type,
            answer.body.len(),
            more.concat()
        );
        // In one piece: a body that follows its head waits for the client's delayed acknowledgement.
        if stream.write_all((head + &answer.body).as_bytes()).is_err() {
            return;
        }
    }
}

fn request_of(message: &http::Message) -> Request {
    let body = String::from_utf8_lossy(&message.body).into_owned();
    let operation = match message.header("x-amz-target") {
        Some(target) => target.rsplit('.').next().unwrap_or_default().to_owned(),
        None => body
            .split('&')
            .find_map(|pair| pair.strip_prefix("Action="))
            .unwrap_or_default()
            .to_owned(),
    };
    let target = message.first.trim_end_matches(" HTTP/1.1").to_owned();
    Request {
        target,
        operation,
        body,
    }
}
