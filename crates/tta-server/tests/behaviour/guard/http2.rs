//! HTTP/2: many streams, and those that misbehave.

use axum::body::Body;
use http_body::Body as _;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tta_server::ServerLimits;

use super::support::{LONG, SHORT, connect_http2, get_once, gzip, request, serve, until, whole};

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_requests_on_one_connection_are_answered_a_few_at_a_time() {
    let server = serve(ServerLimits { streams: 16, ..ServerLimits::default() }).await;
    let mut client = connect_http2(&server).await;
    // From then on the client knows how many streams there may be; what it opens before is refused.
    assert_eq!(client.send_request(request("GET", "/hello", Body::empty())).await.unwrap().status(), 200);
    let mut requests = JoinSet::new();
    for number in 0..1_000_usize {
        let mut client = client.clone();
        requests.spawn(async move {
            let body = Body::from(vec![b'x'; number]);
            let reply = client.send_request(request("POST", "/length", body)).await.unwrap();
            assert_eq!(whole(reply).await.unwrap(), (200, format!("{number} false")));
        });
    }
    while let Some(answered) = requests.join_next().await {
        answered.unwrap();
    }
    assert_eq!((server.counters().accepted, server.counters().requests), (1, 1_001));
}

#[tokio::test]
async fn limits_of_bodies_hold_on_http2_too() {
    let limits = ServerLimits {
        body_bytes: 100_000,
        decompressed_bytes: 100_000,
        read_timeout: SHORT,
        ..ServerLimits::default()
    };
    let server = serve(limits).await;
    let mut client = connect_http2(&server).await;
    let reply = client.send_request(request("POST", "/length", Body::from(vec![0; 100_001]))).await.unwrap();
    let (status, text) = whole(reply).await.unwrap();
    assert!(status == 413 && text.contains("accepted are 100000 bytes"), "{text}");
    let mut bomb = request("POST", "/length", Body::from(gzip(&vec![0; 10_000_000])));
    bomb.headers_mut().insert("content-encoding", http::HeaderValue::from_static("gzip"));
    let (status, text) = whole(client.send_request(bomb).await.unwrap()).await.unwrap();
    assert!(status == 413 && text.contains("once it is decompressed"), "{text}");
    let reply = client.send_request(request("POST", "/length", Body::new(Endless))).await.unwrap();
    let (status, text) = whole(reply).await.unwrap();
    assert!(status == 408 && text.contains("the body did not arrive within 200ms"), "{text}");
    let fine = client.send_request(request("GET", "/hello", Body::empty())).await.unwrap();
    assert_eq!((fine.headers()["x-frame-options"].as_bytes(), fine.status().as_u16()), (b"DENY".as_slice(), 200));
    assert_eq!((server.counters().accepted, server.counters().too_large, server.counters().slow_bodies), (1, 2, 1));
}

/// A body of which nothing ever comes.
struct Endless;

impl http_body::Body for Endless {
    type Data = axum::body::Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Self::Data>, Self::Error>>> {
        std::task::Poll::Pending
    }
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let server = serve(ServerLimits { headers: 10, head_bytes: 8_192, ..ServerLimits::default() }).await;
    let mut client = connect_http2(&server).await;
    let with = |count: usize, length: usize| {
        let mut large = request("GET", "/hello", Body::empty());
        for number in 0..count {
            let name = http::HeaderName::try_from(format!("x-{number}")).unwrap();
            large.headers_mut().insert(name, "y".repeat(length).parse().unwrap());
        }
        large
    };
    let (status, text) = whole(client.send_request(with(11, 1)).await.unwrap()).await.unwrap();
    assert!(status == 431 && text.contains("the request has 11 headers; accepted are 10"), "{text}");
    // The client knows the limit and keeps to it, or the server refuses: in no case it is served.
    let large = client.send_request(with(2, 9_000)).await;
    assert!(large.is_err() || large.is_ok_and(|reply| reply.status() == 431));
    let fine = connect_http2(&server).await.send_request(with(10, 10)).await.unwrap();
    assert_eq!(fine.status(), 200);
}

#[tokio::test]
async fn a_stream_whose_client_takes_nothing_is_reset_and_the_others_go_on() {
    let server = serve(ServerLimits { write_timeout: SHORT, ..ServerLimits::default() }).await;
    let mut client = connect_http2(&server).await;
    // Its window takes 64 KiB of 1 MiB; nothing more is read.
    let stuck = client.send_request(request("GET", "/large", Body::empty())).await.unwrap();
    assert_eq!(stuck.body().size_hint().exact(), Some(1 << 20));
    assert_eq!(until(&server, |counters| counters.stuck_cut > 0).await.stuck_cut, 1);
    let other = client.send_request(request("GET", "/hello", Body::empty())).await.unwrap();
    assert_eq!(whole(other).await.unwrap().1, "hello");
    let body = axum::body::to_bytes(Body::new(stuck.into_body()), usize::MAX).await;
    assert!(body.unwrap_err().to_string().contains("error reading a body from connection"));
}

#[tokio::test]
async fn a_connection_that_says_half_a_preface_or_nothing_after_it_is_closed() {
    let server = serve(ServerLimits { header_timeout: SHORT, write_timeout: SHORT, ..ServerLimits::default() }).await;
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    // Then with empty settings, as they should be.
    let whole = [preface.as_slice(), b"\0\0\0\x04\0\0\0\0\0"].concat();
    for sent in [&preface[..10], preface, &whole] {
        let mut stream = TcpStream::connect(server.local_addr()).await.unwrap();
        stream.write_all(sent).await.unwrap();
        let mut end = Vec::new();
        let _ = stream.read_to_end(&mut end).await;
    }
    assert_eq!(until(&server, |counters| counters.idle_closed == 3).await.requests, 0);
}

#[tokio::test]
async fn idle_connections_make_room_and_busy_ones_after_their_reply() {
    let limits = ServerLimits { connections: 1, idle_timeout: LONG, header_timeout: LONG, ..ServerLimits::default() };
    let server = serve(limits).await;
    for _ in 0..3 {
        let mut client = connect_http2(&server).await;
        let reply = client.send_request(request("GET", "/hello", Body::empty())).await.unwrap();
        assert_eq!(whole(reply).await.unwrap().1, "hello");
        assert_eq!(get_once(&server, "/hello", &[]).await.text(), "hello");
    }
    assert!(server.counters().waited >= 3);
    // An idle one is closed after its time also when nobody waits.
    let server = serve(ServerLimits { idle_timeout: SHORT, ..ServerLimits::default() }).await;
    let mut client = connect_http2(&server).await;
    whole(client.send_request(request("GET", "/hello", Body::empty())).await.unwrap()).await.unwrap();
    until(&server, |counters| counters.idle_closed == 1).await;
    client.ready().await.unwrap_err();
}
