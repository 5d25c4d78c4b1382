//! Shows the page on this machine, to whoever started the command and to nobody else.
//!
//! It listens on the loopback interface only. Every user of a machine reaches that, and so does every page in a browser:
//! so the address has a secret part, a request must name this very host (a name that an attacker's DNS leads here is
//! refused), and no other site's page may load anything of it. It reads only the head of a request ([`httparse`], the
//! parser of hyper), answers `GET` and `HEAD`, and closes the connection: what else HTTP can do is not needed here.

use std::future::Future;
use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, Semaphore};
use tokio::time::{Instant, timeout};

use super::Board;
use super::page::{Form, page, policy};
use crate::fault::Fault;

/// How long what was read of AWS is shown again: ten tabs ask no more often than one.
const FRESH: Duration = Duration::from_secs(4);
/// Bytes of a request's head: hyper and nginx take no more of a line either.
const HEAD_LIMIT: usize = 16 * 1024;
/// Headers of a request.
const HEADERS: usize = 64;
/// How long a request may take to arrive, and its answer to leave.
const PATIENCE: Duration = Duration::from_secs(10);
/// Connections at once.
const CONNECTIONS: usize = 32;
/// What the address ends with, in bytes: 128 bits, as of any session's secret.
const SECRET: usize = 16;

/// A server that listens, and does not answer yet.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    port: u16,
    secret: String,
}

impl Server {
    /// Listens on a port of this machine; on any free one if it is 0.
    ///
    /// # Errors
    /// The port is taken, or not to be had.
    pub async fn listen(port: u16) -> Result<Self, Fault> {
        let unusable = |error: io::Error| {
            let help = "say another `--port`, or none: then a free one is taken";
            match error.kind() {
                io::ErrorKind::AddrInUse => {
                    Fault::usage(format!("the port {port} of this machine is taken")).help(help)
                }
                _ => Fault::usage(format!("the port {port} of this machine cannot be had: {error}")).help(help),
            }
        };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(unusable)?;
        let port = listener.local_addr().map_err(unusable)?.port();
        Ok(Self {
            listener,
            port,
            secret: secret()?,
        })
    }

    /// Where the page is.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/{}/", self.port, self.secret)
    }

    /// Answers until the future is dropped. `read` reads the board anew.
    pub async fn serve<R, F>(self, read: R)
    where
        R: Fn() -> F + Send + Sync + 'static,
        F: Future<Output = Result<Board, Fault>> + Send,
    {
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        let site = Arc::new(Site {
            hosts: [format!("127.0.0.1:{}", self.port), format!("localhost:{}", self.port)],
            secret: self.secret,
            read,
            known: Mutex::new(None),
        });
        loop {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else {
                return;
            };
            // A connection that broke before it was taken, or no file handle left for it: the next one may do.
            let Ok((stream, _)) = self.listener.accept().await else {
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            };
            let site = Arc::clone(&site);
            tokio::spawn(async move {
                // Who does not ask, or does not listen, in time is left alone.
                let _gone = converse(stream, &site).await;
                drop(place);
            });
        }
    }
}

/// What nobody guesses.
fn secret() -> Result<String, Fault> {
    let mut bytes = [0; SECRET];
    getrandom::fill(&mut bytes).map_err(|_| Fault::failed("the operating system gives no random bytes"))?;
    Ok(bytes
        .iter()
        .fold(String::new(), |secret, byte| format!("{secret}{byte:02x}")))
}

struct Site<R> {
    hosts: [String; 2],
    secret: String,
    read: R,
    known: Mutex<Option<(Instant, Arc<Known>)>>,
}

/// What was read, in both forms.
struct Known {
    page: String,
    json: String,
}

struct Answer {
    status: &'static str,
    kind: &'static str,
    body: Arc<Known>,
    part: Part,
    extra: &'static str,
}

#[derive(Clone, Copy)]
enum Part {
    Page,
    Json,
}

impl Answer {
    fn words(status: &'static str, words: &str) -> Self {
        Self {
            status,
            kind: "text/plain; charset=utf-8",
            body: Arc::new(Known {
                page: format!("{words}\n"),
                json: String::new(),
            }),
            part: Part::Page,
            extra: "",
        }
    }

    fn body(&self) -> &str {
        match self.part {
            Part::Page => &self.body.page,
            Part::Json => &self.body.json,
        }
    }

    fn head(&self) -> String {
        format!(
            "HTTP/1.1 {}\r\n\
             content-type: {}\r\n\
             content-length: {}\r\n\
             cache-control: no-store\r\n\
             content-security-policy: {}; frame-ancestors 'none'\r\n\
             cross-origin-opener-policy: same-origin\r\n\
             cross-origin-resource-policy: same-origin\r\n\
             referrer-policy: no-referrer\r\n\
             x-content-type-options: nosniff\r\n\
             x-frame-options: DENY\r\n\
             {}connection: close\r\n\r\n",
            self.status,
            self.kind,
            self.body().len(),
            policy(Form::Live),
            self.extra,
        )
    }
}

/// One request and its answer.
async fn converse<R, F>(mut stream: TcpStream, site: &Site<R>) -> io::Result<()>
where
    R: Fn() -> F + Send + Sync,
    F: Future<Output = Result<Board, Fault>> + Send,
{
    let mut head = Vec::new();
    let asked = timeout(PATIENCE, read_head(&mut stream, &mut head)).await??;
    let (answer, is_head) = match asked {
        Asked::Request(request) => (site.answer(&request).await, request.method == "HEAD"),
        Asked::Nothing => return Ok(()),
        Asked::TooLarge => (
            Answer::words("431 Request Header Fields Too Large", "the request is too large"),
            false,
        ),
        Asked::Garbled => (Answer::words("400 Bad Request", "this is no request"), false),
    };
    timeout(PATIENCE, async {
        stream.write_all(answer.head().as_bytes()).await?;
        if !is_head {
            stream.write_all(answer.body().as_bytes()).await?;
        }
        stream.shutdown().await?;
        // What is still under way from the other side must not cut off the answer (RFC 9112, 9.6).
        let mut rest = [0; 1024];
        while stream.read(&mut rest).await? > 0 {}
        Ok(())
    })
    .await?
}

enum Asked {
    Request(Request),
    Nothing,
    TooLarge,
    Garbled,
}

#[derive(Debug, Default)]
struct Request {
    method: String,
    target: String,
    hosts: Vec<String>,
    site: Option<String>,
    mode: Option<String>,
    destination: Option<String>,
}

async fn read_head(stream: &mut TcpStream, head: &mut Vec<u8>) -> io::Result<Asked> {
    loop {
        if head.len() >= HEAD_LIMIT {
            return Ok(Asked::TooLarge);
        }
        if stream.read_buf(head).await? == 0 {
            return Ok(Asked::Nothing);
        }
        let mut headers = [httparse::EMPTY_HEADER; HEADERS];
        let mut parsed = httparse::Request::new(&mut headers);
        match parsed.parse(head) {
            Ok(httparse::Status::Partial) => {}
            Ok(httparse::Status::Complete(_)) => return Ok(Request::of(&parsed).map_or(Asked::Garbled, Asked::Request)),
            Err(httparse::Error::TooManyHeaders) => return Ok(Asked::TooLarge),
            Err(_) => return Ok(Asked::Garbled),
        }
    }
}

impl Request {
    fn of(parsed: &httparse::Request<'_, '_>) -> Option<Self> {
        let mut request = Self {
            method: parsed.method?.to_owned(),
            target: parsed.path?.to_owned(),
            ..Self::default()
        };
        for header in parsed.headers.iter() {
            let value = || {
                std::str::from_utf8(header.value)
                    .ok()
                    .map(|value| value.trim().to_owned())
            };
            match header.name.to_ascii_lowercase().as_str() {
                "host" => request.hosts.push(value()?),
                "sec-fetch-site" => request.site = Some(value()?),
                "sec-fetch-mode" => request.mode = Some(value()?),
                "sec-fetch-dest" => request.destination = Some(value()?),
                _ => {}
            }
        }
        Some(request)
    }

    /// Whether a page of another site asks for something to use it there. To follow a link to here, or to open the
    /// address from a file, is what a person does (Fetch Metadata, "Sec-Fetch-Site").
    fn is_foreign(&self) -> bool {
        let is = |field: &Option<String>, value: &str| field.as_deref() == Some(value);
        let is_own = self
            .site
            .as_deref()
            .is_none_or(|site| ["same-origin", "none"].contains(&site));
        let is_visit = is(&self.mode, "navigate") && is(&self.destination, "document");
        !is_own && !is_visit
    }
}

impl<R, F> Site<R>
where
    R: Fn() -> F + Send + Sync,
    F: Future<Output = Result<Board, Fault>> + Send,
{
    async fn answer(&self, request: &Request) -> Answer {
        let [host] = request.hosts.as_slice() else {
            return Answer::words("400 Bad Request", "a request names one host");
        };
        if !self.hosts.contains(host) {
            return Answer::words("421 Misdirected Request", "this is another host");
        }
        if request.is_foreign() {
            return Answer::words("403 Forbidden", "another site may not ask for this");
        }
        if !["GET", "HEAD"].contains(&request.method.as_str()) {
            let answer = Answer::words("405 Method Not Allowed", "this page can only be read");
            return Answer {
                extra: "allow: GET, HEAD\r\n",
                ..answer
            };
        }
        let path = request.target.split('?').next().unwrap_or_default();
        let wanted = path.strip_prefix('/').and_then(|path| path.split_once('/'));
        let (kind, part) = match wanted {
            Some((secret, _)) if !same(secret, &self.secret) => ("", Part::Page),
            Some((_, "")) => ("text/html; charset=utf-8", Part::Page),
            Some((_, "board.json")) => ("application/json", Part::Json),
            _ => ("", Part::Page),
        };
        if kind.is_empty() {
            return Answer::words(
                "404 Not Found",
                "there is nothing here; the command says the whole address",
            );
        }
        match self.known().await {
            Ok(body) => Answer {
                status: "200 OK",
                kind,
                body,
                part,
                extra: "",
            },
            Err(fault) => Answer::words("502 Bad Gateway", &fault.to_string()),
        }
    }

    /// The board as it is now, or was a moment ago. Who asks meanwhile waits for the same answer.
    async fn known(&self) -> Result<Arc<Known>, Fault> {
        let mut known = self.known.lock().await;
        if let Some((at, known)) = &*known
            && at.elapsed() < FRESH
        {
            return Ok(Arc::clone(known));
        }
        let board = (self.read)().await?;
        let fresh = Arc::new(Known {
            page: page(&board, Form::Live),
            // A struct of strings and numbers always serialises.
            json: serde_json::to_string(&board).unwrap_or_default(),
        });
        *known = Some((Instant::now(), Arc::clone(&fresh)));
        Ok(fresh)
    }
}

/// Compares without telling by its time how much of a guess was right.
fn same(one: &str, other: &str) -> bool {
    let difference = one
        .bytes()
        .zip(other.bytes())
        .fold(0, |difference, (a, b)| difference | (a ^ b));
    one.len() == other.len() && difference == 0
}
