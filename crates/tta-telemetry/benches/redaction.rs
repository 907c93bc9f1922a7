//! What redaction costs: `cargo bench -p tta-telemetry --bench redaction`.
//!
//! Nanoseconds for an attribute, the least of several rounds: those of ordinary ones, which are
//! almost all, should be at most 30.
#![allow(clippy::print_stdout, clippy::disallowed_methods, clippy::expect_used)]

use std::hint::black_box;
use std::time::Instant;

use tta_telemetry::{Attribute, Redaction, RedactionCounts, RedactionRule, Redactor, Value};

const ROUNDS: usize = 30;
const PASSES: usize = 2_000;

fn text(key: &'static str, value: &'static str) -> Attribute {
    Attribute { key: key.into(), value: Value::Str(value.into()) }
}

fn number(key: &'static str, value: i64) -> Attribute {
    Attribute { key: key.into(), value: Value::I64(value) }
}

fn ordinary() -> Vec<Attribute> {
    vec![
        text("http.method", "GET"),
        text("http.target", "/api/products/1YMWWN1N4O"),
        text("http.flavor", "1.1"),
        text("http.host", "frontend-proxy:8080"),
        text("rpc.service", "oteldemo.ProductCatalogService"),
        text("rpc.system", "grpc"),
        text("peer.address", "172.25.0.20:8080"),
        text("component", "proxy"),
        text("tenant", "acme"),
        text("app.product.id", "1YMWWN1N4O"),
        text("net.peer.name", "productcatalogservice"),
        text("user_agent", "python-requests/2.31.0"),
        number("http.status_code", 200),
        number("net.peer.port", 53_866),
        number("rows", 3),
        Attribute { key: "cached".into(), value: Value::Bool(true) },
    ]
}

/// The least nanoseconds for one of these attributes.
fn least_ns(redactor: &Redactor, attributes: &[Attribute]) -> f64 {
    let mut attributes = attributes.to_vec();
    let mut counts = RedactionCounts::default();
    let mut round = || {
        let start = Instant::now();
        for _ in 0..PASSES {
            redactor.redact_attributes(black_box(&mut attributes), &mut counts);
        }
        start.elapsed().as_nanos() as f64 / (PASSES * attributes.len()) as f64
    };
    (0..ROUNDS).map(|_| round()).fold(f64::INFINITY, f64::min)
}

fn main() {
    let by_default = Redactor::new(&Redaction::default(), [0; 32]);
    let attributes = ordinary();
    println!("ordinary attributes, on average {:6.1} ns", least_ns(&by_default, &attributes));
    for attribute in &attributes {
        println!(
            "  {:<20} {:<32} {:6.1} ns",
            attribute.key,
            attribute.value,
            least_ns(&by_default, std::slice::from_ref(attribute))
        );
    }
    println!("texts and keys that have to be looked at closely, and are ordinary");
    for attribute in [
        text("url.full", "http://frontend-proxy:8080/api?page=2"),
        text("id", "550e8400-e29b-41d4-a716-446655440000"),
        text("app.product.name", "Eclipsmart Travel Refractor Telescope"),
        number("gen_ai.usage.input_tokens", 1_200),
    ] {
        println!(
            "  {:<28} {:<40} {:6.1} ns",
            attribute.key,
            attribute.value,
            least_ns(&by_default, std::slice::from_ref(&attribute))
        );
    }
    let rule = RedactionRule::value_regex("employees", r"\bE-\d{4}\b");
    let with_rule = Redaction::builder().rule(rule).build().expect("the pattern is right");
    let with_rule = Redactor::new(&with_rule, [0; 32]);
    println!("ordinary attributes with one pattern of the user's {:6.1} ns", least_ns(&with_rule, &attributes));
}
