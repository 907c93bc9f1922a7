//! The configuration and its changes, as JSON.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use tta_telemetry::config::{Config, ConfigChange};
use utoipa::ToSchema;

use super::audit::ConfigAudit;
use super::change::Remembered;
use super::origin::origins;
use crate::api::time::iso;

/// The configuration in effect.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ConfigBody {
    /// Which configuration it is, for `If-Match`; the same as the header `ETag`.
    pub(super) etag: String,
    /// Every field. A secret is `(a secret)`, or null when there is none.
    #[schema(value_type = Object)]
    config: Value,
    /// Fields that are wanted otherwise, from the next start on. What a patch wants is forgotten then: it
    /// belongs into the file, too.
    needs_restart: Vec<Waiting>,
    /// Where each value comes from: `patch`; `preset`; `file_or_environment`; or `start`, when it is as the
    /// process was started with and these say something else by now, or cannot be read.
    #[schema(value_type = BTreeMap<String, String>)]
    origins: BTreeMap<String, &'static str>,
    /// What this request changed.
    changed: Vec<Changed>,
}

/// A field that waits for a restart.
#[derive(Debug, Serialize, ToSchema)]
struct Waiting {
    path: String,
    in_effect: Option<Value>,
    wanted: Option<Value>,
}

/// A field that was changed; null stands for an entry that is not there.
#[derive(Debug, Serialize, ToSchema)]
struct Changed {
    path: String,
    old: Option<Value>,
    new: Option<Value>,
}

/// Changes of the configuration.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AuditList {
    /// The latest first; at most 200.
    changes: Vec<Audited>,
    /// Earlier ones that are no longer here.
    dropped: u64,
    /// Requests that were refused and changed nothing.
    refused: u64,
    /// Callbacks of the program that panicked when they were told.
    callback_panics: u64,
}

/// A change of the configuration.
#[derive(Debug, Serialize, ToSchema)]
struct Audited {
    number: u64,
    /// By RFC 3339.
    at: String,
    /// `admin`; null for a change that needed no token.
    scope: Option<&'static str>,
    /// `admin:2` for the second admin token in the order in which they were given, `anonymous` where there
    /// are no tokens, or what the program said, as `reload:signal`.
    by: String,
    /// At most 100. Long values are cut.
    changed: Vec<Changed>,
    more_changed: u64,
    needs_restart: Vec<String>,
}

impl From<ConfigChange> for Changed {
    fn from(ConfigChange { path, old, new }: ConfigChange) -> Self {
        Self { path, old, new }
    }
}

impl From<ConfigAudit> for Audited {
    fn from(audit: ConfigAudit) -> Self {
        Self {
            number: audit.number,
            at: iso(audit.at_unix_ns),
            scope: audit.scope.map(|scope| scope.as_str()),
            by: audit.by,
            changed: audit.changed.into_iter().map(Changed::from).collect(),
            more_changed: audit.more_changed,
            needs_restart: audit.needs_restart,
        }
    }
}

impl ConfigBody {
    pub(super) fn new(
        etag: String,
        in_effect: &Config,
        base: Option<&Config>,
        remembered: &Remembered,
        changed: Vec<ConfigChange>,
    ) -> Self {
        let waiting = remembered.waiting(in_effect).into_iter();
        Self {
            etag,
            config: in_effect.to_masked_json(),
            needs_restart: waiting.map(|(path, (in_effect, wanted))| Waiting { path, in_effect, wanted }).collect(),
            origins: origins(in_effect, base, remembered),
            changed: changed.into_iter().map(Changed::from).collect(),
        }
    }
}

impl AuditList {
    pub(super) fn of(remembered: &Remembered) -> Self {
        Self {
            changes: remembered.audit.entries().into_iter().rev().map(Audited::from).collect(),
            dropped: remembered.audit.dropped(),
            refused: remembered.refused,
            callback_panics: remembered.callback_panics,
        }
    }
}
