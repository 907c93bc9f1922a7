//! Which source wins: preset < files < environment < arguments < code, and patches of what runs.

use serde_json::{Map, Value};

use super::contradictions;
use super::fields::{FIELDS, field};
use super::names::{is_table, names, near};
use super::presets::Preset;
use super::problem::{ConfigError, ConfigProblem};
use super::said::{Lines, Source, Sources};
use super::sections::{Report, SECTIONS, section};
use super::types::{BudgetConfig, Config};

/// What is shown in the place of a secret.
pub const SHOWN_SECRET: &str = "(a secret)";
/// How deep a value may be nested.
const MOST_DEPTH: usize = 8;

/// What code changes.
type Change = Box<dyn FnOnce(&mut Config)>;

/// Sources of a configuration, from the weakest to the strongest: a preset, TOML texts in the order
/// in which they are given, environment variables, arguments, code.
#[derive(Default)]
#[must_use]
pub struct ConfigLayers {
    preset: Option<Preset>,
    sources: Vec<Source>,
    variables: Vec<(String, String)>,
    arguments: Vec<Source>,
    code: Vec<Change>,
    problems: Vec<ConfigProblem>,
}

impl ConfigLayers {
    /// The preset of development and nothing else.
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts from this preset, whatever `environment` says. Default: that of `environment`, which
    /// is development unless something says otherwise.
    pub fn preset(mut self, preset: Preset) -> Self {
        self.preset = Some(preset);
        self
    }

    /// Adds the fields of a TOML text. `source` is what problems call it: the file's name.
    pub fn toml(mut self, source: impl Into<String>, text: &str) -> Self {
        let source = source.into();
        match text.parse::<toml::Table>() {
            Ok(table) => {
                let tree = from_toml(toml::Value::Table(table));
                self.sources.push(Source::new(source, tree).with_lines(Lines::of_toml(text)));
            }
            Err(error) => {
                let line = error.span().map(|span| text.get(..span.start).unwrap_or_default().lines().count().max(1));
                let source = format!("{source}:{}", line.unwrap_or(1));
                self.problems.push(ConfigProblem::value(&source, "", error.message(), "TOML 1.0"));
            }
        }
        self
    }

    /// Adds environment variables; those that are nobody's of ours are ignored. `TTA_` names a
    /// field; beside these `ENVIRONMENT`, `SERVICE_NAME`, `SERVICE_VERSION`,
    /// `ENABLE_OBSERVABILITY`, `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES`,
    /// `OTEL_SDK_DISABLED`, `OTEL_TRACES_SAMPLER` and `OTEL_TRACES_SAMPLER_ARG` are read, weaker
    /// than `TTA_` ones; of two that say the same, the one named first here is stronger. Of
    /// exporters: `OTEL_EXPORTER_OTLP_` with `ENDPOINT`, `TRACES_ENDPOINT`, `METRICS_ENDPOINT`,
    /// `PROTOCOL`, `COMPRESSION`, `TIMEOUT`, `CERTIFICATE`, `CLIENT_CERTIFICATE` and `CLIENT_KEY`;
    /// `OTEL_BSP_` with `MAX_QUEUE_SIZE`, `MAX_EXPORT_BATCH_SIZE` and `SCHEDULE_DELAY`;
    /// `OTEL_METRICS_EXPORTER` and `OTEL_METRIC_EXPORT_INTERVAL`. Intervals below a second are a second.
    pub fn environment<K: Into<String>, V: Into<String>>(
        mut self,
        variables: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        self.variables.extend(variables.into_iter().map(|(name, value)| (name.into(), value.into())));
        self
    }

    /// Sets a field to what an argument of the command line says; `argument` is what problems call it, as
    /// `--address`.
    pub fn argument(mut self, argument: impl Into<String>, path: &str, text: &str) -> Self {
        let argument = argument.into();
        match field(path) {
            Some(field) => {
                let mut tree = Value::Object(Map::new());
                put(&mut tree, path, field.accepts.read(text));
                self.arguments.push(Source::new(argument, tree));
            }
            None => self.problems.push(ConfigProblem::unknown(&argument, path, near(path))),
        }
        self
    }

    /// Changes the result in code.
    pub fn code(mut self, change: impl FnOnce(&mut Config) + 'static) -> Self {
        self.code.push(Box::new(change));
        self
    }

    /// Puts everything together and checks it.
    ///
    /// # Errors
    /// Everything that is wrong, at once.
    pub fn build(self) -> Result<Config, ConfigError> {
        let Self { preset, mut sources, variables, arguments, code, mut problems } = self;
        let variables = super::variables::read(variables, &mut problems);
        sources.extend(variables.into_iter().map(|(name, tree)| Source::new(name, tree)));
        sources.extend(arguments);
        let named = || {
            let named = sources.iter().rev().find_map(|source| source.tree.get("environment"));
            named.and_then(Value::as_str).and_then(Preset::of)
        };
        let preset = preset.or_else(named).unwrap_or_default();
        let base = preset.config();
        let mut config = base.clone();
        for source in &sources {
            let before = problems.len();
            Layer { config: &mut config, base: &base, is_patch: false, source: &source.name, problems: &mut problems }
                .read(&source.tree);
            source.locate(problems.get_mut(before..).unwrap_or_default());
        }
        let before = config.clone();
        code.into_iter().for_each(|change| change(&mut config));
        if config != before {
            // What code has set is checked like everything else.
            config.check_fields("code", &mut problems);
            sources.push(Source::code(&before, &config));
        }
        finish(config, problems, &Sources { of: sources, rest: format!("the preset {}", preset.as_str()) })
    }
}

/// Adds to everything that is wrong by itself what is wrong together.
fn finish(config: Config, mut problems: Vec<ConfigProblem>, said: &Sources) -> Result<Config, ConfigError> {
    contradictions::check(&config, said, &mut problems);
    for problem in config.check_whole() {
        if !problems.iter().any(|known| known.path.starts_with(&problem.path)) {
            problems.push(said.blame(problem));
        }
    }
    if problems.is_empty() { Ok(config) } else { Err(ConfigError { problems }) }
}

impl Config {
    /// This configuration with a JSON merge patch (RFC 7396) applied; `null` sets a field back to
    /// its preset and removes an entry. `source` is what problems call it.
    ///
    /// # Errors
    /// Everything that is wrong; nothing is changed then.
    pub fn patched(&self, source: &str, patch: &Value) -> Result<Self, ConfigError> {
        self.patched_over(&self.environment.config(), source, patch)
    }

    /// The same, where `null` sets a field, a table or an entry back to what `base` says; an entry that
    /// `base` does not have is removed. [`SHOWN_SECRET`] leaves a secret as it is.
    ///
    /// # Errors
    /// Everything that is wrong; nothing is changed then.
    pub fn patched_over(&self, base: &Self, source: &str, patch: &Value) -> Result<Self, ConfigError> {
        let (mut config, mut problems) = (self.clone(), Vec::new());
        Layer { config: &mut config, base, is_patch: true, source, problems: &mut problems }.read(patch);
        let of = vec![Source::new(source, patch.clone())];
        finish(config, problems, &Sources { of, rest: "in effect".to_owned() })
    }

    /// Every field, as JSON, with [`SHOWN_SECRET`] in the place of secrets; null where there is none.
    #[must_use]
    pub fn to_masked_json(&self) -> Value {
        let mut tree = self.to_json();
        for field in FIELDS.iter().filter(|field| field.accepts.is_secret()) {
            let is_set = !(field.write)(self).is_null();
            put(&mut tree, field.path, if is_set { Value::from(SHOWN_SECRET) } else { Value::Null });
        }
        tree
    }

    /// Every field, as JSON, but secrets. Patching any configuration of the same environment and the
    /// same secrets with it gives this one.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut tree = Value::Object(Map::new());
        let shown = FIELDS.iter().filter(|field| !field.accepts.is_secret());
        let fields = shown.map(|field| (field.path, (field.write)(self)));
        let sections = SECTIONS.iter().map(|section| (section.path, (section.write)(self)));
        fields.chain(sections).for_each(|(path, value)| put(&mut tree, path, value));
        tree
    }

    /// Every field, as TOML, but secrets.
    #[must_use]
    pub fn to_toml(&self) -> String {
        toml::to_string_pretty(&self.to_json()).unwrap_or_default()
    }

    /// The fields that differ and take effect only when the process starts anew.
    #[must_use]
    pub fn needing_restart(&self, other: &Self) -> Vec<&'static str> {
        let fields = FIELDS.iter().filter(|field| !field.is_live && (field.write)(self) != (field.write)(other));
        let differs =
            |section: &&super::sections::Section| !section.is_live && (section.write)(self) != (section.write)(other);
        let sections = SECTIONS.iter().filter(differs).map(|section| section.path);
        let stays = |(name, budget): (&String, &BudgetConfig)| {
            other.cost.budgets.get(name).is_none_or(|other| other.period != budget.period)
        };
        let budgets = self.cost.budgets.iter().any(stays).then_some("cost.budgets");
        fields.map(|field| field.path).chain(sections).chain(budgets).collect()
    }

    /// This configuration, with what takes effect at start as another has it.
    pub(super) fn with_start_of(&self, started: &Self) -> Self {
        let mut config = self.clone();
        for field in FIELDS.iter().filter(|field| !field.is_live) {
            (field.read)(&mut config, &(field.write)(started));
        }
        for section in SECTIONS.iter().filter(|section| !section.is_live) {
            (section.copy)(&mut config, started);
        }
        for (name, budget) in &started.cost.budgets {
            // One that runs spend from goes on, in its period.
            config.cost.budgets.entry(name.clone()).or_insert_with(|| budget.clone()).period.clone_from(&budget.period);
        }
        config
    }

    /// Whether every field is in its range and all fit together. `source` is what problems call it.
    pub(super) fn check(&self, source: &str) -> Result<(), ConfigError> {
        let mut problems = Vec::new();
        self.check_fields(source, &mut problems);
        finish(self.clone(), problems, &Sources { of: Vec::new(), rest: source.to_owned() }).map(|_| ())
    }

    /// Whether every field is in its range.
    fn check_fields(&self, source: &str, problems: &mut Vec<ConfigProblem>) {
        let (mut config, tree) = (self.clone(), self.to_json());
        Layer { config: &mut config, base: &self.environment.config(), is_patch: false, source, problems }.read(&tree);
        // JSON has no such numbers, and what it has instead would be taken for "as the preset".
        for field in FIELDS.iter().filter(|field| field.accepts.is_number() && (field.write)(self).is_null()) {
            problems.push(ConfigProblem::value(source, field.path, "not a finite number", field.accepts.describe()));
        }
    }
}

/// Puts a value into a tree of tables.
pub(super) fn put(tree: &mut Value, path: &str, value: Value) {
    match path.split_once('.') {
        None => {
            if let Value::Object(table) = tree {
                table.insert(path.to_owned(), value);
            }
        }
        Some((first, rest)) => {
            if let Value::Object(table) = tree {
                put(table.entry(first).or_insert_with(|| Value::Object(Map::new())), rest, value);
            }
        }
    }
}

/// One source, being applied.
struct Layer<'a> {
    config: &'a mut Config,
    /// What `null` sets back to.
    base: &'a Config,
    /// Whether what is shown of a secret stands for the secret.
    is_patch: bool,
    source: &'a str,
    problems: &'a mut Vec<ConfigProblem>,
}

impl Layer<'_> {
    fn read(&mut self, tree: &Value) {
        self.apply("", tree, 0);
    }

    fn apply(&mut self, path: &str, value: &Value, depth: usize) {
        if let Some(section) = section(path) {
            if value.is_null() {
                return (section.copy)(self.config, self.base);
            }
            let mut report = Report { source: self.source, base: self.base, problems: self.problems };
            return (section.read)(self.config, value, &mut report);
        }
        if let Some(field) = field(path) {
            if self.is_patch && field.accepts.is_secret() && value.as_str() == Some(SHOWN_SECRET) {
                return;
            }
            let value = if value.is_null() { (field.write)(self.base) } else { value.clone() };
            if field.accepts.accepts(&value) {
                (field.read)(self.config, &value);
            } else {
                let given = field.accepts.show(&value);
                let problem = ConfigProblem::value(self.source, path, &given, field.accepts.describe());
                self.problems.push(problem);
            }
            return;
        }
        if !(path.is_empty() || is_table(path)) || depth > MOST_DEPTH {
            return self.problems.push(ConfigProblem::unknown(self.source, path, near(path)));
        }
        match value {
            Value::Object(entries) => {
                for (key, value) in entries {
                    // A path in quotes is one key, and not the path.
                    let key = if key.contains('.') { format!("\"{key}\"") } else { key.clone() };
                    let path = if path.is_empty() { key } else { format!("{path}.{key}") };
                    self.apply(&path, value, depth + 1);
                }
            }
            // A table is set back with all that is in it.
            Value::Null if !path.is_empty() => {
                let is_below = |known: &&str| known.strip_prefix(path).is_some_and(|rest| rest.starts_with('.'));
                names().filter(is_below).for_each(|known| self.apply(known, &Value::Null, depth + 1));
            }
            other => {
                self.problems.push(ConfigProblem::value(self.source, path, &other.to_string(), "a table"));
            }
        }
    }
}

/// TOML as JSON. What JSON does not have becomes text, and is refused where a number is wanted.
fn from_toml(value: toml::Value) -> Value {
    match value {
        toml::Value::String(text) => Value::String(text),
        toml::Value::Integer(number) => Value::from(number),
        toml::Value::Float(number) => {
            serde_json::Number::from_f64(number).map_or_else(|| Value::String(number.to_string()), Value::Number)
        }
        toml::Value::Boolean(flag) => Value::Bool(flag),
        toml::Value::Datetime(time) => Value::String(time.to_string()),
        toml::Value::Array(list) => list.into_iter().map(from_toml).collect(),
        toml::Value::Table(table) => {
            Value::Object(table.into_iter().map(|(key, value)| (key, from_toml(value))).collect())
        }
    }
}
