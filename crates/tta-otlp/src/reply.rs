//! What a receiver of OTLP answers, in protobuf and in JSON.
//!
//! Owns `ExportTraceServiceResponse` and `google.rpc.Status` with `RetryInfo`, written and read. Does not own
//! the status code of HTTP or gRPC, or which answer is due.

use std::borrow::Cow;
use std::time::Duration;

use serde_json::{Value, json};

use crate::wire::{Fields, WireError, Writer};
use crate::{Outcome, ProtobufError};

const RETRY_INFO: &str = "type.googleapis.com/google.rpc.RetryInfo";
/// Bytes of a message that are read of another's answer: it ends up in logs.
const MOST_MESSAGE_BYTES: usize = 1_024;

/// An answer to a request that was taken: wholly, or without some spans (partial success).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExportReply {
    /// Spans that were refused; sending them again is of no use.
    pub rejected_spans: u64,
    /// Why, or a warning where none were refused; empty for neither.
    pub message: String,
}

impl ExportReply {
    /// The answer after a request was read.
    #[must_use]
    pub fn of(outcome: &Outcome) -> Self {
        Self { rejected_spans: outcome.refused as u64, message: outcome.message() }
    }

    fn is_whole(&self) -> bool {
        self.rejected_spans == 0 && self.message.is_empty()
    }

    /// The body in protobuf; empty where all is well.
    #[must_use]
    pub fn to_protobuf(&self) -> Vec<u8> {
        let mut out = Vec::new();
        // With nothing to say the field must not be there (OTLP specification, Partial Success).
        if !self.is_whole() {
            Writer::new(&mut out).message(1, |partial| {
                partial.varint(1, self.rejected_spans.min(i64::MAX as u64));
                partial.bytes(2, self.message.as_bytes());
            });
        }
        out
    }

    /// The body in JSON; `{}` where all is well.
    #[must_use]
    pub fn to_json(&self) -> String {
        if self.is_whole() {
            return "{}".to_owned();
        }
        // 64-bit numbers are texts in protobuf's JSON.
        let rejected = self.rejected_spans.to_string();
        json!({"partialSuccess": {"rejectedSpans": rejected, "errorMessage": self.message}}).to_string()
    }

    /// Reads a body in protobuf, as an exporter gets it. At most 1 KiB of the message is kept.
    ///
    /// # Errors
    /// The body is no such message.
    pub fn from_protobuf(body: &[u8]) -> Result<Self, ProtobufError> {
        Self::read(body).map_err(|error| ProtobufError::of(error, body, "ExportTraceServiceResponse"))
    }

    fn read(body: &[u8]) -> Result<Self, WireError> {
        let mut reply = Self::default();
        let mut fields = Fields::new(body);
        while let Some(field) = fields.next()? {
            if field.number != 1 {
                continue;
            }
            let mut partial = field.message()?;
            while let Some(field) = partial.next()? {
                match field.number {
                    // Negative is no count.
                    1 => reply.rejected_spans = u64::try_from(field.varint()? as i64).unwrap_or(0),
                    2 => reply.message = crate::limits::cut(field.text()?, MOST_MESSAGE_BYTES).to_owned(),
                    _ => {}
                }
            }
        }
        Ok(reply)
    }
}

/// The code of an error in gRPC's terms, of which those are here that OTLP makes use of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReplyCode {
    /// Nothing is known of it.
    Unknown,
    /// The request is wrong, and will be when it is sent again.
    InvalidArgument,
    /// There is nothing at this path.
    NotFound,
    /// The sender may not do this.
    PermissionDenied,
    /// A bound is reached: sent again only when the answer says after how long.
    ResourceExhausted,
    /// Not supported here.
    Unimplemented,
    /// The receiver's own fault.
    Internal,
    /// For the moment: sent again later.
    Unavailable,
    /// Who sends is not known.
    Unauthenticated,
}

impl ReplyCode {
    const ALL: [Self; 9] = [
        Self::Unknown,
        Self::InvalidArgument,
        Self::NotFound,
        Self::PermissionDenied,
        Self::ResourceExhausted,
        Self::Unimplemented,
        Self::Internal,
        Self::Unavailable,
        Self::Unauthenticated,
    ];

    /// Its number in `google.rpc.Code`.
    #[must_use]
    pub const fn number(self) -> i32 {
        match self {
            ReplyCode::Unknown => 2,
            ReplyCode::InvalidArgument => 3,
            ReplyCode::NotFound => 5,
            ReplyCode::PermissionDenied => 7,
            ReplyCode::ResourceExhausted => 8,
            ReplyCode::Unimplemented => 12,
            ReplyCode::Internal => 13,
            ReplyCode::Unavailable => 14,
            ReplyCode::Unauthenticated => 16,
        }
    }

    /// The code of a number; [`Unknown`](Self::Unknown) for those that are not here.
    #[must_use]
    pub fn of(number: i32) -> Self {
        Self::ALL.into_iter().find(|code| code.number() == number).unwrap_or(Self::Unknown)
    }
}

/// An answer to a request that was refused: `google.rpc.Status`, the body that OTLP/HTTP wants beside
/// 4xx and 5xx, and gRPC in `grpc-status-details-bin`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorReply {
    /// What kind of error.
    pub code: ReplyCode,
    /// For people: what was wrong and what is accepted.
    pub message: Cow<'static, str>,
    /// After how long to send the same again (`RetryInfo`); `None` says nothing about it. At most
    /// 10,000 years.
    pub retry_after: Option<Duration>,
}

impl ErrorReply {
    /// An error that goes away only when the request changes.
    #[must_use]
    pub fn new(code: ReplyCode, message: impl Into<Cow<'static, str>>) -> Self {
        Self { code, message: message.into(), retry_after: None }
    }

    /// The same, to be sent again after so long.
    #[must_use]
    pub fn retry_after(self, delay: Duration) -> Self {
        Self { retry_after: Some(delay), ..self }
    }

    /// The delay within what `google.protobuf.Duration` can hold.
    fn delay(&self) -> Option<Duration> {
        const MOST: Duration = Duration::from_secs(315_576_000_000);
        self.retry_after.map(|delay| delay.min(MOST))
    }

    /// The body in protobuf.
    #[must_use]
    pub fn to_protobuf(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let mut status = Writer::new(&mut out);
        status.varint(1, i64::from(self.code.number()) as u64);
        status.bytes(2, self.message.as_bytes());
        if let Some(delay) = self.delay() {
            status.message(3, |any| {
                any.bytes(1, RETRY_INFO.as_bytes());
                any.message(2, |info| {
                    info.message(1, |duration| {
                        duration.varint(1, delay.as_secs());
                        duration.varint(2, delay.subsec_nanos().into());
                    });
                });
            });
        }
        out
    }

    /// The body in JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut body = json!({"code": self.code.number(), "message": self.message});
        if let (Some(delay), Some(body)) = (self.delay(), body.as_object_mut()) {
            let (seconds, nanos) = (delay.as_secs(), delay.subsec_nanos());
            // A duration is a text: seconds with a point and an `s`.
            let text = if nanos == 0 { format!("{seconds}s") } else { format!("{seconds}.{nanos:09}s") };
            body.insert("details".to_owned(), Value::Array(vec![json!({"@type": RETRY_INFO, "retryDelay": text})]));
        }
        body.to_string()
    }

    /// Reads a body in protobuf, as an exporter gets it. At most 1 KiB of the message is kept.
    ///
    /// # Errors
    /// The body is no such message.
    pub fn from_protobuf(body: &[u8]) -> Result<Self, ProtobufError> {
        Self::read(body).map_err(|error| ProtobufError::of(error, body, "google.rpc.Status"))
    }

    fn read(body: &[u8]) -> Result<Self, WireError> {
        let mut reply = Self::new(ReplyCode::Unknown, "");
        let mut fields = Fields::new(body);
        while let Some(field) = fields.next()? {
            match field.number {
                1 => reply.code = ReplyCode::of(field.varint()? as i32),
                2 => reply.message = crate::limits::cut(field.text()?, MOST_MESSAGE_BYTES).to_owned().into(),
                3 => reply.retry_after = read_detail(field.message()?)?.or(reply.retry_after),
                _ => {}
            }
        }
        Ok(reply)
    }
}

/// The delay in a detail, if that is what it holds.
fn read_detail(mut any: Fields<'_>) -> Result<Option<Duration>, WireError> {
    let (mut is_retry, mut value) = (false, &[][..]);
    while let Some(field) = any.next()? {
        match field.number {
            1 => is_retry = field.text()?.ends_with("/google.rpc.RetryInfo"),
            2 => value = field.bytes()?,
            _ => {}
        }
    }
    if !is_retry {
        return Ok(None);
    }
    let mut delay = Duration::ZERO;
    let mut info = Fields::new(value);
    while let Some(field) = info.next()? {
        if field.number == 1 {
            delay = read_duration(field.message()?)?;
        }
    }
    Ok(Some(delay))
}

/// A duration; one that is negative is over.
fn read_duration(mut fields: Fields<'_>) -> Result<Duration, WireError> {
    let (mut seconds, mut nanos) = (0, 0);
    while let Some(field) = fields.next()? {
        match field.number {
            1 => seconds = u64::try_from(field.varint()? as i64).unwrap_or(0),
            2 => nanos = u32::try_from(field.varint()? as i32).unwrap_or(0).min(999_999_999),
            _ => {}
        }
    }
    Ok(Duration::new(seconds, nanos))
}
