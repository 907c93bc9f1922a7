//! Everything that leaves an engine, as text.

use std::io::Write;
use std::sync::{Arc, Mutex};

use tta::server::{Format, Page};
use tta::telemetry::TraceTree;
use tta::{MemorySink, Telemetry};

/// Outputs by what they are.
pub(crate) type Outputs = Vec<(&'static str, String)>;

/// A writer whose text can be read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Written(Arc<Mutex<Vec<u8>>>);

impl Written {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// What can be asked of an engine.
pub(crate) fn of_engine(telemetry: &Telemetry) -> Outputs {
    let mut outputs = vec![
        ("metrics", format!("{:?}", telemetry.collect_metrics())),
        ("health", format!("{:?}", telemetry.health())),
        ("sinks", format!("{:?}", telemetry.sinks())),
        ("costs", format!("{:?}", telemetry.cost_report())),
        ("decision counts", format!("{:?}", telemetry.decision_counts())),
        ("step statistics", format!("{:?}", telemetry.step_statistics())),
        ("metrics by name", format!("{:?}", telemetry.all_metrics())),
        ("objectives", format!("{:?}", telemetry.slo_statuses())),
        ("cardinality", format!("{:?} {:?}", telemetry.cardinality(), telemetry.cardinality_warnings())),
        ("step labels", format!("{:?}", (1..200).map_while(|step| telemetry.step_labels(step)).collect::<Vec<_>>())),
        ("engine", format!("{telemetry:?}")),
    ];
    for (name, format) in
        [("text page", Format::Text), ("open metrics page", Format::OpenMetrics), ("protobuf page", Format::Protobuf)]
    {
        let page: Vec<u8> = Page::new(telemetry.collect_metrics(), format).flatten().collect();
        outputs.push((name, String::from_utf8_lossy(&page).into_owned()));
    }
    outputs
}

/// What is in kept traces.
pub(crate) fn of_traces(memory: &MemorySink) -> Outputs {
    let traces = memory.traces();
    assert!(!traces.is_empty());
    let each = |show: fn(&tta::telemetry::Trace) -> String| {
        traces.iter().map(|trace| show(trace)).collect::<Vec<_>>().join("\n")
    };
    vec![
        ("traces", each(|trace| format!("{trace:?}"))),
        ("trees", each(|trace| TraceTree::new(trace).attributes(true).to_string())),
        ("JSON", each(|trace| tta::host::trace_json::to_json(trace).unwrap())),
    ]
}
