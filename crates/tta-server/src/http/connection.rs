//! One connection: which protocol it speaks, and how it ends.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::header::{CONNECTION, HeaderValue};
use http::{Request, Response, Version};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use super::counters::{Cells, count};
use super::guard::{Guard, Origin, ReplyBody};
use super::half_closed::HalfClosed;
use super::limits::ServerLimits;
use super::patient::{Marks, Patient};
use super::streams::Streams;
use super::tls::TlsConfig;

/// Bytes that are read ahead, and of a reply that wait to be sent.
const BUFFER_BYTES: usize = 64 * 1024;
/// Bytes of bodies that a client of HTTP/2 may send before they are read: of one request, and of all.
const STREAM_WINDOW: u32 = 256 << 10;
const CONNECTION_WINDOW: u32 = 1 << 20;

/// How long half a head, or a word from who never asked, is waited for once a connection is to end.
const SETTLING: Duration = Duration::from_millis(250);

/// What is wanted of the connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    Serve,
    /// Others wait: those that are idle shall go, the others after their reply.
    MakeRoom,
    /// The server ends: no further requests.
    End,
}

/// What every connection of a server shares.
#[derive(Clone, Debug)]
pub(super) struct Serving {
    pub(super) guard: Arc<Guard>,
    pub(super) limits: Arc<ServerLimits>,
    pub(super) tls: Option<TlsConfig>,
    pub(super) cells: Arc<Cells>,
    pub(super) wish: watch::Sender<Wish>,
}

/// How a connection ended that did not end as it should.
enum Ended {
    TimedOut,
    Broken,
}

impl Serving {
    /// Serves a connection to its end.
    pub(super) async fn serve(self, stream: TcpStream, address: SocketAddr) {
        // Small replies leave at once.
        let _ = stream.set_nodelay(true);
        let marks = Marks::default();
        let patient = Patient::new(stream, self.limits.write_timeout, marks.clone());
        let origin = Origin { client: address.ip(), marks: marks.clone() };
        let end = wait_for(self.wish.subscribe(), |wish| wish == Wish::End);
        let ended = tokio::select! {
            biased;
            begun = self.begin(patient) => match begun {
                Some(Begun::Http1(io)) => self.http1(io, origin).await,
                Some(Begun::Http2(io)) => self.http2(io, origin).await,
                None => return,
            },
            // It has not asked for anything.
            () = end => return,
        };
        match ended {
            Ok(()) if !marks.is_stuck() => {}
            _ if marks.is_stuck() => count(&self.cells.stuck_cut),
            Err(Ended::TimedOut) => count(&self.cells.idle_closed),
            _ => count(&self.cells.broken),
        }
    }

    /// Everything before the first request. `None`: there will be none, which is counted.
    async fn begin(&self, mut patient: Patient) -> Option<Begun> {
        let until = Instant::now() + self.limits.header_timeout;
        if let Some(tls) = &self.tls {
            let Ok(Ok(stream)) = timeout_at(until, tls.acceptor().accept(patient)).await else {
                count(&self.cells.handshakes_failed);
                return None;
            };
            let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
            let io: Box<dyn Io> = Box::new(stream);
            return Some(if is_http2 { Begun::Http2(io) } else { Begun::Http1(io) });
        }
        match timeout_at(until, patient.speaks_http2()).await {
            Ok(Ok(true)) => Some(Begun::Http2(Box::new(patient))),
            Ok(Ok(false)) => Some(Begun::Http1(Box::new(patient))),
            Ok(Err(_)) => {
                count(&self.cells.broken);
                None
            }
            Err(_) => {
                count(&self.cells.idle_closed);
                None
            }
        }
    }

    /// Answers requests; notes that there was one.
    fn answers(&self, origin: Origin, asked: Arc<AtomicBool>) -> impl Fn(Request<Incoming>) -> Answer + Send + 'static {
        let (guard, wish) = (Arc::clone(&self.guard), self.wish.clone());
        move |request| {
            asked.store(true, Ordering::Relaxed);
            let is_last = *wish.borrow() != Wish::Serve && request.version() != Version::HTTP_2;
            let reply = Arc::clone(&guard).answer(request, origin.clone());
            Box::pin(async move {
                let mut reply = reply.await;
                if is_last {
                    reply.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
                }
                Ok(reply)
            })
        }
    }

    /// Resolves when the connection shall end after what it is doing. One that has not asked for anything
    /// yet would be closed without an answer, so it is not told to make room.
    async fn leave(&self, asked: Arc<AtomicBool>) {
        let is_wanted = move |wish| wish == Wish::End || (wish == Wish::MakeRoom && asked.load(Ordering::Relaxed));
        wait_for(self.wish.subscribe(), is_wanted).await;
    }

    async fn http1(&self, io: Box<dyn Io>, origin: Origin) -> Result<(), Ended> {
        let asked = Arc::new(AtomicBool::new(false));
        let leave = self.leave(Arc::clone(&asked));
        let marks = origin.marks.clone();
        let io = HalfClosed::new(io, self.limits.write_timeout);
        let watched = io.share();
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            // So that it does not take the end of what is sent for the client's; that it is gone is seen below.
            .half_close(true)
            .header_read_timeout(self.limits.header_timeout)
            // Somewhat more than are accepted, so that most refusals have a body.
            .max_headers(self.limits.headers.saturating_mul(2))
            .max_header_size(self.limits.head_bytes)
            .max_buf_size(BUFFER_BYTES.max(self.limits.head_bytes))
            .serve_connection(TokioIo::new(io), service_fn(self.answers(origin, asked)));
        let mut connection = std::pin::pin!(connection);
        let mut gone = std::pin::pin!(watched.gone(&marks));
        let ended = tokio::select! {
            biased;
            ended = connection.as_mut() => ended,
            () = gone.as_mut() => return Err(Ended::Broken),
            () = leave => {
                connection.as_mut().graceful_shutdown();
                tokio::select! {
                    biased;
                    ended = connection => ended,
                    () = gone => return Err(Ended::Broken),
                    () = self.nothing_begun(&marks) => return Ok(()),
                }
            }
        };
        ended.map_err(|error| if error.is_timeout() { Ended::TimedOut } else { Ended::Broken })
    }

    /// Resolves when the server ends and no request has come whole: half a head would be waited for.
    async fn nothing_begun(&self, marks: &Marks) {
        loop {
            tokio::time::sleep_until(Instant::now() + SETTLING).await;
            if *self.wish.borrow() == Wish::End && !marks.is_busy() {
                return;
            }
        }
    }

    async fn http2(&self, io: Box<dyn Io>, origin: Origin) -> Result<(), Ended> {
        let limits = &*self.limits;
        let asked = Arc::new(AtomicBool::new(false));
        let streams = Streams::new(limits.write_timeout, Arc::clone(&self.cells));
        let connection = http2::Builder::new(streams.spawner())
            .timer(TokioTimer::new())
            .max_concurrent_streams(limits.streams)
            .max_header_list_size(u32::try_from(limits.head_bytes).unwrap_or(u32::MAX))
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_send_buf_size(BUFFER_BYTES)
            .serve_connection(TokioIo::new(io), service_fn(self.answers(origin, Arc::clone(&asked))));
        let mut connection = std::pin::pin!(connection);
        let has_asked = Arc::clone(&asked);
        let after = |asked, fresh| if has_asked.load(Ordering::Relaxed) { asked } else { fresh };
        let is_idle = tokio::select! {
            biased;
            ended = connection.as_mut() => return ended.map_err(|_| Ended::Broken),
            () = self.leave(asked) => false,
            () = streams.idle(|| after(limits.idle_timeout, limits.header_timeout)) => true,
        };
        connection.as_mut().graceful_shutdown();
        // The client is told, and should close once its last reply is there.
        let in_time = tokio::select! {
            biased;
            _ = connection => true,
            () = streams.idle(|| after(limits.write_timeout, SETTLING)) => false,
        };
        if is_idle || !in_time { Err(Ended::TimedOut) } else { Ok(()) }
    }
}

/// A connection whose protocol is known.
enum Begun {
    Http1(Box<dyn Io>),
    Http2(Box<dyn Io>),
}

/// With or without TLS.
trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

type Answer = std::pin::Pin<Box<dyn Future<Output = Result<Response<ReplyBody>, Infallible>> + Send>>;

/// Waits until something is wanted.
pub(super) async fn wait_for(mut wishes: watch::Receiver<Wish>, is_wanted: impl Fn(Wish) -> bool) {
    // Who holds the sender waits for this task, so it is there.
    let _ = wishes.wait_for(|wish| is_wanted(*wish)).await;
}
