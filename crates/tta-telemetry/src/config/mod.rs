//! What an engine can be told in words: presets, TOML, environment variables, patches.
//!
//! Owns the fields with their defaults, ranges and documentation (`fields`, one table), the order
//! of precedence (`layers`), what is said of everything that is wrong (`problem`) and where it was said
//! (`said`), and the JSON Schema (`schema`). Text goes in and out; whoever reads files and the environment is `tta-host`.
//!
//! ```
//! use tta_telemetry::config::{Config, ConfigLayers};
//! let config = ConfigLayers::new()
//!     .toml("tta.toml", "environment = \"production\"\n[tracing.sampling]\ndefault_rate = 0.1\n")
//!     .environment([("TTA_TRACING__SAMPLING__SLOW_THRESHOLD_MS", "250")])
//!     .build()?;
//! assert_eq!((config.tracing.sampling.default_rate, config.tracing.sampling.slow_threshold_ms), (0.1, 250.0));
//! assert!(config.tracing.sampling.adaptive_enabled, "the preset of production");
//!
//! let wrong = ConfigLayers::new().toml("tta.toml", "[tracing.sampling]\ndefalt_rate = 7\n").build().unwrap_err();
//! assert_eq!(
//!     wrong.to_string(),
//!     "1 problem in the configuration:\n\
//!      tta.toml:2: `tracing.sampling.defalt_rate` is not a field; did you mean `tracing.sampling.default_rate`?"
//! );
//! # Ok::<(), tta_telemetry::config::ConfigError>(())
//! ```

mod apply;
mod changes;
mod contradictions;
mod export;
mod fields;
mod layers;
mod names;
mod nearest;
mod parts;
mod presets;
mod problem;
mod said;
mod schema;
mod sections;
mod server;
mod types;
mod update;
mod value;
mod variables;

pub use changes::ConfigChange;
pub use export::{HeaderSources, MetricsPushFormat, OtlpCompression, OtlpConfig, OtlpProtocol};
pub use layers::{ConfigLayers, SHOWN_SECRET};
pub use presets::Preset;
pub use problem::{ConfigError, ConfigProblem};
pub use schema::ConfigField;
pub use server::{ServerConfig, TokensConfig};
pub use types::{
    BudgetConfig, Config, CostConfig, LimitsConfig, LogFormat, LogLevel, LoggingConfig, MetricsConfig, RedactionConfig,
    RedactionRuleConfig, SamplingConfig, SamplingRuleConfig, Secret, SloConfig, TracingConfig, WorkflowSampling,
};
pub use update::ConfigUpdate;
