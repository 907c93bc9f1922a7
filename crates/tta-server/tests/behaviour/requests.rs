//! What requests get: formats, codings, methods and paths.

use axum::Router;
use http::{Request, StatusCode};
use tta_server::{MetricsServer, ServerError};
use tta_telemetry::Telemetry;

use crate::support::{OPEN_METRICS, ask, engine, gunzip, large_engine, record, scrape, serve};

const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

#[tokio::test]
async fn a_page_is_in_the_format_that_the_request_accepts() {
    let telemetry = engine();
    record(&telemetry, 3);
    let server = serve(&telemetry).await;
    let plain = scrape(&server, &[]).await;
    assert_eq!((plain.status, plain.header("content-type")), (200, Some(TEXT)));
    assert_eq!(plain.header("vary"), Some("accept, accept-encoding"));
    let count = "primitive_duration_seconds_count{primitive_name=\"work\",primitive_type=\"batch\"} 3\n";
    assert!(plain.text().contains(count), "{}", plain.text());
    let open = scrape(&server, &[OPEN_METRICS]).await;
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert_eq!(open.header("content-type"), Some(kind));
    assert!(open.text().contains(count) && open.text().ends_with("\n# EOF\n"));
    for nonsense in ["accept: \"", "accept: image/png", "accept: ,,;q=9", "accept: \u{e9}"] {
        assert_eq!(scrape(&server, &[nonsense]).await.header("content-type"), Some(TEXT));
    }
}

#[tokio::test]
async fn a_compressed_page_is_the_same_page() {
    let telemetry = large_engine(2_000);
    let server = serve(&telemetry).await;
    let pages = [scrape(&server, &[]).await, scrape(&server, &["accept-encoding: gzip"]).await];
    assert_eq!((pages[0].header("content-encoding"), pages[1].header("content-encoding")), (None, Some("gzip")));
    assert!(pages[0].body.len() > 200_000 && pages[1].body.len() < pages[0].body.len() / 10);
    let items = |page: &[u8]| {
        let page = String::from_utf8(page.to_vec()).unwrap();
        page.lines().filter(|line| line.starts_with("items{")).map(str::to_owned).collect::<Vec<_>>()
    };
    let plain = items(&pages[0].body);
    assert_eq!(plain.len(), 2_000);
    assert_eq!(items(&gunzip(&pages[1].body)), plain);
}

#[tokio::test]
async fn head_is_answered_without_a_body() {
    let server = serve(&engine()).await;
    let reply = ask(server.local_addr(), "HEAD", "/metrics", &[OPEN_METRICS]).await;
    assert_eq!((reply.status, reply.body.len()), (200, 0));
    assert_eq!(reply.header("content-type"), Some("application/openmetrics-text; version=1.0.0; charset=utf-8"));
    assert_eq!(reply.header("content-length"), None);
}

#[tokio::test]
async fn other_paths_and_methods_are_told_what_there_is() {
    let server = serve(&engine()).await;
    let unknown = ask(server.local_addr(), "GET", "/", &[]).await;
    assert_eq!(unknown.header("content-type"), Some("application/problem+json"));
    let said = "{\"title\":\"Not Found\",\"status\":404,\"detail\":\"the metrics are at /metrics\"}\n";
    assert_eq!((unknown.status, unknown.text().as_str()), (404, said));
    for method in ["POST", "DELETE", "OPTIONS"] {
        let reply = ask(server.local_addr(), method, "/metrics", &["content-length: 0"]).await;
        assert_eq!((reply.status, reply.header("allow")), (405, Some("get, head")));
        assert!(reply.text().starts_with("{\"title\":\"Method Not Allowed\",\"status\":405,"), "{}", reply.text());
    }
}

#[tokio::test]
async fn an_engine_that_is_off_has_a_page_that_is_valid() {
    let telemetry = Telemetry::builder().enabled(false).build().unwrap();
    record(&telemetry, 3);
    let server = serve(&telemetry).await;
    let (text, open) = (scrape(&server, &[]).await, scrape(&server, &[OPEN_METRICS]).await);
    assert_eq!((text.status, text.text().as_str()), (200, ""));
    assert_eq!((open.status, open.text().as_str()), (200, "# EOF\n"));
    let packed = scrape(&server, &[OPEN_METRICS, "accept-encoding: gzip"]).await;
    assert_eq!(gunzip(&packed.body), b"# EOF\n");
}

#[tokio::test]
async fn the_route_can_be_merged_and_nested() {
    use tower_service::Service;

    let telemetry = engine();
    let own = Router::new().fallback(|| async { (StatusCode::IM_A_TEAPOT, "mine") });
    let nested = Router::new().nest("/internal", tta_server::router(&telemetry));
    let mut router = own.merge(tta_server::router(&telemetry)).merge(nested);
    for (path, status) in [("/metrics", 200), ("/internal/metrics", 200), ("/internal/else", 418), ("/else", 418)] {
        let request = Request::get(path).body(axum::body::Body::empty()).unwrap();
        assert_eq!(router.call(request).await.unwrap().status().as_u16(), status, "{path}");
    }
}

#[tokio::test]
async fn an_address_that_is_taken_or_not_ours_is_refused_with_its_name() {
    let telemetry = engine();
    let first = serve(&telemetry).await;
    let taken = first.local_addr();
    let error = MetricsServer::builder(&telemetry).bind(taken).start().await.unwrap_err();
    assert_eq!(error, ServerError::AddressTaken { address: taken });
    let said = format!(
        "cannot serve at {taken}: the address is taken; end what listens there, or choose another one, with port 0 for \
         any port that is free"
    );
    assert_eq!(error.to_string(), said);
    let foreign = MetricsServer::builder(&telemetry).bind("192.0.2.1:9464".parse().unwrap()).insecure(true);
    let foreign = foreign.start().await.unwrap_err();
    assert!(foreign.to_string().starts_with("cannot serve at 192.0.2.1:9464: "), "{foreign}");
    // The port is free again once the first has ended.
    assert!(first.shutdown(std::time::Duration::from_secs(30)).await);
    let second = MetricsServer::builder(&telemetry).bind(taken).start().await.unwrap();
    assert_eq!(second.url(), format!("http://{taken}/metrics"));
}

#[tokio::test]
async fn metrics_are_served_to_other_machines_only_when_it_is_insecure_on_purpose() {
    let telemetry = engine();
    let everywhere: std::net::SocketAddr = "0.0.0.0:0".parse().unwrap();
    let exposed = MetricsServer::builder(&telemetry).bind(everywhere).start().await.unwrap_err();
    assert_eq!(exposed, ServerError::ExposedMetrics { address: everywhere });
    let said = exposed.to_string();
    assert!(said.starts_with("cannot serve metrics at 0.0.0.0:0: whoever reaches it could read them"), "{said}");
    let open = MetricsServer::builder(&telemetry).bind(everywhere).insecure(true).start().await.unwrap();
    let here = std::net::SocketAddr::from(([127, 0, 0, 1], open.local_addr().port()));
    assert_eq!(by_name(here, "metrics.example").await, 200);
    // A web page that reaches this machine by a name of its own is none of this machine's programs.
    let closed = serve(&telemetry).await;
    let here = closed.local_addr();
    let names = ["metrics.example", "localhost", "127.0.0.1:9464"];
    assert_eq!(
        [by_name(here, names[0]).await, by_name(here, names[1]).await, by_name(here, names[2]).await],
        [421, 200, 200]
    );
}

async fn by_name(address: std::net::SocketAddr, name: &str) -> u16 {
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let request = format!("GET /metrics HTTP/1.1\r\nhost: {name}\r\nconnection: close\r\n\r\n");
    tokio::io::AsyncWriteExt::write_all(&mut stream, request.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut bytes).await.unwrap();
    crate::support::read(&bytes).status
}
