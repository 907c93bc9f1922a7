//! Servers that speak TLS.

use tta_redis::Redis;
use tta_telemetry::HealthStatus;

use super::support::{Bench, runtime, server_or_skip};

#[test]
fn a_server_is_trusted_for_its_certificate_and_not_without() {
    let server = server_or_skip!("--tls");
    let url = format!("rediss://127.0.0.1:{}", server.port());
    let trusting = Redis::builder(&url).root_certificate(server.authority()).build().unwrap();
    // Neither the system's authorities nor a plain connection will do.
    let doubting = Redis::connect(&url).unwrap();
    let plain = Redis::connect(&server.url()).unwrap();
    runtime().block_on(async {
        let bench = Bench::new(&trusting);
        bench.put("a", "text", &["tag"]).await.unwrap();
        assert_eq!(bench.text("a").await.unwrap().as_deref(), Some("text"));
        let error = Bench::new(&doubting).text("a").await.unwrap_err().to_string();
        assert!(error.contains("certificate"), "{error}");
        assert_eq!(doubting.health().status, HealthStatus::Degraded);
        Bench::new(&plain).text("a").await.unwrap_err();
    });
}
