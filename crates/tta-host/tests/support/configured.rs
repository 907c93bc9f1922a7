//! A process in small: an engine that was built by a file, and reloads from it.
#![allow(dead_code)]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use tta_host::{ConfigReload, ConfigSource, ReloadOutcome};
use tta_telemetry::{Clock, HealthStatus, Telemetry};

pub(crate) const LONG: Duration = Duration::from_secs(60);
/// How often the file is looked at.
pub(crate) const QUICK: Option<Duration> = Some(Duration::from_millis(10));

pub(crate) struct Process {
    pub(crate) path: PathBuf,
    pub(crate) telemetry: Telemetry,
    pub(crate) reload: ConfigReload,
    pub(crate) outcomes: Receiver<ReloadOutcome>,
    _directory: tempfile::TempDir,
}

/// A process with this in its file.
pub(crate) fn process(text: &str) -> Process {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tta.toml");
    fs::write(&path, text).unwrap();
    let source = ConfigSource::new().file(&path);
    let builder = Telemetry::builder().config(&source.load().unwrap()).unwrap();
    let telemetry = builder.clock(Clock::manual().0).by_hand().build().unwrap();
    let (tell, outcomes) = channel();
    let builder = ConfigReload::builder(source, &telemetry);
    let reload = builder.on_outcome(move |outcome| drop(tell.send(outcome.clone()))).build();
    Process { path, telemetry, reload, outcomes, _directory: directory }
}

impl Process {
    pub(crate) fn write(&self, text: &str) {
        fs::write(&self.path, text).unwrap();
    }

    pub(crate) fn replace(&self, text: &str) {
        replace(&self.path, text);
    }

    pub(crate) fn rate(&self) -> f64 {
        let families = self.telemetry.collect_metrics();
        families.iter().find(|family| family.name == "sampling_rate").unwrap().points[0].value.as_f64()
    }

    /// What the health report says of the configuration.
    pub(crate) fn health(&self) -> (HealthStatus, String) {
        let health = self.telemetry.health().component("config").unwrap().clone();
        (health.status, health.reason.unwrap_or_default())
    }

    pub(crate) fn next(&self) -> ReloadOutcome {
        self.outcomes.recv_timeout(LONG).unwrap()
    }
}

pub(crate) fn rate(rate: f64) -> String {
    format!("tracing.sampling.default_rate = {rate}\n")
}

/// Puts another file in the place of this one, at once.
pub(crate) fn replace(path: &Path, text: &str) {
    let new = path.with_extension("new");
    fs::write(&new, text).unwrap();
    fs::rename(new, path).unwrap();
}
