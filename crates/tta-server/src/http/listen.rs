//! Listening, and serving connections within limits.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use http::header::{CONNECTION, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;

use super::counters::{Cells, ServerCounters, count};
use super::error::ServerError;
use super::limits::ServerLimits;
use super::patient::Patient;

/// Bytes of a request's head.
const HEAD_BYTES: usize = 32 * 1024;
/// Bytes that are read ahead, and of a reply that wait to be sent.
const BUFFER_BYTES: usize = 64 * 1024;
/// The pause after the system would not give a connection: too many files are open, and will be.
const PAUSE: Duration = Duration::from_millis(100);

/// Something that listens at one address. Dropping it ends it at once.
#[derive(Debug)]
pub(crate) struct Server {
    address: SocketAddr,
    cells: Arc<Cells>,
    wish: watch::Sender<Wish>,
    /// The one task, which owns those of the connections.
    task: JoinSet<()>,
}

/// What is wanted of the connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    Serve,
    /// Others wait: those that are idle shall go, the others after their reply.
    MakeRoom,
    /// The server ends: no further requests.
    End,
}

impl Server {
    /// Listens from now on.
    pub(crate) async fn start(address: SocketAddr, router: Router, limits: ServerLimits) -> Result<Self, ServerError> {
        limits.check()?;
        let unbindable = |error: io::Error| match error.kind() {
            io::ErrorKind::AddrInUse => ServerError::AddressTaken { address },
            _ => ServerError::Unbindable { address, reason: error.to_string() },
        };
        let listener = TcpListener::bind(address).await.map_err(unbindable)?;
        let address = listener.local_addr().map_err(unbindable)?;
        let cells = Arc::new(Cells::default());
        let (wish, _) = watch::channel(Wish::Serve);
        let mut task = JoinSet::new();
        let serving = Serving { router, limits, cells: Arc::clone(&cells), wish: wish.clone() };
        task.spawn(serving.run(listener));
        Ok(Self { address, cells, wish, task })
    }

    pub(crate) fn local_addr(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn counters(&self) -> ServerCounters {
        self.cells.read()
    }

    /// Stops listening, and waits for replies under way; whether all of them were sent in time.
    pub(crate) async fn shutdown(mut self, deadline: Duration) -> bool {
        self.wish.send_replace(Wish::End);
        tokio::time::timeout(deadline, self.task.join_next()).await.is_ok()
    }
}

/// What serving takes.
#[derive(Clone)]
struct Serving {
    router: Router,
    limits: ServerLimits,
    cells: Arc<Cells>,
    wish: watch::Sender<Wish>,
}

impl Serving {
    async fn run(self, listener: TcpListener) {
        let end = wait_for(self.wish.subscribe(), |wish| wish == Wish::End);
        let mut connections = JoinSet::new();
        tokio::select! {
            biased;
            () = end => {}
            () = self.accept(&listener, &mut connections) => {}
        }
        // Who comes now is refused by the system.
        drop(listener);
        while connections.join_next().await.is_some() {}
    }

    async fn accept(&self, listener: &TcpListener, connections: &mut JoinSet<()>) {
        let places = Arc::new(Semaphore::new(self.limits.connections));
        loop {
            let stream = match listener.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    count(&self.cells.accept_failures);
                    if !is_of_one_connection(&error) {
                        tokio::time::sleep_until(tokio::time::Instant::now() + PAUSE).await;
                    }
                    continue;
                }
            };
            count(&self.cells.accepted);
            while connections.try_join_next().is_some() {}
            let Some(place) = self.place(&places).await else { return };
            connections.spawn(self.clone().serve(stream, place));
        }
    }

    /// Waits for a place. The semaphore is never closed, so there will be one.
    async fn place(&self, places: &Arc<Semaphore>) -> Option<OwnedSemaphorePermit> {
        if let Ok(place) = Arc::clone(places).try_acquire_owned() {
            return Some(place);
        }
        count(&self.cells.waited);
        self.replace(Wish::Serve, Wish::MakeRoom);
        let place = Arc::clone(places).acquire_owned().await.ok();
        self.replace(Wish::MakeRoom, Wish::Serve);
        place
    }

    /// The end stays wanted.
    fn replace(&self, old: Wish, new: Wish) {
        self.wish.send_if_modified(|wish| {
            let is_old = *wish == old;
            if is_old {
                *wish = new;
            }
            is_old
        });
    }

    async fn serve(self, stream: TcpStream, _place: OwnedSemaphorePermit) {
        // Small replies leave at once.
        let _ = stream.set_nodelay(true);
        let io = TokioIo::new(Patient::new(stream, self.limits.write_timeout));
        // A connection that has not asked for anything yet would be closed without an answer.
        let asked = Arc::new(AtomicBool::new(false));
        let has_asked = Arc::clone(&asked);
        let leave = wait_for(self.wish.subscribe(), move |wish| {
            wish == Wish::End || (wish == Wish::MakeRoom && has_asked.load(Ordering::Relaxed))
        });
        let (router, wish) = (TowerToHyperService::new(self.router), self.wish.clone());
        let service = service_fn(move |request| {
            asked.store(true, Ordering::Relaxed);
            let is_last = *wish.borrow() != Wish::Serve;
            let reply = router.call(request);
            async move {
                let mut reply = reply.await?;
                if is_last {
                    reply.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
                }
                Ok::<_, Infallible>(reply)
            }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.limits.header_timeout)
            .max_header_size(HEAD_BYTES)
            .max_buf_size(BUFFER_BYTES)
            .serve_connection(io, service);
        let mut connection = std::pin::pin!(connection);
        let ended = tokio::select! {
            biased;
            ended = connection.as_mut() => ended,
            () = leave => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            count(if error.is_timeout() {
                &self.cells.idle_closed
            } else if is_stuck(&error) {
                &self.cells.stuck_cut
            } else {
                &self.cells.broken
            });
        }
    }
}

async fn wait_for(mut wishes: watch::Receiver<Wish>, is_wanted: impl Fn(Wish) -> bool) {
    // Who holds the sender waits for this task, so it is there.
    let _ = wishes.wait_for(|wish| is_wanted(*wish)).await;
}

/// Whether accepting failed for the sake of a connection that has gone already.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// Whether [`Patient`] gave the connection up.
fn is_stuck(error: &hyper::Error) -> bool {
    let source = std::error::Error::source(error).and_then(|source| source.downcast_ref::<io::Error>());
    source.is_some_and(|error| error.kind() == io::ErrorKind::TimedOut)
}
