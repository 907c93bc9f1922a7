//! A server of an engine's health, and a client.

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tta::Telemetry;
use tta::server::{ConfigApi, HealthApi, Server, ServerSettings, Tokens};

pub(crate) async fn serve(telemetry: &Telemetry, config: Option<&ConfigApi>) -> Server {
    let settings = ServerSettings { address: "127.0.0.1:0".parse().unwrap(), ..ServerSettings::default() };
    let health = HealthApi::builder(telemetry).build();
    let mut router = health.router().merge(health.probes());
    if let Some(config) = config {
        router = router.merge(config.router(&Tokens::default()));
    }
    Server::start(&settings.check().unwrap(), router).await.unwrap()
}

/// Status and body.
pub(crate) async fn ask(server: &Server, method: &str, path: &str, body: &str) -> (u16, Value) {
    let mut stream = TcpStream::connect(server.local_addr()).await.unwrap();
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.0\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n"
    );
    stream.write_all(format!("{head}\r\n{body}").as_bytes()).await.unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).await.unwrap();
    let (head, body) = reply.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), serde_json::from_str(body).unwrap())
}

/// Status of the whole, status of the component, and why.
pub(crate) async fn told(server: &Server, component: &str) -> (String, String, String) {
    let (code, body) = ask(server, "GET", "/health", "").await;
    assert_eq!(code, 200, "{body}");
    let component = &body["details"]["components"][component];
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    (word(&body["status"]), word(&component["status"]), word(&component["reason"]))
}

pub(crate) fn healthy() -> (String, String, String) {
    ("healthy".to_owned(), "healthy".to_owned(), String::new())
}
