//! Traces as they are kept, for those who watch.
//!
//! One ring of summaries for all who listen. A listener remembers how far it is; one that is slower
//! than traces come misses those that the ring no longer has, and is told how many. Whoever
//! publishes never waits.

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use super::error::{QueryError, StoreError};
use super::stored::TraceSummary;

const RING: usize = 1_024;
const MOST_LISTENERS: usize = 64;

/// Where traces are told of as soon as they are kept. Clones are the same feed.
#[derive(Clone, Debug)]
pub struct LiveFeed(Arc<Mutex<Feed>>);

#[derive(Debug)]
struct Feed {
    /// Tells one feed's ids from those of others, as of the process that was here before.
    instance: u64,
    /// How many were published: the number of the next.
    next: u64,
    ring: VecDeque<Arc<TraceSummary>>,
    /// Those that wait, each at most once.
    waiting: Vec<(u64, Waker)>,
    listeners: usize,
    last_listener: u64,
    missed: u64,
}

/// A trace's place in its feed, as text for `Last-Event-ID`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LiveId {
    instance: u64,
    number: u64,
}

/// What a listener hears.
#[derive(Clone, Debug)]
pub enum LiveEvent {
    /// A trace was kept.
    Trace {
        /// Its place.
        id: LiveId,
        /// The trace, as it was then.
        summary: Arc<TraceSummary>,
    },
    /// Traces were missed.
    Missed {
        /// How many; `None` when nobody knows, because the listener comes from another process's feed.
        traces: Option<u64>,
    },
}

/// Live traces, to one listener.
#[derive(Debug)]
pub struct LiveTraces {
    feed: LiveFeed,
    listener: u64,
    next: u64,
    is_foreign: bool,
}

impl LiveFeed {
    /// Summaries that the feed has at most: so far may a listener fall back before it misses some.
    pub const MOST_WAITING: usize = RING;
    /// Listeners at the same time.
    pub const MOST_LISTENERS: usize = MOST_LISTENERS;

    /// A feed whose ids bear this number.
    #[must_use]
    pub fn new(instance: u64) -> Self {
        Self(Arc::new(Mutex::new(Feed {
            instance,
            next: 0,
            ring: VecDeque::new(),
            waiting: Vec::new(),
            listeners: 0,
            last_listener: 0,
            missed: 0,
        })))
    }

    /// Tells everybody who listens. Never waits for them.
    pub fn publish(&self, summary: TraceSummary) {
        let mut feed = self.feed();
        feed.next += 1;
        let oldest = if feed.ring.len() >= RING { feed.ring.pop_front() } else { None };
        feed.ring.push_back(Arc::new(summary));
        let waiting = std::mem::take(&mut feed.waiting);
        drop(feed);
        drop(oldest);
        waiting.into_iter().for_each(|(_, waker)| waker.wake());
    }

    /// Listens from now on, or from the trace after this one.
    ///
    /// # Errors
    /// [`StoreError::TooManyListeners`]: there are 64.
    pub fn subscribe(&self, after: Option<LiveId>) -> Result<LiveTraces, StoreError> {
        let mut feed = self.feed();
        if feed.listeners >= MOST_LISTENERS {
            return Err(StoreError::TooManyListeners { most: MOST_LISTENERS });
        }
        feed.listeners += 1;
        feed.last_listener += 1;
        let known = after.filter(|id| id.instance == feed.instance && id.number < feed.next);
        let next = known.map_or(feed.next, |id| id.number + 1);
        let is_foreign = after.is_some() && known.is_none();
        let listener = feed.last_listener;
        drop(feed);
        Ok(LiveTraces { feed: self.clone(), listener, next, is_foreign })
    }

    /// How many listen.
    #[must_use]
    pub fn listeners(&self) -> usize {
        self.feed().listeners
    }

    /// Traces that listeners missed because they were slow, all in all.
    #[must_use]
    pub fn missed(&self) -> u64 {
        self.feed().missed
    }

    fn feed(&self) -> MutexGuard<'_, Feed> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LiveTraces {
    /// The next event. It does not end.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub async fn next(&mut self) -> LiveEvent {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// The next event, if there is one; else the task is woken for it.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<LiveEvent> {
        if let Some(event) = self.try_next() {
            return Poll::Ready(event);
        }
        let mut feed = self.feed.feed();
        if feed.next > self.next {
            drop(feed);
            return self.try_next().map_or(Poll::Pending, Poll::Ready);
        }
        feed.waiting.retain(|(listener, _)| *listener != self.listener);
        feed.waiting.push((self.listener, cx.waker().clone()));
        Poll::Pending
    }

    /// The next event, if there is one.
    pub fn try_next(&mut self) -> Option<LiveEvent> {
        if std::mem::take(&mut self.is_foreign) {
            return Some(LiveEvent::Missed { traces: None });
        }
        let mut feed = self.feed.feed();
        let oldest = feed.next - feed.ring.len() as u64;
        if self.next < oldest {
            let missed = oldest - self.next;
            feed.missed += missed;
            self.next = oldest;
            return Some(LiveEvent::Missed { traces: Some(missed) });
        }
        let summary = Arc::clone(feed.ring.get((self.next - oldest) as usize)?);
        let id = LiveId { instance: feed.instance, number: self.next };
        self.next += 1;
        Some(LiveEvent::Trace { id, summary })
    }
}

impl Drop for LiveTraces {
    fn drop(&mut self) {
        let mut feed = self.feed.feed();
        feed.listeners -= 1;
        feed.waiting.retain(|(listener, _)| *listener != self.listener);
    }
}

impl fmt::Display for LiveId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}-{}", self.instance, self.number)
    }
}

impl FromStr for LiveId {
    type Err = QueryError;

    fn from_str(text: &str) -> Result<Self, QueryError> {
        let parse = || {
            let (instance, number) = text.split_once('-')?;
            Some(Self { instance: u64::from_str_radix(instance, 16).ok()?, number: number.parse().ok()? })
        };
        parse().ok_or_else(|| QueryError::new("last-event-id", text, "the id of an event of this stream"))
    }
}
