//! An AWS that answers as a session's `aws.json` says.
//!
//! It has a real little object store (with checksums, as S3 has them), says who the caller is, and answers every other
//! operation from its list: one answer after the other, the last one again and again. What DynamoDB is asked may have
//! lists of its own: `GetItem <sort key, or key>` and `Query <index>`; and so may whoever signs with a certain key:
//! `GetCallerIdentity <access key id>`.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// One answer.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    #[serde(default = "ok")]
    status: u16,
    /// A JSON body.
    json: Option<Value>,
    /// Or an XML one.
    xml: Option<String>,
    /// Seconds that AWS's clock is behind this machine's.
    behind: Option<u64>,
    /// No answer: the connection is closed.
    #[serde(default)]
    cut: bool,
}

fn ok() -> u16 {
    200
}

#[derive(Debug, Default)]
struct State {
    answers: BTreeMap<String, VecDeque<Answer>>,
    /// Key to checksum and bytes.
    objects: BTreeMap<String, (String, Vec<u8>)>,
    asked: Vec<String>,
    /// Buckets that were made.
    buckets: BTreeSet<String>,
    /// Name of the last execution that was started.
    release: String,
    /// Token of the last request to CloudFormation that had one.
    token: String,
}

/// A running server.
pub struct Aws {
    /// Where it is.
    pub endpoint: String,
    state: Arc<Mutex<State>>,
}

struct Request {
    method: String,
    path: String,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

impl Aws {
    pub fn start(answers: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State {
            answers: serde_json::from_str(answers).unwrap(),
            ..State::default()
        }));
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = Arc::clone(&shared);
                thread::spawn(move || converse(stream, &state));
            }
        });
        Self { endpoint, state }
    }

    /// The last release that was started.
    pub fn release(&self) -> Option<String> {
        Some(self.state.lock().unwrap().release.clone()).filter(|release| !release.is_empty())
    }

    /// The bytes of the object whose key ends in `name`.
    pub fn object(&self, name: &str) -> Option<Vec<u8>> {
        let state = self.state.lock().unwrap();
        let mut found = state.objects.iter().filter(|(key, _)| key.ends_with(name));
        found.next().map(|(_, (_, bytes))| bytes.clone())
    }

    /// The operations so far, and for S3 the method and the key; the same one in a row once.
    pub fn asked(&self) -> Vec<String> {
        let mut asked = self.state.lock().unwrap().asked.clone();
        asked.dedup();
        asked
    }
}

fn converse(mut stream: TcpStream, state: &Mutex<State>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    while let Some(request) = read(&mut reader) {
        // As an upload over a slow line: `"slow PUT": []`.
        if request.method == "PUT" && state.lock().unwrap().answers.contains_key("slow PUT") {
            thread::sleep(Duration::from_secs(5));
        }
        let Some((status, headers, body)) = answer(&request, &mut state.lock().unwrap()) else {
            return;
        };
        // The length of what a HEAD would get, without it.
        let shown: &[u8] = if request.method == "HEAD" { &[] } else { &body };
        let head = format!("HTTP/1.1 {status} -\r\ncontent-length: {}\r\n{headers}\r\n", body.len());
        if stream
            .write_all(head.as_bytes())
            .and_then(|()| stream.write_all(shown))
            .is_err()
        {
            return;
        }
    }
}

fn read(reader: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
    let mut words = line.split_whitespace();
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim().split_once(':') else {
            break;
        };
        headers.insert(name.to_lowercase(), value.trim().to_owned());
    }
    if headers.contains_key("expect") {
        reader.get_mut().write_all(b"HTTP/1.1 100 Continue\r\n\r\n").ok()?;
    }
    let length = headers
        .get("content-length")
        .and_then(|length| length.parse().ok())
        .unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Request {
        method,
        path,
        headers,
        body,
    })
}

/// Status, headers and body; `None` for no answer.
fn answer(request: &Request, state: &mut State) -> Option<(u16, String, Vec<u8>)> {
    let form = String::from_utf8_lossy(&request.body).into_owned();
    let of_form = form.split('&').find_map(|pair| pair.strip_prefix("Action="));
    let of_header = request
        .headers
        .get("x-amz-target")
        .and_then(|target| target.split('.').nth(1));
    let Some(operation) = of_header.or(of_form) else {
        return Some(object(request, state));
    };
    if let Some(token) = form
        .split('&')
        .find_map(|pair| pair.strip_prefix("ClientRequestToken="))
    {
        token.clone_into(&mut state.token);
    }
    if operation == VERSION && !state.answers.contains_key(VERSION) {
        // Asked beside the uploads, so at no certain place among them.
        let tags = json!({"tags": [{"key": "FenrirVersion", "value": env!("CARGO_PKG_VERSION")}]});
        return Some((
            200,
            "content-type: application/x-amz-json-1.0\r\n".to_owned(),
            tags.to_string().into_bytes(),
        ));
    }
    state.asked.push(operation.to_owned());
    if operation == "StartExecution" {
        let input: Value = serde_json::from_slice(&request.body).unwrap();
        input["name"].as_str().unwrap().clone_into(&mut state.release);
    }
    let specific = of_table(&request.body, &state.release).or_else(|| signer(request));
    let specific = specific.map(|what| format!("{operation} {what}"));
    let name = specific.filter(|specific| state.answers.contains_key(specific));
    let answers = state.answers.get_mut(name.as_deref().unwrap_or(operation));
    let answer = match answers {
        Some(answers) if answers.len() > 1 => answers.pop_front().unwrap(),
        Some(answers) => answers.front().unwrap().clone(),
        None if operation == "GetCallerIdentity" => caller(),
        None => panic!("`aws.json` has no answer for {operation}"),
    };
    if answer.cut {
        return None;
    }
    let (kind, body) = match (answer.json, answer.xml) {
        (Some(json), _) => ("application/x-amz-json-1.0", json.to_string()),
        (None, xml) => ("text/xml", xml.unwrap_or_default()),
    };
    let body = body
        .replace("[RELEASE]", &state.release)
        .replace("[TOKEN]", &state.token);
    let date = answer.behind.map(date).unwrap_or_default();
    Some((
        answer.status,
        format!("content-type: {kind}\r\n{date}"),
        body.into_bytes(),
    ))
}

/// The call by which the command learns the deployer's version.
const VERSION: &str = "ListTagsForResource";

fn bucket(request: &Request, state: &mut State) -> (u16, String, Vec<u8>) {
    let (path, what) = request.path.split_once('?').unwrap_or((&request.path, ""));
    let name = path.trim_matches('/');
    let what = what.split(['&', '=']).next().unwrap();
    state
        .asked
        .push(format!("{} {name} {what}", request.method).trim_end().to_owned());
    let status = match request.method.as_str() {
        "HEAD" if !state.buckets.contains(name) => 404,
        "PUT" => {
            state.buckets.insert(name.to_owned());
            200
        }
        _ => 200,
    };
    (status, String::new(), Vec::new())
}

/// What DynamoDB is asked for: an item's key, or an index.
fn of_table(body: &[u8], release: &str) -> Option<String> {
    let asked: Value = serde_json::from_slice(body).ok()?;
    let key = asked
        .get("Key")
        .and_then(|key| key.get("release_id").or_else(|| key.get("key")));
    let what = match key {
        Some(key) => key["S"].as_str()?,
        None => asked.get("IndexName")?.as_str()?,
    };
    Some(if release.is_empty() {
        what.to_owned()
    } else {
        what.replace(release, "[RELEASE]")
    })
}

/// The access key id that signed the request.
fn signer(request: &Request) -> Option<String> {
    let (_, credential) = request.headers.get("authorization")?.split_once("Credential=")?;
    Some(credential.split('/').next()?.to_owned())
}

fn object(request: &Request, state: &mut State) -> (u16, String, Vec<u8>) {
    let path = request.path.split('?').next().unwrap();
    if !path.trim_matches('/').contains('/') {
        return bucket(request, state);
    }
    let key = request.path.split('?').next().unwrap().to_owned();
    let shown = key.rsplit_once('/').map_or(key.as_str(), |(_, name)| name);
    state.asked.push(format!("{} .../{shown}", request.method));
    if request.method == "PUT" {
        let checksum = request
            .headers
            .get("x-amz-checksum-sha256")
            .expect("every upload has a checksum");
        if *checksum != STANDARD.encode(Sha256::digest(&request.body)) {
            return (400, String::new(), error("BadDigest"));
        }
        state.objects.insert(key, (checksum.clone(), request.body.clone()));
        return (200, String::new(), Vec::new());
    }
    let scripted = state
        .answers
        .get(&format!("s3 {shown}"))
        .and_then(|answers| answers.front());
    if let Some(Answer { json: Some(json), .. }) = scripted {
        return (200, String::new(), json.to_string().into_bytes());
    }
    match state.objects.get(&key) {
        Some((checksum, bytes)) => (200, format!("x-amz-checksum-sha256: {checksum}\r\n"), bytes.clone()),
        None => (404, String::new(), error("NoSuchKey")),
    }
}

/// What S3 says when it says no.
fn error(code: &str) -> Vec<u8> {
    format!("<Error><Code>{code}</Code><Message>no</Message></Error>").into_bytes()
}

/// The header of an answer from a clock that is so many seconds behind.
fn date(behind: u64) -> String {
    let then = SystemTime::now() - Duration::from_secs(behind);
    let then = aws_smithy_types::DateTime::from(then).fmt(aws_smithy_types::date_time::Format::HttpDate);
    format!("date: {}\r\n", then.unwrap())
}

fn caller() -> Answer {
    let xml = "<GetCallerIdentityResponse><GetCallerIdentityResult>\
               <Arn>arn:aws:iam::111122223333:user/ada</Arn><Account>111122223333</Account><UserId>A</UserId>\
               </GetCallerIdentityResult></GetCallerIdentityResponse>";
    Answer {
        status: 200,
        json: None,
        xml: Some(xml.to_owned()),
        behind: None,
        cut: false,
    }
}
