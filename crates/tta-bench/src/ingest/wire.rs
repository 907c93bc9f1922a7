//! As much of HTTP/1.1 as senders, probes and receivers need: a message is read to its end, and no
//! further.

use crate::clock::Stopwatch;
use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// After which a server that says nothing has failed.
const PATIENCE: Duration = Duration::from_secs(30);

/// A connection that stays open.
pub(crate) struct Connection(BufReader<TcpStream>);

/// What was answered.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

impl Connection {
    pub(crate) fn open(to: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect_timeout(&to, PATIENCE)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self(BufReader::new(stream)))
    }

    pub(crate) fn ask(&mut self, request: &[u8]) -> anyhow::Result<Reply> {
        self.0.get_mut().write_all(request)?;
        reply(&mut self.0)
    }
}

/// Asks by a connection of its own; the reply, and how long it took from connecting on.
pub(crate) fn get(to: SocketAddr, path: &str) -> anyhow::Result<(Reply, u64)> {
    let watch = Stopwatch::start();
    let request = format!("GET {path} HTTP/1.1\r\nhost: {to}\r\nconnection: close\r\n\r\n");
    let reply = Connection::open(to)?.ask(request.as_bytes())?;
    Ok((reply, watch.elapsed_ns()))
}

/// What stands before a body.
pub(crate) struct Head {
    /// The first line.
    pub(crate) first: String,
    pub(crate) length: Option<u64>,
    pub(crate) is_chunked: bool,
}

/// Of a request or a reply.
pub(crate) fn head(from: &mut impl BufRead) -> anyhow::Result<Head> {
    let mut head = Head { first: line(from)?, length: None, is_chunked: false };
    loop {
        let header = line(from)?.to_ascii_lowercase();
        let Some((name, value)) = header.split_once(':') else { return Ok(head) };
        match (name, value.trim()) {
            ("content-length", value) => head.length = Some(value.parse()?),
            ("transfer-encoding", value) => head.is_chunked = value == "chunked",
            _ => {}
        }
    }
}

fn reply(from: &mut impl BufRead) -> anyhow::Result<Reply> {
    let Head { first, length, is_chunked } = head(from)?;
    let status = first.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.ok_or_else(|| anyhow::anyhow!("no reply of HTTP: {first:?}"))?;
    let mut body = Vec::new();
    match length {
        Some(length) => {
            body.resize(usize::try_from(length)?, 0);
            from.read_exact(&mut body)?;
        }
        None if is_chunked => chunks(from, &mut body)?,
        None => drop(from.read_to_end(&mut body)?),
    }
    Ok(Reply { status, body })
}

fn chunks(from: &mut impl BufRead, body: &mut Vec<u8>) -> anyhow::Result<()> {
    loop {
        let length = u64::from_str_radix(&line(from)?, 16)?;
        from.by_ref().take(length).read_to_end(body)?;
        // A chunk ends with an empty line, the last one, too.
        line(from)?;
        if length == 0 {
            return Ok(());
        }
    }
}

fn line(from: &mut impl BufRead) -> anyhow::Result<String> {
    let mut line = String::new();
    anyhow::ensure!(from.read_line(&mut line)? > 0, "the server has closed the connection");
    line.truncate(line.trim_end().len());
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_is_read_to_its_end_however_long_it_says_that_it_is() {
        let mut both = &b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcHTTP/1.1 503 no\r\n\
            transfer-encoding: chunked\r\n\r\n4\r\nwiki\r\n2\r\nhi\r\n0\r\n\r\nrest"[..];
        let first = reply(&mut both).unwrap();
        assert_eq!((first.status, &*first.body), (200, &b"abc"[..]));
        let second = reply(&mut both).unwrap();
        assert_eq!((second.status, &*second.body, both), (503, &b"wikihi"[..], &b"rest"[..]));
        assert!(reply(&mut &b""[..]).is_err_and(|error| error.to_string().contains("closed")));
    }
}
