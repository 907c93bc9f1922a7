//! Reading the configuration again while the process runs.
//!
//! Owns reading a whole file that others may be writing, what came of each reload, and saying so in the
//! health report. When to reload is the caller's, or that of `watch` (SIGHUP, a file that changes);
//! what a configuration does to the engine is `Telemetry::update`'s.

mod outcome;
mod stamp;
#[cfg(unix)]
mod watch;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tta_telemetry::config::{Config, ConfigUpdate};
use tta_telemetry::{HealthComponent, Telemetry};

use outcome::State;
pub use outcome::{ReloadCause, ReloadCounts, ReloadOutcome};
use stamp::Stamp;
#[cfg(unix)]
pub use watch::ConfigWatch;

use crate::config_source::{ConfigLoadError, ConfigSource};

/// How often a file that changes while it is read is read again.
const MOST_READS: u32 = 16;

type Callback = Box<dyn Fn(&ReloadOutcome) + Send + Sync>;

/// Reads a configuration again and applies it to an engine. Clones are the same.
///
/// ```
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("tta.toml");
/// # std::fs::write(&path, "[tracing.sampling]\ndefault_rate = 0.25\n")?;
/// use tta_host::{ConfigReload, ConfigSource};
/// use tta_telemetry::Telemetry;
///
/// let source = ConfigSource::new().file(&path);
/// let telemetry = Telemetry::builder().config(&source.load()?)?.build()?;
/// let reload = ConfigReload::builder(source, &telemetry).build();
///
/// std::fs::write(&path, "[tracing.sampling]\ndefault_rate = 0.5\n")?;
/// let update = reload.reload()?;
/// assert_eq!(update.changed[0].to_string(), "tracing.sampling.default_rate: 0.25 -> 0.5");
///
/// std::fs::write(&path, "[tracing.sampling]\ndefault_rate = 7\n")?;
/// assert!(reload.reload().is_err());
/// assert_eq!(telemetry.config().map(|config| config.tracing.sampling.default_rate), Some(0.5));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # What is applied
/// All of the source: the file *and* the environment, as when the process started. It takes the place
/// of whatever was in effect, also of what [`Telemetry::update`] changed since. A reload that fails
/// changes nothing. Reloads take turns, and each reads when its turn comes, so that the last one has
/// the newest file; an update by code comes before or after a reload, whole.
///
/// # Files that others write
/// The file must be the same before and after it was read, or it is read again. One that is gone,
/// unreadable, half-written or empty is an error. Replacing the file by renaming another one to its
/// name never shows half of it; a file that is cut short at the end of a line cannot be told from a
/// whole one.
///
/// # Health
/// The component `config` is degraded while the file is not what is in effect, as far as the reloads
/// have seen: the last one failed, or fields wait for a restart. The reload keeps the engine alive, and
/// the component lives as long as the reload.
#[derive(Clone)]
pub struct ConfigReload(Arc<Shared>);

struct Shared {
    source: ConfigSource,
    telemetry: Telemetry,
    on_outcome: Option<Callback>,
    /// Held from reading to applying, so that what was read last is applied last.
    reloading: Mutex<()>,
    state: Mutex<State>,
}

/// Builds a [`ConfigReload`].
#[must_use]
pub struct ConfigReloadBuilder {
    source: ConfigSource,
    telemetry: Telemetry,
    on_outcome: Option<Callback>,
}

impl ConfigReloadBuilder {
    /// Is called after every reload, whoever asked for it, on the thread that did it. One that panics
    /// is counted. Default: nobody.
    pub fn on_outcome(mut self, callback: impl Fn(&ReloadOutcome) + Send + Sync + 'static) -> Self {
        self.on_outcome = Some(Box::new(callback));
        self
    }

    /// Registers the health component; reads nothing yet.
    pub fn build(self) -> ConfigReload {
        let Self { source, telemetry, on_outcome } = self;
        let clock = telemetry.clock();
        let read_unix_ns = telemetry.config().map(|_| clock.unix_ns(clock.ticks()));
        let (reloading, state) = (Mutex::default(), Mutex::new(State::starting(read_unix_ns)));
        let shared = Arc::new(Shared { source, telemetry, on_outcome, reloading, state });
        shared.telemetry.watch_health(&(Arc::clone(&shared) as Arc<dyn HealthComponent>));
        ConfigReload(shared)
    }
}

impl ConfigReload {
    /// Reloads from `source`, of which this engine was built.
    pub fn builder(source: ConfigSource, telemetry: &Telemetry) -> ConfigReloadBuilder {
        ConfigReloadBuilder { source, telemetry: telemetry.clone(), on_outcome: None }
    }

    /// Reads everything afresh and applies it: what changed, and which of it waits for a restart.
    /// Blocks on the file, and on a reload that is under way.
    ///
    /// # Errors
    /// Why nothing was changed: the file cannot be read, or everything that is wrong in it.
    pub fn reload(&self) -> Result<ConfigUpdate, Arc<ConfigLoadError>> {
        self.reload_for(ReloadCause::ByHand)
    }

    /// What came of the last reload, if there was one.
    #[must_use]
    pub fn last(&self) -> Option<ReloadOutcome> {
        self.0.state().last.clone()
    }

    /// How many reloads there were.
    #[must_use]
    pub fn counts(&self) -> ReloadCounts {
        self.0.state().counts
    }

    fn reload_for(&self, cause: ReloadCause) -> Result<ConfigUpdate, Arc<ConfigLoadError>> {
        let shared = &*self.0;
        let outcome = {
            let _reloading = shared.reloading.lock().unwrap_or_else(PoisonError::into_inner);
            let (stamp, loaded) = shared.load();
            let result = loaded.and_then(|config| shared.apply(&config)).map_err(Arc::new);
            let clock = shared.telemetry.clock();
            shared.state().note(stamp, cause, clock.unix_ns(clock.ticks()), result)
        };
        // Without the lock: a callback may reload, too.
        if let Some(on_outcome) = &shared.on_outcome
            && catch_unwind(AssertUnwindSafe(|| on_outcome(&outcome))).is_err()
        {
            shared.state().counts.callback_panics += 1;
        }
        outcome.result
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stamp(&self) -> Option<Stamp> {
        self.source.path().map(Stamp::of)
    }

    /// A whole file, and which it was.
    fn load(&self) -> (Option<Stamp>, Result<Config, ConfigLoadError>) {
        let mut stamp = self.stamp();
        for _ in 0..MOST_READS {
            let loaded = self.source.load_again();
            let after = self.stamp();
            if after == stamp {
                return (stamp, loaded);
            }
            stamp = after;
        }
        let path = self.source.path().unwrap_or_else(|| "".as_ref()).to_owned();
        (None, Err(ConfigLoadError::Changing { path }))
    }

    fn apply(&self, config: &Config) -> Result<ConfigUpdate, ConfigLoadError> {
        // An engine that was built in code alone: what waits for a restart is told by the presets.
        let unknown = config.environment.config();
        Ok(self.telemetry.update(&unknown, config)?)
    }
}

impl fmt::Debug for ConfigReload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConfigReload").field("source", &self.0.source).finish_non_exhaustive()
    }
}

impl fmt::Debug for ConfigReloadBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConfigReloadBuilder").field("source", &self.source).finish_non_exhaustive()
    }
}
