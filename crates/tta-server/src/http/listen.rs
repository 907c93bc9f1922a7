//! Listening, and giving places to connections.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;

use super::connection::{Serving, Wish, wait_for};
use super::counters::{Cells, ServerCounters, count};
use super::error::ServerError;
use super::guard::Guard;
use super::settings::CheckedSettings;

/// The pause after the system would not give a connection: too many files are open, and will be.
const PAUSE: Duration = Duration::from_millis(100);

/// Serves routes at one address, over HTTP/1 and HTTP/2, within limits, whoever connects. Dropping it
/// ends it at once.
///
/// With a certificate it speaks TLS only, and the client chooses the protocol (ALPN); without, HTTP/2 is
/// recognised by how it begins, as gRPC does. Bodies compressed by gzip arrive at the routes
/// decompressed. Every refusal has a problem body (RFC 9457) and a count in [`ServerCounters`]; gRPC
/// gets a status of its own. Every reply has headers that keep browsers from running, framing or
/// storing it, unless the route sets them.
///
/// Who may ask is for the routes to say, by [`Tokens::require`](crate::Tokens::require).
///
/// ```
/// use std::time::Duration;
/// use axum::Router;
/// use axum::routing::get;
/// use tta_server::{Scope, Server, ServerSettings, TokenSource};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let settings = ServerSettings {
///     address: "127.0.0.1:0".parse()?,
///     read_tokens: vec![TokenSource::Value("5f0c1a9b7e3d2846".into())],
///     ..ServerSettings::default()
/// };
/// let checked = settings.check()?;
/// let private = Router::new().route("/private", get(|| async { "for readers" }));
/// let open = Router::new().route("/livez", get(|| async { "ok" }));
/// let router = private.layer(checked.tokens().require(Scope::Read)).merge(open);
/// let server = Server::start(&checked, router).await?;
/// println!("serving at {}", server.url());
/// assert!(server.shutdown(Duration::from_secs(5)).await);
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    is_tls: bool,
    cells: Arc<Cells>,
    wish: watch::Sender<Wish>,
    /// The one task, which owns those of the connections.
    task: JoinSet<()>,
}

impl Server {
    /// Listens from now on, on the tokio runtime that this is called in, which must have its I/O and
    /// time drivers enabled.
    ///
    /// # Errors
    /// The address is taken, or none of this machine's.
    pub async fn start(settings: &CheckedSettings, router: Router) -> Result<Self, ServerError> {
        let address = settings.address();
        let unbindable = |error: io::Error| match error.kind() {
            io::ErrorKind::AddrInUse => ServerError::AddressTaken { address },
            io::ErrorKind::PermissionDenied => {
                let reason = format!("{error}: a port below 1024 is for programs with privileges");
                ServerError::Unbindable { address, reason }
            }
            _ => ServerError::Unbindable { address, reason: error.to_string() },
        };
        let listener = TcpListener::bind(address).await.map_err(unbindable)?;
        let address = listener.local_addr().map_err(unbindable)?;
        let cells = Arc::new(Cells::default());
        let (wish, _) = watch::channel(Wish::Serve);
        let limits = settings.limits().clone();
        let guard = Guard::new(router, limits.clone(), Arc::clone(&cells), settings.is_private());
        let serving = Serving {
            guard: Arc::new(guard),
            limits: Arc::new(limits),
            tls: settings.tls().cloned(),
            cells: Arc::clone(&cells),
            wish: wish.clone(),
        };
        let mut task = JoinSet::new();
        task.spawn(run(serving, listener));
        Ok(Self { address, is_tls: settings.tls().is_some(), cells, wish, task })
    }

    /// Where it listens: with the real port when port 0 was asked for.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Where it listens, as the beginning of a URL: `http://127.0.0.1:8000`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}://{}", if self.is_tls { "https" } else { "http" }, self.address)
    }

    /// What it has seen so far.
    #[must_use]
    pub fn counters(&self) -> ServerCounters {
        self.cells.read()
    }

    /// Stops listening, closes idle connections, and waits up to `deadline` for replies under way.
    /// Whether all of them were sent; those that were not are cut off.
    ///
    /// # Cancel safety
    /// Dropping the future ends the server at once.
    pub async fn shutdown(mut self, deadline: Duration) -> bool {
        self.wish.send_replace(Wish::End);
        tokio::time::timeout(deadline, self.task.join_next()).await.is_ok()
    }
}

async fn run(serving: Serving, listener: TcpListener) {
    let end = wait_for(serving.wish.subscribe(), |wish| wish == Wish::End);
    let mut connections = JoinSet::new();
    tokio::select! {
        biased;
        () = end => {}
        () = accept(&serving, &listener, &mut connections) => {}
    }
    // Who comes now is refused by the system.
    drop(listener);
    while connections.join_next().await.is_some() {}
}

async fn accept(serving: &Serving, listener: &TcpListener, connections: &mut JoinSet<()>) {
    let places = Arc::new(Semaphore::new(serving.limits.connections));
    loop {
        let (stream, address) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                count(&serving.cells.accept_failures);
                if !is_of_one_connection(&error) {
                    tokio::time::sleep_until(tokio::time::Instant::now() + PAUSE).await;
                }
                continue;
            }
        };
        count(&serving.cells.accepted);
        while connections.try_join_next().is_some() {}
        let Some(place) = self::place(serving, &places).await else { return };
        let serving = serving.clone();
        connections.spawn(async move {
            serving.serve(stream, address).await;
            drop(place);
        });
    }
}

/// Waits for a place. The semaphore is never closed, so there will be one.
async fn place(serving: &Serving, places: &Arc<Semaphore>) -> Option<OwnedSemaphorePermit> {
    if let Ok(place) = Arc::clone(places).try_acquire_owned() {
        return Some(place);
    }
    count(&serving.cells.waited);
    replace(&serving.wish, Wish::Serve, Wish::MakeRoom);
    let place = Arc::clone(places).acquire_owned().await.ok();
    replace(&serving.wish, Wish::MakeRoom, Wish::Serve);
    place
}

/// The end stays wanted.
fn replace(wish: &watch::Sender<Wish>, old: Wish, new: Wish) {
    wish.send_if_modified(|wish| {
        let is_old = *wish == old;
        if is_old {
            *wish = new;
        }
        is_old
    });
}

/// Whether accepting failed for the sake of a connection that has gone already.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
