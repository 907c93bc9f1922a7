//! What it costs to decide which traces are kept: the decision by itself, the settings it reads, what
//! is taken out of kept traces, and all of it together with recording. Has no peers: what others do
//! at the end of a trace is in the comparison of spans.

mod alone;
mod together;

use crate::row::{Family, Row};

/// The table of the decisions.
pub const DECISIONS: Family = Family {
    name: "decisions",
    title: "Decisions: sampling, configuration and redaction",
    about: "The first rows are per trace, per reading and per attribute. Those that record are per \
        span: traces of ten spans with three attributes each, of which one in twenty is kept and \
        goes to memory, redacted; their CPU is everything, the decoding in the background included, \
        so that a thousand million over it is how many spans a core records and decides in a second. \
        Where rules or a sampler of the program have to be asked, every trace is decoded for them.",
    rows: ROWS,
};

const ROWS: &[Row] = &[
    Row::new(
        "head and tail, ordinary",
        "per trace: what is decided at its start (5 %, by OpenTelemetry's threshold) and at its end.",
        alone::ordinary,
    ),
    Row::new("head and tail, failed", "the same of traces that are kept for having failed.", alone::failed),
    Row::new("head and tail, md5", "the same by the MD5 of the trace's id.", alone::by_md5),
    Row::new(
        "configuration, read",
        "per reading: which kind of policy is in effect, as every run asks when it starts and ends.",
        alone::configuration,
    ),
    Row::new(
        "configuration, head of a run",
        "per reading: the whole policy, and what it decides at a run's start, as calls to others ask.",
        alone::head_of_a_run,
    ),
    Row::new(
        "redaction, ordinary attribute",
        "per attribute: the mean of sixteen that hold no secret, short texts and numbers.",
        alone::redaction,
    ),
    Row::new("record, keep none", "a simple choice instead of a policy.", together::keep_none),
    Row::new("record and decide", "the policy: 5 %, and all that fail or are slow.", together::policy),
    Row::new("record and decide, 10 rules", "none of which matches.", together::rules),
    Row::new(
        "record and decide, own hooks",
        "a sampler of the program that is asked at the start and the end and has nothing to say, and \
            a processor that sets an attribute.",
        together::hooks,
    ),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measurement::Plan;

    #[test]
    fn every_row_decides_what_it_says() {
        for row in DECISIONS.rows {
            let measurement = (row.run)(&Plan { bursts: 1, count: None });
            assert!(measurement.unwrap().operations > 0, "{}", row.name);
        }
    }
}
