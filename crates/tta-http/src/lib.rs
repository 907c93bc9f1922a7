//! tta over HTTP: a run for each request of a server, a span for each call of a client, and one
//! trace across both.
//!
//! - [`TraceRequests`]: a `tower` layer for any HTTP service. Each request is a run that continues
//!   its caller's trace; workflows that run in it are parts of it.
//! - `TraceCalls` (feature `reqwest`): a middleware of a reqwest client. Each call is a span, and
//!   carries the trace along. `check_status` and `call_error` turn what came back into errors that
//!   a retry understands.
//! - [`extract`] and [`inject`], for other servers and clients: W3C Trace Context and Baggage in an
//!   [`http::HeaderMap`].
//!
//! Owns what HTTP adds to a trace: headers, names and attributes by the
//! [semantic conventions](https://opentelemetry.io/docs/specs/semconv/http/http-spans/) of
//! OpenTelemetry. Does not own the grammar of the headers (`tta-telemetry`), and knows neither
//! exporters nor storage.
//!
//! ```
//! use axum::{Router, routing::get};
//! use tta_http::{Cx, TraceCalls, TraceRequests, call_error, check_status};
//! use tta_primitives::{Result, step};
//! use tta_telemetry::{MemorySink, Telemetry, TraceTree};
//!
//! // A service whose handler runs a workflow: both are recorded as one run.
//! async fn shout(name: String) -> Result<String, String> { Ok(name.to_uppercase()) }
//! async fn greet(Cx(cx): Cx) -> String { step(shout).run("ada".to_owned(), &cx).await.unwrap_or_default() }
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> anyhow::Result<()> {
//! let memory = MemorySink::new();
//! let telemetry = Telemetry::builder().sink(memory.clone()).build()?;
//! let layer = TraceRequests::new().telemetry(telemetry.clone());
//! let service = Router::new().route("/greet/{language}", get(greet)).layer(layer);
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! let url = format!("http://{}/greet/en", listener.local_addr()?);
//! let mut server = tokio::task::JoinSet::new();
//! server.spawn(axum::serve(listener, service).into_future());
//!
//! // A client whose calls are traced, when they are made inside a run.
//! let client = reqwest_middleware::ClientBuilder::new(reqwest::Client::new()).with(TraceCalls::new()).build();
//! let response = client.get(url).send().await.map_err(call_error)?;
//! assert_eq!(check_status(response)?.text().await?, "ADA");
//!
//! assert!(telemetry.flush(std::time::Duration::from_secs(5)).await.complete);
//! let tree = TraceTree::new(&memory.traces()[0]).timing(false).to_string();
//! assert_eq!(tree, "\
//! GET /greet/{language} (http_server)
//! ╰─ shout
//! ");
//! # Ok(()) }
//! ```
//!
//! # Features
//! - `axum`: names from axum's routes, and the extractor `Cx`.
//! - `reqwest`: the client side. TLS and other features of reqwest are for the program to choose.
#![deny(missing_docs)]
#![forbid(unsafe_code)]

#[cfg(feature = "reqwest")]
mod client;
mod headers;
mod request;
mod server;

#[cfg(feature = "reqwest")]
pub use client::{StatusError, TraceCalls, UrlTemplate, call_error, check_status};
pub use headers::{Headers, HeadersMut, extract, inject};
#[cfg(feature = "axum")]
pub use server::Cx;
pub use server::{ResponseFuture, TraceRequests, TracedService};
