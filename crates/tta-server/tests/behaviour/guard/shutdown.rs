//! The end of a server under load: what was begun is finished.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tta_server::{Server, ServerLimits};

use super::support::{LONG, SHORT, connect_http2, head, request, routes, serve, settings, until, whole};

const REPLY: usize = 100_000;

/// Asks on one connection until it is closed; how many whole replies came.
async fn keep_alive(mut stream: TcpStream) -> u64 {
    let mut replies = 0;
    while stream.write_all(head("GET", "/work", &[]).as_bytes()).await.is_ok() {
        let mut got = Vec::new();
        let end = loop {
            if let Some(at) = got.windows(4).position(|four| four == b"\r\n\r\n") {
                break Some(at + 4 + REPLY);
            }
            if stream.read_buf(&mut got).await.unwrap_or(0) == 0 {
                break None;
            }
        };
        let Some(end) = end else {
            assert!(got.is_empty(), "a head was cut");
            break;
        };
        while got.len() < end {
            assert_ne!(stream.read_buf(&mut got).await.unwrap(), 0, "a reply was cut");
        }
        replies += 1;
    }
    replies
}

#[tokio::test(flavor = "multi_thread")]
async fn every_request_that_was_begun_gets_its_whole_reply() {
    let begun = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&begun);
    let work = move || {
        count.fetch_add(1, Ordering::Relaxed);
        async {
            for _ in 0..20 {
                tokio::task::yield_now().await;
            }
            vec![b'x'; REPLY]
        }
    };
    let limits = ServerLimits { rate: None, write_timeout: LONG, ..ServerLimits::default() };
    let router = Router::new().route("/work", get(work));
    let server = Server::start(&settings(limits).check().unwrap(), router).await.unwrap();
    let mut clients = JoinSet::new();
    for _ in 0..4 {
        clients.spawn(keep_alive(TcpStream::connect(server.local_addr()).await.unwrap()));
        let client = connect_http2(&server).await;
        for _ in 0..4 {
            let mut client = client.clone();
            clients.spawn(async move {
                let mut replies = 0;
                while let Ok(reply) = client.send_request(request("GET", "/work", Body::empty())).await {
                    assert_eq!(whole(reply).await.unwrap().1.len(), REPLY);
                    replies += 1;
                }
                replies
            });
        }
    }
    until(&server, |counters| counters.requests > 500).await;
    assert!(server.shutdown(LONG).await);
    let mut replies = 0;
    while let Some(of_one) = clients.join_next().await {
        replies += of_one.unwrap();
    }
    assert_eq!(replies, begun.load(Ordering::Relaxed));
}

#[tokio::test]
async fn what_does_not_end_by_the_deadline_is_cut() {
    let server = serve(ServerLimits::default()).await;
    let mut client = connect_http2(&server).await;
    let never = client.send_request(request("GET", "/never", Body::empty()));
    let waiting = async {
        until(&server, |counters| counters.requests == 1).await;
        assert!(!server.shutdown(SHORT).await);
    };
    let (reply, ()) = tokio::join!(never, waiting);
    reply.unwrap_err();
}

#[tokio::test]
async fn connections_that_say_nothing_do_not_delay_the_end() {
    let limits = ServerLimits { header_timeout: LONG, idle_timeout: LONG, ..ServerLimits::default() };
    let server = Server::start(&settings(limits).check().unwrap(), routes()).await.unwrap();
    let mut silent = Vec::new();
    for sent in [b"".as_slice(), b"P", b"GET / HTTP/1.1\r\n"] {
        let mut stream = TcpStream::connect(server.local_addr()).await.unwrap();
        stream.write_all(sent).await.unwrap();
        silent.push(stream);
    }
    until(&server, |counters| counters.accepted == 3).await;
    assert!(server.shutdown(LONG).await);
}
