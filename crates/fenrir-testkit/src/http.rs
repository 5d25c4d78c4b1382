//! Just enough HTTP/1.1 to turn the knobs of the local AWS and to read requests in a recorded server.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

/// The first line, the header lines and the body of a message.
pub(crate) struct Message {
    pub(crate) first: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Message {
    /// The value of a header; its name in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(have, _)| have == name)
            .map(|(_, value)| value.as_str())
    }
}

/// Reads one message whose body has a `content-length` or none; `None` when the other side has closed.
pub(crate) fn read(stream: &mut impl Read) -> Option<Message> {
    let mut reader = BufReader::new(stream);
    let mut first = String::new();
    if reader.read_line(&mut first).ok()? == 0 {
        return None;
    }
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut message = Message {
        first: first.trim_end().to_owned(),
        headers,
        body: Vec::new(),
    };
    let length = message
        .header("content-length")
        .and_then(|value| value.parse().ok())
        .unwrap_or(0);
    message.body = vec![0; length];
    reader.read_exact(&mut message.body).ok()?;
    Some(message)
}

/// Sends one request and returns the body of its answer.
///
/// `address` is `host:port`; `headers` are lines of their own, each ended by `\r\n`.
pub(crate) fn request(address: &str, method: &str, path: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).expect("the local AWS listens");
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n{headers}content-length: {}\r\n\r\n",
        body.len()
    )
    .unwrap();
    stream.write_all(body).unwrap();
    let answer = read(&mut stream).expect("the local AWS answers");
    assert!(
        answer.first.contains(" 200"),
        "{method} {path}: {} {}",
        answer.first,
        String::from_utf8_lossy(&answer.body)
    );
    answer.body
}
