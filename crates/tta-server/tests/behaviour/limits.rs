//! Scrapers that are many, stuck, slow, gone or no scrapers at all.

use std::io::ErrorKind;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tta_server::{MetricsServer, ServerCounters, ServerLimits};

use crate::support::{OPEN_METRICS, ask, engine, large_engine, request, scrape, serve, serve_within};

/// Far more than sockets buffer.
const LARGE: usize = 60_000;

/// Waits for what the server will have counted.
async fn until(server: &MetricsServer, is_so: impl Fn(&ServerCounters) -> bool) -> ServerCounters {
    loop {
        let counters = server.counters();
        if is_so(&counters) {
            return counters;
        }
        tokio::task::yield_now().await;
    }
}

/// Asks for a page and does not read it.
async fn stuck(server: &MetricsServer) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    let mut stream = socket.connect(server.local_addr()).await.unwrap();
    stream.write_all(request("GET", "/metrics", &[], "keep-alive").as_bytes()).await.unwrap();
    stream
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_scrapers_at_once_get_whole_pages() {
    let server = serve(&large_engine(1_000)).await;
    let address = server.local_addr();
    let mut scrapers = JoinSet::new();
    for _ in 0..100 {
        scrapers.spawn(async move { ask(address, "GET", "/metrics", &[OPEN_METRICS]).await.text() });
    }
    let mut pages = 0;
    while let Some(page) = scrapers.join_next().await {
        let page = page.unwrap();
        assert!(page.ends_with("# EOF\n") && page.matches("\nitems{").count() == 1_000);
        pages += 1;
    }
    assert_eq!((pages, server.counters().accepted, server.counters().pages_given_up), (100, 100, 0));
}

#[tokio::test]
async fn scrapers_that_keep_their_connections_make_room_for_others() {
    let limits = ServerLimits { connections: 2, header_timeout: Duration::from_secs(3_600), ..ServerLimits::default() };
    let server = serve_within(&engine(), limits).await;
    let mut connections = Vec::new();
    for _ in 0..6 {
        let mut stream = TcpStream::connect(server.local_addr()).await.unwrap();
        stream.write_all(request("HEAD", "/metrics", &[], "keep-alive").as_bytes()).await.unwrap();
        let mut reply = [0; 15];
        stream.read_exact(&mut reply).await.unwrap();
        assert_eq!(&reply, b"HTTP/1.1 200 OK");
        connections.push(stream);
    }
    let counters = server.counters();
    assert!(counters.accepted == 6 && (1..=4).contains(&counters.waited), "{counters:?}");
}

#[tokio::test]
async fn a_stuck_scraper_is_cut_off_while_others_are_served() {
    let limits = ServerLimits { write_timeout: Duration::from_millis(200), ..ServerLimits::default() };
    let server = serve_within(&large_engine(LARGE), limits).await;
    let mut stuck = stuck(&server).await;
    let page = scrape(&server, &[OPEN_METRICS]).await.text();
    assert!(page.ends_with("# EOF\n"));
    let counters = until(&server, |counters| counters.stuck_cut > 0).await;
    assert_eq!((counters.stuck_cut, counters.broken), (1, 0));
    // What it has not read by now it will never get.
    let mut rest = Vec::new();
    let end = stuck.read_to_end(&mut rest).await;
    assert_eq!(end.unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert!(rest.len() < page.len() / 2);
}

#[tokio::test]
async fn a_scraper_that_goes_away_half_way_harms_nobody() {
    let server = serve(&large_engine(LARGE)).await;
    for _ in 0..8 {
        let mut stream = stuck(&server).await;
        let mut some = [0; 1_000];
        stream.read_exact(&mut some).await.unwrap();
    }
    let counters = until(&server, |counters| counters.broken == 8).await;
    assert_eq!((counters.stuck_cut, counters.pages_given_up), (0, 0));
    assert!(scrape(&server, &[OPEN_METRICS]).await.text().ends_with("# EOF\n"));
}

#[tokio::test]
async fn one_that_sends_no_request_is_closed() {
    let limits = ServerLimits { header_timeout: Duration::from_millis(100), connections: 1, ..ServerLimits::default() };
    let server = serve_within(&engine(), limits).await;
    let mut silent = TcpStream::connect(server.local_addr()).await.unwrap();
    silent.write_all(b"GET /metrics HTTP/1.1\r\nhost: m").await.unwrap();
    // It holds the only place, for as long as it may.
    assert_eq!(scrape(&server, &[]).await.status, 200);
    let mut rest = Vec::new();
    silent.read_to_end(&mut rest).await.unwrap();
    assert_eq!((server.counters().idle_closed, server.counters().waited), (1, 1));
}

#[tokio::test]
async fn what_is_no_request_is_refused() {
    let server = serve(&engine()).await;
    let large = format!("GET /metrics HTTP/1.1\r\nhost: localhost\r\nx: {}\r\n\r\n", "x".repeat(40_000));
    for (sent, status) in [("\u{16}\u{3}\u{1}\r\n\r\n", "400"), (&large, "431")] {
        let mut stream = TcpStream::connect(server.local_addr()).await.unwrap();
        // The reply may come before all is sent.
        let _ = stream.write_all(sent.as_bytes()).await;
        let mut reply = vec![0; 12];
        stream.read_exact(&mut reply).await.unwrap();
        assert_eq!(String::from_utf8(reply).unwrap(), format!("HTTP/1.1 {status}"));
    }
    assert_eq!(scrape(&server, &[]).await.status, 200);
}

#[tokio::test]
async fn a_shutdown_closes_what_is_idle_and_cuts_what_is_stuck() {
    let limits = ServerLimits { write_timeout: Duration::from_secs(3_600), ..ServerLimits::default() };
    let telemetry = large_engine(LARGE);
    let server = serve_within(&telemetry, limits).await;
    let mut stuck = stuck(&server).await;
    let mut some = [0; 1_000];
    stuck.read_exact(&mut some).await.unwrap();
    assert!(!server.shutdown(Duration::from_millis(50)).await);
    let mut rest = Vec::new();
    let _ = stuck.read_to_end(&mut rest).await;
    assert!(!rest.ends_with(b"0\r\n\r\n"), "the page was sent to its end");
    let server = serve(&telemetry).await;
    let idle = TcpStream::connect(server.local_addr()).await.unwrap();
    let mut idle_too = TcpStream::connect(server.local_addr()).await.unwrap();
    idle_too.write_all(request("HEAD", "/metrics", &[], "keep-alive").as_bytes()).await.unwrap();
    idle_too.read_exact(&mut some[..15]).await.unwrap();
    drop(idle);
    assert!(server.shutdown(Duration::from_secs(30)).await);
}
