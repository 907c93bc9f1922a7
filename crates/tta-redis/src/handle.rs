//! The handle to a Redis: what sends requests and sees what becomes of them.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};
use redis::{Cmd, FromRedisValue, Pipeline, Value};
use tta_telemetry::{Clock, Health, HealthComponent, Name, Ticks};

use crate::address::Address;
use crate::config::{RedisBuilder, RedisConfigError, Settings};
use crate::connection::{Request, Target};
use crate::failure::Failure;
use crate::link::{Established, Link, Timing};
use crate::vitals::{Access, Vitals};

/// A request that its caller gave up after this time was not answered in time: it says something
/// about the server. Earlier, about the caller only.
const SLOW: Duration = Duration::from_millis(10);
/// Commands to different nodes of a cluster at a time.
const CLUSTER_CONCURRENCY: usize = 32;

/// A Redis server or cluster. Cheap to clone: clones share one connection, over which requests
/// follow each other without waiting for answers.
///
/// ```
/// use std::time::Duration;
/// use tta_redis::{Redis, RedisCache};
///
/// let redis = Redis::builder("redis://localhost:6379").response_timeout(Duration::from_millis(200)).build()?;
/// let prices = RedisCache::<f64>::new(&redis, "prices")?; // nothing is connected yet
/// # Ok::<(), tta_redis::RedisConfigError>(())
/// ```
///
/// Connects on the tokio runtime of the operation that needs it, and again whenever that runtime
/// or the connection is gone.
#[derive(Clone)]
pub struct Redis(Arc<Inner>);

struct Inner {
    name: Name,
    key_prefix: String,
    address: String,
    link: Arc<Link>,
}

/// Hosts and ports; neither user nor password.
impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis")
            .field("name", &self.0.name)
            .field("address", &self.0.address)
            .field("key_prefix", &self.0.key_prefix)
            .finish_non_exhaustive()
    }
}

impl HealthComponent for Inner {
    fn name(&self) -> Name {
        format!("redis:{}", self.name).into()
    }

    fn health(&self) -> Health {
        self.link.vitals.health()
    }
}

impl Redis {
    /// The Redis at a URL, with the defaults of [`RedisBuilder`].
    ///
    /// # Errors
    /// A URL that cannot be used.
    pub fn connect(url: &str) -> Result<Self, RedisConfigError> {
        Self::builder(url).build()
    }

    /// The Redis at a URL, to be set up: `redis://user:password@host:port/database`, `rediss://`
    /// with TLS (feature `tls`), `unix:///path`, or `redis+cluster://host:port,host:port` (feature
    /// `cluster`).
    pub fn builder(url: &str) -> RedisBuilder {
        RedisBuilder::new(Address::of_url(url))
    }

    /// A cluster of which some nodes are known by their URLs, to be set up.
    #[cfg(feature = "cluster")]
    pub fn cluster<U: Into<String>>(urls: impl IntoIterator<Item = U>) -> RedisBuilder {
        RedisBuilder::new(Address::of_cluster(urls.into_iter().map(Into::into)))
    }

    pub(crate) fn from_parts(
        address: Address,
        root_certificate: Option<Vec<u8>>,
        settings: Settings,
    ) -> Result<Self, RedisConfigError> {
        let passwords = address.nodes.iter().filter_map(|node| node.redis_settings().password());
        let password = passwords.map(str::to_owned).find(|password| !password.is_empty());
        let timing = Timing {
            connect_timeout: settings.connect_timeout,
            response_timeout: settings.response_timeout,
            min_reconnect_delay: settings.min_reconnect_delay,
            max_reconnect_delay: settings.max_reconnect_delay,
            max_unanswered: settings.max_unanswered,
        };
        let timeouts = (timing.connect_timeout, timing.response_timeout);
        let target = Target::new(&address, root_certificate, timeouts).map_err(|error| {
            let what = Failure::of(&error, timing.response_timeout, password.as_deref()).text();
            RedisConfigError::new("url", format!("one that cannot be used ({what})"), "the URL of a Redis")
        })?;
        let clock = settings.clock.unwrap_or_else(Clock::system);
        let vitals = Vitals::new(clock.clone(), settings.environment, password.is_some());
        let link = Arc::new(Link::new(target, vitals, timing, clock, password));
        let (name, key_prefix, address) = (settings.name, settings.key_prefix, address.to_string());
        Ok(Self(Arc::new(Inner { name, key_prefix, address, link })))
    }

    /// How it is, as its own operations have seen it.
    #[must_use]
    pub fn health(&self) -> Health {
        self.0.link.vitals.health()
    }

    /// Itself as a part of health reports, `redis:<name>`: for `Telemetry::watch_health`.
    #[must_use]
    pub fn component(&self) -> Arc<dyn HealthComponent> {
        Arc::clone(&self.0) as Arc<dyn HealthComponent>
    }

    /// Asks the server for a sign of life, which also brings the health up to date.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn ping(&self) -> Result<(), tta_primitives::Error> {
        let answer = self.one::<Value>(&redis::cmd("PING"), Access::Plain).await;
        answer.map(drop).map_err(|failure| {
            tta_primitives::Error::new(tta_primitives::ErrorKind::Upstream, format!("redis: {}", failure.text()))
        })
    }

    pub(crate) fn key_prefix(&self) -> &str {
        &self.0.key_prefix
    }

    pub(crate) fn is_cluster(&self) -> bool {
        self.0.link.target.is_cluster()
    }

    pub(crate) async fn one<T: FromRedisValue>(&self, command: &Cmd, access: Access) -> Result<T, Failure> {
        read(self.send(Request::One(command), access).await?)
    }

    /// Commands about keys of one slot, in one go.
    pub(crate) async fn many<T: FromRedisValue>(&self, pipeline: &Pipeline, access: Access) -> Result<T, Failure> {
        read(self.send(Request::Many(pipeline), access).await?)
    }

    #[cfg(feature = "cluster")]
    pub(crate) async fn routed<T: FromRedisValue>(&self, request: Request<'_>) -> Result<T, Failure> {
        read(self.send(request, Access::Plain).await?)
    }

    /// Commands about keys anywhere, each about one; the answers in order.
    pub(crate) async fn each<T: FromRedisValue>(&self, commands: Vec<Cmd>, access: Access) -> Result<Vec<T>, Failure> {
        if commands.is_empty() {
            return Ok(Vec::new());
        }
        if self.is_cluster() {
            let answers = stream::iter(commands).map(|command| async move { self.one(&command, access).await });
            return answers.buffered(CLUSTER_CONCURRENCY).try_collect().await;
        }
        let mut pipeline = Pipeline::with_capacity(commands.len());
        for command in commands {
            pipeline.add_command(command);
        }
        self.many(&pipeline, access).await
    }

    /// Sends a request and notes what became of it. Every request of this crate leaves the same
    /// behind when it is carried out twice, so one that met a dead connection goes out again over
    /// the next one; only the counts that it returns are then those of the second time.
    async fn send(&self, request: Request<'_>, access: Access) -> Result<Value, Failure> {
        let link = &self.0.link;
        let mut is_second = false;
        loop {
            let established = link.acquire().await?;
            let mut waiting = Waiting { link, established: &established, sent: link.clock.ticks(), is_over: false };
            let mut connection = established.connection.clone();
            let error = match connection.send(request).await {
                Ok(value) => {
                    waiting.answered();
                    link.vitals.succeeded(access);
                    return Ok(value);
                }
                Err(error) => error,
            };
            let failure = link.failure(&error);
            if !error.is_timeout() {
                waiting.answered();
            }
            if error.is_unrecoverable_error() {
                link.lost(&established);
                if error.is_connection_dropped() && !is_second {
                    is_second = true;
                    continue;
                }
            }
            link.vitals.failed(&failure, access);
            return Err(failure);
        }
    }
}

fn read<T: FromRedisValue>(value: Value) -> Result<T, Failure> {
    T::from_redis_value(value).map_err(|error| Failure::Refused(format!("an answer that was not expected: {error}")))
}

/// A request that waits for its answer. Dropped before that, it stays in the connection.
struct Waiting<'a> {
    link: &'a Link,
    established: &'a Arc<Established>,
    sent: Ticks,
    is_over: bool,
}

impl Waiting<'_> {
    fn answered(&mut self) {
        self.is_over = true;
        self.established.answered();
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        let waited = self.link.clock.elapsed(self.sent);
        if waited >= SLOW {
            // Callers have patience of their own, so the time says more than whose it was.
            self.link.vitals.failed(&Failure::TimedOut(rounded(waited)), Access::Plain);
        }
        self.link.unanswered(self.established, self.sent);
    }
}

/// To whole milliseconds: for people.
fn rounded(duration: Duration) -> Duration {
    Duration::from_millis(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}
