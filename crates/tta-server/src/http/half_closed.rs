//! A connection of HTTP/1 whose client may say that it has nothing more to ask before it has its reply.
//!
//! Owns when the end of what a client sends is passed on. It means either "that was all, I listen" or "I am
//! gone", and only writing tells which: so the reply to a whole request is written. A client that goes
//! with a reset, or while its request still comes, is seen to be gone at once as before; so is one that
//! reads an event stream, which would otherwise take a place for nobody until the next event.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::patient::Marks;

/// Holds back the end of its input while a reply is owed.
#[derive(Debug)]
pub(super) struct HalfClosed<T> {
    io: T,
    marks: Marks,
    has_ended: bool,
}

impl<T> HalfClosed<T> {
    pub(super) fn new(io: T, marks: Marks) -> Self {
        Self { io, marks, has_ended: false }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for HalfClosed<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if !this.has_ended {
            let before = into.filled().len();
            ready!(Pin::new(&mut this.io).poll_read(cx, into))?;
            this.has_ended = into.filled().len() == before && into.remaining() > 0;
            if !this.has_ended {
                return Poll::Ready(Ok(()));
            }
        }
        if this.marks.owes_reply(cx) { Poll::Pending } else { Poll::Ready(Ok(())) }
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for HalfClosed<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
