//! A socket that waits for its reader only so long, and lets a refused sender finish its sentence.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};

/// How every connection of HTTP/2 begins (RFC 9113, section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// How long, and for how many bytes, what a refused client still sends is read and thrown away.
/// Closing at once would make the system take back the reply that says why.
const LINGER: Duration = Duration::from_secs(5);
const LINGER_BYTES: usize = 4 << 20;

/// What is known of a connection, beside it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Marks(Arc<Flags>);

#[derive(Debug, Default)]
struct Flags {
    is_stuck: AtomicBool,
    is_refused: AtomicBool,
    is_sending: AtomicBool,
    answering: AtomicUsize,
    is_taken: AtomicBool,
    reply: AtomicU8,
    /// Of who looks whether the client is there.
    waker: Mutex<Option<Waker>>,
}

/// How far the reply to the request under way is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    /// It is being made.
    Owed,
    /// It is being sent.
    Begun,
    /// It goes on for as long as the client is there.
    Endless,
}

/// A request that is being answered, until its reply has been handed over.
#[derive(Debug)]
pub(crate) struct UnderWay(Marks);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.0.answering.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Marks {
    /// Whether the connection was given up since nothing was taken.
    pub(crate) fn is_stuck(&self) -> bool {
        self.0.is_stuck.load(Ordering::Relaxed)
    }

    /// A request was refused of which more may come.
    pub(crate) fn refused(&self) {
        self.0.is_refused.store(true, Ordering::Relaxed);
    }

    /// A request begins to be answered.
    pub(crate) fn begin(&self) -> UnderWay {
        self.0.answering.fetch_add(1, Ordering::Relaxed);
        self.0.is_taken.store(false, Ordering::Relaxed);
        self.0.reply.store(Reply::Owed as u8, Ordering::Relaxed);
        UnderWay(self.clone())
    }

    /// Of the request nothing more is read: it is there as a whole, or the rest is not wanted.
    pub(crate) fn taken(&self) {
        self.0.is_taken.store(true, Ordering::Relaxed);
        self.wake();
    }

    /// There is a reply.
    pub(crate) fn replied(&self, reply: Reply) {
        self.0.reply.store(reply as u8, Ordering::Relaxed);
        self.wake();
    }

    /// How far the reply is.
    pub(crate) fn reply(&self) -> Reply {
        let now = self.0.reply.load(Ordering::Relaxed);
        [Reply::Begun, Reply::Endless].into_iter().find(|reply| *reply as u8 == now).unwrap_or(Reply::Owed)
    }

    /// Whether a reply is made of whose request nothing more is read, so that somebody else may look whether
    /// its client is there. Who asks is woken when that begins, or turns out to go on for ever. For one
    /// request at a time, as in HTTP/1.
    pub(crate) fn is_watched(&self, cx: &Context<'_>) -> bool {
        *self.0.waker.lock().unwrap_or_else(PoisonError::into_inner) = Some(cx.waker().clone());
        self.0.answering.load(Ordering::Relaxed) > 0 && self.0.is_taken.load(Ordering::Relaxed)
    }

    fn wake(&self) {
        if let Some(waker) = self.0.waker.lock().unwrap_or_else(PoisonError::into_inner).take() {
            waker.wake();
        }
    }

    /// Whether a request is being answered, or what is there of a reply waits to be taken.
    pub(crate) fn is_busy(&self) -> bool {
        self.0.answering.load(Ordering::Relaxed) > 0 || self.0.is_sending.load(Ordering::Relaxed)
    }

    fn sends(&self, is_sending: bool) {
        self.0.is_sending.store(is_sending, Ordering::Relaxed);
    }

    fn is_refused(&self) -> bool {
        self.0.is_refused.load(Ordering::Relaxed)
    }
}

/// A connection on which writing fails once the other side has taken nothing for a while.
#[derive(Debug)]
pub(crate) struct Patient {
    stream: TcpStream,
    patience: Duration,
    /// Runs while something waits to be written.
    giving_up: Option<Pin<Box<Sleep>>>,
    /// What was read to see which protocol it is, and how much of it was read again.
    first: Vec<u8>,
    taken: usize,
    /// While the connection lingers: until when, and how many bytes more.
    lingering: Option<(Pin<Box<Sleep>>, usize)>,
    marks: Marks,
}

impl Patient {
    pub(crate) fn new(stream: TcpStream, patience: Duration, marks: Marks) -> Self {
        Self { stream, patience, giving_up: None, first: Vec::new(), taken: 0, lingering: None, marks }
    }

    /// Reads as much as it takes to see whether HTTP/2 is spoken; what was read is read again.
    /// Nothing at all is not HTTP/2.
    pub(crate) async fn speaks_http2(&mut self) -> io::Result<bool> {
        let mut byte = [0];
        while self.first.len() < PREFACE.len() && PREFACE.starts_with(&self.first) {
            if self.stream.read(&mut byte).await? == 0 {
                break;
            }
            self.first.extend_from_slice(&byte);
        }
        Ok(self.first == PREFACE)
    }

    fn bound(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        self.marks.sends(written.is_pending());
        if written.is_ready() {
            self.giving_up = None;
            return written;
        }
        let patience = self.patience;
        let start = || Box::pin(tokio::time::sleep_until(Instant::now() + patience));
        ready!(self.giving_up.get_or_insert_with(start).as_mut().poll(cx));
        self.marks.0.is_stuck.store(true, Ordering::Relaxed);
        // What waits in the system's buffers is thrown away, too.
        let _ = self.stream.set_zero_linger();
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    /// Reads on until the other side has closed, or enough came.
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let start = || (Box::pin(tokio::time::sleep_until(Instant::now() + LINGER)), LINGER_BYTES);
        let (until, left) = self.lingering.get_or_insert_with(start);
        let mut space = [0; 8 << 10];
        loop {
            let mut into = ReadBuf::new(&mut space);
            match Pin::new(&mut self.stream).poll_read(cx, &mut into) {
                Poll::Pending => return until.as_mut().poll(cx),
                Poll::Ready(Ok(())) if !into.filled().is_empty() && *left > 0 => {
                    *left = left.saturating_sub(into.filled().len());
                }
                Poll::Ready(_) => return Poll::Ready(()),
            }
        }
    }
}

impl AsyncRead for Patient {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if let Some(again) = this.first.get(this.taken..).filter(|again| !again.is_empty()) {
            let length = again.len().min(into.remaining());
            into.put_slice(again.get(..length).unwrap_or_default());
            this.taken += length;
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_read(cx, into)
    }
}

impl AsyncWrite for Patient {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.bound(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, parts);
        self.bound(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.lingering.is_none() {
            ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
        }
        if self.marks.is_refused() {
            self.marks.sends(true);
            ready!(self.poll_linger(cx));
            self.marks.sends(false);
        }
        Poll::Ready(Ok(()))
    }
}
