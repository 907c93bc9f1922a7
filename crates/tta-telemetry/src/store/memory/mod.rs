//! The latest kept traces, in memory: a sink and a store that share what they hold.

mod names;
mod signature;
mod state;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use self::signature::Signature;
use self::state::{Outcome, State};
use super::error::{QueryError, StoreError};
use super::live::LiveFeed;
use super::query::{TagScope, TraceQuery};
use super::stored::StoredTrace;
use super::tags::{MOST_SPANS, TagNames, TagValues};
use super::{Operation, StoreStatus, TracePage, TraceStore};
use crate::clock::Clock;
use crate::health::{Health, HealthComponent};
use crate::id::{IdSource, TraceId};
use crate::model::{Name, Trace};
use crate::sink::{Sink, SinkError};

const DEFAULT_BYTES: usize = 64 * 1024 * 1024;
const LEAST_BYTES: usize = 64 * 1024;

/// The latest kept traces, in memory: at most 64 MiB of them, unless it is told otherwise.
///
/// Clones share what they hold: give one to the engine as a sink, and ask another. Later traces push out
/// those kept first; one trace takes at most half of the room. It is a [`HealthComponent`], to be
/// registered with [`Telemetry::watch_health`](crate::Telemetry::watch_health).
///
/// ```
/// use std::time::Duration;
/// use tta_telemetry::Telemetry;
/// use tta_telemetry::store::{MemoryTraceStore, TraceQuery, TraceStore};
///
/// let store = MemoryTraceStore::new("shop");
/// let telemetry = Telemetry::builder().service("shop", "1.0").sink(store.clone()).build()?;
/// telemetry.start_trace("import").end();
/// telemetry.flush_blocking(Duration::from_secs(5));
/// # #[cfg(feature = "record")] {
/// let query = TraceQuery { operation: Some("import".into()), ..TraceQuery::default() };
/// let found = store.search(&query)?;
/// assert_eq!((found.traces[0].root_service.as_str(), found.traces[0].spans), ("shop", 1));
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct MemoryTraceStore(Arc<Shared>);

/// Makes a [`MemoryTraceStore`].
#[derive(Debug)]
#[must_use]
pub struct MemoryTraceStoreBuilder {
    own_service: Name,
    capacity_bytes: usize,
    clock: Clock,
    ids: IdSource,
}

#[derive(Debug)]
struct Shared {
    state: RwLock<State>,
    live: LiveFeed,
    clock: Clock,
    /// Tells this store's cursors from those of the process that was here before.
    instance: u64,
    own_service: Name,
    /// The last trace that came was too large.
    is_refusing: AtomicBool,
    /// When a trace was stored last, in nanoseconds since the Unix epoch; 0 for never.
    stored_unix_ns: AtomicU64,
}

impl MemoryTraceStore {
    /// A store of at most 64 MiB. The service is the name of this process, for spans it recorded itself:
    /// that of [`TelemetryBuilder::service`](crate::TelemetryBuilder::service).
    #[must_use]
    pub fn new(service: impl Into<Name>) -> Self {
        Self::builder(service).build()
    }

    /// A store that is told more.
    pub fn builder(service: impl Into<Name>) -> MemoryTraceStoreBuilder {
        MemoryTraceStoreBuilder {
            own_service: service.into(),
            capacity_bytes: DEFAULT_BYTES,
            clock: Clock::system(),
            ids: IdSource::random(),
        }
    }

    fn state(&self) -> RwLockReadGuard<'_, State> {
        self.0.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn store(&self, part: &Arc<Trace>) {
        let mut evicted = Vec::new();
        let outcome = self.0.state.write().unwrap_or_else(PoisonError::into_inner).insert(part, &mut evicted);
        // Freeing large traces takes a while; nobody waits for it.
        drop(evicted);
        let is_refused = outcome == Outcome::Refused;
        self.0.is_refusing.store(is_refused, Ordering::Relaxed);
        if !is_refused {
            let now = self.0.clock.unix_ns(self.0.clock.ticks());
            self.0.stored_unix_ns.store(now, Ordering::Relaxed);
        }
        if outcome == Outcome::New {
            let own_service = self.0.own_service.clone();
            let trace = StoredTrace { trace_id: part.trace_id, own_service, parts: vec![Arc::clone(part)] };
            trace.summary().into_iter().for_each(|summary| self.0.live.publish(summary));
        }
    }

    fn cursor(&self, number: u64) -> String {
        format!("{:016x}{number:016x}", self.0.instance)
    }

    /// The number that a cursor stands for.
    fn number(&self, cursor: &str) -> Result<u64, QueryError> {
        let hex = |text: &str| u64::from_str_radix(text, 16).ok().filter(|_| text.len() == 16);
        let parts = cursor.split_at_checked(16).and_then(|(instance, number)| Some((hex(instance)?, hex(number)?)));
        let known = parts.filter(|(instance, _)| *instance == self.0.instance);
        let accepted = "the cursor of the page before, as it came, from this process since its start";
        known.map(|(_, number)| number).ok_or_else(|| QueryError::new("cursor", cursor, accepted))
    }
}

impl MemoryTraceStoreBuilder {
    /// The most that traces and what finds them again may take, in bytes. Default 64 MiB; at least
    /// 64 KiB, which less counts as.
    pub fn capacity_bytes(mut self, bytes: usize) -> Self {
        self.capacity_bytes = bytes.max(LEAST_BYTES);
        self
    }

    /// Where the time for its health comes from. Default: the system.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Where the number comes from that tells its cursors from others'. Default: chance.
    pub fn ids(mut self, ids: IdSource) -> Self {
        self.ids = ids;
        self
    }

    /// The store.
    #[must_use]
    pub fn build(self) -> MemoryTraceStore {
        let instance = self.ids.next_u64();
        let state = State::new(self.own_service.clone(), self.capacity_bytes);
        MemoryTraceStore(Arc::new(Shared {
            state: RwLock::new(state),
            live: LiveFeed::new(instance),
            clock: self.clock,
            instance,
            own_service: self.own_service,
            is_refusing: AtomicBool::new(false),
            stored_unix_ns: AtomicU64::new(0),
        }))
    }
}

impl Sink for MemoryTraceStore {
    fn name(&self) -> &str {
        "trace-store"
    }

    fn export(&mut self, traces: &[Arc<Trace>]) -> Result<(), SinkError> {
        traces.iter().for_each(|part| self.store(part));
        Ok(())
    }
}

impl TraceStore for MemoryTraceStore {
    fn search(&self, query: &TraceQuery) -> Result<TracePage, StoreError> {
        query.check()?;
        let wanted = Signature::of_query(query);
        let mut before = query.cursor.as_deref().map_or(Ok(u64::MAX), |cursor| self.number(cursor))?;
        let mut page = TracePage::default();
        let mut last = before;
        loop {
            let (candidates, rest) = self.state().candidates(query, &wanted, before);
            // Looked at without the lock.
            for (number, trace) in candidates.into_iter().filter(|(_, trace)| query.matches(trace)) {
                if page.traces.len() >= query.limit {
                    page.next_cursor = Some(self.cursor(last));
                    return Ok(page);
                }
                page.traces.extend(trace.summary());
                last = number;
            }
            let Some(rest) = rest else { return Ok(page) };
            before = rest;
        }
    }

    fn trace(&self, trace_id: TraceId) -> Result<Option<StoredTrace>, StoreError> {
        Ok(self.state().trace(trace_id))
    }

    fn services(&self) -> Result<Vec<Name>, StoreError> {
        Ok(self.state().names().services())
    }

    fn operations(&self, service: &str) -> Result<Vec<Operation>, StoreError> {
        Ok(self.state().names().operations(service))
    }

    fn tag_names(&self) -> Result<TagNames, StoreError> {
        let parts = self.state().latest(MOST_SPANS);
        Ok(TagNames::of(&parts))
    }

    fn tag_values(&self, scope: TagScope, name: &str) -> Result<TagValues, StoreError> {
        let parts = self.state().latest(MOST_SPANS);
        Ok(TagValues::of(&parts, scope, name))
    }

    fn kind(&self) -> &'static str {
        "memory"
    }

    fn status(&self) -> StoreStatus {
        self.state().status()
    }

    fn live(&self) -> &LiveFeed {
        &self.0.live
    }
}

impl HealthComponent for MemoryTraceStore {
    fn name(&self) -> Name {
        Name::from_static("trace-store")
    }

    /// Degraded while the last trace that came was too large to be stored.
    fn health(&self) -> Health {
        let stored = Some(self.0.stored_unix_ns.load(Ordering::Relaxed)).filter(|unix_ns| *unix_ns > 0);
        let health = if self.0.is_refusing.load(Ordering::Relaxed) {
            Health::degraded("the last trace that was kept is too large to be stored: more than half of the store")
        } else {
            Health::healthy()
        };
        health.last_success(stored)
    }
}
