//! `tta serve`: takes spans of other processes, answers questions about them, until it is told to end.
//!
//! Owns putting the engine together from the configuration, and what is said meanwhile. What is
//! served, and the order of the end, are `tta-server`'s. How settings become addresses is in
//! `settings`; what is said meanwhile goes through `log`.

mod log;
mod relay;
mod settings;
mod watching;

use std::process::ExitCode;
use std::time::Duration;

use tokio::runtime::Builder;
use tta::Telemetry;
use tta::host::{ConfigReload, ConfigSource, ConfigWatch, ReloadCause, ReloadOutcome, TraceFileSink};
use tta::otlp::export::ConfiguredExport;
use tta::server::{ConfigApi, OtlpReceiver, RunningServices, Services, ServicesReport};
use tta::telemetry::Clock;
use tta::telemetry::SinkStatus;
use tta::telemetry::config::Config;
use tta::telemetry::store::MemoryTraceStore;

use crate::args::Serve;
use crate::config_command;
use crate::interrupt::Interrupt;
use crate::output::{self, Failure};
use watching::Watching;

/// How often the configuration file is looked at.
const LOOK: Duration = Duration::from_secs(5);

pub(crate) fn run(arguments: Serve) -> Result<ExitCode, Failure> {
    let mut source = ConfigSource::of_process();
    if let Some(path) = &arguments.config {
        source = source.file(path);
    }
    let source = settings::with_arguments(source, &arguments);
    let config = match source.load() {
        Ok(config) => config,
        Err(error) => return config_command::refuse(&error),
    };
    let runtime = Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::new(format!("cannot start the runtime: {error}")))?;
    runtime.block_on(serve(source, config, arguments))
}

/// Why a configuration that is right by itself would not do here and now, if it would not.
pub(crate) fn refusal(config: &Config) -> Option<String> {
    match settings::read(config, &settings::variables()) {
        Err(Failure::Message(why)) => Some(why),
        _ => None,
    }
}

async fn serve(source: ConfigSource, config: Config, arguments: Serve) -> Result<ExitCode, Failure> {
    let has_file = source.path().is_some();
    let mut stop = Interrupt::listen()?;
    let variables = settings::variables();
    let (settings, addresses) = settings::read(&config, &variables)?;
    log::start(&config)?;
    let clock = Clock::system();
    let mut export = relay::start(&config, &variables, &addresses, &clock)?;
    let store = MemoryTraceStore::builder(config.service_name.clone())
        .capacity_bytes(usize::try_from(config.server.trace_memory_bytes).unwrap_or(usize::MAX))
        .build();
    let telemetry = engine(&config, store, &mut export, clock, &arguments)?;
    export.watch(&telemetry).map_err(|error| relay::refused(&error))?;
    let limits = settings::receive_limits(&config);
    let receiver = OtlpReceiver::within(&telemetry, Default::default(), limits).map_err(told)?;
    let (reload, config_api) = configuration(source, &telemetry);
    let services =
        Services::new(&telemetry).otlp(receiver).config(config_api).export(relay::info(&config, export.plan()));
    let running = services.start(&settings, &addresses).await.map_err(|error| settings::explain(&error))?;
    let _watch = watch(&reload, has_file)?;
    output::print(&(settings::welcome(&config, &running) + &relay::welcome(export.plan())))?;
    settings::warnings(&settings, &addresses).iter().for_each(|warning| log::warn(warning));
    let mut watching = Watching::default();
    tokio::select! {
        () = stop.first() => {}
        () = watching.run(&telemetry) => {}
    }
    watching.look(&telemetry).await;
    end(running, export, telemetry.clock(), Duration::from_secs(arguments.deadline)).await
}

fn engine(
    config: &Config,
    store: MemoryTraceStore,
    export: &mut ConfiguredExport,
    clock: Clock,
    arguments: &Serve,
) -> Result<Telemetry, Failure> {
    let mut builder = Telemetry::builder().config(config).map_err(told)?;
    // Without a clock of CPU time: all that this process does is telemetry, so its share of it is no
    // reason to sample less.
    builder = export.attach(builder.clock(clock).trace_store(store));
    if let Some(path) = &arguments.traces {
        builder = builder.sink(TraceFileSink::builder(path).open().map_err(told)?);
    }
    builder.build().map_err(told)
}

/// What reads the configuration again, and what serves and changes it.
fn configuration(source: ConfigSource, telemetry: &Telemetry) -> (ConfigReload, ConfigApi) {
    let base = source.clone();
    let api = ConfigApi::builder(telemetry)
        .base(move || Ok(base.load()?))
        .on_change(|change| log::info(&change.to_string()))
        .build();
    let noted = api.clone();
    let tell = move |outcome: &ReloadOutcome| match &outcome.result {
        // The first looks at a file always read it.
        Ok(update) if update.changed.is_empty() && outcome.cause == ReloadCause::FileChanged => {}
        Ok(update) if update.changed.is_empty() => log::info("configuration: read again, nothing changed"),
        Ok(update) => noted.note("reload", update),
        Err(error) => log::warn(&format!("configuration: unchanged, because it is wrong: {error}")),
    };
    (ConfigReload::builder(source, telemetry).on_outcome(tell).build(), api)
}

/// SIGHUP, and a file that changes, are read afresh from now on.
fn watch(reload: &ConfigReload, has_file: bool) -> Result<ConfigWatch, Failure> {
    let watch = reload.watch(has_file.then_some(LOOK));
    watch.map_err(|error| Failure::new(format!("cannot listen for SIGHUP: {error}")))
}

async fn end(
    running: RunningServices,
    export: ConfiguredExport,
    clock: &Clock,
    deadline: Duration,
) -> Result<ExitCode, Failure> {
    log::info(&format!("ending within {} s; again to end at once", deadline.as_secs()));
    let start = clock.ticks();
    let ServicesReport { senders_answered, engine } =
        running.shutdown(deadline - relay::reserve(&export, deadline)).await;
    let is_exporter = |sink: &&SinkStatus| export.traces().is_some() && sink.name == "otlp";
    let lost = |sink: &&SinkStatus| sink.lost_queue_full + sink.lost_failed + sink.waiting_traces > 0;
    // What the exporter was handed is not what was sent: it says so itself.
    for sink in engine.sinks.iter().filter(|sink| !is_exporter(sink)) {
        log::info(&format!("{}: {} traces, {} spans", sink.name, sink.exported_traces, sink.exported_spans));
    }
    for sink in engine.sinks.iter().filter(lost) {
        let SinkStatus { name, lost_queue_full, lost_failed, waiting_traces, .. } = sink;
        let why = sink.last_error.as_ref().map(|error| format!("; the last failure: {error}")).unwrap_or_default();
        let lost = format!("lost {lost_queue_full} traces to a full queue and {lost_failed} to failures");
        log::warn(&format!("{name}: {lost}, {waiting_traces} not flushed{why}"));
    }
    let is_sent = relay::end(export, deadline.saturating_sub(clock.elapsed(start))).await;
    if !senders_answered {
        log::warn("some senders had no answer in time");
    }
    for work in &engine.unfinished {
        log::warn(&format!("not finished: {work}"));
    }
    if engine.complete && senders_answered && is_sent && !engine.sinks.iter().any(|sink| lost(&sink)) {
        log::info("everything received was decided about, and what is kept was flushed");
        return Ok(ExitCode::SUCCESS);
    }
    Ok(ExitCode::from(1))
}

fn told(error: impl std::fmt::Display) -> Failure {
    Failure::new(error.to_string())
}
