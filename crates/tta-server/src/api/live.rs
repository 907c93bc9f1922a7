//! Kept traces as they are kept, as server-sent events.
//!
//! Each listener has a place in the feed's ring and nothing of its own in memory but the event that
//! is being sent: one that is slow misses traces and is told how many.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use http_body::Frame;
use serde::Serialize;
use tokio::time::{Interval, MissedTickBehavior, interval};
use tta_telemetry::store::{LiveEvent, LiveId, LiveTraces, QueryError};
use utoipa::ToSchema;

use super::params::{Known, Params};
use super::views::trace::Summary;
use super::{Api, Problem};

/// How long it is silent at most.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// Events that are sent as one piece.
const MOST_AT_ONCE: usize = 32;

/// One event, as its lines say it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LiveEvent)]
struct Described {
    /// To go on after; of `trace` only.
    #[schema(nullable = false)]
    id: Option<String>,
    #[schema(pattern = "^(trace|missed)$")]
    event: String,
    /// JSON: of `trace` a `Summary`, of `missed` an object with `missed`, the number of traces, which is null when
    /// nobody knows, because the process was restarted.
    data: String,
}

/// What a listener has missed.
#[derive(Debug, Serialize)]
struct Missed {
    /// How many traces; null when nobody knows, because the process was restarted.
    missed: Option<u64>,
}

/// Kept traces as they are kept.
///
/// Server-sent events: `trace` with a summary as its data and an id to go on after (`Last-Event-ID`), and `missed`
/// where the reader was too slow or away for too long (1,024 traces). A comment at least every 15 seconds shows that
/// the connection lives. At most 64 may listen.
#[utoipa::path(
    get,
    path = "/live",
    params(("Last-Event-ID" = Option<String>, Header, nullable = false, pattern = r"^([0-9a-fA-F]+-[0-9]+)?$", description = "The id of the last event that was received.")),
    responses(
        (status = 200, description = "Events.", body = Described, content_type = "text/event-stream"),
        (status = 400, description = "A parameter is wrong.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No traces are kept here.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "As many listen as may.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn live(State(api): State<Api>, headers: HeaderMap, RawQuery(query): RawQuery) -> Response {
    let after = Params::read(query.as_deref(), Known::NONE).and_then(|_| last_event_id(&headers));
    let traces = match after.and_then(|after| Ok(api.store()?.live().subscribe(after)?)) {
        Ok(traces) => traces,
        Err(problem) => return problem.into_response(),
    };
    let mut heartbeat = interval(HEARTBEAT);
    heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let kind = HeaderValue::from_static("text/event-stream");
    let headers = [(CONTENT_TYPE, kind), (CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    (headers, Body::new(Events { traces, heartbeat })).into_response()
}

pub(crate) fn last_event_id(headers: &HeaderMap) -> Result<Option<LiveId>, Problem> {
    let Some(value) = headers.get("last-event-id") else { return Ok(None) };
    let text = String::from_utf8_lossy(value.as_bytes());
    let id = if text.is_empty() { Ok(None) } else { text.parse().map(Some) };
    id.map_err(|error: QueryError| error.into())
}

/// Does not end by itself.
struct Events {
    traces: LiveTraces,
    /// Its first beat is at once: the reader sees that it is connected.
    heartbeat: Interval,
}

impl http_body::Body for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let mut text = String::new();
        let mut count = 0;
        while count < MOST_AT_ONCE
            && let Poll::Ready(event) = self.traces.poll_next(cx)
        {
            write(&mut text, &event);
            count += 1;
        }
        if text.is_empty() && self.heartbeat.poll_tick(cx).is_ready() {
            text.push_str(": alive\n\n");
        } else if !text.is_empty() {
            self.heartbeat.reset();
        }
        if text.is_empty() {
            return Poll::Pending;
        }
        Poll::Ready(Some(Ok(Frame::data(text.into()))))
    }
}

fn write(text: &mut String, event: &LiveEvent) {
    let (head, data) = match event {
        LiveEvent::Trace { id, summary } => {
            (format!("id: {id}\nevent: trace"), serde_json::to_string(&Summary::from(&**summary)))
        }
        LiveEvent::Missed { traces } => {
            ("event: missed".to_owned(), serde_json::to_string(&Missed { missed: *traces }))
        }
    };
    // Data of one line: JSON has its line breaks escaped.
    if let Ok(data) = data {
        text.push_str(&format!("{head}\ndata: {data}\n\n"));
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use http_body::Body as _;
    use tokio::time::Instant;
    use tta_telemetry::store::LiveFeed;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_silent_stream_shows_every_15_seconds_that_it_lives() {
        let traces = LiveFeed::new(1).subscribe(None).unwrap();
        let mut events = Events { traces, heartbeat: interval(HEARTBEAT) };
        let start = Instant::now();
        for beat in 0..3 {
            let frame = poll_fn(|cx| Pin::new(&mut events).poll_frame(cx)).await.unwrap().unwrap();
            assert_eq!(frame.into_data().unwrap().as_ref(), b": alive\n\n");
            assert_eq!(start.elapsed(), HEARTBEAT * beat);
        }
    }
}
