//! What a configuration says of sending on, put to work.
//!
//! Owns how its fields become settings, and the order in which parts start and end. The fields themselves are
//! `tta-telemetry`'s; the environment is given.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tta_telemetry::config::{Config, HeaderSources, MetricsPushFormat, OtlpCompression, OtlpProtocol};
use tta_telemetry::{Attribute, Clock, HealthComponent, MetricSource, Resource, Telemetry, TelemetryBuilder, Value};

use super::client::Signal;
use super::environment::General;
use super::exporter::OtlpExporter;
use super::metrics::{MetricsPush, PushFormat, PushSettings};
use super::problem::{ExportError, ExportProblem, ExportProblems};
use super::settings::{Compression, Endpoint, ExportSettings, Headers, Protocol, RetryPolicy, TlsFiles};
use super::sink::OtlpSink;

/// Bytes of a file with the value of a header.
const MOST_HEADER_BYTES: u64 = 8 << 10;

/// What is sent on and how, checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExportPlan {
    /// Kept traces; `None` when they stay here.
    pub traces: Option<ExportSettings>,
    /// Metrics; `None` when they are not pushed.
    pub metrics: Option<PushSettings>,
}

impl ExportPlan {
    /// What this configuration asks for. `variables` are the process's: headers that say `env:NAME` are looked up
    /// there, `OTEL_EXPORTER_OTLP_HEADERS` is read, and whatever `OTEL_EXPORTER_OTLP_TRACES_*` and `_METRICS_*` set
    /// for one signal wins.
    ///
    /// # Errors
    /// All problems, by field or variable; none shows a secret.
    pub fn of_config(config: &Config, variables: &BTreeMap<String, String>) -> Result<Self, ExportProblems> {
        let mut problems = Vec::new();
        let traces = config.traces_target().map(|target| traces(config, target, variables, &mut problems));
        let metrics = config.metrics_target().map(|target| metrics(config, target, variables, &mut problems));
        if problems.is_empty() { Ok(Self { traces, metrics }) } else { Err(ExportProblems(problems)) }
    }
}

/// Sends kept traces and metrics of an engine to where its configuration says; nothing where it says nothing.
///
/// ```
/// use std::collections::BTreeMap;
/// use std::time::Duration;
/// use tta_otlp::export::ConfiguredExport;
/// use tta_telemetry::config::ConfigLayers;
/// use tta_telemetry::{Clock, Telemetry};
///
/// let file = "[otlp]\nendpoint = \"http://localhost:4318\"\n[metrics]\npush = \"otlp\"\n";
/// let config = ConfigLayers::new().toml("tta.toml", file).build()?;
/// let clock = Clock::system();
/// let mut export = ConfiguredExport::start(&config, &std::env::vars().collect(), &clock)?;
/// let telemetry = export.attach(Telemetry::builder().config(&config)?.clock(clock)).build()?;
/// export.watch(&telemetry)?;
/// // ... runs, whose traces are sent, and metrics, once a minute ...
/// telemetry.shutdown_blocking(Duration::ZERO);
/// assert!(!export.stop(Duration::ZERO), "nobody listens here, so the last push is not done");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use]
pub struct ConfiguredExport {
    plan: ExportPlan,
    identity: Resource,
    sink: Option<OtlpSink>,
    exporter: Option<OtlpExporter>,
    push: Option<MetricsPush>,
    asked: Vec<Asked>,
}

/// What the engine asks as long as it lives.
struct Asked(Arc<dyn HealthComponent>, Arc<dyn MetricSource>);

impl std::fmt::Debug for Asked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.name().as_str())
    }
}

impl ConfiguredExport {
    /// Checks everything and starts the thread that sends traces. `clock` is the engine's to be.
    ///
    /// # Errors
    /// Settings or files that cannot be used, or a thread that does not start.
    pub fn start(config: &Config, variables: &BTreeMap<String, String>, clock: &Clock) -> Result<Self, ExportError> {
        let plan = ExportPlan::of_config(config, variables)?;
        let identity = identity(config);
        let started = plan.traces.as_ref().map(|settings| OtlpSink::start(settings, identity.clone(), clock.clone()));
        let sink = started.transpose()?;
        let exporter = sink.as_ref().map(OtlpSink::exporter);
        Ok(Self { plan, identity, sink, exporter, push: None, asked: Vec::new() })
    }

    /// What is sent, and how.
    #[must_use]
    pub fn plan(&self) -> &ExportPlan {
        &self.plan
    }

    /// The state of what sends traces.
    #[must_use]
    pub fn traces(&self) -> Option<&OtlpExporter> {
        self.exporter.as_ref()
    }

    /// The state of what pushes metrics, once it does.
    #[must_use]
    pub fn metrics(&self) -> Option<&MetricsPush> {
        self.push.as_ref()
    }

    /// Gives the engine to be the sink that sends its traces. A second engine gets none.
    pub fn attach(&mut self, builder: TelemetryBuilder) -> TelemetryBuilder {
        match self.sink.take() {
            Some(sink) => builder.sink(sink),
            None => builder,
        }
    }

    /// Pushes the engine's metrics from now on, and lets its health and metrics know how sending is: components
    /// `otlp` and `metrics_push`, as long as this lives.
    ///
    /// # Errors
    /// Files that cannot be used, or a thread that does not start.
    pub fn watch(&mut self, telemetry: &Telemetry) -> Result<(), ExportError> {
        if let Some(settings) = self.plan.metrics.as_ref().filter(|_| telemetry.is_enabled()) {
            self.push = Some(MetricsPush::start(telemetry, settings, self.identity.clone())?);
        }
        let traces = self.exporter.iter().map(|traces| Asked(traces.health_component(), traces.metric_source()));
        let metrics = self.push.iter().map(|push| Asked(push.health_component(), push.metric_source()));
        self.asked = traces.chain(metrics).collect();
        for Asked(health, metrics) in &self.asked {
            telemetry.watch_health(health);
            telemetry.watch_metrics(metrics);
        }
        Ok(())
    }

    /// Pushes metrics a last time and ends, waiting up to `wait`: whether that was done, and taken. Traces are for the
    /// engine's own shutdown, which comes first. Blocks the calling thread.
    #[must_use]
    pub fn stop(self, wait: Duration) -> bool {
        self.push.is_none_or(|push| push.stop(wait))
    }
}

/// Who recorded what is recorded here; received spans keep their own.
fn identity(config: &Config) -> Resource {
    let text =
        |key: &'static str, value: &str| Attribute { key: key.into(), value: Value::Str(value.to_owned().into()) };
    let attributes = vec![
        text("service.name", &config.service_name),
        text("service.version", &config.service_version),
        text("deployment.environment.name", config.environment.as_str()),
    ];
    Resource { attributes, ..Resource::new(config.service_name.clone().into()) }
}

fn traces(
    config: &Config,
    target: (&str, bool),
    variables: &BTreeMap<String, String>,
    problems: &mut Vec<ExportProblem>,
) -> ExportSettings {
    let headers = headers("otlp.headers", &config.otlp.headers, variables, problems);
    let mut settings = settings(config, target, headers);
    problems.extend(settings.read_own(variables, Signal::Traces, General::Headers));
    check("otlp", settings.check(), problems);
    settings
}

fn metrics(
    config: &Config,
    target: (&str, bool),
    variables: &BTreeMap<String, String>,
    problems: &mut Vec<ExportProblem>,
) -> PushSettings {
    let format = match config.metrics.push {
        MetricsPushFormat::RemoteWrite => PushFormat::RemoteWrite,
        MetricsPushFormat::Off | MetricsPushFormat::Otlp => PushFormat::Otlp,
    };
    let is_variable = variables.get("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT").is_some_and(|url| !url.trim().is_empty());
    // A place of its own is not shown the collector's secrets, unless OpenTelemetry's rules say so.
    let is_collectors = format == PushFormat::Otlp && (!target.1 || is_variable);
    let mut found = if is_collectors {
        // What is wrong with them is told once, with the traces'.
        headers("otlp.headers", &config.otlp.headers, variables, &mut Vec::new())
    } else {
        Headers::default()
    };
    found.0.extend(headers("metrics.push_headers", &config.metrics.push_headers, variables, problems).0);
    let mut export = settings(config, target, found);
    if format == PushFormat::Otlp {
        let general = if is_collectors { General::Headers } else { General::None };
        problems.extend(export.read_own(variables, Signal::Metrics, general));
    } else {
        (export.protocol, export.compression) = (Protocol::HttpProtobuf, Compression::None);
    }
    if export.protocol == Protocol::HttpJson {
        export.protocol = Protocol::HttpProtobuf;
    }
    let settings = PushSettings {
        interval: Duration::from_secs_f64(config.metrics.export_interval_seconds),
        batch_size: count(config.metrics.batch_size),
        format,
        ..PushSettings::to(export)
    };
    check("metrics", settings.check(), problems);
    settings
}

/// Adds problems, named as the configuration's fields, but for those that are known.
fn check(table: &str, checked: Result<(), ExportProblems>, problems: &mut Vec<ExportProblem>) {
    for problem in checked.err().map(|found| found.0).unwrap_or_default() {
        let problem = ExportProblem { field: format!("{table}.{}", problem.field), ..problem };
        if !problems.contains(&problem) {
            problems.push(problem);
        }
    }
}

fn settings(config: &Config, (url, is_exact): (&str, bool), headers: Headers) -> ExportSettings {
    let otlp = &config.otlp;
    let path = |path: &String| (path != "off").then(|| PathBuf::from(path));
    ExportSettings {
        endpoint: if is_exact { Endpoint::Exact(url.to_owned()) } else { Endpoint::Base(url.to_owned()) },
        protocol: match otlp.protocol {
            OtlpProtocol::Grpc => Protocol::Grpc,
            OtlpProtocol::HttpProtobuf => Protocol::HttpProtobuf,
            OtlpProtocol::HttpJson => Protocol::HttpJson,
        },
        headers,
        compression: match otlp.compression {
            OtlpCompression::None => Compression::None,
            OtlpCompression::Gzip => Compression::Gzip,
            OtlpCompression::Zstd => Compression::Zstd,
        },
        timeout: Duration::from_secs_f64(otlp.timeout_seconds),
        batch_size: count(config.tracing.batch_size),
        export_interval: Duration::from_secs_f64(config.tracing.export_interval_seconds),
        max_queue_size: count(config.tracing.max_queue_size),
        max_queue_bytes: count(otlp.max_queue_bytes),
        max_export_workers: count(config.max_export_workers),
        async_export: config.async_export,
        retry: RetryPolicy { max_elapsed: Duration::from_secs_f64(otlp.retry_seconds), ..RetryPolicy::default() },
        tls: TlsFiles {
            authorities: path(&otlp.certificate_file),
            certificate: path(&otlp.client_certificate_file),
            key: path(&otlp.client_key_file),
        },
    }
}

fn count(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

/// The values of headers, from where they are.
fn headers(
    table: &str,
    sources: &HeaderSources,
    variables: &BTreeMap<String, String>,
    problems: &mut Vec<ExportProblem>,
) -> Headers {
    let mut found = Vec::new();
    for (name, source) in sources {
        let value = match source.split_once(':') {
            Some(("env", variable)) => match variables.get(variable) {
                Some(value) => Ok(value.trim().to_owned()),
                None => Err(format!("the variable {variable}, which is not set")),
            },
            Some(("file", path)) => read_file(path).map_err(|error| format!("the file {path}, which {error}")),
            // The configuration accepts no others.
            _ => Ok(source.strip_prefix("text:").unwrap_or(source).to_owned()),
        };
        match value {
            Ok(value) => found.push((name.clone(), value)),
            Err(given) => {
                let accepted = "a variable or a file of at most 8 KiB that holds the value";
                problems.push(ExportProblem::new(format!("{table}.{name}"), given, accepted));
            }
        }
    }
    Headers(found)
}

fn read_file(path: &str) -> Result<String, String> {
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(MOST_HEADER_BYTES + 1).read_to_string(&mut text));
    match read {
        Ok(bytes) if bytes as u64 > MOST_HEADER_BYTES => Err("is larger".to_owned()),
        Ok(_) => Ok(text.trim().to_owned()),
        Err(error) => Err(format!("cannot be read: {error}")),
    }
}
