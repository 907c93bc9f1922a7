//! A program that has a secret in every place.

use std::error::Error as StdError;
use std::fmt;
use std::sync::{Arc, Once};
use std::time::Duration;

use tracing_subscriber::prelude::*;
use tta::host::{SloStateFile, TraceFileSink};
use tta::prelude::*;
use tta::telemetry::{
    Charge, CostPlace, Decision, DecisionKey, Health, HealthComponent, Metric, Name, Redaction, Severity, Sink,
    SinkError, Slo, SpanId, SpanStatus, Trace, TraceId, Usd, Value, ValueRef,
};
use tta::tracing::logging::{LogFormat, Logging};

use super::outputs::{Outputs, Written, of_engine, of_traces};
use super::planting::{Place, Texts};
use super::secrets::Secret;

const SOON: Duration = Duration::from_secs(30);

#[derive(Debug)]
struct Failure(String, Option<Box<Failure>>);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl StdError for Failure {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.1.as_deref().map(|cause| cause as &(dyn StdError + 'static))
    }
}

/// A sink that never works.
struct Broken(String);

impl Sink for Broken {
    fn name(&self) -> &str {
        "broken"
    }

    fn export(&mut self, _: &[Arc<Trace>]) -> Result<(), SinkError> {
        Err(SinkError::new(self.0.clone()))
    }
}

struct Component {
    name: String,
    reason: Result<String, String>,
}

impl HealthComponent for Component {
    fn name(&self) -> Name {
        Name::from(self.name.clone())
    }

    fn health(&self) -> Health {
        match &self.reason {
            Ok(reason) => Health::degraded(reason.clone()),
            Err(panic) => std::panic::panic_any(panic.clone()),
        }
    }
}

/// Panics are meant to happen; what the process prints of them is not tta's.
fn be_quiet_about_planted_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let earlier = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if panic.payload().downcast_ref::<String>().is_none_or(|text| text.starts_with("Test")) {
                earlier(panic);
            }
        }));
        // Records of the `log` crate become events of whoever listens.
        tracing_log::LogTracer::init().unwrap();
    });
}

/// Runs everything; what came out.
pub(crate) fn run(secrets: &[Secret], redaction: Redaction) -> Outputs {
    be_quiet_about_planted_panics();
    let texts = Texts::of(secrets);
    let folder = tempfile::tempdir().unwrap();
    let (traces_path, slo_path) = (folder.path().join("traces.jsonl"), folder.path().join("slo"));
    let (memory, printed, observed) = (MemorySink::new(), Written::default(), Written::default());
    let observer = observed.clone();
    let telemetry = Telemetry::builder()
        .by_hand()
        .redaction(redaction)
        .service("shop", texts.at(Place::ServiceVersion))
        .sink(memory.clone())
        .sink(TextSink::new(printed.clone()))
        .sink(TraceFileSink::builder(&traces_path).open().unwrap())
        .sink(Broken(texts.at(Place::SinkError)))
        .slo_state(SloStateFile::new(&slo_path).unwrap())
        .observer(move |decision: &Decision<'_>| {
            use std::io::Write;
            writeln!(observer.clone(), "{decision:?}").unwrap();
        })
        .observer(tta::tracing::log_decisions())
        .build()
        .unwrap();
    let (json, plain) = (Written::default(), Written::default());
    let log = |format, writer: &Written| Logging::builder().format(format).writer(writer.clone()).build();
    let (json_log, plain_log) = (log(LogFormat::Json, &json), log(LogFormat::Text, &plain));
    let subscriber =
        tracing_subscriber::registry().with(tta::tracing::layer()).with(json_log.layer()).with(plain_log.layer());
    let mut outputs = Vec::new();
    tracing::subscriber::with_default(subscriber, || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let alive = measure(&telemetry, &texts);
        runtime.block_on(steps(&telemetry, &texts));
        record(&telemetry, &texts);
        let pending = telemetry.pending_work(texts.at(Place::PendingWork));
        let flushed = telemetry.flush_blocking(SOON);
        outputs.extend(of_engine(&telemetry));
        let ended = telemetry.shutdown_blocking(Duration::ZERO);
        outputs.push(("reports", format!("{flushed:?} {ended:?}")));
        drop((alive, pending));
    });
    outputs.extend(of_traces(&memory));
    outputs.extend([
        ("JSON log", json.text()),
        ("text log", plain.text()),
        ("text sink", printed.text()),
        ("trace file", std::fs::read_to_string(traces_path).unwrap()),
        ("objectives' file", std::fs::read_to_string(slo_path).unwrap()),
        ("observers", observed.text()),
    ]);
    outputs
}

/// Health, metrics, costs and objectives.
fn measure(telemetry: &Telemetry, texts: &Texts) -> Vec<Arc<dyn HealthComponent>> {
    let name = || texts.at(Place::HealthName);
    let components: Vec<Arc<dyn HealthComponent>> = vec![
        Arc::new(Component { name: name(), reason: Ok(texts.at(Place::HealthReason)) }),
        Arc::new(Component { name: "ill".to_owned(), reason: Err(texts.at(Place::HealthPanic)) }),
    ];
    components.iter().for_each(|component| telemetry.watch_health(component));
    let labelled = |name: &'static str, key: &'static str| Metric::named(name).help("x").labels(&[key]);
    let [counter, gauge, histogram, secret] =
        [Place::CounterLabel, Place::GaugeLabel, Place::HistogramLabel, Place::SecretLabel]
            .map(|place| texts.at(place));
    telemetry.counter(labelled("orders_total", "customer")).unwrap().with(&[&counter]).unwrap().add(1);
    telemetry.gauge(labelled("open_orders", "customer")).unwrap().with(&[&gauge]).unwrap().set(1.0);
    telemetry.histogram(labelled("order_lines", "customer")).unwrap().with(&[&histogram]).unwrap().record(1.0);
    telemetry.gauge(labelled("logins", "session_id")).unwrap().with(&[&secret]).unwrap().set(1.0);
    let [user, model, workflow] = [Place::CostUser, Place::CostModel, Place::CostWorkflow].map(|place| texts.at(place));
    let place =
        CostPlace { workflow: &workflow, name: "call", kind: "llm", category: "llm", model: &model, user: &user };
    telemetry.record_cost(&place, &Charge::priced(Usd::from_micros(1)));
    let slo = Slo::named("available").build().unwrap();
    let subject = texts.at(Place::SloSubject);
    telemetry.configure_slo(subject.clone(), slo).unwrap();
    telemetry.record_execution(&subject, "batch", Duration::from_millis(1), SpanStatus::Error, None);
    assert_eq!(telemetry.slo(&subject, "available").unwrap().status(0).totals.failed, 1, "objectives follow the name");
    assert!(telemetry.metrics(&subject).is_some(), "metrics are found by the name");
    components
}

/// Workflows that fail and panic, libraries that log.
async fn steps(telemetry: &Telemetry, texts: &Texts) {
    let cx = Context::builder()
        .telemetry(telemetry.clone())
        .user_id(texts.at(Place::UserId))
        .correlation_id(texts.at(Place::CorrelationId))
        .baggage("note", texts.at(Place::Baggage))
        .tag("note", texts.at(Place::Tag))
        .metadata("note", Value::Str(texts.at(Place::Metadata).into()))
        .build()
        .unwrap();
    let failing = {
        let texts = texts.clone();
        move |_: u32| {
            let texts = texts.clone();
            async move {
                log_everything(&texts);
                let cause = Failure(texts.at(Place::ErrorCause), None);
                Err::<u32, _>(Failure(texts.at(Place::ErrorMessage), Some(Box::new(cause))))
            }
        }
    };
    let breaker = CircuitBreaker::named(texts.at(Place::BreakerName)).consecutive_failures(1).build().unwrap();
    let guarded = step(named(texts.at(Place::StepName), failing)).circuit_breaker(breaker.clone());
    let orders = workflow(texts.at(Place::WorkflowName), guarded);
    orders.run(1, &cx).await.unwrap_err();
    let panic = texts.at(Place::PanicMessage);
    let panicking = workflow("panicking", move |_: u32| {
        let panic = panic.clone();
        async move {
            if !panic.is_empty() {
                std::panic::panic_any(panic);
            }
            Ok::<u32, Error>(1)
        }
    });
    panicking.run(1, &cx).await.unwrap_err();
    tracing::warn!("{}", texts.at(Place::OutsideMessage));
}

fn log_everything(texts: &Texts) {
    let field = texts.at(Place::TracingSpanField);
    let _span = tracing::info_span!("library", field).entered();
    let failure = Failure(texts.at(Place::TracingError), None);
    tracing::info!(
        field = texts.at(Place::TracingField),
        debug = ?Some(texts.at(Place::TracingDebug)),
        error = &failure as &(dyn StdError + 'static),
        "{}",
        texts.at(Place::TracingMessage)
    );
    log::warn!("{}", texts.at(Place::LogMessage));
    let target = texts.at(Place::LogTarget);
    log::warn!(target: &target, "from elsewhere");
}

/// What primitives of a program's own can say.
fn record(telemetry: &Telemetry, texts: &Texts) {
    let run = telemetry.start_trace("raw");
    let [attribute, secret, item, event, event_attribute, link, annotation] = [
        Place::Attribute,
        Place::SecretKey,
        Place::ListItem,
        Place::EventName,
        Place::EventAttribute,
        Place::LinkAttribute,
        Place::Annotation,
    ]
    .map(|place| texts.at(place));
    let name = texts.at(Place::SpanName);
    let handle = run.handle();
    let mut span = run.span(tta::telemetry::NameRef::Text(&name), "raw");
    span.set("note", attribute.as_str());
    span.set("app.api_key", secret.as_str());
    span.set("notes", ValueRef::List(&["first", &item]));
    span.event(tta::telemetry::NameRef::Text(&event), &[("note", event_attribute.as_str().into())]);
    span.link((TraceId::new(7).unwrap(), SpanId::new(7).unwrap()), &[("note", link.as_str().into())]);
    handle.annotate(span.id().unwrap(), &[("more", annotation.as_str().into())]);
    span.end();
    let (workflow, primitive) = (Name::from_static("raw"), Name::from_static("raw"));
    let key = DecisionKey { workflow, primitive, family: "router", subject: texts.at(Place::DecisionSubject).into() };
    telemetry.decision_cells(&key, &["default"]).unwrap().count(0);
    let attributes = texts.at(Place::DecisionAttribute);
    let attributes = [("note", attributes.as_str().into()), ("rows", 3.into())];
    telemetry.tell(&Decision::new(&key, "default", Severity::Warning, &attributes));
    let kind = texts.at(Place::ErrorKind);
    let names = ["raw", "raw", "raw"].map(Name::from_static);
    let step = telemetry.instruments(&names[0], &names[1], &names[2]).unwrap();
    step.finish(1, SpanStatus::Error, telemetry.clock().ticks());
    step.count_error(&kind);
    run.end();
}
