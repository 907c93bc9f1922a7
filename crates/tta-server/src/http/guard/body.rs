//! Bodies: of requests, within limits of bytes and time; of replies, in pieces.

use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};

use axum::body::{Body, Bytes};
use http_body::{Body as _, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Sleep;

use super::inflate::Inflate;
use super::refusal::Refusal;
use crate::http::patient::{Marks, UnderWay};
use crate::http::streams;

/// Bytes of a reply that are handed over at once on HTTP/2: by these it is seen that a client takes
/// what it is sent.
const PIECE: usize = 16 << 10;

/// Bytes of bodies in memory: those of one request, out of what all may take. They are given back once
/// the reply is made.
#[derive(Debug)]
pub(super) struct Held {
    all: Arc<AtomicUsize>,
    most: usize,
    own: AtomicUsize,
}

impl Held {
    pub(super) fn new(all: Arc<AtomicUsize>, most: usize) -> Self {
        Self { all, most, own: AtomicUsize::new(0) }
    }

    fn add(&self, bytes: usize) -> Result<(), Refusal> {
        self.own.fetch_add(bytes, Ordering::Relaxed);
        let before = self.all.fetch_add(bytes, Ordering::Relaxed);
        if before.saturating_add(bytes) > self.most { Err(Refusal::OverMemory) } else { Ok(()) }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.all.fetch_sub(*self.own.get_mut(), Ordering::Relaxed);
    }
}

/// What ended a request's body before its time, for the reply to say.
pub(super) type Fault = Arc<OnceLock<Refusal>>;

/// The body of a request.
#[derive(Debug)]
pub(super) struct Inspected {
    pub(super) incoming: Incoming,
    pub(super) inflate: Option<Inflate>,
    /// Bytes that arrived, and that may.
    pub(super) sent: usize,
    pub(super) most: usize,
    pub(super) held: Arc<Held>,
    pub(super) deadline: Pin<Box<Sleep>>,
    pub(super) on_time_out: Refusal,
    pub(super) fault: Fault,
    pub(super) is_whole: bool,
    pub(super) marks: Marks,
}

type Polled = Poll<Option<Result<Frame<Bytes>, Refusal>>>;

impl Inspected {
    fn advance(&mut self, cx: &mut Context<'_>) -> Polled {
        loop {
            if let Some(piece) = self.inflate.as_mut().map(Inflate::next).transpose()?.flatten() {
                return self.hand_over(piece);
            }
            if self.is_whole {
                return Poll::Ready(None);
            }
            // Also while something is there all the time.
            if self.deadline.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Some(Err(self.on_time_out.clone())));
            }
            let Some(frame) = ready!(Pin::new(&mut self.incoming).poll_frame(cx)) else {
                self.is_whole = true;
                match self.inflate.as_mut().map(Inflate::finish).transpose()?.flatten() {
                    Some(piece) => return self.hand_over(piece),
                    None => return Poll::Ready(None),
                }
            };
            match frame.map_err(|_| Refusal::Truncated)?.into_data() {
                Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
                Ok(data) => {
                    self.sent = self.sent.saturating_add(data.len());
                    if self.sent > self.most {
                        return Poll::Ready(Some(Err(Refusal::TooLarge { most: self.most })));
                    }
                    match &mut self.inflate {
                        Some(inflate) => inflate.feed(data),
                        None => return self.hand_over(data),
                    }
                }
            }
        }
    }

    fn hand_over(&self, piece: Bytes) -> Polled {
        Poll::Ready(Some(self.held.add(piece.len()).map(|()| Frame::data(piece))))
    }
}

impl http_body::Body for Inspected {
    type Data = Bytes;
    type Error = Refusal;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Polled {
        if let Some(fault) = self.fault.get() {
            return Poll::Ready(Some(Err(fault.clone())));
        }
        let polled = self.advance(cx);
        if let Poll::Ready(Some(Err(refusal))) = &polled {
            let _ = self.fault.set(refusal.clone());
        }
        if matches!(polled, Poll::Ready(None | Some(Err(_)))) {
            self.marks.taken();
        }
        polled
    }

    fn size_hint(&self) -> SizeHint {
        if self.inflate.is_some() { SizeHint::default() } else { self.incoming.size_hint() }
    }
}

impl Drop for Inspected {
    fn drop(&mut self) {
        if !self.is_whole && !self.incoming.is_end_stream() {
            self.marks.refused();
        }
        self.marks.taken();
    }
}

/// The body of a reply.
#[derive(Debug)]
pub(crate) struct ReplyBody {
    pub(super) inner: Body,
    /// What is left of a piece that was too large.
    pub(super) rest: Bytes,
    pub(super) is_http2: bool,
    /// A request is one until its reply is sent.
    pub(super) _place: Option<OwnedSemaphorePermit>,
    pub(super) _under_way: UnderWay,
}

impl http_body::Body for ReplyBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if !self.is_http2 {
            return Pin::new(&mut self.inner).poll_frame(cx);
        }
        if self.rest.is_empty() {
            streams::mark(streams::Waits::ForUs);
            match ready!(Pin::new(&mut self.inner).poll_frame(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.rest = data,
                    Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
                },
                end => return Poll::Ready(end),
            }
        }
        streams::mark(streams::Waits::ForClient);
        let length = self.rest.len().min(PIECE);
        Poll::Ready(Some(Ok(Frame::data(self.rest.split_to(length)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (hint, rest) = (self.inner.size_hint(), self.rest.len() as u64);
        let mut all = SizeHint::new();
        all.set_lower(hint.lower().saturating_add(rest));
        if let Some(upper) = hint.upper() {
            all.set_upper(upper.saturating_add(rest));
        }
        all
    }
}
