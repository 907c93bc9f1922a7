//! A program's own samplers and processors: what they can do, and that their panics stay theirs.

use std::borrow::Cow;

use tta_telemetry::sampling::{
    FinishedRun, IsolatedProcessor, IsolatedSampler, Rate, RuleOutcome, RunStart, Sampler, TraceEdit, TraceProcessor,
    Verdict,
};
use tta_telemetry::{
    Attribute, DecisionReason, IdSource, Limits, Name, RuleName, SamplingDecision, SpanEvent, SpanRecord, Trace,
    TraceClass, TraceCounts, Value,
};

struct Mine {
    name: &'static str,
    verdict: fn() -> Option<Verdict>,
    rate: fn() -> Option<Rate>,
}

impl Sampler for Mine {
    fn name(&self) -> RuleName {
        self.name.parse().unwrap()
    }

    fn head(&self, _: &Name, _: &RunStart<'_>) -> Option<Rate> {
        (self.rate)()
    }

    fn tail(&self, _: &FinishedRun<'_>) -> Option<Verdict> {
        (self.verdict)()
    }
}

fn run() -> FinishedRun<'static> {
    FinishedRun::new("import", TraceClass::Normal, 3.0)
}

fn start() -> RunStart<'static> {
    RunStart::root(IdSource::seeded(1).trace_id())
}

#[test]
fn what_a_sampler_says_becomes_the_outcome_of_a_rule_of_its_name() {
    let name: RuleName = "mine".parse().unwrap();
    let tenth = Rate::new(0.1).unwrap();
    type Says = fn() -> Option<Verdict>;
    let cases: [(Says, RuleOutcome); 4] = [
        (|| None, RuleOutcome::None),
        (|| Some(Verdict::Keep), RuleOutcome::Keep(name)),
        (|| Some(Verdict::Drop), RuleOutcome::Drop(name)),
        (|| Rate::new(0.1).ok().map(Verdict::Rate), RuleOutcome::Rate(name, tenth)),
    ];
    for (verdict, outcome) in cases {
        let sampler = IsolatedSampler::new(Mine { name: "mine", verdict, rate: || Some(Rate::ONE) });
        assert_eq!(sampler.tail(&run()), outcome);
        assert_eq!(sampler.head(&Name::from("import"), &start()), Some(Rate::ONE));
        assert_eq!((sampler.panics(), sampler.name()), (0, Some(name)));
    }
}

#[test]
fn a_sampler_that_panics_has_said_nothing_and_is_counted() {
    let sampler = IsolatedSampler::new(Mine {
        name: "mine",
        verdict: || panic!("no idea {}", "x".repeat(500)),
        rate: || panic!("none either"),
    });
    assert_eq!(sampler.head(&Name::from("import"), &start()), None);
    assert_eq!(sampler.clone().tail(&run()), RuleOutcome::None);
    assert_eq!(sampler.panics(), 2);
    let message = sampler.last_panic().unwrap();
    assert!(message.starts_with("no idea xxx") && message.len() == 200, "{message}");
}

#[test]
fn a_sampler_without_a_name_is_never_asked() {
    let sampler =
        IsolatedSampler::new(Mine { name: "Not A Name", verdict: || Some(Verdict::Drop), rate: || Some(Rate::ZERO) });
    assert_eq!((sampler.name(), sampler.panics()), (None, 1));
    assert_eq!(sampler.tail(&run()), RuleOutcome::None);
    assert_eq!(sampler.head(&Name::from("import"), &start()), None);
}

fn attribute(key: &'static str, value: &str) -> Attribute {
    Attribute { key: Name::from(key), value: Value::Str(Cow::Owned(value.to_owned())) }
}

/// One span with an event; each has an attribute.
fn trace() -> Trace {
    let ids = IdSource::seeded(2);
    let (trace_id, span_id) = (ids.trace_id(), ids.span_id());
    let event = SpanEvent { attributes: vec![attribute("user", "eve")], ..SpanEvent::new(Name::from("log"), 2) };
    let span = SpanRecord {
        start_unix_ns: 1,
        duration_ns: 5,
        attributes: vec![attribute("user", "adam")],
        events: vec![event],
        ..SpanRecord::new(span_id, Name::from("import"), Name::from("workflow"))
    };
    Trace {
        trace_id,
        root_span_id: span_id,
        spans: vec![span],
        decision: SamplingDecision { keep: true, rate: 1.0, reason: DecisionReason::RateOne, sampler: "keep_all" },
        adjusted_count: Some(1.0),
        class: TraceClass::Normal,
        dropped: TraceCounts::default(),
        incomplete: false,
        late: false,
    }
}

fn limits() -> Limits {
    Limits { attributes_per_span: 2, attribute_bytes: 16, ..Limits::default() }
}

struct Editor(fn(&mut TraceEdit<'_>));

impl TraceProcessor for Editor {
    fn name(&self) -> &str {
        "editor"
    }

    fn process(&self, trace: &mut TraceEdit<'_>) {
        (self.0)(trace);
    }
}

/// The trace after it, how many attributes were refused, whether it came back.
fn edited(edit: fn(&mut TraceEdit<'_>)) -> (Trace, u64, bool) {
    let (mut trace, limits) = (trace(), limits());
    let processor = IsolatedProcessor::new(Editor(edit));
    assert_eq!(*processor.name(), "editor");
    let mut opened = TraceEdit::new(&mut trace, &limits);
    let came_back = processor.process(&mut opened);
    let refused = opened.refused();
    assert_eq!(processor.panics(), u64::from(!came_back));
    (trace, refused, came_back)
}

fn texts(attributes: &[Attribute]) -> Vec<String> {
    attributes.iter().map(|attribute| format!("{}={}", attribute.key, attribute.value)).collect()
}

#[test]
fn a_processor_sets_and_removes_attributes_within_the_limits() {
    let (trace, refused, came_back) = edited(|trace| {
        assert!(trace.set(0, "user", "cain"));
        assert!(trace.set(0, "rows", 3));
        assert!(!trace.set(0, "more", 1), "two are the limit");
        assert!(!trace.set(7, "user", 1), "there is no such span");
        assert_eq!(trace.remove(0, "rows"), Some(Value::I64(3)));
        assert_eq!(trace.remove(0, "rows"), None);
        assert!(trace.set(0, "long", "ääääääääää"));
    });
    assert_eq!(
        (texts(&trace.spans[0].attributes), refused, came_back),
        (vec!["user=cain".to_owned(), "long=ääääääää".to_owned()], 2, true)
    );
}

#[test]
fn a_processor_sees_every_attribute_of_spans_and_events_and_may_change_or_drop_it() {
    let (trace, _, _) = edited(|trace| {
        trace.retain(|key, value| {
            assert_eq!(*key, "user");
            let keep = value.as_str() == Some("adam");
            *value = Value::List(vec!["0123456789".to_owned(), "0123456789".to_owned(), "x".to_owned()]);
            keep
        });
    });
    assert_eq!(texts(&trace.spans[0].attributes), ["user=0123456789 <- 012345"], "a list is cut as a whole");
    assert!(trace.spans[0].events[0].attributes.is_empty());
}

#[test]
fn a_processor_that_panics_is_counted_and_the_trace_goes_on_as_it_was_then() {
    let (edited, refused, came_back) = edited(|trace| {
        trace.set(0, "user", "cain");
        panic!("half-way through {}", trace.spans().len());
    });
    assert!(!came_back);
    assert_eq!((texts(&edited.spans[0].attributes), refused), (vec!["user=cain".to_owned()], 0));
    assert_eq!((edited.spans.len(), edited.decision), (1, trace().decision));
}
