//! Sinks that misbehave on command.

// Each test file uses a part of this.
#![allow(dead_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use tta_telemetry::{Sink, SinkError, Trace, TraceId};

/// Calls a closure with the number of the batch, from 0.
pub(crate) struct Scripted<F> {
    pub(crate) name: &'static str,
    pub(crate) batches: usize,
    pub(crate) script: F,
}

pub(crate) fn scripted<F>(name: &'static str, script: F) -> Scripted<F>
where
    F: FnMut(usize, &[Arc<Trace>]) -> Result<(), SinkError> + Send + 'static,
{
    Scripted { name, batches: 0, script }
}

impl<F: FnMut(usize, &[Arc<Trace>]) -> Result<(), SinkError> + Send + 'static> Sink for Scripted<F> {
    fn name(&self) -> &str {
        self.name
    }

    fn export(&mut self, traces: &[Arc<Trace>]) -> Result<(), SinkError> {
        self.batches += 1;
        (self.script)(self.batches - 1, traces)
    }
}

/// A sink that hands each trace id over as it arrives; the receiver ends when the sink is dropped.
pub(crate) fn reporting(name: &'static str) -> (impl Sink, Receiver<TraceId>) {
    let (arrived, ids) = channel();
    let sink = scripted(name, move |_, traces| {
        traces.iter().for_each(|trace| arrived.send(trace.trace_id).unwrap_or_default());
        Ok(())
    });
    (sink, ids)
}

/// A sink that does not come back from its first call until the gate is opened or dropped.
pub(crate) struct Gate {
    pub(crate) entered: Receiver<()>,
    pub(crate) open: Option<Sender<()>>,
    pub(crate) exported: Arc<Mutex<Vec<TraceId>>>,
}

impl Gate {
    pub(crate) fn wait_until_entered(&self) {
        self.entered.recv().unwrap();
    }

    pub(crate) fn open(&mut self) {
        self.open.take();
    }
}

pub(crate) fn gated(name: &'static str) -> (impl Sink, Gate) {
    let (to_test, entered) = channel();
    let (open, opened) = channel::<()>();
    let exported = Arc::new(Mutex::new(Vec::new()));
    let list = Arc::clone(&exported);
    let sink = scripted(name, move |batch, traces| {
        if batch == 0 {
            to_test.send(()).unwrap_or_default();
            // Ends with an error when the gate is opened, which drops the other side.
            let _ = opened.recv();
        }
        list.lock().unwrap().extend(traces.iter().map(|trace| trace.trace_id));
        Ok(())
    });
    (sink, Gate { entered, open: Some(open), exported })
}
