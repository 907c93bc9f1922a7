//! OTLP over gRPC.
//!
//! Messages are compressed one by one, within the body, where no limit of bodies sees it. So a body is
//! held as it was sent until it is its turn to be read; only then is it decompressed. Those that wait
//! take what was sent, however small a bomb may be.

use std::future::Future;
use std::pin::Pin;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::post;
use tokio::sync::OwnedSemaphorePermit;
use tonic::codec::CompressionEncoding;
use tonic::server::{Grpc, UnaryService};
use tonic::{Code, Status};
use tta_otlp::ErrorReply;

use super::raw::Raw;
use super::{Encoding, OtlpReceiver, ended};
use crate::http::MessageBytes;

/// Bytes of a message, before and after its own decompression, which gRPC does within the body, where
/// the server does not say how many ([`MessageBytes`]).
const MESSAGE_BYTES: usize = 32 << 20;
/// What a body may have beside a message that is as long as it may be.
const FRAME_BYTES: usize = 64 << 10;
const TRACES: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
const METRICS: &str = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";
const LOGS: &str = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";

pub(super) fn router(receiver: OtlpReceiver) -> Router {
    Router::new()
        .route(TRACES, post(traces))
        .route(METRICS, post(|| async { refusal("metrics are not taken, only traces") }))
        .route(LOGS, post(|| async { refusal("logs are not taken, only traces") }))
        .with_state(receiver)
}

fn refusal(message: &'static str) -> Response {
    answer(Status::unimplemented(message))
}

fn answer(status: Status) -> Response {
    status.into_http::<tonic::body::Body>().map(Body::new)
}

async fn traces(State(receiver): State<OtlpReceiver>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let most = parts.extensions.get().map_or(MESSAGE_BYTES, |MessageBytes(most)| *most);
    let most_sent = most.saturating_add(FRAME_BYTES);
    let Ok(body) = axum::body::to_bytes(body, most_sent).await else {
        return answer(Status::resource_exhausted(format!("the body is cut off, or has more than {most_sent} bytes")));
    };
    if announced(&body).is_some_and(|length| length > most) {
        return answer(Status::resource_exhausted(format!("the message is too large; accepted are {most} bytes")));
    }
    let Ok(turn) = receiver.turn().await else { return answer(status(&ended())) };
    let request = Request::from_parts(parts, Body::from(body));
    let mut grpc = Grpc::new(Raw).accept_compressed(CompressionEncoding::Gzip).max_decoding_message_size(most);
    grpc.unary(Traces(receiver.clone(), Some(turn)), request).await.map(Body::new)
}

/// How long the message is by its own word, as it was sent: behind a byte that says whether it is compressed.
fn announced(body: &[u8]) -> Option<usize> {
    let (length, _) = body.get(1..)?.split_first_chunk()?;
    usize::try_from(u32::from_be_bytes(*length)).ok()
}

/// The one call of a request, and its turn.
struct Traces(OtlpReceiver, Option<OwnedSemaphorePermit>);

impl UnaryService<Bytes> for Traces {
    type Response = Vec<u8>;
    type Future = Pin<Box<dyn Future<Output = Result<tonic::Response<Vec<u8>>, Status>> + Send>>;

    fn call(&mut self, request: tonic::Request<Bytes>) -> Self::Future {
        let (receiver, turn) = (self.0.clone(), self.1.take());
        Box::pin(async move {
            // Taken by the one call that there is.
            let turn = turn.ok_or_else(|| Status::internal("a request is one call"))?;
            let reply = receiver.read(request.into_inner(), Encoding::Protobuf, turn).await;
            reply.map(|reply| tonic::Response::new(reply.to_protobuf())).map_err(|error| status(&error))
        })
    }
}

fn status(error: &ErrorReply) -> Status {
    let details = Bytes::from(error.to_protobuf());
    Status::with_details(Code::from_i32(error.code.number()), error.message.as_ref(), details)
}

#[cfg(test)]
mod tests {
    use tta_otlp::ReplyCode;

    use super::*;

    #[test]
    fn an_error_has_the_code_and_the_details_that_say_when_to_come_back() {
        let error = ErrorReply::new(ReplyCode::Unavailable, "later").retry_after(std::time::Duration::from_secs(5));
        let status = status(&error);
        assert_eq!((status.code(), status.message()), (Code::Unavailable, "later"));
        assert_eq!(ErrorReply::from_protobuf(status.details()).unwrap(), error);
    }

    #[tokio::test]
    async fn a_message_is_not_decompressed_before_its_turn() {
        let telemetry = tta_telemetry::Telemetry::builder().build().unwrap();
        let receiver = OtlpReceiver::new(&telemetry).unwrap();
        let places = u32::try_from(receiver.0.readers.available_permits()).unwrap();
        let others = receiver.0.readers.acquire_many(places).await.unwrap();
        // No gzip at all, which decompressing it would say at once.
        let request = Request::post(TRACES).header("grpc-encoding", "gzip").body(Body::from("\u{1}\0\0\0\u{1}x"));
        let mut reply = std::pin::pin!(traces(State(receiver.clone()), request.unwrap()));
        for _ in 0..100 {
            let polled = std::future::poll_fn(|cx| std::task::Poll::Ready(reply.as_mut().poll(cx))).await;
            assert!(polled.is_pending());
            tokio::task::yield_now().await;
        }
        drop(others);
        let headers = reply.await.headers().clone();
        assert_ne!(Status::from_header_map(&headers).unwrap().code(), Code::Ok);
    }
}
