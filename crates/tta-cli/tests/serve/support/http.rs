//! HTTP/1.1 by hand, so that what is sent is what is written here.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::Value;

#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    /// Reads one to the end of the connection.
    pub(crate) fn read(stream: &mut impl Read) -> std::io::Result<Self> {
        let mut bytes = Vec::new();
        let ended = stream.read_to_end(&mut bytes);
        let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
            ended?;
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        };
        let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        let mut body = bytes.split_off(end + 4);
        if head.contains("\r\ntransfer-encoding: chunked") {
            body = joined(&body).ok_or(std::io::ErrorKind::UnexpectedEof)?;
        }
        Ok(Self { status, head, body })
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// What is wrong, by a problem body that says the same as the status.
    pub(crate) fn problem(&self) -> String {
        assert!(self.head.contains("\r\ncontent-type: application/problem+json"), "{self:?}");
        let problem = self.json();
        assert_eq!(problem["status"], self.status, "{problem}");
        assert!(problem["title"].as_str().is_some_and(|title| !title.is_empty()), "{problem}");
        problem["detail"].as_str().unwrap().to_owned()
    }
}

/// What chunks hold; `None` unless the last is there.
fn joined(mut chunks: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line = chunks.windows(2).position(|window| window == b"\r\n")?;
        let size = usize::from_str_radix(std::str::from_utf8(&chunks[..line]).ok()?, 16).ok()?;
        if size == 0 {
            return Some(body);
        }
        body.extend_from_slice(chunks.get(line + 2..line + 2 + size)?);
        chunks = chunks.get(line + 4 + size..)?;
    }
}

/// A request as it is sent.
pub(crate) fn request(method: &str, path: &str, headers: &[&str], body: &[u8]) -> Vec<u8> {
    let mut bytes = format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n").into_bytes();
    for header in headers {
        bytes.extend_from_slice(format!("{header}\r\n").as_bytes());
    }
    bytes.extend_from_slice(format!("content-length: {}\r\n\r\n", body.len()).as_bytes());
    bytes.extend_from_slice(body);
    bytes
}

/// Sends a request on a connection of its own.
pub(crate) fn ask(address: &str, method: &str, path: &str, headers: &[&str], body: &[u8]) -> std::io::Result<Reply> {
    let mut stream = TcpStream::connect(address)?;
    // It may have its answer before all of it is sent.
    let _ = stream.write_all(&request(method, path, headers, body));
    Reply::read(&mut stream)
}

pub(crate) fn get(address: &str, path: &str) -> Reply {
    ask(address, "GET", path, &[], b"").unwrap()
}

pub(crate) fn post(address: &str, path: &str, headers: &[&str], body: &[u8]) -> Reply {
    ask(address, "POST", path, headers, body).unwrap()
}
