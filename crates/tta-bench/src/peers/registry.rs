//! `tracing`'s spans with nobody to record them: the registry of `tracing-subscriber` keeps them
//! while they are open, as every layer needs it to.

use crate::case::Fate;
use crate::expectation::Reports;
use crate::peer::{Peer, TracingPeer};
use tracing_subscriber::layer::{Identity, SubscriberExt as _};

pub(super) struct Registry;

/// Makes the registry the process's subscriber, below a layer that does nothing: without any it
/// does not free a span that closes, and grows.
pub(crate) fn subscribe() -> anyhow::Result<()> {
    Ok(tracing::subscriber::set_global_default(tracing_subscriber::registry().with(Identity::new()))?)
}

impl Peer for Registry {
    const NAME: &'static str = "(registry)";
    const DROPPED: &'static str = "a layer that does nothing: what `tracing` and its registry \
        cost by themselves, part of every other row.";
    const KEPT: &'static str = "the same.";

    const REPORTS: Reports = Reports::Nothing;

    fn start(_fate: Fate) -> anyhow::Result<Self> {
        subscribe()?;
        Ok(Self)
    }

    fn settle(&self) {}

    fn finish(self) -> anyhow::Result<u64> {
        Ok(0)
    }
}

impl TracingPeer for Registry {
    #[inline]
    fn around(&self, record: impl FnOnce()) {
        record();
    }
}
