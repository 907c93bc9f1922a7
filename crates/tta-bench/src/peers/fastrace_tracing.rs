//! `tracing`'s spans on fastrace, through its bridge `fastrace-tracing`.

use super::fastrace::Collector;
use crate::case::Fate;
use crate::peer::{Peer, TracingPeer};
use ::fastrace::Span;
use ::fastrace::collector::SpanContext;
use ::fastrace_tracing::FastraceCompatLayer;
use tracing_subscriber::layer::SubscriberExt as _;

/// When bare, the layer adds no attributes of its own.
pub(super) struct FastraceTracing<const BARE: bool>(Collector);

/// Makes the bridge the process's subscriber; `adds` says whether it adds file, module, line and
/// thread to each span, as it does by default.
pub(crate) fn subscribe(adds: bool) -> anyhow::Result<()> {
    let layer = FastraceCompatLayer::new().with_location(adds).with_threads(adds);
    Ok(tracing::subscriber::set_global_default(tracing_subscriber::registry().with(layer))?)
}

impl<const BARE: bool> Peer for FastraceTracing<BARE> {
    const NAME: &'static str = if BARE { "fastrace-tracing, bare" } else { "fastrace-tracing" };
    const DROPPED: &'static str = if BARE {
        "the same without the attributes that the bridge adds by itself."
    } else {
        "each trace hangs below a root of fastrace's, one span more, which is cancelled before it \
            closes. The bridge is at its defaults, with which it adds file, module, line and thread."
    };
    const KEPT: &'static str = if BARE {
        "the same without the attributes that the bridge adds by itself."
    } else {
        "the same with a root that is not cancelled, and the reporter that counts."
    };

    fn start(fate: Fate) -> anyhow::Result<Self> {
        let collector = Collector::start(fate);
        subscribe(!BARE)?;
        Ok(Self(collector))
    }

    fn settle(&self) {
        self.0.settle();
    }

    fn finish(self) -> anyhow::Result<u64> {
        Ok(self.0.finish())
    }
}

impl<const BARE: bool> TracingPeer for FastraceTracing<BARE> {
    const OWN_SPANS_PER_TRACE: u32 = 1;

    #[inline]
    fn around(&self, record: impl FnOnce()) {
        let root = Span::root("run", SpanContext::random());
        {
            let _entered = root.set_local_parent();
            record();
        }
        self.0.end(root);
    }
}
