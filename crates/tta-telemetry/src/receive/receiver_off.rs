//! The way in when recording is compiled out: nothing comes in.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{ReceiverStatus, Refused, SpanHead};
use crate::model::Source;

/// Takes spans that other processes recorded; refuses all of them in this build.
#[derive(Clone, Debug, Default)]
pub struct Receiver(Arc<AtomicU64>);

impl Receiver {
    /// Always `false` in this build, and counted.
    pub fn receive(&self, _source: &Arc<Source>, _head: &SpanHead<'_>, _bytes: &[u8]) -> bool {
        self.0.fetch_add(1, Ordering::Relaxed);
        false
    }

    /// Refuses many.
    pub fn intake(&self) -> Intake<'_> {
        Intake { receiver: self, refused: Refused::default() }
    }

    /// How many spans were refused.
    #[must_use]
    pub fn status(&self) -> ReceiverStatus {
        ReceiverStatus { after_end: self.0.load(Ordering::Relaxed), ..ReceiverStatus::default() }
    }
}

/// Spans on their way in, all of which are refused in this build.
#[derive(Debug)]
#[must_use]
pub struct Intake<'r> {
    receiver: &'r Receiver,
    refused: Refused,
}

impl Intake<'_> {
    /// Refuses a span, and counts it.
    pub fn receive(&mut self, source: &Arc<Source>, head: &SpanHead<'_>, bytes: &[u8]) {
        self.receiver.receive(source, head, bytes);
        self.refused.after_end += 1;
    }

    /// How many were refused: all.
    pub fn finish(self) -> Refused {
        self.refused
    }
}
