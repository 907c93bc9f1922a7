//! What came of reloads, and what the health report says of it.

use std::error::Error;
use std::sync::Arc;

use tta_telemetry::config::ConfigUpdate;
use tta_telemetry::{Health, HealthComponent, Name};

use super::Shared;
use super::stamp::Stamp;
use crate::config_source::ConfigLoadError;

/// Characters of a reason in the health report; all of it is in the outcome.
const MOST_REASON: usize = 500;

/// Why a configuration was read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReloadCause {
    /// The program asked for it.
    ByHand,
    /// The process was sent a SIGHUP.
    Signal,
    /// The file is another one, or has changed.
    FileChanged,
}

impl ReloadCause {
    /// The stable string: `by_hand`, `signal`, `file_changed`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            ReloadCause::ByHand => "by_hand",
            ReloadCause::Signal => "signal",
            ReloadCause::FileChanged => "file_changed",
        }
    }
}

/// What came of a reload.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ReloadOutcome {
    /// The how manieth reload of this [`ConfigReload`](super::ConfigReload) it was, from 1.
    pub number: u64,
    /// When it was over, in nanoseconds since the Unix epoch.
    pub at_unix_ns: u64,
    /// Who asked for it.
    pub cause: ReloadCause,
    /// What changed; or why nothing did.
    pub result: Result<ConfigUpdate, Arc<ConfigLoadError>>,
}

/// How many reloads there were, since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReloadCounts {
    /// All of them.
    pub reloads: u64,
    /// Those that changed nothing because something was wrong.
    pub failed: u64,
    /// Callbacks that panicked.
    pub callback_panics: u64,
}

/// What is remembered of reloads.
#[derive(Default)]
pub(super) struct State {
    pub(super) last: Option<ReloadOutcome>,
    pub(super) counts: ReloadCounts,
    /// The file that was read last, or that could not be.
    pub(super) stamp: Option<Stamp>,
    last_success_unix_ns: Option<u64>,
    /// Since when the file is not what is in effect.
    apart_since_unix_ns: Option<u64>,
}

impl State {
    /// Before the first reload. What the engine has in effect from the start was read once, too.
    pub(super) fn starting(read_unix_ns: Option<u64>) -> Self {
        Self { last_success_unix_ns: read_unix_ns, ..Self::default() }
    }

    pub(super) fn note(
        &mut self,
        stamp: Option<Stamp>,
        cause: ReloadCause,
        at_unix_ns: u64,
        result: Result<ConfigUpdate, Arc<ConfigLoadError>>,
    ) -> ReloadOutcome {
        self.stamp = stamp;
        self.counts.reloads += 1;
        self.counts.failed += u64::from(result.is_err());
        let is_apart = result.as_ref().map_or(true, |update| !update.needs_restart.is_empty());
        self.apart_since_unix_ns = is_apart.then(|| self.apart_since_unix_ns.unwrap_or(at_unix_ns));
        if result.is_ok() {
            self.last_success_unix_ns = Some(at_unix_ns);
        }
        let outcome = ReloadOutcome { number: self.counts.reloads, at_unix_ns, cause, result };
        self.last = Some(outcome.clone());
        outcome
    }

    fn health(&self) -> Health {
        let reason = match self.last.as_ref().map(|last| &last.result) {
            Some(Err(error)) => format!("the configuration before is in effect: {}", with_causes(error)),
            Some(Ok(update)) if !update.needs_restart.is_empty() => {
                format!("waiting for a restart: {}", update.needs_restart.join(", "))
            }
            _ => return Health::healthy().last_success(self.last_success_unix_ns),
        };
        let mut health = Health::degraded(clip(reason)).last_success(self.last_success_unix_ns);
        health.since_unix_ns = self.apart_since_unix_ns;
        health
    }
}

/// An error with what caused it.
fn with_causes(error: &ConfigLoadError) -> String {
    let (mut text, mut cause) = (error.to_string(), error.source());
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}

fn clip(mut reason: String) -> String {
    if let Some((end, _)) = reason.char_indices().nth(MOST_REASON) {
        reason.truncate(end);
        reason.push('…');
    }
    reason
}

impl HealthComponent for Shared {
    fn name(&self) -> Name {
        Name::from_static("config")
    }

    fn health(&self) -> Health {
        self.state().health()
    }
}
