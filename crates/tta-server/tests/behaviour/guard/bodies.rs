//! Bodies that are too large, too slow, broken, or not what they say.

use axum::body::{Body, Bytes};
use axum::routing::post;
use http_body::Body as _;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tta_server::{Server, ServerLimits};

use super::support::{LONG, SHORT, get_once, gzip, head, post_once, problem, rest, routes, send, serve, settings};

fn limits() -> ServerLimits {
    ServerLimits { body_bytes: 100_000, decompressed_bytes: 200_000, held_bytes: 300_000, ..ServerLimits::default() }
}

#[tokio::test]
async fn a_body_of_a_gigabyte_that_is_announced_is_refused_before_any_of_it_is_sent() {
    let server = serve(limits()).await;
    let reply = send(server.local_addr(), head("POST", "/length", &["content-length: 1073741824"]).as_bytes()).await;
    assert_eq!(problem(&reply), (413, "the body is too large; accepted are 100000 bytes".to_owned()));
    assert_eq!((server.counters().too_large, server.counters().requests), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_of_a_gigabyte_that_is_streamed_is_cut_early_and_told_why() {
    let server = serve(limits()).await;
    let stream = TcpStream::connect(server.local_addr()).await.unwrap();
    let (mut reader, mut writer) = stream.into_split();
    writer.write_all(head("POST", "/length", &["transfer-encoding: chunked"]).as_bytes()).await.unwrap();
    let sender = async move {
        let chunk = [b"10000\r\n".as_slice(), &[b'x'; 0x10000], b"\r\n"].concat();
        let mut sent = 0_usize;
        while sent < 1 << 30 && writer.write_all(&chunk).await.is_ok() {
            sent += chunk.len();
        }
        sent
    };
    let (sent, reply) = tokio::join!(sender, rest(&mut reader));
    assert_eq!(problem(&reply), (413, "the body is too large; accepted are 100000 bytes".to_owned()));
    // What it had sent by then, and what sockets buffer.
    assert!(sent < 64 << 20, "{sent}");
    assert_eq!(server.counters().too_large, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_sends_all_before_it_reads_is_told_too() {
    let server = serve(limits()).await;
    for framing in ["content-length: 500000", "transfer-encoding: chunked"] {
        let body = [b"7a120\r\n".as_slice(), &[b'x'; 500_000], b"\r\n0\r\n\r\n"].concat();
        let socket = TcpSocket::new_v4().unwrap();
        // Of which little fits into buffers.
        socket.set_send_buffer_size(16 << 10).unwrap();
        let mut stream = socket.connect(server.local_addr()).await.unwrap();
        stream.write_all(&[head("POST", "/length", &[framing]).as_bytes(), &body].concat()).await.unwrap();
        assert_eq!(problem(&rest(&mut stream).await).0, 413, "{framing}");
    }
}

#[tokio::test]
async fn a_compressed_body_arrives_as_it_was() {
    let server = serve(limits()).await;
    let plain = vec![7; 150_000];
    let reply = post_once(&server, &["content-encoding: gzip"], &gzip(&plain)).await;
    assert_eq!((reply.status, reply.text().as_str()), (200, "150000 false"));
    let reply = post_once(&server, &["content-encoding: identity"], &plain[..100_000]).await;
    assert_eq!((reply.status, reply.text().as_str()), (200, "100000 true"));
}

#[tokio::test]
async fn a_bomb_ends_at_the_limit() {
    let server = serve(limits()).await;
    let bomb = gzip(&vec![0; 5_000_000]);
    let reply = post_once(&server, &["content-encoding: gzip"], &bomb).await;
    let want = "the body is too large once it is decompressed; accepted are 200000 bytes";
    assert_eq!(problem(&reply), (413, want.to_owned()));
    assert_eq!(server.counters().too_large, 1);
}

#[tokio::test]
async fn a_body_in_another_coding_or_broken_is_refused() {
    let server = serve(limits()).await;
    let reply = post_once(&server, &["content-encoding: br"], b"whatever").await;
    let want = "the header Content-Encoding names something else than gzip or identity, which are accepted";
    assert_eq!((problem(&reply), reply.header("accept-encoding")), ((415, want.to_owned()), Some("gzip")));
    let packed = gzip(&[1; 1_000]);
    for broken in [b"no gzip at all".as_slice(), &packed[..packed.len() - 3]] {
        let (status, detail) = problem(&post_once(&server, &["content-encoding: gzip"], broken).await);
        assert_eq!(status, 400);
        assert!(detail.ends_with("it is broken or incomplete as gzip"), "{detail}");
    }
    assert_eq!((server.counters().unknown_coding, server.counters().broken_bodies), (1, 2));
}

#[tokio::test]
async fn a_body_that_trickles_is_given_up() {
    let server = serve(ServerLimits { read_timeout: SHORT, ..limits() }).await;
    let mut stream = TcpStream::connect(server.local_addr()).await.unwrap();
    let sent = head("POST", "/length", &["content-length: 100"]) + "a few bytes";
    stream.write_all(sent.as_bytes()).await.unwrap();
    let reply = rest(&mut stream).await;
    assert_eq!(problem(&reply), (408, "the body did not arrive within 200ms".to_owned()));
    assert_eq!(reply.header("connection"), Some("close"));
    assert_eq!(server.counters().slow_bodies, 1);
}

#[tokio::test]
async fn a_body_that_breaks_off_is_told_to_who_still_listens() {
    let server = serve(limits()).await;
    let broken = ["content-length: 100", "transfer-encoding: chunked"];
    for (number, framing) in broken.into_iter().enumerate() {
        let mut stream = TcpStream::connect(server.local_addr()).await.unwrap();
        stream.write_all((head("POST", "/length", &[framing]) + "20\r\nhalf").as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        let (status, detail) = problem(&rest(&mut stream).await);
        let want = "the body could not be read to its end: it broke off, or its framing is wrong";
        assert_eq!((status, detail.as_str()), (400, want));
        assert_eq!(server.counters().broken_bodies, number as u64 + 1);
    }
    let reply =
        send(server.local_addr(), (head("POST", "/length", &["transfer-encoding: chunked"]) + "zz\r\n").as_bytes())
            .await;
    assert_eq!(problem(&reply).0, 400);
}

#[tokio::test]
async fn bodies_of_all_requests_together_are_bounded_and_make_room_again() {
    let tight = ServerLimits { held_bytes: 200_000, read_timeout: LONG, ..limits() };
    let (read, mut so_far) = tokio::sync::watch::channel(0);
    let watched = move |body: Body| async move {
        let mut body = std::pin::pin!(body);
        let mut length = 0;
        while let Some(Ok(frame)) = std::future::poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
            let piece = frame.data_ref().map_or(0, Bytes::len);
            length += piece;
            read.send_modify(|all| *all += piece);
        }
        length.to_string()
    };
    let router = routes().route("/watched", post(watched));
    let server = Server::start(&settings(tight).check().unwrap(), router).await.unwrap();
    let part = [b'x'; 90_000];
    let mut halves = Vec::new();
    for _ in 0..2 {
        let mut stream = TcpStream::connect(server.local_addr()).await.unwrap();
        let headers = ["content-length: 90001", "connection: close"];
        stream.write_all(&[head("POST", "/watched", &headers).as_bytes(), &part].concat()).await.unwrap();
        halves.push(stream);
    }
    so_far.wait_for(|all| *all == 180_000).await.unwrap();
    let refused = post_once(&server, &[], &part).await;
    let want = "the bodies of other requests take the memory there is; try again later";
    assert_eq!((problem(&refused), refused.header("retry-after")), ((503, want.to_owned()), Some("1")));
    for mut half in halves {
        half.write_all(b"x").await.unwrap();
        assert_eq!(rest(&mut half).await.text(), "90001");
    }
    assert_eq!(post_once(&server, &[], &part).await.text(), "90000 false");
    assert_eq!(server.counters().over_memory, 1);
}

#[tokio::test]
async fn bytes_that_mean_nothing_harm_nobody() {
    let server = serve(ServerLimits { header_timeout: SHORT, ..limits() }).await;
    let mut noise: u64 = 1;
    let mut connections = JoinSet::new();
    for length in [0_usize, 1, 2, 3, 10, 24, 100, 5_000] {
        let next = || {
            noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (noise >> 56) as u8
        };
        let bytes: Vec<u8> = std::iter::repeat_with(next).take(length).collect();
        for start in ["", "P", "PRI * HTTP/2.0\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "GET / HTTP/1.1\r\n"] {
            let (sent, address) = ([start.as_bytes(), &bytes].concat(), server.local_addr());
            connections.spawn(async move {
                let mut stream = TcpStream::connect(address).await.unwrap();
                stream.write_all(&sent).await.unwrap();
                // Until the server closes it.
                let _ = stream.read_to_end(&mut Vec::new()).await;
            });
        }
    }
    assert_eq!(connections.join_all().await.len(), 40);
    assert_eq!(server.counters().requests, 0);
    assert_eq!(get_once(&server, "/hello", &[]).await.text(), "hello");
}
