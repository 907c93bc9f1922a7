//! The metrics of one engine: those that are registered, and those who know further values.

use std::collections::{BTreeMap, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::catalog::{self, BuiltIn};
use super::cells::ShardedCounter;
use super::definition::{Metric, MetricError, MetricKind};
use super::instruments::{Counter, Family, FamilyCells, Gauge, HistogramRecorder, Instrument, Refused};
use super::sample::MetricFamily;
use super::source::{MetricCollector, MetricSource};
use crate::cardinality::LabelLimiter;
use crate::model::Name;

/// Metrics that a program may register, and sources that an engine asks.
const MOST: usize = 1_000;

/// A family of any kind.
#[derive(Clone)]
enum AnyFamily {
    Counter(Arc<FamilyCells<Counter>>),
    Gauge(Arc<FamilyCells<Gauge>>),
    Histogram(Arc<FamilyCells<HistogramRecorder>>),
}

impl AnyFamily {
    fn metric(&self) -> &Metric {
        match self {
            AnyFamily::Counter(family) => family.metric(),
            AnyFamily::Gauge(family) => family.metric(),
            AnyFamily::Histogram(family) => family.metric(),
        }
    }

    fn kind(&self) -> MetricKind {
        match self {
            AnyFamily::Counter(_) => MetricKind::Counter,
            AnyFamily::Gauge(_) => MetricKind::Gauge,
            AnyFamily::Histogram(_) => MetricKind::Histogram,
        }
    }

    fn read(&self) -> MetricFamily {
        match self {
            AnyFamily::Counter(family) => family.read(),
            AnyFamily::Gauge(family) => family.read(),
            AnyFamily::Histogram(family) => family.read(),
        }
    }
}

/// Instruments that can be registered.
pub(crate) trait Registered: Instrument {
    fn erase(family: &Arc<FamilyCells<Self>>) -> AnyFamilyHandle;
    fn find(family: &AnyFamilyHandle) -> Option<&Arc<FamilyCells<Self>>>;
}

/// Keeps [`AnyFamily`] to this file.
pub(crate) struct AnyFamilyHandle(AnyFamily);

macro_rules! registered {
    ($($instrument:ident as $variant:ident),+) => {$(
        impl Registered for $instrument {
            fn erase(family: &Arc<FamilyCells<Self>>) -> AnyFamilyHandle {
                AnyFamilyHandle(AnyFamily::$variant(Arc::clone(family)))
            }

            fn find(family: &AnyFamilyHandle) -> Option<&Arc<FamilyCells<Self>>> {
                match &family.0 {
                    AnyFamily::$variant(family) => Some(family),
                    _ => None,
                }
            }
        }
    )+};
}

registered!(Counter as Counter, Gauge as Gauge, HistogramRecorder as Histogram);

#[derive(Default)]
struct Families {
    known: BTreeMap<Name, AnyFamilyHandle>,
    /// The metric that a sample's name belongs to: a histogram has several.
    samples: HashMap<String, Name>,
    /// Those of `known` that are tta's own.
    own: usize,
}

pub(crate) struct Meter {
    limiter: LabelLimiter,
    pub(crate) refused: Arc<Refused>,
    families: Mutex<Families>,
    sources: Mutex<Vec<Weak<dyn MetricSource>>>,
    pub(crate) sources_refused: ShardedCounter,
    pub(crate) source_panics: ShardedCounter,
}

impl Meter {
    pub(crate) fn new(limiter: LabelLimiter) -> Self {
        Self {
            limiter,
            refused: Arc::default(),
            families: Mutex::default(),
            sources: Mutex::default(),
            sources_refused: ShardedCounter::default(),
            source_panics: ShardedCounter::default(),
        }
    }

    /// A metric of the program's.
    pub(crate) fn register<I: Registered>(&self, metric: Metric) -> Result<Family<I>, MetricError> {
        metric.check(I::KIND)?;
        if let Some(own) = owner(&metric, I::KIND) {
            return Err(conflict(&metric, I::KIND, format!("a metric of tta itself (`{}`)", own.name)));
        }
        let mut families = self.families.lock().unwrap_or_else(PoisonError::into_inner);
        if families.known.len() - families.own >= MOST && !families.known.contains_key(&metric.name) {
            return Err(MetricError::TooMany { metric: metric.name, accepted: MOST });
        }
        families.resolve(metric, self)
    }

    /// One of tta's own.
    pub(crate) fn built_in<I: Registered>(&self, metric: &'static BuiltIn) -> Family<I> {
        debug_assert_eq!(metric.kind, I::KIND, "{}", metric.name);
        let mut families = self.families.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = !families.known.contains_key(metric.name);
        let found = families.resolve(metric.metric(), self);
        debug_assert!(found.is_ok(), "{found:?}");
        families.own += usize::from(is_new && found.is_ok());
        found.unwrap_or_else(|_| Family::new(None))
    }

    /// Asks this one in every reading, as long as it lives.
    pub(crate) fn watch(&self, source: &Arc<dyn MetricSource>) {
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        sources.retain(|known| known.strong_count() > 0);
        if sources.iter().any(|known| std::ptr::addr_eq(known.as_ptr(), Arc::as_ptr(source))) {
            return;
        }
        if sources.len() >= MOST {
            self.sources_refused.add(1);
        } else {
            sources.push(Arc::downgrade(source));
        }
    }

    /// Adds all that is registered, and what sources know.
    pub(crate) fn collect(&self, out: &mut MetricCollector) {
        let families: Vec<AnyFamily> = {
            let families = self.families.lock().unwrap_or_else(PoisonError::into_inner);
            families.known.values().map(|family| family.0.clone()).collect()
        };
        families.iter().for_each(|family| out.family(family.read()));
        let sources: Vec<Arc<dyn MetricSource>> = {
            let sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
            sources.iter().filter_map(Weak::upgrade).collect()
        };
        for source in sources {
            if catch_unwind(AssertUnwindSafe(|| source.collect(out))).is_err() {
                self.source_panics.add(1);
            }
        }
    }
}

impl Families {
    fn resolve<I: Registered>(&mut self, metric: Metric, meter: &Meter) -> Result<Family<I>, MetricError> {
        if let Some(known) = self.known.get(&metric.name) {
            let same = I::find(known).filter(|family| *family.metric() == metric);
            return same.map(|family| Family::new(Some(Arc::clone(family)))).ok_or_else(|| {
                let known = known.0.metric().describe(known.0.kind());
                conflict(&metric, I::KIND, known)
            });
        }
        let names = sample_names(&metric.name, I::KIND);
        if let Some(taken) = names.iter().find_map(|name| self.samples.get(name)) {
            return Err(conflict(&metric, I::KIND, format!("part of `{taken}`")));
        }
        self.samples.extend(names.into_iter().map(|name| (name, metric.name.clone())));
        let name = metric.name.clone();
        let family = Arc::new(FamilyCells::new(metric, &meter.limiter, &meter.refused));
        self.known.insert(name, I::erase(&family));
        Ok(Family::new(Some(family)))
    }
}

fn conflict(metric: &Metric, kind: MetricKind, known: String) -> MetricError {
    MetricError::Conflict { metric: metric.name.clone(), known, given: metric.describe(kind) }
}

/// The metric of tta's own that has one of its names.
fn owner(metric: &Metric, kind: MetricKind) -> Option<&'static BuiltIn> {
    let names = sample_names(&metric.name, kind);
    let takes = |own: &&&'static BuiltIn| sample_names(own.name, own.kind).iter().any(|name| names.contains(name));
    catalog::ALL.iter().find(takes).copied()
}

/// All names under which a metric's samples or metadata appear in any format.
fn sample_names(name: &str, kind: MetricKind) -> Vec<String> {
    let with = |ending: &str| format!("{name}{ending}");
    match kind {
        MetricKind::Gauge => vec![name.to_owned()],
        MetricKind::Counter => {
            let base = name.strip_suffix("_total").unwrap_or(name);
            vec![name.to_owned(), base.to_owned(), format!("{base}_created")]
        }
        MetricKind::Histogram => vec![name.to_owned(), with("_bucket"), with("_count"), with("_sum"), with("_created")],
        MetricKind::Info => vec![name.to_owned(), name.strip_suffix("_info").unwrap_or(name).to_owned()],
    }
}

impl std::fmt::Debug for Meter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Meter").field("limiter", &self.limiter).finish_non_exhaustive()
    }
}
