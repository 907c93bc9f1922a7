//! The service that the W3C's validation of Trace Context drives: see the example
//! `propagation_service`.
//!
//! Owns the service's route. Does not own the socket, the engine, or the process.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tta::ErrorKind;
use tta::http::{TraceCalls, TraceRequests, call_error, check_status};
use tta::telemetry::Telemetry;

/// One thing the service is asked to do.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Call {
    /// Where to post.
    pub url: String,
    /// What to post, as JSON.
    #[serde(default)]
    pub arguments: Value,
}

/// `POST /test` with a JSON array of [`Call`]s makes each of them in turn and answers 200.
pub fn service(telemetry: Telemetry, client: reqwest::Client) -> axum::Router {
    let client = ClientBuilder::new(client).with(TraceCalls::new()).build();
    axum::Router::new()
        .route("/test", post(make_calls))
        .with_state(client)
        .layer(TraceRequests::new().telemetry(telemetry))
}

type Refusal = (StatusCode, String);

async fn make_calls(State(client): State<ClientWithMiddleware>, body: Bytes) -> Result<(), Refusal> {
    let calls: Vec<Call> = serde_json::from_slice(&body).map_err(|error| {
        let accepted = r#"a JSON array of {"url": "http://...", "arguments": [...]}"#;
        (StatusCode::BAD_REQUEST, format!("the body cannot be read, accepted is {accepted}: {error}\n"))
    })?;
    for call in calls {
        make(&client, &call).await.map_err(|error| refusal(&call, &error))?;
    }
    Ok(())
}

async fn make(client: &ClientWithMiddleware, call: &Call) -> tta::Result<()> {
    let response = client.post(&call.url).json(&call.arguments).send().await.map_err(call_error)?;
    check_status(response)?;
    Ok(())
}

/// Whose fault it is that a call failed.
fn refusal(call: &Call, error: &tta::Error) -> Refusal {
    let status = match error.kind() {
        ErrorKind::InvalidInput => StatusCode::BAD_REQUEST,
        ErrorKind::Timeout => StatusCode::GATEWAY_TIMEOUT,
        _ => StatusCode::BAD_GATEWAY,
    };
    (status, format!("the call of {} failed: {error:#}\n", call.url))
}
