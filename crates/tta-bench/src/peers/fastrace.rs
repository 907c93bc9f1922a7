//! fastrace's `Span`, the kind that can move between threads, as asynchronous code needs it.

use crate::case::Fate;
use crate::peer::{Peer, SpanPeer};
use crate::workload::{Attributes, KEYS};
use ::fastrace::Span;
use ::fastrace::collector::{Config, Reporter, SpanContext, SpanRecord};
use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// fastrace's collector: what becomes of spans, whoever starts them.
pub(crate) struct Collector {
    fate: Fate,
    reported: Arc<AtomicU64>,
}

pub(super) struct Fastrace(Collector);

/// Counts the spans that the collector hands over, and frees them.
struct Count(Arc<AtomicU64>);

impl Reporter for Count {
    fn report(&mut self, spans: Vec<SpanRecord>) {
        self.0.fetch_add(std::hint::black_box(spans).len() as u64, Ordering::Relaxed);
    }
}

impl Collector {
    pub(crate) fn start(fate: Fate) -> Self {
        let reported = Arc::new(AtomicU64::new(0));
        ::fastrace::set_reporter(Count(Arc::clone(&reported)), Config::default());
        Self { fate, reported }
    }

    #[inline]
    pub(super) fn end(&self, root: Span) {
        if self.fate == Fate::Dropped {
            root.cancel();
        }
        drop(root);
    }

    pub(crate) fn settle(&self) {
        ::fastrace::flush();
    }

    pub(crate) fn finish(self) -> u64 {
        ::fastrace::flush();
        self.reported.load(Ordering::Relaxed)
    }
}

impl Peer for Fastrace {
    const NAME: &'static str = "fastrace";
    const DROPPED: &'static str = "`Span::cancel` on the root before it closes, fastrace's own \
        form of a tail decision. Spans are recorded and sent to the collector all the same; the \
        collector frees them.";
    const KEPT: &'static str = "a reporter that counts the finished records and frees them: \
        nothing is encoded or sent.";

    fn start(fate: Fate) -> anyhow::Result<Self> {
        Ok(Self(Collector::start(fate)))
    }

    fn settle(&self) {
        self.0.settle();
    }

    fn finish(self) -> anyhow::Result<u64> {
        Ok(self.0.finish())
    }
}

impl SpanPeer for Fastrace {
    type Root = Span;

    #[inline]
    fn root(&self, attributes: &Attributes<'_>) -> Span {
        Span::root("workflow", SpanContext::random()).with_properties(|| properties(attributes))
    }

    #[inline]
    fn child(&self, root: &Span, attributes: &Attributes<'_>) {
        drop(Span::enter_with_parent("step", root).with_properties(|| properties(attributes)));
    }

    #[inline]
    fn end(&self, root: Span) {
        self.0.end(root);
    }
}

/// Attributes are text in fastrace, so the integer is formatted.
#[inline]
fn properties(attributes: &Attributes<'_>) -> [(&'static str, Cow<'static, str>); 3] {
    let [attempt, kind, customer] = KEYS;
    [
        (attempt, Cow::Owned(attributes.attempt.to_string())),
        (kind, Cow::Borrowed(attributes.kind)),
        (customer, Cow::Owned(attributes.customer.to_owned())),
    ]
}
