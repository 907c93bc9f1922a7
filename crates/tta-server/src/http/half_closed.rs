//! A connection of HTTP/1 whose client may say that it has nothing more to ask before it has its reply.
//!
//! Owns seeing that a client is gone while its reply is made. The end of what it sends means either "that
//! was all, I listen" or "I am gone", and only writing tells which: so the reply to a whole request is
//! written, if it begins in time. A client that resets the connection is seen to be gone at once; so is one
//! that reads an event stream, which would otherwise take a place for nobody until the next event.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use super::patient::{Marks, Reply};

/// A connection that is read both by its protocol and, while that does not read, by [`gone`](Self::gone).
/// Both are polled by one task, so that they never wait for each other.
#[derive(Debug)]
pub(super) struct HalfClosed<T>(Arc<Mutex<State<T>>>);

#[derive(Debug)]
struct State<T> {
    io: T,
    /// What was read to see whether the client is there: the beginning of its next request.
    ahead: Option<u8>,
    has_ended: bool,
    /// How long after that the reply may take to begin; runs once it is seen.
    patience: Duration,
    giving_up: Option<Pin<Box<Sleep>>>,
}

impl<T: AsyncRead + Unpin> HalfClosed<T> {
    pub(super) fn new(io: T, patience: Duration) -> Self {
        Self(Arc::new(Mutex::new(State { io, ahead: None, has_ended: false, patience, giving_up: None })))
    }

    /// The same connection, for another part of the task.
    pub(super) fn share(&self) -> Self {
        Self(Arc::clone(&self.0))
    }

    /// Resolves when the client is gone while a reply is made for it. After that nothing more can be read.
    pub(super) async fn gone(&self, marks: &Marks) {
        poll_fn(|cx| if marks.is_watched(cx) { self.state().poll_gone(cx, marks) } else { Poll::Pending }).await;
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: AsyncRead + Unpin> State<T> {
    fn poll_gone(&mut self, cx: &mut Context<'_>, marks: &Marks) -> Poll<()> {
        if self.ahead.is_some() {
            return Poll::Pending;
        }
        if !self.has_ended {
            let mut byte = [0];
            let mut into = ReadBuf::new(&mut byte);
            if ready!(Pin::new(&mut self.io).poll_read(cx, &mut into)).is_err() {
                return Poll::Ready(());
            }
            self.ahead = into.filled().first().copied();
            self.has_ended = self.ahead.is_none();
        }
        if !self.has_ended {
            return Poll::Pending;
        }
        match marks.reply() {
            // It is written, and by that it is seen whether anybody is there.
            Reply::Begun => Poll::Pending,
            Reply::Endless => Poll::Ready(()),
            Reply::Owed => {
                let patience = self.patience;
                let start = || Box::pin(tokio::time::sleep_until(Instant::now() + patience));
                self.giving_up.get_or_insert_with(start).as_mut().poll(cx)
            }
        }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for HalfClosed<T> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut state = self.state();
        if into.remaining() > 0
            && let Some(byte) = state.ahead.take()
        {
            into.put_slice(&[byte]);
            return Poll::Ready(Ok(()));
        }
        if state.has_ended {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut state.io).poll_read(cx, into)
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncWrite for HalfClosed<T> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.state().io).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.state().io).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.state().io.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.state().io).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.state().io).poll_shutdown(cx)
    }
}
