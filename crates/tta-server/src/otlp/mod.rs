//! Spans of other processes, taken by OTLP: over HTTP and over gRPC.
//!
//! Owns the protocol's way in: paths, encodings, replies. What a request holds is `tta-otlp`'s to
//! read; what becomes of its spans is the engine's; limits of bodies and connections are `http`'s.
//!
//! A request is read on a thread that may block, as many at a time as there are processors: reading
//! decides about older traces when memory runs out, and waits for sinks that keep up. So senders are
//! slowed down to what can be done, and an answer of success means that every span in it that was
//! not refused is in its trace.

mod grpc;
pub(crate) mod http;
mod raw;

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};
use tta_otlp::{ErrorReply, ExportReply, OtlpCodec, OtlpLimits, ReplyCode, decode_json, decode_protobuf};
use tta_telemetry::receive::{ReceiveLimits, Receiver, ReceiverStatus, Refused, SpanHead};
use tta_telemetry::{LimitError, Source, Telemetry};

/// Takes spans of other processes for an engine.
///
/// ```
/// use tta_server::OtlpReceiver;
/// use tta_telemetry::Telemetry;
///
/// let telemetry = Telemetry::builder().build()?;
/// let receiver = OtlpReceiver::new(&telemetry)?;
/// let router = receiver.http().merge(receiver.grpc());
/// # let _ = router;
/// assert_eq!(receiver.status().spans, 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct OtlpReceiver(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    receiver: Receiver,
    limits: OtlpLimits,
    readers: Arc<Semaphore>,
    telemetry: Telemetry,
}

/// How a request was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    Protobuf,
    Json,
}

impl OtlpReceiver {
    /// Takes spans within the default bounds.
    ///
    /// # Errors
    /// Never with these; see [`OtlpReceiver::within`].
    pub fn new(telemetry: &Telemetry) -> Result<Self, LimitError> {
        Self::within(telemetry, OtlpLimits::default(), ReceiveLimits::default())
    }

    /// Takes spans within these bounds: of one request, and of all that wait for their decision.
    ///
    /// # Errors
    /// A bound outside its range.
    pub fn within(telemetry: &Telemetry, otlp: OtlpLimits, received: ReceiveLimits) -> Result<Self, LimitError> {
        otlp.check()?;
        let receiver = telemetry.receiver(OtlpCodec::new(otlp.clone()), received)?;
        let readers = std::thread::available_parallelism().map_or(2, usize::from);
        Ok(Self(Arc::new(Shared {
            receiver,
            limits: otlp,
            readers: Arc::new(Semaphore::new(readers)),
            telemetry: telemetry.clone(),
        })))
    }

    /// `POST /v1/traces`, in protobuf or JSON; `/v1/metrics` and `/v1/logs` say that they are not
    /// taken.
    pub fn http(&self) -> Router {
        http::router(self.clone())
    }

    /// The same as services of gRPC, in protobuf, compressed by gzip or not.
    pub fn grpc(&self) -> Router {
        grpc::router(self.clone())
    }

    /// What became of all spans so far.
    #[must_use]
    pub fn status(&self) -> ReceiverStatus {
        self.0.receiver.status()
    }

    /// Waits until a request may be read.
    async fn turn(&self) -> Result<OwnedSemaphorePermit, AcquireError> {
        Arc::clone(&self.0.readers).acquire_owned().await
    }

    /// Reads a request, when it is its turn.
    async fn take(&self, body: Bytes, encoding: Encoding) -> Result<ExportReply, ErrorReply> {
        let turn = self.turn().await.map_err(|_| ended())?;
        self.read(body, encoding, turn).await
    }

    /// Reads a request whose turn it is, and gives its spans to the engine.
    ///
    /// # Cancel safety
    /// Once begun it is read to its end, also when the future is dropped, and has its turn until then: senders
    /// that go away let nobody in beside what they have begun.
    async fn read(
        &self,
        body: Bytes,
        encoding: Encoding,
        turn: OwnedSemaphorePermit,
    ) -> Result<ExportReply, ErrorReply> {
        let shared = Arc::clone(&self.0);
        let reading = tokio::task::spawn_blocking(move || {
            let read = shared.read(&body, encoding);
            drop((body, turn));
            read
        });
        // A panic of our own must not look like the sender's fault, or be sent again for ever.
        reading.await.unwrap_or_else(|_| Err(ErrorReply::new(ReplyCode::Internal, "the request could not be read")))
    }
}

fn ended() -> ErrorReply {
    ErrorReply::new(ReplyCode::Unavailable, "this engine has ended")
}

impl Shared {
    fn read(&self, body: &[u8], encoding: Encoding) -> Result<ExportReply, ErrorReply> {
        if !self.telemetry.is_enabled() {
            let message = "this engine records nothing: `enabled` is false";
            return Err(ErrorReply::new(ReplyCode::Unimplemented, message));
        }
        let mut intake = self.receiver.intake();
        let take = |source: &Arc<Source>, head: &SpanHead<'_>, bytes: &[u8]| intake.receive(source, head, bytes);
        let invalid = |message: String| ErrorReply::new(ReplyCode::InvalidArgument, message);
        let outcome = match encoding {
            Encoding::Protobuf => decode_protobuf(body, &self.limits, take).map_err(|error| invalid(error.to_string())),
            Encoding::Json => decode_json(body, &self.limits, take).map_err(|error| invalid(error.to_string())),
        }?;
        let Refused { over_span_limit: over_limit, after_end } = intake.finish();
        if after_end > 0 {
            return Err(ended().retry_after(std::time::Duration::from_secs(5)));
        }
        let mut reply = ExportReply::of(&outcome);
        if over_limit > 0 {
            let more = format!("{over_limit} spans are beyond the limit of their trace");
            reply.rejected_spans += over_limit;
            reply.message = if reply.message.is_empty() { more } else { format!("{}; {more}", reply.message) };
        }
        Ok(reply)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;
    use tokio::runtime::Builder;

    /// A sender that goes away must not let in others beside what it has begun.
    #[test]
    fn a_request_keeps_its_turn_until_it_is_read_also_when_its_sender_has_gone() {
        let telemetry = Telemetry::builder().build().unwrap();
        let receiver = OtlpReceiver::new(&telemetry).unwrap();
        let turns = receiver.0.readers.available_permits();
        let runtime = Builder::new_current_thread().max_blocking_threads(1).build().unwrap();
        let (go, wait) = mpsc::channel::<()>();
        runtime.block_on(async {
            // The one thread that may block is busy, so that reading begins when we say.
            let busy = tokio::task::spawn_blocking(move || wait.recv());
            {
                let mut taken = std::pin::pin!(receiver.take(Bytes::new(), Encoding::Protobuf));
                let polled = std::future::poll_fn(|cx| std::task::Poll::Ready(taken.as_mut().poll(cx))).await;
                assert!(polled.is_pending());
            }
            assert_eq!(receiver.0.readers.available_permits(), turns - 1);
            go.send(()).unwrap();
            busy.await.unwrap().unwrap();
            // Behind it on the same thread.
            tokio::task::spawn_blocking(|| ()).await.unwrap();
            assert_eq!(receiver.0.readers.available_permits(), turns);
        });
    }
}
