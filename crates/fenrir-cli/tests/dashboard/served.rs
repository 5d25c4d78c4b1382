//! The page as it is served: to whoever has its address, on this machine, in his own browser.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use fenrir_cli::dashboard::Board;
use fenrir_cli::dashboard::page::{Form, page, policy};
use fenrir_cli::dashboard::serve::Server;
use fenrir_cli::exit::Exit;
use fenrir_cli::fault::Fault;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::board;

/// A dashboard that is served, and how often its board was read.
struct Served {
    host: String,
    path: String,
    reads: Arc<AtomicUsize>,
}

async fn served() -> Served {
    served_with(Ok(board())).await
}

async fn served_with(board: Result<Board, &'static str>) -> Served {
    let server = Server::listen(0).await.unwrap();
    let url = server.url();
    let (host, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let (host, path) = (host.to_owned(), format!("/{path}"));
    let reads = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&reads);
    tokio::spawn(server.serve(move || {
        count.fetch_add(1, Ordering::SeqCst);
        let board = board.clone().map_err(Fault::failed);
        async move {
            tokio::time::sleep(Duration::from_millis(50)).await;
            board
        }
    }));
    Served { host, path, reads }
}

impl Served {
    async fn get(&self, path: &str, headers: &[&str]) -> String {
        let host = format!("Host: {}", self.host);
        self.ask(&format!("GET {path} HTTP/1.1"), &[&[host.as_str()], headers].concat())
            .await
    }

    async fn ask(&self, line: &str, headers: &[&str]) -> String {
        self.send(&format!("{line}\r\n{}\r\n\r\n", headers.join("\r\n"))).await
    }

    async fn send(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(&self.host).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or_default()
}

fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").unwrap().1
}

#[tokio::test]
async fn whoever_has_the_address_gets_the_page_and_its_data() {
    let served = served().await;
    let answer = served.get(&served.path, &[]).await;
    assert_eq!(status(&answer), "200");
    assert_eq!(body(&answer), page(&board(), Form::Live));
    let head = answer.split_once("\r\n\r\n").unwrap().0;
    for header in [
        format!("content-length: {}", body(&answer).len()),
        "cache-control: no-store".to_owned(),
        "content-type: text/html; charset=utf-8".to_owned(),
        "x-content-type-options: nosniff".to_owned(),
        "x-frame-options: DENY".to_owned(),
        "referrer-policy: no-referrer".to_owned(),
        "cross-origin-resource-policy: same-origin".to_owned(),
        format!(
            "content-security-policy: {}; frame-ancestors 'none'",
            policy(Form::Live)
        ),
    ] {
        assert!(head.lines().any(|line| line == header), "{header} is not in\n{head}");
    }
    assert!(!head.contains("access-control-allow"), "{head}");
    let data = served.get(&format!("{}board.json", served.path), &[]).await;
    assert!(data.contains("content-type: application/json\r\n"));
    assert_eq!(serde_json::from_str::<Board>(body(&data)).unwrap(), board());
}

#[tokio::test]
async fn a_head_is_a_page_without_its_body() {
    let served = served().await;
    let host = format!("Host: {}", served.host);
    let answer = served.ask(&format!("HEAD {} HTTP/1.1", served.path), &[&host]).await;
    let length = page(&board(), Form::Live).len();
    assert!(answer.contains(&format!("content-length: {length}\r\n")));
    assert_eq!(body(&answer), "");
}

#[tokio::test]
async fn without_the_secret_there_is_nothing() {
    let served = served().await;
    let secret = served.path.trim_matches('/').to_owned();
    assert!(
        secret.len() >= 32 && secret.bytes().all(|b| b.is_ascii_hexdigit()),
        "{secret}"
    );
    let wrong = "0".repeat(secret.len());
    for path in [
        "/".to_owned(),
        "/board.json".to_owned(),
        format!("/{wrong}/"),
        format!("/{wrong}/board.json"),
        format!("/{secret}"),
        format!("/{secret}/../"),
        format!("/{secret}/other"),
        format!("//{secret}/"),
        format!("/{}/", &secret[..31]),
        format!("/{}/", secret.to_uppercase() + "0"),
    ] {
        let answer = served.get(&path, &[]).await;
        assert_eq!(status(&answer), "404", "{path}");
        assert!(!answer.contains("ledger") && !answer.contains(&secret));
    }
    assert_eq!(served.reads.load(Ordering::SeqCst), 0, "nothing was asked of AWS");
    let other = Server::listen(0).await.unwrap();
    assert!(!other.url().contains(&secret));
}

#[tokio::test]
async fn a_name_that_leads_here_by_somebody_elses_dns_is_refused() {
    let served = served().await;
    let line = format!("GET {} HTTP/1.1", served.path);
    let port = served.host.split(':').nth(1).unwrap();
    for host in [
        "evil.example",
        &format!("evil.example:{port}"),
        "127.0.0.1",
        "localhost",
        "127.0.0.1:1",
        "",
        "0.0.0.0",
    ] {
        let answer = served.ask(&line, &[&format!("Host: {host}")]).await;
        assert_eq!(status(&answer), "421", "{host}");
    }
    assert_eq!(status(&served.ask(&line, &[]).await), "400");
    let twice = [format!("Host: {}", served.host), "Host: evil.example".to_owned()];
    assert_eq!(status(&served.ask(&line, &[&twice[0], &twice[1]]).await), "400");
    assert_eq!(served.reads.load(Ordering::SeqCst), 0);
    let answer = served.ask(&line, &[&format!("Host: localhost:{port}")]).await;
    assert_eq!(status(&answer), "200");
}

#[tokio::test]
async fn another_sites_page_gets_nothing() {
    let served = served().await;
    for site in ["cross-site", "same-site", "anything"] {
        for more in [
            &[][..],
            &["Sec-Fetch-Mode: cors", "Sec-Fetch-Dest: empty"],
            &["Sec-Fetch-Mode: no-cors", "Sec-Fetch-Dest: script"],
            &["Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: iframe"],
        ] {
            let site = format!("Sec-Fetch-Site: {site}");
            let answer = served.get(&served.path, &[&[site.as_str()], more].concat()).await;
            assert_eq!(status(&answer), "403", "{site} {more:?}");
        }
    }
    for own in [
        &[
            "Sec-Fetch-Site: none",
            "Sec-Fetch-Mode: navigate",
            "Sec-Fetch-Dest: document",
        ][..],
        &[
            "Sec-Fetch-Site: same-origin",
            "Sec-Fetch-Mode: cors",
            "Sec-Fetch-Dest: empty",
        ],
        &[
            "Sec-Fetch-Site: cross-site",
            "Sec-Fetch-Mode: navigate",
            "Sec-Fetch-Dest: document",
        ],
    ] {
        assert_eq!(status(&served.get(&served.path, own).await), "200", "{own:?}");
    }
}

#[tokio::test]
async fn it_can_only_be_read() {
    let served = served().await;
    let host = format!("Host: {}", served.host);
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "CONNECT", "get"] {
        let answer = served
            .ask(&format!("{method} {} HTTP/1.1", served.path), &[&host])
            .await;
        assert_eq!(status(&answer), "405", "{method}");
        assert!(answer.contains("\r\nallow: GET, HEAD\r\n"));
    }
}

#[tokio::test]
async fn what_is_no_request_is_told_so() {
    let served = served().await;
    for garbage in [
        "\u{16}\u{3}\u{1}\r\n\r\n",
        "GET\r\n\r\n",
        "GET / HTTP/9\r\n\r\n",
        "GET / HTTP/1.1\r\nno header\r\n\r\n",
    ] {
        assert_eq!(status(&served.send(garbage).await), "400", "{garbage:?}");
    }
    let long = format!("GET /{} HTTP/1.1\r\n", "a".repeat(20_000));
    assert_eq!(status(&served.send(&long).await), "431");
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(100));
    assert_eq!(status(&served.send(&many).await), "431");
}

#[tokio::test]
async fn a_request_may_come_in_pieces_and_a_silent_one_keeps_nobody_waiting() {
    let served = served().await;
    // More than are served at once would be too many, half of them is not.
    let mut silent = Vec::new();
    for _ in 0..16 {
        silent.push(TcpStream::connect(&served.host).await.unwrap());
    }
    let mut stream = TcpStream::connect(&served.host).await.unwrap();
    let request = format!("GET {} HTTP/1.1\r\nHost: {}\r\n\r\n", served.path, served.host);
    for piece in request.as_bytes().chunks(20) {
        stream.write_all(piece).await.unwrap();
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert_eq!(status(&answer), "200");
}

#[tokio::test]
async fn ten_tabs_ask_aws_no_more_often_than_one() {
    let served = Arc::new(served().await);
    let tabs: Vec<_> = (0..10)
        .map(|_| {
            let served = Arc::clone(&served);
            tokio::spawn(async move { served.get(&served.path, &[]).await })
        })
        .collect();
    for tab in tabs {
        assert_eq!(status(&tab.await.unwrap()), "200");
    }
    assert_eq!(served.reads.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn what_cannot_be_read_is_said_and_asked_again_the_next_time() {
    let served = served_with(Err("reading the releases: you lack the right")).await;
    for times in 1..3 {
        let answer = served.get(&served.path, &[]).await;
        assert_eq!(status(&answer), "502");
        assert_eq!(body(&answer), "reading the releases: you lack the right\n");
        assert_eq!(served.reads.load(Ordering::SeqCst), times);
    }
}

#[tokio::test]
async fn two_dashboards_have_two_ports_and_a_taken_one_is_told() {
    let (one, other) = (Server::listen(0).await.unwrap(), Server::listen(0).await.unwrap());
    assert_ne!(one.url(), other.url());
    assert!(one.url().starts_with("http://127.0.0.1:"));
    let port: u16 = one.url().split([':', '/']).nth(4).unwrap().parse().unwrap();
    let fault = Server::listen(port).await.unwrap_err();
    assert_eq!(fault.exit, Exit::Usage);
    assert_eq!(fault.message, format!("the port {port} of this machine is taken"));
    assert!(fault.help.unwrap().contains("--port"));
}
