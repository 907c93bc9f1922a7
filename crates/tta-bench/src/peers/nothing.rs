//! No spans at all: what is left is the cost of the harness.

use crate::case::Fate;
use crate::expectation::Reports;
use crate::peer::{Peer, SpanPeer};
use crate::workload::Attributes;
use std::hint::black_box;

pub(super) struct Nothing;

impl Peer for Nothing {
    const NAME: &'static str = "(harness)";
    const DROPPED: &'static str = "no spans; the cost of the loop itself, part of every row.";
    const KEPT: &'static str = "the same.";

    const REPORTS: Reports = Reports::Nothing;

    fn start(_fate: Fate) -> anyhow::Result<Self> {
        Ok(Self)
    }

    fn settle(&self) {}

    fn finish(self) -> anyhow::Result<u64> {
        Ok(0)
    }
}

impl SpanPeer for Nothing {
    type Root = ();

    #[inline]
    fn root(&self, attributes: &Attributes<'_>) {
        black_box(attributes);
    }

    #[inline]
    fn child(&self, (): &(), attributes: &Attributes<'_>) {
        black_box(attributes);
    }

    #[inline]
    fn end(&self, (): ()) {}
}
