//! A Redis that goes away and comes back; skipped where the program is missing, but not with `CI=true`.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, TcpListener};
use std::process::{Child, Command, Stdio};

use tta::Telemetry;
use tta::redis::Redis;

use crate::support::{healthy, serve, told};

/// Ends with the test.
struct RedisServer(Child);

impl Drop for RedisServer {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// On this port, once it accepts connections; `None` when it does not come to that.
fn start(port: u16) -> Option<RedisServer> {
    let arguments = ["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--port", &port.to_string()];
    let mut command = Command::new("redis-server");
    command.args(arguments).current_dir(std::env::temp_dir()).stdin(Stdio::null());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let is_up = lines.any(|line| line.contains("Ready to accept connections"));
    // What it says later must not fill the pipe.
    std::thread::spawn(move || lines.for_each(drop));
    let server = RedisServer(child);
    is_up.then_some(server)
}

#[tokio::test]
async fn a_redis_that_is_gone_is_degraded_until_it_is_back() {
    let found = Command::new("redis-server").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if found.is_err() {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "redis-server is not installed");
        eprintln!("skipped: redis-server is not installed");
        return;
    }
    let free = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    // Another process may take the port between our look and the server's start.
    let (port, server) = (0..10).find_map(|_| Some(free()).and_then(|port| Some((port, start(port)?)))).unwrap();
    let telemetry = Telemetry::builder().build().unwrap();
    let redis = Redis::connect(&format!("redis://127.0.0.1:{port}")).unwrap();
    telemetry.watch_health(&redis.component());
    let health = serve(&telemetry, None).await;
    redis.ping().await.unwrap();
    assert_eq!(told(&health, "redis:default").await, healthy());
    drop(server);
    assert!(redis.ping().await.is_err());
    let (whole, status, reason) = told(&health, "redis:default").await;
    assert_eq!((&*whole, &*status, reason.is_empty()), ("degraded", "degraded", false));
    let _server = start(port).unwrap();
    // It waits a little between attempts to connect.
    while redis.ping().await.is_err() {}
    assert_eq!(told(&health, "redis:default").await, healthy());
}
