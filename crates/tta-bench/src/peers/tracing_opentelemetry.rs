//! `tracing`'s spans on the OpenTelemetry SDK, through `tracing-opentelemetry` and the registry of
//! `tracing-subscriber`: spans that are given their parent, and spans that are entered.

use super::opentelemetry::Pipeline;
use crate::case::{Fate, Shape};
use crate::expectation::Reports;
use crate::peer::{Peer, SpanPeer, TracingPeer};
use crate::workload::{Attributes, attributed_span};
use ::tracing_opentelemetry::OpenTelemetryLayer;
use opentelemetry_sdk::trace::Sampler;
use tracing::Span;
use tracing_subscriber::layer::SubscriberExt as _;

/// Spans that are given their parent and are never entered, of which so many in a hundred are
/// sampled.
pub(super) struct ExplicitParents<const PERCENT: u8>(Pipeline);

/// Spans that are entered. When bare, the layer adds no attributes of its own.
pub(super) struct Entered<const BARE: bool>(Pipeline);

/// What the layer adds by itself.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Additions {
    /// As its documentation sets it up: file, module, line, thread and target, time busy and idle.
    Defaults,
    /// Nothing.
    Nothing,
}

/// Makes the layer the process's subscriber.
pub(crate) fn subscribe(pipeline: &Pipeline, additions: Additions) -> anyhow::Result<()> {
    let wanted = additions == Additions::Defaults;
    let layer = OpenTelemetryLayer::new(pipeline.tracer())
        .with_location(wanted)
        .with_threads(wanted)
        .with_target(wanted)
        .with_tracked_inactivity(wanted);
    Ok(tracing::subscriber::set_global_default(tracing_subscriber::registry().with(layer))?)
}

impl<const PERCENT: u8> ExplicitParents<PERCENT> {
    const SHARE: f64 = PERCENT as f64 / 100.0;
}

impl<const PERCENT: u8> Peer for ExplicitParents<PERCENT> {
    const NAME: &'static str = match PERCENT {
        100 => "tracing-opentelemetry",
        5 => "tracing-opentelemetry, 5 %",
        _ => panic!("this share has no name"),
    };
    const DROPPED: &'static str = match PERCENT {
        100 => {
            "the SDK as above, on spans of `tracing`'s macros that are given their parent and are \
                not entered. The layer is at its defaults, with which it adds attributes of its \
                own: file, module, line, thread and target, time busy and idle."
        }
        _ => {
            "the same with a sampler that takes 5 % of the traces by their ids, each as a whole, \
                before anything is recorded: traces are not dropped for what happened in them. \
                What is taken is freed as it closes."
        }
    };
    const KEPT: &'static str = match PERCENT {
        100 => "the same with the batch processor.",
        _ => {
            "the same with the batch processor, so one trace in twenty arrives. Whether spans are \
                lost is checked by whole traces and by their number, to six standard deviations."
        }
    };
    const REPORTS: Reports = match PERCENT {
        100 => Reports::Everything,
        _ => Reports::Share(Self::SHARE),
    };

    fn start(fate: Fate) -> anyhow::Result<Self> {
        let sampler = match Self::REPORTS {
            Reports::Share(share) => Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(share))),
            Reports::Everything | Reports::Nothing => Sampler::AlwaysOn,
        };
        let pipeline = Pipeline::start(fate, sampler);
        subscribe(&pipeline, Additions::Defaults)?;
        Ok(Self(pipeline))
    }

    fn settle(&self) {
        self.0.settle();
    }

    fn finish(self) -> anyhow::Result<u64> {
        self.0.finish()
    }
}

impl<const PERCENT: u8> SpanPeer for ExplicitParents<PERCENT> {
    /// One table is enough to see the distance, and these rows take longest.
    const SHAPES: &'static [Shape] = &[Shape::OneThread];

    type Root = Span;

    #[inline]
    fn root(&self, attributes: &Attributes<'_>) -> Span {
        attributed_span!(attributes, parent: None, "workflow")
    }

    #[inline]
    fn child(&self, root: &Span, attributes: &Attributes<'_>) {
        drop(attributed_span!(attributes, parent: root, "step"));
    }

    #[inline]
    fn end(&self, root: Span) {
        drop(root);
    }
}

impl<const BARE: bool> Peer for Entered<BARE> {
    const NAME: &'static str = if BARE { "tracing-opentelemetry, bare" } else { "tracing-opentelemetry, entered" };
    const DROPPED: &'static str = if BARE {
        "the same without the attributes that the layer adds by itself."
    } else {
        "every span is freed as it closes; the layer is at its defaults."
    };
    const KEPT: &'static str = if BARE {
        "the same without the attributes that the layer adds by itself."
    } else {
        "the batch processor at its defaults, with an exporter that counts the spans and frees them."
    };

    fn start(fate: Fate) -> anyhow::Result<Self> {
        let pipeline = Pipeline::start(fate, Sampler::AlwaysOn);
        subscribe(&pipeline, if BARE { Additions::Nothing } else { Additions::Defaults })?;
        Ok(Self(pipeline))
    }

    fn settle(&self) {
        self.0.settle();
    }

    fn finish(self) -> anyhow::Result<u64> {
        self.0.finish()
    }
}

impl<const BARE: bool> TracingPeer for Entered<BARE> {
    #[inline]
    fn around(&self, record: impl FnOnce()) {
        record();
    }
}
