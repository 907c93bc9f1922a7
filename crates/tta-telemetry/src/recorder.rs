//! What an engine handle points to: the recorder with its threads, or nothing but clock and ids.

#[cfg(feature = "record")]
mod on;
#[cfg(feature = "record")]
pub(crate) use on::Recorder;

#[cfg(not(feature = "record"))]
mod off;
#[cfg(not(feature = "record"))]
pub(crate) use off::Recorder;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::cardinality::LabelLimiter;
use crate::clock::Clock;
use crate::decisions::Observers;
use crate::engine::MeasuringSettings;
use crate::id::IdSource;
use crate::limits::Limits;
use crate::model::Sampling;
use crate::overhead::CpuTime;
use crate::sampling::HookList;
use crate::sink::Sink;

/// What an engine is built from.
pub(crate) struct Parts {
    pub(crate) clock: Clock,
    pub(crate) ids: IdSource,
    #[cfg_attr(not(feature = "record"), allow(dead_code))]
    pub(crate) limits: Limits,
    #[cfg_attr(not(feature = "record"), allow(dead_code))]
    pub(crate) sampling: Sampling,
    #[cfg_attr(not(feature = "record"), allow(dead_code))]
    pub(crate) sinks: Vec<Box<dyn Sink>>,
    #[cfg_attr(not(feature = "record"), allow(dead_code))]
    pub(crate) observers: Observers,
    #[cfg_attr(not(feature = "record"), allow(dead_code))]
    pub(crate) hooks: HookList,
    #[cfg_attr(not(feature = "record"), allow(dead_code))]
    pub(crate) limiter: LabelLimiter,
    #[cfg_attr(not(feature = "record"), allow(dead_code))]
    pub(crate) measuring: MeasuringSettings,
    #[cfg_attr(not(feature = "record"), allow(dead_code))]
    pub(crate) cpu_time: Option<Box<dyn CpuTime>>,
    #[cfg_attr(not(feature = "record"), allow(dead_code))]
    pub(crate) export_wait: Option<Duration>,
}

/// What is held while several settings are changed together: the configuration in effect, where there
/// is one.
#[cfg(feature = "config")]
pub(crate) type InEffect = Option<std::sync::Arc<crate::config::Config>>;
#[cfg(not(feature = "config"))]
pub(crate) type InEffect = ();

/// A number for the next engine. It tells engines apart and means nothing else.
fn next_engine_id() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
